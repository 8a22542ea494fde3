"""Business units: the tree level by level, and changing it."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.people.requests import signed_in
from apps.portal.forms.units import UnitForm
from apps.portal.queries.system import unit_path
from apps.portal.queries.units import listed_units, live_counts
from apps.portal.views.people import add_errors
from apps.registry import actions
from apps.registry.models import Unit

ROWS_A_PAGE = 25


@require_safe
def units(request: HttpRequest) -> HttpResponse:
    """The units at the top, those below `?unit=`, or those that match `?q=`."""
    reader = signed_in(request)
    text = " ".join(request.GET.get("q", "").split())[:200]
    here = _unit(request.GET["unit"]) if request.GET.get("unit") else None
    counts = live_counts(reader)
    page = Paginator(listed_units(parent=here, text=text), ROWS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "here": here,
        "path": unit_path(here)[:-1] if here else [],
        "here_counts": counts.get(here.pk, (0, 0)) if here else None,
        "page": page,
        "rows": [{"unit": unit, "live": counts.get(unit.pk, (0, 0))[0]} for unit in page],
        "q": text,
        "administers": may(reader, Permission.ADMINISTER_UNITS),
    }
    return render(request, "portal/units.html", context)


def _unit(number: str) -> Unit:
    found = (
        Unit.objects.select_related("head").filter(pk=number).first()
        if number.isdecimal() and len(number) < 18
        else None
    )
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Add a unit."""
    actor = signed_in(request)
    require(actor, Permission.ADMINISTER_UNITS)
    form = UnitForm(request.POST if request.method == "POST" else None, parent=request.GET.get("parent", ""))
    if form.is_valid():
        try:
            made = actions.create_unit(actor=actor, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"{made.name} is added.")
            return _to(made)
    return render(request, "portal/unit_edit.html", {"form": form, "unit": None}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def unit(request: HttpRequest, unit_id: int) -> HttpResponse:
    """Rename a unit, move it, give it a head."""
    actor = signed_in(request)
    require(actor, Permission.ADMINISTER_UNITS)
    found = _unit(str(unit_id))
    form = UnitForm(request.POST if request.method == "POST" else None, unit=found)
    if form.is_valid():
        try:
            changed, moved = actions.change_unit(found, actor=actor, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            messages.success(request, f"Saved. {_followed(moved)}")
            return _to(changed)
    context = {"form": form, "unit": found, "path": unit_path(found)}
    return render(request, "portal/unit_edit.html", context, status=422 if form.errors else 200)


def _followed(moved: int) -> str:
    if not moved:
        return "No interim owner changed."
    return "1 interim owner changed." if moved == 1 else f"{moved:,} interim owners changed."


def _to(unit: Unit) -> HttpResponse:
    return redirect(f"{reverse('portal:units')}?unit={unit.pk}")
