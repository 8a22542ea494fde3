"""Versions of a matrix: what changed, any two compared, an old one as a new draft."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.common import clock
from apps.common.errors import Refused
from apps.people.requests import signed_in
from apps.portal.queries.raci import may_change_here, require_may_change
from apps.portal.queries.raci_history import comparison, find_version, version_numbers, version_rows, versions_of
from apps.portal.queries.raci_place import Place, find_place
from apps.registry.actions import raci as verbs

VERSIONS_A_PAGE = 15


@require_http_methods(["GET", "HEAD", "POST"])
def history(request: HttpRequest, unit_id: int | None = None, key: str | None = None) -> HttpResponse:
    """The versions, newest first; with `?from=&to=` what lies between two. POST makes a draft from one."""
    reader = signed_in(request)
    place = find_place(reader, unit_id=unit_id, key=key)
    if request.method == "POST":
        return _from_version(request, place)
    page = Paginator(versions_of(place.scope), VERSIONS_A_PAGE).get_page(request.GET.get("page"))
    numbers = version_numbers(place.scope)
    older, newer = request.GET.get("from", ""), request.GET.get("to", "")
    found, problem = comparison(place.scope, older, newer) if older or newer else (None, "")
    context = {
        "place": place,
        "page": page,
        "rows": version_rows(list(page), numbers),
        "numbers": numbers,
        "comparison": found,
        "problem": problem,
        "may_change": may_change_here(reader, place),
        "crumbs": place.below("Versions"),
    }
    return render(request, "portal/raci_history.html", context)


def _from_version(request: HttpRequest, place: Place) -> HttpResponse:
    """A draft that would bring a version back. Raises Refused where a draft is open already."""
    actor = signed_in(request)
    require_may_change(actor, place)
    version = find_version(place.scope, request.POST.get("version", ""))
    if version is None:
        raise Refused("There is no such version here.")
    verbs.draft_from_version(version, actor=actor, now=clock.now())
    messages.success(request, f"The draft says what version {version.number} said. Look at it, then send it.")
    return redirect(place.url)
