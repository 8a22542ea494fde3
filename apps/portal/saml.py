"""SAML 2.0 as we accept it. Loaded only where a SAML provider is configured: it needs xmlsec."""

from datetime import UTC, datetime
from typing import Any

from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

__all__ = ["ERRORS", "Auth", "auth_for", "metadata", "settings_of", "used_before"]

ERRORS = (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError)
_HTTPS = {"http": "off", "https": "on"}


class StrictResponse(OneLogin_Saml2_Response):
    """What the library lets pass where it is not there, we demand: audience, and whom and when it answers."""

    def is_valid(
        self, request_data: dict[str, Any], request_id: str | None = None, raise_exceptions: bool = False
    ) -> bool:
        """Whether the response is good; `get_error` says why not."""
        if not super().is_valid(request_data, request_id, raise_exceptions):
            return False
        self._error = self._missing()
        return self._error is None

    def _missing(self) -> str | None:
        if not self.get_audiences():
            return "The assertion names no audience"
        asked = self.get_in_response_to()
        if not asked:
            return "The response answers no request of ours"
        for node in self._query_assertion("/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"):
            if node.get("InResponseTo") == asked and node.get("NotOnOrAfter") and node.get("Recipient"):
                return None
        return "The assertion does not say which request it answers, where, and until when"

    def authenticated_at(self) -> datetime | None:
        """When the provider last asked the person who they are."""
        for node in self._query_assertion("/saml:AuthnStatement"):
            seconds = OneLogin_Saml2_Utils.parse_SAML_to_time(node.get("AuthnInstant"))
            return datetime.fromtimestamp(seconds, UTC)
        return None


class Auth(OneLogin_Saml2_Auth):
    """One conversation with a provider."""

    response_class = StrictResponse
    authenticated_at: datetime | None = None
    valid_until: int | None = None

    def store_valid_response(self, response: StrictResponse) -> None:
        super().store_valid_response(response)
        self.authenticated_at = response.authenticated_at()
        self.valid_until = response.valid_scd_not_on_or_after


def auth_for(app: SocialApp, post: dict[str, str] | None = None) -> Auth:
    """The conversation with the provider of `app`, at our own address whatever the request says of it."""
    scheme, _, host = settings.SITE_URL.partition("://")
    request = {
        "https": _HTTPS[scheme],
        "http_host": host,
        "script_name": reverse("saml_acs", args=[app.client_id]),
        "path_info": "",
        "get_data": {},
        "post_data": post or {},
    }
    return Auth(request, settings_of(app))


def settings_of(app: SocialApp) -> dict[str, Any]:
    """What python3-saml has to know of us and of the provider."""
    idp = app.settings["idp"]
    return {
        "strict": True,
        "sp": {
            "entityId": settings.SITE_URL + reverse("saml_metadata", args=[app.client_id]),
            "assertionConsumerService": {
                "url": settings.SITE_URL + reverse("saml_acs", args=[app.client_id]),
                "binding": OneLogin_Saml2_Constants.BINDING_HTTP_POST,
            },
        },
        "idp": {
            "entityId": idp["entity_id"],
            "x509cert": idp["x509cert"],
            "singleSignOnService": {"url": idp["sso_url"]},
        },
        "security": {
            "wantAssertionsSigned": True,
            "rejectDeprecatedAlgorithm": True,
            "requestedAuthnContext": False,
            "wantAttributeStatement": False,
            "allowRepeatAttributeName": True,
            "allowSingleLabelDomains": True,
        },
    }


def metadata(app: SocialApp) -> bytes:
    """Our side of the agreement, for the administrator of the provider."""
    made = OneLogin_Saml2_Settings(settings=settings_of(app), sp_validation_only=True).get_sp_metadata()
    return made if isinstance(made, bytes) else str(made).encode()


def used_before(auth: Auth, *, now: datetime) -> bool:
    """Whether this assertion was brought already. It is remembered for as long as it would be good."""
    seconds = int((auth.valid_until or 0) - now.timestamp()) + 300
    return not cache.add(f"saml:{auth.get_last_assertion_id()}", True, timeout=max(seconds, 300))
