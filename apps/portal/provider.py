"""The identity providers that allauth may use: its own, held to our address and to nothing that a request says.

allauth looks for this module, and for `provider_classes` in it, by name.
"""

import time
from typing import Any

import jwt
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare, get_random_string, salted_hmac

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# Clocks differ. Everything else about time is as the token says.
LEEWAY = 60


def nonce_of(state_id: str) -> str:
    """What the ID token has to say so that it belongs to the request that this browser made."""
    return salted_hmac("oidc-nonce", state_id, algorithm="sha256").hexdigest()


class OIDCAdapter(OpenIDConnectOAuth2Adapter):
    """Reads the ID token: signed, of this issuer, for us, of this request, not expired, not used before."""

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return settings.SITE_URL + reverse("openid_connect_callback", kwargs={"provider_id": self.provider_id})

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Raises OAuth2Error for a token that is not good in any of these ways."""
        claims = self._claims(app, kwargs["response"].get("id_token"))
        if not constant_time_compare(str(claims.get("nonce", "")), nonce_of(request.GET.get("state", ""))):
            raise OAuth2Error("the nonce is another")
        data: dict[str, Any] = {"id_token": claims}
        if not claims.get("email") and "userinfo_endpoint" in self.openid_config:
            userinfo = self._fetch_user_info(token.token)
            if userinfo.get("sub") != claims.get("sub"):
                raise OAuth2Error("userinfo is about somebody else")
            data["userinfo"] = userinfo
        return self.get_provider().sociallogin_from_response(request, data)

    def _claims(self, app: Any, id_token: Any) -> dict[str, Any]:
        issuer = app.settings["server_url"]
        try:
            if self.openid_config["issuer"].rstrip("/") != issuer.rstrip("/"):
                raise OAuth2Error("the issuer is another")
            algorithm, key = jwtkit.fetch_key(id_token, self.openid_config["jwks_uri"], jwtkit.lookup_kid_jwk)
            if algorithm not in ALGORITHMS:
                raise OAuth2Error("the signature is of a kind that is not accepted")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=key,
                algorithms=[algorithm],
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise OAuth2Error(f"the ID token is not good: {type(error).__name__}") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != app.client_id:
            raise OAuth2Error("the ID token was made for another client")
        if claims["exp"] > time.time():
            jwtkit.verify_jti(claims)
        return claims


class OIDCProvider(OpenIDConnectProvider):
    """OpenID Connect with PKCE and a nonce; nothing of the request reaches the provider but where to go on."""

    oauth2_adapter_class = OIDCAdapter

    def get_default_scope(self) -> list[str]:
        return ["openid", "email"]

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Off to the provider. With `confirm` it has to ask the person again, even where they are signed in there."""
        adapter = self.get_oauth2_adapter(request)
        client = adapter.get_client(request, self.app)
        params = self.get_pkce_params()
        verifier = params.pop("code_verifier", None)
        authorize_url, state_id = adapter.authorize_url, get_random_string(32)
        params["nonce"] = nonce_of(state_id)
        if kwargs.get("confirm"):
            params |= {"prompt": "login", "max_age": "0"}
        client.state = self.stash_redirect_state(
            request, process, next_url, data, state_id=state_id, pkce_code_verifier=verifier, **kwargs
        )
        return HttpResponseRedirect(client.get_redirect_url(authorize_url, self.get_scope(), params))


class StrictSAMLProvider(SAMLProvider):
    """SAML 2.0, started here, answered by POST."""

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Off to the provider. With `confirm` it has to ask the person again (ForceAuthn)."""
        from apps.portal.saml import auth_for

        auth = auth_for(self.app)
        target = auth.login(return_to="", force_authn=bool(kwargs.get("confirm")))
        self.stash_redirect_state(request, process, next_url, data, state_id=auth.get_last_request_id(), **kwargs)
        return HttpResponseRedirect(target)


provider_classes = [OIDCProvider, StrictSAMLProvider]
