"""The portal's Celery application by the moved clock, with a schedule of seconds instead of minutes.

Its scheduler publishes every task twice.
"""

from importlib import import_module
from typing import Any

from celery.beat import PersistentScheduler

from tests.attestations.faults.moved import install

install()
app = import_module("govportal.celery").app

EVERY = 4.0
SWEEPS = (
    "attestations.open_due", "attestations.remind_due", "attestations.move_on_due", "attestations.follow_owners",
    "attestations.add_supplements", "attestations.ready_nodes", "attestations.finish_due", "attestations.raise_events",
    "attestations.follow_findings", "notify.deliver_pending", "audit.heartbeat",
)  # fmt: skip
# What nobody took in time is left out, as after a worker was away: the next one does the same.
app.conf.beat_schedule = {name: {"task": name, "schedule": EVERY, "options": {"expires": 4 * EVERY}} for name in SWEEPS}


class Twice(PersistentScheduler):
    """Publishes everything double."""

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """As usual, and once more."""
        first = super().apply_async(entry, producer, advance, **kwargs)
        super().apply_async(entry, producer, advance=False, **kwargs)
        return first
