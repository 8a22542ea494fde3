"""Writing down what happens: notes, decisions, status updates, tasks, people brought in."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.incidents.actions.calling import brought_key, ways_words
from apps.incidents.actions.checks import able, given
from apps.incidents.actions.common import (
    Line,
    incident_subject,
    line,
    locked_incident,
    mailed,
    save_incident,
    sync_participants,
    titled,
)
from apps.incidents.models import Incident, IncidentTask, IncidentUserPermission, TimelineEntry
from apps.incidents.rules import Severity, Visibility
from apps.notify.actions import Note, enqueue, enqueue_many
from apps.notify.actions.reach import send_to
from apps.people.models import Person

# How the task of somebody who is brought in begins.
JOIN = "Join the response: "
WRITABLE = (Line.NOTE, Line.FACT, Line.DECISION, Line.ALARM)


@transaction.atomic
def add_note(
    incident: Incident,
    *,
    text: str,
    actor: Person,
    now: datetime,
    kind: str = Line.NOTE,
    at: datetime | None = None,
    corrects: TimelineEntry | None = None,
) -> TimelineEntry:
    """Write a line: what happened, or what was decided. It can't be changed; another line can correct it.

    `at` is when it happened, where that was earlier. Raises Refused without words and for a time that is ahead.
    """
    incident = locked_incident(incident)
    text = given(text, "Say what happened, or what was decided.")
    if kind not in WRITABLE:
        raise Refused("This kind of line is written by the portal alone.")
    if at is not None and at > now:
        raise Refused("What is written down has happened already. Give a time that is past.")
    if corrects is not None and corrects.incident_id != incident.pk:
        raise Refused("A line corrects one of the same incident.")
    entry = line(incident, kind, text, now=now, person=actor, at=at, corrects=corrects)
    _noted(Kind.INCIDENT_NOTED, incident, actor, now, text)
    return entry


@transaction.atomic
def send_update(
    incident: Incident, *, text: str, actor: Person, now: datetime, next_in: timedelta | None = None
) -> TimelineEntry:
    """A word to everybody who takes part and to the board's seats; and when the next one comes.

    Raises Refused without words, and where it is over.
    """
    incident = locked_incident(incident)
    text = given(text, "Say what is known, what is done, and what comes next.")
    if not incident.is_open:
        raise Refused(f"{incident.code} is over. Nobody waits for an update.")
    entry = line(incident, Line.UPDATE, text, now=now, person=actor)
    incident.update_due_at = now + next_in if next_in else None
    save_incident(incident, "update_due_at")
    enqueue_many(_update_notes(incident, entry, actor), now=now)
    _noted(Kind.INCIDENT_UPDATED, incident, actor, now, text)
    return entry


def _update_notes(incident: Incident, entry: TimelineEntry, actor: Person) -> list[Note]:
    grants = IncidentUserPermission.objects.filter(content_object=incident).values("user")
    to = Person.objects.filter(pk__in=grants, is_active=True).exclude(pk=actor.pk).order_by("pk")
    subject = f"{incident.prefix}{incident.code}, status{titled(incident, ': ')}"
    body = mailed(incident, entry.text)
    return [Note(f"update:{entry.pk}:{one.pk}", one, subject, body, incident.path) for one in to]


@transaction.atomic
def set_task(
    incident: Incident, *, what: str, person: Person, actor: Person, now: datetime, due_at: datetime | None = None
) -> IncidentTask:
    """Ask one person to do something. They take part from now on. Raises Refused for who can't act."""
    incident = locked_incident(incident)
    task = _put_task(incident, what, person, actor, now, due_at)
    if task.person_id != actor.pk:
        enqueue(
            key=f"incident-task:{task.pk}", recipient=task.person, now=now, path=incident.path,
            subject=f"{incident.prefix}{incident.code}: a task for you", body=mailed(incident, task.what),
        )  # fmt: skip
    return task


def _put_task(
    incident: Incident,
    what: str,
    person: Person,
    actor: Person,
    now: datetime,
    due_at: datetime | None = None,
    *,
    called: bool = False,
) -> IncidentTask:
    person = able(person, "be asked")
    task = IncidentTask(
        incident=incident, what=what.strip()[:600], person=person, due_at=due_at, set_by=actor, set_at=now,
        called=called,
    )  # fmt: skip
    save_checked(task)
    line(incident, Line.FACT, f"Task for {person.display_name}: {task.what}", now=now, person=actor)
    sync_participants(incident)
    record(
        Kind.INCIDENT_TASK_SET, actor=actor, subject=incident_subject(incident), now=now,
        after={"task": task.pk, "person": person.audit_id}, private={"what": task.what},
    )  # fmt: skip
    return task


@transaction.atomic
def bring_in(incident: Incident, person: Person, *, why: str, actor: Person, now: datetime) -> IncidentTask:
    """One more person is needed: they take part, have a task, and are called at once, on the ways that they chose.

    Beside the plan, which goes on or rests as it did: nobody is asked to lead here. Called once; a second time only
    after they said that they came. Raises Refused without a reason, where it is over, for oneself, and for who can't
    act or was called already.
    """
    incident = locked_incident(incident)
    if not incident.is_open:
        raise Refused(f"{incident.code} is over. Nobody is needed any more.")
    why = given(why, "Say what for.")
    if person.pk == actor.pk:
        raise Refused("You are here already. Choose somebody else.")
    if IncidentTask.objects.filter(incident=incident, person=person, done_at=None, called=True).exists():
        raise Refused(f"{person.display_name} was called already, and has not come yet.")
    task = _put_task(incident, f"{JOIN}{why}", person, actor, now, called=True)
    went = send_to(task.person, *_call_for(incident, task, actor), now=now)
    line(incident, Line.FACT, f"{task.person.display_name} is called{ways_words(went)}.", now=now)
    return task


def _call_for(incident: Incident, task: IncidentTask, actor: Person) -> tuple[Note, dict[str, Any]]:
    """What is said to somebody who is needed. Of what is restricted only the code leaves the portal."""
    is_open = incident.visibility == Visibility.OPEN
    title = f"{incident.code}: you are needed{f': {incident.title}' if is_open else ''}"
    words = f"{actor.display_name} asks you to come."
    text = f"{words} {task.what.removeprefix(JOIN)}" if is_open else words
    where = [["Where", incident.place]] if is_open else []
    body = "\n".join([f"{incident.prefix}{title}", *(f"{name}: {value}" for name, value in where), text])
    note = Note(brought_key(incident, task.pk), task.person, f"{incident.prefix}{title}", body, incident.path)
    content = {
        "type": "incident.needed", "title": title, "text": text, "mode": incident.mode, "link": incident.path,
        "severity": "" if incident.severity == Severity.UNCLASSIFIED else incident.severity, "facts": where,
    }  # fmt: skip
    return note, content


@transaction.atomic
def finish_task(task: IncidentTask, *, outcome: str, actor: Person, now: datetime) -> IncidentTask:
    """It is done. Raises Refused where it was done already."""
    incident = locked_incident(task.incident)
    changed = IncidentTask.objects.filter(pk=task.pk, done_at=None).update(
        done_at=now, done_by=actor, outcome=outcome.strip()[:600]
    )
    if not changed:
        raise Refused("This task is done already.")
    line(incident, Line.FACT, f"Done: {task.what.rstrip('.')}. {outcome.strip()}".strip(), now=now, person=actor)
    record(
        Kind.INCIDENT_TASK_DONE, actor=actor, subject=incident_subject(incident), now=now, after={"task": task.pk},
        reason=outcome,
    )  # fmt: skip
    task.refresh_from_db()
    return task


def _noted(kind: Kind, incident: Incident, actor: Person, now: datetime, text: str) -> None:
    record(kind, actor=actor, subject=incident_subject(incident), now=now, private={"text": text})
