"""The people page of ownership: how much each person answers for."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.common import clock
from apps.common.csv_export import csv_response
from apps.portal.queries.workload import SHOWS, SORTS, WorkloadFilters, load_lines, load_rows, loads, totals

ROWS_A_PAGE = 25
COLUMNS = (
    "name", "title", "email", "accepted", "interim", "over the cap", "deputy", "away until", "acts today",
    "leaving on", "next in line",
)  # fmt: skip


@require_safe
def workload(request: HttpRequest) -> HttpResponse:
    """Each accountable person with deputy, absence, last day and who comes next."""
    filters, now = WorkloadFilters.read(request.GET), clock.now()
    page = Paginator(loads(filters), ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": load_rows(list(page.object_list), now),
        "filters": filters,
        "query": filters.query(),
        "shows": [(label, filters.query(show=show), show == filters.show) for show, label in SHOWS.items()],
        "sorts": {name: _sort(filters, name) for name in SORTS},
        "totals": totals(),
        "cap": settings.WORKLOAD_CAP,
        "over": f"Over {settings.WORKLOAD_CAP}",
    }
    return render(request, "portal/workload.html", context)


def _sort(filters: WorkloadFilters, name: str) -> dict[str, str]:
    """The address of a column's link, and its aria-sort."""
    current = filters.sort.removeprefix("-") == name
    descending = current and filters.sort.startswith("-")
    aria = ("descending" if descending else "ascending") if current else ""
    other = name if descending or (not current and name == "name") else f"-{name}"
    return {"query": filters.query(sort=other), "aria": aria}


@require_safe
def workload_csv(request: HttpRequest) -> HttpResponseBase:
    """The filtered people as CSV that a spreadsheet does not run."""
    now = clock.now()
    name = f"accountable-people-{clock.local_date(now):%Y-%m-%d}.csv"
    return csv_response(name, COLUMNS, load_lines(WorkloadFilters.read(request.GET), now))
