"""Reading the pinned steps of an incident: where each stands, who does it, what the reader may do."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.incidents.models import Incident, IncidentStep
from apps.incidents.queries.incidents import takes_part
from apps.incidents.queries.runbooks import effective_runbook
from apps.incidents.rules.runbooks import LEGAL, ROLE_WORDS, needs_two
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.queries.succession import mandate_holder

FREEZE = "evidence_freeze"
CONTAINMENT = "containment"
CHANGES = "changes_system"
# Whose word stands for the law where a step has a legal gate; who may say that no evidence is frozen.
GATE_SEATS = (LEGAL,)
WAIVER_SEATS = (LEGAL, "ciso")
OVER = ("done", "skipped")
_PEOPLE = ("started_by", "done_by", "agreed_by", "version__runbook")


def deputy_id_of(incident: Incident) -> UUID | None:
    """Who does the work beside the lead: the lead's deputy, or the card's where the card's lead still leads."""
    card = incident.card or {}
    if card.get("lead") == str(incident.lead_id) and card.get("deputy"):
        return UUID(card["deputy"])
    return incident.lead.deputy_id


def may_work(actor: Person, incident: Incident) -> bool:
    """Whether a person works on the steps: lead, deputy, who takes part, who manages incidents."""
    if not actor.is_active:
        return False
    if actor.pk in {incident.lead_id, deputy_id_of(incident)} or may(actor, Permission.INCIDENTS_MANAGE):
        return True
    return takes_part(actor, incident)


def may_skip_required(actor: Person, incident: Incident) -> bool:
    """Whether a person leaves a required step out: the lead, or who manages incidents."""
    return actor.pk == incident.lead_id or may(actor, Permission.INCIDENTS_MANAGE)


def speakers(seats: Collection[str], now: datetime) -> list[Person]:
    """Who speaks for these seats: each holder, their deputy and who acts for them today.

    Where none of them is held, who holds the mandate, and who acts for them: a vacant seat never stops a response.
    """
    held = Seat.objects.filter(function__in=seats, holder__isnull=False).select_related("holder__deputy")
    holders = [seat.holder for seat in held if seat.holder is not None]
    if not holders and (holder := mandate_holder()):
        holders = [holder]
    presence = Presence.of(holders, now)
    found: dict[UUID, Person] = {}
    for holder in holders:
        for person in (holder, holder.deputy, presence.acting(holder).acts):
            if person is not None and person.is_active and person.kind == Person.Kind.HUMAN:
                found.setdefault(person.pk, person)
    return list(found.values())


def steps_in(incident: Incident) -> QuerySet[IncidentStep]:
    """The pinned steps in order, with who did what."""
    return IncidentStep.objects.filter(incident=incident).select_related(*_PEOPLE).order_by("order")


@dataclass(frozen=True)
class StepLine:
    """One step on the page. `who` is a person, or None with the words of `role`; `can` names what the reader may do."""

    step: IncidentStep
    who: Person | None
    role: str
    is_now: bool
    due_at: datetime | None
    is_late: bool
    can: frozenset[str]
    waits_for: str = ""

    @property
    def over(self) -> bool:
        """Done or left out."""
        return self.step.state in OVER

    @property
    def needs_two(self) -> bool:
        """Whether one person starts it and another confirms."""
        return needs_two(self.step.phase, self.step.does)

    @property
    def path(self) -> str:
        """Where its forms go."""
        return f"/incidents/{self.step.incident.code}/steps/{self.step.order}/"


@dataclass(frozen=True)
class StepList:
    """All pinned steps of an incident, as the runbook column shows them."""

    title: str = ""
    path: str = ""
    version: int | None = None
    lines: list[StepLine] = field(default_factory=list)
    may_waive: bool = False
    # The title of a runbook that stands by now and has none of the steps here.
    adds: str = ""

    @property
    def done(self) -> int:
        """How many are over."""
        return sum(line.over for line in self.lines)

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.lines)

    @property
    def now(self) -> StepLine | None:
        """The one that is worked on, or that comes next."""
        return next((line for line in self.lines if line.is_now), None)

    @property
    def late_after(self) -> int:
        """How many others are overdue."""
        return sum(line.is_late and not line.over and not line.is_now for line in self.lines)


def steps_of_incident(incident: Incident, actor: Person, now: datetime) -> StepList:
    """The runbook column: who did what when with which evidence, which step is now, how many are done.

    A fixed number of statements, whatever the number of steps.
    """
    steps = list(steps_in(incident))
    works = incident.is_open and may_work(actor, incident)
    adds = _adds(incident, steps) if works else ""
    if not steps:
        return StepList(adds=adds)
    for step in steps:
        step.incident = incident
    people = _people(incident, steps)
    gate = {person.pk for person in speakers(GATE_SEATS, now)} if any(step.legal_gate for step in steps) else set()
    current = _current(steps)
    frozen = any(step.does == FREEZE and step.state == "done" for step in steps) or bool(incident.freeze_waiver)
    lines = [
        _line(step, people, now, current, _can(step, incident, actor, works=works, gate=gate),
              _waits_for(step, incident, frozen=frozen))
        for step in steps
    ]  # fmt: skip
    first = next((step.version for step in steps if step.version), None)
    return StepList(
        title=first.runbook.title if first else "The steps that always apply",
        path=f"/incidents/runbooks/{first.runbook.key}/versions/{first.number}/" if first else "",
        version=first.number if first else None,
        lines=lines,
        may_waive=may_waive(incident, steps, actor, now),
        adds=adds,
    )


def _adds(incident: Incident, steps: list[IncidentStep]) -> str:
    """The runbook that stands for what went wrong, as it is known by now, where none of its steps are here."""
    pinned = [step.version for step in steps if step.version]
    if any(version.runbook.scenario == incident.scenario for version in pinned):
        return ""
    found = effective_runbook(incident.system, incident.scenario)
    return found.runbook.title if found and found.pk not in {version.pk for version in pinned} else ""


def may_waive(incident: Incident, steps: Iterable[IncidentStep], actor: Person, now: datetime) -> bool:
    """Whether a person says that no evidence is frozen here: who speaks for Legal or Security, and does not lead."""
    open_freeze = any(step.does == FREEZE and step.state not in OVER for step in steps)
    if not open_freeze or incident.freeze_waiver or not incident.is_open or actor.pk == incident.lead_id:
        return False
    return actor.pk in {person.pk for person in speakers(WAIVER_SEATS, now)}


def _current(steps: list[IncidentStep]) -> int:
    """The order of the step that is now: the first under way, else the first to do."""
    for wanted in ("doing", "todo", "blocked"):
        for step in steps:
            if step.state == wanted:
                return step.order
    return 0


def _people(incident: Incident, steps: list[IncidentStep]) -> dict[str, tuple[Person | None, str]]:
    """Role -> who that is here, and its words. Two statements."""
    deputy = deputy_id_of(incident)
    codes = {step.role for step in steps} - set(ROLE_WORDS)
    known: dict[str, tuple[Person | None, str]] = {
        "lead": (incident.lead, ROLE_WORDS["lead"]),
        "owner": (incident.owner, ROLE_WORDS["owner"]),
        "deputy": (_deputy(deputy) or incident.lead, ROLE_WORDS["deputy"]),
    }
    for seat in Seat.objects.filter(function__in=codes).select_related("holder", "function"):
        known[seat.function_id] = (seat.holder, seat.function.seat_title)
    return known


def _deputy(pk: UUID | None) -> Person | None:
    """Nobody where there is none: then the lead does the deputy's steps as well."""
    return Person.objects.filter(pk=pk).first() if pk else None


def _line(
    step: IncidentStep,
    people: dict[str, tuple[Person | None, str]],
    now: datetime,
    current: int,
    can: frozenset[str],
    waits_for: str,
) -> StepLine:
    asked, role = people.get(step.role, (None, step.role))
    minutes = step.target_minutes
    due = step.incident.declared_at + timedelta(minutes=minutes) if minutes else None
    return StepLine(
        step=step,
        who=step.done_by or step.started_by or asked,
        role=role,
        is_now=step.order == current and step.incident.is_open,
        due_at=due,
        is_late=bool(due and step.state not in OVER and due < now and step.incident.is_open),
        can=can,
        waits_for=waits_for,
    )


def _can(step: IncidentStep, incident: Incident, actor: Person, *, works: bool, gate: set[UUID]) -> frozenset[str]:
    """What the reader may do with a step now; the verbs say no by themselves where this is out of date."""
    found = set()
    if incident.is_open and step.legal_gate and not step.agreed_by_id and step.state not in OVER and actor.pk in gate:
        found.add("agree")
    if not works or step.state in OVER:
        return frozenset(found)
    if step.state == "todo":
        found.add("start")
    found.add("unblock" if step.state == "blocked" else "block")
    two = needs_two(step.phase, step.does)
    if (not step.legal_gate or step.agreed_by_id) and (not two or step.started_by_id not in {None, actor.pk}):
        found.add("finish")
    if step.does not in {FREEZE, CONTAINMENT} and (not step.required or may_skip_required(actor, incident)):
        found.add("skip")
    return frozenset(found)


def _waits_for(step: IncidentStep, incident: Incident, *, frozen: bool) -> str:
    """What has to come first, in words; empty where nothing does."""
    if step.state in OVER:
        return ""
    high_risk = incident.system is not None and incident.system.regulatory_class == "high_risk"
    if step.does == CHANGES and high_risk and not frozen:
        return "After the evidence is frozen"
    if step.legal_gate and not step.agreed_by_id:
        return "The General Counsel agrees first"
    if needs_two(step.phase, step.does):
        starter = step.started_by
        return f"Confirmed by somebody other than {starter.display_name}" if starter else "Needs a second person"
    return ""
