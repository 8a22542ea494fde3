"""Mail that did not arrive, or may not have: nothing vanishes in silence."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import require
from apps.access.rules import Permission
from apps.common import clock
from apps.notify.queries import outbox_counts, undelivered
from apps.people.requests import signed_in

PAGE_SIZE = 25


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """What failed, what is uncertain and what waits too long, newest first."""
    require(signed_in(request), Permission.CAMPAIGN_RUN)
    page = Paginator(undelivered(now=clock.now()), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "portal/outbox.html", {"page": page, "counts": outbox_counts()})
