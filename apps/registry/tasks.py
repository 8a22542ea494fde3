"""Sweeps of the registry."""

from celery import shared_task

from apps.common import clock
from apps.registry.actions.absences import follow_calendar as follow
from apps.registry.actions.escalation import escalate_nominations as escalate
from apps.registry.actions.handover import escalate_handovers as escalate_unsigned
from apps.registry.actions.raci.sending import escalate_acceptances as escalate_unaccepted


@shared_task(name="registry.escalate_nominations")
def escalate_nominations() -> int:
    """Tell the unit's head about nominations that nobody answered in time. Returns how many."""
    return escalate(now=clock.now())


@shared_task(name="registry.follow_calendar")
def follow_calendar() -> int:
    """Let grants follow absences that began or ended. Returns for how many people."""
    return follow(now=clock.now())


@shared_task(name="registry.escalate_handovers")
def escalate_handovers() -> int:
    """Tell the unit's head about hand-overs that nobody signed in time. Returns how many."""
    return escalate_unsigned(now=clock.now())


@shared_task(name="registry.escalate_acceptances")
def escalate_acceptances() -> int:
    """Tell the sender and who is above about letters that nobody accepted in time. Returns how many."""
    return escalate_unaccepted(now=clock.now())
