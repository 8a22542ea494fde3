"""What all verbs of incidents share: locking, saving, the timeline, who sees it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import structlog
from django.db import connection

from apps.access.actions import replace_grants
from apps.audit.rules import Actor, Subject
from apps.common.errors import Refused
from apps.common.locks import hold_row
from apps.incidents.models import Incident, IncidentUserPermission, TimelineEntry
from apps.incidents.rules import Visibility
from apps.people.models import Person
from apps.registry.actions.ownership import locked

log = structlog.get_logger(__name__)
One = TypeVar("One")

Line = TimelineEntry.Kind
# Written by the portal and frozen by the database; empty is allowed.
FROZEN = frozenset({"card", "plan"})


class MeanwhileChanged(Refused):
    """Somebody else changed the incident since the page was loaded; the edge answers 409 and shows it again."""


def incident_subject(incident: Incident) -> Subject:
    """How the trail refers to an incident."""
    return Subject("incident", incident.code, f"{incident.code} {incident.title}")


def locked_incident(incident: Incident, *, version: int | None = None) -> Incident:
    """The incident as it is now, locked, its system first.

    With the version that somebody saw, raises MeanwhileChanged where it is another one now: an acknowledgement that
    races a resolve never opens it again.
    """
    if incident.system is not None:
        locked(incident.system)
    hold_row(Incident.objects.all(), incident.pk)
    now_so = Incident.objects.select_related("system", "lead", "owner").get(pk=incident.pk)
    if version is not None and now_so.version != version:
        raise MeanwhileChanged("Somebody changed this incident since you opened it. Look at it as it is now.")
    return now_so


def save_incident(incident: Incident, *fields: str) -> None:
    """Save these fields and count the version up. The incident is locked."""
    incident.version += 1
    incident.save(update_fields=[*fields, "version"])


def line(
    incident: Incident,
    kind: str,
    text: str,
    *,
    now: datetime,
    person: Person | None = None,
    at: datetime | None = None,
    corrects: TimelineEntry | None = None,
) -> TimelineEntry:
    """Add a line to the timeline."""
    return TimelineEntry.objects.create(
        incident=incident, kind=kind, text=text, at=at or now, written_at=now, person=person,
        person_name=person.display_name if person else "", corrects=corrects,
    )  # fmt: skip


def each_alone(rows: Iterable[One], act: Callable[[One], int], name: str) -> int:
    """One after the other, each in a transaction of its own: one that can't be worked on keeps nobody waiting.

    Returns the sum. Raises RuntimeError, after all others were done, where one failed.
    """
    done, failed = 0, list[Exception]()
    for row in rows:
        try:
            done += act(row)
        except Exception as error:  # whatever it is, the others are done
            failed.append(error)
            log.exception("sweep.one_failed", sweep=name, row=str(row))
    if failed:
        raise RuntimeError(f"{name.capitalize()} failed for {len(failed)}.") from failed[-1]
    return done


def titled(incident: Incident, before: str) -> str:
    """These words and the title, for a mail; nothing where the incident is not open to everybody.

    Those who run the portal read in the outbox what mails are about, and a mail is read on the way.
    """
    return f"{before}{incident.title}" if incident.visibility == Visibility.OPEN else ""


def mailed(incident: Incident, text: str) -> str:
    """What a mail says of an incident; of one that is not open to everybody only where it can be read."""
    return text if incident.visibility == Visibility.OPEN else "Open the incident to read it."


def by(actor: Actor) -> Person | None:
    """The person who acts; None for a part of the portal."""
    return actor if isinstance(actor, Person) else None


def is_human(actor: Actor) -> bool:
    """Whether a human acts, and neither a part of the portal nor a service account."""
    person = by(actor)
    return person is not None and person.kind == Person.Kind.HUMAN


# Who takes part: declared it, leads or led it, was called, has a task, facilitates; who answers for the system and
# their deputy unless it is privileged; then the legal seat.
_TAKING_PART = """
SELECT i.id, i.lead_id FROM incidents_incident i WHERE i.id = ANY(%(ids)s)
UNION SELECT i.id, i.declared_by_id FROM incidents_incident i
    WHERE i.id = ANY(%(ids)s) AND i.declared_by_id IS NOT NULL
UNION SELECT t.incident_id, t.person_id FROM incidents_leadterm t WHERE t.incident_id = ANY(%(ids)s)
UNION SELECT h.incident_id, h.incoming_id FROM incidents_leadhandover h
    WHERE h.incident_id = ANY(%(ids)s) AND h.state IN ('asked', 'taken')
UNION SELECT p.incident_id, p.person_id FROM incidents_page p WHERE p.incident_id = ANY(%(ids)s)
UNION SELECT t.incident_id, t.person_id FROM incidents_incidenttask t WHERE t.incident_id = ANY(%(ids)s)
UNION SELECT c.incident_id, who.id FROM incidents_incidentclock c
    CROSS JOIN LATERAL (VALUES (c.decides_id), (c.deputy_id)) AS who(id)
    WHERE c.incident_id = ANY(%(ids)s) AND who.id IS NOT NULL
UNION SELECT r.incident_id, r.facilitator_id FROM incidents_review r WHERE r.incident_id = ANY(%(ids)s)
UNION SELECT i.id, e.facilitator_id FROM incidents_incident i JOIN incidents_exercise e ON e.id = i.exercise_id
    WHERE i.id = ANY(%(ids)s)
UNION SELECT i.id, who.id FROM incidents_incident i JOIN registry_system s ON s.id = i.system_id
    JOIN people_person o ON o.id = s.owner_id CROSS JOIN LATERAL (VALUES (o.id), (o.deputy_id)) AS who(id)
    WHERE i.id = ANY(%(ids)s) AND who.id IS NOT NULL AND i.visibility <> 'privileged'
UNION SELECT i.id, seat.holder_id FROM incidents_incident i JOIN people_seat seat ON seat.function_id = 'legal'
    WHERE i.id = ANY(%(ids)s) AND i.visibility = 'privileged' AND seat.holder_id IS NOT NULL
"""


def sync_participants(incident: Incident) -> None:
    """Let those who take part see the incident: a projection of the facts, two statements."""
    replace_grants(IncidentUserPermission, "take_part_in_incident", _TAKING_PART, [incident.pk])


def next_number(sequence: str) -> int:
    """The next number of real incidents, drills, tests or exercises; gaps are possible, doubles are not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(%s::regclass)", [f"incidents_{sequence}_number"])
        number: int = cursor.fetchone()[0]
    return number


def told(incident: Incident, **more: Any) -> dict[str, Any]:
    """What an event says of an incident: values of ours and opaque ids."""
    return {"state": incident.state, "severity": incident.severity, "lead": incident.lead.audit_id, **more}
