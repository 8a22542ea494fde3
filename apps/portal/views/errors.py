"""Pages for what went wrong: what happened, a reference, and whom to call. Never a code as a title."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.common.requests import current_request_id
from apps.portal.context import StillShell


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: nothing could be made of the request."""
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: seen, but not to be done by this person. The exception says who may."""
    return render(request, "403.html", {"reason": str(exception)}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: the same page for not there and not yours."""
    return render(request, "404.html", status=404)


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """422: a rule says no, and no form was there to say it."""
    return render(request, "portal/refused.html", {"reason": str(exception)}, status=422)


def collided(request: HttpRequest) -> HttpResponse:
    """409: two people changed the same at the same moment, and the database let one of them."""
    reason = "Somebody changed the same thing at the same moment. Look at it again, then repeat what you did."
    return render(request, "portal/refused.html", {"reason": reason}, status=409)


def too_many(request: HttpRequest) -> HttpResponse:
    """429: too many attempts."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(settings.RETRY_AFTER)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault. Asks the database nothing; the reference is in the log."""
    context = {"shell": StillShell(), "reference": current_request_id()[:12]}
    return render(request, "500.html", context, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form from before signing in or out, or one that another site sent."""
    return render(request, "portal/form_too_old.html", status=403)
