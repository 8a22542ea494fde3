"""Setting letters, one row at a time or many systems at once; sending, answering, going back to a version."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.people.models import Person
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


# Letters that one form sets for many systems; more is a change of the unit.
LINES = 4


class BulkForm(forms.Form):
    """Up to four letters for many systems: which row, whom, what."""

    use_required_attribute = False

    note = forms.CharField(
        label="What is this change about?",
        max_length=600,
        required=False,
        help_text="It stays with the version of each system.",
        widget=forms.Textarea({"rows": 2}),
    )

    def __init__(
        self, data: Any = None, *, domains: Sequence[tuple[str, str]], parties: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(data)
        for number in range(LINES):
            self.fields[f"domain{number}"] = forms.ChoiceField(
                label="Row", choices=[("", "Choose a row"), *domains], required=False
            )
            self.fields[f"party{number}"] = forms.ChoiceField(
                label="Whom", choices=[("", "A person"), *parties], required=False
            )
            self.fields[f"person{number}"] = PersonField(label="Or a person", required=False)
            self.fields[f"letters{number}"] = forms.ChoiceField(label="Letter", choices=LETTERS[1:], required=False)

    def lines(self) -> list[list[forms.BoundField]]:
        """The fields, line by line."""
        return [
            [self[f"{name}{number}"] for name in ("domain", "party", "person", "letters")] for number in range(LINES)
        ]

    def clean(self) -> dict[str, Any]:
        """Each line that names a row names exactly one party. Says what is missing at its field."""
        cleaned = super().clean() or {}
        if not any(cleaned.get(f"domain{number}") for number in range(LINES)):
            self.add_error("domain0", "Choose at least one row.")
        for number in range(LINES):
            named = [bool(cleaned.get(f"{name}{number}")) for name in ("party", "person")]
            if cleaned.get(f"domain{number}") and f"person{number}" not in self.errors and sum(named) != 1:
                self.add_error(f"party{number}", "Choose a seat, the owner or one person, not several.")
        return cleaned

    def cells(self) -> dict[str, dict[str, str]]:
        """Row -> party -> letters."""
        rows: dict[str, dict[str, str]] = {}
        for number in range(LINES):
            domain = self.cleaned_data.get(f"domain{number}")
            if domain:
                person: Person | None = self.cleaned_data.get(f"person{number}")
                party = str(person.pk) if person else self.cleaned_data[f"party{number}"]
                rows.setdefault(domain, {})[party] = self.cleaned_data[f"letters{number}"]
        return rows
