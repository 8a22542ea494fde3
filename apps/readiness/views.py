"""The board's page."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.common.errors import NotAllowed
from apps.people.models import Person
from apps.readiness import queries
from apps.readiness.rules import QUESTION


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """One sheet: the answer, what stands behind it, and whom to ask."""
    person = cast(Person, request.user)
    if not may(person, Permission.READINESS_READ):
        raise NotAllowed("This page is read by the board, seat holders, auditors and the person who holds the mandate.")
    page = queries.board(now=clock.now(), reader=person)
    context = {
        "page": page,
        "question": QUESTION,
        "zone": timezone.get_current_timezone_name().replace("_", " "),
        "names": settings.NAME_OVERDUE_PEOPLE,
    }
    return render(request, "readiness/board.html", context)
