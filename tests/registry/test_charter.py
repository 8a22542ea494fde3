"""The charter of the mandate: versions, signatures, and what the database refuses."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.people import actions as people
from apps.people.models import Function, Person
from apps.people.rules import Confirmation
from apps.registry.actions import charter as verbs
from apps.registry.models import Charter, CharterSignature, GovernanceDomain, Mandate, System
from apps.registry.queries.charter import charter_breaches, charter_in_force, revision_of, seat_signatures
from tests.cast import Cast
from tests.factories import NOW, a_system

LATER = NOW + timedelta(hours=1)


def in_force(
    cast: Cast, *, holder: str = "platform", domains: dict[str, bool] | None = None, now: Any = NOW
) -> Charter:
    """A charter that is in force over these domains, else over all with authority."""
    charter = verbs.draft_charter(actor=cast.mara, now=now)
    covered = domains or dict.fromkeys(GovernanceDomain.objects.values_list("key", flat=True), True)
    verbs.change_charter(
        charter,
        holder=Function.objects.get(code=holder),
        authority="May stop any system, revoke permissions and cap spend.",
        enforcement_points=["Model gateway"],
        domains=covered,
        read=revision_of(charter),
        actor=cast.mara,
        now=now,
    )
    return verbs.put_charter_in_force(charter, actor=cast.mara, now=now)


def signed(cast: Cast, charter: Charter, **given: Any) -> CharterSignature:
    """Cleo signs for the CISO's seat."""
    fields: dict[str, Any] = {
        "declared": True,
        "typed_name": "Cleo Marchetti",
        "confirmation": Confirmation("password", LATER),
        "actor": cast.cleo,
        "now": LATER,
    }
    return verbs.sign_charter(charter, "ciso", **{**fields, **given})


def states(charter: Charter) -> dict[str, str]:
    return {row.function.code: row.state for row in seat_signatures(charter)}


def test_seats_sign_the_version_in_force(cast: Cast) -> None:
    charter = in_force(cast)
    assert states(charter) == {
        "ciso": "missing", "engineering": "vacant", "ai_lead": "vacant", "finance": "vacant",
        "legal": "missing", "board": "vacant",
    }  # fmt: skip
    signature = signed(cast, charter)
    assert states(charter)["ciso"] == "signed"
    assert (signature.signer_name, signature.signer_title) == ("Cleo Marchetti", "CISO")
    assert charter.text_sha256 in signature.payload
    asked = Message.objects.filter(key__startswith="charter:").order_by("key")
    assert [message.recipient_id for message in asked] == [cast.cleo.pk, cast.lea.pk]


def test_a_new_version_is_signed_anew_and_the_old_one_stays(cast: Cast) -> None:
    first = in_force(cast)
    signed(cast, first)
    second = in_force(cast, domains={"stop": True}, now=LATER)
    first.refresh_from_db()
    assert (first.state, first.ended_at, second.number) == ("superseded", LATER, 2)
    assert charter_in_force() == second
    assert states(second)["ciso"] == "missing"
    assert states(first)["ciso"] == "signed"
    with pytest.raises(Refused, match="Version 1 is not in force"):
        signed(cast, first)


def test_the_mandate_follows_the_charter_and_so_do_interim_owners(cast: Cast) -> None:
    nobody = a_system(cast, unit=cast.devtools)
    assert nobody.owner == cast.mara
    in_force(cast, holder="ciso")
    assert Mandate.objects.get().holder_id == "ciso"
    assert System.objects.get(pk=nobody.pk).owner == cast.cleo


def test_a_vacant_seat_cannot_hold_it(cast: Cast) -> None:
    with pytest.raises(Refused, match="Head of Finance is vacant"), transaction.atomic():
        in_force(cast, holder="finance")
    assert charter_in_force() is None
    assert Mandate.objects.get().holder_id == "platform"
    assert not Message.objects.filter(key__startswith="charter:").exists()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"declared": False}, "Tick the box"),
        ({"typed_name": "Somebody Else"}, "Type your name"),
        ({"confirmation": Confirmation("password", LATER - timedelta(minutes=6))}, "Confirm again"),
    ],
)
def test_what_a_signature_needs(cast: Cast, given: dict[str, Any], error: str) -> None:
    charter = in_force(cast)
    with pytest.raises(Refused, match=error):
        signed(cast, charter, **given)
    assert not CharterSignature.objects.exists()


def test_only_the_holder_of_the_seat_signs_and_once(cast: Cast) -> None:
    charter = in_force(cast)
    with pytest.raises(NotAllowed):
        signed(cast, charter, actor=cast.lea, typed_name="Lea Abelmann")
    signed(cast, charter)
    with pytest.raises(ValidationError):
        signed(cast, charter)
    assert CharterSignature.objects.count() == 1


def test_who_takes_the_seat_signs_anew(cast: Cast) -> None:
    charter = in_force(cast)
    signed(cast, charter)
    people.seat_person("ciso", cast.nils, actor=cast.mara, now=LATER)
    assert states(charter)["ciso"] == "holder_left"
    breach = next(one for one in charter_breaches(LATER) if one.subject == "ciso")
    assert breach.title == "Cleo Marchetti signed the charter as CISO and does not hold the seat any more."
    assert breach.person_id == cast.nils.pk
    signed(cast, charter, actor=cast.nils, typed_name="Nils Okafor")
    assert states(charter)["ciso"] == "signed"
    old = CharterSignature.objects.get(signer=cast.cleo)
    assert old.withdrawn_reason == "The seat passed to Nils Okafor."


def test_a_withdrawn_signature_is_a_breach_with_its_reason(cast: Cast) -> None:
    charter = in_force(cast)
    signature = signed(cast, charter)
    with pytest.raises(Refused, match="Say why"):
        verbs.withdraw_charter_signature(signature, reason=" ", actor=cast.cleo, now=LATER)
    with pytest.raises(NotAllowed):
        verbs.withdraw_charter_signature(signature, reason="No", actor=cast.lea, now=LATER)
    verbs.withdraw_charter_signature(signature, reason="No budget", actor=cast.cleo, now=LATER)
    titles = {one.subject: one.title for one in charter_breaches(LATER)}
    assert titles["ciso"] == "CISO withdrew the signature under the charter: No budget."
    with pytest.raises(Refused, match="already"):
        verbs.withdraw_charter_signature(signature, reason="Again", actor=cast.cleo, now=LATER)


def test_what_is_wrong_with_the_mandate(cast: Cast) -> None:
    assert [one.check for one in charter_breaches(NOW)] == ["charter"]
    in_force(cast, domains={"stop": True, "acting-on-cost": False})
    found = {(one.check, one.subject): one for one in charter_breaches(NOW)}
    assert ("charter-authority", "acting-on-cost") in found
    assert ("charter-authority", "stop") not in found
    assert found["charter-domains", "left-out"].title.startswith("The charter leaves out 36 domains: ")
    assert found["charter-signature", "legal"].person_id == cast.lea.pk
    assert found["charter-signature", "finance"].person_id == cast.mara.pk


BROKEN = [
    "UPDATE registry_charter SET authority = 'Other'",
    "UPDATE registry_charter SET holder_id = 'ciso'",
    "UPDATE registry_charter SET state = 'draft', in_force_from = NULL",
    "DELETE FROM registry_charterdomain",
    "UPDATE registry_charterdomain SET may_enforce = NOT may_enforce",
    "INSERT INTO registry_charterdomain (charter_id, domain_id, may_enforce) SELECT id, 'drills', true "
    "FROM registry_charter",
    "DELETE FROM registry_charter",
    "TRUNCATE registry_charter CASCADE",
    "UPDATE registry_chartersignature SET signer_name = 'Somebody'",
    "UPDATE registry_chartersignature SET withdrawn_at = signed_at, withdrawn_reason = ''",
    "DELETE FROM registry_chartersignature",
    "TRUNCATE registry_chartersignature",
    "UPDATE registry_mandate SET holder_id = 'ciso'",
    "INSERT INTO registry_chartersignature (charter_id, function_id, signer_id, signer_name, signer_title, meaning, "
    "payload, payload_sha256, auth_method, auth_at, signed_at, withdrawn_reason) SELECT charter_id, 'legal', "
    "signer_id, signer_name, '', meaning, payload, 'x', auth_method, auth_at, signed_at, '' "
    "FROM registry_chartersignature",
]


@pytest.mark.parametrize("statement", BROKEN)
def test_the_database_refuses(cast: Cast, statement: str) -> None:
    signed(cast, in_force(cast, domains={"stop": True}))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{statement}; SET CONSTRAINTS ALL IMMEDIATE")
    assert charter_in_force() is not None
    assert CharterSignature.objects.get().withdrawn_at is None


def test_spaces_in_a_name_do_not_keep_anybody_from_signing(cast: Cast) -> None:
    charter = in_force(cast)
    Person.objects.filter(pk=cast.cleo.pk).update(display_name="Cleo  Marchetti")
    cast.cleo.refresh_from_db()
    assert signed(cast, charter, typed_name=" Cleo Marchetti ").signer == cast.cleo
