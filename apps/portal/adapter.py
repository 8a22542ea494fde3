"""How allauth meets our people: no sign-up, our words, a real 429, mail through the configured server."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import RateLimited
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse

from apps.common import clock
from apps.people.models import Person
from apps.portal.actions import change_password

log = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """People are provisioned, they do not sign up."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The address or the password is not right.",
        "incorrect_password": "The password is not right.",
        "invalid_login": "The address or the password is not right.",
        "enter_current_password": "Type your current password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Raises RateLimited after too many failures, which becomes the 429 page."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            raise RateLimited from error

    def send_password_reset_mail(self, user: Person, email: str, context: dict[str, Any]) -> None:
        """Only to the address of an active human.

        A mail server that is down goes to the log: an error page would tell strangers which addresses are known.
        """
        if user.is_active and user.kind == Person.Kind.HUMAN and email.lower() == user.email:
            try:
                super().send_password_reset_mail(user, user.email, context)
            except OSError as error:  # smtplib's errors are of this kind too
                log.error("password_reset.not_sent", person=str(user.pk), error=type(error).__name__)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """At our own address: the one that a request names can be a stranger's choice, down to the port."""
        return f"{settings.SITE_URL}{urlsplit(super().get_reset_password_from_key_url(key)).path}"

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """One count an account. allauth adds the host of the request, of which a stranger chooses the port."""
        return str(credentials.get("email") or credentials.get("username") or "").strip().lower()

    def set_password(self, user: Person, password: str) -> None:
        change_password(user, password, actor=user, now=clock.now())

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("portal:profile")


class SecondFactorAdapter(DefaultMFAAdapter):
    """The picture to scan stands in the page itself: the content security policy refuses data: images."""

    def build_totp_svg(self, url: str) -> str:
        svg: str = super().build_totp_svg(url)
        svg = svg[svg.index("<svg") :].replace("<svg", '<svg role="img" aria-label="Code to scan with the app"', 1)
        # A white ground, so that a camera reads it in the dark theme too.
        return svg.replace("<path", '<rect width="100%" height="100%" fill="#ffffff"/><path', 1)
