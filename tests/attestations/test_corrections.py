"""A correction is a signature of its own; what was signed stays, and silence stays silence."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.attestations import actions
from apps.attestations.actions.corrections import correct
from apps.attestations.models import Answer, AttestationException, Signature
from apps.attestations.queries.corrections import signed_answers
from apps.attestations.rules import Given
from apps.audit.models import AuditEvent
from apps.audit.rules import SCHEDULER
from apps.common.errors import NotAllowed, Refused
from apps.findings.models import Finding
from apps.people.rules import Confirmation
from tests.attestations.test_signing import answer, refused, sign, start
from tests.cast import PASSWORD

REASON = "The stop was tested on a copy only."
WORSE = Given(
    "yes_with_exception", "Tested on a copy only.", "Stop it once.", "2026-12-20", "medium", "Somebody on call"
)


def corrected(assignment: Any, person: Any, answers: dict[str, Given], now: Any, **more: Any) -> Signature:
    values: dict[str, Any] = {
        "reason": REASON, "declared_true": True, "typed_name": person.display_name,
        "confirmation": Confirmation("password", now), "actor": person, "now": now,
    }  # fmt: skip
    return correct(assignment, answers, **{**values, **more})


def test_a_correction_stands_beside_what_was_signed(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    first = sign(assignment, cast.ada)
    now = first.signed_at + timedelta(hours=3)
    second = corrected(assignment, cast.ada, {"kill_switch": WORSE}, now)
    payload = json.loads(second.payload)
    assert (second.kind, second.corrects, second.meaning, second.exceptions) == ("supplement", first, "acknowledge", 1)
    assert (payload["corrects"], payload["changed"], payload["reason"]) == (
        first.payload_sha256, ["kill_switch"], REASON,
    )  # fmt: skip
    assert second.prev_hash == first.payload_sha256
    assert second.statement.startswith(f"This corrects what was signed for {assignment.system.name}")
    assert signed_answers(second)["kill_switch"] == WORSE
    assert signed_answers(second)["deputy"] == signed_answers(first)["deputy"]
    # The answers as they were signed are untouched; the exception is the campaign's, with a finding.
    assert Answer.objects.get(assignment=assignment, question="kill_switch").value == "yes"
    exception = AttestationException.objects.get()
    assert (exception.question, exception.signature, exception.finding is not None) == ("kill_switch", second, True)
    assert AuditEvent.objects.filter(kind="attestation.corrected").count() == 1
    # A third one corrects the second.
    third = corrected(assignment, cast.ada, {"kill_switch": Given("yes")}, now + timedelta(hours=1))
    assert (third.corrects, third.round, third.meaning) == (second, 2, "certify")


def test_what_a_correction_refuses(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    now = sign(assignment, cast.ada).signed_at + timedelta(hours=1)
    for answers, person, more, error, words in (
        ({"kill_switch": WORSE}, cast.ben, {}, NotAllowed, "Only who signed"),
        ({"kill_switch": WORSE}, cast.ada, {"reason": " "}, Refused, "Say why"),
        ({}, cast.ada, {}, Refused, "Nothing differs"),
        ({"kill_switch": Given("no", "It was not.")}, cast.ada, {}, Refused, "not complete"),
        ({"kill_switch": WORSE}, cast.ada, {"declared_true": False}, Refused, "Tick"),
        ({"kill_switch": WORSE}, cast.ada, {"typed_name": "Somebody"}, Refused, "name"),
    ):
        with pytest.raises(error, match=words):
            corrected(assignment, person, answers, now, **more)
    assert Signature.objects.count() == 1
    assert AuditEvent.objects.filter(kind="attestation.corrected").count() == 0


def test_what_is_open_is_signed_not_corrected(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    with pytest.raises(Refused, match="nothing to correct"):
        corrected(assignment, cast.ada, {"kill_switch": WORSE}, assignment.opened_at + timedelta(days=1))


def test_silence_stays_silence(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    given = {row.question: row.given for row in assignment.answers.all()}
    campaign = assignment.campaign
    now = campaign.closes_at + timedelta(hours=2)
    actions.begin_rollup(campaign, actor=SCHEDULER, now=now)
    before = Finding.objects.count()
    signature = corrected(assignment, cast.ada, {**given, "kill_switch": WORSE}, now + timedelta(hours=1))
    assignment.refresh_from_db()
    assert (assignment.state, assignment.result, signature.corrects) == ("not_attested", "", None)
    assert "changes nothing about that" in signature.statement
    assert AttestationException.objects.count() == 0
    assert Finding.objects.count() == before + 1


def test_the_database_keeps_the_order_of_corrections(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    first = sign(assignment, cast.ada)
    corrected(assignment, cast.ada, {"kill_switch": WORSE}, first.signed_at + timedelta(hours=1))
    copy = (
        "INSERT INTO attestations_signature (kind, seat, round, batch_size, assignment_id, corrects_id, signer_id,"
        " signer_name, signer_title, signer_function, signer_basis, assigned_name, meaning, statement, exceptions,"
        " payload, payload_sha256, prev_hash, auth_method, auth_at, signed_at) SELECT 'supplement', '', 9, 1,"
        " assignment_id, %s, signer_id, 'Ada', '', '', 'accepted', 'Ada', 'certify', 's', 0, '{}',"
        " encode(sha256('{}'), 'hex'), payload_sha256, 'password', now(), now() FROM attestations_signature"
        " ORDER BY id DESC LIMIT 1"
    )
    assert "names the newest signature" in refused(copy, None)


def test_the_page_signs_a_correction(cast: Any, browse: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    sign(assignment, cast.ada)
    page = reverse("attestations:correction", args=[assignment.campaign.code, assignment.system.key])
    assert browse(cast.ben).get(page).status_code == 404
    assert browse(cast.eve).get(page).status_code == 404
    client = browse(cast.ada)
    html = client.get(page).content.decode()
    assert "Sign a correction" in html
    assert html.count(" checked") == 14
    # Files stay with what they were signed with.
    assert 'type="file"' not in html
    assert client.post(page, {"reason": REASON}).status_code == 422
    assert Signature.objects.count() == 1
    form = posted(assignment) | {
        "kill_switch": "yes_with_exception",
        "kill_switch-yes_with_exception-comment": WORSE.comment,
        "kill_switch-yes_with_exception-plan": WORSE.plan,
        "kill_switch-yes_with_exception-date": "20 Dec 2026",
        "kill_switch-yes_with_exception-severity": "medium",
        "kill_switch-yes_with_exception-control": WORSE.control,
        "reason": REASON, "declare": "on", "name": cast.ada.display_name, "password": PASSWORD,
    }  # fmt: skip
    response = client.post(page, form)
    assert (response.status_code, response["Location"]) == (302, page.replace("correction", "receipt"))
    assert Signature.objects.order_by("-pk").values_list("kind", "exceptions").first() == ("supplement", 1)
    receipt = client.get(response["Location"]).content.decode()
    assert "Tested on a copy only" in receipt


def posted(assignment: Any) -> dict[str, str]:
    """The form as the page shows it."""
    data = {}
    for row in assignment.answers.select_related("person"):
        data[f"{row.question}-explanation"] = row.explanation
        if row.value != "given":
            data[row.question] = row.value
        elif row.person:
            data[f"{row.question}-person"] = row.person.email
        else:
            data[f"{row.question}-day"] = row.day
            data[f"{row.question}-text"] = row.text
    return data
