"""The sessions that a person has open."""

import re
from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from apps.people.models import Person

SHOWN = 50
# What a browser calls itself; the order matters, since most claim to be several.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_DEVICES = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "Chromebook"),
    ("Mac OS X", "Mac"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True)
class OpenSession:
    """One place where somebody is signed in."""

    id: int
    device: str
    address: str
    since: datetime
    seen: datetime
    is_this: bool


def open_sessions(person: Person, this: str, *, now: datetime) -> list[OpenSession]:
    """Where a person is signed in, this place first, then what was seen last."""
    alive = Session.objects.filter(expire_date__gt=now).values("session_key")
    rows = UserSession.objects.filter(user=person, session_key__in=alive).order_by("-last_seen_at", "-pk")[:SHOWN]
    found = [
        OpenSession(row.pk, device(row.user_agent), row.ip, row.created_at, row.last_seen_at, row.session_key == this)
        for row in rows
    ]
    return sorted(found, key=lambda one: not one.is_this)


def device(user_agent: str) -> str:
    """Such as "Firefox on Windows", from what a browser says of itself. It can say anything."""
    browser = next((name for sign, name in _BROWSERS if re.search(rf"\b{sign}", user_agent)), "")
    where = next((name for sign, name in _DEVICES if sign in user_agent), "")
    return f"{browser} on {where}" if browser and where else browser or where or "A browser"
