"""Hand-over: the outgoing owner judges and signs, the successor signs, and only then the owner changes."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import SCHEDULER, Actor, Kind, canonical
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.notify.actions import Note, enqueue, enqueue_many
from apps.people.models import Person
from apps.people.rules import Confirmation, why_not_signed
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import (
    acting_head_above,
    answer_due,
    locked,
    locked_in_order,
    system_subject,
    take_over,
)
from apps.registry.models import AuthorityOffer, Handover, HandoverSignature, Nomination, OwnershipTerm
from apps.registry.models.handover import RUNNING
from apps.registry.queries.handover import pack_of, statement_of

BATCH = 500
State = Handover.State


@dataclass(frozen=True)
class Signing:
    """What somebody who signs gives: the tick, the name as typed, the proof that it is them, what they had read."""

    declared: bool
    typed_name: str
    confirmation: Confirmation
    read_sha256: str


@transaction.atomic
def note_handover(
    handover: Handover, *, vendor_contacts: str, judgement: str, actor: Person, now: datetime
) -> Handover:
    """The outgoing owner writes down what the successor has to know. Signed later.

    Raises NotAllowed for anybody else, Refused once it is signed or ended.
    """
    handover = _running(handover)
    _require(handover.outgoing, actor, "writes in this hand-over")
    _require_state(handover, State.OPEN)
    _write_notes(handover, vendor_contacts, judgement)
    record(
        Kind.HANDOVER_CHANGED,
        actor=actor,
        subject=system_subject(handover.system),
        now=now,
        after={"handover": str(handover.pk)},
    )
    return handover


def _write_notes(handover: Handover, vendor_contacts: str, judgement: str) -> None:
    handover.vendor_contacts, handover.judgement = vendor_contacts.strip(), judgement.strip()
    handover.clean_fields(exclude=["pack", "state"])
    handover.save(update_fields=["vendor_contacts", "judgement"])


@transaction.atomic
def sign_handover(
    handover: Handover,
    *,
    vendor_contacts: str,
    judgement: str,
    beyond: Mapping[str, Any],
    signing: Signing,
    actor: Person,
    now: datetime,
) -> HandoverSignature:
    """The outgoing owner signs: what is handed over is frozen with the judgement, and the successor is asked.

    `beyond` is what the register does not know (findings, dates), as it was shown; `signing.read_sha256` is the hash
    of the facts that the person read. Raises NotAllowed for anybody else, Refused without a judgement, where a fact
    changed since, where it is signed or ended, and for a signature that is not one.
    """
    handover = _running(handover)
    _require(handover.outgoing, actor, "hands this over")
    _require_state(handover, State.OPEN)
    if not judgement.strip():
        raise Refused("Write your judgement: what the successor has to know that no list says.")
    facts = pack_of(handover, beyond)
    if signing.read_sha256 != digest(facts):
        raise Refused("What is handed over changed since you opened this page. Read it again, then sign.")
    _refuse_unconfirmed(signing, actor, now)
    _write_notes(handover, vendor_contacts, judgement)
    frozen = {**facts, "vendor_contacts": handover.vendor_contacts, "judgement": handover.judgement}
    handover.pack, handover.pack_sha256 = canonical(frozen), digest(frozen)
    handover.save(update_fields=["pack", "pack_sha256"])
    signature = _sign(handover, HandoverSignature.Side.OUTGOING, signing, actor, now)
    handover.state = State.SIGNED
    handover.save(update_fields=["state"])
    _tell_incoming(handover, now)
    _record_signature(Kind.HANDOVER_SIGNED, handover, signature, actor, now)
    return signature


@transaction.atomic
def complete_handover(handover: Handover, *, signing: Signing, actor: Person, now: datetime) -> OwnershipTerm:
    """The successor signs the same pack and answers from now on, in the same transaction.

    Raises NotAllowed for anybody else, Refused before the outgoing owner signed, once it ended, and for a signature
    that is not one.
    """
    handover = _running(handover)
    _require(handover.incoming, actor, "takes this over")
    if handover.state == State.OPEN:
        raise Refused(f"{handover.outgoing.display_name} has not signed yet. You sign after that.")
    if signing.read_sha256 != handover.pack_sha256:
        raise Refused("This is not the pack that was signed. Read it again, then sign.")
    _refuse_unconfirmed(signing, actor, now)
    signature = _sign(handover, HandoverSignature.Side.INCOMING, signing, actor, now)
    handover.state, handover.ended_at, handover.ended_by = State.COMPLETE, now, actor
    handover.save(update_fields=["state", "ended_at", "ended_by"])
    event = _record_signature(Kind.HANDOVER_COMPLETED, handover, signature, actor, now)
    nomination = handover.nomination
    nomination.system = handover.system
    label = f"Hand-over signed by {handover.outgoing.display_name} and {actor.display_name}"
    term = take_over(nomination, actor=actor, now=now, label=label, cause=event)
    _tell(handover, handover.outgoing, "complete", f"{actor.display_name} answers for it from now on.", now)
    return term


@transaction.atomic
def cancel_handover(handover: Handover, *, actor: Person, now: datetime, reason: str) -> Handover:
    """End a hand-over before both have signed: the outgoing owner goes on answering. Both are told.

    Raises NotAllowed for anybody but the two and the mandate holder, Refused without a reason or once it ended.
    """
    handover = _running(handover)
    parties = {handover.outgoing_id, handover.incoming_id}
    if actor.pk not in parties and not may(actor, Permission.SYSTEM_CHANGE):
        raise NotAllowed("You may see this, but only the two who hand over and the mandate holder cancel it.")
    if not reason.strip():
        raise Refused("Say why you cancel the hand-over. Both of you read it.")
    _end(handover, State.CANCELLED, now, reason, actor)
    sync_grants([handover.system_id])
    text = f"{actor.display_name} cancelled it. {handover.outgoing.display_name} goes on answering.\nReason: {reason}"
    for person in (handover.outgoing, handover.incoming):
        if person.pk != actor.pk:
            _tell(handover, person, "cancelled", text, now)
    record(
        Kind.HANDOVER_CANCELLED,
        actor=actor,
        subject=system_subject(handover.system),
        now=now,
        after={"handover": str(handover.pk)},
        reason=reason,
    )
    return handover


def cancel_handovers_of(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID | None) -> int:
    """End every hand-over of somebody who leaves; part of the leaver's verb. Returns how many.

    Where the leaver was to take over, the outgoing owner goes on. Where the leaver was handing over, the successor,
    who has said yes, is asked once more: an interim owner stands in, so that this yes changes hands at once.
    """
    running = Handover.objects.filter(state__in=RUNNING)
    mine = running.filter(outgoing=person) | running.filter(incoming=person)
    locked_in_order([handover.system for handover in mine.select_related("system")])
    ended = list(
        mine.select_for_update(no_key=True, of=("self",))
        .select_related("system", "outgoing", "incoming", "nomination__offer")
        .order_by("system")
    )
    left = [handover for handover in ended if handover.outgoing_id == person.pk]
    Handover.objects.filter(pk__in=[one.pk for one in left]).update(state=State.LEFT, ended_at=now)
    Handover.objects.filter(pk__in=[one.pk for one in ended if one not in left]).update(
        state=State.CANCELLED, ended_at=now, end_reason="The successor left."
    )
    record_many([_ended_entry(one, person) for one in ended], actor=actor, now=now, cause=cause)
    _ask_again([one for one in left if one.incoming.is_active], actor=actor, now=now, cause=cause)
    stays = "The successor left. You go on answering. Nominate somebody else."
    enqueue_many([_note(one, one.outgoing, "left", stays) for one in ended if one not in left], now=now)
    sync_grants([handover.system_id for handover in ended])
    return len(ended)


def _ended_entry(handover: Handover, person: Person) -> Entry:
    side = "outgoing" if handover.outgoing_id == person.pk else "incoming"
    return Entry(
        Kind.HANDOVER_ENDED,
        system_subject(handover.system),
        after={"handover": str(handover.pk), "left": side},
    )


def _ask_again(handovers: list[Handover], *, actor: Actor, now: datetime, cause: uuid.UUID | None) -> None:
    """Nominate each successor anew, with the authority that was offered before."""
    asked = Nomination.objects.bulk_create(
        Nomination(
            system=one.system,
            nominee=one.incoming,
            nominated_by=one.nomination.nominated_by,
            source=one.nomination.source,
            reason=one.nomination.reason,
            created_at=now,
            due_on=answer_due(now),
        )
        for one in handovers
    )
    pairs = list(zip(handovers, asked, strict=True))
    AuthorityOffer.objects.bulk_create(
        _same_offer(one, again) for one, again in pairs if hasattr(one.nomination, "offer")
    )
    record_many([_asked_entry(one, again) for one, again in pairs], actor=actor, now=now, cause=cause)
    text = "The outgoing owner left. An interim owner stands in. Say yes once more, and you answer at once."
    enqueue_many([_note(one, one.incoming, "left", text, f"/nominations/{again.pk}/") for one, again in pairs], now=now)


def _same_offer(handover: Handover, again: Nomination) -> AuthorityOffer:
    offer = handover.nomination.offer
    return AuthorityOffer(
        nomination=again,
        offered_by=offer.offered_by,
        offered_at=offer.offered_at,
        may_stop=offer.may_stop,
        may_revoke=offer.may_revoke,
        spend_cap=offer.spend_cap,
        currency=offer.currency,
    )


def _asked_entry(handover: Handover, nomination: Nomination) -> Entry:
    return Entry(
        Kind.SYSTEM_OWNER_NOMINATED,
        system_subject(handover.system),
        after={
            "nominee": handover.incoming.audit_id,
            "nomination": nomination.pk,
            "due": nomination.due_on.isoformat(),
        },
        private={"nominee_name": handover.incoming.display_name},
    )


def escalate_handovers(*, now: datetime) -> int:
    """Escalate each overdue hand-over once; returns how many. Safe to run twice or in parallel."""
    due = Handover.objects.filter(state__in=RUNNING, escalated_at=None, due_on__lt=local_date(now))
    return sum(escalate_handover(pk, now=now) for pk in due.values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def escalate_handover(handover_id: uuid.UUID, *, now: datetime) -> bool:
    """Tell the unit's head, or who acts for the head, whose signature is missing. False where that was done."""
    unsigned = Handover.objects.filter(pk=handover_id, state__in=RUNNING, escalated_at=None)
    if not unsigned.update(escalated_at=now):
        return False
    found = Handover.objects.select_related("system__unit", "outgoing", "incoming").get(pk=handover_id)
    waits_for = found.waits_for or found.incoming
    enqueue(
        key=f"handover:{found.pk}:escalated",
        recipient=acting_head_above(found.system, now),
        subject=f"Not signed: the hand-over of {found.system.name}",
        body=(
            f"{found.system.name} ({found.system.key}) is to go from {found.outgoing.display_name} to "
            f"{found.incoming.display_name}. {waits_for.display_name} has not signed by {found.due_on:%d %b %Y}."
        ),
        path=f"/systems/{found.system.key}/",
        now=now,
    )
    record(
        Kind.HANDOVER_ESCALATED,
        actor=SCHEDULER,
        subject=system_subject(found.system),
        now=now,
        after={"handover": str(found.pk), "waits_for": waits_for.audit_id},
    )
    return True


def digest(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the facts in their canonical form, in hexadecimal."""
    return sha256(canonical(facts).encode()).hexdigest()


def _running(handover: Handover) -> Handover:
    """The hand-over and its system, locked in that order. Raises Refused once it ended."""
    locked(handover.system)
    found = (
        Handover.objects.select_for_update(no_key=True, of=("self",))
        .select_related("system__owner", "system__unit", "outgoing", "incoming", "nomination")
        .get(pk=handover.pk)
    )
    if not found.is_running:
        raise Refused(f"This hand-over ended: {found.get_state_display().lower()}.")
    return found


def _require(person: Person, actor: Person, what: str) -> None:
    if actor.pk != person.pk:
        raise NotAllowed(f"Only {person.display_name} {what}.")


def _require_state(handover: Handover, state: str) -> None:
    if handover.state != state:
        raise Refused("You have signed this hand-over. What was signed does not change.")


def _refuse_unconfirmed(signing: Signing, actor: Person, now: datetime) -> None:
    name, proof = actor.display_name, signing.confirmation
    if missing := why_not_signed(signing.declared, signing.typed_name, name, proof, now):
        raise Refused(missing)


def _sign(handover: Handover, side: str, signing: Signing, actor: Person, now: datetime) -> HandoverSignature:
    text = statement_of(handover, side)
    payload = {
        "v": "1",
        "handover": str(handover.pk),
        "system": {"key": handover.system.key, "name": handover.system.name},
        "pack_sha256": handover.pack_sha256,
        "side": str(side),
        "statement": text,
        "signer": {"id": str(actor.pk), "name": actor.display_name, "title": actor.title},
        "auth": {"method": signing.confirmation.method, "at": signing.confirmation.at.isoformat()},
        "signed_at": now.isoformat(),
    }
    return HandoverSignature.objects.create(
        handover=handover,
        side=side,
        signer=actor,
        signer_name=actor.display_name,
        signer_title=actor.title,
        statement=text,
        payload=canonical(payload),
        payload_sha256=digest(payload),
        auth_method=signing.confirmation.method,
        auth_at=signing.confirmation.at,
        signed_at=now,
    )


def _record_signature(
    kind: Kind, handover: Handover, signature: HandoverSignature, actor: Person, now: datetime
) -> uuid.UUID:
    return record(
        kind,
        actor=actor,
        subject=system_subject(handover.system),
        now=now,
        after={
            "handover": str(handover.pk),
            "pack_sha256": handover.pack_sha256,
            "payload_sha256": signature.payload_sha256,
            "auth": signature.auth_method,
        },
    )


def _end(handover: Handover, state: str, now: datetime, reason: str, actor: Person) -> None:
    handover.state, handover.ended_at, handover.ended_by, handover.end_reason = state, now, actor, reason.strip()
    handover.clean_fields(exclude=["pack"])
    handover.save(update_fields=["state", "ended_at", "ended_by", "end_reason"])


def _tell_incoming(handover: Handover, now: datetime) -> None:
    text = f"{handover.outgoing.display_name} signed. Read what is handed over and sign: you answer from then on."
    _tell(handover, handover.incoming, "signed", text, now)


def _tell(handover: Handover, person: Person, what: str, text: str, now: datetime) -> None:
    enqueue_many([_note(handover, person, what, text)], now=now)


def _note(handover: Handover, person: Person, what: str, text: str, path: str = "") -> Note:
    return Note(
        key=f"handover:{handover.pk}:{what}:{person.pk}",
        recipient=person,
        subject=f"Hand-over of {handover.system.name}",
        body=f"{handover.system.name} ({handover.system.key}).\n{text}",
        path=path or f"/handovers/{handover.pk}/",
    )
