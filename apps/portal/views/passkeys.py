"""Passkeys: allauth's pages, with ours in between where it would forget something."""

from typing import Any

from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.webauthn import views as allauth_views
from allauth.mfa.webauthn.internal import auth, flows
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.common import clock
from apps.people.requests import signed_in
from apps.portal.actions import refuse_session


class AddPasskey(allauth_views.AddWebAuthnView):
    """A new passkey that can sign in on its own."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super(allauth_views.AddWebAuthnView, self).get_context_data(**kwargs)
        context["js_data"] = {"creation_options": auth.begin_registration(signed_in(self.request), passwordless=True)}
        return context


class LoginPasskey(allauth_views.LoginWebAuthnView):
    """Signing in with a passkey leads to where the person wanted to go."""

    def form_valid(self, form: Any) -> HttpResponse:
        authenticator = form.cleaned_data["credential"]
        login = Login(user=authenticator.user, redirect_url=get_next_redirect_url(self.request))
        answer: HttpResponse = flows.perform_passwordless_login(self.request, authenticator, login)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        refuse_session("", now=clock.now(), why="passkey")
        answer: HttpResponse = super().form_invalid(form)
        return answer


class ReauthenticatePasskey(allauth_views.ReauthenticateWebAuthnView):
    """Confirming with a passkey; a failed try stays on the page and keeps what was to be signed."""

    def form_invalid(self, form: Any) -> HttpResponse:
        super().form_invalid(form)
        return HttpResponseRedirect(self.passthrough_next_url(reverse("mfa_reauthenticate_webauthn")))


add = AddPasskey.as_view()
login = LoginPasskey.as_view()
reauthenticate = ReauthenticatePasskey.as_view()
