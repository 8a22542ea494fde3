"""The person behind a request, and how they proved again that it is them."""

from datetime import UTC, datetime
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from apps.people.models import Person
from apps.people.rules import Confirmation

_METHODS = {"webauthn": "passkey", "totp": "totp", "recovery_codes": "recovery_codes"}


def signed_in(request: HttpRequest) -> Person:
    """Who is signed in. Raises PermissionDenied for nobody, which a page behind the login never meets."""
    if not isinstance(request.user, Person):
        raise PermissionDenied("Sign in first.")
    return request.user


def recent_confirmation(request: HttpRequest, *, now: datetime) -> Confirmation | None:
    """The last time within five minutes that the person proved in this session who they are, after signing in.

    A password alone, or a provider that asks for no second factor, counts only for somebody without one here.
    """
    person = signed_in(request)
    for entry in reversed(get_authentication_records(request, person)):
        found = _read(entry)
        if found is None or not found.holds(now):
            continue
        if not _is_one_factor(found.method) or not has_second_factor(person):
            return found
    return None


def _is_one_factor(method: str) -> bool:
    strong = {f"sso:{provider.id}" for provider in settings.IDENTITY_PROVIDERS if provider.second_factor}
    return method == "password" or (method.startswith("sso:") and method not in strong)


def confirmed(request: HttpRequest, *, now: datetime) -> Confirmation:
    """The confirmation that a signature needs.

    Raises ReauthenticationRequired where there is none: the person is led to confirm (password, passkey, code, or
    their identity provider), and then to where they were, with what they had posted.
    """
    found = recent_confirmation(request, now=now)
    if found is None:
        raise ReauthenticationRequired
    return found


def has_second_factor(person: Person) -> bool:
    """Whether a passkey or an authenticator app is set up."""
    return bool(
        Authenticator.objects.filter(
            user=person, type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
        ).exists()
    )


def _read(entry: dict[str, Any]) -> Confirmation | None:
    if not entry.get("reauthenticated"):
        return None
    at = datetime.fromtimestamp(entry["at"], UTC)
    if entry["method"] == "password":
        return Confirmation("password", at)
    if entry["method"] == "socialaccount":
        return Confirmation(f"sso:{entry.get('provider', '')}", at)
    method = _METHODS.get(entry.get("type", ""))
    return Confirmation(method, at) if method else None
