"""Passing on the work, never the signature: somebody prepares answers until a day, and the owner reads and signs."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.db import transaction

from apps.attestations.actions.answers import locked_assignment, sections_that_apply
from apps.attestations.models import Assignment, Delegation
from apps.attestations.queries.delegation import over, running
from apps.attestations.rules import COMMENT_LENGTH
from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.clock import local_date
from apps.common.dates import day_words
from apps.common.errors import NotAllowed, Refused
from apps.notify.actions import Note, enqueue_many
from apps.people.actions import held
from apps.people.models import Person
from apps.registry.actions.ownership import locked, require_can_answer, system_subject


@transaction.atomic
def delegate_work(
    assignment: Assignment,
    preparer: Person,
    *,
    sections: Sequence[str],
    reason: str,
    until: date,
    actor: Person,
    now: datetime,
) -> Delegation:
    """Let somebody fill in sections (none named: all) until a day. Both are told. The owner still signs.

    Raises NotAllowed for anybody but the owner of today, Refused for the owner themselves, for somebody who can't
    answer or prepares it already, without a reason, for a section that is none, and for a day that has passed or lies
    after the last on which the campaign takes answers; once signed or closed.
    """
    assignment = locked_assignment(assignment, actor=actor, now=now)
    preparer = held(preparer)
    require_can_answer(preparer)
    sections = _checked(assignment, preparer, sections, reason.strip(), until, now)
    delegation = Delegation.objects.create(
        assignment=assignment, preparer=preparer, sections=sections, reason=reason.strip(), until=until, given_by=actor,
        given_at=now,
    )  # fmt: skip
    record(
        Kind.ATTESTATION_DELEGATED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={**_after(delegation), "sections": sections, "until": until.isoformat()},
        reason=reason,
        private={"preparer_name": preparer.display_name},
    )
    _tell_both(delegation, now)
    return delegation


def _checked(
    assignment: Assignment, preparer: Person, sections: Sequence[str], reason: str, until: date, now: datetime
) -> list[str]:
    """The sections in their order. Raises Refused with the first thing that is wrong."""
    if preparer.pk == assignment.system.owner_id:
        raise Refused("You answer for this system yourself. Choose somebody else to prepare it.")
    if not reason:
        raise Refused("Say why. An auditor reads it.")
    if len(reason) > COMMENT_LENGTH:
        raise Refused(f"Use {COMMENT_LENGTH} characters at most for the reason.")
    last = last_day_of(assignment)
    if not local_date(now) <= until <= last:
        raise Refused(f"Choose a day from today to {day_words(last)}, the last on which this can be signed.")
    known = [section.slug for section in sections_that_apply(assignment)]
    if unknown := set(sections) - set(known):
        raise Refused(f"There is no section {sorted(unknown)[0]}.")
    # One whose day has passed makes room; it was over already.
    assignment.delegations.filter(preparer=preparer, ended_at=None, until__lt=local_date(now)).update(ended_at=now)
    if running(assignment, preparer, today=local_date(now)) is not None:
        raise Refused(f"{preparer.display_name} prepares it already. End that first.")
    return [slug for slug in known if slug in set(sections)]


def last_day_of(assignment: Assignment) -> date:
    """The last day on which an assignment can be signed."""
    if assignment.reopened_until is not None:
        return local_date(assignment.reopened_until)
    return assignment.campaign.last_day


def _after(delegation: Delegation) -> dict[str, object]:
    return {
        "campaign": delegation.assignment.campaign.code,
        "assignment": delegation.assignment_id,
        "delegation": delegation.pk,
        "preparer": delegation.preparer.audit_id,
    }


def _tell_both(delegation: Delegation, now: datetime) -> None:
    assignment, system = delegation.assignment, delegation.assignment.system
    preparer, owner = delegation.preparer, delegation.given_by
    count = len(delegation.sections)
    what = f"{count} section{'' if count == 1 else 's'}" if count else "all sections"
    until, due = day_words(delegation.until), day_words(assignment.due_on)
    _tell(
        delegation, preparer, "given", f"Prepare the attestation of {system.name}",
        f"{owner.display_name} asks you to fill in {what} of the {assignment.campaign.label} attestation of "
        f"{system.name} ({system.key}), until {until}.\nReason: {delegation.reason}\n"
        f"It is due {due}. You fill in what you know; {owner.display_name} reads it and signs.",
        now,
    )  # fmt: skip
    _tell(
        delegation, owner, "noted", f"{preparer.display_name} prepares the attestation of {system.name}",
        f"You let {preparer.display_name} fill in {what} of {system.name} ({system.key}), until {until}.\n"
        "You still answer for it: open each section that they filled in, then sign. The due date stays "
        f"{due}. You can end it at any time.",
        now,
    )  # fmt: skip


def _tell(delegation: Delegation, to: Person, what: str, subject: str, body: str, now: datetime) -> None:
    assignment = delegation.assignment
    path = f"/attestations/{assignment.campaign.code}/{assignment.system.key}/"
    enqueue_many([Note(f"delegation:{delegation.pk}:{what}", to, subject, body, path)], now=now)


@transaction.atomic
def end_delegation(delegation: Delegation, *, actor: Actor, now: datetime) -> Delegation:
    """End the preparation; what was filled in stays, with who filled it in. The other of the two is told.

    Raises NotAllowed for anybody but who answers for the system and who prepares, Refused where it ended already.
    """
    system = locked(delegation.assignment.system)
    delegation = (
        Delegation.objects.select_for_update(no_key=True, of=("self",))
        .select_related("assignment__campaign", "assignment__system__owner", "preparer", "given_by")
        .get(pk=delegation.pk)
    )
    if isinstance(actor, Person) and actor.pk not in {system.owner_id, delegation.preparer_id}:
        raise NotAllowed(f"Only {system.owner.display_name} or {delegation.preparer.display_name} can end this.")
    if delegation.ended_at is not None:
        raise Refused("This ended already.")
    delegation.ended_at = now
    delegation.save(update_fields=["ended_at"])
    _tell_ended(delegation, actor, now)
    record(
        Kind.ATTESTATION_DELEGATION_ENDED,
        actor=actor,
        subject=system_subject(delegation.assignment.system),
        now=now,
        after=_after(delegation),
    )
    return delegation


def _tell_ended(delegation: Delegation, actor: Actor, now: datetime) -> None:
    """The one who did not end it hears of it; nobody where it ended because it is signed or closed."""
    system, preparer = delegation.assignment.system, delegation.preparer
    if not delegation.assignment.is_open:
        return
    ended_by_preparer = isinstance(actor, Person) and actor.pk == delegation.preparer_id
    to = system.owner if ended_by_preparer or not preparer.is_active else preparer
    subject = f"{preparer.display_name} does not prepare the attestation of {system.name} any more"
    body = f"What was filled in stays. {system.owner.display_name} goes on with it and signs."
    if to == preparer:
        subject = f"You do not prepare the attestation of {system.name} any more"
    _tell(delegation, to, "ended", subject, f"{subject}.\n{body}", now)


def end_with_signature(assignment: Assignment, *, actor: Person, cause: uuid.UUID, now: datetime) -> int:
    """Nobody prepares what is signed. Part of the signature; returns how many ended."""
    rows: Iterable[Delegation] = (
        assignment.delegations.select_for_update(no_key=True, of=("self",))
        .filter(ended_at=None)
        .select_related("preparer", "assignment__campaign")
    )
    ended = list(rows)
    Delegation.objects.filter(pk__in=[one.pk for one in ended]).update(ended_at=now)
    subject = system_subject(assignment.system)
    record_many(
        [Entry(Kind.ATTESTATION_DELEGATION_ENDED, subject, after=_after(one)) for one in ended],
        actor=actor, cause=cause, now=now,
    )  # fmt: skip
    return len(ended)


def end_delegations_due(*, now: datetime) -> int:
    """End what is over: the day has passed, who prepared left, it is signed or closed. Safe to run twice."""
    ended = 0
    for delegation in over(today=local_date(now))[:1000]:
        try:
            end_delegation(delegation, actor=SCHEDULER, now=now)
        except Refused:
            continue  # somebody ended it in between
        ended += 1
    return ended
