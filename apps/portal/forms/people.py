"""People as those who administer them enter and change them; roles; seats."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.common import clock
from apps.people.models import Person
from apps.people.rules import FUNCTIONS, RoleName, is_role_address
from apps.portal.forms.fields import PersonField
from apps.portal.forms.profile import ZONES

ROLE_WORDS = {
    RoleName.ADMINISTRATOR: "Administrator: people, units, imports, campaigns",
    RoleName.AUDITOR: "Auditor: reads everything, changes nothing",
    RoleName.BOARD: "Board: reads readiness and signs it",
}
_OFF = {"autocomplete": "off"}
LAST_DAY = date(2199, 12, 31)


class PersonForm(forms.Form):
    """What the portal knows about a person."""

    use_required_attribute = False

    display_name = forms.CharField(
        label="Name", max_length=200, error_messages={"required": "Give a name."}, widget=forms.TextInput(_OFF)
    )
    title = forms.CharField(max_length=200, required=False, widget=forms.TextInput(_OFF))
    phone = forms.RegexField(
        r"^\+?[\d ()/.-]{4,39}$",
        required=False,
        max_length=40,
        strip=True,
        help_text="Called when something goes wrong with a system that the person answers for.",
        error_messages={"invalid": "Write the number with digits and spaces, such as +49 30 5550 0142."},
        widget=forms.TextInput({**_OFF, "inputmode": "tel"}),
    )
    time_zone = forms.ChoiceField(choices=[("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in ZONES)])
    line_manager = PersonField(required=False, help_text="Email address or exact name. Second in the interim order.")
    deputy = PersonField(
        required=False, help_text="Email address or exact name. Called when the person does not answer."
    )
    functions = forms.MultipleChoiceField(
        required=False,
        choices=[(code, name) for code, (name, _) in FUNCTIONS.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text="Where the person works. A seat is given on the page Seats.",
    )

    @classmethod
    def of(cls, person: Person, data: Any = None) -> "PersonForm":
        """The form with what is known about somebody."""
        known = ("display_name", "title", "phone", "time_zone", "line_manager", "deputy")
        initial = {name: getattr(person, name) for name in known}
        return cls(data, initial={**initial, "functions": list(person.functions.values_list("code", flat=True))})


class NewPersonForm(PersonForm):
    """Somebody who is not known yet. They choose a password themselves, by mail."""

    email = forms.EmailField(
        label="Email address",
        max_length=254,
        help_text="Of one person, not a shared mailbox. They sign in with it.",
        error_messages={"required": "Give an email address.", "invalid": "Write the address as name@example.org."},
        widget=forms.EmailInput(_OFF),
    )
    field_order = ["email", "display_name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].initial = str(clock.organisation_zone())

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        if is_role_address(address):
            raise ValidationError(
                f"{address} is a mailbox: its name stands for a duty or a team. Give one person's address."
            )
        known = Person.objects.filter(email=address).first()
        if known is not None:
            raise ValidationError(f"{known.display_name} has this address already. Find them under People.")
        return address


class GrantForm(forms.Form):
    """A role, until a day or until it is revoked."""

    use_required_attribute = False

    role = forms.ChoiceField(choices=[(role.value, words) for role, words in ROLE_WORDS.items()])
    until = forms.DateField(
        label="Last day",
        required=False,
        help_text="Leave it empty to grant the role until it is revoked.",
        error_messages={"invalid": "Write the date as 2027-03-31."},
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_until(self) -> datetime | None:
        """The end of that day where the organisation is."""
        day = self.cleaned_data["until"]
        if day is None:
            return None
        if day < clock.local_date(clock.now()):
            raise ValidationError("This day is over. Choose today or a later day.")
        if day > LAST_DAY:
            raise ValidationError("This day is too far ahead. Leave it empty, or choose a day before 2200.")
        return datetime.combine(day + timedelta(days=1), time(), clock.organisation_zone())


class DeactivateForm(forms.Form):
    """Why a person is deactivated."""

    use_required_attribute = False

    reason = forms.CharField(
        max_length=600,
        help_text="Such as: left the organisation. It is kept in the trail.",
        error_messages={"required": "Say why. It is kept in the trail."},
        widget=forms.Textarea({"rows": 2}),
    )


class SeatForm(forms.Form):
    """Who takes a seat."""

    use_required_attribute = False

    holder = PersonField(
        label="Who takes the seat?",
        help_text="Email address or exact name of one active person.",
        error_messages={"required": "Choose a person."},
    )
