"""Signing in and out enters the trail. The only signal receivers of the project: allauth offers nothing else."""

from typing import Any

from allauth.account.signals import user_logged_in
from django.contrib.auth.signals import user_logged_out, user_login_failed

from apps.common import clock
from apps.people.models import Person
from apps.portal.actions import end_session, refuse_session, start_session


def connect() -> None:
    """Called once, when the app is ready."""
    user_logged_in.connect(_started, dispatch_uid="trail-session-started")
    user_logged_out.connect(_ended, dispatch_uid="trail-session-ended")
    user_login_failed.connect(_refused, dispatch_uid="trail-session-refused")


def _started(user: Person, **kwargs: Any) -> None:
    start_session(user, actor=user, now=clock.now())


def _ended(user: Person | None, **kwargs: Any) -> None:
    if user is not None:
        end_session(user, actor=user, now=clock.now())


def _refused(credentials: dict[str, Any], **kwargs: Any) -> None:
    refuse_session(str(credentials.get("email") or credentials.get("username") or ""), now=clock.now())
