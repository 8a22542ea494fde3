"""Mail and webhooks that did not arrive, or may not have: nothing vanishes in silence."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import require
from apps.access.rules import Permission
from apps.common import clock
from apps.notify.queries import outbox_counts, undelivered, undelivered_calls
from apps.people.requests import signed_in

PAGE_SIZE = 25


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """What failed, what is uncertain and what waits too long, newest first; `?show=webhooks` for other programs."""
    require(signed_in(request), Permission.CAMPAIGN_RUN)
    now, webhooks = clock.now(), request.GET.get("show") == "webhooks"
    rows = undelivered_calls(now=now) if webhooks else undelivered(now=now)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    others = undelivered(now=now).count() if webhooks else undelivered_calls(now=now).count()
    mails, calls = (others, page.paginator.count) if webhooks else (page.paginator.count, others)
    context = {"page": page, "counts": outbox_counts(), "webhooks": webhooks, "mails": mails, "calls": calls}
    return render(request, "portal/outbox.html", context)
