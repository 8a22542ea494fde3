"""Sweeps of incidents."""

from celery import shared_task

from apps.common import clock
from apps.incidents.actions import card_export, cards, clock_watch, drills, paging, states
from apps.incidents.actions.preflight import run_preflight
from apps.incidents.queries.paging import database_now


@shared_task(name="incidents.settle_cards")
def settle_cards() -> int:
    """Work out the cards that a commit left behind. Returns how many changed."""
    return cards.settle_cards(now=clock.now())


@shared_task(name="incidents.export_cards")
def export_cards() -> int:
    """Write who responds for when the portal is down. Returns for how many systems."""
    return card_export.export_nightly(now=clock.now())


@shared_task(name="incidents.recompute_cards")
def recompute_cards() -> int:
    """Work out every card again. Returns how many changed."""
    return cards.recompute_cards(now=clock.now())


@shared_task(name="incidents.escalate")
def escalate() -> int:
    """Call whoever is next wherever that is due, by the clock of the database. Returns how many incidents.

    Raises RuntimeError, after all others were done, where one failed.
    """
    return paging.advance_due(now=database_now())


@shared_task(name="incidents.classify_overdue")
def classify_overdue() -> int:
    """Let the higher severity apply where nobody said in time how bad it is. Returns how many."""
    return states.classify_overdue(now=database_now())


@shared_task(name="incidents.preflight")
def preflight() -> int:
    """Look whether calling would work for every live system. Returns for how many it would not."""
    return run_preflight(now=database_now())


@shared_task(name="incidents.watch_clocks")
def watch_clocks() -> int:
    """Remind of legal deadlines, and say which were missed. Returns how many clocks it did something about."""
    return clock_watch.watch_clocks(now=database_now())


@shared_task(name="incidents.start_due_drills")
def start_due_drills() -> int:
    """Start the drills that are ready and whose time has come. Returns how many."""
    return drills.start_due_drills(now=database_now())
