"""Sweeps of incidents."""

from celery import shared_task

from apps.common import clock
from apps.incidents.actions import cards


@shared_task(name="incidents.settle_cards")
def settle_cards() -> int:
    """Work out the cards that a commit left behind. Returns how many changed."""
    return cards.settle_cards(now=clock.now())


@shared_task(name="incidents.recompute_cards")
def recompute_cards() -> int:
    """Work out every card again. Returns how many changed."""
    return cards.recompute_cards(now=clock.now())
