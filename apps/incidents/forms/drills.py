"""Forms of drills: the plan, an inject, an answer, an observation, a stop test, the report."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from apps.common.fields import field_of
from apps.incidents.actions.drills import Plan
from apps.incidents.forms.incidents import MomentField, person
from apps.incidents.forms.incidents import text as words
from apps.incidents.models import Exercise, Observation
from apps.incidents.rules.drills import SYSTEMS_AT_MOST
from apps.incidents.rules.words import SCENARIO_CHOICES
from apps.people.forms import PersonField
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries import visible_systems
from apps.registry.queries.systems import live


class _Form(forms.Form):
    use_required_attribute = False


class FacilitatorForm(_Form):
    """Who facilitates instead of somebody who left."""

    person = person("Who facilitates it from now on?")


class PlanForm(_Form):
    """What a drill is to be."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**31 - 1)
    type = forms.ChoiceField(
        label="What kind of drill?", choices=Exercise.Type.choices, initial=Exercise.Type.TABLETOP,
        widget=forms.RadioSelect, error_messages={"required": "Say what kind of drill it is."},
    )  # fmt: skip
    title = forms.CharField(
        label="What happens in it?", max_length=200, error_messages={"required": "Say what happens in it."},
        help_text="One sentence, as somebody would declare it. Each word that is sent begins with “DRILL”.",
    )  # fmt: skip
    scenario = forms.ChoiceField(
        label="What went wrong?", choices=[(one.value, said) for one, (said, _) in SCENARIO_CHOICES.items()]
    )
    systems = words(
        "Which systems?", "Name at least one system.", rows=2, length=3000,
        hint=f"Their keys, such as SYS-0042, {SYSTEMS_AT_MOST} at most. Each gets a drill of its own at the same time.",
    )  # fmt: skip
    objectives = words(
        "What is it to show?", "Say what it is to show.", rows=3, length=3000,
        hint="One objective a line, such as: the lead says “I take it” within 5 minutes.",
    )  # fmt: skip
    facilitator = person("Who facilitates it?")
    planned_at = MomentField(
        label="When does it start?", help_text="Like 17 Dec 2026, 10:00. Once it is ready it starts by itself.",
        max_length=60, error_messages={"required": "Say when it starts."},
    )  # fmt: skip
    announced = forms.BooleanField(
        label="Those concerned are told before", required=False, initial=True,
        help_text="A page by surprise is never told before.",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, actor: Person, initial: Any = None) -> None:
        self.actor = actor
        super().__init__(data, initial=initial)

    def clean_systems(self) -> list[System]:
        """The systems. Raises ValidationError for a key of none that is live and that the planner may see."""
        keys = list(dict.fromkeys(self.cleaned_data["systems"].replace(",", " ").replace(";", " ").split()))
        if len(keys) > SYSTEMS_AT_MOST:
            raise ValidationError(f"Choose {SYSTEMS_AT_MOST} systems at most.")
        found = {one.key.lower(): one for one in live(visible_systems(self.actor)).filter(key__in=keys)}
        if missing := [key for key in keys if key.lower() not in found]:
            raise ValidationError(f"There is no live system with the key {missing[0]} that you may see.")
        return list(found.values())

    def clean_objectives(self) -> list[str]:
        """The lines. Raises ValidationError for one that is too long."""
        lines = [line.strip() for line in self.cleaned_data["objectives"].splitlines() if line.strip()]
        if any(len(line) > 300 for line in lines):
            raise ValidationError("Write each objective in 300 characters.")
        return lines

    def plan(self) -> Plan:
        """What was typed."""
        data = self.cleaned_data
        return Plan(
            data["type"], data["title"], data["scenario"], tuple(data["systems"]), tuple(data["objectives"]),
            data["facilitator"], data["planned_at"], data["announced"],
        )  # fmt: skip


class InjectForm(_Form):
    """What the facilitator tells, and what is expected then."""

    offset_minutes = forms.IntegerField(
        label="After how many minutes?", min_value=0, max_value=1440,
        error_messages={"required": "Say after how many minutes."},
    )  # fmt: skip
    text = words("What do you tell?", "Say what you tell.", rows=2, length=2000)
    expected_action = words("What should they do then?", "Say what they should do then.", rows=2, length=2000)
    expected_person = PersonField(label="Who should?", required=False)


class AnswerForm(_Form):
    """What somebody does in answer to an inject."""

    answer = words("What do you do?", "Say what you do.", rows=2, length=2000)


class StopTestForm(_Form):
    """Whether a system stopped."""

    system = forms.ModelChoiceField(
        System.objects.none(), label="Which system?", error_messages={"required": "Choose the system."}
    )
    worked = forms.TypedChoiceField(
        label="Did it stop?", choices=[("yes", "Yes, it stopped"), ("no", "No")], widget=forms.RadioSelect,
        coerce=lambda value: value == "yes", error_messages={"required": "Say whether it stopped."},
    )  # fmt: skip
    note = words("How, and how long did it take?", "Say how it was stopped, and how long that took.", rows=2)

    def __init__(self, data: Any = None, *, exercise: Exercise) -> None:
        super().__init__(data)
        cast("forms.ModelChoiceField[System]", self.fields["system"]).queryset = exercise.systems.order_by("name")


class ObservationForm(_Form):
    """What was seen about one objective."""

    objective = forms.TypedChoiceField(label="Which objective?", coerce=int)
    rating = forms.ChoiceField(label="How did it go?", choices=Observation.Rating.choices)
    kind = forms.ChoiceField(
        label="What is it?", choices=[("strength", "A strength"), ("improvement", "Something to improve")]
    )
    text = words("What did you see?", "Say what you saw.", rows=2, length=2000)
    evidence = words("What shows it? (optional)", rows=2, length=2000)

    def __init__(self, data: Any = None, *, exercise: Exercise) -> None:
        super().__init__(data)
        field_of(self, "objective", forms.ChoiceField).choices = [
            (number, f"{number}. {said}") for number, said in enumerate(exercise.objectives, start=1)
        ]


class ReportForm(_Form):
    """The after-action report as far as it is written."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**31 - 1)
    outcome = forms.ChoiceField(
        label="Did the drill pass?", required=False, widget=forms.RadioSelect,
        choices=[("passed", "It passed"), ("failed", "It failed: it opens a finding for each system")],
    )  # fmt: skip
    summary = words("What happened, in short?", rows=4)
    strengths = words("What went well?", rows=3)
    weaknesses = words("What did not?", rows=3)

    def __init__(self, data: Any = None, *, exercise: Exercise) -> None:
        names = ("version", "outcome", "summary", "strengths", "weaknesses")
        super().__init__(data, initial={name: getattr(exercise, name) for name in names})


class CancelForm(_Form):
    """Why it does not take place."""

    reason = words("Why does it not take place?", "Say why it does not take place.", rows=2, length=600)
