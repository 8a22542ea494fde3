"""Pages for those who watch a campaign: how far it is, and how it was answered."""

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations import queries
from apps.attestations.models import Campaign
from apps.attestations.queries import stamps, watching
from apps.attestations.queries.ladder import ladder
from apps.common import clock
from apps.people.models import Person
from apps.people.requests import signed_in

UNITS_SHOWN = 15
OVERDUE_SHOWN = 6
# How answers came about is read from every answer: kept for so long, and at once no more when the campaign moved on.
PACE_SECONDS = 300


def find_campaign(code: str) -> Campaign:
    """A campaign by its code; 404 where there is none."""
    try:
        return Campaign.objects.select_related("template").get(code=code)
    except Campaign.DoesNotExist as error:
        raise Http404 from error


def reader_of(request: HttpRequest, code: str) -> tuple[Person, Campaign]:
    """For those who read campaigns; nobody else learns whether there is one."""
    person = signed_in(request)
    if not may(person, Permission.CAMPAIGN_READ):
        raise Http404
    return person, find_campaign(code)


@require_safe
def campaign(request: HttpRequest, code: str) -> HttpResponse:
    """How far a campaign is: bar, tiers, ladder, units, what is longest overdue, and where the roll-up is."""
    person, found = reader_of(request, code)
    context = _figures(found, every_unit="units" in request.GET) | _people(person, found) | {"campaign": found}
    return render(request, "attestations/campaign.html", context)


@require_safe
def figures(request: HttpRequest, code: str) -> HttpResponse:
    """The numbers alone, for the page that is open: it asks every half minute while the campaign runs."""
    _, found = reader_of(request, code)
    context = _figures(found, every_unit="units" in request.GET) | {"campaign": found}
    return render(request, "attestations/campaign_figures.html", context)


def _figures(campaign: Campaign, *, every_unit: bool = False) -> dict[str, Any]:
    now = clock.now()
    today = clock.local_date(now)
    progress = queries.completion(campaign, today=today)
    units = queries.unit_rows(progress)
    return {
        "closed": campaign.is_over,
        "live": campaign.takes_answers or campaign.state in ("rollup", "pending_actions"),
        "as_of": now,
        "today": today,
        "standing": watching.standing(campaign),
        "counts": progress.counts,
        "tiers": progress.tiers,
        "before": watching.same_day(campaign, today=today),
        "steps": ladder(campaign, today) if campaign.opened_at else [],
        "units": units if every_unit else units[:UNITS_SHOWN],
        "units_total": len(units),
        "reviews": watching.reviews_words(progress.counts),
        "exceptions": watching.exceptions_by_severity(campaign, today=today),
        "levels": watching.rollup_levels(campaign),
    }


def _people(person: Person, campaign: Campaign) -> dict[str, Any]:
    today = clock.local_date(clock.now())
    late = queries.longest_overdue(person, campaign, today=today)
    if campaign.is_over:
        late = queries.not_attested(person, campaign)
    return {
        "late": list(late[:OVERDUE_SHOWN]),
        "names": settings.NAME_OVERDUE_PEOPLE,
        "runs": may(person, Permission.CAMPAIGN_RUN),
        "own": queries.waiting_for(person).filter(campaign=campaign).count(),
    }


@require_safe
def quality(request: HttpRequest, code: str) -> HttpResponse:
    """How a campaign was answered: decision times and patterns, samples, gaps in ownership, what was passed on."""
    person, found = reader_of(request, code)
    today = clock.local_date(clock.now())
    loads, overloaded = watching.overloaded(found)
    context = {
        "campaign": found,
        "pace": pace_of(found),
        "behind": watching.behind(found),
        "loads": loads,
        "overloaded": overloaded,
        "cap": found.term("items_per_person"),
        "gaps": watching.ownership_gaps(found, hidden=watching.hidden_from(person), today=today),
        "names": settings.NAME_OVERDUE_PEOPLE,
        "today": today,
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "attestations/quality_part.html" if part else "attestations/quality.html", context)


def pace_of(campaign: Campaign) -> stamps.Pace:
    """How the answers came about, at most five minutes old."""
    key = f"attestations:pace:{campaign.pk}:{campaign.state}"
    found: stamps.Pace | None = cache.get(key)
    if found is None:
        found = stamps.pace(campaign)
        cache.set(key, found, PACE_SECONDS)
    return found
