"""Ownership: where nobody looks."""

from collections.abc import Iterator

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.common import clock
from apps.common.csv_export import csv_response
from apps.people.requests import signed_in
from apps.portal.queries.blind_spot_actions import closing_most
from apps.portal.queries.blind_spot_table import Table, percent, table
from apps.portal.queries.blind_spots import UNITS_SHOWN, Scene, pattern_found, scene, unit_lines, widest_hole
from apps.registry.models import Unit


@require_safe
def blind_spots(request: HttpRequest) -> HttpResponse:
    """The heat map of everything that the reader sees, or of one unit and what is below it."""
    reader = signed_in(request)
    here = _scene(request)
    every_domain, as_list = request.GET.get("domains") == "all", request.GET.get("view") == "list"
    units = unit_lines(here)
    context = {
        "here": here,
        "path": here.tree.path(here.unit.pk)[:-1] if here.unit else [],
        "table": table(here, every_domain=every_domain),
        "every_domain": every_domain,
        "as_list": as_list,
        "links": _links(here, every_domain=every_domain, as_list=as_list),
        "widest": widest_hole(here),
        "actions": closing_most(here, reader),
        "pattern": pattern_found(here),
        "units": units[:UNITS_SHOWN],
        "more_units": units[UNITS_SHOWN:],
    }
    return render(request, "portal/blind_spots.html", context)


def _scene(request: HttpRequest) -> Scene:
    number = request.GET.get("unit", "")
    if not number:
        return scene(signed_in(request))
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise Http404
    try:
        return scene(signed_in(request), int(number))
    except Unit.DoesNotExist as error:
        raise Http404 from error


def _links(here: Scene, *, every_domain: bool, as_list: bool) -> dict[str, str]:
    """The same page with one thing changed: each is a link, so that the state is in the address."""

    def address(*, domains: bool, listed: bool) -> str:
        parts = [f"unit={here.unit.pk}"] if here.unit else []
        parts += ["domains=all"] if domains else []
        parts += ["view=list"] if listed else []
        return f"?{'&'.join(parts)}"

    return {
        "domains": address(domains=not every_domain, listed=as_list),
        "view": address(domains=every_domain, listed=not as_list),
        "unit": f"?unit={here.unit.pk}" if here.unit else "",
    }


@require_safe
def blind_spots_csv(request: HttpRequest) -> HttpResponseBase:
    """The map with all domains, as CSV that a spreadsheet does not run."""
    here = _scene(request)
    whole = table(here, every_domain=True)
    header = ("function", "held by", *(domain.name for domain in whole.domains))
    return csv_response(f"blind-spots-{clock.local_date(clock.now()):%Y-%m-%d}.csv", header, _lines(whole))


def _lines(whole: Table) -> Iterator[tuple[object, ...]]:
    for row in whole.rows:
        holder = row.seat.holder if row.seat else None
        name = holder.display_name if holder else ("vacant seat" if row.seat else row.note)
        yield row.title, name, *(cell.n for cell in row.cells)
    yield "Nobody", "", *(hole.n for hole in whole.holes)
    yield "Nobody, share", "", *(percent(hole.n, whole.live) for hole in whole.holes)
    yield "Live systems", "", *(whole.live for _ in whole.holes)
