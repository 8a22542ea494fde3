"""Telling the endpoints that want to hear of every incident: that it began, that somebody has it, that it is over.

Beside the people who are called. One thread an incident, so that a program that keeps alerts opens one, and closes it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, transaction

from apps.incidents.models import Incident
from apps.incidents.rules import SEVERITY_WORDS, Severity, Visibility
from apps.notify.actions.deliveries import Call, enqueue_deliveries
from apps.notify.models import Endpoint

log = structlog.get_logger(__name__)

BEGAN, TAKEN, OVER = "began", "taken", "over"
_ACTION = {BEGAN: "trigger", TAKEN: "acknowledge", OVER: "resolve"}


def announce(incident: Incident, what: str, words: str, now: datetime, *, occasion: int) -> int:
    """Tell each of these endpoints once; returns how many will be told. Never keeps anybody from being called.

    `occasion` is the round of calling. Of a restricted incident the code alone is told, of a privileged one nothing.
    """
    if incident.visibility == Visibility.PRIVILEGED:
        return 0
    try:
        with transaction.atomic():
            endpoints = Endpoint.objects.filter(announces=True, ended_at=None).order_by("pk")
            content = _content(incident, what, words)
            key = f"announce:{incident.pk}:{occasion}:{what}"
            calls = [Call(f"{key}:{one.pk}", one, content, urgent=True) for one in endpoints]
            return enqueue_deliveries(calls, now=now) if calls else 0
    except DatabaseError:
        log.exception("announce.failed", incident=incident.code)
        return 0


def _content(incident: Incident, what: str, words: str) -> Mapping[str, Any]:
    is_open = incident.visibility == Visibility.OPEN
    return {
        "type": f"incident.{what}",
        "title": f"{incident.code}: {incident.title}" if is_open else incident.code,
        "text": words if is_open else "",
        "mode": incident.mode,
        "severity": "" if incident.severity == Severity.UNCLASSIFIED else incident.severity,
        "link": incident.path,
        "facts": [
            ["Severity", SEVERITY_WORDS[Severity(incident.severity)]],
            *([["Where", incident.place], ["Lead", incident.lead.display_name]] if is_open else []),
        ],
        "action": _ACTION[what],
        "thread": f"incident:{incident.code}",
    }
