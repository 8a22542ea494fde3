"""The person behind a request."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from apps.people.models import Person


def signed_in(request: HttpRequest) -> Person:
    """Who is signed in. Raises PermissionDenied for nobody, which a page behind the login never meets."""
    if not isinstance(request.user, Person):
        raise PermissionDenied("Sign in first.")
    return request.user
