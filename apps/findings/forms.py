"""Forms of findings."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.common.dates import read_date
from apps.findings.rules import SEVERITIES, SEVERITY_WORDS
from apps.people.forms import PersonField
from apps.people.models import Person
from apps.registry.models import GovernanceDomain, System, Unit
from apps.registry.queries import who_answers_systems
from apps.registry.rules.breaches import Severity

_LONG = 2000


class DayField(forms.CharField):
    """A day as people write it. Cleans to a date."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)

    def clean(self, value: Any) -> Any:
        """Raises ValidationError for a text that is no day."""
        text = super().clean(value)
        if not text:
            return None
        day = read_date(text)
        if day is None:
            raise ValidationError("Write the day like 11 Dec 2026.")
        return day


class _Form(forms.Form):
    use_required_attribute = False


def _text(
    label: str, *, help_text: str = "", rows: int = 3, required: str = "", length: int = _LONG
) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=length,
        required=bool(required),
        error_messages={"required": required},
        widget=forms.Textarea({"rows": rows}),
    )


class ReportForm(_Form):
    """What should not be so, where, and how grave it is."""

    title = forms.CharField(
        label="What should not be so?",
        help_text="One sentence that says the fact.",
        max_length=300,
        error_messages={"required": "Say what should not be so."},
    )
    remedy = _text("What would put it right?", required="Say what would put it right.")
    severity = forms.ChoiceField(
        label="How grave is it?",
        choices=[(s.value, SEVERITY_WORDS[s]) for s in SEVERITIES],
        initial=Severity.MEDIUM.value,
        widget=forms.RadioSelect,
        error_messages={"required": "Say how grave it is."},
    )
    system = forms.CharField(
        label="Which system?",
        help_text="Its key, such as SYS-0042. Leave it empty for a unit or the whole organisation.",
        max_length=80,
        required=False,
    )
    unit = forms.ModelChoiceField(
        Unit.objects.all(), label="Or which unit?", required=False, empty_label="The whole organisation"
    )
    domain = forms.ModelChoiceField(
        GovernanceDomain.objects.all(), label="Which domain?", required=False, empty_label="None"
    )
    person = PersonField(
        label="Who puts it right?",
        required=False,
        help_text="Leave it empty for whoever answers: the system's owner, the unit's head, or the mandate holder.",
    )

    def __init__(self, *args: Any, actor: Person, **kwargs: Any) -> None:
        self.actor = actor
        super().__init__(*args, **kwargs)

    def clean_system(self) -> System | None:
        """The system. Raises ValidationError for a key of none that the reporter may know."""
        key = self.cleaned_data["system"].strip()
        if not key:
            return None
        found = who_answers_systems(self.actor).select_related("owner", "unit").filter(key__iexact=key).first()
        if found is None:
            raise ValidationError(f"There is no live system with the key {key} that you may see.")
        return found

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError where both a system and a unit are given."""
        data = super().clean() or self.cleaned_data
        if data.get("system") and data.get("unit"):
            self.add_error("unit", "Choose a system or a unit, not both.")
        return data


class AssignForm(_Form):
    """Who else puts it right."""

    person = PersonField(label="Who puts it right instead?", error_messages={"required": "Choose a person."})
    reason = _text("Why? (optional)", rows=2, length=600)


class PlanForm(_Form):
    """What one person does by a day."""

    what = _text("What is done about it?", required="Say what is done about it.")
    person = PersonField(label="Who does it?", error_messages={"required": "Choose a person."})
    due_on = DayField(
        label="By which day?", help_text="Like 11 Dec 2026.", error_messages={"required": "Say by which day."}
    )


class CompleteForm(_Form):
    """What shows that it is done."""

    evidence = _text(
        "What shows that it is done?",
        required="Say what shows that it is done.",
        help_text="Somebody else reads this and verifies it.",
    )


class VerdictForm(_Form):
    """What the verifier found. A rejection needs words: the verb says so."""

    verdict = _text("What did you find?", rows=2, help_text="Needed where you reject.", length=600)


class AcceptForm(_Form):
    """Living with it until a day."""

    reason = _text("Why is the risk accepted?", required="Say why the risk is accepted.", length=600)
    until = DayField(label="Until which day?", error_messages={"required": "Say until which day."})

    def __init__(self, *args: Any, latest: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].help_text = f"{latest.day} {latest:%b %Y} at the latest. Then it waits again by itself."


class ReasonForm(_Form):
    """A reason."""

    reason = _text("Why?", required="Say why.", rows=2, length=600)
