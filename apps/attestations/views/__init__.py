"""Pages of campaigns: for those who watch them, and for the owners who answer and sign."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.attestations import queries
from apps.attestations.actions import remind_open
from apps.attestations.actions.documents import why_no_pdf
from apps.attestations.models import Campaign, Signature
from apps.attestations.queries.corrections import may_correct
from apps.attestations.queries.delegation import prepared_for
from apps.attestations.queries.reassignment import to_answer
from apps.attestations.rules import read_date
from apps.attestations.views.desk import Desk, assignment, check, section
from apps.attestations.views.watching import campaign, figures, quality, reader_of
from apps.common import clock
from apps.common.csv_export import csv_response
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.requests import signed_in

__all__ = [
    "assignment", "campaign", "campaigns", "check", "export", "figures", "quality", "receipt", "remind", "section",
]  # fmt: skip

CSV_HEADER = (
    "Period", "Key", "System", "Unit", "Tier", "Owner at opening", "Basis at opening", "Answers now", "Due", "State",
    "Signed at (UTC)", "Signed by", "Meaning", "Exceptions", "Receipt",
)  # fmt: skip
SIGNED_SHOWN = 10
PAST_SHOWN = 8


def _today() -> Any:
    return clock.local_date(clock.now())


@require_safe
def campaigns(request: HttpRequest) -> HttpResponse:
    """What waits for the reader, the campaign that runs, those before it, and when the next one opens."""
    person, now = signed_in(request), clock.now()
    rows = list(queries.campaigns()[:40])
    running = [row for row in rows if row.takes_answers]
    reads = may(person, Permission.CAMPAIGN_READ)
    past = [row for row in rows if row not in running][:PAST_SHOWN]
    counts = queries.totals([*running, *past], today=_today()) if reads else {}
    upcoming = queries.next_period(now)
    signed = queries.signed_by(person)
    context = {
        "waiting": Paginator(queries.waiting_for(person), 25).get_page(request.GET.get("page")),
        "signed": signed[:SIGNED_SHOWN],
        "signed_total": signed.count(),
        "prepares": list(prepared_for(person, today=_today())[:25]),
        "to_answer": list(to_answer(person)[:25]),
        "running": [(row, counts[row.pk]) for row in running] if reads else [],
        "past": [(row, counts[row.pk]) for row in past] if reads else [],
        "reads": reads,
        "is_running": bool(running),
        "upcoming": upcoming,
        "dates": queries.dates_of(upcoming),
        "today": _today(),
    }
    return render(request, "attestations/campaigns.html", context)


@require_safe
def export(request: HttpRequest, code: str) -> HttpResponseBase:
    """Every assignment of a campaign that the reader may see, as CSV."""
    person, found = reader_of(request, code)
    return csv_response(f"attestation-{found.code}.csv", CSV_HEADER, _csv_rows(person, found))


def _csv_rows(person: Person, campaign: Campaign) -> Iterator[tuple[object, ...]]:
    for row in queries.export_rows(person, campaign).iterator(chunk_size=2000):
        signature: Signature | None = row.signature
        yield (
            campaign.period, row.system.key, row.system.name, row.unit.name, row.tier, row.person.display_name,
            row.owner_basis, row.system.owner.display_name, row.due_on, row.state,
            row.submitted_at.isoformat() if row.submitted_at else "",
            *((signature.signer_name, signature.meaning, signature.exceptions, signature.receipt)
              if signature else ("", "", "", "")),
        )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def remind(request: HttpRequest, code: str) -> HttpResponse:
    """Confirm with the number of people, then remind everybody who has something open."""
    person, found = reader_of(request, code)
    require(person, Permission.CAMPAIGN_RUN)
    context: dict[str, Any] = {"campaign": found, "people": queries.people_to_remind(found), "refused": ""}
    if request.method == "POST":
        try:
            remind_open(found, actor=person, now=clock.now())
        except Refused as error:
            return render(request, "attestations/remind.html", context | {"refused": str(error)}, status=422)
        return redirect("attestations:campaign", code=found.code)
    if found.reminded_on == _today():
        context["refused"] = (
            "Everybody with something open was reminded today already. The next reminder can go tomorrow."
        )
    return render(request, "attestations/remind.html", context)


@require_safe
def receipt(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """Who signed what, when, and with what meaning; for the owner, the signer, and those who read campaigns."""
    desk = Desk(request, code, key)
    signature: Signature | None = desk.assignment.signature
    if signature is None:
        raise Http404
    reads = may(desk.person, Permission.CAMPAIGN_READ)
    if not (reads or desk.is_owner or signature.signer_id == desk.person.pk):
        raise Http404
    payload = json.loads(signature.payload)
    for part in payload["sections"]:
        for answer in part["answers"]:
            answer["plan_date"] = read_date(answer["plan_date"]) or answer["plan_date"]
    waiting = queries.waiting_for(desk.person)
    context = {
        "assignment": desk.assignment,
        "campaign": desk.campaign,
        "system": desk.system,
        "signature": signature,
        "sections": payload["sections"],
        "late": payload["late"],
        "mine": signature.signer_id == desk.person.pk,
        "corrects": may_correct(desk.assignment, desk.person),
        "reads": reads,
        "following": waiting.first(),
        "left": waiting.count(),
        "why_no_pdf": why_no_pdf(),
    }
    return render(request, "attestations/receipt.html", context)
