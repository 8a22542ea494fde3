"""PDFs: asked for once per content, made in the background, three attempts, for those who may read them."""

import hashlib
import re
import zlib
from datetime import timedelta
from typing import Any

import pytest

from apps.attestations import actions
from apps.attestations.actions import documents, pdf
from apps.attestations.models import Campaign, CampaignDocument, Signature
from apps.attestations.queries.receipts import receipt_content
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common import clock
from tests.attestations.rollup_world import rolled_up, sign_all
from tests.attestations.signed import assignment_of, sign
from tests.attestations.world import NOW, PERIOD, register

LATER = NOW + timedelta(hours=5)


@pytest.fixture
def campaign(cast: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    monkeypatch.setattr(clock, "now", lambda: LATER)
    for key in ("one", "two"):
        register(cast, key, owner=cast.ada)
    return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[0]


def text_of(content: bytes) -> bytes:
    """All streams of a PDF, unpacked."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            found.append(stream)
    return content + b"".join(found)


def needs_pango() -> None:
    if pdf.why_no_pdf():
        pytest.skip(pdf.why_no_pdf())


def test_a_report_is_made_once_per_content(cast: Any, campaign: Campaign) -> None:
    needs_pango()
    first, new = documents.request_report(campaign, actor=cast.mara, now=LATER)
    assert new
    assert documents.request_report(campaign, actor=cast.eve, now=LATER) == (first, False)
    assert documents.make_documents(now=LATER + timedelta(seconds=1)) == 1
    assert documents.make_documents(now=LATER + timedelta(seconds=1)) == 0
    made = CampaignDocument.objects.get()
    content = bytes(made.content or b"")
    assert made.state == "ready"
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert content.startswith(b"%PDF-")
    plain = text_of(content)
    for mark in (b"/StructTreeRoot", b"/Lang", b"pdfuaid"):
        assert mark in plain, mark
    kinds = list(
        AuditEvent.objects.filter(kind__startswith="document.").order_by("ts_us").values_list("kind", flat=True)
    )
    assert kinds == ["document.requested", "document.made"]
    sign(assignment_of(campaign, "one"), cast.ada, LATER)
    assert documents.request_report(campaign, actor=cast.mara, now=LATER)[1], "other content is another document"


def test_a_receipt_of_a_signature(cast: Any, campaign: Campaign) -> None:
    needs_pango()
    signature = sign(assignment_of(campaign, "one"), cast.ada, LATER)
    documents.request_receipt(signature, actor=cast.ada, now=LATER)
    assert documents.make_documents(now=LATER) == 1
    assert CampaignDocument.objects.get().signature == signature


def test_a_receipt_says_what_each_kind_of_signature_stands_under(cast: Any) -> None:
    campaign = rolled_up(cast, silent=("two",))
    sign_all(campaign)
    about = {
        row.pk: dict(receipt_content(row)["about"]) for row in Signature.objects.filter(node__campaign=campaign)
    }  # fmt: skip
    top = about[Signature.objects.filter(node__level="top").latest("pk").pk]
    assert (top["Systems below"], top["Late, not attested"]) == ("3", "0, 1")
    assert "two" in top["Not attested"]
    accepted = dict(receipt_content(Signature.objects.filter(kind="acceptance").latest("pk"))["about"])
    assert "SHA-256" in accepted["Attestation of"]
    if not pdf.why_no_pdf():
        for row in Signature.objects.order_by("-pk")[:2]:
            assert pdf.receipt_pdf(row, campaign).startswith(b"%PDF-")


def test_the_page_of_a_receipt_leads_to_its_pdf_and_back(
    cast: Any, browse: Any, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.attestations import views
    from apps.attestations.views import report as pages

    for place in (views, pages):
        monkeypatch.setattr(place, "why_no_pdf", lambda: "")
    signature = sign(assignment_of(campaign, "one"), cast.ada, LATER)
    make = f"/attestations/{PERIOD}/receipts/{signature.pk}/pdf/"
    receipt = f"/attestations/{PERIOD}/one/receipt/"
    assert f'action="{make}"' in browse(cast.ada).get(receipt).content.decode()
    page = browse(cast.ada).post(make, follow=True).content.decode()
    assert f'href="{receipt}"' in page
    assert f"{signature.receipt}, signed by {cast.ada.display_name}" in page
    monkeypatch.setattr(views, "why_no_pdf", lambda: "Install it")
    assert make not in browse(cast.ada).get(receipt).content.decode()


def test_three_failures_are_the_end(cast: Any, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> bytes:
        raise ValueError("no ink")

    monkeypatch.setattr(documents, "report_pdf", broken)
    monkeypatch.setattr(documents, "why_no_pdf", lambda: "")
    documents.request_report(campaign, actor=cast.mara, now=LATER)
    for attempt in (1, 2, 3):
        assert documents.make_documents(now=LATER) == 0
        assert CampaignDocument.objects.get().attempts == attempt
    found = CampaignDocument.objects.get()
    assert (found.state, found.error) == ("failed", "ValueError: no ink")
    assert documents.make_documents(now=LATER) == 0
    assert AuditEvent.objects.filter(kind="document.failed").count() == 1
    again, new = documents.request_report(campaign, actor=cast.mara, now=LATER)
    assert new
    assert again.pk != found.pk


def test_what_ends_the_process_is_not_tried_for_ever(cast: Any, campaign: Campaign, monkeypatch: Any) -> None:
    monkeypatch.setattr(documents, "why_no_pdf", lambda: "")
    made, _ = documents.request_report(campaign, actor=cast.mara, now=LATER)
    CampaignDocument.objects.update(attempts=3)
    assert documents.make_documents(now=LATER) == 0
    made.refresh_from_db()
    assert made.state == "failed"


def test_a_machine_without_pango_says_what_to_install(
    cast: Any, browse: Any, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.attestations.views import report as pages

    words = "Install libpango-1.0-0"
    monkeypatch.setattr(documents, "why_no_pdf", lambda: words)
    monkeypatch.setattr(pages, "why_no_pdf", lambda: words)
    page = browse(cast.mara).get(f"/attestations/{PERIOD}/report/").content.decode()
    assert "No PDF can be made on this machine. Install libpango-1.0-0" in page
    assert "Make PDF" not in page
    documents.request_report(campaign, actor=cast.mara, now=LATER)
    assert documents.make_documents(now=LATER) == 0
    assert CampaignDocument.objects.get().state == "queued", "it waits, and costs no attempt"


def test_nothing_is_fetched_from_elsewhere() -> None:
    for url in (
        "file:///etc/passwd",
        "https://example.org/x.css",
        f"{pdf.BASE}../settings.py",
        f"{pdf.BASE}not/there.css",
    ):
        with pytest.raises(ValueError, match=r"static file|not there"):
            pdf._static(url)
    assert b"@layer" in pdf._static(f"{pdf.BASE}govportal/css/tokens.css")


def test_the_pages(cast: Any, browse: Any, campaign: Campaign) -> None:
    signature = sign(assignment_of(campaign, "one"), cast.ada, LATER)
    client = browse(cast.mara)
    waiting = client.post(f"/attestations/{PERIOD}/report/pdf/")
    assert waiting.status_code == 302
    assert CampaignDocument.objects.count() == 1
    page = client.get(waiting.url).content.decode()
    assert "It is being made" in page or "No PDF can be made" in page
    assert client.get(f"{waiting.url}file.pdf").status_code == 404, "not made yet"
    needs_pango()
    documents.make_documents(now=LATER)
    assert "It is ready" in client.get(waiting.url).content.decode()
    file = client.get(f"{waiting.url}file.pdf")
    assert file["Content-Type"] == "application/pdf"
    assert file["Content-Disposition"].startswith("attachment")
    assert browse(cast.ada).get(waiting.url).status_code == 404
    own = browse(cast.ada).post(f"/attestations/{PERIOD}/receipts/{signature.pk}/pdf/")
    assert own.status_code == 302
    assert browse(cast.ada).get(own.url).status_code == 200
    assert browse(cast.eve).get(own.url).status_code == 200
    for person in (cast.dov, cast.ben):
        assert browse(person).get(own.url).status_code == 404
        assert browse(person).post(f"/attestations/{PERIOD}/receipts/{signature.pk}/pdf/").status_code == 404
    assert Signature.objects.count() == 1
    assert browse(cast.ada).post(f"/attestations/2027Q1/receipts/{signature.pk}/pdf/").status_code == 404
