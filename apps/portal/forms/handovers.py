"""Writing, signing and cancelling a hand-over."""

from typing import Any

from django import forms
from django.http import HttpRequest

from apps.attestations.forms import SignForm
from apps.people.models import Person


class NotesForm(forms.Form):
    """What the successor has to know that no list says."""

    use_required_attribute = False

    judgement = forms.CharField(
        label="Your judgement",
        max_length=10_000,
        required=False,
        help_text="What worries you, what is fragile, what you would do next. Your successor reads it before signing.",
        widget=forms.Textarea({"rows": 8}),
    )
    vendor_contacts = forms.CharField(
        label="Vendor contacts",
        max_length=4000,
        required=False,
        help_text="Who is called at the vendor, and how.",
        widget=forms.Textarea({"rows": 3}),
    )


class HandOverForm(SignForm):
    """The outgoing owner's judgement and signature in one form; saving alone needs no signature."""

    judgement = NotesForm.base_fields["judgement"]
    vendor_contacts = NotesForm.base_fields["vendor_contacts"]
    read_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest, person: Person, data: Any = None, **kwargs: Any) -> None:
        super().__init__(request, person, data, **kwargs)
        self.fields["judgement"].required = True
        self.fields["judgement"].error_messages["required"] = "Write your judgement before you sign"


class TakeOverForm(SignForm):
    """The successor's signature under the pack that they read."""

    read_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)


class CancelForm(forms.Form):
    """Ending a hand-over before both have signed."""

    use_required_attribute = False

    reason = forms.CharField(
        label="Why is it cancelled?",
        max_length=600,
        error_messages={"required": "Say why the hand-over is cancelled"},
        help_text="Both read it. It is kept in the trail.",
        widget=forms.Textarea({"rows": 2}),
    )
