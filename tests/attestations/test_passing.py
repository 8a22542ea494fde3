"""Work and accountability passed on: who prepares, who takes over, what nobody wants."""

from datetime import date, timedelta
from typing import Any

import pytest

from apps.attestations import actions
from apps.attestations.models import Answer, Assignment, Delegation, Reassignment
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from apps.people.actions import deactivate_person
from apps.registry import actions as registry
from apps.registry.models import Handover, Nomination, System
from tests.attestations.test_signing import answer, refused, sign, start
from tests.attestations.world import NOW
from tests.handovers import sign_in, sign_out

LATER = NOW + timedelta(hours=1)
UNTIL = date(2026, 11, 30)


def facts() -> tuple[int, ...]:
    rows = (AuditEvent, Message, Delegation, Reassignment, Nomination)
    return tuple(model.objects.count() for model in rows)


def delegate(assignment: Assignment, cast: Any, **changed: Any) -> Delegation:
    to = changed.pop("to", cast.dov)
    values = {"sections": [], "reason": "Knows the drills", "until": UNTIL, "actor": cast.ada, "now": LATER, **changed}
    return actions.delegate_work(assignment, to, **values)


def test_who_prepares_fills_in_and_the_owner_reads_and_signs(cast: Any) -> None:
    assignment = start(cast)
    delegation = delegate(assignment, cast)
    notes = Message.objects.filter(key__startswith="delegation:").order_by("pk")
    assert list(notes.values_list("recipient__email", "subject")) == [
        ("dov@example.org", "Prepare the attestation of ONE"),
        ("ada@example.org", "Dov Watanabe prepares the attestation of ONE"),
    ]
    assignment = answer(assignment, cast.dov)
    assert set(Answer.objects.values_list("answered_by__email", flat=True)) == {"dov@example.org"}
    with pytest.raises(NotAllowed):
        sign(assignment, cast.dov)
    with pytest.raises(Refused, match="Open Ownership before you sign: Dov Watanabe filled it in"):
        sign(assignment, cast.ada)
    for section in ("ownership", "purpose", "oversight", "response", "changes", "exceptions"):
        actions.view_assignment(assignment, actor=cast.ada, now=LATER, section=section)
    signature = sign(assignment, cast.ada)
    assert signature.signer == cast.ada
    delegation.refresh_from_db()
    assert delegation.ended_at == LATER
    assert AuditEvent.objects.filter(kind="attestation.delegation_ended", cause__isnull=False).count() == 1


def test_what_was_filled_in_after_the_owner_looked_is_read_again(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    actions.view_assignment(assignment, actor=cast.ada, now=LATER, section="response")
    delegate(assignment, cast)
    after = LATER + timedelta(minutes=5)
    assignment = actions.save_answers(
        assignment, "response", {"drills": Given("not_applicable", "None due")}, version=assignment.version,
        actor=cast.dov, now=after,
    )  # fmt: skip
    with pytest.raises(Refused, match="Open Response before you sign"):
        sign(assignment, cast.ada, now=after)


def test_only_the_sections_that_were_passed_on(cast: Any) -> None:
    assignment = start(cast)
    delegate(assignment, cast, sections=["response"])
    given = {"drills": Given("yes")}
    assert actions.save_answers(assignment, "response", given, version=0, actor=cast.dov, now=LATER).version == 1
    with pytest.raises(NotAllowed):
        actions.save_answers(assignment, "ownership", {"deputy": Given("yes")}, version=1, actor=cast.dov, now=LATER)


def test_it_ends_with_its_day_by_hand_and_with_who_leaves(cast: Any) -> None:
    assignment = start(cast)
    delegate(assignment, cast, until=date(2026, 11, 11))
    given = {"drills": Given("yes")}
    with pytest.raises(NotAllowed):
        actions.save_answers(assignment, "response", given, version=0, actor=cast.dov, now=LATER + timedelta(days=2))
    assert actions.end_delegations_due(now=LATER + timedelta(days=2)) == 1
    assert actions.end_delegations_due(now=LATER + timedelta(days=2)) == 0
    again = delegate(assignment, cast, now=LATER + timedelta(days=2))
    with pytest.raises(NotAllowed):
        actions.end_delegation(again, actor=cast.nils, now=LATER)
    actions.end_delegation(again, actor=cast.dov, now=LATER)
    assert Message.objects.get(key=f"delegation:{again.pk}:ended").recipient == cast.ada
    with pytest.raises(Refused, match="ended already"):
        actions.end_delegation(again, actor=cast.ada, now=LATER)
    delegate(assignment, cast)
    deactivate_person(cast.dov, actor=cast.mara, now=LATER)
    assert actions.end_delegations_due(now=LATER) == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"reason": " "}, "Say why"),
        ({"until": date(2026, 11, 9)}, "Choose a day from today to 10 Dec 2026"),
        ({"until": date(2026, 12, 11)}, "Choose a day from today to 10 Dec 2026"),
        ({"sections": ["nothing"]}, "no section nothing"),
        ({"to": "ada"}, "yourself"),
        ({"to": "ivan"}, "deactivated"),
        ({"to": "robot"}, "service account"),
    ],
)
def test_what_a_delegation_needs(cast: Any, changed: dict[str, Any], says: str) -> None:
    assignment = start(cast)
    before = facts()
    if "to" in changed:
        changed = {"to": getattr(cast, changed["to"])}
    with pytest.raises(Refused, match=says):
        delegate(assignment, cast, **changed)
    assert facts() == before


def test_nobody_else_delegates_and_twice_is_refused(cast: Any) -> None:
    assignment = start(cast)
    for person in (cast.ben, cast.una, cast.mara):
        with pytest.raises(NotAllowed):
            delegate(assignment, cast, actor=person)
    delegate(assignment, cast)
    with pytest.raises(Refused, match="prepares it already"):
        delegate(assignment, cast)
    table = "attestations_delegation"
    assert "ended, not changed" in refused(f"UPDATE {table} SET until = '2030-01-01'")
    assert "permission denied" in refused(f"DELETE FROM {table}")
    assert "permission denied" in refused(f"TRUNCATE {table}")


def test_the_database_passes_on_no_work_of_what_is_signed(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    sign(assignment, cast.ada)
    insert = (
        "INSERT INTO attestations_delegation (assignment_id, preparer_id, sections, reason, until, given_by_id, "
        "given_at) VALUES (%s, %s, '{}', 'x', '2026-11-30', %s, now())"
    )
    assert "Only the work on an open" in refused(insert, assignment.pk, cast.dov.pk, cast.ada.pk)
    with pytest.raises(Refused, match="is signed"):
        delegate(assignment, cast)
    with pytest.raises(Refused, match="is signed"):
        actions.reassign(assignment, cast.nils, reason="x", actor=cast.ada, now=LATER)


def ask(assignment: Assignment, cast: Any, **changed: Any) -> Reassignment:
    values = {"reason": "It is his team", "actor": cast.ada, "now": LATER, **changed}
    return actions.reassign(assignment, cast.nils, **values)


def nomination_of(request: Reassignment) -> Nomination:
    """The nomination that carries a request."""
    return Nomination.objects.get(reassignment=request)


def test_somebody_is_asked_and_the_nomination_is_made_in_the_same_step(cast: Any) -> None:
    assignment = start(cast)
    request = ask(assignment, cast)
    assert (request.to_person, request.asked, str(request.answer_by)) == (cast.nils, cast.nils, "2026-11-12")
    assert (nomination_of(request).nominee, nomination_of(request).state) == (cast.nils, "open")
    note = Message.objects.get(key__startswith="reassignment:")
    assert (note.recipient, note.subject) == (cast.nils, "Accept or decline: take over the attestation of ONE")
    assert "It is due 30 Nov 2026; that date stays." in note.body
    with pytest.raises(Refused, match="was asked already"):
        ask(assignment, cast)


def test_who_may_ask(cast: Any) -> None:
    assignment = start(cast)
    for person in (cast.dov, cast.ben, cast.nils, cast.eve, cast.bo):
        before = facts()
        with pytest.raises(NotAllowed):
            ask(assignment, cast, actor=person)
        assert facts() == before
    for person in (cast.una, cast.mara, cast.cleo):
        actions.withdraw_reassignment(ask(assignment, cast, actor=person), actor=person, now=LATER)
    assert set(Nomination.objects.exclude(state="accepted").values_list("state", flat=True)) == {"withdrawn"}


def test_a_yes_opens_the_hand_over_and_the_assignment_follows_when_both_have_signed(cast: Any) -> None:
    assignment = actions.save_answers(
        start(cast), "response", {"drills": Given("yes")}, version=0, actor=cast.ada, now=LATER
    )
    request = ask(assignment, cast)
    with pytest.raises(NotAllowed):
        actions.accept_reassignment(request, actor=cast.dov, now=LATER)
    handover = actions.accept_reassignment(request, actor=cast.nils, now=LATER)
    assert isinstance(handover, Handover)
    assert actions.follow_owners(now=LATER) == 0
    sign_out(handover, now=LATER + timedelta(minutes=10))
    sign_in(handover, now=LATER + timedelta(minutes=20))
    assert actions.follow_owners(now=LATER + timedelta(minutes=30)) == 1
    fresh = Assignment.objects.get(predecessor=assignment)
    assert (fresh.person, fresh.because, fresh.due_on) == (cast.nils, "reassigned", assignment.due_on)
    assert fresh.answers.get(question="drills").answered_by == cast.ada


def test_from_an_interim_owner_it_is_theirs_at_once(cast: Any) -> None:
    assignment = start(cast, owner=None)
    owner = System.objects.get(key="one").owner
    assert owner == cast.una
    request = ask(assignment, cast, actor=owner)
    fresh = actions.accept_reassignment(request, actor=cast.nils, now=LATER)
    assert isinstance(fresh, Assignment)
    assert (fresh.person, fresh.because, fresh.predecessor_id) == (cast.nils, "reassigned", assignment.pk)
    assert sign(answer(fresh, cast.nils), cast.nils).signer == cast.nils


def test_a_no_says_why_and_it_stays(cast: Any) -> None:
    request = ask(start(cast), cast)
    with pytest.raises(Refused, match="Say why"):
        actions.decline_reassignment(request, reason=" ", actor=cast.nils, now=LATER)
    actions.decline_reassignment(request, reason="Not my team", actor=cast.nils, now=LATER)
    request.refresh_from_db()
    assert (request.state, request.answer, nomination_of(request).state) == ("declined", "Not my team", "declined")
    assert Message.objects.get(key=f"reassignment:{request.pk}:declined:{cast.ada.pk}").recipient == cast.ada
    with pytest.raises(Refused, match="was answered"):
        actions.accept_reassignment(request, actor=cast.nils, now=LATER)


def test_an_answer_on_the_register_closes_it_too(cast: Any) -> None:
    assignment = start(cast, owner=None)
    request = ask(assignment, cast, actor=cast.una)
    registry.accept_ownership(nomination_of(request), actor=cast.nils, now=LATER)
    assert actions.settle_reassignments(now=LATER) == 1
    assert actions.settle_reassignments(now=LATER) == 0
    request.refresh_from_db()
    assert (request.state, request.answered_by) == ("accepted", cast.nils)
    assert Assignment.objects.get(predecessor=assignment).because == "reassigned"


def test_not_answered_in_time_goes_up_once(cast: Any) -> None:
    request = ask(start(cast), cast)
    assert actions.escalate_reassignments(now=NOW + timedelta(days=2)) == 0
    assert actions.escalate_reassignments(now=NOW + timedelta(days=3)) == 1
    assert actions.escalate_reassignments(now=NOW + timedelta(days=4)) == 0
    note = Message.objects.get(key__startswith=f"reassignment:{request.pk}:escalated")
    assert (note.recipient, "did not answer by 12 Nov 2026" in note.body) == (cast.una, True)


def test_not_mine_goes_to_the_head_who_names_somebody(cast: Any) -> None:
    assignment = start(cast)
    request = actions.disown(assignment, reason="Moved teams", actor=cast.ada, now=LATER)
    assert (request.asked, request.to_person) == (cast.una, None)
    nobody_named = Reassignment.objects.filter(assignment=assignment, state="open", to_person=None)
    assert list(nobody_named) == [request]
    with pytest.raises(NotAllowed):
        actions.name_successor(request, cast.nils, reason="x", actor=cast.dov, now=LATER)
    second = actions.name_successor(request, cast.nils, reason="His team", actor=cast.una, now=LATER)
    request.refresh_from_db()
    assert (request.state, second.asked, nomination_of(second).nominee) == ("accepted", cast.nils, cast.nils)
    assert not nobody_named.all().exists()
    assert sign(answer(assignment, cast.ada), cast.ada).signer == cast.ada


def test_it_stays_yours_is_an_answer_with_a_reason(cast: Any) -> None:
    request = actions.disown(start(cast), reason="Moved teams", actor=cast.ada, now=LATER)
    with pytest.raises(Refused, match="Say why"):
        actions.keep_with_owner(request, reason="", actor=cast.una, now=LATER)
    actions.keep_with_owner(request, reason="Until January", actor=cast.una, now=LATER)
    request.refresh_from_db()
    assert (request.state, request.answer) == ("returned", "Until January")
    assert Message.objects.filter(key=f"reassignment:{request.pk}:returned:{cast.ada.pk}").count() == 1


def test_a_head_who_owns_it_asks_further_up(cast: Any) -> None:
    assignment = start(cast, owner=None)
    request = actions.disown(assignment, reason="I only head it", actor=cast.una, now=LATER)
    assert request.asked == cast.mara


def test_nobody_else_says_not_mine(cast: Any) -> None:
    assignment = start(cast)
    before = facts()
    for person in (cast.una, cast.mara, cast.dov):
        with pytest.raises(NotAllowed):
            actions.disown(assignment, reason="x", actor=person, now=LATER)
    with pytest.raises(Refused, match="Say why"):
        actions.disown(assignment, reason=" ", actor=cast.ada, now=LATER)
    assert facts() == before


def test_the_database_keeps_who_was_asked(cast: Any) -> None:
    ask(start(cast), cast)
    table = "attestations_reassignment"
    for change in ("reason = 'x'", "requested_by_id = asked_id", "answer_by = '2030-01-01'"):
        assert "does not change" in refused(f"UPDATE {table} SET {change}")
    assert "permission denied" in refused(f"DELETE FROM {table}")
    assert "permission denied" in refused(f"TRUNCATE {table}")


def test_who_cannot_say_says_so_once_for_all_and_signs_that(cast: Any) -> None:
    assignment = actions.save_answers(
        start(cast), "response", {"drills": Given("not_applicable", "None due")}, version=0, actor=cast.ada, now=LATER
    )
    with pytest.raises(NotAllowed):
        actions.cannot_attest(assignment, reason="New here", actor=cast.una, now=LATER)
    with pytest.raises(Refused, match="Say why"):
        actions.cannot_attest(assignment, reason="", actor=cast.ada, now=LATER)
    count = actions.cannot_attest(assignment, reason="New here", actor=cast.ada, now=LATER)
    assert assignment.answers.filter(value="cannot_attest", comment="New here").count() == count > 5
    assert assignment.answers.get(question="drills").value == "not_applicable"
    with pytest.raises(Refused, match="answered already"):
        actions.cannot_attest(assignment, reason="New here", actor=cast.ada, now=LATER)
    assignment.refresh_from_db()
    signature = sign(assignment, cast.ada)
    assert (signature.meaning, signature.exceptions) == ("acknowledge", count)
