"""The page of numbers about incidents, with their definitions."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import NotAllowed
from apps.incidents.queries.metrics import Metrics, as_json
from apps.incidents.queries.metrics import metrics as measured
from apps.incidents.rules.metrics import (
    COUNTS,
    COVERAGE,
    DRILL_SPANS,
    METHOD,
    PERIODS,
    SPANS,
    UNKNOWN,
    UNMEASURED,
    Definition,
    Spread,
    span_words,
)
from apps.people.requests import signed_in


def _asked(request: HttpRequest) -> str:
    """The period. Raises NotAllowed for who may not read all incidents."""
    if not may(signed_in(request), Permission.INCIDENTS_READ_ALL):
        raise NotAllowed("These numbers are read by the board, seat holders, auditors and who holds the mandate.")
    wanted = request.GET.get("period", "")
    return wanted if wanted in PERIODS else "365"


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What happened and what was rehearsed, side by side and never added up."""
    period = _asked(request)
    page = measured(now=clock.now(), period=period)
    context = {
        "page": page,
        "period": period,
        "periods": [(key, words) for key, (words, _) in PERIODS.items()],
        "spans": [_line(one, page) for one in SPANS],
        "drill_spans": [_line(one, page) for one in DRILL_SPANS],
        "counts": {one.key: one for one in COUNTS},
        "coverage": COVERAGE,
        "clocks": [(one, span_words(one.slack) if one.slack is not None else "") for one in page.clocks],
        "unknown": UNKNOWN,
        "method": METHOD,
    }
    return render(request, "incidents/metrics.html", context)


@require_safe
def metrics_json(request: HttpRequest) -> HttpResponse:
    """The same numbers for programs."""
    period = _asked(request)
    return JsonResponse(as_json(measured(now=clock.now(), period=period)))


def _line(one: Definition, page: Metrics) -> dict[str, Any]:
    series = (("real", page.real.span(one.key)), ("drill", page.drill.span(one.key)))
    # Each measure has its own scale: an hour to resolve would make a minute to answer invisible.
    longest = max([spread.p90 or 0 for _, spread in series] + [1])
    counts = {"real": page.real.incidents, "drill": page.drill.incidents}
    return {"definition": one, "bars": [_bar(mode, spread, longest, counts[mode]) for mode, spread in series]}


def _bar(mode: str, spread: Spread, longest: float, count: int) -> dict[str, Any]:
    return {
        "mode": mode,
        "spread": spread,
        "unknown": UNMEASURED if count else UNKNOWN[mode],
        "median": f"{100 * (spread.median or 0) / longest:.2f}%",
        "p90": f"{min(99.6, 100 * (spread.p90 or 0) / longest):.2f}%",
    }
