"""Files of people: choose one, see the whole effect, confirm or discard."""

from django.http import HttpRequest, HttpResponse

from apps.access.queries import require
from apps.access.rules import Permission
from apps.people.models import Person
from apps.people.requests import signed_in


def administrator(request: HttpRequest) -> Person:
    """Who is signed in and may run the directory. Raises NotAllowed."""
    person = signed_in(request)
    require(person, Permission.DIRECTORY_RUN, "who administers people")
    return person


def start(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def template(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def review(request: HttpRequest, file_id: object) -> HttpResponse:
    return HttpResponse()
