"""Campaign templates and question sets as forms."""

import json
from typing import Any

from django import forms

from apps.attestations.models import CampaignTemplate, QuestionSet
from apps.attestations.rules import CHANGES, QUARTERLY, Period, cadence_of
from apps.common.fields import field_of
from apps.people.models import Function
from apps.registry.models import System, Unit
from apps.registry.rules import NOT_LIVE, Stage, Tier

SCOPES = ("tier", "unit", "regulatory_class", "operating_model", "stage", "basis")


def _many(label: str, choices: Any, help_text: str = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=choices, required=False, help_text=help_text, widget=forms.CheckboxSelectMultiple
    )


def _days(label: str) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=120, required=False)


class TemplateForm(forms.Form):
    """A template, new or changed. What is left empty in the scope means: any."""

    use_required_attribute = False

    name = forms.CharField(max_length=120, error_messages={"required": "Give the campaign a name"})
    key = forms.SlugField(
        max_length=40,
        label="Short name",
        help_text="Small letters, digits and dashes. It stands in addresses and never changes.",
        error_messages={"required": "Give it a short name"},
    )
    cadence = forms.ChoiceField(
        choices=[row for row in CampaignTemplate.Cadence.choices if row[0] != "event"],
        label="How often",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how often"},
    )
    question_sets = forms.ModelMultipleChoiceField(
        QuestionSet.objects.all(),
        to_field_name="key",
        label="Questions",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose the questions that are asked"},
    )
    tier = _many("Tier", [(tier.value, tier.value.capitalize()) for tier in Tier])
    unit = _many("Unit", [], "With everything below it.")
    regulatory_class = _many("Regulatory class", System.RegulatoryClass.choices)
    operating_model = _many("Operating model", System.OperatingModel.choices)
    stage = _many("Stage", [(stage.value, stage.value.capitalize()) for stage in Stage if stage not in NOT_LIVE])
    basis = _many("Owner", System.Basis.choices)
    due_month = forms.IntegerField(
        min_value=1, max_value=12, required=False, label="Due in which month of the period",
        help_text="On its last working day. Empty: as in the settings.",
    )  # fmt: skip
    opens_days_before = _days("Opens how many days before")
    closes_days_after = _days("Closes how many days after")
    sampling_percent = forms.IntegerField(
        min_value=5, max_value=100, initial=5, label="Sampled, in percent",
        help_text="Beside every critical system. 5 at least.",
    )  # fmt: skip
    items_per_person = forms.IntegerField(
        min_value=1, max_value=1000, initial=25, label="Systems a person before the mandate holder is told"
    )
    consequence = forms.ChoiceField(
        choices=CampaignTemplate.Consequence.choices, initial="readiness", label="What silence costs",
        widget=forms.RadioSelect,
    )  # fmt: skip
    top_seats = forms.MultipleChoiceField(
        label="Who signs at the top", widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose who signs at the top"},
    )  # fmt: skip

    def __init__(self, data: Any = None, *, template: CampaignTemplate | None = None) -> None:
        super().__init__(data, initial=_initial(template) if template else None)
        field_of(self, "unit", forms.ChoiceField).choices = [(unit.code, unit.name) for unit in _units(template)]
        functions = Function.objects.exclude(seat_title="").order_by("seat_title")
        field_of(self, "top_seats", forms.MultipleChoiceField).choices = [
            (one.code, one.seat_title) for one in functions
        ]
        if template is not None:
            del self.fields["key"], self.fields["cadence"]
        if template is not None and template.key in (QUARTERLY, CHANGES):
            for name in SCOPES:
                del self.fields[name]

    @property
    def values(self) -> dict[str, Any]:
        """What the verbs take, beside the question sets and the key."""
        cleaned = self.cleaned_data
        left_out = {*SCOPES, "question_sets", "key"}
        scope = {name: cleaned[name] for name in SCOPES if cleaned.get(name)}
        values = {name: value for name, value in cleaned.items() if name not in left_out}
        return values | ({"scope": scope} if "tier" in self.fields else {})


def _units(template: CampaignTemplate | None) -> list[Unit]:
    """Units of the top and right below, and those that the template names: a register can have thousands."""
    chosen = (template.scope.get("unit") or []) if template else []
    units = Unit.objects.filter(parent=None) | Unit.objects.filter(parent__parent=None)
    return list((units | Unit.objects.filter(code__in=chosen)).distinct().order_by("name")[:200])


def _initial(template: CampaignTemplate) -> dict[str, Any]:
    names = (
        "name", "due_month", "opens_days_before", "closes_days_after", "sampling_percent", "items_per_person",
        "consequence", "top_seats",
    )  # fmt: skip
    sets = list(template.question_sets.values_list("key", flat=True))
    return {**{name: getattr(template, name) for name in names}, **template.scope, "question_sets": sets}


class ReasonForm(forms.Form):
    """Why something is done."""

    use_required_attribute = False
    reason = forms.CharField(
        max_length=600,
        label="Why?",
        help_text="One or two sentences. An auditor will read this.",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why"},
    )


class PeriodForm(forms.Form):
    """Which period's campaign is planned."""

    use_required_attribute = False
    period = forms.CharField(max_length=8, error_messages={"required": "Say which period"})

    def __init__(self, data: Any = None, *, template: CampaignTemplate, following: Period) -> None:
        super().__init__(data, initial={"period": str(following)})
        self.cadence = cadence_of(template.cadence)
        self.fields["period"].help_text = f"For example, {following}"

    def clean_period(self) -> str:
        """The period as it is written."""
        try:
            return str(Period.parse(self.cleaned_data["period"], self.cadence))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class QuestionsForm(forms.Form):
    """A draft's questions as JSON, and what is new about them."""

    use_required_attribute = False
    note = forms.CharField(
        max_length=600, required=False, label="What is new in this version",
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    sections = forms.CharField(
        max_length=200_000,
        label="Sections and questions",
        help_text="JSON: a list of sections, each with its questions. Faults are listed with where they are.",
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "mono"}),
        error_messages={"required": "Write the sections and questions"},
    )

    def clean_sections(self) -> Any:
        """The JSON as read. Says the line where it can't be."""
        try:
            return json.loads(self.cleaned_data["sections"])
        except json.JSONDecodeError as error:
            text = f"This is no JSON: line {error.lineno}, column {error.colno}: {error.msg}. Mend it and save again."
            raise forms.ValidationError(text) from error
        except RecursionError as error:
            raise forms.ValidationError("This is nested too deep. Mend it and save again.") from error
