"""The trail's pages."""

import uuid
from dataclasses import dataclass
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.assurance import queries
from apps.assurance.forms import NAMES, TrailForm
from apps.assurance.rules import GROUP_WORDS, SUBJECT_WORDS, Group
from apps.audit.models import AuditEvent
from apps.audit.queries import beginning
from apps.common.csv_export import csv_response
from apps.common.errors import NotAllowed
from apps.people.models import Person

READERS = "seat holders, auditors and the person who holds the mandate"
CSV_HEADER = (
    "Time (UTC)", "Kind", "What happened", "Who", "Function", "Actor id", "About", "Subject", "Subject id",
    "Before", "After", "Reason", "Request", "Caused by", "Event",
)  # fmt: skip


@dataclass(frozen=True)
class Chip:
    """One filter that is on, and the query string without it."""

    label: str
    value: str
    without: str


@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """The list, newest first."""
    person = _reader(request)
    form = TrailForm(request.GET, reader=person)
    page = queries.Page([], "")
    if form.is_valid():
        page = queries.page_of(person, form.filters(), request.GET.get("older", ""))
    context = {
        "form": form,
        "page": page,
        "chips": _chips(request, form),
        "since": beginning(),
        "moved": bool(request.GET.get("older")),
        "filtered": any(request.GET.get(name) for name in NAMES),
        "zone": timezone.get_current_timezone_name().replace("_", " "),
    }
    return render(request, "assurance/trail.html", context, status=200 if form.is_valid() else 422)


@require_safe
def trail_csv(request: HttpRequest) -> HttpResponseBase:
    """The same events as a file."""
    person = _reader(request)
    form = TrailForm(request.GET, reader=person)
    if not form.is_valid():
        return trail(request)
    return csv_response("trail.csv", CSV_HEADER, map(_csv_row, queries.export_rows(person, form.filters())))


@require_safe
def trail_event(request: HttpRequest, event_id: uuid.UUID) -> HttpResponse:
    """One event: what was written, and whether the values beside it are still those it committed to."""
    person = _reader(request)
    try:
        event, row, committed = queries.find_row(person, event_id)
    except AuditEvent.DoesNotExist as error:
        raise Http404 from error
    context = {
        "event": event,
        "row": row,
        "committed": committed,
        "canonical": queries.is_canonical(event),
        "effects": queries.effects_of(person, event_id),
        "zone": timezone.get_current_timezone_name().replace("_", " "),
    }
    return render(request, "assurance/event.html", context)


def _reader(request: HttpRequest) -> Person:
    person = cast(Person, request.user)
    if not may(person, Permission.TRAIL_READ):
        raise NotAllowed(f"The trail is read by {READERS}.")
    return person


def _chips(request: HttpRequest, form: TrailForm) -> list[Chip]:
    chips = []
    for name in NAMES:
        value = request.GET.get(name, "").strip()
        if value and name != "q":
            rest = request.GET.copy()
            for gone in (name, "older"):
                rest.pop(gone, None)
            chips.append(Chip(*_chip_words(name, value, form), f"?{rest.urlencode()}"))
    return chips


def _chip_words(name: str, value: str, form: TrailForm) -> tuple[str, str]:
    if name == "person":
        known = Person.objects.filter(pk__in=[form.cleaned_data.get("person")]).values_list("display_name", flat=True)
        return "Who", known.first() or "unknown"
    if name == "kind":
        return "What", GROUP_WORDS[Group(value)] if value in GROUP_WORDS else value
    if name == "about":
        return "About", SUBJECT_WORDS.get(value, value)
    label = {"who": "Who", "system": "System", "since": "From", "until": "To"}[name]
    day = form.cleaned_data.get(name) if name in ("since", "until") and form.is_valid() else None
    return label, f"{day.day} {day:%b %Y}" if day else value


def _csv_row(row: queries.Row) -> list[Any]:
    return [
        row.at.isoformat(), row.kind, row.words, row.who, row.actor_function, row.actor, row.subject_kind, row.about,
        row.subject_id, _facts(row, "before"), _facts(row, "after"), row.reason, row.request_id, row.cause or "",
        row.id,
    ]  # fmt: skip


def _facts(row: queries.Row, side: str) -> str:
    return "; ".join(f"{change.label}: {value}" for change in row.changes if (value := getattr(change, side)))
