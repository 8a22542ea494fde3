"""The first start comes before anything else; errors become pages; pages speak in the reader's time zone."""

import logging
from collections.abc import Callable

from allauth.core.exceptions import RateLimited
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from apps.common import clock
from apps.common.clock import zone_named
from apps.common.errors import NotAllowed, Refused
from apps.common.problems import problem_response
from apps.common.saving import is_collision
from apps.directory.rules.errors import SCIM_TYPE, error_body
from apps.portal.sessions import lacks_second_factor, note_session
from apps.portal.views import errors
from apps.registry.models import Mandate

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

# What a browser sends. Pages of other packages would take a PUT for a POST.
METHODS = ("GET", "HEAD", "OPTIONS", "POST")
SCIM = "/scim/"
# Databases that were seen started. A portal never goes back to before its first start.
_started: set[str] = set()


def is_started() -> bool:
    """Whether somebody holds the mandate. Asks the database until the answer is yes."""
    name = str(connection.settings_dict["NAME"])
    if name not in _started and Mandate.objects.exists():
        _started.add(name)
    return name in _started


class FirstStartMiddleware:
    """Sends everybody to the first-run page until somebody has started the portal."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in (reverse("portal:first_start"), reverse("healthz")) or is_started():
            return self.get_response(request)
        if request.path.startswith(SCIM):
            return JsonResponse(
                error_body(503, "Govportal has not been started yet."), status=503, content_type=SCIM_TYPE
            )
        if request.path.startswith("/api/"):
            return problem_response(503, "Govportal has not been started yet.")
        return HttpResponseRedirect(reverse("portal:first_start"))


class ErrorsMiddleware:
    """Turns what a rule says into a page, and a form that failed into 422."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(SCIM):  # answers for itself, in the words of its protocol
            return self.get_response(request)
        # PostgreSQL keeps no NUL in a text, so that an address with one names nothing. Forms refuse it themselves.
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            if request.path.startswith("/api/"):
                return problem_response(400, "No text here can hold a NUL character.")
            return errors.bad_request(request)
        if request.method not in METHODS and not request.path.startswith("/api/"):
            return HttpResponseNotAllowed(METHODS)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page for the errors that a person can act on; None leaves the others to Django."""
        if isinstance(exception, NotAllowed):
            return errors.forbidden(request, exception)
        if isinstance(exception, Refused):
            return errors.refused(request, exception)
        if isinstance(exception, RateLimited):
            return errors.too_many(request)
        if is_collision(exception):
            logger.warning("two changes met", exc_info=exception)
            return errors.collided(request)
        return None

    def process_template_response(self, request: HttpRequest, response: TemplateResponse) -> TemplateResponse:
        """Pages of other packages answer 200 with their errors; here a failed form is 422."""
        form = (response.context_data or {}).get("form")
        if request.method == "POST" and response.status_code == 200 and form is not None and form.errors:
            response.status_code = 422
        return response


class SessionMiddleware:
    """Keeps when and from where a session was last seen, so that its person can look at it and end it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            note_session(request, now=clock.now())
        return self.get_response(request)


class SecondFactorMiddleware:
    """Who has to have a second factor sets one up before anything else. Programs have tokens and are not asked."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asks = settings.MFA_REQUIRED_FOR and request.user.is_authenticated and not self._is_open(request.path)
        if asks and lacks_second_factor(request, now=clock.now()):
            return HttpResponseRedirect(reverse("mfa_index"))
        return self.get_response(request)

    @staticmethod
    def _is_open(path: str) -> bool:
        base = reverse("account_login").removesuffix("login/")
        open_pages = (f"{base}{page}" for page in ("2fa/", "logout/", "reauthenticate/", "sso/", "oidc/", "saml/"))
        return path == reverse("healthz") or path.startswith(("/api/", *open_pages))


class PersonTimeZoneMiddleware:
    """Times are shown in the reader's zone."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            timezone.activate(zone_named(request.user.time_zone))
        else:
            timezone.deactivate()
        return self.get_response(request)
