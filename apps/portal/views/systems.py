"""The systems list: filters, saved views, export."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Page
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.queries import status_by_system
from apps.common import clock
from apps.common.csv_export import csv_response
from apps.common.pages import page_from_nearer_end, page_in_one_pass
from apps.people.requests import signed_in
from apps.portal.forms.systems import FilterForm, SaveViewForm
from apps.portal.queries import systems as queries
from apps.portal.queries.system_rows import on_page, shown
from apps.portal.queries.systems import Filters
from apps.registry import actions
from apps.registry.models import SavedView, System
from apps.registry.queries.acting import acting_owners

PAGE_SIZE = 25
EXPORT_COLUMNS = (
    "key", "name", "unit", "stage", "tier", "answers today", "email", "basis", "deputy", "vendor",
    "attestation", "attestation due", "contact given", "owner", "acts until",
)  # fmt: skip
EXPORT_CHUNK = 2000


@require_safe
def systems(request: HttpRequest) -> HttpResponse:
    """The list as its address says; only its table for htmx."""
    reader, now = signed_in(request), clock.now()
    today, filters = clock.local_date(now), Filters.read(request.GET)
    ids = queries.rows_of(reader, filters, now=now, today=today).values_list("pk", flat=True)
    page = _page(ids, request.GET.get("page"), searched=bool(filters.q))
    context = {
        "filters": filters,
        "page": page,
        "rows": shown(on_page(list(page.object_list)), today=today),
        "chips": queries.chips(filters),
        "sorts": _sorts(filters),
        "today": today,
        "query": filters.query(),
        "shows_why": filters.basis == "interim",
        "may_nominate": may(reader, Permission.NOMINATE_OWNER),
        "may_set_letters": may(reader, Permission.RACI_CHANGE),
    }
    if _wants_table(request):
        return render(request, "portal/systems.html#results", context)
    context |= {
        "tabs": queries.tabs(reader, now=now, today=today),
        "form_filter": FilterForm(_initial(filters)),
        "reads_all": may(reader, Permission.SYSTEMS_READ_ALL),
        "may_register": may(reader, Permission.SYSTEM_REGISTER),
        "may_import": may(reader, Permission.IMPORT_SYSTEMS),
    }
    return render(request, "portal/systems.html", context)


def _page(ids: QuerySet[System, int], number: str | None, *, searched: bool) -> Page[int]:
    """Without words an index has the count and the page each on its own; with words both need every match."""
    return (page_in_one_pass if searched else page_from_nearer_end)(ids, number, PAGE_SIZE)


def _wants_table(request: HttpRequest) -> bool:
    """Whether htmx asks for the table alone. Going back in the browser asks for the whole page."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def _initial(filters: Filters) -> dict[str, str]:
    """The panel shows one value a field; an address can hold more."""
    return {
        "basis": filters.basis,
        "tier": filters.tier[0] if filters.tier else "",
        "stage": filters.stage[0] if filters.stage else "",
        "unit": filters.unit,
        "attestation": filters.attestation,
        "live": filters.live,
    }


def _sorts(filters: Filters) -> dict[str, dict[str, str]]:
    """For each sortable column: the address of its link and its aria-sort."""
    found = {}
    for name in ("name", "owner", "tier", "stage"):
        current = filters.sort.lstrip("-") == name
        descending = current and not filters.sort.startswith("-")
        aria = ("descending" if filters.sort.startswith("-") else "ascending") if current else ""
        found[name] = {"query": filters.query(sort=f"-{name}" if descending else name), "aria": aria}
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponseBase:
    """The filtered systems, or the selected ones of a POST, as CSV that a spreadsheet does not run."""
    reader, now = signed_in(request), clock.now()
    today = clock.local_date(now)
    if request.method == "POST":
        rows = queries.selected(reader, request.POST.getlist("system"))
    else:
        rows = queries.for_export(reader, Filters.read(request.GET), now=now, today=today)
    return csv_response(f"systems-{today:%Y-%m-%d}.csv", EXPORT_COLUMNS, _lines(rows, today))


def _lines(rows: QuerySet[System], today: date) -> Iterator[tuple[object, ...]]:
    """Line by line; attestations are looked up for a part at a time."""
    part: list[System] = []
    for system in rows.iterator(EXPORT_CHUNK):
        part.append(system)
        if len(part) == EXPORT_CHUNK:
            yield from _part(part, today)
            part = []
    yield from _part(part, today)


def _part(part: list[System], today: date) -> Iterator[tuple[object, ...]]:
    statuses = status_by_system([system.pk for system in part], today=today)
    acting = acting_owners(part, clock.now())
    for system in part:
        status, deputy, acts = statuses.get(system.pk), system.owner.deputy, acting[system.pk]
        yield (
            system.key, system.name, system.unit.name, system.stage, system.tier, acts.acts.display_name,
            acts.acts.email, system.owner_basis, deputy.display_name if deputy else "", system.vendor,
            status.words if status else "", status.due_on if status else "", system.contact_given,
            system.owner.display_name, (acts.until or "") if acts.stood_in_for else "",
        )  # fmt: skip


@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the filtered list under a name."""
    actor = signed_in(request)
    form = SaveViewForm(request.POST)
    if form.is_valid():
        query = Filters.read(QueryDict(form.cleaned_data["query"])).query()
        try:
            view = actions.save_view(
                name=form.cleaned_data["name"],
                query=query,
                shared=form.cleaned_data["shared"],
                actor=actor,
                now=clock.now(),
            )
        except ValidationError as error:
            form.add_error("name", " ".join(error.messages))
        else:
            messages.success(request, f"The view {view.name} is saved.")
            return redirect(f"{reverse('portal:systems')}?{query}")
    return render(request, "portal/systems_view.html", {"form": form}, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def delete_view(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """Remove one's own view after a look at it."""
    actor = signed_in(request)
    view = SavedView.objects.filter(pk=view_id, person=actor).first()
    if view is None:
        raise Http404
    if request.method == "POST":
        actions.delete_view(view, actor=actor, now=clock.now())
        messages.success(request, f"The view {view.name} is deleted.")
        return redirect("portal:systems")
    return render(request, "portal/systems_view_delete.html", {"view": view})
