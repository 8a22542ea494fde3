"""Exceptions: who may decide about one, what waits for whom, the list with its filters, what happened."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Q, QuerySet, Value, When

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import AttestationException, Extension
from apps.attestations.queries.reviews import Reviewers
from apps.audit import queries as audit
from apps.audit.models import AuditEvent
from apps.audit.rules import Kind
from apps.findings.queries.authority import authority_over
from apps.people.models import Person
from apps.registry.queries import visible_systems

State = AttestationException.State
OPEN = (State.REQUESTED, State.APPROVED, State.REFUSED)
SEVERITIES = ("critical", "high", "medium", "low")


def carriers(exception: AttestationException) -> set[UUID | None]:
    """Who carries the plan out: who was named, who has its finding by now (a leaver's went on), who owns the system."""
    owner = exception.assignment.system.owner_id if exception.assignment else None
    return {exception.owner_id, exception.finding.person_id if exception.finding else None, owner}


def barred(exception: AttestationException) -> set[UUID | None]:
    """Who never decides: who declared it, who carries the plan out, who owns the system."""
    return {*carriers(exception), exception.signature.signer_id}


def unit_of(exception: AttestationException) -> int | None:
    """The unit whose head is asked first."""
    if exception.assignment is not None:
        return exception.assignment.unit_id
    return exception.node.unit_id if exception.node else None


def decider(exception: AttestationException, reviewers: Reviewers) -> Person | None:
    """Who is asked to decide: as for a review, without who carries the plan out."""
    able = reviewers.able(unit_of(exception), barred(exception))
    return able[0] if able else None


def may_decide(person: Person, exception: AttestationException, now: datetime) -> bool:
    """Whether somebody may decide about the plan: who is asked, and everybody after them."""
    able = Reviewers(now).able(unit_of(exception), barred(exception))
    return any(one.pk == person.pk for one in able)


def on_record(rows: QuerySet[AttestationException]) -> QuerySet[AttestationException]:
    """With all that a page shows of each."""
    return rows.select_related(
        "campaign", "assignment__system__owner", "assignment__unit", "node__unit", "signature__signer", "owner",
        "approver", "finding__person",
    )  # fmt: skip


def to_decide(person: Person, now: datetime, *, reviewers: Reviewers | None = None) -> QuerySet[AttestationException]:
    """Exceptions and later days that wait for this person's decision, the oldest first."""
    reviewers = reviewers or Reviewers(now)
    waiting = AttestationException.objects.filter(
        Q(state=State.REQUESTED) | Q(state=State.APPROVED, extensions__is_granted=None, extensions__isnull=False)
    ).distinct()
    # A person decides where they are among the candidates at all; who is asked first is told apart row by row,
    # over open exceptions of those units only.
    units = [unit for unit in reviewers.units if any(one.pk == person.pk for one in reviewers.candidates(unit))]
    seated = any(one.pk == person.pk for one in reviewers.candidates(None))
    mine = Q(assignment__unit__in=units) | Q(node__unit__in=units)
    if seated:
        mine |= Q(assignment=None, node__unit=None)
    rows = on_record(waiting.filter(mine).exclude(owner=person).exclude(signature__signer=person))
    wanted = [one.pk for one in rows if _asks(one, person, reviewers)]
    return on_record(AttestationException.objects.filter(pk__in=wanted)).order_by("declared_on", "pk")


def _asks(exception: AttestationException, person: Person, reviewers: Reviewers) -> bool:
    found = decider(exception, reviewers)
    return found is not None and found.pk == person.pk


def visible_exceptions(person: Person, now: datetime, *, reviewers: Reviewers | None = None) -> QuerySet[Any]:
    """Those that a person may open: declared by them, theirs to put right, of systems they see or review."""
    if may(person, Permission.CAMPAIGN_READ):
        own = Q(node__isnull=False) | Q(assignment__system__in=visible_systems(person))
    else:
        own = Q(assignment__system__in=visible_systems(person).filter(owner=person))
    reviewers = reviewers or Reviewers(now)
    units = [unit for unit in reviewers.units if any(one.pk == person.pk for one in reviewers.candidates(unit))]
    named = Q(owner=person) | Q(finding__person=person) | Q(signature__signer=person) | Q(approver=person)
    return on_record(AttestationException.objects.filter(own | named | Q(assignment__unit__in=units)))


@dataclass(frozen=True)
class Filters:
    """What is asked of the list."""

    state: str = "open"
    severity: str = ""
    age: str = ""
    mine: bool = False

    @classmethod
    def read(cls, data: Any) -> "Filters":
        """From the address; what is no filter counts as none."""
        state = data.get("state", "")
        severity = data.get("severity", "")
        age = data.get("age", "")
        return cls(
            state if state in {*State.values, "all"} else "open",
            severity if severity in SEVERITIES else "",
            age if age in {"7", "30", "90", "overdue"} else "",
            data.get("mine", "") == "1",
        )


def listed(
    person: Person, filters: Filters, now: datetime, today: date, *, reviewers: Reviewers | None = None
) -> QuerySet[AttestationException]:
    """The list: what is the reader's first, then by day."""
    rows: QuerySet[AttestationException] = visible_exceptions(person, now, reviewers=reviewers)
    if filters.state == "open":
        rows = rows.filter(state__in=OPEN)
    elif filters.state != "all":
        rows = rows.filter(state=filters.state)
    if filters.severity:
        rows = rows.filter(severity=filters.severity)
    if filters.age == "overdue":
        rows = rows.filter(due_on__lt=today, state__in=OPEN)
    elif filters.age:
        rows = rows.filter(declared_on__lte=date.fromordinal(today.toordinal() - int(filters.age)))
    if filters.mine:
        rows = rows.filter(owner=person)
    first = Case(When(owner=person, then=Value(0)), default=Value(1))
    return rows.annotate(place=first).order_by("place", "due_on", "pk")


@dataclass(frozen=True)
class Rights:
    """What a reader may do with one exception now."""

    decide: bool
    accept: bool
    propose: bool
    ask: bool
    grant: Extension | None
    asked: Person | None


def rights_over(person: Person, exception: AttestationException, now: datetime) -> Rights:
    """Everything that decides which forms a page shows. A few queries."""
    reviewers = Reviewers(now)
    out, able = barred(exception), reviewers.able(unit_of(exception), barred(exception))
    decides = any(one.pk == person.pk for one in able)
    carries = person.pk in carriers(exception)
    extension = exception.extensions.filter(is_granted=None).select_related("requested_by").first()
    open_risk = exception.state in (State.REQUESTED, State.APPROVED) and exception.finding is not None
    authority = open_risk and person.pk not in out and exception.finding and exception.finding.is_open
    return Rights(
        decide=decides and exception.state == State.REQUESTED,
        accept=bool(authority and exception.finding and authority_over(exception.finding, person)),
        propose=carries and exception.state == State.REFUSED and exception.campaign.state != "sealed",
        ask=carries and extension is None and exception.state in (State.REQUESTED, State.APPROVED),
        grant=extension if extension and decides and extension.requested_by_id != person.pk else None,
        asked=able[0] if able else None,
    )


HISTORY = 40
WORDS = {
    Kind.EXCEPTION_DECLARED: "declared it under their signature",
    Kind.EXCEPTION_DECIDED: "decided",
    Kind.EXCEPTION_PROPOSED: "proposed another plan",
    Kind.EXCEPTION_EXTENSION_ASKED: "asked for a later day",
    Kind.EXCEPTION_EXTENDED: "decided about a later day",
    Kind.EXCEPTION_VERIFIED: "saw that its finding is verified",
    Kind.EXCEPTION_REOPENED: "opened it again",
    Kind.EXCEPTION_CARRIED_OVER: "carried it over, the campaign closed",
}
_DECIDED = {
    "approved": "approved the plan", "refused": "refused the plan", "risk_accepted": "accepted the risk",
}  # fmt: skip


@dataclass(frozen=True)
class Happened:
    """One line of the history."""

    at: datetime
    who: str
    words: str
    tone: str
    reason: str


def history_of(exception: AttestationException) -> list[Happened]:
    """What happened, newest first, told from the trail. Two queries."""
    since = exception.signature.signed_at
    about = audit.Filters(subject_kind="exception", subject_id=str(exception.pk), since=since)
    events = list(audit.events(about)[:HISTORY])
    beside = audit.values_beside(events)
    return [_happened(event, {name: one.text for name, one in beside.get(event.pk, {}).items()}) for event in events]


def _happened(event: AuditEvent, values: dict[str, str]) -> Happened:
    words = WORDS.get(Kind(event.kind), event.kind)
    if event.kind == Kind.EXCEPTION_DECIDED:
        words = _DECIDED.get(json.loads(event.body).get("after", {}).get("state", ""), words)
    alarm = event.kind in (Kind.EXCEPTION_DECLARED, Kind.EXCEPTION_REOPENED)
    tone = "timeline__alarm" if alarm else "timeline__good" if event.kind == Kind.EXCEPTION_VERIFIED else ""
    return Happened(event.at, values.get("actor_name", "The portal"), words, tone, values.get("reason", ""))


def overdue(rows: Iterable[AttestationException], today: date) -> int:
    """How many are past their day."""
    return sum(one.due_on < today for one in rows)
