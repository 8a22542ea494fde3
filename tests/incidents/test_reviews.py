"""The review: required where a rule says so, signed by somebody who did not lead, its actions are findings."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import AuditEvent
from apps.audit.rules import canonical, digest
from apps.common.errors import NotAllowed, Refused
from apps.findings.actions import complete_action, verify_action
from apps.findings.models import CorrectiveAction, Finding
from apps.incidents.actions.common import MeanwhileChanged
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.leads import take_lead
from apps.incidents.actions.reviews import (
    change_facilitator,
    complete_review,
    open_review,
    save_review,
    skip_review,
)
from apps.incidents.actions.states import close, reopen, resolve
from apps.incidents.models import Incident, ResponseCard, Review, Signature
from apps.incidents.rules.reviews import required_by, review_due
from apps.notify.models import Message
from tests.incidents.clock_world import sign_off
from tests.incidents.learning_world import LATER, contained, resolved, signing
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def ready(incident: Incident, **more: str) -> Review:
    review = incident.review
    texts = {"summary": "Letters of others were read.", "causes": "The permission was too wide."} | more
    return save_review(review, actor=review.facilitator, now=LATER, timeline_ok=True, **texts)


@pytest.mark.parametrize(
    ("severity", "visibility", "tier", "regulatory_class", "wanted"),
    [
        ("sev1", "open", "low", "minimal", "Severity 1"),
        ("sev2", "open", "low", "minimal", "Severity 2"),
        ("sev3", "restricted", "low", "minimal", "Restricted incident"),
        ("sev3", "privileged", "low", "minimal", "Restricted incident"),
        ("sev4", "open", "low", "high_risk", "High-risk system"),
        ("sev4", "open", "critical", "minimal", "Critical system"),
        ("sev3", "open", "high", "minimal", ""),
        ("sev4", "open", "", "", ""),
    ],
)
def test_which_rule_asks_for_it(severity: str, visibility: str, tier: str, regulatory_class: str, wanted: str) -> None:
    found = required_by(severity=severity, visibility=visibility, tier=tier, regulatory_class=regulatory_class)
    assert found == wanted


def test_due_after_five_working_days() -> None:
    # Friday evening: Monday is the first working day.
    assert review_due(datetime(2026, 11, 20, 18, 0, tzinfo=UTC)) == date(2026, 11, 27)


def test_resolving_begins_the_review(cast: Any) -> None:
    incident = resolved(cast)  # ada led

    assert incident.state == "in_review"
    review = incident.review
    assert (review.facilitator, review.lead, review.state) == (cast.una, cast.ada, "open")
    assert (review.required_by, review.due_on) == ("Severity 2", review_due(incident.resolved_at))
    event = AuditEvent.objects.get(kind="review.opened", subject_id=incident.code)
    assert str(AuditEvent.objects.get(kind="incident.resolved").pk) == str(event.cause)
    told = Message.objects.get(recipient=cast.una, subject__contains="you facilitate the review")
    assert told.path == f"/incidents/{incident.code}/review/"


def test_the_first_who_did_not_lead_facilitates(cast: Any) -> None:
    incident = resolved(cast, leads=(cast.una, cast.cleo))

    assert incident.review.lead == cast.cleo
    assert incident.review.facilitator == cast.mara


def test_a_test_or_a_drill_has_no_review(cast: Any) -> None:
    incident = resolved(cast, mode="test")

    assert incident.state == "resolved"
    assert not Review.objects.exists()
    assert close(incident, actor=cast.ada, now=LATER).state == "closed"


def test_signing_it(cast: Any) -> None:
    incident = resolved(cast)
    with pytest.raises(Refused, match=r"Confirm that the timeline is right\. Say what happened\. Say what caused it\."):
        complete_review(incident.review, signing=signing(cast.una), actor=cast.una, now=LATER)
    review = ready(incident)
    for actor in (cast.ada, cast.mara):
        with pytest.raises(NotAllowed, match="Una Brandt facilitates this review"):
            complete_review(review, signing=signing(actor), actor=actor, now=LATER)
    for wrong in (
        signing(cast.una, declared=False),
        signing(cast.una, name="Una"),
        signing(cast.una, LATER - timedelta(minutes=6)),
    ):
        with pytest.raises(Refused):
            complete_review(review, signing=wrong, actor=cast.una, now=LATER)
    assert not Signature.objects.exists()

    review = complete_review(review, signing=signing(cast.una), actor=cast.una, now=LATER, version=review.version)

    assert (review.state, review.done_at) == ("done", LATER)
    assert '"causes":"The permission was too wide."' in review.signature.payload
    assert (review.signature.kind, review.signature.person) == ("review", cast.una)
    incident.refresh_from_db()
    sign_off(incident, cast, LATER)
    assert close(incident, actor=cast.una, now=LATER).state == "closed"


def test_what_is_signed_stays(cast: Any) -> None:
    incident = resolved(cast)
    review = complete_review(ready(incident), signing=signing(cast.una), actor=cast.una, now=LATER)
    with pytest.raises(Refused, match="done already"):
        save_review(review, actor=cast.una, now=LATER, causes="Another")
    for statement in (
        "UPDATE incidents_review SET causes = 'Another'",
        "UPDATE incidents_signature SET payload = 'Another'",
        "DELETE FROM incidents_signature",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_two_who_write_at_once(cast: Any) -> None:
    review = resolved(cast).review
    save_review(review, actor=cast.una, now=LATER, version=1, summary="One")
    with pytest.raises(MeanwhileChanged):
        save_review(review, actor=cast.mara, now=LATER, version=1, summary="Another")
    review.refresh_from_db()
    assert (review.summary, review.version) == ("One", 2)


def test_skipping_it(cast: Any) -> None:
    needed = resolved(cast).review
    with pytest.raises(Refused, match="A review is needed here: severity 2"):
        skip_review(needed, reason="Small", signing=signing(cast.mara), actor=cast.mara, now=LATER)
    incident = resolved(cast, severity="sev4")
    review = incident.review
    assert review.required_by == ""
    with pytest.raises(NotAllowed, match="You led the response"):
        skip_review(review, reason="Small", signing=signing(cast.ada), actor=cast.ada, now=LATER)
    with pytest.raises(Refused, match="Say why no review is needed"):
        skip_review(review, reason=" ", signing=signing(cast.mara), actor=cast.mara, now=LATER)

    review = skip_review(review, reason="One late mail", signing=signing(cast.mara), actor=cast.mara, now=LATER)

    assert (review.state, review.signature.kind, review.signature.person) == ("skipped", "skipped_review", cast.mara)
    incident.refresh_from_db()
    sign_off(incident, cast, LATER)
    assert close(incident, actor=cast.mara, now=LATER).state == "closed"


def test_who_led_never_facilitates(cast: Any) -> None:
    incident = resolved(cast, leads=(cast.ben, cast.ada))
    review = incident.review
    for person in (cast.ada, cast.ben):
        with pytest.raises(Refused, match="led the response"):
            change_facilitator(review, person, actor=cast.mara, now=LATER)
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE incidents_review SET facilitator_id = %s", [person.pk])
    review = change_facilitator(review, cast.cleo, actor=cast.mara, now=LATER)
    assert review.facilitator == cast.cleo
    assert Message.objects.filter(recipient=cast.cleo, subject__contains="you facilitate").exists()


def test_who_led_signs_no_skip_by_raw_sql(cast: Any) -> None:
    review = resolved(cast, severity="sev4").review
    payload = canonical({
        "kind": "skipped_review", "statement": "S", "about": review.incident.code, "auth": {"method": "password"},
        "signer": {"id": str(cast.ada.pk), "name": "Ada Nwosu"},
    })  # fmt: skip
    signed = Signature.objects.create(
        kind="skipped_review", incident=review.incident, statement="S", payload=payload, person=cast.ada,
        payload_sha256=digest(payload),
        signer_name="Ada Nwosu", method="password", signed_at=LATER,
    )  # fmt: skip
    with pytest.raises(DatabaseError, match="Who led"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE incidents_review SET state = 'skipped', done_at = now(), skip_reason = 'x', signature_id = %s",
            [signed.pk],
        )


def test_opened_again_it_is_looked_at_anew(cast: Any) -> None:
    incident = resolved(cast)
    first = complete_review(ready(incident), signing=signing(cast.una), actor=cast.una, now=LATER)
    incident.refresh_from_db()
    incident = reopen(incident, reason="It happens again", actor=cast.una, now=LATER)
    incident = take_lead(incident, cast.una, actor=cast.una, now=LATER)
    incident = contained(incident, cast.una, LATER)

    incident = resolve(incident, resolution="For good", actor=cast.una, now=LATER)

    review = Review.objects.get(incident=incident)
    assert (review.state, review.signature, review.timeline_ok) == ("open", None, False)
    assert review.facilitator == cast.cleo  # una led by now
    assert Signature.objects.get().pk == first.signature_id


def test_without_anybody_it_stays_resolved(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.incidents.actions.reviews.suggested_facilitator", lambda *_: None)
    incident = resolved(cast)
    assert incident.state == "resolved"
    with pytest.raises(Refused, match="led the response"):
        open_review(incident, cast.ada, actor=cast.mara, now=LATER)
    review = open_review(incident, cast.mara, actor=cast.mara, now=LATER)
    incident.refresh_from_db()
    assert (incident.state, review.facilitator) == ("in_review", cast.mara)


def an_item(cast: Any, **more: Any) -> Improvement:
    values = {"type": "fix", "what": "Narrow the permission.", "owner": cast.ben, "due_on": date(2026, 12, 4)} | more
    return Improvement(**values)


def test_an_action_is_a_finding_with_a_person_and_a_day(cast: Any) -> None:
    incident = resolved(cast)

    row = add_action(incident, an_item(cast, priority="high"), actor=cast.una, now=LATER)

    finding = row.finding
    assert (finding.code, finding.person, finding.due_on) == ("incident-action", cast.ben, date(2026, 12, 4))
    assert (finding.system, finding.severity, finding.state) == (incident.system, "high", "in_progress")
    assert incident.title not in finding.title
    events = AuditEvent.objects.filter(kind__in=["review.action_added", "finding.raised", "finding.action.planned"])
    causes = {event.kind: event.body for event in events}
    assert set(causes) == {"review.action_added", "finding.raised", "finding.action.planned"}
    assert Message.objects.filter(recipient=cast.ben, key__startswith="finding").count() == 1
    action = complete_action(CorrectiveAction.objects.get(), evidence="Done", actor=cast.ben, now=LATER)
    with pytest.raises(NotAllowed):
        verify_action(action, actor=cast.ben, now=LATER)
    verify_action(action, actor=cast.una, now=LATER)
    assert Finding.objects.get().state == "closed"


def test_an_ownership_gap_is_on_the_card_until_it_is_put_right(cast: Any) -> None:
    incident = resolved(cast)

    def problems() -> set[bool]:
        settle()
        return {"ownership_gap" in card.problems for card in ResponseCard.objects.filter(system=incident.system)}

    assert problems() == {False}
    with pytest.raises(Exception, match="Say what was wrong with who answered"):
        add_action(incident, an_item(cast, type="ownership"), actor=cast.una, now=LATER)
    row = add_action(incident, an_item(cast, type="ownership", gap="unreachable"), actor=cast.una, now=LATER)
    assert row.finding.code == "ownership-gap"
    assert row.finding.title == f"{incident.code} showed for {incident.system.name}: nobody could be reached."
    assert problems() == {True}
    verify_action(
        complete_action(CorrectiveAction.objects.get(), evidence="New number", actor=cast.ben, now=LATER),
        actor=cast.una, now=LATER,
    )  # fmt: skip
    assert problems() == {False}


def test_actions_are_refused(cast: Any) -> None:
    incident = resolved(cast)
    for item, words in (
        (an_item(cast, what=" "), "Say what is done"),
        (an_item(cast, due_on=date(2026, 11, 1)), "Choose a day that has not passed"),
        (an_item(cast, owner=cast.ivan), "deactivated"),
    ):
        before = AuditEvent.objects.count()
        with pytest.raises(Refused, match=words):
            add_action(incident, item, actor=cast.una, now=LATER)
        assert AuditEvent.objects.count() == before
    assert not Finding.objects.exists()
