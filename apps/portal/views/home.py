"""Home, and the menu and the keys as pages of their own for those without script."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common import clock
from apps.people.queries import acting_for
from apps.people.requests import signed_in
from apps.portal.queries.answers import local_clock
from apps.portal.queries.availability import away_words, stands_in_for
from apps.portal.queries.home import greeting, home_page
from apps.registry.models import Mandate


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What needs the person, sorted by deadline, and what they answer for."""
    person, now = signed_in(request), clock.now()
    mandate = Mandate.objects.filter(holder__seat__holder=person).select_related("holder").first()
    context = {
        "page": home_page(person, now),
        "greeting": greeting(person, now),
        "local_time": local_clock(person, now),
        "mandate": mandate,
        "away": away_words(acting_for(person, now)),
        "stands_in": stands_in_for(person, now),
        "reads_board": may(person, Permission.READINESS_READ),
    }
    return render(request, "portal/home.html", context)


@require_safe
def menu(request: HttpRequest) -> HttpResponse:
    """The side bar as a page: on a phone there is no side bar."""
    return render(request, "portal/menu.html")


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """The list of keys."""
    return render(request, "portal/keys.html")
