"""Forms of passing on: the work to somebody who prepares, the system to somebody who takes over."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms

from apps.attestations.questions import Section
from apps.attestations.rules import COMMENT_LENGTH, read_date
from apps.common.dates import day_words
from apps.common.fields import field_of
from apps.people.forms import PersonField
from apps.people.models import Person

WHO = "Email address or exact name of one person."


def _reason(label: str, hint: str = "", required: str = "Say why.") -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=hint,
        max_length=COMMENT_LENGTH,
        error_messages={"required": required},
        widget=forms.Textarea({"rows": 3}),
    )


class DelegateForm(forms.Form):
    """Who prepares what, why and until when."""

    use_required_attribute = False

    preparer = PersonField(label="Who prepares it?", help_text=WHO, error_messages={"required": "Choose a person."})
    sections = forms.MultipleChoiceField(
        label="Which sections?", help_text="All of them, if none is ticked.", required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    until = forms.CharField(label="Until when?", max_length=40, error_messages={"required": "Say until which day."})
    reason = _reason("Why?", "The person reads it, and an auditor.")

    def __init__(self, data: Any, *, owner: Person, sections: Sequence[Section], last: date) -> None:
        super().__init__(data, initial={"until": day_words(last)})
        field_of(self, "preparer", PersonField).not_self = owner
        field_of(self, "sections", forms.MultipleChoiceField).choices = [(part.slug, part.title) for part in sections]
        self.fields["until"].help_text = f"{day_words(last)} at the latest. What is filled in stays."

    def clean_until(self) -> date:
        """The day. Raises ValidationError for what is none."""
        day = read_date(self.cleaned_data["until"])
        if day is None:
            raise forms.ValidationError("Write a date like 11 Dec 2026.")
        return day


class AskForm(forms.Form):
    """Whom to ask to take it over, and why."""

    use_required_attribute = False

    to = PersonField(label="Who should answer for it?", help_text=WHO, error_messages={"required": "Choose a person."})
    reason = _reason("Why this person?", "They read it, and an auditor.")


class ReasonForm(forms.Form):
    """A reason alone."""

    use_required_attribute = False

    reason = _reason("Why?")

    def __init__(self, data: Any = None, *, label: str, hint: str = "", **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["reason"].label, self.fields["reason"].help_text = label, hint
