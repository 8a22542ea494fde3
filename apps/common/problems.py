"""Errors as programs read them: problem details (RFC 9457)."""

import uuid
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

from apps.common.requests import current_request_id

PROBLEM_TYPE = "application/problem+json"

Errors = dict[str, list[str]]


def problem(code: int, detail: str, *, kind: str = "", title: str = "", errors: Errors | None = None) -> dict[str, Any]:
    """The body of an error. `kind` names a problem of ours; without it the status says all."""
    body: dict[str, Any] = {
        "type": f"urn:govportal:problem:{kind}" if kind else "about:blank",
        "title": title or HTTPStatus(code).phrase,
        "status": code,
        "detail": detail,
    }
    if current_request_id():
        body["instance"] = f"urn:uuid:{uuid.UUID(current_request_id())}"
    if errors:
        body["errors"] = errors
    return body


def problem_response(code: int, detail: str) -> JsonResponse:
    """An error that is found before or beside the API's own views."""
    return JsonResponse(problem(code, detail), status=code, content_type=PROBLEM_TYPE)
