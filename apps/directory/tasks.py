"""Sweeps of the directory."""

from celery import shared_task

from apps.common import clock
from apps.directory.actions.offboard import watch_cases as watch
from apps.directory.actions.people_file import offboard_due as offboard


@shared_task(name="directory.offboard_due")
def offboard_due() -> int:
    """Off-board everybody whose last working day is over. Returns how many."""
    return offboard(now=clock.now())


@shared_task(name="directory.watch_cases")
def watch_cases() -> None:
    """Close the cases of leavers that are done, and remind who sees to an overdue one."""
    watch(now=clock.now())
