"""Answering and signing: by the one person, on frozen facts, once and for ever."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.attestations import actions
from apps.attestations.actions import Confirmation, Stale
from apps.attestations.models import Answer, Assignment, Signature
from apps.attestations.rules import FIRST_PREVIOUS, Given
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND, SCHEDULER, digest
from apps.common.errors import NotAllowed, Refused
from tests.attestations.world import NOW, PERIOD, answer_all, register
from tests.factories import hand_over

LATER = NOW + timedelta(hours=1)
EXCEPTION = Given("no", "Nobody tried", "We test it on the copy", "2026-12-11", "high", "None")


def start(cast: Any, key: str = "one", **fields: Any) -> Assignment:
    register(cast, key, owner=fields.pop("owner", cast.ada), **fields)
    actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    return Assignment.objects.select_related("campaign", "system").get(system__key=key)


def answer(assignment: Assignment, person: Any, **special: Given) -> Assignment:
    """All in order, but for what is given."""
    return answer_all(assignment, person, now=LATER, **special)


def sign(assignment: Assignment, person: Any, **changed: Any) -> Signature:
    values: dict[str, Any] = {
        "version": assignment.version, "declared_true": True, "typed_name": person.display_name,
        "confirmation": Confirmation("password", LATER), "actor": person, "now": LATER, **changed,
    }  # fmt: skip
    return actions.sign(assignment, **values)


def refused(sql: str, *params: Any) -> str:
    """What the database says to a statement."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        _run(sql, params)
    return str(caught.value)


def _run(sql: str, params: tuple[Any, ...]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_section_is_saved_as_typed_and_changed_later(cast: Any) -> None:
    assignment = start(cast)
    half = {"response_card": Given("yes"), "kill_switch": Given("no", "", "", "some day")}
    assignment = actions.save_answers(assignment, "response", half, version=0, actor=cast.ada, now=LATER)
    assert (assignment.state, assignment.version) == ("in_progress", 1)
    assert assignment.answers.get(question="kill_switch").plan_date == "some day"
    again = actions.save_answers(assignment, "response", half, version=1, actor=cast.ada, now=LATER)
    assert again.version == 1
    assert AuditEvent.objects.filter(kind="attestation.answered").count() == 1
    actions.save_answers(assignment, "response", {"kill_switch": Given("yes")}, version=1, actor=cast.ada, now=LATER)
    assert assignment.answers.get(question="kill_switch").given == Given("yes")


def test_two_windows_conflict_only_over_the_same_answer(cast: Any) -> None:
    assignment = start(cast)
    actions.save_answers(assignment, "response", {"drills": Given("yes")}, version=0, actor=cast.ada, now=LATER)
    actions.save_answers(assignment, "ownership", {"deputy": Given("yes")}, version=0, actor=cast.ada, now=LATER)
    with pytest.raises(Stale) as caught:
        actions.save_answers(assignment, "response", {"drills": Given("no")}, version=0, actor=cast.ada, now=LATER)
    assert caught.value.version == 2
    assert Answer.objects.get(question="drills").value == "yes"


def test_nobody_else_answers_or_signs(cast: Any) -> None:
    assignment = start(cast)
    for person in (cast.ben, cast.una, cast.mara, cast.eve):
        with pytest.raises(NotAllowed):
            actions.save_answers(assignment, "response", {"drills": Given("yes")}, version=0, actor=person, now=LATER)
    assignment = answer(assignment, cast.ada)
    with pytest.raises(NotAllowed):
        sign(assignment, cast.mara)


def test_a_clean_signature(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    signature = sign(assignment, cast.ada)
    assignment.refresh_from_db()
    assert (assignment.state, assignment.submitted_at) == ("submitted", LATER)
    assert (signature.meaning, signature.exceptions) == ("certify", 0)
    assert signature.signer_name == "Ada Nwosu"
    assert signature.prev_hash == FIRST_PREVIOUS
    assert signature.payload_sha256 == digest(signature.payload)
    payload = json.loads(signature.payload)
    assert payload["facts_sha256"] == assignment.snapshot.sha256
    assert payload["statement"].startswith("I answer for ONE.")
    assert len([a for part in payload["sections"] for a in part["answers"]]) == 19
    assert AuditEvent.objects.filter(kind="attestation.signed").count() == 1


def test_exceptions_change_the_statement(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada, kill_switch=EXCEPTION, drills=Given("cannot_attest", "New team"))
    signature = sign(assignment, cast.ada)
    assert (signature.meaning, signature.exceptions) == ("acknowledge", 2)
    assert "I declare 2 exceptions" in signature.statement


def test_signatures_are_one_chain(cast: Any) -> None:
    register(cast, "two", owner=cast.ada)
    first = sign(answer(start(cast), cast.ada), cast.ada)
    other = Assignment.objects.select_related("campaign", "system").get(system__key="two")
    second = sign(answer(other, cast.ada), cast.ada)
    assert second.prev_hash == first.payload_sha256


def test_an_interim_owner_signs_as_interim(cast: Any) -> None:
    assignment = start(cast, owner=None)
    signature = sign(answer(assignment, cast.una), cast.una)
    assert signature.signer_basis == "interim"
    assert "as interim owner" in signature.statement


def test_who_owns_it_today_signs_and_both_are_named(cast: Any) -> None:
    assignment = start(cast)
    hand_over(cast, assignment.system, cast.nils, now=NOW)
    assignment.refresh_from_db()
    with pytest.raises(NotAllowed, match="Nils Okafor"):
        answer(assignment, cast.ada)
    signature = sign(answer(assignment, cast.nils), cast.nils)
    assert (signature.signer_name, signature.assigned_name) == ("Nils Okafor", "Ada Nwosu")
    assignment.refresh_from_db()
    assert assignment.person == cast.ada


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"declared_true": False}, "Tick the box"),
        ({"typed_name": "A. Nwosu"}, "as it is in your profile: Ada Nwosu"),
        ({"typed_name": "ada nwosu"}, "as it is in your profile"),
        ({"confirmation": Confirmation("password", LATER - timedelta(minutes=6))}, "Confirm again"),
        ({"confirmation": Confirmation("password", LATER + timedelta(minutes=1))}, "Confirm again"),
        ({"confirmation": Confirmation("", LATER)}, "Confirm again"),
        ({"version": 3}, "another window"),
    ],
)
def test_what_a_signature_needs(cast: Any, change: dict[str, Any], words: str) -> None:
    assignment = answer(start(cast), cast.ada)
    with pytest.raises(Refused, match=words):
        sign(assignment, cast.ada, **change)
    assert not Signature.objects.exists()


def test_incomplete_answers_are_not_signed(cast: Any) -> None:
    assignment = start(cast)
    with pytest.raises(Refused, match="not complete"):
        sign(assignment, cast.ada)
    assignment = answer(assignment, cast.ada, kill_switch=Given("no", "Nobody tried"))
    with pytest.raises(Refused, match="Response of ONE is not complete"):
        sign(assignment, cast.ada)


def test_after_the_end_nothing_is_saved_or_signed(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    end = assignment.campaign.closes_at
    confirmed = Confirmation("password", end)
    with pytest.raises(Refused, match="closed"):
        sign(assignment, cast.ada, now=end, confirmation=confirmed)
    actions.begin_rollup(assignment.campaign, actor=SCHEDULER, now=end)
    with pytest.raises(Refused, match="closed"):
        actions.save_answers(assignment, "response", {"drills": Given("no")}, version=9, actor=cast.ada, now=end)
    assert "do not change" in refused("UPDATE attestations_answer SET value = 'no'")


def test_signed_answers_do_not_change(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    sign(assignment, cast.ada)
    with pytest.raises(Refused, match="does not change"):
        actions.save_answers(assignment, "response", {"drills": Given("no")}, version=9, actor=cast.ada, now=LATER)
    with pytest.raises(Refused, match="does not change"):
        sign(assignment, cast.ada)
    for sql in (
        "UPDATE attestations_answer SET value = 'no'",
        "DELETE FROM attestations_answer",
        "INSERT INTO attestations_answer (assignment_id, question, value, comment, plan, plan_date, severity, control,"
        " text, day, fact, contradiction, explanation, answered_by_id, saved_at, version)"
        " SELECT id, 'extra', 'yes', '', '', '', '', '', '', '', '', '', '', person_id, now(), 1"
        " FROM attestations_assignment",
    ):
        assert "do not change" in refused(sql)


def test_the_database_refuses_to_skip_or_unfreeze(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    assert "by a signature" in refused("UPDATE attestations_assignment SET state = 'submitted', submitted_at = now()")
    assert "Invalid transition" in refused("UPDATE attestations_assignment SET state = 'pending'")
    assert "frozen" in refused("UPDATE attestations_assignment SET due_on = due_on + 9")
    assert "frozen" in refused("UPDATE attestations_campaign SET closes_at = closes_at + interval '1 day'")
    assert "frozen" in refused("UPDATE attestations_campaign SET scope_hash = repeat('0', 64)")
    assert "never deleted" in refused("DELETE FROM attestations_assignment")
    assert "frozen at its opening" in refused(
        "INSERT INTO attestations_assignment (campaign_id, system_id, snapshot_id, person_id, owner_basis, tier,"
        " unit_id, due_on, delta, sampled, because, state, result, round, opened_at, stale_because, version)"
        " SELECT campaign_id, system_id, snapshot_id, person_id, owner_basis, tier, unit_id, due_on, delta, '', '',"
        " 'pending', '', 1, now(), '[]', 0 FROM attestations_assignment"
    )
    copy = (
        "INSERT INTO attestations_signature (kind, seat, round, batch_size, assignment_id, signer_id, signer_name,"
        " signer_title, signer_function, signer_basis, assigned_name, meaning, statement, exceptions, payload,"
        " payload_sha256, prev_hash, auth_method, auth_at, signed_at) SELECT 'attestation', '', round, 1, id,"
        " person_id, 'Ada', '', '', 'accepted', 'Ada', 'certify', 's', 0, '{}',"
        " encode(sha256('{}'), 'hex'), %s, 'password', now(), now() FROM attestations_assignment"
    )
    assert "hash of the signature before it" in refused(copy, "1" * 64)
    assert "submits its attestation" in refused(copy, FIRST_PREVIOUS)
    assert assignment.is_open


@pytest.mark.committed
def test_not_even_the_owner_of_the_database_changes_what_is_signed(committed_db: str, as_owner: Any) -> None:
    import psycopg

    from tests.cast import Cast

    cast = Cast()
    sign(answer(start(cast), cast.ada), cast.ada)
    with as_owner(committed_db) as owner:
        for sql in (
            "UPDATE attestations_signature SET signer_name = 'Somebody'",
            "DELETE FROM attestations_signature",
            "TRUNCATE attestations_signature CASCADE",
            "UPDATE attestations_scopesnapshot SET facts = '{}'",
            "DELETE FROM attestations_scopesnapshot",
            "TRUNCATE attestations_scopesnapshot CASCADE",
            "TRUNCATE attestations_answer",
            "TRUNCATE attestations_assignment CASCADE",
            "TRUNCATE attestations_campaign CASCADE",
            "UPDATE attestations_answer SET comment = 'no'",
        ):
            with pytest.raises(psycopg.DatabaseError, match=r"for ever|never|frozen|do not change"):
                owner.execute(sql)
    # The application's role is not even granted it.
    assert "permission denied" in refused("UPDATE attestations_signature SET signer_name = 'Somebody'")


def test_the_first_look_is_noted_once(cast: Any) -> None:
    assignment = start(cast)
    actions.view_assignment(assignment, actor=cast.ada, now=LATER)
    actions.view_assignment(assignment, actor=cast.ada, now=LATER + timedelta(hours=1))
    assignment.refresh_from_db()
    assert assignment.first_viewed_at == LATER
    assert AuditEvent.objects.filter(kind="attestation.viewed").count() == 1
