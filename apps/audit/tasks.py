"""Sweeps of the trail, and the heartbeat that shows that somebody takes work from the queue."""

from celery import Task, shared_task

from apps.audit import actions, sweeps
from apps.common import clock


@shared_task(name="audit.prepare_partitions")
def prepare_partitions() -> None:
    """Create the partitions of the coming year."""
    actions.prepare_partitions(now=clock.now())


@shared_task(name="audit.heartbeat", bind=True)
def heartbeat(self: "Task[..., None]") -> None:
    """Comes through the queue each minute: that it ran shows a worker that works. Registers the schedule's sweeps."""
    sweeps.register(self.app.conf.beat_schedule, now=clock.now())
