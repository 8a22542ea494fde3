"""Forms of exceptions: a decision, another plan, a later day."""

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest

from apps.attestations.forms import SignForm
from apps.attestations.models import AttestationException
from apps.attestations.rules import read_date
from apps.common.clock import day_words
from apps.people.models import Person

State = AttestationException.State
LENGTH = 600


class DayField(forms.CharField):
    """A day as people write it. Cleans to a date."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)

    def clean(self, value: Any) -> date | None:
        """Raises ValidationError for a text that is no day."""
        text = super().clean(value)
        if not text:
            return None
        day = read_date(text)
        if day is None:
            raise forms.ValidationError("Write the day like 11 Dec 2026.")
        return day


def _text(label: str, required: str = "", *, help_text: str = "", length: int = LENGTH) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=length,
        required=bool(required),
        error_messages={"required": required},
        widget=forms.Textarea({"rows": 3}),
    )


class DecisionForm(SignForm):
    """What somebody decides about an exception, with their signature."""

    verdict = forms.ChoiceField(
        label="What do you decide?", widget=forms.RadioSelect, error_messages={"required": "Choose what you decide."}
    )
    until = DayField(label="Accepted until which day?", required=False)
    note = _text("Why?", help_text="Needed where you refuse the plan or accept the risk.")
    field_order = ("verdict", "until", "note", "declare", "name", "password", "code")

    def __init__(
        self, request: HttpRequest, person: Person, data: Any = None, *, plan: bool, risk: bool, latest: date
    ) -> None:
        super().__init__(request, person, data)
        self.fields["declare"].label = "I have read the exception and its plan, and I mean my decision"
        choices = [(State.APPROVED.value, "Approve the plan"), (State.REFUSED.value, "Refuse the plan")] if plan else []
        if risk:
            choices.append((State.RISK_ACCEPTED.value, "Accept the risk until a day"))
        verdict = self.fields["verdict"]
        if isinstance(verdict, forms.ChoiceField):
            verdict.choices = choices
        if risk:
            self.fields["until"].help_text = f"Only where you accept the risk. {day_words(latest)} at the latest."
        else:
            del self.fields["until"]

    def clean(self) -> dict[str, Any]:
        """What a decision needs beside the signature is asked first: no try is spent on a password before."""
        data = self.cleaned_data
        verdict = data.get("verdict")
        if verdict in (State.REFUSED, State.RISK_ACCEPTED) and not data.get("note", "").strip() and "note" in data:
            self.add_error("note", "Say why.")
        if verdict == State.RISK_ACCEPTED and not data.get("until") and "until" not in self.errors:
            self.add_error("until", "Say until which day the risk is accepted.")
        return super().clean()


class ExtensionDecisionForm(SignForm):
    """Whether a later day is granted, with a signature."""

    verdict = forms.ChoiceField(
        label="What do you decide?",
        choices=[("grant", "Grant the later day"), ("refuse", "Refuse it, the day stays")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what you decide."},
    )
    note = _text("Why?", help_text="Needed where you refuse.")
    field_order = ("verdict", "note", "declare", "name", "password", "code")

    def clean(self) -> dict[str, Any]:
        """A refusal has a reason."""
        data = self.cleaned_data
        if data.get("verdict") == "refuse" and not data.get("note", "").strip() and "note" in data:
            self.add_error("note", "Say why.")
        return super().clean()


class PlanForm(forms.Form):
    """Another plan after a refusal."""

    use_required_attribute = False

    plan = _text("What is done about it?", "Say what is done about it.", length=2000)
    control = _text("What protects meanwhile? (optional)", length=2000)


class ExtensionForm(forms.Form):
    """A later day, with a reason."""

    use_required_attribute = False

    to_day = DayField(label="By which day instead?", error_messages={"required": "Say by which day."})
    reason = _text("Why?", "Say why.")

    def __init__(self, *args: Any, latest: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to_day"].help_text = f"{day_words(latest)} at the latest. Somebody else decides; they are counted."
