"""The API's errors: each one is problem details (RFC 9457)."""

import logging
import math
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core import exceptions as django_errors
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import resolve
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

import apps.access.api  # noqa: F401  (describes our tokens in the schema)
from apps.common.errors import NotAllowed, Refused
from apps.common.problems import PROBLEM_TYPE, Errors, problem, problem_response
from apps.common.saving import is_collision

logger = logging.getLogger(__name__)

NOT_THERE = "There is nothing here that you may see. The schema is at /api/v1/schema/."


def problem_details(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: whatever went wrong becomes problem details. An unforeseen error is logged."""
    set_rollback()
    body = _body(error)
    request = context.get("request")
    if request is not None:  # whatever was asked for: an error is JSON
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), PROBLEM_TYPE
    return Response(body, status=body["status"], headers=_headers(error), content_type=PROBLEM_TYPE)


def _body(error: Exception) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return _invalid(_flat(error.detail))
    if isinstance(error, django_errors.ValidationError):
        fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        return _invalid({name if name != django_errors.NON_FIELD_ERRORS else "": list(m) for name, m in fields.items()})
    if isinstance(error, Refused):
        return problem(422, str(error), kind="refused", title="A rule says no")
    if isinstance(error, NotAllowed):
        return problem(403, str(error), kind="not-allowed", title="You may not do this")
    if isinstance(error, Http404 | exceptions.NotFound):
        return problem(404, str(error.detail) if isinstance(error, exceptions.NotFound) else NOT_THERE)
    if isinstance(error, django_errors.PermissionDenied):
        return problem(403, "You may not do this.")
    if isinstance(error, exceptions.APIException):
        return problem(error.status_code, str(error.detail))
    if is_collision(error):
        logger.warning("two changes met", exc_info=error)
        return problem(409, "Somebody changed the same thing at the same moment. Nothing was changed. Ask again.")
    logger.error("unforeseen error in the API", exc_info=error)
    return problem(status.HTTP_500_INTERNAL_SERVER_ERROR, "Govportal made a mistake. It is logged under `instance`.")


def _invalid(errors: Errors) -> dict[str, Any]:
    count = sum(len(messages) for messages in errors.values())
    detail = "1 value has to be corrected." if count == 1 else f"{count} values have to be corrected."
    return problem(400, detail, kind="invalid", title="Invalid request", errors=errors)


def _flat(detail: Any, path: str = "") -> Errors:
    """Messages by field; a field inside another is named with a dot: identities.0.kind."""
    if isinstance(detail, dict):
        parts = [(str(name), part) for name, part in detail.items()]
    elif isinstance(detail, list) and any(isinstance(part, dict | list) for part in detail):
        parts = [(str(place), part) for place, part in enumerate(detail)]
    else:
        return {path: [str(message) for message in (detail if isinstance(detail, list) else [detail])]}
    found: Errors = {}
    for name, part in parts:
        name = "" if name == "non_field_errors" else name
        found |= _flat(part, ".".join(step for step in (path, name) if step))
    return found


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    return headers


@login_not_required
@csrf_exempt
def fallback(request: HttpRequest) -> HttpResponseBase:
    """Every other path under /api/: an endpoint written without its last slash, or nothing at all."""
    match = resolve(f"{request.path_info.rstrip('/')}/")
    if match.func is not fallback:
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response
    return problem_response(404, NOT_THERE)
