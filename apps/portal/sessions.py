"""What a session tells about itself: when it was seen, and whether a second factor stands behind it."""

from datetime import datetime, timedelta

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from apps.access.queries import standings_of
from apps.people.models import Person
from apps.people.requests import has_second_factor, signed_in

# How often the row of a session is written while it is used.
SEEN_EVERY = timedelta(minutes=5)
NOWHERE = "0.0.0.0"  # noqa: S104
_SEEN = "seen_at"


def note_session(request: HttpRequest, *, now: datetime) -> None:
    """Write down that a session is in use, at most every five minutes. Costs nothing in between."""
    key, seen = request.session.session_key, request.session.get(_SEEN, 0)
    if not key or seen > (now - SEEN_EVERY).timestamp():
        return
    row = UserSession(
        session_key=key,
        user=signed_in(request),
        ip=client_ip(request),
        user_agent=request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:200],
        created_at=now,
        last_seen_at=now,
    )
    UserSession.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["session_key"],
        update_fields=["user", "ip", "user_agent", "last_seen_at"],
    )
    request.session[_SEEN] = now.timestamp()


def client_ip(request: HttpRequest) -> str:
    """Where a request comes from, as far as the trusted proxies say; nowhere for a socket of this machine."""
    try:
        return str(get_adapter(request).get_client_ip(request) or NOWHERE)
    except PermissionDenied:
        return NOWHERE


def provider_asked(request: HttpRequest, person: Person) -> bool:
    """Whether this session began at an identity provider that asks for a second factor itself."""
    strong = {provider.id for provider in settings.IDENTITY_PROVIDERS if provider.second_factor}
    return any(
        entry["method"] == "socialaccount" and entry.get("provider") in strong
        for entry in get_authentication_records(request, person)
    )


def is_required_of(person: Person, *, now: datetime) -> bool:
    """Whether the settings demand a second factor of this person."""
    required: frozenset[str] = settings.MFA_REQUIRED_FOR
    return bool(required) and ("everybody" in required or bool(required & standings_of(person, now=now)))


def lacks_second_factor(request: HttpRequest, *, now: datetime) -> bool:
    """Whether a second factor is demanded, and neither the person nor the provider has one."""
    person = signed_in(request)
    if has_second_factor(person) or provider_asked(request, person):
        return False
    return is_required_of(person, now=now)
