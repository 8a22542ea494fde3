"""Forms of runbooks: a new one, the list of steps of a draft, reasons, and work on a pinned step."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.common.fields import field_of
from apps.incidents.models import Runbook, RunbookStep
from apps.incidents.queries.runbooks import roles
from apps.incidents.rules.runbooks import FIELDS, MOST_STEPS, StepText
from apps.people.forms import PersonField
from apps.people.models import Person
from apps.registry.models import System, Unit
from apps.registry.queries.systems import visible_systems

# A draft may have more steps than can be published, so that one can be cut.
ROWS = MOST_STEPS + 10
_FLAGS = ("required", "evidence_required", "legal_gate")
_LONG = 4000
Row = dict[str, Any]


class _Form(forms.Form):
    use_required_attribute = False


def _text(label: str, *, help_text: str = "", rows: int = 3, required: str = "", length: int = 600) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=length,
        required=bool(required),
        error_messages={"required": required},
        widget=forms.Textarea({"rows": rows}),
    )


class RunbookForm(_Form):
    """A new runbook: for which scenario and for what."""

    title = forms.CharField(
        label="What is it called?",
        help_text="As somebody would say it at night: It accessed data that it should not.",
        max_length=200,
        error_messages={"required": "Give it a title."},
    )
    scenario = forms.ChoiceField(label="What went wrong?", required=False)
    system = forms.CharField(
        label="For one system",
        help_text="Its key, such as SYS-0042. Leave all three empty for the whole organisation.",
        max_length=80,
        required=False,
    )
    operating_model = forms.ChoiceField(label="Or for one operating model", required=False)
    unit = forms.ModelChoiceField(Unit.objects.all(), label="Or for one unit", required=False, empty_label="No unit")
    owner = PersonField(
        label="Who keeps it?", required=False, help_text="Leave it empty for the owner of the system, else yourself."
    )

    def __init__(self, *args: Any, actor: Person, **kwargs: Any) -> None:
        self.actor = actor
        super().__init__(*args, **kwargs)
        models = System.OperatingModel
        known = [choice for choice in models.choices if choice[0] != models.UNKNOWN]
        _choices(self, "scenario", Runbook._meta.get_field("scenario").flatchoices)
        _choices(self, "operating_model", [("", "No operating model"), *known])

    def clean_system(self) -> System | None:
        """The system. Raises ValidationError for a key of none that the writer may see."""
        key = self.cleaned_data["system"].strip()
        if not key:
            return None
        found = visible_systems(self.actor).select_related("owner").filter(key__iexact=key).first()
        if found is None:
            raise ValidationError(f"There is no system with the key {key} that you may see.")
        return found

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for more than one scope."""
        data = super().clean() or self.cleaned_data
        if sum(bool(data.get(name)) for name in ("system", "operating_model", "unit")) > 1:
            self.add_error("system", "Choose a system, an operating model or a unit: one of them.")
        return data


def _choices(form: forms.Form, name: str, choices: Any) -> None:
    field_of(form, name, forms.ChoiceField).choices = choices


class StepForm(_Form):
    """One step of a draft."""

    title = forms.CharField(max_length=200, error_messages={"required": "Give the step a title."})
    instruction = _text("What to do", rows=4, required="Say what to do.", length=_LONG)
    expected_result = _text("Then", help_text="What is so when it worked.", rows=2, length=_LONG)
    if_not = _text("If not", help_text="What to do when it does not work.", rows=2, length=_LONG)
    phase = forms.ChoiceField(label="Part", choices=RunbookStep.Phase.choices)
    does = forms.ChoiceField(label="To the rules", choices=RunbookStep.Does.choices, required=False)
    role = forms.ChoiceField(label="Who")
    target_minutes = forms.IntegerField(
        label="Within minutes",
        min_value=1,
        max_value=32_000,
        required=False,
        error_messages={"invalid": "Give the minutes as a whole number, or nothing."},
    )
    required = forms.BooleanField(label="Has to be done", required=False)
    evidence_required = forms.BooleanField(label="Needs evidence", required=False)
    legal_gate = forms.BooleanField(label="The General Counsel agrees first", required=False)

    def __init__(self, *args: Any, known_roles: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "role", list(known_roles.items()))

    @property
    def text(self) -> StepText:
        """What the step says."""
        return StepText(**{name: self.cleaned_data[name] for name in FIELDS})


def _typed(place: int, row: Row) -> dict[str, Any]:
    """A row as a browser sends it: a box that is not ticked is not there."""
    return {f"s{place}-{name}": value for name, value in row.items() if value not in (False, None)}


class StepRows:
    """The whole list of steps of a draft, as somebody edits it: without script, one form and a button for each move."""

    def __init__(self, rows: Sequence[Row], *, bound: bool) -> None:
        known = roles()
        self.forms = [
            StepForm(
                _typed(place, row) if bound else None,
                initial=None if bound else row,
                prefix=f"s{place}",
                known_roles=known,
            )
            for place, row in enumerate(rows)
        ]  # fmt: skip

    @staticmethod
    def of(steps: Sequence[StepText]) -> list[Row]:
        """What a draft says."""
        return [asdict(step) for step in steps]

    @staticmethod
    def posted(data: Mapping[str, str]) -> list[Row]:
        """What was typed."""
        count = data.get("count", "")
        rows = min(int(count), ROWS) if count.isascii() and count.isdigit() and len(count) < 4 else 0
        return [
            {name: (f"s{place}-{name}" in data) if name in _FLAGS else data.get(f"s{place}-{name}", "")
             for name in FIELDS}
            for place in range(rows)
        ]  # fmt: skip

    def is_valid(self) -> bool:
        """Whether each step can be saved."""
        return not any(form.errors for form in self.forms)

    @property
    def texts(self) -> list[StepText]:
        """What the steps say."""
        return [form.text for form in self.forms]

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """(id of the field, number of the step, what is wrong), for the summary."""
        return [
            (field.id_for_label, str(number), str(error))
            for number, form in enumerate(self.forms, 1)
            for field in form
            for error in field.errors
        ]


def moved(rows: list[Row], what: str) -> tuple[list[Row], int] | None:
    """The rows after a button was pressed, and the place that it was about; None for no button of ours.

    up-2, down-2, remove-2 and add-2 are about the second step; add-0 puts one before the first.
    """
    verb, _, place = what.partition("-")
    if not (place.isascii() and place.isdigit() and len(place) < 4) or int(place) > len(rows):
        return None
    at, found = int(place), list(rows)
    if verb == "add" and len(found) < ROWS:
        found.insert(at, asdict(StepText()))
        return found, at + 1
    if at == 0:
        return None
    if verb == "remove":
        del found[at - 1]
        return found, max(at - 1, 1)
    other = {"up": at - 1, "down": at + 1}.get(verb)
    if other is None:
        return None
    if 1 <= other <= len(found):
        found[at - 1], found[other - 1] = found[other - 1], found[at - 1]
        return found, other
    return found, at


class NoteForm(_Form):
    """What is new in a version."""

    note = _text("What is new, and why? (optional)", help_text="Stands in the list of versions.", rows=2)


class ReviewForm(_Form):
    """That a runbook is still right."""

    note = _text(
        "What did you look at?",
        help_text="Names, links, order, what the last incident or drill taught.",
        required="Say what you looked at.",
    )


class OwnerForm(_Form):
    """Who keeps a runbook."""

    owner = PersonField(label="Who keeps it?", error_messages={"required": "Choose a person."})


class ReasonForm(_Form):
    """A reason."""

    reason = _text("Why?", required="Say why.", rows=2)


class WorkForm(_Form):
    """What was done about a pinned step. Which of the texts is needed is the verb's to say."""

    do = forms.ChoiceField(choices=[(verb, verb) for verb in ("start", "finish", "skip", "block", "unblock", "agree")])
    seen = forms.CharField(max_length=7, required=False)
    evidence = _text("What shows that it is done?", rows=2, length=_LONG)
    reason = _text("Why?", rows=2)
    note = _text("A word on it (optional)", rows=2)
