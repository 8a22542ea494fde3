"""The rules of hand-over and authority hold in the database: raw SQL in both roles, and two at the same moment."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors

from apps.common.errors import Refused
from apps.people import actions as people
from apps.registry import actions
from apps.registry.models import Handover, HandoverSignature, OwnershipTerm, System
from apps.registry.rules.authority import Powers
from tests import databases
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.hostile.races import at_once
from tests.registry.test_handover import HOUR, a_handover, complete, sign

pytestmark = pytest.mark.committed
INTEGRITY = errors.IntegrityConstraintViolation
RESTRICT = errors.RestrictViolation


@pytest.fixture(params=["application", "owner"])
def shell(committed_db: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """A live database shell in each of the two roles."""
    url = databases.app_url if request.param == "application" else databases.owner_url
    with psycopg.connect(url(committed_db), autocommit=True) as connection:
        yield connection


def refused(shell: psycopg.Connection[Any], by: Any, *statements: str, **values: Any) -> None:
    """All statements in one transaction are refused at the last, or at its end."""
    with pytest.raises(by):
        _together(shell, statements, values)


def _together(shell: psycopg.Connection[Any], statements: Sequence[str], values: dict[str, Any]) -> None:
    with shell.transaction():
        for statement in statements:
            shell.execute(statement, values)


def test_no_other_owner_without_both_signatures(shell: psycopg.Connection[Any], committed_db: str) -> None:
    cast = Cast()
    handover = a_handover(cast)
    system, nils = handover.system_id, cast.nils.pk
    appoint = (
        "UPDATE registry_ownershipterm SET period = tstzrange(lower(period), clock_timestamp() + interval '1 year') "
        "WHERE system_id = %(system)s AND upper_inf(period)",
        "INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation) VALUES "
        "(%(system)s, %(nils)s, 'accepted', tstzrange(clock_timestamp() + interval '1 year', NULL), '[]')",
        "UPDATE registry_system SET owner_id = %(nils)s WHERE id = %(system)s",
    )
    refused(shell, INTEGRITY, *appoint, system=system, nils=nils)
    cancel = (
        "UPDATE registry_handover SET state = 'cancelled', ended_at = now(), end_reason = 'x' WHERE id = %(handover)s"
    )
    refused(shell, INTEGRITY, cancel, *appoint, system=system, nils=nils, handover=handover.pk)
    assert System.objects.get(pk=system).owner_id == cast.ada.pk


@pytest.mark.parametrize(
    ("change", "by"),
    [
        ("state = 'complete', ended_at = now()", (errors.RaiseException, RESTRICT)),
        ("state = 'signed'", (RESTRICT, errors.CheckViolation)),
        ("state = 'signed', pack = 'x', judgement = 'y', pack_sha256 = encode(sha256('x'), 'hex')", RESTRICT),
        ("pack = 'x'", errors.CheckViolation),
        ("incoming_id = outgoing_id", (RESTRICT, errors.CheckViolation)),
        ("due_on = due_on + 1", RESTRICT),
        ("state = 'cancelled', ended_at = now()", errors.CheckViolation),
        ("state = 'cancelled', end_reason = 'x'", errors.CheckViolation),
    ],
)
def test_an_open_hand_over(shell: psycopg.Connection[Any], committed_db: str, change: str, by: Any) -> None:
    handover = a_handover(Cast())
    refused(shell, by, f"UPDATE registry_handover SET {change} WHERE id = %(pk)s", pk=handover.pk)
    handover.refresh_from_db()
    assert handover.state == "open"


def test_a_signed_hand_over_is_frozen(shell: psycopg.Connection[Any], committed_db: str) -> None:
    cast = Cast()
    handover = a_handover(cast)
    sign(handover, cast)
    for change in ("judgement = 'z'", "vendor_contacts = 'z'", "pack = 'z', pack_sha256 = encode(sha256('z'), 'hex')"):
        refused(shell, RESTRICT, f"UPDATE registry_handover SET {change} WHERE id = %(pk)s", pk=handover.pk)
    refused(
        shell, RESTRICT, "UPDATE registry_handover SET state = 'complete', ended_at = now() WHERE id = %(pk)s",
        pk=handover.pk,
    )  # fmt: skip
    denied = (RESTRICT, errors.InsufficientPrivilege)
    refused(shell, denied, "UPDATE registry_handoversignature SET signer_name = 'x'")
    refused(shell, denied, "DELETE FROM registry_handoversignature")
    refused(shell, denied, "TRUNCATE registry_handoversignature")
    refused(shell, (RESTRICT, errors.ForeignKeyViolation), "DELETE FROM registry_handover")
    refused(shell, (*denied, errors.FeatureNotSupported), "TRUNCATE registry_handover CASCADE")
    assert HandoverSignature.objects.count() == 1


def test_a_signature_that_moves_nothing_on(shell: psycopg.Connection[Any], committed_db: str) -> None:
    cast = Cast()
    handover = a_handover(cast)
    insert = (
        "INSERT INTO registry_handoversignature (handover_id, side, signer_id, signer_name, signer_title, statement, "
        "payload, payload_sha256, auth_method, auth_at, signed_at) VALUES (%(pk)s, %(side)s, %(signer)s, 'x', '', 'x', "
        "'x', encode(sha256('x'), 'hex'), 'password', now(), now())"
    )
    pack = (
        "UPDATE registry_handover SET pack = 'x', judgement = 'y', pack_sha256 = encode(sha256('x'), 'hex') "
        "WHERE id = %(pk)s"
    )
    values = {"pk": handover.pk, "side": "outgoing", "signer": cast.ada.pk}
    refused(shell, RESTRICT, insert, **values)
    refused(shell, INTEGRITY, pack, insert, **values)
    refused(shell, errors.CheckViolation, pack, insert, **{**values, "signer": cast.nils.pk})
    refused(shell, RESTRICT, pack, insert, **{**values, "side": "incoming", "signer": cast.nils.pk})
    # Both signatures and no change of hands: refused at the end of the transaction.
    both = (
        pack, insert, "UPDATE registry_handover SET state = 'signed' WHERE id = %(pk)s",
        insert.replace("%(side)s, %(signer)s", "'incoming', %(nils)s"),
        "UPDATE registry_handover SET state = 'complete', ended_at = now() WHERE id = %(pk)s",
    )  # fmt: skip
    refused(shell, INTEGRITY, *both, **values, nils=cast.nils.pk)
    assert not HandoverSignature.objects.exists()


def test_both_are_active_while_it_runs(shell: psycopg.Connection[Any], committed_db: str) -> None:
    cast = Cast()
    a_handover(cast)
    refused(
        shell, errors.ForeignKeyViolation,
        "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %(nils)s", nils=cast.nils.pk,
    )  # fmt: skip


def test_authority_in_the_database(shell: psycopg.Connection[Any], committed_db: str) -> None:
    cast = Cast()
    system = a_system(cast, owner=cast.ada)
    actions.grant_authority(system, Powers(may_stop=True), actor=cast.mara, now=NOW + HOUR)
    terms = {term.basis: term.pk for term in OwnershipTerm.objects.filter(system=system)}
    insert = (
        "INSERT INTO registry_authority "
        "(term_id, may_stop, may_revoke, spend_cap, currency, granted_by_id, granted_at, note) "
        "VALUES (%(term)s, true, false, %(cap)s, %(currency)s, %(granter)s, now(), '')"
    )
    usual = {"term": terms["accepted"], "cap": None, "currency": "", "granter": cast.mara.pk}
    refused(shell, errors.UniqueViolation, insert, **usual)
    refused(shell, errors.CheckViolation, insert, **{**usual, "term": terms["interim"]})
    refused(shell, errors.CheckViolation, insert, **{**usual, "granter": cast.ivan.pk})
    refused(shell, errors.CheckViolation, insert, **{**usual, "granter": cast.robot.pk})
    end = "UPDATE registry_authority SET ended_at = now()"
    for cap, currency in ((None, "EUR"), (5, ""), (-5, "EUR"), (5, "eur")):
        refused(shell, errors.CheckViolation, end, insert, **{**usual, "cap": cap, "currency": currency})
    refused(shell, RESTRICT, "UPDATE registry_authority SET may_revoke = true")
    refused(shell, RESTRICT, "DELETE FROM registry_authority")
    refused(shell, (RESTRICT, errors.InsufficientPrivilege), "TRUNCATE registry_authority")
    shell.execute(end)
    refused(shell, RESTRICT, "UPDATE registry_authority SET ended_at = NULL")


def test_both_sign_at_once(committed_db: str, fresh_connection: None) -> None:
    cast = Cast()
    handover = a_handover(cast)
    results = at_once(lambda: sign(handover, cast), lambda: complete(handover, cast))
    handover.refresh_from_db()
    refusals = [one for one in results if isinstance(one, Exception)]
    assert all(isinstance(one, Refused) for one in refusals), results
    # The successor either came a moment too early, or signed what the outgoing owner had signed.
    assert handover.state == ("signed" if refusals else "complete")
    owner = System.objects.get(pk=handover.system_id).owner_id
    assert owner == (cast.ada.pk if refusals else cast.nils.pk)


def test_the_same_signature_twice_at_once(committed_db: str, fresh_connection: None) -> None:
    cast = Cast()
    handover = a_handover(cast)
    results = at_once(lambda: sign(handover, cast), lambda: sign(handover, cast))
    assert sorted(isinstance(one, Refused) for one in results) == [False, True]
    assert HandoverSignature.objects.count() == 1


def leaves(cast: Cast) -> Callable[[], Any]:
    """Ada leaves as the leaver's verb does it: an interim owner, the hand-overs, then the person."""
    from django.db import transaction

    from apps.audit.actions import record
    from apps.audit.rules import Kind
    from apps.people.actions import person_subject
    from apps.registry.actions.leavers import hand_over_systems, lock_systems_of

    def act() -> None:
        now = NOW + timedelta(hours=4)
        with transaction.atomic():
            lock_systems_of(cast.ada)
            cause = record(Kind.PERSON_CHANGED, actor=cast.mara, subject=person_subject(cast.ada), now=now)
            actions.cancel_handovers_of(cast.ada, actor=cast.mara, now=now, cause=cause)
            hand_over_systems(cast.ada, actor=cast.mara, now=now, cause=cause)
            people.deactivate_person(cast.ada, actor=cast.mara, now=now)

    return act


def test_a_yes_while_the_outgoing_owner_is_deactivated(committed_db: str, fresh_connection: None) -> None:
    cast = Cast()
    system = a_system(cast, owner=cast.ada)
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.mara, now=NOW + HOUR)

    def yes() -> object:
        return actions.accept_ownership(nomination, actor=cast.nils, now=NOW + 5 * HOUR)

    results = at_once(leaves(cast), yes)
    assert not any(isinstance(one, Exception) for one in results), results
    system.refresh_from_db()
    cast.ada.refresh_from_db()
    assert not cast.ada.is_active
    if isinstance(results[1], Handover):  # the yes came first: the hand-over ended, Nils is asked once more
        results[1].refresh_from_db()
        assert (results[1].state, system.owner_id, system.owner_basis) == ("left", cast.ben.pk, "interim")
    else:
        assert (system.owner_id, system.owner_basis) == (cast.nils.pk, "accepted")


def test_signing_while_the_outgoing_owner_leaves(committed_db: str, fresh_connection: None) -> None:
    cast = Cast()
    handover = a_handover(cast)
    sign(handover, cast)
    results = at_once(leaves(cast), lambda: complete(handover, cast))
    handover.refresh_from_db()
    system = System.objects.get(pk=handover.system_id)
    assert results[0] is None, results
    if handover.state == "complete":
        assert (system.owner_id, system.owner_basis) == (cast.nils.pk, "accepted")
    else:
        assert (handover.state, system.owner_id, system.owner_basis) == ("left", cast.ben.pk, "interim")
        assert isinstance(results[1], Refused)
