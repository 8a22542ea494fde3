"""Sending a draft: what blocks it, who has to accept, and the moment at which it comes into force."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.common.workdays import add_working_days
from apps.notify.actions import Note, enqueue, enqueue_many
from apps.people.actions import held
from apps.people.models import Person, Seat
from apps.registry.actions.raci.applying import Planned, matrix_subject, put_in_force
from apps.registry.actions.raci.drafts import back_to_author, keep_rows, locked_draft, refuse_while_sent
from apps.registry.models import GovernanceDomain, RaciAcceptance, RaciDraft, Unit
from apps.registry.queries.raci_checks import check_draft
from apps.registry.queries.raci_scope import OWNER, Scope, current_version, draft_rows, scope_matrix, scope_of
from apps.registry.queries.succession import interim_for, mandate_holder
from apps.registry.rules.breaches import Breach, Level

ANSWER_WITHIN = 5
BATCH = 500


@transaction.atomic
def send_draft(draft: RaciDraft, *, actor: Person, now: datetime) -> RaciDraft:
    """Ask everybody who gets an A that they did not hold; where that is nobody else, it is in force at once.

    The author accepts by sending. Raises NotAllowed for anybody else, Refused with what blocks, where the draft
    changes nothing, or where the matrix changed since it was started.
    """
    draft = locked_draft(draft)
    if draft.author_id != actor.pk:
        raise NotAllowed(f"Only {draft.author.display_name} sends this draft.")
    if draft.state != RaciDraft.State.DRAFT:
        raise Refused(f"This draft is {draft.get_state_display().lower()} already.")
    scope = scope_of(draft)
    refuse_while_sent(scope)
    refuse_outdated(draft)
    refuse_blocked(draft, now)
    asked = new_holders(scope, draft, now)
    asked.pop(actor, None)
    for person in asked:
        if not held(person).is_active:
            raise Refused(f"{person.display_name} is deactivated. Choose an active person.")
    event = record(
        Kind.RACI_DRAFT_SENT,
        actor=actor,
        subject=matrix_subject(scope),
        now=now,
        after={"draft": str(draft.pk), "asked": sorted(person.audit_id for person in asked)},
        reason=draft.note,
    )
    draft.sent_at = draft.updated_at = now
    if not asked:
        _close(draft, now)
        put_in_force([Planned(scope, draft_rows(draft), draft.note)], actor=actor, now=now, cause=event)
        return draft
    draft.state = RaciDraft.State.SENT
    draft.save(update_fields=["state", "sent_at", "updated_at"])
    _ask(draft, scope, asked, now)
    return draft


def _close(draft: RaciDraft, now: datetime) -> None:
    draft.state, draft.closed_at, draft.updated_at = RaciDraft.State.IN_FORCE, now, now
    draft.save(update_fields=["state", "sent_at", "closed_at", "updated_at"])


def refuse_outdated(draft: RaciDraft) -> None:
    """Raise Refused where the scope has another version than the draft started from, with what changed."""
    current = current_version(scope_of(draft))
    if current is None or current.pk == draft.based_on_id:
        return
    names = dict(GovernanceDomain.objects.values_list("key", "name"))
    changed = ", ".join(names.get(key, key) for key in current.changes) or "every row"
    by = current.applied_by.display_name if current.applied_by else "Govportal"
    raise Refused(
        f"{by} changed this matrix since you started: {changed} (version {current.number}). "
        "Bring your draft up to date, look at it, then send it."
    )


def refuse_blocked(draft: RaciDraft, now: datetime) -> None:
    """Raise Refused with every breach that the draft would add or worsen, or where it changes nothing."""
    if not draft.rows.exists():
        raise Refused("There is nothing to send: the draft says what is in force.")
    blocks = [found for found in check_draft(draft, now=now) if found.level is Level.BLOCK]
    if blocks:
        raise Refused(f"This can't be sent yet. {said(blocks)}")


def said(blocks: list[Breach]) -> str:
    """What blocks, with what to do."""
    return " ".join(f"{one.title.rstrip('.')}. {one.remedy}" for one in blocks)


def new_holders(scope: Scope, draft: RaciDraft, now: datetime) -> dict[Person, list[str]]:
    """Who gets an A that they do not hold today: person -> rows.

    A seat's holder for a seat, the owner for a system's owner (above systems: nobody, each owner accepted the system).
    """
    before, after = scope_matrix(scope).letters, scope_matrix(scope, draft).letters
    gained = {key: party for key in draft_rows(draft) if (party := _accountable(after[key])) is not None}
    seats = {seat.function_id: seat.holder for seat in Seat.objects.select_related("holder")}
    return holders_of(scope, gained, before, seats)


def holders_of(
    scope: Scope,
    gained: Mapping[str, str],
    before: Mapping[str, dict[str, str]],
    seats: Mapping[str, Person | None],
    known: Mapping[UUID, Person] | None = None,
) -> dict[Person, list[str]]:
    """See new_holders. `known` has the people whom a change names, where it is made for many scopes."""
    named = {UUID(p) for p in gained.values() if p != OWNER and p not in seats}
    people = known if known is not None else Person.objects.in_bulk(named) if named else {}

    def behind(party: str | None) -> Person | None:
        if party is None or party == OWNER:
            return scope.system.owner if scope.system and party else None
        return seats[party] if party in seats else people.get(UUID(party))

    found: dict[Person, list[str]] = {}
    for key, party in gained.items():
        held_by, person = _accountable(before.get(key, {})), behind(party)
        if person is None or party == held_by or (held_by and behind_known(held_by, scope, seats) == person.pk):
            continue
        found.setdefault(person, []).append(key)
    return found


def behind_known(party: str, scope: Scope, seats: Mapping[str, Person | None]) -> UUID | None:
    """The person behind a party, without a query."""
    if party == OWNER:
        return scope.system.owner_id if scope.system else None
    if party in seats:
        holder = seats[party]
        return holder.pk if holder else None
    return UUID(party)


def _accountable(cells: Mapping[str, str]) -> str | None:
    return next((party for party, letters in cells.items() if "A" in letters), None)


def _ask(draft: RaciDraft, scope: Scope, asked: Mapping[Person, list[str]], now: datetime) -> None:
    due = add_working_days(local_date(now), ANSWER_WITHIN)
    rows = [
        RaciAcceptance(draft=draft, person=person, domains=domains, asked_at=now, due_on=due)
        for person, domains in asked.items()
    ]
    RaciAcceptance.objects.bulk_create(rows)
    names = dict(GovernanceDomain.objects.values_list("key", "name"))
    enqueue_many(
        [
            Note(
                key=f"raci:{row.pk}:asked",
                recipient=row.person,
                subject=f"Accept or decline: {', '.join(names[key] for key in row.domains)} for {scope.name}",
                body=(
                    f"{draft.author.display_name} asks you to be accountable for "
                    f"{', '.join(names[key] for key in row.domains)} in {scope.name}.\n"
                    + (f"{draft.note}\n" if draft.note else "")
                    + f"Until you accept, nothing changes. Accept or decline by {due.day} {due:%b %Y}."
                ),
                path=f"/ownership/acceptances/{row.pk}/",
            )
            for row in rows
        ],
        now=now,
    )


def _open(acceptance: RaciAcceptance, actor: Person) -> tuple[RaciAcceptance, RaciDraft]:
    """The question and its draft, locked with the scope. Raises NotAllowed and Refused."""
    draft = locked_draft(acceptance.draft)
    fresh = RaciAcceptance.objects.select_for_update(no_key=True).get(pk=acceptance.pk)
    if fresh.person_id != actor.pk:
        raise NotAllowed("Only the person who is asked can answer.")
    if fresh.state != RaciAcceptance.State.OPEN or draft.state != RaciDraft.State.SENT:
        raise Refused(f"This was answered or taken back already: {fresh.get_state_display().lower()}.")
    return fresh, draft


def _answer(acceptance: RaciAcceptance, state: str, now: datetime, reason: str = "") -> None:
    acceptance.state, acceptance.answered_at, acceptance.reason = state, now, reason[:600]
    acceptance.save(update_fields=["state", "answered_at", "reason"])


@transaction.atomic
def accept_letters(acceptance: RaciAcceptance, *, actor: Person, now: datetime) -> RaciDraft:
    """The person says yes. Where they were the last, the change is checked against the present and put in force.

    Where it can't come into force any more, the answer stands, the draft goes back to its author and they are told.
    Raises NotAllowed for anybody else, Refused where it is not open, or for somebody who can't act.
    """
    acceptance, draft = _open(acceptance, actor)
    if not held(actor).is_active:
        raise Refused("You are deactivated. Nothing was changed.")
    _answer(acceptance, RaciAcceptance.State.ACCEPTED, now)
    scope = scope_of(draft)
    event = record(
        Kind.RACI_ACCEPTED,
        actor=actor,
        subject=matrix_subject(scope),
        now=now,
        after={"draft": str(draft.pk), "rows": acceptance.domains},
    )
    if draft.acceptances.filter(state=RaciAcceptance.State.OPEN).exists():
        return draft
    try:
        _refuse_gone(draft)
        refuse_outdated(draft)
        refuse_blocked(draft, now)
        _refuse_unasked(draft, now)
    except Refused as error:
        _send_back(draft, str(error), now)
        return draft
    _close(draft, now)
    put_in_force([Planned(scope, draft_rows(draft), draft.note)], actor=draft.author, now=now, cause=event)
    return draft


def _refuse_unasked(draft: RaciDraft, now: datetime) -> None:
    """A seat or a system may have another holder since the draft was sent: they have to be asked."""
    accepted = {one.person_id for one in draft.acceptances.filter(state=RaciAcceptance.State.ACCEPTED)}
    for person in new_holders(scope_of(draft), draft, now):
        if person.pk not in accepted and person.pk != draft.author_id:
            raise Refused(f"{person.display_name} would get an A now and was not asked. Send it again.")


def _refuse_gone(draft: RaciDraft) -> None:
    """What somebody sent who has left since does not come into force in their name."""
    if not held(draft.author).is_active:
        raise Refused(f"{draft.author.display_name}, who sent this change, has left. Send it anew.")


def _send_back(draft: RaciDraft, why: str, now: datetime) -> None:
    back_to_author(draft, now)
    enqueue(
        key=f"raci:{draft.pk}:back:{draft.revision}:{now.isoformat()}",
        recipient=draft.author,
        subject=f"Your change of the matrix of {scope_of(draft).name} could not come into force",
        body=why,
        path=scope_of(draft).path,
        now=now,
    )


@transaction.atomic
def decline_letters(acceptance: RaciAcceptance, *, reason: str, actor: Person, now: datetime) -> RaciDraft:
    """The person says no, with a reason. The draft is declined; its author gets a fresh copy to go on with.

    Raises NotAllowed for anybody else, Refused without a reason or where it is not open.
    """
    if not reason.strip():
        raise Refused("Say why you decline. The person who sent it reads it.")
    acceptance, draft = _open(acceptance, actor)
    _answer(acceptance, RaciAcceptance.State.DECLINED, now, reason.strip())
    draft.acceptances.filter(state="open").update(state=RaciAcceptance.State.CLOSED, answered_at=now)
    draft.state, draft.closed_at, draft.updated_at = RaciDraft.State.DECLINED, now, now
    draft.save(update_fields=["state", "closed_at", "updated_at"])
    scope = scope_of(draft)
    copy_for_author(draft, now)
    enqueue(
        key=f"raci:{acceptance.pk}:declined",
        recipient=draft.author,
        subject=f"Declined: {actor.display_name} does not accept letters of {scope.name}",
        body=f"{actor.display_name} declined.\nReason: {acceptance.reason}\nYour draft is open again.",
        path=scope.path,
        now=now,
    )
    record(
        Kind.RACI_DECLINED,
        actor=actor,
        subject=matrix_subject(scope),
        now=now,
        after={"draft": str(draft.pk), "rows": acceptance.domains},
        reason=reason,
    )
    return draft


def copy_for_author(draft: RaciDraft, now: datetime) -> None:
    """A fresh draft that says the same, unless its author left or has another one here."""
    here = {"unit": draft.unit, "system": draft.system, "author": draft.author}
    if not draft.author.is_active or RaciDraft.objects.filter(**here, state=RaciDraft.State.DRAFT).exists():
        return
    copy = RaciDraft.objects.create(**here, based_on=draft.based_on, note=draft.note, created_at=now, updated_at=now)
    keep_rows(copy, draft_rows(draft))


def escalate_acceptances(*, now: datetime) -> int:
    """Escalate each overdue question once; returns how many. Safe to run twice or in parallel."""
    due = RaciAcceptance.objects.filter(state="open", escalated_at=None, due_on__lt=local_date(now))
    return sum(escalate_acceptance(pk, now=now) for pk in due.order_by("pk").values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def escalate_acceptance(acceptance_id: int, *, now: datetime) -> bool:
    """Tell who is above that letters wait. False where another sweep was first or it was answered."""
    changed = RaciAcceptance.objects.filter(pk=acceptance_id, state="open", escalated_at=None).update(escalated_at=now)
    if not changed:
        return False
    related = ("person", "draft__unit", "draft__system__unit", "draft__author")
    acceptance = RaciAcceptance.objects.select_related(*related).get(pk=acceptance_id)
    scope = scope_of(acceptance.draft)
    name = acceptance.person.display_name
    due = f"{acceptance.due_on.day} {acceptance.due_on:%b %Y}"
    recipients = {acceptance.draft.author, _above(scope, now)} - {None}
    enqueue_many(
        [
            Note(
                key=f"raci:{acceptance.pk}:escalated:{person.pk}",
                recipient=person,
                subject=f"Not answered: {name} and letters of {scope.name}",
                body=f"{name} was asked to accept letters of {scope.name} and has not answered by {due}. "
                f"Ask them, or take the change back.",
                path=scope.path,
            )
            for person in recipients
            if person
        ],
        now=now,
    )
    record(
        Kind.RACI_ACCEPTANCE_ESCALATED,
        actor=SCHEDULER,
        subject=matrix_subject(scope),
        now=now,
        after={"acceptance": acceptance.pk},
    )
    return True


def _above(scope: Scope, now: datetime) -> Person | None:
    unit: Unit | None = scope.system.unit if scope.system else scope.unit
    return interim_for(unit, now=now)[0] if unit else mandate_holder()


def close_questions_of(person: Person, *, now: datetime) -> int:
    """A leaver's open questions are closed and those drafts go back to their authors; returns how many."""
    waiting = RaciAcceptance.objects.filter(person=person, state="open").select_related(
        "draft__author", "draft__unit", "draft__system"
    )
    drafts = {one.draft_id: one.draft for one in waiting}
    for draft in drafts.values():
        if draft.state == RaciDraft.State.SENT:
            _send_back(draft, f"{person.display_name} left and can't accept. Choose somebody else.", now)
    return len(drafts)


def close_changes_of(person: Person, *, actor: Actor, now: datetime, cause: UUID) -> int:
    """What a leaver sent and others have not answered is closed, and those are told; returns how many."""
    related = ("unit", "system", "author")
    sent = RaciDraft.objects.filter(author=person, state=RaciDraft.State.SENT).select_related(*related)
    drafts = {draft.pk: draft for draft in sent.order_by("pk")}
    waiting = RaciAcceptance.objects.filter(draft__in=list(drafts), state=RaciAcceptance.State.OPEN)
    asked = list(waiting.select_related("person").order_by("pk"))
    waiting.update(state=RaciAcceptance.State.CLOSED, answered_at=now)
    sent.update(state=RaciDraft.State.DECLINED, closed_at=now, updated_at=now)
    why = f"{person.display_name}, who sent it, left."
    entries = [
        Entry(Kind.RACI_DRAFT_WITHDRAWN, matrix_subject(scope_of(draft)), after={"draft": str(draft.pk)}, reason=why)
        for draft in drafts.values()
    ]
    record_many(entries, actor=actor, now=now, cause=cause)
    enqueue_many([_not_asked_any_more(one, scope_of(drafts[one.draft_id]), why) for one in asked], now=now)
    return len(drafts)


def _not_asked_any_more(acceptance: RaciAcceptance, scope: Scope, why: str) -> Note:
    return Note(
        key=f"raci:{acceptance.pk}:closed",
        recipient=acceptance.person,
        subject=f"Nothing to answer any more: letters of {scope.name}",
        body=f"You were asked to accept letters of {scope.name}. The change is closed: {why} What is in force stays.",
        path=scope.path,
    )
