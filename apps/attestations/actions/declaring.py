"""Exceptions as they are declared under a signature: one row and one finding each, in the same transaction."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from apps.attestations.models import Assignment, AttestationException, Signature
from apps.attestations.questions import Question, Section, Value
from apps.attestations.rules import EXCEPTION_DAYS, Given, declared, read_date
from apps.attestations.rules.exceptions import EXCEPTION_CHECK, FIND_OUT, latest_due, severity_of_tier
from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Kind, Subject
from apps.common.clock import day_words, local_date
from apps.common.errors import Refused
from apps.findings.actions.common import close_all, end_acceptances, finding_subject, working_state
from apps.findings.models import Finding, RiskAcceptance
from apps.notify.actions import enqueue
from apps.people.models import Person

State = AttestationException.State
LIVE = (State.REQUESTED, State.REFUSED, State.APPROVED, State.RISK_ACCEPTED)


def exception_subject(exception: AttestationException) -> Subject:
    """How the trail refers to an exception."""
    return Subject("exception", str(exception.pk), f"Exception {exception.pk}")


def declare_exceptions(
    assignment: Assignment,
    signature: Signature,
    sections: Sequence[Section],
    answers: Mapping[str, Given],
    *,
    cause: uuid.UUID,
    now: datetime,
) -> list[AttestationException]:
    """What a signature declares, each with a finding; what an earlier signature declared is replaced by it.

    A finding of the same question goes on under the new exception; one that is declared no longer is closed. Raises
    Refused for a plan that ends after the latest day of its severity.
    """
    asked = {question.key: question for section in sections for question in section.questions}
    keys = declared(sections, answers)
    findings = _replace_earlier(assignment, signature, keys, cause, now)
    made = [_declare(assignment, signature, asked[key], answers[key], now) for key in keys]
    for exception in made:
        _give_finding(exception, assignment, asked[exception.question], findings.get(exception.question), cause, now)
        _tell_owner(exception, asked[exception.question], now)
    entries = [
        Entry(Kind.EXCEPTION_DECLARED, exception_subject(one), after=_facts(one), private={"owner": str(one.owner)})
        for one in made
    ]
    record_many(entries, actor=signature.signer, now=now, cause=cause)
    return made


def _facts(exception: AttestationException) -> dict[str, object]:
    return {
        "assignment": exception.assignment_id,
        "question": exception.question,
        "severity": exception.severity,
        "owner": exception.owner.audit_id,
        "due": exception.due_on.isoformat(),
        "finding": exception.finding_id,
    }


def _replace_earlier(
    assignment: Assignment, signature: Signature, keys: Sequence[str], cause: uuid.UUID, now: datetime
) -> dict[str, Finding]:
    """Supersede what earlier signatures of this system declared. Returns the open findings that go on."""
    earlier = AttestationException.objects.select_for_update(no_key=True, of=("self",)).filter(
        assignment__snapshot=assignment.snapshot_id, state__in=LIVE
    )
    going_on: dict[str, Finding] = {}
    for exception in earlier.exclude(signature=signature).select_related("finding").order_by("pk"):
        finding = exception.finding
        if finding is not None and finding.state != Finding.State.CLOSED:
            if exception.question in keys:
                going_on[exception.question], exception.finding = finding, None
            else:
                _close_gone(finding, signature, cause, now)
        _supersede(exception)
    return going_on


def _supersede(exception: AttestationException) -> None:
    if exception.state == State.RISK_ACCEPTED:
        exception.state, exception.accepted_until = State.REQUESTED, None
        exception.save(update_fields=["state", "accepted_until"])
    exception.state = State.SUPERSEDED
    exception.save(update_fields=["state", "finding"])


def _close_gone(finding: Finding, signature: Signature, cause: uuid.UUID, now: datetime) -> None:
    close_all([finding.pk], Finding.Because.GONE, now=now, reason="Signed anew without this exception.")
    record(
        Kind.FINDING_CLOSED, actor=signature.signer, subject=finding_subject(finding), now=now,
        before={"state": finding.state}, after={"state": "closed", "because": "gone"}, cause=cause,
    )  # fmt: skip


def _declare(
    assignment: Assignment, signature: Signature, question: Question, given: Given, now: datetime
) -> AttestationException:
    today = local_date(now)
    unknown = given.value == Value.CANNOT_ATTEST
    severity = given.severity or (severity_of_tier(assignment.tier) if unknown else "medium")
    due = _due(question, given, severity, today)
    exception = AttestationException(
        campaign=assignment.campaign,
        assignment=assignment,
        signature=signature,
        question=question.key,
        severity=severity,
        description=given.comment.strip() or question.label_of(given.value),
        control=given.control.strip(),
        plan=given.plan.strip() or FIND_OUT,
        owner=_owner(given, signature.signer),
        declared_on=today,
        first_due_on=due,
        due_on=due,
    )
    exception.save(force_insert=True)
    return exception


def _due(question: Question, given: Given, severity: str, today: date) -> date:
    """The plan's day; the latest day where none is given, or where nobody was asked how grave it is."""
    latest, day = latest_due(severity, today), read_date(given.plan_date)
    if day is None:
        return latest
    if day > latest and given.severity:
        raise Refused(
            f"The plan for {question.short} ends after {day_words(latest)}. A {severity} exception is put right "
            f"within {EXCEPTION_DAYS[severity]} days."
        )
    return min(max(day, today), latest)


def _owner(given: Given, signer: Person) -> Person:
    if not given.plan_owner or given.plan_owner == str(signer.pk):
        return signer
    able = Person.objects.filter(pk=given.plan_owner, is_active=True, kind=Person.Kind.HUMAN)
    return able.first() or signer


def _give_finding(
    exception: AttestationException,
    assignment: Assignment,
    question: Question,
    finding: Finding | None,
    cause: uuid.UUID,
    now: datetime,
) -> None:
    system, signer = assignment.system, exception.signature.signer
    values = {
        "severity": exception.severity,
        "title": f"{system.name} ({system.key}), {question.short}: {exception.description}"[:600],
        "remedy": exception.plan,
        "path": f"/attestations/exceptions/{exception.pk}/",
        "person": exception.owner,
        "due_on": exception.due_on,
        "step": 0,
    }
    if finding is None:
        finding = Finding(
            code=EXCEPTION_CHECK, subject=f"{assignment.snapshot_id}:{question.key}",
            source=Finding.Source.PERSON, level=Finding.Level.WARN, scope=Finding.Scope.SYSTEM, system=system,
            is_assigned=True, raised_by=signer, raised_at=now, **values,
        )  # fmt: skip
        finding.save(force_insert=True)
        record(
            Kind.FINDING_RAISED, actor=signer, subject=finding_subject(finding), now=now, cause=cause,
            after={"check": EXCEPTION_CHECK, "severity": exception.severity, "system": system.pk,
                   "person": exception.owner.audit_id, "due": exception.due_on.isoformat()},
            private={"person_name": exception.owner.display_name},
        )  # fmt: skip
    else:
        _go_on(finding, values, signer, now)
    exception.finding = finding
    exception.save(update_fields=["finding"])


def _go_on(finding: Finding, values: Mapping[str, object], signer: Person, now: datetime) -> None:
    """The finding stands for the new exception; an acceptance of the old one's risk does not."""
    if finding.state == Finding.State.ACCEPTED:
        reason = "Declared anew under another signature."
        end_acceptances([finding.pk], RiskAcceptance.Ended.WITHDRAWN, now=now, by=signer, reason=reason)
        finding.state, finding.accepted_until = working_state(finding), None
    for name, value in values.items():
        setattr(finding, name, value)
    finding.save(update_fields=["state", "accepted_until", *values])


def _tell_owner(exception: AttestationException, question: Question, now: datetime) -> None:
    signer = exception.signature.signer
    if exception.owner_id == signer.pk or exception.assignment is None:
        return
    system = exception.assignment.system
    enqueue(
        key=f"exception:{exception.pk}:owner",
        recipient=exception.owner,
        subject=f"By {day_words(exception.due_on)}: {question.short}, {system.name}",
        body=(
            f"{signer.display_name} signed the attestation of {system.name} with an exception and named you to put it "
            f"right by {day_words(exception.due_on)}.\n\n{exception.description}\n\nThe plan: {exception.plan}"
        ),
        path=f"/attestations/exceptions/{exception.pk}/",
        now=now,
    )
