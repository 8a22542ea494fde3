"""What a browser says about a passkey: checked for our own address, and for a person who unlocked it."""

import json
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms as allauth_forms
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.conf import settings
from fido2.utils import websafe_decode


def check_origin(credential: Any) -> None:
    """Raises ValidationError for a passkey that was used at any address but ours, a subdomain or port included."""
    try:
        data = json.loads(websafe_decode(credential["response"]["clientDataJSON"]))
        origin = data["origin"]
    except (KeyError, TypeError, ValueError):
        origin = None
    if origin != settings.SITE_URL:
        raise get_adapter().validation_error("incorrect_code")


class AddPasskeyForm(allauth_forms.AddWebAuthnForm):
    """A new passkey: always one that signs in on its own, unlocked by the person."""

    name = forms.CharField(label="Name", required=False, max_length=60, help_text="So that you know it again.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("passwordless", None)

    def clean(self) -> dict[str, Any]:
        """The answer of the authenticator, once and for this registration."""
        cleaned: dict[str, Any] = forms.Form.clean(self) or {}
        credential = cleaned.get("credential")
        if credential:
            check_origin(credential)
            auth.parse_registration_response(credential)
            if not auth.complete_registration(credential).is_user_verified():
                raise get_adapter().validation_error("incorrect_code")
        return cleaned


class RenamePasskeyForm(allauth_forms.EditWebAuthnForm):
    """Another name for a passkey."""

    name = forms.CharField(label="Name", max_length=60, error_messages={"required": "Give the passkey a name"})


class _OwnAddress:
    """The passkey was used here."""

    cleaned_data: dict[str, Any]

    def clean_credential(self) -> Any:
        """The authenticator that answered."""
        check_origin(self.cleaned_data["credential"])
        return super().clean_credential()  # type: ignore[misc]  # of the form that stands beside it


class LoginPasskeyForm(_OwnAddress, allauth_forms.LoginWebAuthnForm):
    """Signing in with nothing but a passkey."""


class AuthenticatePasskeyForm(_OwnAddress, allauth_forms.AuthenticateWebAuthnForm):
    """A passkey as the second factor after a password."""


class ReauthenticatePasskeyForm(_OwnAddress, allauth_forms.ReauthenticateWebAuthnForm):
    """A passkey to confirm that it is the person."""
