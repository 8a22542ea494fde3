"""Declaring in two steps: which system and what went wrong; then what happened."""

import uuid
from typing import Any

from django import forms

from apps.access.queries import may
from apps.access.rules import Permission
from apps.incidents.rules import SEVERITY_MEANS, SEVERITY_WORDS, Mode, Severity, Visibility
from apps.people.models import Person

LONG = 4000
UNCLASSIFIED = "Not sure. Whoever leads says it within 30 minutes"


class DeclareForm(forms.Form):
    """What happened, in the words of whoever declares. Only a title is needed."""

    use_required_attribute = False
    form_token = forms.UUIDField(widget=forms.HiddenInput, required=False)
    title = forms.CharField(
        label="What happened?",
        help_text="One sentence that says the fact.",
        max_length=200,
        error_messages={"required": "Say in one sentence what happened."},
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    description = forms.CharField(
        label="What else is known?",
        help_text="Since when, how many people or records, how you noticed. Leave out what is private.",
        required=False,
        max_length=LONG,
        widget=forms.Textarea({"rows": 4}),
    )
    severity = forms.ChoiceField(
        label="How bad is it?",
        required=False,
        initial=Severity.UNCLASSIFIED.value,
        widget=forms.RadioSelect,
        choices=[
            (Severity.UNCLASSIFIED.value, UNCLASSIFIED),
            *((one.value, f"{SEVERITY_WORDS[one]}. {SEVERITY_MEANS[one]}") for one in SEVERITY_MEANS),
        ],
    )
    visibility = forms.ChoiceField(
        label="Who may see it?",
        required=False,
        initial=Visibility.OPEN.value,
        choices=[
            (Visibility.OPEN.value, "Whoever may see all systems, and those who take part"),
            (Visibility.RESTRICTED.value, "Only those who take part, the mandate holder and auditors"),
            (Visibility.PRIVILEGED.value, "Privileged: only those who take part, and the General Counsel"),
        ],
    )
    mode = forms.ChoiceField(
        label="Is it real?",
        required=False,
        initial=Mode.REAL.value,
        choices=[(Mode.REAL.value, "Yes, it happened"), (Mode.TEST.value, "No, a test. Every word begins with TEST")],
    )

    def __init__(self, *args: Any, actor: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("form_token", uuid.uuid4())
        if not may(actor, Permission.INCIDENTS_MANAGE):
            del self.fields["visibility"], self.fields["mode"]

    def values(self) -> dict[str, Any]:
        """What the verb takes; what was not asked is as it is for everybody."""
        data = self.cleaned_data
        return {
            "title": data["title"],
            "description": data["description"],
            "severity": data["severity"] or Severity.UNCLASSIFIED.value,
            "visibility": data.get("visibility") or Visibility.OPEN.value,
            "mode": data.get("mode") or Mode.REAL.value,
            "form_token": data["form_token"],
        }
