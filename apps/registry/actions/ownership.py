"""Who answers: nominate, accept, decline, withdraw; and the one place where an owner changes."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.common.workdays import add_working_days
from apps.notify.actions import enqueue
from apps.people.actions import held
from apps.people.models import Person
from apps.people.queries import acting_for
from apps.registry.actions.authority import grant_offered, offer_authority
from apps.registry.actions.grants import sync_grants
from apps.registry.models import Handover, Nomination, OwnershipTerm, System
from apps.registry.models.handover import RUNNING
from apps.registry.queries.succession import interim_for
from apps.registry.rules import Stage
from apps.registry.rules.authority import Powers

# Working days in which a nomination is answered before it escalates.
ANSWER_WITHIN = 5
# Systems that one message names; the home page has all of them.
NAMED_IN_A_MESSAGE = 20
NO_POWERS = Powers()


def system_subject(system: System) -> Subject:
    """How the trail refers to a system."""
    return Subject("system", str(system.pk), f"{system.name} ({system.key})")


def locked(system: System) -> System:
    """The system's row, locked for this transaction. The one way to lock it."""
    return System.objects.select_for_update(no_key=True).get(pk=system.pk)


def locked_in_order(systems: Iterable[System]) -> list[System]:
    """Several systems' rows, locked in the order of their ids, so that two such verbs can't wait for each other."""
    ids = [system.pk for system in systems]
    return list(System.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))


@contextmanager
def owner_can_act() -> Iterator[None]:
    """Around a write that names an owner. Raises Refused for one who was deactivated at the same moment."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "system_owner_active" not in str(error):
            raise
        raise Refused(
            "The person who would answer was deactivated at the same moment. Nothing was changed. Try again."
        ) from error


def change_owner(system: System, person: Person, basis: str, *, now: datetime, derivation: list[Any]) -> None:
    """Close the current term, open the next and point the system at its person. The system has to be locked.

    Where the clock has not moved on since the current term began, or went back, that term lasts one microsecond:
    terms never overlap and none is empty. Does not write to the trail: the verb that calls it does. Raises Refused
    for a person who was deactivated at the same moment.
    """
    current = OwnershipTerm.objects.filter(system=system, period__upper_inf=True).first()
    begins = now
    if current is not None:
        begins = max(now, current.period.lower + timedelta(microseconds=1))
        OwnershipTerm.objects.filter(pk=current.pk).update(period=DateTimeTZRange(current.period.lower, begins))
    OwnershipTerm.objects.create(
        system=system, person=person, basis=basis, period=DateTimeTZRange(begins, None), derivation=derivation
    )
    system.owner, system.owner_basis, system.updated_at = person, basis, now
    with owner_can_act():
        system.save(update_fields=["owner", "owner_basis", "updated_at"])


def require_can_answer(person: Person) -> None:
    """Raise Refused for somebody who can't answer for a system: a service account or a deactivated person."""
    if person.kind != Person.Kind.HUMAN:
        raise Refused(f"{person.display_name} is a service account. Choose a person.")
    if not person.is_active:
        raise Refused(f"{person.display_name} is deactivated. Choose an active person.")


@transaction.atomic
def nominate_owner(
    system: System,
    nominee: Person,
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    source: str = Nomination.Source.PERSON,
    powers: Powers = NO_POWERS,
    tell: bool = True,
    cause: uuid.UUID | None = None,
) -> Nomination:
    """Ask a person to answer for a system. Until they accept, nothing changes hands.

    `powers` is the authority that goes with it from the yes. `tell=False` is for a verb that says several
    nominations in one message. Raises Refused for a retired system, for somebody who can't answer, for the person
    who answers already having accepted, and while another nomination or a hand-over is open; NotAllowed for
    authority that the actor may not grant.
    """
    system = locked(system)
    nominee = held(nominee)
    require_can_answer(nominee)
    _refuse_nomination(system, nominee)
    nomination = Nomination(
        system=system,
        nominee=nominee,
        nominated_by=actor if isinstance(actor, Person) else None,
        source=source,
        reason=reason.strip(),
        created_at=now,
        due_on=answer_due(now),
    )
    nomination.full_clean(exclude=["state"])
    nomination.save(force_insert=True)
    offer = offer_authority(nomination, powers, actor=actor, now=now)
    sync_grants([system.pk])
    if tell:
        _tell_nominee(nomination, system, now)
    record(
        Kind.SYSTEM_OWNER_NOMINATED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        after={
            "nominee": nominee.audit_id,
            "nomination": nomination.pk,
            "due": nomination.due_on.isoformat(),
            **({"authority": offer.powers} if offer else {}),
        },
        reason=reason,
        private={"nominee_name": nominee.display_name},
        cause=cause,
    )
    return nomination


def _refuse_nomination(system: System, nominee: Person) -> None:
    if system.stage == Stage.RETIRED:
        raise Refused(f"{system.name} is retired. Nobody is nominated for a retired system.")
    if system.owner_id == nominee.pk and system.owner_basis == System.Basis.ACCEPTED:
        raise Refused(f"{nominee.display_name} answers for {system.name} already.")
    waiting = Nomination.objects.filter(system=system, state="open").select_related("nominee").first()
    if waiting is not None:
        raise Refused(
            f"{waiting.nominee.display_name} is nominated already. Withdraw that nomination, or wait for the answer."
        )
    _refuse_while_handed_over(system)


def _refuse_while_handed_over(system: System) -> None:
    handover = Handover.objects.filter(system=system, state__in=RUNNING).select_related("incoming").first()
    if handover is not None:
        raise Refused(
            f"{system.name} is being handed over to {handover.incoming.display_name}. "
            "Cancel that hand-over, or wait until both have signed."
        )


@transaction.atomic
def nominate_many(
    systems: Iterable[System],
    nominee: Person,
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    powers: Powers = NO_POWERS,
) -> list[Nomination]:
    """Ask a person to answer for several systems: all or nothing, in one message.

    Raises Refused for no system, and whatever nominate_owner refuses for one of them. The systems are locked
    in the order of their ids, so that two such verbs can't wait for each other.
    """
    nominations = [
        nominate_owner(system, nominee, actor=actor, now=now, reason=reason, powers=powers, tell=False)
        for system in locked_in_order(systems)
    ]
    if not nominations:
        raise Refused("Choose at least one system.")
    if len(nominations) == 1:
        _tell_nominee(nominations[0], nominations[0].system, now)
    else:
        _tell_of_many(nominations, now)
    return nominations


def _tell_of_many(nominations: list[Nomination], now: datetime) -> None:
    first, count = nominations[0], len(nominations)
    by = first.nominated_by.display_name if first.nominated_by else "An import"
    named = "\n".join(f"- {one.system.name} ({one.system.key})" for one in nominations[:NAMED_IN_A_MESSAGE])
    more = f"\nand {count - NAMED_IN_A_MESSAGE} more" if count > NAMED_IN_A_MESSAGE else ""
    enqueue(
        key=f"nomination:{first.pk}:asked:{count}",
        recipient=first.nominee,
        subject=f"Accept or decline: answer for {count} systems",
        body=(
            f"{by} nominated you to answer for {count} systems:\n{named}{more}\n"
            "Until you accept, those who answer for them now go on doing so.\n"
            f"Accept or decline each by {first.due_on:%d %b %Y}. They wait on your home page."
        ),
        path="/",
        now=now,
    )


def answer_due(now: datetime) -> date:
    """The local date by which a nomination made now is answered."""
    return add_working_days(local_date(now), ANSWER_WITHIN)


def _tell_nominee(nomination: Nomination, system: System, now: datetime) -> None:
    by = nomination.nominated_by.display_name if nomination.nominated_by else "An import"
    as_interim = " as interim owner" if system.owner_basis == System.Basis.INTERIM else ""
    enqueue(
        key=f"nomination:{nomination.pk}:asked",
        recipient=nomination.nominee,
        subject=f"Accept or decline: answer for {system.name}",
        body=(
            f"{by} nominated you to answer for {system.name} ({system.key}).\n"
            f"Until you accept, {system.owner.display_name} answers{as_interim}.\n"
            f"Accept or decline by {nomination.due_on:%d %b %Y}."
        ),
        path=f"/nominations/{nomination.pk}/",
        now=now,
    )


def _open(nomination: Nomination) -> Nomination:
    """The nomination and its system, locked in that order: system first, as every verb does."""
    locked(nomination.system)
    fresh = Nomination.objects.select_for_update(no_key=True).select_related("system", "nominee").get(pk=nomination.pk)
    if fresh.state != Nomination.State.OPEN:
        raise Refused(f"This nomination was {fresh.get_state_display().lower()} already.")
    return fresh


@transaction.atomic
def accept_ownership(
    nomination: Nomination, *, actor: Person, now: datetime, cause: uuid.UUID | None = None
) -> OwnershipTerm | Handover:
    """The nominee says yes. Where an interim owner stands in, the nominee answers from now on.

    Where somebody accepted answers, nothing changes hands yet: a hand-over opens, and both sign it. Raises
    NotAllowed for anybody but the nominee, Refused where the nomination is not open or the nominee can't answer
    any more.
    """
    nomination = _open(nomination)
    _require_nominee(nomination, actor)
    require_can_answer(held(nomination.nominee))
    _answer(nomination, Nomination.State.ACCEPTED, now)
    system = nomination.system
    if system.owner_basis == System.Basis.ACCEPTED and held(system.owner).is_active:
        return _open_handover(nomination, actor=actor, now=now, cause=cause)
    return take_over(nomination, actor=actor, now=now, label="Nominated and accepted", cause=cause)


def take_over(
    nomination: Nomination, *, actor: Person, now: datetime, label: str, cause: uuid.UUID | None = None
) -> OwnershipTerm:
    """The nominee answers from now on, with the authority that was offered. Part of the verbs that end so."""
    system, before = nomination.system, nomination.system.owner
    steps = [{"source": "nomination", "label": label, "person": str(actor.pk), "outcome": "chosen"}]
    change_owner(system, actor, System.Basis.ACCEPTED, now=now, derivation=steps)
    sync_grants([system.pk])
    event = record(
        Kind.SYSTEM_OWNER_ACCEPTED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        before={"owner": before.audit_id},
        after={"owner": actor.audit_id, "basis": "accepted", "nomination": nomination.pk},
        private={"owner_name": actor.display_name, "previous_name": before.display_name},
        cause=cause,
    )
    term = OwnershipTerm.objects.get(system=system, period__upper_inf=True)
    grant_offered(nomination, term, subject=system_subject(system), now=now, cause=cause or event)
    return term


def _open_handover(nomination: Nomination, *, actor: Person, now: datetime, cause: uuid.UUID | None = None) -> Handover:
    system = nomination.system
    handover = Handover(
        system=system,
        nomination=nomination,
        outgoing=system.owner,
        incoming=actor,
        opened_at=now,
        due_on=answer_due(now),
    )
    handover.full_clean()
    handover.save(force_insert=True)
    sync_grants([system.pk])
    record(
        Kind.HANDOVER_OPENED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        after={
            "handover": str(handover.pk),
            "nomination": nomination.pk,
            "outgoing": handover.outgoing.audit_id,
            "incoming": actor.audit_id,
            "due": handover.due_on.isoformat(),
        },
        private={"incoming_name": actor.display_name, "outgoing_name": handover.outgoing.display_name},
        cause=cause,
    )
    enqueue(
        key=f"handover:{handover.pk}:opened",
        recipient=handover.outgoing,
        subject=f"Hand over {system.name} to {actor.display_name}",
        body=(
            f"{actor.display_name} said yes to answer for {system.name} ({system.key}).\n"
            "Nothing changes hands yet: write your judgement and sign the hand-over, then your successor signs. "
            f"Until both have signed, you answer.\nSign by {handover.due_on:%d %b %Y}."
        ),
        path=f"/handovers/{handover.pk}/",
        now=now,
    )
    return handover


@transaction.atomic
def decline_ownership(
    nomination: Nomination, *, actor: Person, now: datetime, reason: str, cause: uuid.UUID | None = None
) -> Nomination:
    """The nominee says no, with a reason that goes to the head of the system's unit.

    Raises NotAllowed for anybody but the nominee, Refused without a reason or where it is not open.
    """
    if not reason.strip():
        raise Refused("Say why you decline. The head of the unit reads it.")
    nomination = _open(nomination)
    _require_nominee(nomination, actor)
    _answer(nomination, Nomination.State.DECLINED, now, reason.strip())
    sync_grants([nomination.system_id])
    _tell_unit_head(nomination, now)
    record(
        Kind.SYSTEM_OWNER_DECLINED,
        actor=actor,
        subject=system_subject(nomination.system),
        now=now,
        before={"nominee": actor.audit_id},
        after={"nomination": nomination.pk},
        reason=reason,
        cause=cause,
    )
    return nomination


def _tell_unit_head(nomination: Nomination, now: datetime) -> None:
    """Decisions go upward: to the first active head above, else to whoever holds the mandate."""
    enqueue(
        key=f"nomination:{nomination.pk}:declined",
        recipient=acting_head_above(nomination.system, now),
        subject=f"Declined: {nomination.nominee.display_name} does not answer for {nomination.system.name}",
        body=(
            f"{nomination.nominee.display_name} declined to answer for {nomination.system.name} "
            f"({nomination.system.key}).\nReason: {nomination.answer_reason}\nNominate somebody else."
        ),
        path=f"/systems/{nomination.system.key}/",
        now=now,
    )


def head_above(system: System, now: datetime) -> Person:
    """The first active head of the system's unit and the units above it, else the mandate holder."""
    return interim_for(system.unit, now=now)[0]


def acting_head_above(system: System, now: datetime) -> Person:
    """That head, or who acts while the head is away."""
    return acting_for(head_above(system, now), now).acts


@transaction.atomic
def withdraw_nomination(
    nomination: Nomination,
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    tell: bool = True,
    cause: uuid.UUID | None = None,
) -> Nomination:
    """Take an open nomination back, such as a mistaken one; the nominee is told.

    `tell=False` is for a verb that says several in one message. Raises Refused where it is not open.
    """
    nomination = _open(nomination)
    _answer(nomination, Nomination.State.WITHDRAWN, now, reason.strip())
    sync_grants([nomination.system_id])
    if tell:
        _tell_withdrawn([nomination], actor, now)
    record(
        Kind.SYSTEM_OWNER_WITHDRAWN,
        actor=actor,
        subject=system_subject(nomination.system),
        now=now,
        before={"nominee": nomination.nominee.audit_id},
        after={"nomination": nomination.pk},
        reason=reason,
        cause=cause,
    )
    return nomination


@transaction.atomic
def withdraw_many(
    nominations: Iterable[Nomination], *, actor: Actor, now: datetime, reason: str = ""
) -> list[Nomination]:
    """Take several nominations back: all or nothing, each nominee is told in one message.

    Raises Refused for none, and where one of them is not open any more.
    """
    found = {nomination.system_id: nomination for nomination in nominations}
    locked_in_order(nomination.system for nomination in found.values())
    withdrawn = [
        withdraw_nomination(found[system], actor=actor, now=now, reason=reason, tell=False) for system in sorted(found)
    ]
    if not withdrawn:
        raise Refused("There is no nomination to withdraw.")
    for nominee in sorted({one.nominee_id for one in withdrawn}):
        _tell_withdrawn([one for one in withdrawn if one.nominee_id == nominee], actor, now)
    return withdrawn


def _tell_withdrawn(nominations: list[Nomination], actor: Actor, now: datetime) -> None:
    first, count = nominations[0], len(nominations)
    what = f"{first.system.name} ({first.system.key})" if count == 1 else f"{count} systems"
    named = [f"- {one.system.name} ({one.system.key})" for one in nominations[:NAMED_IN_A_MESSAGE]]
    body = [f"{actor.audit_name} withdrew the nomination. You are not asked to answer for {what} any more."]
    enqueue(
        key=f"nomination:{first.pk}:withdrawn:{count}",
        recipient=first.nominee,
        subject=f"Withdrawn: you are not asked to answer for {what}",
        body="\n".join(body + (named if count > 1 else [])),
        path="/",
        now=now,
    )


def _require_nominee(nomination: Nomination, actor: Person) -> None:
    if nomination.nominee_id != actor.pk:
        raise NotAllowed(f"Only {nomination.nominee.display_name} can answer this nomination.")


def _answer(nomination: Nomination, state: Nomination.State, now: datetime, reason: str = "") -> None:
    nomination.state, nomination.answered_at, nomination.answer_reason = state, now, reason
    nomination.full_clean(exclude=["system", "nominee"])
    nomination.save(update_fields=["state", "answered_at", "answer_reason"])
