"""Setting letters, one row at a time or many systems at once; sending, answering, going back to a version."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.portal.forms.fields import PersonField

LETTERS = (
    ("", "Nothing"),
    ("A", "A, accountable"),
    ("R", "R, responsible"),
    ("AR", "A and R, both"),
    ("C", "C, consulted"),
    ("I", "I, informed"),
)


class RowForm(forms.Form):
    """One row of the matrix without script: a choice for each party."""

    use_required_attribute = False

    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, parties: Sequence[tuple[str, str]], held: Mapping[str, str], revision: int
    ) -> None:
        super().__init__(data, initial={"revision": revision})
        self.held = held
        self.parties = [party for party, _ in parties]
        for party, who in parties:
            self.fields[party] = forms.ChoiceField(
                label=who, choices=LETTERS, required=False, initial=held.get(party, "")
            )

    def changed(self) -> dict[str, str]:
        """The parties whose letters are others than before, with what they are to have."""
        return {
            party: self.cleaned_data[party]
            for party in self.parties
            if self.cleaned_data[party] != self.held.get(party, "")
        }


class NoteForm(forms.Form):
    """What a version is about, for those who read the history later."""

    use_required_attribute = False

    note = forms.CharField(
        label="What is this change about?",
        max_length=600,
        required=False,
        help_text="Those who are asked to accept read it. It stays with the version.",
        widget=forms.Textarea({"rows": 3}),
    )


class AddPersonForm(forms.Form):
    """A column for somebody who holds no seat."""

    use_required_attribute = False

    person = PersonField(
        label="Whom do you add?",
        help_text="Email address or exact name. Letters of a seat pass to its next holder; those of a person do not.",
        error_messages={"required": "Choose a person."},
    )


class AcceptanceForm(forms.Form):
    """A no needs a reason: the verb says so, because a yes in the same form needs none."""

    use_required_attribute = False

    reason = forms.CharField(
        label="Why do you decline?",
        max_length=600,
        required=False,
        help_text="The person who sent it reads the reason and changes the draft.",
        widget=forms.Textarea({"rows": 3}),
    )
