"""Forms of a review: what was found, who facilitates, an action with who does it by when, why none is needed."""

from typing import Any, cast

from django import forms
from django.http import HttpRequest

from apps.findings.forms import DayField
from apps.findings.rules import SEVERITIES, SEVERITY_WORDS
from apps.incidents.actions.improvements import Improvement
from apps.incidents.forms.incidents import person, text
from apps.incidents.models import Review, ReviewAction
from apps.people.models import Person
from apps.people.signing import SignForm
from apps.registry.models import System
from apps.registry.rules.breaches import Severity


class _Form(forms.Form):
    use_required_attribute = False


class ReviewForm(_Form):
    """What happened and why. Everything may wait until it is signed."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**31 - 1)
    timeline_ok = forms.BooleanField(label="The timeline is right and complete as far as we know", required=False)
    summary = text("What happened?", rows=4)
    causes = text("What caused it?", hint="One a line. Causes are about systems and work, not about people.", rows=4)
    contributing_factors = text("What made it worse, or late to notice?", rows=3)
    what_worked = text("What worked?", rows=3)

    def __init__(self, data: Any = None, *, review: Review) -> None:
        names = ("version", "timeline_ok", "summary", "causes", "contributing_factors", "what_worked")
        super().__init__(data, initial={name: getattr(review, name) for name in names})


class FacilitatorForm(_Form):
    """Who facilitates it instead, or at all."""

    person = person("Who facilitates it?")


class SkipForm(SignForm):
    """Why no review is needed, and the signature."""

    reason = text("Why is no review needed?", "Say why no review is needed.", rows=2, length=600)

    def __init__(self, request: HttpRequest, person: Person, data: Any = None) -> None:
        super().__init__(request, person, data)
        self.order_fields(["reason"])


class ImprovementForm(_Form):
    """What one person does by a day."""

    type = forms.ChoiceField(
        label="What kind of action?", choices=ReviewAction.Type.choices, initial=ReviewAction.Type.FIX,
        widget=forms.RadioSelect, error_messages={"required": "Say what kind of action it is."},
    )  # fmt: skip
    gap = forms.ChoiceField(
        label="What was wrong with who answered?", required=False,
        help_text="Only where the action says who answers. It then stands on the system's response cards.",
        choices=[("", "Nothing"), *((one.value, one.label) for one in ReviewAction.Gap if one.value)],
    )  # fmt: skip
    what = text("What is done?", "Say what is done.", rows=2, length=2000)
    owner = person("Who does it?")
    due_on = DayField(
        label="By which day?", help_text="Like 11 Dec 2026.", error_messages={"required": "Say by which day."}
    )
    priority = forms.ChoiceField(
        label="How grave is what it puts right?", choices=[(s.value, SEVERITY_WORDS[s]) for s in SEVERITIES],
        initial=Severity.MEDIUM.value,
    )  # fmt: skip
    system = forms.ModelChoiceField(
        System.objects.none(), label="For which system?", required=False, empty_label="None in particular"
    )

    def __init__(self, data: Any = None, *, systems: Any = None) -> None:
        super().__init__(data)
        if systems is None:
            del self.fields["system"]
        else:
            cast("forms.ModelChoiceField[System]", self.fields["system"]).queryset = systems

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError where a gap is not said, or said where the action is about something else."""
        data = super().clean() or self.cleaned_data
        ownership = data.get("type") == ReviewAction.Type.OWNERSHIP
        if ownership and not data.get("gap"):
            self.add_error("gap", "Say what was wrong with who answered.")
        if not ownership:
            data["gap"] = ""
        return data

    def item(self) -> Improvement:
        """What was typed."""
        data = self.cleaned_data
        return Improvement(
            data["type"], data["what"], data["owner"], data["due_on"], data["priority"], data["gap"], data.get("system")
        )
