"""What becomes of an exception: decided by another, another plan, a later day, verified, open again by itself."""

import uuid
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from apps.attestations.actions.declaring import exception_subject
from apps.attestations.actions.signing import put_signature, refuse_unconfirmed
from apps.attestations.models import AttestationException, Extension, Signature
from apps.attestations.queries.exceptions import barred, carriers, may_decide
from apps.attestations.rules.exceptions import decision_statement, latest_due
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.findings.actions import accept_risk
from apps.findings.actions.common import end_acceptances, finding_subject, working_state
from apps.findings.actions.findings import due_on
from apps.findings.models import Finding, RiskAcceptance
from apps.notify.actions import enqueue
from apps.people.actions import held
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry.actions.ownership import locked

State = AttestationException.State
MEANING_OF = {State.APPROVED: "approve", State.REFUSED: "refuse", State.RISK_ACCEPTED: "accept_risk"}
DECIDABLE = {
    State.APPROVED: (State.REQUESTED,),
    State.REFUSED: (State.REQUESTED,),
    State.RISK_ACCEPTED: (State.REQUESTED, State.APPROVED),
}
RELATED = (
    "campaign", "assignment__system__owner", "node__unit", "signature__signer", "owner", "finding__person", "approver",
)  # fmt: skip


def locked_exception(exception: AttestationException) -> AttestationException:
    """The exception as it is now, locked, its system first."""
    if exception.assignment is not None:
        locked(exception.assignment.system)
    hold_row(AttestationException.objects.all(), exception.pk)
    return AttestationException.objects.select_related(*RELATED).get(pk=exception.pk)


@transaction.atomic
def decide_exception(
    exception: AttestationException,
    *,
    verdict: str,
    note: str,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
    until: date | None = None,
) -> AttestationException:
    """Approve or refuse the plan, or accept the risk until a day: by somebody else, under their signature.

    Accepting the risk needs the authority that findings demand, and never makes the attestation clean. Raises
    NotAllowed for who declared it, who carries the plan out, who owns the system and who is not asked; Refused for
    a refusal without a reason, a sealed campaign's refusal, an unconfirmed signature, and once it is decided.
    """
    state, note = State(verdict), note.strip()
    exception = locked_exception(exception)
    _refuse_decider(exception, state, held(actor), now)
    if exception.state not in DECIDABLE[state]:
        raise Refused(f"This exception is {exception.get_state_display().lower()} by now. Look at it again.")
    if state != State.APPROVED and not note:
        raise Refused("Say why the plan is refused." if state == State.REFUSED else "Say why the risk is accepted.")
    if state == State.REFUSED and exception.campaign.state == "sealed":
        raise Refused("The campaign is sealed: its plan stays. Plan what is done instead at the finding.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    if state == State.RISK_ACCEPTED:
        _accept(exception, note, until, actor, now)
    before = exception.state
    _put(exception, MEANING_OF[state], note, until, confirmation, actor, now)
    exception.state, exception.approver, exception.decided_at = state, actor, now
    exception.decision_note, exception.accepted_until = note[:600], until if state == State.RISK_ACCEPTED else None
    exception.save(update_fields=["state", "approver", "decided_at", "decision_note", "accepted_until"])
    _tell(
        exception, f"{actor.display_name}: {_DECIDED[state]}.{f' {note}' if note else ''}", f"{now:%Y%m%d%H%M%S%f}", now
    )
    record(
        Kind.EXCEPTION_DECIDED, actor=actor, subject=exception_subject(exception), now=now,
        before={"state": before},
        after={"state": state.value, "until": until.isoformat() if until and exception.accepted_until else None},
        reason=note,
    )  # fmt: skip
    return exception


_DECIDED = {
    State.APPROVED: "the plan is approved",
    State.REFUSED: "the plan is refused, propose another one",
    State.RISK_ACCEPTED: "the risk is accepted until a day",
}


def _refuse_decider(exception: AttestationException, state: str, actor: Person, now: datetime) -> None:
    if actor.pk in barred(exception):
        raise NotAllowed("Who declared it, owns the system or carries the plan out can't decide. Somebody else has to.")
    if state != State.RISK_ACCEPTED and not may_decide(actor, exception, now):
        raise NotAllowed("The head of the unit, or who comes above, decides about this exception.")


def _accept(exception: AttestationException, note: str, until: date | None, actor: Person, now: datetime) -> None:
    if until is None:
        raise Refused("Say until which day the risk is accepted.")
    if exception.finding is None:
        raise Refused("This exception has no finding whose risk could be accepted.")
    accept_risk(exception.finding, reason=note, until=until, actor=actor, now=now)


def _put(
    exception: AttestationException, meaning: str, note: str, until: date | None, confirmation: Confirmation,
    actor: Person, now: datetime, more: dict[str, object] | None = None,
) -> Signature:  # fmt: skip
    content = {
        "campaign": {"code": exception.campaign.code},
        "exception": {
            "id": exception.pk, "question": exception.question, "severity": exception.severity,
            "description": exception.description, "plan": exception.plan, "due": exception.due_on.isoformat(),
            "owner": str(exception.owner_id), "declared_under": exception.signature.payload_sha256,
        },
        "note": note,
        "until": until.isoformat() if until else None,
        **(more or {}),
    }  # fmt: skip
    what = exception.description if exception.description.endswith((".", "!", "?")) else f"{exception.description}."
    return put_signature(
        Signature(
            kind=Signature.Kind.EXCEPTION,
            exception=exception,
            meaning=meaning,
            statement=decision_statement(meaning, what, day_words(until) if until else ""),
            exceptions=0,
        ),
        content,
        confirmation=confirmation,
        signer=actor,
        now=now,
    )


def _tell(exception: AttestationException, first: str, occasion: str, now: datetime) -> None:
    """A mail to who carries the plan out."""
    enqueue(
        key=f"exception:{exception.pk}:{occasion}",
        recipient=exception.finding.person if exception.finding else exception.owner,
        subject=f"Your exception: {exception.description}"[:600],
        body=f"{first}\n\n{exception.description}\nThe plan: {exception.plan}\nBy {day_words(exception.due_on)}.",
        path=f"/attestations/exceptions/{exception.pk}/",
        now=now,
    )


@transaction.atomic
def propose_plan(
    exception: AttestationException, *, plan: str, control: str, actor: Person, now: datetime
) -> AttestationException:
    """Another plan after a refusal, by who carries it out or who owns the system. The day stays.

    Raises NotAllowed for everybody else, Refused without a plan, for a sealed campaign, and where none was refused.
    """
    exception = locked_exception(exception)
    _refuse_stranger(exception, actor)
    if exception.state != State.REFUSED:
        raise Refused("Another plan is proposed where one was refused.")
    if exception.campaign.state == "sealed":
        raise Refused("The campaign is sealed: its plan stays. Plan what is done instead at the finding.")
    if not plan.strip():
        raise Refused("Say what is done about it.")
    exception.plan, exception.control = plan.strip(), control.strip()
    exception.state, exception.approver, exception.decided_at = State.REQUESTED, None, None
    exception.decision_note = ""
    exception.save(update_fields=["plan", "control", "state", "approver", "decided_at", "decision_note"])
    record(
        Kind.EXCEPTION_PROPOSED, actor=actor, subject=exception_subject(exception), now=now,
        before={"state": "refused"}, after={"state": "requested"},
    )  # fmt: skip
    return exception


def _refuse_stranger(exception: AttestationException, actor: Person) -> None:
    if actor.pk not in carriers(exception):
        raise NotAllowed(f"Only {exception.owner.display_name}, who carries the plan out, can do this.")


@transaction.atomic
def ask_extension(
    exception: AttestationException, *, to_day: date, reason: str, actor: Person, now: datetime
) -> Extension:
    """Ask for a later day. They are counted, and the day stays until somebody else grants it.

    Raises NotAllowed for who does not carry it out, Refused without a reason, for a day that is not later or lies
    further ahead than the severity allows, while one is asked for, and where nothing is open.
    """
    exception = locked_exception(exception)
    _refuse_stranger(exception, held(actor))
    if exception.state not in (State.REQUESTED, State.APPROVED):
        raise Refused(f"This exception is {exception.get_state_display().lower()}. It needs no later day.")
    if not reason.strip():
        raise Refused("Say why.")
    latest = latest_due(exception.severity, local_date(now))
    if not max(exception.due_on, local_date(now)) < to_day <= latest:
        raise Refused(f"Choose a day after {day_words(exception.due_on)} and not after {day_words(latest)}.")
    if exception.extensions.filter(is_granted=None).exists():
        raise Refused("A later day was asked for already.")
    extension = Extension(
        exception=exception, number=exception.extensions.count() + 1, from_day=exception.due_on, to_day=to_day,
        reason=reason.strip()[:600], requested_by=actor, requested_at=now, owner=exception.owner,
    )  # fmt: skip
    extension.save(force_insert=True)
    record(
        Kind.EXCEPTION_EXTENSION_ASKED, actor=actor, subject=exception_subject(exception), now=now,
        after={"number": extension.number, "from": str(extension.from_day), "to": str(to_day)}, reason=reason,
    )  # fmt: skip
    return extension


@transaction.atomic
def decide_extension(
    extension: Extension,
    *,
    granted: bool,
    note: str,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Extension:
    """Grant or refuse a later day, under one's own signature. The finding's day moves with it.

    Raises NotAllowed as a decision about the exception does, and for who asked; Refused without a reason for a
    refusal, for an unconfirmed signature, and once it is decided.
    """
    exception = locked_exception(extension.exception)
    extension = Extension.objects.select_for_update(no_key=True, of=("self",)).get(pk=extension.pk)
    _refuse_decider(exception, State.APPROVED, held(actor), now)
    if extension.is_granted is not None:
        raise Refused("This was decided already.")
    if actor.pk == extension.requested_by_id:
        raise NotAllowed("Who asked can't grant it.")
    if not granted and not note.strip():
        raise Refused("Say why it stays at its day.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    more: dict[str, object] = {"extension": {"number": extension.number, "to": extension.to_day.isoformat()}}
    _put(exception, "approve" if granted else "refuse", note.strip(), None, confirmation, actor, now, more)
    extension.is_granted, extension.approver, extension.decided_at = granted, actor, now
    extension.note = note.strip()[:600]
    extension.save(update_fields=["is_granted", "approver", "decided_at", "note"])
    if granted:
        _move_day(exception, extension.to_day)
    said = f"{actor.display_name} {'grants' if granted else 'refuses'} {day_words(extension.to_day)} as a later day."
    _tell(exception, f"{said} {extension.note}".strip(), f"extension:{extension.number}", now)
    record(
        Kind.EXCEPTION_EXTENDED, actor=actor, subject=exception_subject(exception), now=now,
        before={"due": str(extension.from_day)},
        after={"due": str(exception.due_on), "granted": granted, "number": extension.number}, reason=note,
    )  # fmt: skip
    return extension


def _move_day(exception: AttestationException, day: date) -> None:
    exception.due_on = day
    exception.save(update_fields=["due_on"])
    if exception.finding is not None:
        open_finding = Finding.objects.filter(pk=exception.finding.pk).exclude(state=Finding.State.CLOSED)
        open_finding.update(due_on=day, step=0)


def _moved(now: datetime) -> Q:
    """Exceptions whose finding says something else than they do, or whose risk is accepted no longer."""
    verified = Q(state__in=["approved", "risk_accepted"], finding__state="closed", finding__closed_because="verified")
    opened = Q(state="verified") & ~Q(finding__state="closed")
    ended = Q(state="risk_accepted") & (
        Q(accepted_until__lt=local_date(now)) | ~Q(finding__state__in=["accepted", "closed"])
    )
    return verified | opened | ended


def follow_findings(*, now: datetime, actor: Actor = SCHEDULER, limit: int = 5000) -> int:
    """Bring exceptions in line with their findings: verified there is verified here; what ended is open again.

    Safe to run twice and at once. Returns how many changed.
    """
    rows = AttestationException.objects.filter(_moved(now)).select_related("assignment__system").order_by("pk")
    return sum(follow_finding(one, now=now, actor=actor) for one in rows[:limit])


@transaction.atomic
def follow_finding(exception: AttestationException, *, now: datetime, actor: Actor = SCHEDULER) -> bool:
    """As `follow_findings`, for one. Returns whether it changed."""
    moved = AttestationException.objects.filter(_moved(now), pk=exception.pk)
    if not moved.exists():  # most often so: then nothing is locked
        return False
    exception = locked_exception(exception)
    if not moved.exists():
        return False
    finding, before = exception.finding, exception.state
    if finding is not None and finding.state == Finding.State.CLOSED and before != State.VERIFIED:
        exception.state, exception.accepted_until = State.VERIFIED, None
        exception.save(update_fields=["state", "accepted_until"])
        record(
            Kind.EXCEPTION_VERIFIED, actor=actor, subject=exception_subject(exception), now=now,
            before={"state": before}, after={"state": "verified", "finding": finding.pk},
        )  # fmt: skip
        return True
    _reopen(exception, actor, now)
    return True


def _reopen(exception: AttestationException, actor: Actor, now: datetime) -> None:
    before = exception.state
    exception.state, exception.accepted_until = State.REQUESTED, None
    exception.approver, exception.decided_at, exception.decision_note = None, None, ""
    exception.save(update_fields=["state", "accepted_until", "approver", "decided_at", "decision_note"])
    because = "the risk is accepted no longer" if before == State.RISK_ACCEPTED else "its finding was opened again"
    cause = record(
        Kind.EXCEPTION_REOPENED, actor=actor, subject=exception_subject(exception), now=now,
        before={"state": before}, after={"state": "requested", "because": because},
    )  # fmt: skip
    if exception.finding is not None and exception.finding.state == Finding.State.ACCEPTED:
        _reopen_finding(exception.finding, actor, now, cause)
    _tell(exception, f"Your exception is open again: {because}.", f"reopened:{now:%Y%m%d}", now)


def _reopen_finding(finding: Finding, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
    end_acceptances([finding.pk], RiskAcceptance.Ended.EXPIRED, now=now)
    finding.state, finding.accepted_until = working_state(finding), None
    finding.due_on, finding.step = due_on(finding.severity, now), 0
    finding.save(update_fields=["state", "accepted_until", "due_on", "step"])
    record(
        Kind.FINDING_REOPENED, actor=actor, subject=finding_subject(finding), now=now, before={"state": "accepted"},
        after={"state": finding.state, "because": "the acceptance ended"}, cause=cause,
    )  # fmt: skip
