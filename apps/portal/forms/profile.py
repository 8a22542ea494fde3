"""One's own profile, and the tokens of one's programs."""

import zoneinfo
from datetime import timedelta
from typing import Any

from django import forms

from apps.access.models import ApiToken
from apps.people.models import Person
from apps.portal.forms.fields import PersonField

ZONES = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith("Etc/"))
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "A year"}


class ProfileForm(forms.Form):
    """What a person says about themselves. The line manager is set by those who administer people."""

    display_name = forms.CharField(label="Name", max_length=200, widget=forms.TextInput({"autocomplete": "name"}))
    title = forms.CharField(
        max_length=200, required=False, widget=forms.TextInput({"autocomplete": "organization-title"})
    )
    phone = forms.RegexField(
        r"^\+?[\d ()/.-]{4,39}$",
        required=False,
        max_length=40,
        strip=True,
        help_text="People call it when something goes wrong with a system that you answer for.",
        error_messages={"invalid": "Write the number with digits and spaces, such as +49 30 5550 0142."},
        widget=forms.TextInput({"autocomplete": "tel", "inputmode": "tel"}),
    )
    time_zone = forms.ChoiceField(choices=[("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in ZONES)])
    theme = forms.ChoiceField(choices=Person.Theme.choices, required=False, label="Colours")
    shortcuts = forms.BooleanField(
        required=False, label="Single-key shortcuts", help_text="Such as / for Who answers and ? for the list of keys."
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        initial = {
            name: getattr(person, name)
            for name in ("display_name", "title", "phone", "time_zone", "deputy", "theme", "shortcuts")
        }
        super().__init__(*args, **({"initial": initial} | kwargs))
        self.fields["deputy"] = PersonField(
            required=False,
            not_self=person,
            help_text="Email address or exact name. Called when you do not answer.",
        )


# Said to the person whose token it will be.
SCOPES = [
    (ApiToken.Scope.READ.value, "Read what you may read"),
    (ApiToken.Scope.WRITE.value, "Register and change what you may change"),
]


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(max_length=100, help_text="What uses it, such as: nightly export.")
    scopes = forms.MultipleChoiceField(
        label="It may", choices=SCOPES, widget=forms.CheckboxSelectMultiple, initial=["read"]
    )
    days = forms.ChoiceField(label="It ends after", choices=list(LIFETIMES.items()), initial="90")

    @property
    def lifetime(self) -> timedelta:
        """How long the token lives; asked after the form was valid."""
        return timedelta(days=int(self.cleaned_data["days"]))
