"""Pages of what declares by itself: the sources, one with how to connect it, its end."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.queries import require
from apps.access.rules import Permission
from apps.common import clock
from apps.incidents.actions.inbound import add_source, revoke_source
from apps.incidents.forms.inbound import SourceForm
from apps.incidents.models import InboundSource
from apps.incidents.queries.inbound import mail_address, sources
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.rules.inbound import DEFAULT_LABELS
from apps.incidents.rules.words import scenario_words
from apps.people.models import Person
from apps.people.requests import signed_in
from apps.registry.queries.systems import visible_systems

ROWS = 25
LATEST = 10
PLACEHOLDER = "inb_YOUR_TOKEN"


def _manager(request: HttpRequest) -> Person:
    person = signed_in(request)
    require(person, Permission.INCIDENTS_MANAGE, "who manages incidents")
    return person


def _source(source_id: int) -> InboundSource:
    found = InboundSource.objects.select_related("system", "owner").filter(pk=source_id).first()
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def list_sources(request: HttpRequest) -> HttpResponse:
    """The sources. POST adds one, whose token is on this one page and nowhere else."""
    actor = _manager(request)
    form = SourceForm(request.POST if request.method == "POST" else None, actor=actor)
    if form.is_valid():
        try:
            source, token = add_source(actor=actor, now=clock.now(), **form.cleaned_data)
            return render(request, "incidents/source.html", _of(source, actor, token))
        except ValidationError as error:
            form.add_error("name", error.messages)
    shown = request.GET.get("show") == "revoked"
    page = Paginator(sources(revoked=shown), ROWS).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "seen": _seen(actor, list(page.object_list)),
        "revoked": shown,
        "mail": settings.INBOUND_MAIL_ADDRESS,
    }
    return render(request, "incidents/sources.html", context, status=422 if form.errors else 200)


@require_safe
def source(request: HttpRequest, source_id: int) -> HttpResponse:
    """One source: how to connect it, and what it declared."""
    actor = _manager(request)
    return render(request, "incidents/source.html", _of(_source(source_id), actor))


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, source_id: int) -> HttpResponse:
    """Ask, then end the token at once. Raises Refused for one that is revoked already."""
    actor, found = _manager(request), _source(source_id)
    if request.method != "POST":
        return render(request, "incidents/source_revoke.html", {"source": found})
    revoke_source(found, actor=actor, now=clock.now())
    messages.success(request, f"{found.name} is revoked. What it sends from now on is refused.")
    return redirect("incidents:sources")


def _seen(actor: Person, rows: list[InboundSource]) -> set[int]:
    """Those of their systems that the person may see: managing incidents shows no restricted one."""
    return set(visible_systems(actor).filter(pk__in=[row.system_id for row in rows]).values_list("pk", flat=True))


def _of(found: InboundSource, actor: Person, token: str = "") -> dict[str, Any]:
    shown = token or PLACEHOLDER
    declared = visible_incidents(actor).filter(source=found).order_by("-declared_at", "-pk")
    return {
        "source": found,
        "seen": _seen(actor, [found]),
        "token": token,
        "shown": shown,
        "address": f"{settings.SITE_URL}{reverse(f'api:inbound_{found.kind}')}",
        "mail": mail_address(shown),
        "labels": found.labels or DEFAULT_LABELS,
        "latest": declared.select_related("system", "merged_into", "lead")[:LATEST],
        "scenario": scenario_words(found.scenario),
    }
