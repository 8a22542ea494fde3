"""How an incident goes on: how bad it is, contained, resolved, closed; or it was none, or the same as another."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.incidents.actions.calling import begin_again, follow_severity, stop_calling
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import (
    FROZEN,
    Line,
    by,
    each_alone,
    incident_subject,
    line,
    locked_incident,
    save_incident,
    sync_participants,
    told,
)
from apps.incidents.actions.lead_by_severity import lead_by_severity
from apps.incidents.actions.leads import end_lead, lead_again, move_on
from apps.incidents.actions.reviews import begin_review
from apps.incidents.models import Incident, IncidentStep, SeverityChange
from apps.incidents.queries.inbound import live_of
from apps.incidents.queries.paging import plan_for
from apps.incidents.queries.responder import responder
from apps.incidents.rules import (
    CLASSIFY_WITHIN,
    CLOCK_OVER,
    OPEN,
    SEVERITY_WORDS,
    UNDECIDED_BECOMES,
    Mode,
    Severity,
    State,
    Visibility,
    may_follow,
)
from apps.incidents.rules.words import VISIBILITY_WORDS, scenario_words
from apps.people.models import Person
from apps.registry.actions.ownership import locked
from apps.registry.models import System


@transaction.atomic
def classify(
    incident: Incident, severity: str, *, reason: str, actor: Actor, now: datetime, version: int | None = None
) -> Incident:
    """Say how bad it is, and why. With a lead who accepted it becomes active.

    Raises Refused without a reason, for the same severity, and once it is over.
    """
    incident = locked_incident(incident, version=version)
    _refuse_unless(incident, OPEN)
    wanted = Severity(severity)
    if wanted == Severity.UNCLASSIFIED:
        raise Refused("Choose one of the four severities.")
    if wanted == incident.severity:
        raise Refused(f"It is {SEVERITY_WORDS[wanted].lower()} already.")
    reason = given(reason, "Say why.")
    _classified(incident, wanted, reason, actor, now)
    return incident


def _classified(incident: Incident, wanted: Severity, reason: str, actor: Actor, now: datetime) -> None:
    before = incident.severity
    SeverityChange.objects.create(
        incident=incident, before=before, after=wanted.value, reason=reason[:600], person=by(actor), at=now
    )
    incident.severity, incident.classified_at = wanted.value, incident.classified_at or now
    save_incident(incident, "severity", "classified_at", *move_on(incident, now))
    follow_severity(incident, now)
    line(incident, Line.DECISION, f"{SEVERITY_WORDS[wanted]}: {reason}", now=now, person=by(actor))
    cause = record(
        Kind.INCIDENT_CLASSIFIED, actor=actor, subject=incident_subject(incident), now=now,
        before={"severity": before}, after=told(incident), reason=reason,
    )  # fmt: skip
    lead_by_severity(incident, before, actor=actor, now=now, cause=cause)


def classify_overdue(*, now: datetime) -> int:
    """Nobody said within 30 minutes how bad it is: the higher level applies. Returns how many. Safe to run twice.

    Raises RuntimeError, after all others were done, where one failed.
    """
    late = Incident.objects.filter(
        severity=Severity.UNCLASSIFIED, classify_by__lte=now, state__in=[State.REPORTED, State.TRIAGE]
    )
    return each_alone(late.select_related("system").order_by("pk"), lambda one: _undecided(one, now), "classifying")


@transaction.atomic
def _undecided(incident: Incident, now: datetime) -> bool:
    incident = locked_incident(incident)
    if incident.severity != Severity.UNCLASSIFIED or incident.state not in {State.REPORTED, State.TRIAGE}:
        return False
    _classified(incident, UNDECIDED_BECOMES, "Nobody said within 30 minutes: the higher level applies.", SCHEDULER, now)
    return True


@transaction.atomic
def contain(incident: Incident, *, note: str, actor: Person, now: datetime, version: int | None = None) -> Incident:
    """It goes no further. Needs the containing step done by a human, and the evidence frozen or that waived.

    Raises Refused where one of them is missing, without a note, and where it is not active.
    """
    incident = locked_incident(incident, version=version)
    _refuse_unless(incident, (State.ACTIVE,))
    note = given(note, "Say what was done to contain it.")
    _refuse_uncontained(incident)
    incident.state, incident.contained_at = State.CONTAINED, incident.contained_at or now
    save_incident(incident, "state", "contained_at")
    line(incident, Line.CONTAINED, f"Contained: {note}", now=now, person=actor)
    _told(Kind.INCIDENT_CONTAINED, incident, actor, now, note)
    return incident


def _refuse_uncontained(incident: Incident) -> None:
    steps = {(step.does, step.state) for step in IncidentStep.objects.filter(incident=incident).exclude(does="")}
    meant = {does for does, _ in steps}
    if "containment" in meant and ("containment", "done") not in steps:
        raise Refused("Do the step of the runbook that contains it first, and say who did it.")
    if "evidence_freeze" in meant and ("evidence_freeze", "done") not in steps and not incident.freeze_waiver:
        raise Refused("Freeze the evidence first, or have that waived with a reason.")


@transaction.atomic
def resolve(
    incident: Incident, *, resolution: str, actor: Person, now: datetime, version: int | None = None
) -> Incident:
    """It is put right, and says how. Nobody is called any more, and the review of a real one begins.

    Raises Refused without words, or not contained yet.
    """
    incident = locked_incident(incident, version=version)
    _refuse_unless(incident, (State.CONTAINED,))
    incident.resolution = given(resolution, "Say how it was resolved.")
    incident.state, incident.resolved_at, incident.update_due_at = State.RESOLVED, now, None
    save_incident(incident, "state", "resolved_at", "resolution", "update_due_at")
    stop_calling(incident, now)
    line(incident, Line.DECISION, f"Resolved: {incident.resolution}", now=now, person=actor)
    cause = _told(Kind.INCIDENT_RESOLVED, incident, actor, now, incident.resolution)
    begin_review(incident, actor=actor, now=now, cause=cause)
    return incident


@transaction.atomic
def close(incident: Incident, *, actor: Person, now: datetime, version: int | None = None) -> Incident:
    """Close it: reviewed or rightly not, every clock decided, every action with a person and a day.

    Raises Refused with what is still open.
    """
    incident = locked_incident(incident, version=version)
    # What is rehearsed is reviewed in the report of its drill.
    _refuse_unless(incident, (State.IN_REVIEW,) if incident.mode == Mode.REAL else (State.IN_REVIEW, State.RESOLVED))
    _refuse_unfinished(incident)
    incident.state, incident.closed_at = State.CLOSED, now
    save_incident(incident, "state", "closed_at")
    end_lead(incident, now)
    stop_calling(incident, now)
    line(incident, Line.DECISION, "Closed.", now=now, person=actor)
    _told(Kind.INCIDENT_CLOSED, incident, actor, now)
    return incident


def open_ends(incident: Incident) -> list[str]:
    """What still stands in the way of closing, in words. Three queries."""
    found: list[str] = []
    if incident.mode != Mode.REAL:
        return found
    review = getattr(incident, "review", None)
    if review is None or review.state == "open":
        found.append("The review is not signed.")
    elif review.state == "skipped" and review.signature.person_id == review.lead_id:
        found.append("Somebody other than the lead has to sign that no review is needed.")
    waiting = incident.clocks.exclude(state__in=[state.value for state in CLOCK_OVER])
    return found + [f"{clock.rule.title}: not decided." for clock in waiting.select_related("rule")]


def _refuse_unfinished(incident: Incident) -> None:
    if left := open_ends(incident):
        raise Refused(f"It can't be closed yet. {' '.join(left)}")


@transaction.atomic
def dismiss(incident: Incident, *, because: str, note: str, actor: Person, now: datetime) -> Incident:
    """It was none. Says which kind of none, and why. Raises Refused once it is active, and without a note."""
    incident = locked_incident(incident)
    _refuse_follow(incident, State.DISMISSED, "Once it is active it is resolved, not dismissed.")
    incident.dismissal_note = given(note, "Say why it is none.")[:600]
    incident.state, incident.dismissed_at, incident.dismissed_because = State.DISMISSED, now, because
    incident.version += 1
    save_checked(incident, exclude=FROZEN)
    end_lead(incident, now)
    stop_calling(incident, now)
    line(incident, Line.DECISION, f"Dismissed: {note.strip()}", now=now, person=actor)
    _told(Kind.INCIDENT_DISMISSED, incident, actor, now, note)
    return incident


@transaction.atomic
def merge(incident: Incident, into: Incident, *, actor: Person, now: datetime) -> Incident:
    """It is the same trouble as another incident, which goes on alone.

    Raises Refused for itself, for one that is over or merged, and between a real one and a drill.
    """
    if incident.pk == into.pk:
        raise Refused("Choose another incident.")
    incident, into = _both_locked(incident, into)
    _refuse_follow(incident, State.MERGED, "What is over is not merged.")
    if into.mode != incident.mode or not into.is_open:
        raise Refused(f"{into.code} is over, or is not of the same kind. Choose one that goes on.")
    incident.state, incident.merged_into, incident.merged_at = State.MERGED, into, now
    save_incident(incident, "state", "merged_into", "merged_at")
    end_lead(incident, now)
    stop_calling(incident, now)
    line(incident, Line.DECISION, f"Merged into {into.code}.", now=now, person=actor)
    # Who sees the one that goes on need not see this one: its words are told only where everybody may read them.
    name = f"{incident.code} “{incident.title}”" if incident.visibility == Visibility.OPEN else incident.code
    line(into, Line.FACT, f"{name} is the same and was merged into this.", now=now, person=actor)
    _told(Kind.INCIDENT_MERGED, incident, actor, now)
    return incident


def _both_locked(one: Incident, other: Incident) -> tuple[Incident, Incident]:
    """Two incidents as they are now: both systems first, each pair in one order, so that two merges never wait."""
    for system in sorted({s.pk: s for s in (one.system, other.system) if s is not None}.items()):
        locked(system[1])
    found = {pk: locked_incident(row) for pk, row in sorted({one.pk: one, other.pk: other}.items())}
    return found[one.pk], found[other.pk]


@transaction.atomic
def reopen(incident: Incident, *, reason: str, actor: Person, now: datetime) -> Incident:
    """It is not over after all: somebody leads again and is called, and says anew within 30 minutes how bad it is.

    Raises Refused without a reason, and where another incident goes on for the same alert.
    """
    incident = locked_incident(incident)
    reason = given(reason, "Say why it is opened again.")
    back_to = State.TRIAGE if incident.state == State.DISMISSED else State.ACTIVE
    if incident.state == State.TRIAGE:
        raise Refused("It is not over.")
    _refuse_follow(incident, back_to, "It is not over.")
    _refuse_another(incident)
    was_over = not incident.is_open
    incident.state, incident.closed_at, incident.reopened = back_to, None, incident.reopened + 1
    incident.dismissed_at, incident.dismissed_because = None, ""
    fields = ["state", "closed_at", "reopened", "dismissed_at", "dismissed_because"]
    if incident.severity == Severity.UNCLASSIFIED:
        incident.classify_by = now + CLASSIFY_WITHIN
        fields.append("classify_by")
    if was_over:
        incident.lead = responder(incident.system, incident.scenario, now, severity=incident.severity).lead
        incident.plan = plan_for(incident.system, incident.scenario).as_json()
        lead_again(incident, incident.lead, now)
        fields += ["lead", "plan"]
    save_incident(incident, *fields)
    begin_again(incident, now)
    line(incident, Line.ALARM, f"Opened again: {reason}", now=now, person=actor)
    sync_participants(incident)
    _told(Kind.INCIDENT_REOPENED, incident, actor, now, reason)
    return incident


def _refuse_another(incident: Incident) -> None:
    """One alert is one live incident: raise Refused where another one goes on."""
    other = live_of(incident.source, [incident.dedup_key])
    if other is not None and other.pk != incident.pk:
        raise Refused(f"{other.code} goes on for the same alert. Say there that it is the same.")


@transaction.atomic
def change_incident(
    incident: Incident,
    *,
    actor: Person,
    now: datetime,
    title: str | None = None,
    system: System | None = None,
    scenario: str | None = None,
    visibility: str | None = None,
    version: int | None = None,
) -> Incident:
    """Put right what it is called, which system it is about, what went wrong, who may see it.

    The lead stays who they are: hand over where somebody else should. Raises Refused where nothing changes, and for
    opening what happens with a restricted system.
    """
    incident = locked_incident(incident, version=version)
    _refuse_unless(incident, OPEN)
    wanted = {"title": title, "system": system, "scenario": scenario, "visibility": visibility}
    changed = {name: value for name, value in wanted.items() if value is not None and value != getattr(incident, name)}
    if not changed:
        raise Refused("Nothing would change.")
    about = system or incident.system
    if about is not None and about.restricted and (visibility or incident.visibility) == Visibility.OPEN:
        if visibility is not None:
            raise Refused("What happens with a restricted system is not open to everybody.")
        changed["visibility"] = Visibility.RESTRICTED.value
    before = {name: _plain(getattr(incident, name)) for name in changed if name != "title"}
    for name, value in changed.items():
        setattr(incident, name, value)
    incident.version += 1
    save_checked(incident, exclude=FROZEN)
    said = "; ".join(_said(name, value) for name, value in changed.items())
    line(incident, Line.FACT, f"{actor.display_name} changed it. {said}.", now=now, person=actor)
    sync_participants(incident)
    record(
        Kind.INCIDENT_CHANGED, actor=actor, subject=incident_subject(incident), now=now, before=before,
        after={name: _plain(value) for name, value in changed.items() if name != "title"},
        private={"title": incident.title},
    )  # fmt: skip
    return incident


def _said(name: str, value: Any) -> str:
    """One change as the timeline says it: what it is from now on."""
    words = {
        "title": lambda: f"What happened: {value}",
        "system": lambda: f"Which system: {value.name} ({value.key})",
        "scenario": lambda: f"What went wrong: {scenario_words(value)}",
        "visibility": lambda: f"Who may see it: {VISIBILITY_WORDS[Visibility(value)]}",
    }
    return words[name]()


def _plain(value: object) -> object:
    return value.key if isinstance(value, System) else value


def _told(kind: Kind, incident: Incident, actor: Actor, now: datetime, reason: str = "") -> uuid.UUID:
    return record(kind, actor=actor, subject=incident_subject(incident), now=now, after=told(incident), reason=reason)


def _refuse_unless(incident: Incident, states: tuple[State, ...]) -> None:
    if incident.state not in states:
        raise Refused(f"{incident.code} is {incident.get_state_display().lower()} now. Look at it again.")


def _refuse_follow(incident: Incident, wanted: State, or_else: str) -> None:
    if not may_follow(State(incident.state), wanted):
        raise Refused(or_else)
