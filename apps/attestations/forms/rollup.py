"""Forms of the roll-up: sign or decline a node, add own exceptions, carry over."""

from typing import Any

from django import forms
from django.http import HttpRequest

from apps.attestations.actions.rollup import OwnException
from apps.attestations.forms import SignForm
from apps.attestations.forms.exceptions import DayField
from apps.attestations.rules import EXCEPTION_DAYS
from apps.people.forms import PersonField
from apps.people.models import Person

# Own exceptions that one signature adds on the page.
OWN_AT_MOST = 3


class NodeForm(SignForm):
    """Sign a node, or decline with a reason."""

    verdict = forms.ChoiceField(
        label="What do you do?",
        choices=[("sign", "I sign the statement above"), ("decline", "I decline to sign")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose whether you sign or decline"},
    )
    reason = forms.CharField(
        label="Why do you decline?", required=False, max_length=600, widget=forms.Textarea({"rows": 3})
    )
    field_order = ("verdict", "reason", "declare", "name", "password", "code")

    def __init__(self, request: HttpRequest, person: Person, data: Any = None, *, identify: bool = True) -> None:
        super().__init__(request, person, data, identify=identify)
        self.order_fields(self.field_order)

    def clean_reason(self) -> str:
        """Needed to decline."""
        reason = str(self.cleaned_data.get("reason") or "").strip()
        if self.data.get("verdict") == "decline" and not reason:
            raise forms.ValidationError("Say why you decline")
        return reason


class OwnForm(forms.Form):
    """An exception that somebody adds at a node. Empty where nothing is added."""

    use_required_attribute = False

    description = forms.CharField(
        label="What is not in order?", required=False, max_length=600, widget=forms.Textarea({"rows": 3})
    )
    severity = forms.ChoiceField(
        label="How grave is it?",
        required=False,
        choices=[
            ("", "Choose"),
            *((name, f"{name.capitalize()}, {days} days") for name, days in EXCEPTION_DAYS.items()),
        ],
    )
    plan = forms.CharField(label="What is done about it?", required=False, max_length=600,
                           widget=forms.Textarea({"rows": 3}))  # fmt: skip
    control = forms.CharField(label="What protects until then?", required=False, max_length=600,
                              widget=forms.Textarea({"rows": 2}))  # fmt: skip
    owner = PersonField(label="Who does it?", required=False)
    due_on = DayField(label="By which day?", required=False)

    def clean(self) -> dict[str, Any]:
        """All of it, or nothing."""
        cleaned = super().clean() or {}
        if not any(self.data.get(self.add_prefix(name)) for name in self.fields):
            return cleaned
        needed = {
            "description": "Say what is not in order",
            "severity": "Say how grave it is",
            "plan": "Say what is done about it",
            "owner": "Say who does it",
            "due_on": "Say by which day, like 11 Dec 2026",
        }
        for name, words in needed.items():
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, words)
        return cleaned

    @property
    def own(self) -> OwnException | None:
        """What was added."""
        given = self.cleaned_data if self.is_valid() else {}
        if not given.get("description"):
            return None
        return OwnException(
            given["severity"], given["description"], given["plan"], given["due_on"], given["owner"], given["control"]
        )


def own_forms(data: Any = None) -> list[OwnForm]:
    """Room for some exceptions."""
    return [OwnForm(data, prefix=f"own{number}") for number in range(1, OWN_AT_MOST + 1)]
