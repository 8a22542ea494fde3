"""What is done so that it does not happen again: one person by a day; a finding holds its state and verification."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind, Subject
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.findings.actions import plan_action, raise_finding
from apps.incidents.actions.common import Line, incident_subject, line, locked_incident
from apps.incidents.models import Exercise, Incident, ReviewAction
from apps.incidents.rules import Visibility
from apps.incidents.rules.reviews import LEARNT, OWNERSHIP_GAP
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.rules.breaches import Severity

Type, Gap = ReviewAction.Type, ReviewAction.Gap


@dataclass(frozen=True)
class Improvement:
    """What one person does by a day. `gap` says what was wrong with who answered, where that is it."""

    type: str
    what: str
    owner: Person
    due_on: date
    priority: str = Severity.MEDIUM.value
    gap: str = ""
    system: System | None = None


@transaction.atomic
def add_action(about: Incident | Exercise, item: Improvement, *, actor: Person, now: datetime) -> ReviewAction:
    """Add an action to the review of an incident or to the report of a drill.

    It is a finding with a planned action: its person does it, somebody else verifies it, overdue it goes up the
    ladder. What was wrong with who answers is an ownership gap of the system, on its card and in its next
    attestation. Raises Refused without words, for a day that has passed, for who can't be asked, and once the
    incident or the drill is closed; ValidationError for a gap that is not said.
    """
    about = _locked(about)
    if not item.what.strip():
        raise Refused("Say what is done.")
    cause = record(
        Kind.REVIEW_ACTION_ADDED,
        actor=actor,
        subject=subject_of(about),
        now=now,
        after={"type": item.type, "gap": item.gap, "owner": item.owner.audit_id, "due": item.due_on.isoformat()},
        private={"what": item.what.strip()},
    )
    return put_action(about, item, actor=actor, now=now, cause=cause)


def put_action(
    about: Incident | Exercise,
    item: Improvement,
    *,
    actor: Person,
    now: datetime,
    cause: uuid.UUID,
    code: str = "",
    title: str = "",
) -> ReviewAction:
    """Part of a verb: the finding, its planned action, and the row that ties them to what they follow from."""
    incident, exercise = (about, None) if isinstance(about, Incident) else (None, about)
    system = item.system or (incident.system if incident else None)
    if _hidden(about) and not item.gap:
        system = None  # whoever may open the system would read what came of an incident that is not theirs to see
    what = item.what.strip()
    finding = raise_finding(
        title=title or _title(about, item, system),
        remedy=what,
        severity=item.priority,
        person=item.owner,
        actor=actor,
        now=now,
        system=system,
        cause=cause,
        code=code or (OWNERSHIP_GAP if item.type == Type.OWNERSHIP else LEARNT),
        due=item.due_on,
        told=True,
    )
    plan_action(finding, what=what, person=item.owner, due_on=item.due_on, actor=actor, now=now, cause=cause)
    row = ReviewAction(
        incident=incident,
        exercise=exercise,
        type=item.type,
        gap=item.gap,
        finding=finding,
        added_by=actor,
        added_at=now,
    )
    save_checked(row)
    finding.refresh_from_db()
    if incident is not None:
        line(incident, Line.FACT, f"Action for {item.owner.display_name}: {what}", now=now, person=actor)
    return row


def _title(about: Incident | Exercise, item: Improvement, system: System | None) -> str:
    """What should not be so; the title of the incident stays out, it may be restricted. So does its code then."""
    if _hidden(about):
        where = f" for {system.name}" if system is not None else ""
        return f"A review showed{where}: {_lower(Gap(item.gap).label)}." if item.gap else "A review showed what to do."
    prefix = "DRILL: " if isinstance(about, Exercise) else about.prefix
    where = f" for {system.name}" if system is not None else ""
    if item.gap:
        return f"{prefix}{about.code} showed{where}: {_lower(Gap(item.gap).label)}."
    return f"{prefix}{about.code} showed{where} what to do: {item.what.strip()}"[:600]


def _hidden(about: Incident | Exercise) -> bool:
    return isinstance(about, Incident) and about.visibility != Visibility.OPEN


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _locked(about: Incident | Exercise) -> Incident | Exercise:
    if isinstance(about, Incident):
        incident = locked_incident(about)
        if incident.state in {"dismissed", "merged"}:
            raise Refused(f"{incident.code} is {incident.get_state_display().lower()}. Nothing is learnt from it here.")
        return incident
    exercise = Exercise.objects.select_for_update(no_key=True).get(pk=about.pk)
    if exercise.state in {"closed", "cancelled"}:
        raise Refused(f"{exercise.code} is {exercise.get_state_display().lower()}.")
    return exercise


def subject_of(about: Incident | Exercise) -> Subject:
    """How the trail refers to either."""
    return incident_subject(about) if isinstance(about, Incident) else exercise_subject(about)


def exercise_subject(exercise: Exercise) -> Subject:
    """How the trail refers to a drill. A surprise stays one: before it starts it has no title there."""
    hidden = not exercise.announced and exercise.started_at is None
    return Subject("exercise", exercise.code, exercise.code if hidden else f"{exercise.code} {exercise.title}")


__all__ = ["Improvement", "add_action", "exercise_subject", "put_action", "subject_of"]
