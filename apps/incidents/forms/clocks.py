"""Forms of legal clocks: when it started, what was submitted, why it is not reported, and the register of rules."""

from typing import Any

from django import forms
from django.http import HttpRequest

from apps.common.dates import read_date
from apps.common.fields import field_of
from apps.incidents.forms.incidents import MomentField, text
from apps.incidents.models import SCENARIOS, ClockRule, IncidentClock, IncidentFile
from apps.incidents.models.clocks import CONFIDENCE_WORDS
from apps.incidents.rules.clocks import CALENDAR_WORDS
from apps.people.models import Person
from apps.people.signing import SignForm
from apps.registry.models import System

MOMENT_HINT = "Like 09:14, or with its day like 17 Nov 2026, 09:14."
# The moment in words, as a question.
ASKED = {
    "aware": "When did we become aware?",
    "determined": "When was that determined?",
    "classified": "When was it classified?",
    "prev_submission": "When was the report before it submitted?",
    "measure_available": "Since when is the measure available?",
}


class _Form(forms.Form):
    use_required_attribute = False


def _moment(label: str, required: str = "") -> MomentField:
    return MomentField(
        label=label, help_text=MOMENT_HINT, max_length=60, required=bool(required),
        error_messages={"required": required or "Write the time."},
    )  # fmt: skip


class StartForm(_Form):
    """When the trigger of one rule came true, and how that is known."""

    anchor_at = _moment("When?", "Write when it came true.")
    cap_at = _moment("When did we become aware?", "Write when we became aware.")
    reason = text("What happened, and how is it known?", "Say what made the trigger come true.", length=2000)

    def __init__(self, data: Any = None, *, clock: IncidentClock, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["anchor_at"].label = ASKED[clock.rule.anchor]
        if clock.rule.cap_anchor:
            self.fields["cap_at"].label = ASKED[clock.rule.cap_anchor]
        else:
            del self.fields["cap_at"]


class SubmissionForm(_Form):
    """What somebody submitted to the authority, outside the portal."""

    reference = forms.CharField(
        label="Reference", help_text="The number that the authority gave it.", max_length=300,
        error_messages={"required": "Give the reference that the authority gave you."},
    )  # fmt: skip
    at = _moment("When was it submitted?", "Write when it was submitted.")
    late_reason = text("Why is it late?", hint="Only where it is. GDPR Art. 33(1) asks for the reasons.", rows=2)
    file = forms.ModelChoiceField(
        IncidentFile.objects.none(), label="What was submitted", required=False, empty_label="No file of the incident"
    )

    def __init__(self, data: Any = None, *, clock: IncidentClock, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        files = IncidentFile.objects.filter(incident=clock.incident_id)
        field_of(self, "file", forms.ModelChoiceField).queryset = files


class DrillForm(_Form):
    """What would be decided, in a drill."""

    decision = text("What would you decide, and why?", "Say what you would decide.", length=2000)


class NotReportableForm(SignForm):
    """Why it is not reported, signed."""

    reason = text("Why is it not reportable?", "Say why it is not reportable.", length=4000, rows=4)
    field_order = ("reason", "declare", "name", "password", "code")

    def __init__(self, request: HttpRequest, person: Person, data: Any = None) -> None:
        super().__init__(request, person, data)
        self.fields["declare"].label = "I have read the statement and I mean it"


class AppliesForm(_Form):
    """Whether a rule binds the organisation."""

    applies = forms.ChoiceField(
        label="Does it bind this organisation?", widget=forms.RadioSelect,
        choices=[("yes", "Yes"), ("no", "No"), ("unknown", "Nobody can say yet")],
        error_messages={"required": "Choose an answer."},
    )  # fmt: skip
    applies_because = text("Why?", "Say why it binds this organisation, or why not.", length=2000)

    def answer(self) -> bool | None:
        """The answer: yes, no, or not known."""
        return {"yes": True, "no": False}.get(self.cleaned_data["applies"])


class AuthorityForm(_Form):
    """Where a report goes."""

    name = forms.CharField(label="Name of the authority", max_length=200, error_messages={"required": "Give its name."})
    portal = forms.URLField(label="Address of its form", max_length=600, required=False, assume_scheme="https")
    contact = forms.CharField(label="Contact", max_length=300, required=False)
    authority_note = text("Note", rows=2, length=2000)


class ContractForm(_Form):
    """A contract that asks for notice."""

    counterparty = forms.CharField(
        label="Counterparty", max_length=100, error_messages={"required": "Name the counterparty."}
    )
    clause = forms.CharField(
        label="Contract and clause", max_length=100, error_messages={"required": "Name the contract and its clause."}
    )
    trigger = text("What has to be so?", "Say what starts its time, as a question.", hint="As a question.", rows=2)
    amount = forms.IntegerField(
        label="How much time?", required=False, min_value=1, max_value=1000,
        help_text="Leave it empty where the contract gives no number.",
    )  # fmt: skip
    unit = forms.ChoiceField(label="Of what?", required=False, choices=ClockRule.UnitOfTime.choices)
    contact = forms.CharField(label="Whom to tell", max_length=300, required=False)
    note = text("Note", rows=2, length=2000)


class _DayField(forms.CharField):
    """A day as people write it."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.day} {value:%b %Y}" if hasattr(value, "year") else value

    def clean(self, value: Any) -> Any:
        """A date, or None for nothing. Raises ValidationError for what is no day."""
        said = super().clean(value)
        day = read_date(said) if said else None
        if said and day is None:
            raise forms.ValidationError("Write the day like 11 Dec 2026.")
        return day


def _lines(rows: int) -> forms.Textarea:
    return forms.Textarea({"rows": rows})


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # the stubs ask for the model, Django has no place for it
    """A new version of a rule."""

    use_required_attribute = False
    valid_from = _DayField(label="In force from", required=False, max_length=40)
    valid_to = _DayField(label="In force until", required=False, max_length=40)
    verified_on = _DayField(label="Verified on", required=False, max_length=40)
    confidence = forms.ChoiceField(label="How sure", choices=list(CONFIDENCE_WORDS.items()))
    calendar = forms.ChoiceField(label="Calendar", required=False)
    scenarios = forms.MultipleChoiceField(
        label="Where it may matter", choices=SCENARIOS, required=False, widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: whatever went wrong.",
    )  # fmt: skip
    regulatory_classes = forms.MultipleChoiceField(
        label="For which systems", choices=System.RegulatoryClass.choices, required=False,
        widget=forms.CheckboxSelectMultiple, help_text="None chosen: all.",
    )  # fmt: skip
    why = text("What changed in the law, or what was wrong here?", "Say what changed, or what was wrong.", rows=2)

    class Meta:
        model = ClockRule
        fields = (
            "instrument", "article", "title", "bound_role", "trigger", "anchor", "amount", "unit", "cap_anchor",
            "cap_amount", "cap_unit", "immediate", "calendar", "rolls_to_noon", "recipient", "valid_from", "valid_to",
            "status", "source_url", "quote", "note", "verified_on", "verified_by", "confidence", "scenarios",
            "regulatory_classes", "decides",
        )  # fmt: skip
        labels = {
            "article": "Article", "bound_role": "Who is bound", "trigger": "Trigger, as a question",
            "anchor": "It starts with", "amount": "Time", "unit": "Unit", "cap_anchor": "At most, from",
            "cap_amount": "At most", "cap_unit": "Unit of that", "immediate": "At once, the number is only the latest",
            "rolls_to_noon": "An end on no working day moves to noon of the next", "source_url": "Source",
            "decides": "Which seat decides",
        }  # fmt: skip
        # The model checks that it is an address.
        field_classes = {"source_url": forms.CharField}
        widgets = {"trigger": _lines(2), "quote": _lines(2), "note": _lines(3)}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = dict(CALENDAR_WORDS)
        kept = self.instance.calendar
        choices = list((known | ({} if kept in known else {kept: kept})).items())
        field_of(self, "calendar", forms.ChoiceField).choices = choices
