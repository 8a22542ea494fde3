"""The list of incidents, one incident, its summary for a chat, its files."""

import logging
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from apps.common import clock, evidence_store
from apps.common.csv_export import csv_response
from apps.incidents.actions.first_view import note_first_view
from apps.incidents.models import Incident, IncidentFile
from apps.incidents.queries.incidents import find_incident
from apps.incidents.queries.listing import CSV_HEADER, Filters, Series, csv_rows, last_closed, listed, row_of, tabs
from apps.incidents.queries.page import incident_page, summary_text
from apps.incidents.rules import SEVERITY_WORDS, STATE_WORDS, Mode, Severity, State
from apps.incidents.rules.clocks import span_words
from apps.incidents.rules.words import NOT_SURE, SCENARIO_CHOICES, scenario_words
from apps.incidents.views.around import around
from apps.incidents.views.live import Desk
from apps.people.requests import signed_in
from apps.registry.rules import Scenario

log = logging.getLogger(__name__)
ROWS = 25
GROUP_WORDS = {"live": "Live", "open": "Not over", "over": "Over"}


@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """What is live, what is open, what is over; real and rehearsed apart."""
    actor, now = signed_in(request), clock.now()
    series, filters = _series(request), Filters.read(request.GET)
    page = Paginator(listed(actor, series, filters), ROWS).get_page(request.GET.get("page"))
    lines = tabs(actor)
    last = None if filters.asked or series != Series.REAL or lines[0].live else last_closed(actor)
    context = {
        "tabs": lines,
        "series": series,
        "live": next(tab.live for tab in lines if tab.series == series),
        "page": page,
        "rows": [row_of(incident, now) for incident in page],
        "filters": filters,
        "chips": _chips(series, filters),
        "query": urlencode({"series": series.value, **filters.asked}),
        "states": [*GROUP_WORDS.items(), *((state.value, STATE_WORDS[state]) for state in State)],
        "modes": [(mode.value, mode.value.capitalize()) for mode in (Mode.DRILL, Mode.TEST)],
        "severities": [(one.value, SEVERITY_WORDS[one]) for one in Severity],
        "scenarios": [*((one.value, words) for one, (words, _) in SCENARIO_CHOICES.items()), ("none", NOT_SURE)],
        "last": last,
        "around": around(actor),
        "last_took": span_words(last.closed_at - last.declared_at) if last and last.closed_at else "",
    }
    return render(request, "incidents/incidents.html", context)


def _series(request: HttpRequest) -> Series:
    """The list that is asked for; the real one without a word."""
    return Series.REHEARSED if request.GET.get("series") == Series.REHEARSED else Series.REAL


def _chips(series: Series, filters: Filters) -> list[dict[str, str]]:
    chips = []
    for name, value in filters.asked.items():
        rest = {key: kept for key, kept in filters.asked.items() if key != name}
        without = urlencode({"series": series.value, **rest})
        field = "Text" if name == "q" else name.capitalize()
        chips.append({"field": field, "value": _shown(name, value), "without": without})
    return chips


def _shown(name: str, value: str) -> str:
    if name == "state":
        return GROUP_WORDS.get(value) or STATE_WORDS[State(value)]
    if name == "severity":
        return SEVERITY_WORDS[Severity(value)]
    if name == "scenario":
        return NOT_SURE if value == "none" else scenario_words(Scenario(value))
    return value.capitalize() if name == "mode" else value


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """What the list shows, filters included, as CSV."""
    actor, series = signed_in(request), _series(request)
    rows = csv_rows(listed(actor, series, Filters.read(request.GET)))
    return csv_response(f"incidents-{series}.csv", CSV_HEADER, rows)


@require_safe
def incident(request: HttpRequest, incident_code: str) -> HttpResponse:
    """One incident: who leads, what was done, what comes next. For a poll, only what may have changed."""
    desk = Desk(request, incident_code)
    if desk.incident.is_live:
        note_first_view(desk.incident, desk.actor, desk.now)
    return desk.render()


@require_safe
def summary(request: HttpRequest, incident_code: str) -> HttpResponse:
    """The incident in plain text, to paste into a chat."""
    desk = Desk(request, incident_code)
    page = incident_page(desk.incident, desk.now)
    at = localtime(desk.now)
    words = f"{at.day} {at:%b %Y, %H:%M} ({at.tzname()})"
    return HttpResponse(summary_text(desk.incident, page, words), content_type="text/plain; charset=utf-8")


@require_safe
def file(request: HttpRequest, incident_code: str, number: int) -> HttpResponse:
    """A file of the incident: always an attachment, its hash counted anew, never shown in the page."""
    found = _find_file(request, incident_code, number)
    try:
        content = evidence_store.read(found.sha256)
    except evidence_store.Damaged as error:
        log.error("File %s of %s: %s", number, incident_code, error)
        context: dict[str, Any] = {"reason": f"{found.name} is not as it was given. Tell whoever runs the portal."}
        return render(request, "portal/refused.html", context, status=409)
    return HttpResponse(
        content,
        content_type="application/octet-stream" if found.content_type.startswith("text/") else found.content_type,
        headers={
            "Content-Disposition": content_disposition_header(True, found.name) or "attachment",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


def _find_file(request: HttpRequest, incident_code: str, number: int) -> IncidentFile:
    try:
        return find_incident(signed_in(request), incident_code).files.get(number=number)
    except (Incident.DoesNotExist, IncidentFile.DoesNotExist, OverflowError) as error:
        raise Http404 from error
