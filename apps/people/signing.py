"""The form with which somebody signs: the declaration, the typed name, the proof that it is them."""

from typing import Any

from allauth.core import ratelimit
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from django import forms
from django.http import HttpRequest

from apps.common import clock
from apps.people.models import Person
from apps.people.requests import recent_confirmation
from apps.people.rules import Confirmation, same_name

CODES = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)


class SignForm(forms.Form):
    """The declaration, the typed name, and the proof that it is the person.

    Who signs in with a password proves it here, with a code where that is set up. Who has a passkey, or no password,
    is led to confirm once everything else is right; so is nobody who confirmed within the last five minutes.
    With `identify` off nobody is identified: while answers are missing no try is spent on a password.
    """

    use_required_attribute = False

    declare = forms.BooleanField(
        label="I have read the declaration and I mean it",
        error_messages={"required": "Tick the box to confirm the declaration"},
    )
    name = forms.CharField(
        label="Type your full name to sign",
        max_length=200,
        widget=forms.TextInput(attrs={"class": "sign-input", "autocomplete": "name", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label="Your password",
        help_text="To confirm that it is you.",
        strip=False,
        max_length=500,
        error_messages={"required": "Type your password to confirm that it is you"},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="Code from your authenticator app, or a recovery code",
        max_length=20,
        error_messages={"required": "Type the code from your authenticator app"},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, request: HttpRequest, person: Person, data: Any = None, *, identify: bool = True) -> None:
        super().__init__(data)
        self.request, self.person, self.identify = request, person, identify
        self.fields["name"].help_text = f"As it is in your profile: {person.display_name}"
        self.fields["name"].error_messages["required"] = self._name_error
        self.confirmation = recent_confirmation(request, now=clock.now())
        held = list(Authenticator.objects.filter(user=person))
        self.authenticators = [one for one in held if one.type in CODES]
        has_passkey = len(self.authenticators) < len(held)
        self.asks_here = self.confirmation is None and person.has_usable_password() and not has_passkey
        if not self.asks_here:
            del self.fields["password"]
        if not self.asks_here or not self.authenticators:
            del self.fields["code"]
        for name in self.fields.keys() & {"password", "code"}:
            self.fields[name].required = identify

    @property
    def _name_error(self) -> str:
        return f"Type your name as it is in your profile: {self.person.display_name}"

    def clean_name(self) -> str:
        """The name as in the profile."""
        name = str(self.cleaned_data["name"])
        if not same_name(name, self.person.display_name):
            raise forms.ValidationError(self._name_error)
        return name

    def clean(self) -> dict[str, Any]:
        """Checks who it is last, and only where all else is right: each try counts against the limit."""
        cleaned = super().clean() or {}
        if self.errors or not self.identify or self.confirmation is not None:
            return cleaned
        if not self.asks_here:
            # Led to confirm by the middleware, and back to here with what was posted.
            raise ReauthenticationRequired
        # Raises RateLimited, which is answered by the page for too many attempts.
        ratelimit.consume(self.request, action="reauthenticate", user=self.person, raise_exception=True)
        if not self.person.check_password(cleaned["password"]):
            self.add_error("password", "This is not your password. Nothing was signed")
        elif self.authenticators and not self._code_is_right(cleaned["code"]):
            self.add_error("code", "This code is not right, or it was used before. Nothing was signed")
        elif not self.authenticators:
            self.confirmation = Confirmation("password", clock.now())
        return cleaned

    def _code_is_right(self, code: str) -> bool:
        for authenticator in sorted(self.authenticators, key=lambda a: a.type != Authenticator.Type.TOTP):
            if authenticator.wrap().validate_code(code.strip()):
                authenticator.record_usage()
                self.confirmation = Confirmation(f"password+{authenticator.type}", clock.now())
                return True
        return False
