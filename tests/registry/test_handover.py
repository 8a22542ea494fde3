"""Hand-over: a successor says yes, the outgoing owner signs, the successor signs, and only then hands change."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.people.models import Absence
from apps.people.rules import Confirmation
from apps.registry import actions
from apps.registry.actions.handover import Signing, digest, escalate_handovers
from apps.registry.models import Authority, Handover, HandoverSignature, Nomination, OwnershipTerm, System
from apps.registry.queries import visible_systems
from apps.registry.queries.handover import pack_of
from apps.registry.rules.authority import Powers
from tests.cast import Cast
from tests.factories import NOW, a_system

HOUR = timedelta(hours=1)
BEYOND: dict[str, Any] = {"findings": [], "incidents": "not kept here yet"}


def a_handover(cast: Cast, *, powers: Powers | None = None) -> Handover:
    """Ada's system, for which Nils has said yes."""
    system = a_system(cast, owner=cast.ada, chat_channel="#claims", vendor="Initech")
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.mara, now=NOW + HOUR, powers=powers or Powers())
    found = actions.accept_ownership(nomination, actor=cast.nils, now=NOW + 2 * HOUR)
    assert isinstance(found, Handover)
    return Handover.objects.select_related("system__unit", "outgoing", "incoming").get(pk=found.pk)


def signing(person: Any, read: str, **changes: Any) -> Signing:
    """A signature as the page gives it, three hours in."""
    usual = Signing(True, person.display_name, Confirmation("password", NOW + 3 * HOUR), read)
    return replace(usual, **changes)


def sign(handover: Handover, cast: Cast, **changes: Any) -> HandoverSignature:
    """Ada signs."""
    return actions.sign_handover(
        handover,
        vendor_contacts="Kim Ode, +49 30 555",
        judgement="Watch the Monday batch.",
        beyond=BEYOND,
        signing=signing(cast.ada, digest(pack_of(handover, BEYOND)), **changes),
        actor=cast.ada,
        now=NOW + 3 * HOUR,
    )


def complete(handover: Handover, cast: Cast, **changes: Any) -> OwnershipTerm:
    """Nils signs."""
    handover.refresh_from_db()
    return actions.complete_handover(
        handover, signing=signing(cast.nils, handover.pack_sha256, **changes), actor=cast.nils, now=NOW + 3 * HOUR
    )


def owner_of(handover: Handover) -> tuple[Any, str]:
    """Who answers now, and on what basis."""
    system = System.objects.get(pk=handover.system_id)
    return system.owner_id, system.owner_basis


def test_nothing_changes_hands_until_both_have_signed(cast: Cast) -> None:
    handover = a_handover(cast)
    assert owner_of(handover) == (cast.ada.pk, "accepted")
    assert handover.due_on.isoformat() == "2026-11-23"
    assert visible_systems(cast.nils).filter(pk=handover.system_id).exists()
    sign(handover, cast)
    handover.refresh_from_db()
    assert (handover.state, owner_of(handover)) == ("signed", (cast.ada.pk, "accepted"))
    term = complete(handover, cast)
    handover.refresh_from_db()
    assert (handover.state, owner_of(handover)) == ("complete", (cast.nils.pk, "accepted"))
    assert term.derivation[0]["label"] == "Hand-over signed by Ada Nwosu and Nils Okafor"
    mail = Message.objects.filter(key__startswith="handover:").order_by("pk")
    told = [one.recipient.display_name for one in mail.select_related("recipient")]
    assert told == ["Ada Nwosu", "Nils Okafor", "Ada Nwosu"]


def test_the_pack_is_frozen_with_the_judgement(cast: Cast) -> None:
    handover = a_handover(cast)
    signature = sign(handover, cast)
    handover.refresh_from_db()
    pack = json.loads(handover.pack)
    assert pack["judgement"] == "Watch the Monday batch."
    assert pack["vendor_contacts"] == "Kim Ode, +49 30 555"
    assert pack["system"]["vendor"] == "Initech"
    assert {row["domain"] for row in pack["letters"]} >= {"operate-monitor"} or pack["letters"]
    assert handover.pack_sha256 == sha256(handover.pack.encode()).hexdigest()
    assert json.loads(signature.payload)["pack_sha256"] == handover.pack_sha256


def test_a_fact_that_changed_since_is_read_again(cast: Cast) -> None:
    handover = a_handover(cast)
    read = digest(pack_of(handover, BEYOND))
    actions.change_system(handover.system, actor=cast.mara, now=NOW + 2 * HOUR, vendor="Other", identities=None)
    with pytest.raises(Refused, match="changed since"):
        sign(handover, cast, read_sha256=read)
    assert not HandoverSignature.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"declared": False}, "Tick the box"),
        ({"typed_name": "Ada"}, "as it is in your profile"),
        ({"confirmation": Confirmation("", NOW + 3 * HOUR)}, "Confirm again"),
        ({"confirmation": Confirmation("password", NOW + 2 * HOUR)}, "Confirm again"),
    ],
)
def test_a_signature_that_is_none(cast: Cast, changes: dict[str, Any], words: str) -> None:
    handover = a_handover(cast)
    with pytest.raises(Refused, match=words):
        sign(handover, cast, **changes)
    handover.refresh_from_db()
    assert (handover.state, handover.pack, handover.judgement) == ("open", "", "")
    assert not HandoverSignature.objects.exists()


def test_the_judgement_is_required(cast: Cast) -> None:
    handover = a_handover(cast)
    with pytest.raises(Refused, match="judgement"):
        actions.sign_handover(
            handover, vendor_contacts="", judgement="  ", beyond=BEYOND, actor=cast.ada, now=NOW + 3 * HOUR,
            signing=signing(cast.ada, digest(pack_of(handover, BEYOND))),
        )  # fmt: skip


def test_each_side_signs_for_itself_and_in_order(cast: Cast) -> None:
    handover = a_handover(cast)
    with pytest.raises(Refused, match="Ada Nwosu has not signed yet"):
        complete(handover, cast)
    with pytest.raises(NotAllowed):
        actions.complete_handover(handover, signing=signing(cast.ada, ""), actor=cast.ada, now=NOW + 3 * HOUR)
    with pytest.raises(NotAllowed):
        actions.note_handover(handover, vendor_contacts="", judgement="x", actor=cast.nils, now=NOW + 3 * HOUR)
    sign(handover, cast)
    with pytest.raises(Refused, match="You have signed"):
        sign(handover, cast)
    with pytest.raises(Refused, match="not the pack"):
        complete(handover, cast, read_sha256="0" * 64)
    assert owner_of(handover) == (cast.ada.pk, "accepted")


def test_nobody_else_is_nominated_meanwhile(cast: Cast) -> None:
    handover = a_handover(cast)
    with pytest.raises(Refused, match="being handed over to Nils Okafor"):
        actions.nominate_owner(handover.system, cast.dov, actor=cast.mara, now=NOW + 3 * HOUR)


@pytest.mark.parametrize("who", ["ada", "nils", "mara"])
def test_cancelled_with_a_reason(cast: Cast, who: str) -> None:
    handover = a_handover(cast)
    actor = getattr(cast, who)
    with pytest.raises(Refused, match="Say why"):
        actions.cancel_handover(handover, actor=actor, now=NOW + 3 * HOUR, reason=" ")
    with pytest.raises(NotAllowed):
        actions.cancel_handover(handover, actor=cast.cleo, now=NOW + 3 * HOUR, reason="x")
    actions.cancel_handover(handover, actor=actor, now=NOW + 3 * HOUR, reason="Wrong person")
    handover.refresh_from_db()
    assert (handover.state, handover.end_reason) == ("cancelled", "Wrong person")
    assert owner_of(handover) == (cast.ada.pk, "accepted")
    assert not visible_systems(cast.nils).filter(pk=handover.system_id).exists()
    told = set(Message.objects.filter(key__contains=":cancelled:").values_list("recipient_id", flat=True))
    assert told == {cast.ada.pk, cast.nils.pk} - {actor.pk}
    actions.nominate_owner(handover.system, cast.dov, actor=cast.mara, now=NOW + 4 * HOUR)


def test_a_retired_system_is_not_handed_over(cast: Cast) -> None:
    handover = a_handover(cast)
    actions.retire_system(handover.system, actor=cast.mara, now=NOW + 3 * HOUR, reason="Replaced")
    handover.refresh_from_db()
    assert (handover.state, handover.end_reason) == ("cancelled", "The system was retired.")


def test_the_outgoing_owner_leaves(cast: Cast) -> None:
    handover = a_handover(cast, powers=Powers(may_stop=True))
    ended = actions.cancel_handovers_of(cast.ada, actor=cast.mara, now=NOW + 3 * HOUR, cause=None)
    handover.refresh_from_db()
    assert (ended, handover.state) == (1, "left")
    again = Nomination.objects.get(system=handover.system, state="open")
    assert (again.nominee_id, again.offer.may_stop) == (cast.nils.pk, True)


def test_the_successor_leaves(cast: Cast) -> None:
    handover = a_handover(cast)
    actions.deactivate_person(cast.nils, actor=cast.mara, now=NOW + 3 * HOUR)
    handover.refresh_from_db()
    assert (handover.state, owner_of(handover)) == ("cancelled", (cast.ada.pk, "accepted"))
    assert not Nomination.objects.filter(state="open").exists()


def test_overdue_goes_to_who_acts_for_the_head(cast: Cast) -> None:
    handover = a_handover(cast)
    late = NOW + timedelta(days=9)
    cast.una.deputy = cast.lea
    cast.una.save()
    Absence.objects.create(person=cast.una, starts_on=NOW.date(), ends_on=late.date(), created_at=NOW)
    assert escalate_handovers(now=NOW + timedelta(days=2)) == 0
    assert escalate_handovers(now=late) == 1
    assert escalate_handovers(now=late) == 0
    message = Message.objects.get(key=f"handover:{handover.pk}:escalated")
    assert message.recipient_id == cast.lea.pk
    assert "Ada Nwosu has not signed by 23 Nov 2026" in message.body


def test_the_offered_authority_takes_force_when_hands_change(cast: Cast) -> None:
    handover = a_handover(cast, powers=Powers(may_stop=True, spend_cap=Decimal("5000"), currency="EUR"))
    assert not Authority.objects.exists()
    sign(handover, cast)
    term = complete(handover, cast)
    granted = Authority.objects.get(term=term)
    assert (granted.may_stop, granted.spend_cap, granted.granted_by_id) == (True, Decimal("5000.00"), cast.mara.pk)


def test_what_the_trail_says(cast: Cast) -> None:
    handover = a_handover(cast)
    before = set(AuditEvent.objects.values_list("id", flat=True))
    sign(handover, cast)
    complete(handover, cast)
    kinds = [e.kind for e in AuditEvent.objects.exclude(id__in=before).order_by("ts_us", "id")]
    assert sorted(kinds) == ["handover.completed", "handover.signed", "system.owner.accepted"]
