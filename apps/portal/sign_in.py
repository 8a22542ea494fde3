"""Signing in and out enters the trail. The only signal receivers of the project: allauth offers nothing else."""

from typing import Any

from allauth.account.signals import user_logged_in
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_out, user_login_failed

from apps.common import clock
from apps.people.models import Person
from apps.portal.actions import change_second_factor, end_session, refuse_session, start_session

_KINDS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery codes",
}


def connect() -> None:
    """Called once, when the app is ready."""
    user_logged_in.connect(_started, dispatch_uid="trail-session-started")
    user_logged_out.connect(_ended, dispatch_uid="trail-session-ended")
    user_login_failed.connect(_refused, dispatch_uid="trail-session-refused")
    authentication_failed.connect(_factor_refused, dispatch_uid="trail-factor-refused")
    authenticator_added.connect(_factor_added, dispatch_uid="trail-factor-added")
    authenticator_removed.connect(_factor_removed, dispatch_uid="trail-factor-removed")
    authenticator_reset.connect(_factor_renewed, dispatch_uid="trail-factor-renewed")


def _started(user: Person, **kwargs: Any) -> None:
    start_session(user, actor=user, now=clock.now())


def _ended(user: Person | None, request: Any = None, **kwargs: Any) -> None:
    if user is not None:
        if request is not None and request.session.session_key:
            UserSession.objects.filter(session_key=request.session.session_key).delete()
        end_session(user, actor=user, now=clock.now())


def _refused(credentials: dict[str, Any], **kwargs: Any) -> None:
    refuse_session(str(credentials.get("email") or credentials.get("username") or ""), now=clock.now())


def _factor_refused(user: Person, authenticator: Authenticator, **kwargs: Any) -> None:
    refuse_session(user.email, now=clock.now(), why=f"wrong code: {_KINDS[authenticator.type]}")


def _factor_added(user: Person, authenticator: Authenticator, **kwargs: Any) -> None:
    _factor(user, authenticator, "added")


def _factor_removed(user: Person, authenticator: Authenticator, **kwargs: Any) -> None:
    _factor(user, authenticator, "removed")


def _factor_renewed(user: Person, authenticator: Authenticator, **kwargs: Any) -> None:
    _factor(user, authenticator, "renewed")


def _factor(user: Person, authenticator: Authenticator, change: str) -> None:
    change_second_factor(user, f"{_KINDS[authenticator.type]} {change}", actor=user, now=clock.now())
