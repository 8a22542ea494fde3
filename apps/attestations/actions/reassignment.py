"""Passing accountability on: somebody is asked to take over, and until they say yes the owner keeps it.

It is carried by the registry: the request is a nomination, the yes is its acceptance, and the assignment follows the
owner of the register. The due date never moves.
"""

import uuid
from datetime import datetime

from django.db import transaction

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.actions.answers import locked_row, refuse_settled
from apps.attestations.actions.owners import follow
from apps.attestations.models import Assignment, Reassignment
from apps.attestations.queries.reassignment import above, late, settled_elsewhere
from apps.attestations.rules import COMMENT_LENGTH
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.clock import local_date
from apps.common.dates import day_words
from apps.common.errors import NotAllowed, Refused
from apps.common.workdays import add_working_days
from apps.notify.actions import Note, enqueue_many
from apps.people.actions import held
from apps.people.models import Person
from apps.registry.actions.ownership import (
    accept_ownership,
    decline_ownership,
    nominate_owner,
    require_can_answer,
    system_subject,
    withdraw_nomination,
)
from apps.registry.models import Handover, Nomination

# Working days in which somebody answers before it goes up.
ANSWER_WITHIN = 2
State = Reassignment.State


@transaction.atomic
def reassign(assignment: Assignment, to: Person, *, reason: str, actor: Person, now: datetime) -> Reassignment:
    """Ask somebody to take an attestation over, with the system: the register's nomination is made in the same step.

    Raises NotAllowed for anybody but the owner of today, a head above the system and who nominates owners; Refused
    without a reason, for the owner and for somebody who can't answer, while somebody is asked, nominated or handed
    over to already, once signed or closed.
    """
    assignment = locked_row(assignment, now=now)
    _require_may_ask(assignment, actor, now)
    refuse_settled(assignment, now)
    return _ask(assignment, to, reason=reason, actor=actor, now=now, cause=None)


def _require_may_ask(assignment: Assignment, actor: Person, now: datetime) -> None:
    system = assignment.system
    if actor.pk == system.owner_id or may(actor, Permission.NOMINATE_OWNER):
        return
    if actor.pk == system.unit.head_id or above(assignment, system.owner, now=now) == actor:
        return
    raise NotAllowed(
        f"Only {system.owner.display_name}, the head of {system.unit.name} and those who nominate may ask."
    )


def _ask(
    assignment: Assignment, to: Person, *, reason: str, actor: Person, now: datetime, cause: uuid.UUID | None
) -> Reassignment:
    system, reason = assignment.system, _given(reason)
    to = held(to)
    require_can_answer(to)
    if to.pk == system.owner_id:
        raise Refused(f"{to.display_name} answers for {system.name} already.")
    request = _new(assignment, to=to, asked=to, reason=reason, actor=actor, now=now)
    event = _record_asked(request, actor, now, cause)
    request.nomination = nominate_owner(
        system, to, actor=actor, now=now, reason=reason, tell=False, cause=cause or event
    )
    request.save(update_fields=["nomination"])
    _tell(
        request, to, "asked", f"Accept or decline: take over the attestation of {system.name}",
        f"{actor.display_name} asks you to answer for {system.name} ({system.key}) and to sign its "
        f"{assignment.campaign.label} attestation in the place of {system.owner.display_name}.\nReason: {reason}\n"
        f"Accept or decline by {day_words(request.answer_by)}. It is due {day_words(assignment.due_on)}; that date "
        f"stays. Until you accept, {system.owner.display_name} answers.",
        now,
    )  # fmt: skip
    return request


def _given(reason: str) -> str:
    if not reason.strip():
        raise Refused("Say why. An auditor reads it.")
    if len(reason.strip()) > COMMENT_LENGTH:
        raise Refused(f"Use {COMMENT_LENGTH} characters at most for the reason.")
    return reason.strip()


def _new(
    assignment: Assignment, *, to: Person | None, asked: Person, reason: str, actor: Person, now: datetime
) -> Reassignment:
    _settle_rows(assignment, now)
    if waiting := assignment.reassignments.filter(state=State.OPEN).select_related("asked").first():
        raise Refused(f"{waiting.asked.display_name} was asked already. Wait for the answer, or withdraw it.")
    return Reassignment.objects.create(
        assignment=assignment, from_person=assignment.system.owner, to_person=to, asked=asked, reason=reason,
        requested_by=actor, requested_at=now, answer_by=add_working_days(local_date(now), ANSWER_WITHIN),
    )  # fmt: skip


def _record_asked(request: Reassignment, actor: Person, now: datetime, cause: uuid.UUID | None) -> uuid.UUID:
    return record(
        Kind.ATTESTATION_REASSIGNMENT_ASKED,
        actor=actor,
        subject=system_subject(request.assignment.system),
        now=now,
        after={
            **_after(request),
            "to": request.to_person.audit_id if request.to_person else None,
            "asked": request.asked.audit_id,
            "answer_by": request.answer_by.isoformat(),
        },
        reason=request.reason,
        private={"asked_name": request.asked.display_name},
        cause=cause,
    )


def _after(request: Reassignment) -> dict[str, object]:
    return {
        "campaign": request.assignment.campaign.code,
        "assignment": request.assignment_id,
        "reassignment": request.pk,
    }


@transaction.atomic
def disown(assignment: Assignment, *, reason: str, actor: Person, now: datetime) -> Reassignment:
    """ "Not mine", and nobody is known who it is: the head above is asked to find somebody. It is a gap in progress.

    Until then the person still answers. Raises NotAllowed for anybody but the owner of today; Refused without a
    reason, where nobody stands above them, while somebody is asked already, once signed or closed.
    """
    assignment = locked_row(assignment, now=now)
    system = assignment.system
    if actor.pk != system.owner_id:
        raise NotAllowed(f"Only {system.owner.display_name} can say so of {system.name}.")
    refuse_settled(assignment, now)
    asked = above(assignment, actor, now=now)
    if asked is None:
        raise Refused("Nobody stands above you who could find somebody. Ask a person to take it over instead.")
    reason = _given(reason)
    request = _new(assignment, to=None, asked=held(asked), reason=reason, actor=actor, now=now)
    _record_asked(request, actor, now, None)
    _tell(
        request, asked, "asked", f"Find somebody: {actor.display_name} says {system.name} is not theirs",
        f"{actor.display_name} says that {system.name} ({system.key}) is not theirs to attest, and knows of nobody.\n"
        f"Reason: {reason}\nName somebody by {day_words(request.answer_by)}, or say why it stays. Until then "
        f"{actor.display_name} answers. It is due {day_words(assignment.due_on)}.",
        now,
    )  # fmt: skip
    return request


@transaction.atomic
def name_successor(request: Reassignment, to: Person, *, reason: str, actor: Person, now: datetime) -> Reassignment:
    """Who was asked to find somebody names a person, who is asked in turn. Returns the new request.

    Raises NotAllowed for anybody but who was asked and who nominates owners, and what `reassign` refuses.
    """
    request, assignment = _locked(request, now)
    if actor.pk != request.asked_id and not may(actor, Permission.NOMINATE_OWNER):
        raise NotAllowed(f"Only {request.asked.display_name} can answer this.")
    if request.to_person_id is not None:
        raise Refused("Somebody is named already.")
    refuse_settled(assignment, now)
    _answer(request, State.ACCEPTED, actor, now)
    event = _record_answer(request, actor, now)
    return _ask(assignment, to, reason=reason, actor=actor, now=now, cause=event)


@transaction.atomic
def keep_with_owner(request: Reassignment, *, reason: str, actor: Person, now: datetime) -> Reassignment:
    """Who was asked to find somebody answers: it stays yours, and why. The person who asked is told.

    Raises NotAllowed for anybody but who was asked and who nominates owners, Refused without a reason, where it was
    answered, and where a person was asked and not a head.
    """
    request, _ = _locked(request, now)
    if actor.pk != request.asked_id and not may(actor, Permission.NOMINATE_OWNER):
        raise NotAllowed(f"Only {request.asked.display_name} can answer this.")
    if request.to_person_id is not None:
        raise Refused(f"{request.asked.display_name} is asked to take it over. They accept or decline.")
    _answer(request, State.RETURNED, actor, now, _given(reason))
    _record_answer(request, actor, now)
    system = request.assignment.system
    _tell(
        request, request.from_person, "returned", f"It stays yours: {system.name}",
        f"{actor.display_name} answered that {system.name} ({system.key}) stays yours to attest.\n"
        f"Reason: {request.answer}\nIt is due {day_words(request.assignment.due_on)}.",
        now,
    )  # fmt: skip
    return request


@transaction.atomic
def accept_reassignment(request: Reassignment, *, actor: Person, now: datetime) -> Assignment | Handover:
    """The person who was asked says yes, and with it to the nomination on the register.

    Where an interim owner stood in, the assignment is theirs at once: it is returned. Where somebody accepted answers,
    a hand-over opens, which is returned; the assignment follows when both have signed it. Raises NotAllowed for
    anybody but who was asked, Refused where it was answered, once signed or closed.
    """
    request, assignment = _locked(request, now)
    nomination = _of(request, actor)
    refuse_settled(assignment, now)
    _answer(request, State.ACCEPTED, actor, now)
    event = _record_answer(request, actor, now)
    outcome = accept_ownership(nomination, actor=actor, now=now, cause=event)
    _tell_answer(request, actor, now)
    if isinstance(outcome, Handover):
        return outcome
    return follow(assignment, now=now)


@transaction.atomic
def decline_reassignment(request: Reassignment, *, reason: str, actor: Person, now: datetime) -> Reassignment:
    """The person who was asked says no, and why: it stays where it is. Owner and who asked are told.

    Raises NotAllowed for anybody but who was asked, Refused without a reason and where it was answered.
    """
    request, _ = _locked(request, now)
    nomination = _of(request, actor)
    _answer(request, State.DECLINED, actor, now, _given(reason))
    event = _record_answer(request, actor, now)
    decline_ownership(nomination, actor=actor, now=now, reason=reason, cause=event)
    _tell_answer(request, actor, now)
    return request


@transaction.atomic
def withdraw_reassignment(request: Reassignment, *, actor: Person, now: datetime) -> Reassignment:
    """Take the request back, and the nomination with it. Who was asked is told.

    Raises NotAllowed for anybody but who asked and the owner of today, Refused where it was answered.
    """
    request, assignment = _locked(request, now)
    if actor.pk not in {request.requested_by_id, assignment.system.owner_id}:
        raise NotAllowed(f"Only {request.requested_by.display_name} can take this back.")
    _answer(request, State.WITHDRAWN, actor, now)
    event = _record_answer(request, actor, now)
    if request.nomination is not None and request.nomination.state == Nomination.State.OPEN:
        withdraw_nomination(request.nomination, actor=actor, now=now, tell=False, cause=event)
    system = assignment.system
    _tell(
        request, request.asked, "withdrawn", f"Withdrawn: the attestation of {system.name} is not yours to take over",
        f"{actor.display_name} took the request back. You have nothing to do for {system.name} ({system.key}).", now,
    )  # fmt: skip
    return request


def _locked(request: Reassignment, now: datetime) -> tuple[Reassignment, Assignment]:
    """The open request with its assignment, locked in that order after the system. Raises Refused once answered."""
    assignment = locked_row(request.assignment, now=now)
    fresh = (
        Reassignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("asked", "from_person", "to_person", "requested_by", "nomination__system")
        .get(pk=request.pk)
    )
    _settle(fresh, now)
    if fresh.state != State.OPEN:
        raise Refused(f"This was answered: {fresh.get_state_display().lower()}.")
    fresh.assignment = assignment
    return fresh, assignment


def _of(request: Reassignment, actor: Person) -> Nomination:
    if request.nomination is None or actor.pk != request.to_person_id:
        raise NotAllowed(f"Only {request.asked.display_name} can answer this.")
    return request.nomination


def _answer(request: Reassignment, state: str, actor: Person | None, now: datetime, answer: str = "") -> None:
    request.state, request.answered_by, request.answered_at, request.answer = state, actor, now, answer
    request.save(update_fields=["state", "answered_by", "answered_at", "answer"])


def _record_answer(request: Reassignment, actor: Actor, now: datetime, cause: uuid.UUID | None = None) -> uuid.UUID:
    return record(
        Kind.ATTESTATION_REASSIGNMENT_ANSWERED,
        actor=actor,
        subject=system_subject(request.assignment.system),
        now=now,
        after={**_after(request), "state": request.state},
        reason=request.answer,
        cause=cause,
    )


def _tell_answer(request: Reassignment, actor: Person, now: datetime) -> None:
    system, accepted = request.assignment.system, request.state == State.ACCEPTED
    word = "accepted" if accepted else "declined"
    what = (
        "If a hand-over was opened, it is yours until both have signed."
        if accepted
        else f"Reason: {request.answer}\nIt stays with {request.from_person.display_name}."
    )
    for person in {p.pk: p for p in (request.from_person, request.requested_by) if p.pk != actor.pk}.values():
        _tell(
            request, person, word, f"{actor.display_name} {word} to take over the attestation of {system.name}",
            f"{actor.display_name} {word} to answer for {system.name} ({system.key}).\n{what}", now,
        )  # fmt: skip


def _tell(request: Reassignment, to: Person, what: str, subject: str, body: str, now: datetime) -> None:
    assignment = request.assignment
    path = f"/attestations/{assignment.campaign.code}/{assignment.system.key}/reassign/"
    enqueue_many([Note(f"reassignment:{request.pk}:{what}:{to.pk}", to, subject, body, path)], now=now)


@transaction.atomic
def escalate_reassignment(request: Reassignment, *, now: datetime) -> bool:
    """Tell the head above that somebody did not answer in time; once. Returns whether there was somebody to tell."""
    assignment = locked_row(request.assignment, now=now)
    request = (
        Reassignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("asked", "from_person", "requested_by")
        .get(pk=request.pk)
    )
    if request.state != State.OPEN or request.escalated_at is not None:
        return False
    request.assignment, system = assignment, assignment.system
    head = above(assignment, request.asked, now=now)
    request.escalated_at = now
    request.save(update_fields=["escalated_at"])
    record(
        Kind.ATTESTATION_REASSIGNMENT_ESCALATED,
        actor=SCHEDULER,
        subject=system_subject(system),
        now=now,
        after={**_after(request), "to": head.audit_id if head else None},
    )
    if head is not None:
        _tell(
            request, head, "escalated", f"Not answered: who takes over the attestation of {system.name}",
            f"{request.asked.display_name} was asked by {request.requested_by.display_name} and did not answer by "
            f"{day_words(request.answer_by)}.\nUntil somebody accepts, {system.owner.display_name} answers for "
            f"{system.name} ({system.key}). It is due {day_words(assignment.due_on)}.",
            now,
        )  # fmt: skip
    return head is not None


def escalate_reassignments(*, now: datetime) -> int:
    """Let what was not answered within two working days go up. Safe to run twice. Returns how many went up."""
    return sum(escalate_reassignment(request, now=now) for request in late(today=local_date(now))[:1000])


@transaction.atomic
def settle_reassignment(request: Reassignment, *, now: datetime) -> bool:
    """Close a request that was answered elsewhere: its nomination was, or it is signed or closed by now."""
    locked_row(request.assignment, now=now)
    request = Reassignment.objects.select_for_update(no_key=True, of=("self",)).get(pk=request.pk)
    return _settle(request, now)


def _settle_rows(assignment: Assignment, now: datetime) -> None:
    for request in assignment.reassignments.select_for_update(no_key=True, of=("self",)).filter(state=State.OPEN):
        _settle(request, now)


def _settle(request: Reassignment, now: datetime) -> bool:
    """Part of verbs that hold the system, the assignment and the request."""
    if request.state != State.OPEN:
        return False
    nomination = request.nomination
    if nomination is not None and nomination.state != Nomination.State.OPEN:
        state = {"accepted": State.ACCEPTED, "declined": State.DECLINED}.get(nomination.state, State.WITHDRAWN)
        reason = nomination.answer_reason[:COMMENT_LENGTH] or "Answered on the register."
        _answer(request, state, nomination.nominee if state != State.WITHDRAWN else None,
                nomination.answered_at or now, reason if state == State.DECLINED else "")  # fmt: skip
    elif not request.assignment.is_open:
        _answer(request, State.WITHDRAWN, None, now)
    else:
        return False
    _record_answer(request, SCHEDULER, now)
    return True


def settle_reassignments(*, now: datetime) -> int:
    """Close every request that was answered elsewhere. Safe to run twice. Returns how many."""
    return sum(settle_reassignment(request, now=now) for request in settled_elsewhere()[:1000])
