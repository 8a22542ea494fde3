"""Asking a person to answer, and answering that."""

from django import forms

from apps.portal.forms.fields import PersonField


class NominateForm(forms.Form):
    """Whom to ask, and why."""

    use_required_attribute = False

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
