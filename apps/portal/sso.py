"""Who comes in through an identity provider: people who are known here already, and nobody else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import resume_request
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse

from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import CONFIRMED_WITHIN
from apps.portal.actions import link_identity, refuse_session
from govportal.identity import IdentityProvider

log = structlog.get_logger(__name__)
# Clocks of a provider and of ours.
SKEW = timedelta(minutes=1)


def provider_named(provider_id: str) -> IdentityProvider | None:
    """The provider of the settings with this id."""
    found: tuple[IdentityProvider, ...] = settings.IDENTITY_PROVIDERS
    return next((provider for provider in found if provider.id == provider_id), None)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Providers come from the settings only; people are matched, never made."""

    def list_apps(
        self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Not allauth's way, which would wipe passwords: `pre_social_login` looks for the person."""

    def new_user(self, request: HttpRequest, sociallogin: SocialLogin) -> Person:
        """Nobody yet. What the provider says is used for this sign-in and kept nowhere."""
        sociallogin.claims = sociallogin.account.extra_data
        sociallogin.account.extra_data = {}
        return Person()

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> Person:
        sociallogin.address = str(data.get("email") or "").strip().lower()
        nobody: Person = sociallogin.user
        return nobody

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Decide who it is. Raises ImmediateHttpResponse with a page for everybody who does not come in."""
        provider = provider_named(sociallogin.account.provider)
        if provider is None or sociallogin.state.get("process") != AuthProcess.LOGIN:
            raise ImmediateHttpResponse(refusal(request, "error", provider))
        if sociallogin.state.get("confirm"):
            raise ImmediateHttpResponse(_confirm(request, provider, sociallogin))
        linked = sociallogin.user if sociallogin.account.pk else None
        person = linked or _by_address(provider, sociallogin)
        if person is None:
            raise ImmediateHttpResponse(refusal(request, "unknown", provider, address=sociallogin.address))
        if not person.is_active or person.kind != Person.Kind.HUMAN:
            raise ImmediateHttpResponse(refusal(request, "inactive", provider, address=person.email))
        if linked is None:
            _link(request, provider, sociallogin, person)
        sociallogin.user = person

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Every error of a provider becomes our own page and a line of the log."""
        log.warning("single_sign_on.failed", provider=provider.sub_id, error=str(error), exception=str(exception or ""))
        why = "cancelled" if error == AuthError.CANCELLED else "error"
        raise ImmediateHttpResponse(refusal(request, why, provider_named(provider.sub_id)))


def refusal(request: HttpRequest, why: str, provider: IdentityProvider | None, *, address: str = "") -> HttpResponse:
    """403: why somebody does not come in and what they can do about it. It enters the trail."""
    refuse_session(address, now=clock.now(), why=f"{provider.id if provider else 'provider'}: {why}")
    context = {"why": why, "provider": provider, "address": address}
    return render(request, "account/sso_refused.html", context, status=403)


def believed_address(provider: IdentityProvider, sociallogin: SocialLogin) -> str:
    """The address that the provider vouches for, or ""."""
    address: str = sociallogin.address
    verified = None
    if provider.type == "oidc":
        claims = sociallogin.claims
        verified = (claims.get("userinfo") or claims.get("id_token") or {}).get("email_verified")
        if verified not in (None, True, "true"):
            return ""
    if provider.email_domains:
        return address if address.rpartition("@")[2] in provider.email_domains else ""
    return address if verified else ""


def _by_address(provider: IdentityProvider, sociallogin: SocialLogin) -> Person | None:
    address = believed_address(provider, sociallogin)
    return Person.objects.filter(email=address).first() if address else None


def _link(request: HttpRequest, provider: IdentityProvider, sociallogin: SocialLogin, person: Person) -> None:
    try:
        sociallogin.account = link_identity(
            person, provider=provider.id, subject=sociallogin.account.uid, actor=person, now=clock.now()
        )
    except Refused as error:
        raise ImmediateHttpResponse(refusal(request, "other", provider, address=person.email)) from error


def _confirm(request: HttpRequest, provider: IdentityProvider, sociallogin: SocialLogin) -> HttpResponse:
    """The person proved again that it is them; on to what they wanted to sign."""
    person, now = request.user, clock.now()
    if not isinstance(person, Person) or not sociallogin.account.pk or sociallogin.account.user_id != person.pk:
        return refusal(request, "somebody", provider)
    asked = asked_at(sociallogin)
    if asked is None or not now - CONFIRMED_WITHIN <= asked <= now + SKEW:
        return refusal(request, "stale", provider, address=person.email)
    record_authentication(
        request, person, "socialaccount", provider=provider.id, uid=sociallogin.account.uid, reauthenticated=True
    )
    where = QueryDict(mutable=True)
    where["next"] = sociallogin.state.get("next") or reverse("portal:home")
    request.GET = QueryDict(where.urlencode())  # where allauth looks for the way on
    return resume_request(request) or HttpResponseRedirect(reverse("portal:home"))


def asked_at(sociallogin: SocialLogin) -> datetime | None:
    """When the provider last asked the person who they are; None where it does not say."""
    at = getattr(sociallogin, "asked_at", None)
    if at is not None:
        return at if isinstance(at, datetime) else None
    seconds = (
        (sociallogin.claims.get("id_token") or {}).get("auth_time") if isinstance(sociallogin.claims, dict) else None
    )
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
