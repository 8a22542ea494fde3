"""How allauth meets our people: no sign-up, our words, a real 429, mail through the configured server."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core.exceptions import RateLimited, ReauthenticationRequired
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.common import clock
from apps.people.models import Person
from apps.people.requests import has_second_factor, recent_confirmation
from apps.portal.actions import change_password, refuse_session

log = structlog.get_logger(__name__)

WAYS = {
    "mfa_reauthenticate:webauthn": "Use a passkey",
    "mfa_reauthenticate": "Use a code",
    "reauthenticate": "Use your password",
}


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

    def validation_error(self, code: str, *args: Any) -> ValidationError:
        """Too many wrong codes are too many attempts, on the same page. Raises RateLimited for them."""
        if code == "too_many_login_attempts":
            raise RateLimited
        found: ValidationError = super().validation_error(code, *args)
        return found

    def respond_user_inactive(self, request: HttpRequest, user: Person) -> HttpResponse:
        """A deactivated person whose passkey is still good."""
        refuse_session(user.email, now=clock.now(), why="deactivated")
        found: HttpResponse = super().respond_user_inactive(request, user)
        return found

    def get_login_stages(self) -> list[str]:
        """With our own question for a second factor, which some identity providers have asked already."""
        stage = "allauth.mfa.stages.AuthenticateStage"
        ours = "apps.portal.stages.SecondFactorStage"
        return [ours if name == stage else name for name in super().get_login_stages()]

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """How this person can prove again who they are, best first. A password alone only without a second factor."""
        usual = {way["id"]: way for way in super().get_reauthentication_methods(user)}
        order = ("mfa_reauthenticate:webauthn", "mfa_reauthenticate", "reauthenticate")
        ways = [usual[name] | {"description": WAYS[name]} for name in order if name in usual]
        if len(ways) > 1:
            ways = [way for way in ways if way["id"] != "reauthenticate"]
        return ways + confirming_providers(user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Raises ReauthenticationRequired for who has only an identity provider: allauth would ask them nothing."""
        person, request = self.request.user, self.request
        asked_nothing = person.is_authenticated and not get_reauthentication_flows(person)
        if asked_nothing and recent_confirmation(request, now=clock.now()) is None:
            raise ReauthenticationRequired
        return bool(super().is_reauthentication_required(app=app, **kwargs))

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


def confirming_providers(user: Any) -> list[dict[str, Any]]:
    """The identity providers that know a person and can ask them again."""
    if not user.is_authenticated or not settings.IDENTITY_PROVIDERS:
        return []
    linked = set(SocialAccount.objects.filter(user=user).values_list("provider", flat=True))
    own_factor = has_second_factor(user)  # as with a password: a provider that asks for one factor is then not enough
    return [
        {
            "id": f"sso:{provider.id}",
            "description": f"Confirm at {provider.name}",
            "url": reverse("sso_confirm", args=[provider.id]),
        }
        for provider in settings.IDENTITY_PROVIDERS
        if provider.id in linked and (provider.second_factor or not own_factor)
    ]


class SecondFactorAdapter(DefaultMFAAdapter):
    """The picture to scan stands in the page itself: the content security policy refuses data: images."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This was not right. Nothing was changed. Try again.",
    }

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to the host of SITE_URL, whatever a request calls us."""
        return {"id": str(urlsplit(settings.SITE_URL).hostname), "name": settings.ORGANISATION_NAME}

    def generate_authenticator_name(self, user: Person, type: Authenticator.Type) -> str:
        """What a passkey is called until its person calls it otherwise."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}" if count else "My passkey"

    def build_totp_svg(self, url: str) -> str:
        svg: str = super().build_totp_svg(url)
        svg = svg[svg.index("<svg") :].replace("<svg", '<svg role="img" aria-label="Code to scan with the app"', 1)
        # A white ground, so that a camera reads it in the dark theme too.
        return svg.replace("<path", '<rect width="100%" height="100%" fill="#ffffff"/><path', 1)
