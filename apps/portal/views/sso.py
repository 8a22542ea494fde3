"""To an identity provider and back."""

import binascii
from importlib import import_module
from typing import Any

import structlog
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.sessions import LoginSession
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from requests import RequestException

from apps.common import clock
from apps.portal.provider import OIDCAdapter
from apps.portal.sso import provider_named, refusal
from govportal.identity import IdentityProvider

log = structlog.get_logger(__name__)
# A signed response with a few attributes has a tenth of it.
LARGEST_RESPONSE = 256 * 1024


def _known(provider_id: str, kind: str = "") -> IdentityProvider:
    provider = provider_named(provider_id)
    if provider is None or (kind and provider.type != kind):
        raise Http404
    return provider


def _app(provider_id: str) -> SocialApp:
    return get_adapter().list_apps(None, provider=provider_id)[0]


def _limited(request: HttpRequest) -> None:
    ratelimit._impl.consume(
        request, app="allauth.account", action="single_sign_on", limit_get=True, raise_exception=True
    )


@login_not_required
@require_POST
def begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Off to the provider to sign in."""
    return _off(request, _known(provider_id))


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Off to the provider, which has to ask again who it is, before something is signed."""
    provider = _known(provider_id)
    if request.method == "POST":
        return _off(request, provider, confirm=True)
    others = [
        way | {"url": f"{way['url']}?{request.GET.urlencode()}"}
        for way in _account_adapter().get_reauthentication_methods(request.user)
        if way["url"] != request.path
    ]
    context = {"provider": provider, "next": get_next_redirect_url(request) or "", "others": others}
    return render(request, "account/sso_confirm.html", context)


def _account_adapter() -> Any:
    return import_module("allauth.account.adapter").get_adapter()


def _off(request: HttpRequest, provider: IdentityProvider, **extra: Any) -> HttpResponse:
    _limited(request)
    app = _app(provider.id)
    try:
        found: HttpResponse = app.get_provider(request).redirect(
            request, AuthProcess.LOGIN, next_url=get_next_redirect_url(request), **extra
        )
    except (RequestException, OAuth2Error, KeyError, ValueError) as error:
        log.warning("single_sign_on.unreachable", provider=provider.id, error=type(error).__name__)
        return refusal(request, "unreachable", provider)
    return found


@login_not_required
@require_safe
def oidc_callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Back from an OpenID Connect provider."""
    provider = _known(provider_id, "oidc")
    _limited(request)
    try:
        answer: HttpResponseBase = OAuth2CallbackView.adapter_view(OIDCAdapter(request, provider_id))(request)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("single_sign_on.failed", provider=provider_id, error=type(error).__name__)
        return refusal(request, "error", provider)
    return answer


@csrf_exempt
@login_not_required
@require_POST
def saml_acs(request: HttpRequest, provider_id: str) -> HttpResponse:
    """The provider's answer, posted from its own page: no cookie of ours comes with it. Kept for one redirect."""
    _known(provider_id, "saml")
    _limited(request)
    posted = request.POST.get("SAMLResponse", "")
    if not posted or len(posted) > LARGEST_RESPONSE:
        return refusal(request, "error", provider_named(provider_id))
    response = HttpResponseRedirect(reverse("saml_finish_acs", args=[provider_id]))
    kept = LoginSession(request, "saml_acs_session", "saml-acs-session")
    kept.store["response"] = posted
    kept.store.set_expiry(300)
    kept.save(response)
    return response


@login_not_required
@require_safe
def saml_finish(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Read the answer: signed, for us, in time, for a request of this browser, and for the first time."""
    provider = _known(provider_id, "saml")
    kept = LoginSession(request, "saml_acs_session", "saml-acs-session")
    posted = kept.store.get("response")
    kept.delete()
    if not posted:
        return refusal(request, "error", provider)
    why, login = _read(request, provider, posted)
    if login is None:
        log.warning("single_sign_on.failed", provider=provider_id, error=why)
        return refusal(request, "error", provider)
    answer: HttpResponse = complete_social_login(request, login)
    return answer


def _read(request: HttpRequest, provider: IdentityProvider, posted: str) -> tuple[str, Any]:
    saml, now = import_module("apps.portal.saml"), clock.now()
    app = _app(provider.id)
    auth = saml.auth_for(app, {"SAMLResponse": posted})
    try:
        auth.process_response()
    except (binascii.Error, *saml.ERRORS, ValueError, SyntaxError) as error:
        return type(error).__name__, None
    if auth.get_errors() or not auth.is_authenticated():
        return str(auth.get_last_error_reason()), None
    asked = auth.get_last_response_in_response_to()
    try:
        state = statekit.unstash_state(request, state_id=asked, provider_id=provider.id, raises=True)
        if saml.used_before(auth, now=now):
            return "the assertion was used before", None
        login = app.get_provider(request).sociallogin_from_response(request, auth)
    except (PermissionDenied, ValueError) as error:
        return type(error).__name__, None
    login.state = state
    login.asked_at = auth.authenticated_at or False
    return "", login


@login_not_required
@require_safe
def saml_metadata(request: HttpRequest, provider_id: str) -> HttpResponse:
    """What the provider's administrator enters about us."""
    _known(provider_id, "saml")
    made = import_module("apps.portal.saml").metadata(_app(provider_id))
    return HttpResponse(made, content_type="application/samlmetadata+xml")
