"""Answering a call by its link, without signing in: whoever has the link was called."""

from datetime import datetime

from allauth.core import ratelimit
from django.contrib.auth.decorators import login_not_required
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.common.clock import zone_named
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.paging import LINK, acknowledge, decline_page
from apps.incidents.forms.plans import AnswerForm
from apps.incidents.models import Page
from apps.incidents.queries.ack_links import LinkExpired, page_of
from apps.incidents.queries.paging import database_now
from apps.incidents.queries.steps import OVER, steps_in
from apps.incidents.rules import SEVERITY_WORDS, Severity, Visibility


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ack(request: HttpRequest, token: str) -> HttpResponse:
    """Say "I take it", or "I can't" and why. Opening the link changes nothing: mail scanners open links.

    A link that was not made here is not found; one that is older than a day says so.
    """
    ratelimit._impl.consume(request, app="allauth.account", action="incident_ack", limit_get=True, raise_exception=True)
    now = database_now()
    try:
        page = _page(token, now)
    except LinkExpired:
        return render(request, "incidents/ack_expired.html", status=410)
    form = AnswerForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _answer(request, form, page, now)
    return _show(request, form, page, now, status=422 if form.errors else 200)


def _page(token: str, now: datetime) -> Page:
    """The call that the link answers. Raises Http404 for a link of somebody else's making, LinkExpired after a day."""
    try:
        wanted = page_of(token, now)
    except LinkExpired:
        raise
    except BadSignature as error:
        raise Http404 from error
    rows = Page.objects.select_related("person", "incident__system", "incident__lead", "incident__owner")
    page = rows.filter(pk=wanted).first()
    if page is None:
        raise Http404
    return page


def _answer(request: HttpRequest, form: AnswerForm, page: Page, now: datetime) -> HttpResponse:
    try:
        if form.cleaned_data["answer"] == "take":
            acknowledge(page, actor=page.person, now=now, way=LINK)
        else:
            decline_page(page, reason=form.cleaned_data["reason"], actor=page.person, now=now, way=LINK)
    except (Refused, NotAllowed) as error:
        form.add_error(None, str(error))
        return _show(request, form, _fresh(page), now, status=422)
    return _show(request, AnswerForm(), _fresh(page), now)


def _fresh(page: Page) -> Page:
    rows = Page.objects.select_related("person", "incident__system", "incident__lead", "incident__escalation__acked_by")
    return rows.get(pk=page.pk)


def _show(request: HttpRequest, form: AnswerForm, page: Page, now: datetime, *, status: int = 200) -> HttpResponse:
    """Of an open one code, title and place; of any other the code alone: the link may have been passed on."""
    incident = page.incident
    row = getattr(incident, "escalation", None)
    held = row is not None and row.state == "acked"
    is_open, mine = (
        incident.visibility == Visibility.OPEN,
        held and row is not None and row.acked_by_id == page.person_id,
    )
    context = {
        "form": form,
        "page": page,
        "incident": incident,
        "is_open": is_open,
        "severity": SEVERITY_WORDS[Severity(incident.severity)],
        "holder": row.acked_by if held and row is not None else None,
        "mine": mine,
        "next_call": row.due_at if row is not None and row.due_at and row.due_at > now else None,
        "first": steps_in(incident).exclude(state__in=OVER).first() if mine and is_open and incident.is_live else None,
        "asks": incident.is_live and not held and page.state not in {"declined", "cancelled"},
    }
    # Nobody is signed in: times are those of who was called.
    with timezone.override(zone_named(page.person.time_zone)):
        return render(request, "incidents/ack.html", context, status=status)
