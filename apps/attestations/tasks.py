"""Sweeps of campaigns."""

from celery import shared_task

from apps.attestations import actions
from apps.common import clock


@shared_task(name="attestations.open_due")
def open_due() -> None:
    """Open the campaign whose time has come."""
    actions.open_due(now=clock.now())


@shared_task(name="attestations.remind_due")
def remind_due() -> None:
    """Remind owners of what is open."""
    actions.remind_all_due(now=clock.now())


@shared_task(name="attestations.close_due")
def close_due() -> None:
    """Close the campaign whose time is over."""
    actions.close_due(now=clock.now())
