"""Sweeps of findings."""

from celery import shared_task

from apps.common import clock
from apps.findings import actions
from apps.findings.rules import Swept


@shared_task(name="findings.sweep")
def sweep() -> int:
    """Bring the findings in line with what is so. Returns how many are new.

    Raises RuntimeError, after all is written, where a check could not be read: then the sweep counts as failed.
    """
    return told(actions.sweep_registry(now=clock.now()))


def told(swept: Swept) -> int:
    """How many findings are new. Raises RuntimeError with the checks that could not be read."""
    if swept.failed:
        raise RuntimeError(f"Checks that could not be read: {', '.join(swept.failed)}")
    return swept.raised


@shared_task(name="findings.remind_overdue")
def remind_overdue() -> int:
    """Tell who comes next about overdue findings. Returns how many people."""
    return actions.remind_overdue(now=clock.now())
