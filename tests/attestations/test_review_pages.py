"""Pages of reviews, samples and exceptions: who opens them, what a form does, and that a failed one does nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.attestations.actions import begin_rollup
from apps.attestations.actions.asking import ask_reviewers
from apps.attestations.models import Review, Signature
from apps.attestations.queries.findings import attestation_breaches
from apps.attestations.queries.reviews import Reviewers, to_review
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.findings.actions import sweep_registry
from apps.findings.models import Finding
from apps.notify.models import Message
from tests.attestations.after import EXCEPTION, NEXT, exception_of, found, opened, signed
from tests.cast import PASSWORD

CAMPAIGN = "/attestations/2026Q4/"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NEXT)


def signature(person: Any, **more: str) -> dict[str, str]:
    return {"declare": "on", "name": person.display_name, "password": PASSWORD, **more}


def test_the_queue_and_one_review(cast: Any, browse: Any) -> None:
    opened(cast, "one", "two")
    for key in ("one", "two"):
        signed(cast, key, known=True)
    una = browse(cast.una)
    page = una.get(f"{CAMPAIGN}reviews/").content.decode()
    assert "ONE" in page
    assert "Accept TWO with others" in page
    assert una.get(f"{CAMPAIGN}one/review/").status_code == 200
    wrong = una.post(f"{CAMPAIGN}one/review/", signature(cast.una, answer="accept", password="no"))
    assert wrong.status_code == 422
    assert not Review.objects.exists()
    done = una.post(f"{CAMPAIGN}one/review/", signature(cast.una, answer="accept"))
    assert (done.status_code, done["Location"]) == (302, f"{CAMPAIGN}reviews/")
    assert found("one").state == "accepted"
    empty = una.post(f"{CAMPAIGN}two/review/", {"answer": "changes", "note": " "})
    assert empty.status_code == 422
    assert una.post(f"{CAMPAIGN}two/review/", {"answer": "changes", "note": "Who tests?"}).status_code == 302
    assert found("two").state == "changes_requested"
    ada = browse(cast.ada).get(f"{CAMPAIGN}two/")
    assert ada.status_code == 200


def test_many_at_once(cast: Any, browse: Any) -> None:
    opened(cast, "one", "two")
    rows = [str(signed(cast, key, known=True).pk) for key in ("one", "two")]
    una = browse(cast.una)
    asked = una.post(f"{CAMPAIGN}reviews/", {"row": rows})
    assert asked.status_code == 200
    assert "Accept 2 attestations with one signature" in asked.content.decode()
    assert una.post(f"{CAMPAIGN}reviews/", signature(cast.una, sign="1", name="X") | {"row": rows}).status_code == 422
    assert una.post(f"{CAMPAIGN}reviews/", signature(cast.una, sign="1") | {"row": rows}).status_code == 302
    assert Signature.objects.get(kind="acceptance").batch_size == 2


@pytest.mark.parametrize(("name", "status"), [("ada", 404), ("dov", 404), ("nils", 404), ("eve", 404), ("una", 200)])
def test_who_opens_a_review(cast: Any, browse: Any, name: str, status: int) -> None:
    opened(cast, "one")
    signed(cast)
    client = browse(getattr(cast, name))
    assert client.get(f"{CAMPAIGN}one/review/").status_code == status
    assert client.get(f"{CAMPAIGN}one/sample/").status_code == status
    if status == 404:
        assert client.post(f"{CAMPAIGN}one/review/", {"answer": "changes", "note": "x"}).status_code == 404
        assert not Review.objects.exists()


def test_a_sample_page(cast: Any, browse: Any) -> None:
    opened(cast, "one", sample="one")
    assignment = signed(cast)
    cleo = browse(cast.cleo)
    assert "0 of 1 re-performed" in cleo.get(f"{CAMPAIGN}reviews/").content.decode()
    page = cleo.get(f"{CAMPAIGN}one/sample/").content.decode()
    assert "I come to the same answer" in page
    incomplete = cleo.post(f"{CAMPAIGN}one/sample/", signature(cast.cleo))
    assert incomplete.status_code == 422
    assert "Say whether you agree" in incomplete.content.decode()
    keys = assignment.answers.exclude(value="").values_list("question", flat=True)
    checked = {f"check-{key}": "agree" for key in keys}
    assert cleo.post(f"{CAMPAIGN}one/sample/", signature(cast.cleo) | checked).status_code == 302
    assert found("one").state == "accepted"


def test_the_owner_does_not_see_that_it_is_drawn(cast: Any, browse: Any) -> None:
    opened(cast, "one", sample="one")
    for path in ("/", "/attestations/", f"{CAMPAIGN}one/", f"{CAMPAIGN}one/ownership/", f"{CAMPAIGN}one/check/"):
        assert "ample" not in browse(cast.ada).get(path).content.decode().replace("example", ""), path


def test_an_exceptions_page_offers_the_one_next_step(cast: Any, browse: Any) -> None:
    exception = exception_of(cast)
    path = f"/attestations/exceptions/{exception.pk}/"
    una, ada = browse(cast.una), browse(cast.ada)
    assert "Decide about the plan" in una.get(path).content.decode()
    assert "Yours to decide" in una.get("/attestations/exceptions/").content.decode()
    assert "Decide about the plan" not in ada.get(path).content.decode()
    assert (
        f'by <span class="name">{cast.una.display_name}</span>' in ada.get("/attestations/exceptions/").content.decode()
    )
    assert browse(cast.dov).get(path).status_code == 404
    refusal = una.post(path, signature(cast.una, do="decide", verdict="refused"))
    assert refusal.status_code == 422
    assert una.post(path, signature(cast.una, do="decide", verdict="refused", note="No copy")).status_code == 302
    assert "Propose another plan" in ada.get("/").content.decode()
    assert ada.post(path, {"do": "propose", "plan": "On the system", "control": ""}).status_code == 302
    assert ada.post(path, {"do": "propose", "plan": "Again", "control": ""}).status_code == 409
    assert una.post(path, signature(cast.una, do="decide", verdict="approved")).status_code == 302
    assert ada.post(path, {"do": "ask", "to_day": "31 Dec 2026", "reason": "Supplier"}).status_code == 302
    assert "A later day is asked for" in una.get(path).content.decode()
    assert una.post(path, signature(cast.una, do="grant", verdict="grant")).status_code == 302
    exception.refresh_from_db()
    assert str(exception.due_on) == "2026-12-31"
    risk = {"do": "decide", "verdict": "risk_accepted", "note": "Low use", "until": "20 Nov 2026"}
    assert browse(cast.mara).post(path, signature(cast.mara) | risk).status_code == 302
    assert "accepted the risk until 20 Nov 2026" in ada.get(path).content.decode()


def test_home_says_what_waits(cast: Any, browse: Any) -> None:
    opened(cast, "one", "two", sample="two")
    signed(cast, kill_switch=EXCEPTION)
    signed(cast, "two")
    page = browse(cast.una).get("/").content.decode()
    assert "Review 1 Q4 2026 attestation" in page
    assert "Decide: Nobody tried" in page
    assert "Re-perform 1 Q4 2026 sample" in browse(cast.cleo).get("/").content.decode()


def test_reviewers_are_told_once_a_day(cast: Any) -> None:
    opened(cast, "one")
    signed(cast, kill_switch=EXCEPTION)
    assert ask_reviewers(now=NEXT) == 1
    assert ask_reviewers(now=NEXT) == 0
    mail = Message.objects.get(key__startswith="attestations:asked:")
    assert mail.recipient == cast.una
    assert "- 1 attestation to accept\n- 1 exception to decide" in mail.body
    assert ask_reviewers(now=NEXT + timedelta(days=4)) == 0  # Saturday
    assert ask_reviewers(now=NEXT + timedelta(days=6)) == 1


def test_silence_and_what_nobody_decides_are_findings(cast: Any) -> None:
    campaign = opened(cast, "one", "two")
    signed(cast, kill_switch=EXCEPTION)
    assert not attestation_breaches(NEXT)
    later = NEXT + timedelta(days=8)
    assert [breach.check for breach in attestation_breaches(later)] == ["exception-undecided"]
    end = campaign.closes_at + timedelta(minutes=1)
    begin_rollup(campaign, actor=COMMAND, now=end)
    found_ = {(one.check, one.title): one for one in attestation_breaches(end)}
    assert ("not-attested", "Ada Nwosu did not attest TWO (two) in Q4 2026.") in found_
    assert ("not-attested", "Nils Okafor did not attest ZZ-DECOY (zz-decoy) in Q4 2026.") in found_
    assert {one.person_id for one in found_.values() if one.check != "not-attested"} == {cast.una.pk}
    sweep_registry(now=end)
    finding = Finding.objects.get(code="not-attested", system__key="two")
    assert (finding.person, finding.state) == (cast.ada, "open")


def test_the_queue_asks_the_same_number_of_queries(cast: Any) -> None:
    opened(cast, "one", "two", "three")
    signed(cast)
    counts = []
    for key in ("two", "three"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            list(to_review(cast.una, NEXT, reviewers=Reviewers(NEXT)))
        counts.append(len(queries))
        signed(cast, key)
    assert counts[0] == counts[1]
    assert counts[0] <= 7
