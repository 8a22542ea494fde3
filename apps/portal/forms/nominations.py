"""Asking a person to answer, and answering that."""

from django import forms

from apps.portal.forms.fields import PersonField
from apps.portal.forms.powers import PowersForm


class NominateForm(PowersForm):
    """Whom to ask, why, and the authority that goes with it."""

    nominee = PersonField(
        label="Whom do you nominate?",
        help_text="Email address or exact name of one person. A team or a mailbox cannot answer.",
        error_messages={"required": "Choose a person."},
    )
    reason = forms.CharField(
        label="Why this person?",
        max_length=600,
        required=False,
        help_text="The person reads it. It is kept in the trail.",
        widget=forms.Textarea({"rows": 3}),
    )


class DeclineForm(forms.Form):
    """A no needs a reason: the verb says so, because a yes in the same form needs none."""

    use_required_attribute = False

    reason = forms.CharField(
        label="Why do you decline?",
        max_length=600,
        required=False,
        help_text="The head of the unit reads it and nominates somebody else.",
        widget=forms.Textarea({"rows": 3}),
    )


class WithdrawForm(forms.Form):
    """Taking a nomination back."""

    use_required_attribute = False

    reason = forms.CharField(
        label="Why?",
        max_length=600,
        required=False,
        help_text="It is kept in the trail.",
        widget=forms.Textarea({"rows": 2}),
    )


class UndoForm(forms.Form):
    """Taking back what was nominated a moment ago: the ids of the nominations."""

    use_required_attribute = False

    nominations = forms.CharField(max_length=4000)

    def clean_nominations(self) -> list[int]:
        """The ids. Anything else is left out: there is nobody to nominate by it."""
        ids = str(self.cleaned_data["nominations"]).split(",")
        return [int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 19]
