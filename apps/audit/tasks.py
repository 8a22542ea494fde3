"""Sweeps of the trail."""

from celery import shared_task

from apps.audit import actions
from apps.common import clock


@shared_task(name="audit.prepare_partitions")
def prepare_partitions() -> None:
    """Create the partitions of the coming year."""
    actions.prepare_partitions(now=clock.now())
