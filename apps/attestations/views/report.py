"""The report of a campaign: as a page, as files, beside another campaign; and the documents that are made of it."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.actions.documents import request_receipt, request_report, why_no_pdf
from apps.attestations.models import Campaign, CampaignDocument, Signature
from apps.attestations.queries import watching
from apps.attestations.queries.differences import Difference, changed, differences, matrix
from apps.attestations.queries.receipts import campaign_of, may_read_receipt
from apps.attestations.queries.report import is_final, report_body, report_json, report_sha256
from apps.attestations.rules.report import CSV_HEADER, OUTCOME_WORDS, flat
from apps.attestations.views.watching import find_campaign, reader_of
from apps.common import clock
from apps.common.csv_export import csv_response
from apps.people.models import Person
from apps.people.requests import signed_in

ROWS_SHOWN = 50
ROWS_A_PAGE = 50


def _reportable(request: HttpRequest, code: str) -> tuple[Person, Campaign]:
    person, found = reader_of(request, code)
    if found.opened_at is None:
        raise Http404
    return person, found


@require_safe
def report(request: HttpRequest, code: str) -> HttpResponse:
    """The report as a page; a draft until the campaign is closed."""
    person, found = _reportable(request, code)
    context = {
        "campaign": found,
        "body": report_body(found, now=clock.now(), reader=person, limit=ROWS_SHOWN),
        "draft": not is_final(found),
        "others": _others(found),
        "why_no_pdf": why_no_pdf(),
        "document": CampaignDocument.objects.filter(campaign=found, kind=CampaignDocument.Kind.REPORT)
        .defer("content")
        .order_by("-pk")
        .first(),
    }
    return render(request, "attestations/report.html", context)


def _others(campaign: Campaign) -> list[Campaign]:
    """Earlier campaigns of the same template, newest first."""
    return list(
        Campaign.objects.filter(template=campaign.template_id, opened_at__lt=campaign.opened_at)
        .exclude(state=Campaign.State.CANCELLED)
        .order_by("-opened_at")[:8]
    )


@require_safe
def report_csv(request: HttpRequest, code: str) -> HttpResponseBase:
    """The whole report for a spreadsheet."""
    person, found = _reportable(request, code)
    body = report_body(found, now=clock.now(), reader=person)
    return csv_response(f"report-{found.code}.csv", CSV_HEADER, flat(body))


@require_safe
def report_file(request: HttpRequest, code: str) -> HttpResponse:
    """The whole report as canonical JSON, with its hash in a header."""
    person, found = _reportable(request, code)
    body = report_body(found, now=clock.now(), reader=person)
    response = HttpResponse(report_json(body), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="report-{found.code}.json"'
    response["X-Content-SHA256"] = report_sha256(body)
    return response


@require_safe
def compare(request: HttpRequest, code: str, other: str) -> HttpResponse:
    """What became of each system here and in an earlier campaign of the same template: the rows that changed."""
    person, found = _reportable(request, code)
    before = find_campaign(other)
    if before.template_id != found.template_id or before.opened_at is None or before.pk == found.pk:
        raise Http404
    counted = matrix(found, before)
    rows: Any = _Rows(found, before, watching.hidden_from(person), changed(counted))
    pages: Paginator[Difference] = Paginator(rows, ROWS_A_PAGE)
    moves = [(OUTCOME_WORDS[a], OUTCOME_WORDS[b], count, a == b) for (a, b), count in counted.items()]
    context = {
        "campaign": found,
        "before": before,
        "moves": sorted(moves, key=lambda move: (move[3], -move[2])),
        "changed": changed(counted),
        "unsigned": sum(count for (was, now), count in counted.items() if now == "open" != was),
        "page": pages.get_page(request.GET.get("page")),
    }
    return render(request, "attestations/compare.html", context)


class _Rows:
    """The changed systems, a page at a time."""

    def __init__(self, campaign: Campaign, other: Campaign, hidden: list[int], total: int) -> None:
        self.campaigns, self.hidden, self.total = (campaign, other), hidden, total

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, part: slice) -> list[Difference]:
        limit = part.stop - part.start
        return differences(*self.campaigns, hidden=self.hidden, limit=limit, offset=part.start)


@require_POST
def make_report(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for the report as PDF; it is made in the background."""
    person, found = _reportable(request, code)
    made, _ = request_report(found, actor=person, now=clock.now())
    return redirect("attestations:document", code=found.code, document=made.pk)


@require_POST
def make_receipt(request: HttpRequest, code: str, signature: int) -> HttpResponse:
    """Ask for the receipt of a signature as PDF."""
    person = signed_in(request)
    row = Signature.objects.filter(pk=signature).select_related("assignment__system").first()
    if row is None or not may_read_receipt(person, row) or campaign_of(row).code != code:
        raise Http404
    made, _ = request_receipt(row, actor=person, now=clock.now())
    return redirect("attestations:document", code=code, document=made.pk)


def _document(request: HttpRequest, code: str, pk: int, *, content: bool) -> CampaignDocument:
    """A document that the reader may have: reports for those who read campaigns, receipts as their page."""
    person = signed_in(request)
    rows = CampaignDocument.objects.select_related("campaign", "signature__assignment__system", "requested_by")
    found = (rows if content else rows.defer("content")).filter(pk=pk, campaign__code=code).first()
    if found is None:
        raise Http404
    if not (may_read_receipt(person, found.signature) if found.signature else may(person, Permission.CAMPAIGN_READ)):
        raise Http404
    return found


@require_safe
def document(request: HttpRequest, code: str, document: int) -> HttpResponse:
    """How far a document is; with a button to it once it is made. Works by reloading, too."""
    found = _document(request, code, document, content=False)
    context: dict[str, Any] = {
        "document": found,
        "campaign": found.campaign,
        "why_no_pdf": why_no_pdf(),
        "back": _page_of(found.signature) if found.signature else "",
        "reads": may(signed_in(request), Permission.CAMPAIGN_READ),
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "attestations/document_part.html" if part else "attestations/document.html", context)


def _page_of(signature: Signature) -> str:
    """Where a signature stands in the portal."""
    code = campaign_of(signature).code
    if signature.node_id:
        return reverse("attestations:node", args=[code, signature.node_id])
    if signature.exception_id:
        return reverse("attestations:exception", args=[signature.exception_id])
    if signature.assignment is not None:
        return reverse("attestations:receipt", args=[code, signature.assignment.system.key])
    return reverse("attestations:reviews", args=[code])


@require_safe
def document_file(request: HttpRequest, code: str, document: int) -> HttpResponse:
    """The PDF itself; never shown inside a page of ours."""
    found = _document(request, code, document, content=True)
    if found.state != CampaignDocument.State.READY or found.content is None:
        raise Http404
    name = f"{found.kind}-{found.campaign.code}-{found.sha256[:12]}.pdf"
    response = HttpResponse(bytes(found.content), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-SHA256"] = found.sha256
    return response
