"""Leavers: the cases, and one of them."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.access.queries import may, require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.clock import local_date
from apps.directory.models import OffboardingCase
from apps.directory.queries.cases import cases_for, left_of
from apps.people.requests import signed_in

ROWS_A_PAGE = 25


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first of the tabs, for those who run the directory."""
    require(signed_in(request), Permission.DIRECTORY_RUN, "who administers people")
    return redirect("directory:cases")


@require_safe
def cases(request: HttpRequest) -> HttpResponse:
    """Every case that the reader may read, open ones first, the nearest date first."""
    reader = signed_in(request)
    found = cases_for(reader)
    if not found.exists():
        require(reader, Permission.DIRECTORY_RUN, "who administers people, and who sees to a leaver,")
    context = {
        "page": Paginator(found, ROWS_A_PAGE).get_page(request.GET.get("page")),
        "today": local_date(clock.now()),
        "runs": may(reader, Permission.DIRECTORY_RUN),
    }
    return render(request, "directory/cases.html", context)


@require_safe
def case(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """One leaver: what passed to whom, and what still waits for an owner."""
    reader = signed_in(request)
    try:
        found = cases_for(reader).get(pk=case_id)
    except OffboardingCase.DoesNotExist as error:
        raise Http404 from error
    context = {
        "case": found,
        "page": Paginator(left_of(reader, found), ROWS_A_PAGE).get_page(request.GET.get("page")),
        "today": local_date(clock.now()),
        "runs": may(reader, Permission.DIRECTORY_RUN),
    }
    return render(request, "directory/case.html", context)
