"""Where the portal speaks to other programs: chats, paging services, gateways."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import require
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import Refused
from apps.notify.actions import endpoints as verbs
from apps.notify.models import Endpoint
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.portal.forms.channels import EndpointForm
from apps.portal.queries.channels import last_deliveries, listed_endpoints, test_is_on_its_way
from apps.portal.views.people import add_errors

ROWS_A_PAGE = 25


def _manager(request: HttpRequest) -> Person:
    actor = signed_in(request)
    require(actor, Permission.INCIDENTS_MANAGE)
    return actor


@require_safe
def endpoints(request: HttpRequest) -> HttpResponse:
    """All endpoints, those in use first."""
    _manager(request)
    page = Paginator(listed_endpoints(), ROWS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "portal/endpoints.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Add an endpoint. Its secret, where the portal makes it, is on the one page that follows."""
    actor, form = _manager(request), EndpointForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            saved = verbs.add_endpoint(actor=actor, created_by=actor, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            return _saved(request, saved, f"{saved.endpoint.name} is added.")
    return render(request, "portal/endpoint_new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def endpoint(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """One endpoint: what it is, its last test, what went there. `do` of a POST says what is to be done."""
    actor = _manager(request)
    found = Endpoint.objects.select_related("created_by").filter(pk=endpoint_id).first()
    if found is None:
        raise Http404
    if request.method != "POST":
        return _page(request, found)
    do = request.POST.get("do", "")
    if do == "test":
        verbs.test_endpoint(found, actor=actor, now=clock.now())
        messages.success(request, "A test is on its way. What comes of it is shown here.")
        return redirect("portal:endpoint", found.pk)
    if do == "end":
        verbs.end_endpoint(found, actor=actor, now=clock.now())
        messages.success(request, f"{found.name} is ended. Who was reached through it is told by mail.")
        return redirect("portal:endpoints")
    if do != "change":
        raise Refused("Choose what to do with this endpoint.")
    return _change(request, found, actor)


def _change(request: HttpRequest, found: Endpoint, actor: Person) -> HttpResponse:
    form = EndpointForm(request.POST, endpoint=found)
    if form.is_valid():
        try:
            saved = verbs.change_endpoint(found, actor=actor, now=clock.now(), **form.cleaned_data)
        except (Refused, ValidationError) as error:
            add_errors(form, error)
        else:
            return _saved(request, saved, "Saved.")
    return _page(request, found, form=form)


def _saved(request: HttpRequest, saved: verbs.Saved, said: str) -> HttpResponse:
    """Back to its page; where there is a secret to show, it is shown on this answer and nowhere else."""
    if saved.shown:
        response = _page(request, saved.endpoint, secret=saved.shown)
        response["Cache-Control"] = "no-store"
        return response
    messages.success(request, said)
    return redirect("portal:endpoint", saved.endpoint.pk)


def _page(request: HttpRequest, found: Endpoint, *, form: EndpointForm | None = None, secret: str = "") -> HttpResponse:
    form = form or EndpointForm(endpoint=found)
    context: dict[str, Any] = {
        "endpoint": found,
        "form": form,
        "secret": secret,
        "deliveries": last_deliveries(found),
        "on_its_way": test_is_on_its_way(found),
        "ending": request.GET.get("do") == "end",
    }
    return render(request, "portal/endpoint.html", context, status=422 if form.errors else 200)
