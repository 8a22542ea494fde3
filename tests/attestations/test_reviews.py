"""Accepting, sending back and re-performing: by somebody who neither signed nor owns, also against raw SQL."""

import json
from datetime import timedelta
from typing import Any

import pytest

from apps.attestations.actions.reviews import accept, accept_many, request_changes
from apps.attestations.actions.samples import perform_sample
from apps.attestations.models import Assignment, AttestationException, Review, Signature
from apps.attestations.queries.reviews import Reviewers, acceptable_at_once, sample_progress, to_review, to_sample
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from tests.attestations.after import EXCEPTION, NEXT, checks, confirmed, found, opened, signed
from tests.attestations.test_signing import answer, refused, sign


def test_the_units_head_accepts_under_a_signature(cast: Any) -> None:
    opened(cast, "one")
    assignment = signed(cast)
    review = accept(assignment, **confirmed(cast.una))
    assignment.refresh_from_db()
    assert (assignment.state, assignment.accepted_at) == ("accepted", NEXT)
    own = review.signed
    assert own is not None
    assert (own.kind, own.meaning, own.signer_name, own.batch_size) == ("acceptance", "reviewed", "Una Brandt", 1)
    payload = json.loads(own.payload)
    assert payload["reviews"][0]["attestation"] == review.signature.payload_sha256
    assert AuditEvent.objects.filter(kind="attestation.accepted").count() == 1


@pytest.mark.parametrize("name", ["ada", "ben", "eve", "dov", "nils"])
def test_nobody_else_accepts(cast: Any, name: str) -> None:
    opened(cast, "one")
    assignment = signed(cast)
    person = getattr(cast, name)
    with pytest.raises(NotAllowed):
        accept(assignment, **confirmed(person))
    with pytest.raises(NotAllowed):
        request_changes(assignment, note="More", actor=person, now=NEXT)
    assert not Review.objects.exists()
    assert Signature.objects.count() == 1
    assert found("one").state == "submitted"


def test_an_administrator_is_no_way_around(cast: Any) -> None:
    """Mara administers all, and is asked last. Of what she signed herself she accepts nothing."""
    opened(cast, "one", owner=cast.mara)
    assignment = signed(cast, person=cast.mara)
    with pytest.raises(NotAllowed):
        accept(assignment, **confirmed(cast.mara))
    assert Reviewers(NEXT).of(assignment) == cast.una


def test_who_is_asked(cast: Any) -> None:
    opened(cast, "one", owner=cast.una)
    assignment = signed(cast, person=cast.una)
    reviewers = Reviewers(NEXT)
    # Una heads the unit and signed; the AI lead's seat is vacant.
    assert reviewers.of(assignment) == cast.cleo
    assert list(to_review(cast.cleo, NEXT)) == [assignment]
    assert not list(to_review(cast.una, NEXT))
    assert not list(to_review(cast.mara, NEXT))
    assert [one.display_name for one in reviewers.candidates(cast.claims.pk)] == [
        "Una Brandt", "Cleo Marchetti", "Mara Lindt",
    ]  # fmt: skip
    assert [one.display_name for one in reviewers.candidates(cast.claims.pk, sample=True)] == [
        "Cleo Marchetti", "Mara Lindt", "Una Brandt",
    ]  # fmt: skip


def test_who_is_away_is_not_asked(cast: Any) -> None:
    from apps.people.actions import record_absence

    opened(cast, "one")
    assignment = signed(cast)
    assert list(to_review(cast.una, NEXT)) == [assignment]
    record_absence(cast.una, starts_on=NEXT.date(), ends_on=NEXT.date() + timedelta(days=3), actor=cast.una, now=NEXT)
    assert not list(to_review(cast.una, NEXT))
    assert list(to_review(cast.cleo, NEXT)) == [assignment]


def test_changes_are_asked_for_and_the_next_round_is_signed(cast: Any) -> None:
    opened(cast, "one")
    assignment = signed(cast, kill_switch=EXCEPTION)
    request_changes(assignment, note="Say who tests it.", actor=cast.una, now=NEXT)
    assignment = found("one")
    assert (assignment.state, assignment.round, assignment.result) == ("changes_requested", 2, "")
    assert assignment.reopened_until == assignment.campaign.closes_at
    mail = Message.objects.get(key=f"campaign:2026Q4:assignment:{assignment.pk}:changes:2")
    assert "Say who tests it." in mail.body
    assert mail.recipient == cast.ada
    assignment = answer(assignment, cast.ada, kill_switch=Given("yes"))
    assert assignment.state == "in_progress"
    second = sign(assignment, cast.ada)
    assert (second.round, second.meaning) == (2, "certify")
    assert [one.state for one in AttestationException.objects.all()] == ["superseded"]
    finding = AttestationException.objects.get().finding
    assert finding is not None
    assert (finding.state, finding.closed_because) == ("closed", "gone")
    accept(found("one"), **confirmed(cast.una))
    assert found("one").state == "accepted"


def test_who_has_nothing_to_change_signs_again(cast: Any) -> None:
    opened(cast, "one")
    request_changes(signed(cast), note="Look again.", actor=cast.una, now=NEXT)
    assert sign(found("one"), cast.ada).round == 2


def test_what_is_sent_back_late_has_five_working_days(cast: Any) -> None:
    from apps.attestations.actions import begin_rollup
    from apps.audit.rules import COMMAND

    campaign = opened(cast, "one", "two")
    assignment = signed(cast)
    end = campaign.closes_at + timedelta(minutes=1)
    begin_rollup(campaign, actor=COMMAND, now=end)
    request_changes(found("one"), note="Look again.", actor=cast.una, now=end)
    assignment = found("one")
    # It closed on Thursday night; the fifth working day after Friday is the next Friday.
    assert str(local_date(assignment.reopened_until - timedelta(seconds=1))) == "2026-12-18"
    assert found("two").state == "not_attested"


def test_a_note_is_needed(cast: Any) -> None:
    opened(cast, "one")
    with pytest.raises(Refused, match="what has to change"):
        request_changes(signed(cast), note="  ", actor=cast.una, now=NEXT)
    assert found("one").state == "submitted"


def test_many_are_accepted_with_one_ceremony(cast: Any) -> None:
    opened(cast, "one", "two", "three")
    rows = [signed(cast, key, known=True) for key in ("one", "two", "three")]
    reviews = accept_many(rows, **confirmed(cast.una))
    assert len(reviews) == 3
    signature = Signature.objects.get(kind="acceptance")
    assert signature.batch_size == 3
    assert json.loads(signature.payload)["batch"]["size"] == 3
    assert {found(key).state for key in ("one", "two", "three")} == {"accepted"}
    assert AuditEvent.objects.filter(kind="attestation.accepted").count() == 4


def test_what_needs_a_look_is_in_no_batch(cast: Any) -> None:
    opened(cast, "one", "two")
    rows = [signed(cast, "one", known=True), signed(cast, "two", known=True, kill_switch=EXCEPTION)]
    assert [row.system.key for row in acceptable_at_once(to_review(cast.una, NEXT))] == ["one"]
    with pytest.raises(Refused, match="TWO needs a look"):
        accept_many(rows, **confirmed(cast.una))
    assert not Review.objects.exists()
    assert Signature.objects.filter(kind="acceptance").count() == 0


def test_a_sample_is_re_performed(cast: Any) -> None:
    opened(cast, "one", sample="one")
    assignment = signed(cast)
    assert list(to_sample(cast.cleo, NEXT)) == [assignment]
    assert not list(to_sample(cast.una, NEXT))
    assert not list(to_review(cast.una, NEXT))
    with pytest.raises(Refused, match="drawn as a sample"):
        accept(assignment, **confirmed(cast.una))
    assert sample_progress(assignment.campaign).words == "0 of 1 re-performed"
    review = perform_sample(assignment, checks=checks(assignment), **confirmed(cast.cleo))
    assert (review.kind, review.verdict) == ("sample", "accepted")
    assert found("one").state == "accepted"
    assert review.signed is not None
    assert "I agree with all of them" in review.signed.statement
    assert sample_progress(assignment.campaign).words == "1 of 1 re-performed"
    assert AuditEvent.objects.filter(kind="attestation.sampled").count() == 1


def test_one_disagreement_reopens_also_what_was_accepted(cast: Any) -> None:
    opened(cast, "one")
    assignment = signed(cast)
    accept(assignment, **confirmed(cast.una))
    review = perform_sample(found("one"), checks=checks(assignment, runbook="It is from 2024"), **confirmed(cast.cleo))
    assert review.verdict == "changes"
    assignment = found("one")
    assert (assignment.state, assignment.round, assignment.accepted_at) == ("changes_requested", 2, None)
    assert "It is from 2024" in Message.objects.get(key__contains=":changes:2").body


def test_a_sample_is_complete(cast: Any) -> None:
    opened(cast, "one", sample="one")
    assignment = signed(cast)
    given = checks(assignment)
    del given["drills"]
    with pytest.raises(Refused, match="Answer again"):
        perform_sample(assignment, checks=given, **confirmed(cast.cleo))
    with pytest.raises(Refused, match="Say why you disagree"):
        perform_sample(assignment, checks=checks(assignment, drills=" "), **confirmed(cast.cleo))
    with pytest.raises(NotAllowed):
        perform_sample(assignment, checks=checks(assignment), **confirmed(cast.ada))
    assert found("one").state == "submitted"


def _review(
    assignment: Assignment, reviewer: Any, kind: str = "acceptance", verdict: str = "changes"
) -> tuple[Any, ...]:
    signature = assignment.signatures.get()
    sql = (
        "INSERT INTO attestations_review (assignment_id, signature_id, kind, verdict, checks, note, signer_id,"
        " reviewer_id, reviewed_at, signed_id) VALUES (%s, %s, %s, %s, '{}', 'More', %s, %s, now(), %s)"
    )
    signer = signature.signer_id
    return (
        sql,
        assignment.pk,
        signature.pk,
        kind,
        verdict,
        signer,
        reviewer.pk,
        signature.pk if verdict != "changes" else None,
    )


def test_the_database_knows_who_may_not_review(cast: Any) -> None:
    opened(cast, "one", owner=cast.ada)
    assignment = signed(cast)
    assert "answers for a system" in refused(*_review(assignment, cast.ada))
    assert "signed by who reviewed" in refused(*_review(assignment, cast.una, verdict="accepted"))
    assert "review of somebody else" in refused(
        "UPDATE attestations_assignment SET state = 'accepted', accepted_at = now() WHERE id = %s", assignment.pk
    )


def test_the_new_owner_does_not_review_by_sql(cast: Any) -> None:
    from tests.factories import hand_over

    opened(cast, "one")
    assignment = signed(cast)
    hand_over(cast, assignment.system, cast.una, now=NEXT)
    assert "answers for a system" in refused(*_review(assignment, cast.una))
    assert Reviewers(NEXT).of(found("one")) == cast.cleo


def test_a_sample_is_not_accepted_without_a_sample_by_sql(cast: Any) -> None:
    opened(cast, "one", "two", sample="one")
    assignment, other = signed(cast), signed(cast, "two")
    accept(other, **confirmed(cast.una))
    own = Signature.objects.get(kind="acceptance")
    under = assignment.signatures.get()
    Review.objects.create(
        assignment=assignment, signature=under, kind="acceptance", verdict="accepted", signer=cast.ada,
        reviewer=cast.una, reviewed_at=NEXT, signed=own,
    )  # fmt: skip
    assert "answered its questions again" in refused(
        "UPDATE attestations_assignment SET state = 'accepted', accepted_at = now() WHERE id = %s", assignment.pk
    )


def test_a_review_stands(cast: Any) -> None:
    opened(cast, "one")
    accept(signed(cast), **confirmed(cast.una))
    for sql in ("UPDATE attestations_review SET note = 'x'", "DELETE FROM attestations_review"):
        assert "permission denied" in refused(sql)


def test_it_is_accepted_once(cast: Any) -> None:
    opened(cast, "one")
    assignment = signed(cast)
    accept(assignment, **confirmed(cast.una))
    for again in (cast.una, cast.cleo):
        with pytest.raises(Refused, match="accepted by now"):
            accept(assignment, **confirmed(again))
    assert Review.objects.count() == 1
    assert Signature.objects.filter(kind="acceptance").count() == 1


def test_an_unconfirmed_signature_accepts_nothing(cast: Any) -> None:
    opened(cast, "one")
    assignment = signed(cast)
    for missing in ({"declared_true": False}, {"typed_name": "Ada Nwosu"}):
        with pytest.raises(Refused):
            accept(assignment, **confirmed(cast.una) | missing)
    assert found("one").state == "submitted"
    assert not Review.objects.exists()
