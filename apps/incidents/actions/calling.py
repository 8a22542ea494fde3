"""Calling people for an incident: it begins, falls silent, and begins again. The rows are the timers."""

from datetime import datetime

from apps.incidents.models import Escalation, Incident
from apps.people.models import Person


def begin_calling(incident: Incident, now: datetime) -> None:
    """Start the plan of this incident and call its first step at once."""
    Escalation.objects.create(incident=incident, began_at=now, due_at=now)


def hush(incident: Incident, person: Person, now: datetime) -> None:
    """Somebody has it: nobody else is called, and what waits to be sent is taken back."""
    Escalation.objects.filter(incident=incident, state="running").update(
        state="acked", due_at=None, acked_by=person, acked_at=now
    )


def stop_calling(incident: Incident, now: datetime) -> None:
    """It is over: nobody is called any more."""
    Escalation.objects.filter(incident=incident, state__in=["running", "acked"]).update(state="stopped", due_at=None)


def call_next(incident: Incident, now: datetime) -> None:
    """Who was called can't: the next step is due now."""
    Escalation.objects.filter(incident=incident, state="running").update(due_at=now)


def begin_again(incident: Incident, now: datetime) -> None:
    """It is open again: a new round of calling starts with the first step, by the plan of this incident."""
    row = Escalation.objects.select_for_update(no_key=True).get(incident=incident)
    row.state, row.round, row.lap, row.step, row.due_at = Escalation.State.RUNNING, row.round + 1, 0, 0, now
    row.acked_by = row.acked_at = row.ack_until = None
    row.save()
