"""Working on the pinned steps of an incident: each says who, when, and what shows it."""

from datetime import datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.errors import NotAllowed, Refused
from apps.common.saving import save_checked
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import (
    Line,
    MeanwhileChanged,
    incident_subject,
    line,
    locked_incident,
    save_incident,
)
from apps.incidents.models import Incident, IncidentStep
from apps.incidents.queries.steps import (
    CHANGES,
    CONTAINMENT,
    FREEZE,
    GATE_SEATS,
    OVER,
    WAIVER_SEATS,
    may_skip_required,
    may_work,
    speakers,
)
from apps.incidents.rules.runbooks import needs_two
from apps.people.models import Person

State = IncidentStep.State
_SAYS = ("state", "started_by", "started_at", "done_by", "done_at", "evidence", "reason", "agreed_by", "agreed_at")
WHO_WORKS = "the lead, the deputy, who takes part and who manages incidents"


def _locked(step: IncidentStep, seen: str) -> tuple[Incident, IncidentStep]:
    """The incident, then its step, locked. Raises Refused once it is over, MeanwhileChanged for a step that is not in
    the state that somebody saw."""
    incident = locked_incident(step.incident)
    found = IncidentStep.objects.select_for_update(no_key=True, of=("self",)).get(pk=step.pk)
    found.incident = incident
    if seen and found.state != seen:
        words = found.get_state_display().lower()
        raise MeanwhileChanged(f"Somebody worked on step {found.order} meanwhile: it is {words}. Nothing was changed.")
    if not incident.is_open:
        raise Refused("The incident is over. Its steps stay as they are.")
    return incident, found


def _working(step: IncidentStep, actor: Person, seen: str) -> tuple[Incident, IncidentStep]:
    incident, found = _locked(step, seen)
    if not may_work(actor, incident):
        raise NotAllowed(f"You may read this, but only {WHO_WORKS} work on steps.")
    if found.state in OVER:
        raise Refused(f"Step {found.order} is {found.get_state_display().lower()} already, and stays so.")
    return incident, found


def _kept(
    incident: Incident, step: IncidentStep, kind: str, text: str, *, actor: Person, now: datetime, reason: str = ""
) -> IncidentStep:
    """Save the step, count the incident's version up, write the line and the event."""
    save_checked(step, exclude=_untouched(), update_fields=_SAYS)
    save_incident(incident)
    line(incident, kind, text, now=now, person=actor)
    record(
        Kind.INCIDENT_STEP_CHANGED, actor=actor, subject=incident_subject(incident), now=now, reason=reason,
        after={"step": step.order, "state": step.state, "does": step.does, "agreed": step.agreed_by_id is not None},
    )  # fmt: skip
    return step


def _untouched() -> list[str]:
    return [field.name for field in IncidentStep._meta.fields if field.name not in _SAYS]


def _named(step: IncidentStep) -> str:
    return f"Step {step.order}, {step.title}"


def _refuse_before_freeze(incident: Incident, step: IncidentStep) -> None:
    """Article 73(6) of Regulation (EU) 2024/1689, as the database has it too."""
    system = incident.system
    if step.does != CHANGES or system is None or system.regulatory_class != "high_risk" or incident.freeze_waiver:
        return
    if not incident.steps.filter(does=FREEZE, state=State.DONE).exists():
        raise Refused("Freeze the evidence first: on a high-risk system nothing is changed before (AI Act Art. 73(6)).")


@transaction.atomic
def start_step(step: IncidentStep, *, actor: Person, now: datetime, seen: str = "") -> IncidentStep:
    """Take a step up. Raises Refused for one that is under way or over, and for a change before the freeze."""
    incident, step = _working(step, actor, seen)
    if step.state == State.DOING:
        raise Refused(f"Step {step.order} is under way already.")
    _refuse_before_freeze(incident, step)
    step.state, step.started_by, step.started_at, step.reason = State.DOING, actor, now, ""
    return _kept(incident, step, Line.FACT, f"{_named(step)}: under way.", actor=actor, now=now)


@transaction.atomic
def finish_step(step: IncidentStep, *, evidence: str, actor: Person, now: datetime, seen: str = "") -> IncidentStep:
    """A step is done. `evidence` is what shows it.

    Raises Refused without evidence where the step needs it, before the General Counsel agreed where it has a legal
    gate, for a change before the evidence is frozen, and for starting a system again alone.
    """
    incident, step = _working(step, actor, seen)
    _refuse_before_freeze(incident, step)
    if step.evidence_required:
        given(evidence, f"Say what shows that step {step.order} is done.")
    if step.legal_gate and step.agreed_by_id is None:
        raise Refused("The General Counsel has to agree before this step is done.")
    _refuse_alone(step, actor)
    step.state, step.done_by, step.done_at, step.evidence = State.DONE, actor, now, evidence.strip()
    if step.started_by_id is None:
        step.started_by, step.started_at = actor, now
    kind = Line.CONTAINED if step.does == CONTAINMENT else Line.FACT
    shown = f" {step.evidence}" if step.evidence else ""
    return _kept(incident, step, kind, f"{_named(step)}: done.{shown}", actor=actor, now=now)


def _refuse_alone(step: IncidentStep, actor: Person) -> None:
    if not needs_two(step.phase, step.does):
        return
    if step.started_by_id is None:
        raise Refused("Somebody starts it first, then another person looks and confirms.")
    if step.started_by_id == actor.pk:
        raise Refused("You started it. Somebody else looks and confirms that it is done.")


@transaction.atomic
def skip_step(step: IncidentStep, *, reason: str, actor: Person, now: datetime, seen: str = "") -> IncidentStep:
    """Leave a step out, with a reason.

    Raises NotAllowed for a required one to all but the lead and who manages incidents; Refused for the freeze of
    evidence, which is waived by others, and for the step that contains, which is what the incident is about.
    """
    incident, step = _working(step, actor, seen)
    if step.required and not may_skip_required(actor, incident):
        raise NotAllowed("This step has to be done. Only the lead, or who manages incidents, leaves it out.")
    if step.does == FREEZE and not incident.freeze_waiver:
        raise Refused("Freezing the evidence is not left out: the General Counsel or the CISO waives it.")
    if step.does == CONTAINMENT and not _contained_otherwise(step):
        raise Refused("It has to be contained. Say under this step how that was done.")
    reason = given(reason, "Say why the step is left out.")[:600]
    step.state, step.done_by, step.done_at, step.reason = State.SKIPPED, actor, now, reason
    text = f"{_named(step)}: left out. {reason}"
    return _kept(incident, step, Line.DECISION, text, actor=actor, now=now, reason=reason)


def _contained_otherwise(step: IncidentStep) -> bool:
    others = step.incident.steps.filter(does=CONTAINMENT).exclude(pk=step.pk)
    return others.exclude(state=State.SKIPPED).exists()


@transaction.atomic
def block_step(step: IncidentStep, *, reason: str, actor: Person, now: datetime, seen: str = "") -> IncidentStep:
    """Something is in the way of a step. Raises Refused without a reason, and where it is blocked already."""
    incident, step = _working(step, actor, seen)
    if step.state == State.BLOCKED:
        raise Refused(f"Step {step.order} is blocked already.")
    reason = given(reason, "Say what is in the way.")[:600]
    step.state, step.reason = State.BLOCKED, reason
    text = f"{_named(step)}: blocked. {reason}"
    return _kept(incident, step, Line.ALARM, text, actor=actor, now=now, reason=reason)


@transaction.atomic
def unblock_step(step: IncidentStep, *, actor: Person, now: datetime, seen: str = "") -> IncidentStep:
    """Nothing is in the way any more: it goes on, or waits to be taken up. Raises Refused where it is not blocked."""
    incident, step = _working(step, actor, seen)
    if step.state != State.BLOCKED:
        raise Refused(f"Step {step.order} is not blocked.")
    step.state = State.DOING if step.started_by_id else State.TODO
    step.reason = ""
    return _kept(incident, step, Line.FACT, f"{_named(step)}: goes on.", actor=actor, now=now)


@transaction.atomic
def agree_legal_gate(step: IncidentStep, *, actor: Person, now: datetime, note: str = "") -> IncidentStep:
    """The General Counsel agrees, or their deputy, or who acts for them; with a vacant seat who holds the mandate.

    Raises NotAllowed for everybody else, Refused for a step without a legal gate and where they agreed already.
    """
    incident, step = _locked(step, "")
    if actor.pk not in {person.pk for person in speakers(GATE_SEATS, now)}:
        raise NotAllowed("You may read this, but only the General Counsel, or who stands in, agrees.")
    if not step.legal_gate or step.state in OVER:
        raise Refused(f"Step {step.order} does not wait for the General Counsel.")
    if step.agreed_by_id is not None:
        raise Refused("The General Counsel agreed already.")
    step.agreed_by, step.agreed_at = actor, now
    said = f" {note.strip()}" if note.strip() else ""
    text = f"{_named(step)}: the General Counsel agrees.{said}"
    return _kept(incident, step, Line.DECISION, text, actor=actor, now=now, reason=note.strip()[:600])


@transaction.atomic
def waive_evidence_freeze(incident: Incident, *, reason: str, actor: Person, now: datetime) -> Incident:
    """No evidence is frozen here, and why. Steps that freeze it are left out with that reason.

    Decided for Legal or Security by who speaks for the seat, never by the lead. Raises NotAllowed for everybody
    else, Refused without a reason, where it is frozen or waived already, and once it is over.
    """
    incident = locked_incident(incident)
    if actor.pk not in {person.pk for person in speakers(WAIVER_SEATS, now)}:
        raise NotAllowed("You may read this, but only the General Counsel or the CISO waives freezing the evidence.")
    if actor.pk == incident.lead_id:
        raise NotAllowed("You lead the response. Somebody else waives freezing the evidence.")
    _refuse_waiver(incident)
    reason = given(reason, "Say why no evidence is frozen.")[:600]
    incident.freeze_waiver, incident.freeze_waived_by = reason, actor
    save_incident(incident, "freeze_waiver", "freeze_waived_by")
    left_out = _leave_out_freezes(incident, reason, actor, now)
    line(incident, Line.DECISION, f"Freezing the evidence is waived. {reason}", now=now, person=actor)
    record(
        Kind.INCIDENT_FREEZE_WAIVED, actor=actor, subject=incident_subject(incident), now=now,
        after={"steps": left_out}, reason=reason,
    )  # fmt: skip
    return incident


def _refuse_waiver(incident: Incident) -> None:
    if not incident.is_open:
        raise Refused("The incident is over.")
    if incident.freeze_waiver:
        raise Refused("It is waived already.")
    if incident.steps.filter(does=FREEZE, state=State.DONE).exists():
        raise Refused("The evidence is frozen already.")


def _leave_out_freezes(incident: Incident, reason: str, actor: Person, now: datetime) -> list[int]:
    steps = incident.steps.filter(does=FREEZE).exclude(state__in=OVER)
    orders = list(steps.values_list("order", flat=True))
    steps.update(state=State.SKIPPED, done_by=actor, done_at=now, reason=f"Waived: {reason}"[:600])
    return orders
