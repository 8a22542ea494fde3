"""The first person of a portal."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.people.models import Person
from apps.people.rules import FUNCTIONS, is_role_address


class FirstStartForm(forms.Form):
    """Who begins: name, address, seat, password."""

    display_name = forms.CharField(label="Your name", max_length=200, widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.EmailField(
        label="Work email",
        max_length=254,
        help_text="Of one person. You sign in with it.",
        widget=forms.EmailInput({"autocomplete": "username"}),
    )
    function = forms.ChoiceField(
        label="The seat that holds AI governance",
        choices=[(code, seat) for code, (_, seat) in FUNCTIONS.items()],
        initial="platform",
        help_text="You take this seat. It holds the mandate until the charter says otherwise.",
    )
    password = forms.CharField(
        strip=False,
        help_text="At least 12 characters. A sentence that only you would say is good.",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        if is_role_address(address):
            raise ValidationError(f"{address} is a mailbox. Give the address of one person.")
        return address

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("password") and data.get("email"):
            person = Person(email=data["email"], display_name=data.get("display_name", ""))
            try:
                validate_password(data["password"], person)
            except ValidationError as error:
                self.add_error("password", error)
        return data
