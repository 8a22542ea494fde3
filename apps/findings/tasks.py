"""Sweeps of findings."""

from celery import shared_task

from apps.common import clock
from apps.findings import actions


@shared_task(name="findings.sweep")
def sweep() -> None:
    """Bring the findings in line with what is so."""
    actions.sweep_registry(now=clock.now())


@shared_task(name="findings.remind_overdue")
def remind_overdue() -> None:
    """Tell who comes next about overdue findings."""
    actions.remind_overdue(now=clock.now())
