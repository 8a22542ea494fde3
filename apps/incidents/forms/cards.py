"""Forms of who responds: a rule, why it ends, and what a responder has to know of a system."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.common.dates import read_date
from apps.incidents.models import SCENARIOS
from apps.incidents.queries.rules import RuleText
from apps.incidents.rules import FROM_SEVERITY
from apps.people.forms import PersonField
from apps.people.models import Function, Person
from apps.registry.models import System, Unit
from apps.registry.queries.systems import visible_systems

WHO = "Email address or exact name."


class _Form(forms.Form):
    use_required_attribute = False


def _text(label: str, *, help_text: str = "", rows: int = 3, required: str = "", length: int = 4000) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=length,
        required=bool(required),
        error_messages={"required": required},
        widget=forms.Textarea({"rows": rows}),
    )


class RuleForm(_Form):
    """Who leads, for which scenario, and for what."""

    scenario = forms.ChoiceField(label="What went wrong?", required=False, choices=[("", "Anything"), *SCENARIOS])
    min_severity = forms.ChoiceField(
        label="How bad is it?",
        help_text="A rule from a severity on leads once somebody said that it is as bad as that, or worse.",
        required=False,
        choices=[("", "At every severity"), *((one.value, said) for one, said in FROM_SEVERITY.items())],
    )
    system = forms.CharField(
        label="For one system",
        help_text="Its key, such as SYS-0042. Leave all three empty for the whole organisation.",
        max_length=80,
        required=False,
    )
    regulatory_class = forms.ChoiceField(
        label="Or for one regulatory class",
        required=False,
        choices=[("", "No class"), *System.RegulatoryClass.choices],
    )
    unit = forms.ModelChoiceField(Unit.objects.all(), label="Or for one unit", required=False, empty_label="No unit")
    lead_person = PersonField(label="Who leads?", required=False, help_text=f"{WHO} Or choose a seat.")
    lead_function = forms.ChoiceField(label="Or the seat whose holder leads", required=False)
    deputy = PersonField(
        label="Who is called next?",
        required=False,
        help_text=f"{WHO} Empty: the deputy of whoever leads.",
    )
    reason = _text("Why?", help_text="It stands in the trail.", length=600, required="Say why this rule is set.")

    def __init__(self, *args: Any, actor: Person, **kwargs: Any) -> None:
        self.actor = actor
        super().__init__(*args, **kwargs)
        seats = Function.objects.values_list("code", "seat_title")
        label = "Or the seat whose holder leads"
        self.fields["lead_function"] = forms.ChoiceField(label=label, required=False, choices=[("", "No seat"), *seats])

    def clean_lead_function(self) -> Function | None:
        """The function of the seat."""
        code = self.cleaned_data["lead_function"]
        return Function.objects.get(pk=code) if code else None

    def clean_system(self) -> System | None:
        """The system. Raises ValidationError for a key of none that the writer may see."""
        key = self.cleaned_data["system"].strip()
        if not key:
            return None
        found = visible_systems(self.actor).filter(key__iexact=key).first()
        if found is None:
            raise ValidationError(f"There is no system with the key {key} that you may see.")
        return found

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for no lead or two, and for two scopes."""
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and bool(data.get("lead_person")) == bool(data.get("lead_function")):
            self.add_error("lead_person", "Name one person or one seat that leads.")
        if sum(bool(data.get(name)) for name in ("system", "regulatory_class", "unit")) > 1:
            self.add_error("system", "Choose one of the three: a system, a class or a unit.")
        return data

    def rule(self) -> RuleText:
        """What the form says, once it is valid."""
        return RuleText(**self.cleaned_data)


class EndForm(_Form):
    """Why a rule ends."""

    reason = _text("Why does it end?", length=600, required="Say why the rule ends.")


class ProfileForm(_Form):
    """What a responder has to know of one system."""

    stop_how = _text(
        "How is it stopped?", help_text="What somebody does at night, step by step, and what else stops with it."
    )
    stop_link = forms.URLField(
        label="Link to the switch",
        max_length=600,
        required=False,
        assume_scheme="https",
        error_messages={"invalid": "Write an address that begins with https://."},
    )
    stop_tested_on = forms.CharField(label="Tested on", help_text="A day like 11 Dec 2026.", required=False)
    stop_holder = PersonField(
        label="Who stops it where the owner can't be asked?", required=False, help_text=f"{WHO} Not a team."
    )
    evidence_how = _text("How is evidence kept?", help_text="Which logs, prompts and outputs, where, for how long.")
    vendor_channel = forms.CharField(
        label="The vendor's incident channel",
        help_text="Where an incident is reported to the vendor, day and night.",
        max_length=600,
        required=False,
    )
    vendor_reference = forms.CharField(label="Contract or customer number", max_length=300, required=False)
    vendor_must = _text("What does the vendor owe us in an incident?", help_text="Logs, answers, in which time.")

    def clean_stop_tested_on(self) -> Any:
        """The day. Raises ValidationError for a text that is none."""
        text = self.cleaned_data["stop_tested_on"].strip()
        if not text:
            return None
        day = read_date(text)
        if day is None:
            raise ValidationError("Write the day like 11 Dec 2026.")
        return day
