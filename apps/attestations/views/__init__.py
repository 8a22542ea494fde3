"""Pages of campaigns: for those who watch them, and for the owners who answer and sign."""

import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.attestations import queries
from apps.attestations.actions import remind_open
from apps.attestations.models import Campaign, Signature
from apps.attestations.rules import read_date
from apps.attestations.views.desk import Desk, assignment, check, section
from apps.common import clock
from apps.common.csv_export import csv_response
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.requests import signed_in

__all__ = ["assignment", "campaign", "campaigns", "check", "export", "receipt", "remind", "section"]

CSV_HEADER = (
    "Period", "Key", "System", "Unit", "Tier", "Owner at opening", "Basis at opening", "Answers now", "Due", "State",
    "Signed at (UTC)", "Signed by", "Meaning", "Exceptions", "Receipt",
)  # fmt: skip
UNITS_SHOWN = 15
OVERDUE_SHOWN = 6
SIGNED_SHOWN = 10


def _today() -> Any:
    return clock.local_date(clock.now())


@require_safe
def campaigns(request: HttpRequest) -> HttpResponse:
    """What waits for the reader, the campaign that runs, those before it, and when the next one opens."""
    person, now = signed_in(request), clock.now()
    rows = list(queries.campaigns()[:40])
    running = [row for row in rows if row.takes_answers]
    reads = may(person, Permission.CAMPAIGN_READ)
    upcoming = queries.next_period(now)
    signed = queries.signed_by(person)
    context = {
        "waiting": Paginator(queries.waiting_for(person), 25).get_page(request.GET.get("page")),
        "signed": signed[:SIGNED_SHOWN],
        "signed_total": signed.count(),
        "running": [(row, queries.completion(row, today=_today()).counts) for row in running] if reads else [],
        "past": [(row, queries.completion(row, today=_today()).counts) for row in rows if row not in running][:8]
        if reads
        else [],
        "reads": reads,
        "is_running": bool(running),
        "upcoming": upcoming,
        "dates": queries.dates_of(upcoming),
        "today": _today(),
    }
    return render(request, "attestations/campaigns.html", context)


def _campaign(code: str) -> Campaign:
    try:
        return Campaign.objects.get(code=code)
    except Campaign.DoesNotExist as error:
        raise Http404 from error


def _read_campaign(request: HttpRequest, code: str) -> tuple[Person, Campaign]:
    """For those who read campaigns; nobody else learns whether there is one."""
    person = signed_in(request)
    if not may(person, Permission.CAMPAIGN_READ):
        raise Http404
    return person, _campaign(code)


@require_safe
def campaign(request: HttpRequest, code: str) -> HttpResponse:
    """How far a campaign is: bar, tiers, people, units, what is longest overdue."""
    person, found = _read_campaign(request, code)
    today = _today()
    progress = queries.completion(found, today=today)
    units = queries.unit_rows(progress)
    closed = found.is_over
    steps = [] if closed else queries.steps(found, today=today)
    late = queries.not_attested(person, found) if closed else queries.longest_overdue(person, found, today=today)
    context = {
        "campaign": found,
        "closed": closed,
        "counts": progress.counts,
        "tiers": progress.tiers,
        "steps": steps,
        "units": units if "units" in request.GET else units[:UNITS_SHOWN],
        "units_total": len(units),
        "late": list(late[:OVERDUE_SHOWN]),
        "late_total": progress.counts.not_attested if closed else progress.counts.overdue,
        "names": settings.NAME_OVERDUE_PEOPLE,
        "people": sum(step.people for step in steps),
        "runs": may(person, Permission.CAMPAIGN_RUN),
        "own": queries.waiting_for(person).filter(campaign=found).count(),
        "today": today,
    }
    return render(request, "attestations/campaign.html", context)


@require_safe
def export(request: HttpRequest, code: str) -> HttpResponseBase:
    """Every assignment of a campaign that the reader may see, as CSV."""
    person, found = _read_campaign(request, code)
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
    person, found = _read_campaign(request, code)
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
        "reads": reads,
        "following": waiting.first(),
        "left": waiting.count(),
    }
    return render(request, "attestations/receipt.html", context)
