"""Letters for the systems selected in a list: choose them, look at what would change, apply to all or to none."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from apps.common import clock
from apps.common.errors import Refused
from apps.people.requests import signed_in
from apps.portal.forms.raci import BulkForm
from apps.portal.queries.nominations import selected_systems
from apps.portal.queries.raci_bulk import Preview, domain_choices, party_choices, preview, require_may_change_all
from apps.portal.views.nominations import MOST_AT_ONCE, list_url
from apps.registry.actions import raci as verbs
from apps.registry.models import System

ROWS_A_PAGE = 25


@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """The three steps: choose, preview, apply. Nothing is kept between them but what the form sends again."""
    actor = signed_in(request)
    systems = _systems(request)
    require_may_change_all(actor, systems)
    step = request.POST.get("step") or ("preview" if request.POST.get("page") else "")
    data = request.POST if step else None
    form = BulkForm(data, domains=domain_choices(), parties=party_choices())
    if step not in {"preview", "apply"} or not form.is_valid():
        return _page(request, systems, form, status=422 if step != "choose" and form.errors else 200)
    if step == "apply":
        try:
            return _applied(request, systems, form)
        except Refused as error:
            form.add_error(None, str(error))
    return _page(request, systems, form, preview(systems, form.cells(), actor=actor, now=clock.now()))


def _systems(request: HttpRequest) -> list[System]:
    """The selected systems that the reader sees. Raises Refused and Http404."""
    keys = request.POST.getlist("system")
    if not keys:
        raise Refused("No system is selected. Go back to the list and select at least one.")
    if len(keys) > MOST_AT_ONCE:
        raise Refused(f"{len(keys)} systems are too many at once. Select {MOST_AT_ONCE} at most.")
    found = selected_systems(signed_in(request), keys)
    if not found:
        raise Http404
    return list(found)


def _applied(request: HttpRequest, systems: list[System], form: BulkForm) -> HttpResponse:
    """Write it for all of them. Raises Refused where one stands in the way."""
    note = form.cleaned_data["note"]
    drafts = verbs.apply_to_systems(form.cells(), systems, note=note, actor=signed_in(request), now=clock.now())
    waiting = sum(one.state == one.State.SENT for one in drafts)
    noun = "1 system" if len(drafts) == 1 else f"{len(drafts)} systems"
    tail = f" {waiting} wait until the person who gets the A accepts." if waiting else " They are in force."
    messages.success(request, f"Set for {noun}.{tail}")
    return redirect(list_url(request))


def _page(
    request: HttpRequest, systems: list[System], form: BulkForm, found: Preview | None = None, status: int = 200
) -> HttpResponse:
    kept = [(name, value) for name, value in request.POST.items() if name in form.fields and value]
    context: dict[str, Any] = {
        "systems": systems,
        "count": len(systems),
        "form": form,
        "preview": found,
        "kept": kept,
        "back": request.POST.get("back", ""),
        "list_url": list_url(request),
        "page": Paginator(found.rows, ROWS_A_PAGE).get_page(request.POST.get("page")) if found else None,
    }
    return render(request, "portal/raci_bulk.html", context, status=422 if form.errors else status)
