"""Sweeps of the registry."""

from celery import shared_task

from apps.common import clock
from apps.registry.actions.escalation import escalate_nominations as escalate


@shared_task(name="registry.escalate_nominations")
def escalate_nominations() -> None:
    """Tell the unit's head about nominations that nobody answered in time."""
    escalate(now=clock.now())
