"""Forms of escalation plans: steps as rows, without script; and what answers a call by its link."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.incidents.models import SCENARIOS, EscalationPlan
from apps.incidents.rules import REPEAT_AT_MOST, Target
from apps.incidents.rules.plans import STEPS_AT_MOST, TARGET_WORDS, Aim, Plan, Step
from apps.people.forms import PersonField
from apps.people.models import Function, Person
from apps.registry.models import System, Unit
from apps.registry.queries.systems import visible_systems

WHOM = 3  # targets of a step that the form offers; a person comes on top
SEAT = "seat:"
CHANNELS = (("1", "First channel"), ("2", "First two channels"), ("0", "All channels"))


def target_choices() -> list[tuple[str, str]]:
    """Whom a step can call, but for a person by name."""
    fixed = [
        (kind.value, TARGET_WORDS[kind].capitalize()) for kind in Target if kind not in {Target.SEAT, Target.PERSON}
    ]
    seats = [(f"{SEAT}{code}", f"Seat: {title}") for code, title in Function.objects.values_list("code", "seat_title")]
    return [("", "Nobody"), *fixed, *seats]


class StepForm(forms.Form):
    """One row. A row without a time and without anybody is left out."""

    use_required_attribute = False
    after = forms.IntegerField(
        label="After how many minutes?", required=False, min_value=0, error_messages={"invalid": "Write whole minutes."}
    )
    person = PersonField(label="Or a person", required=False, help_text="Email address or exact name.")
    channels = forms.ChoiceField(label="By", choices=CHANNELS, initial="2", required=False)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for place in range(1, WHOM + 1):
            label = "Whom?" if place == 1 else "And"
            self.fields[f"whom{place}"] = forms.ChoiceField(label=label, choices=choices, required=False)

    @property
    def whom(self) -> list[forms.BoundField]:
        """The fields for whom to call."""
        return [self[f"whom{place}"] for place in range(1, WHOM + 1)]

    def step(self) -> Step | None:
        """What the row says; None for an empty one. Raises ValidationError for somebody without a time."""
        data = self.cleaned_data
        aims = [_aim(data[f"whom{place}"]) for place in range(1, WHOM + 1) if data.get(f"whom{place}")]
        person = data.get("person")
        if isinstance(person, Person):
            aims.append(Aim(Target.PERSON.value, person=str(person.pk)))
        if data.get("after") is None:
            if aims:
                raise ValidationError("Say after how many minutes.")
            return None
        return Step(data["after"], tuple(aims), int(data.get("channels") or 2))


def _aim(choice: str) -> Aim:
    if choice.startswith(SEAT):
        return Aim(Target.SEAT.value, seat=choice.removeprefix(SEAT))
    return Aim(choice)


class PlanForm(forms.Form):
    """A plan: for what it stands, its steps, how often it begins again, and why."""

    use_required_attribute = False
    name = forms.CharField(label="Name", max_length=100, error_messages={"required": "Give the plan a name."})
    scenario = forms.ChoiceField(label="What went wrong?", required=False, choices=[("", "Anything"), *SCENARIOS])
    system = forms.CharField(
        label="For one system", max_length=80, required=False,
        help_text="Its key, such as SYS-0042. Leave both empty for every system.",
    )  # fmt: skip
    unit = forms.ModelChoiceField(Unit.objects.all(), label="Or for one unit", required=False, empty_label="No unit")
    repeat = forms.TypedChoiceField(
        label="If nobody answers, begin again",
        coerce=int,
        initial=1,
        choices=[(n, f"{n} time{'' if n == 1 else 's'}" if n else "Never") for n in range(REPEAT_AT_MOST + 1)],
    )
    try_on = forms.CharField(
        label="Show who that is today for this system", max_length=80, required=False, help_text="Its key."
    )
    reason = forms.CharField(
        label="Why?", max_length=600, help_text="It stands in the trail.", widget=forms.Textarea({"rows": 3}),
        error_messages={"required": "Say why the plan is set."},
    )  # fmt: skip

    def __init__(self, *args: Any, actor: Person, row: EscalationPlan | None = None, **kwargs: Any) -> None:
        self.actor, self.row = actor, row
        super().__init__(*args, **kwargs)
        if row is not None:
            for name in ("scenario", "system", "unit"):
                del self.fields[name]
        choices = target_choices()
        data = args[0] if args else kwargs.get("data")
        first = _rows(row)
        self.rows = [
            StepForm(data, prefix=f"step{n}", choices=choices, initial=first[n] if n < len(first) else {})
            for n in range(_wanted(data, len(first)))
        ]

    def clean_system(self) -> System | None:
        """The system. Raises ValidationError for a key of none that the writer may see."""
        return self._found(self.cleaned_data["system"])

    def clean_try_on(self) -> System | None:
        """As clean_system."""
        return self._found(self.cleaned_data["try_on"])

    def _found(self, key: str) -> System | None:
        if not key.strip():
            return None
        found = visible_systems(self.actor).filter(key__iexact=key.strip()).select_related("unit", "owner").first()
        if found is None:
            raise ValidationError(f"There is no system with the key {key.strip()} that you may see.")
        return found

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for two scopes, and where a row says half of what it needs."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("system") and data.get("unit"):
            self.add_error("system", "Choose one of the two: a system or a unit.")
        steps = []
        for row in self.rows:
            if not row.is_valid():
                self.add_error(None, "Correct the steps that are marked.")
                continue
            try:
                step = row.step()
            except ValidationError as error:
                row.add_error("after", error)
                self.add_error(None, "Correct the steps that are marked.")
                continue
            steps += [step] if step else []
        data["steps"] = tuple(steps)
        return data

    def plan(self) -> Plan:
        """What the form says, once it is valid."""
        data = self.cleaned_data
        return Plan(data["steps"], data["repeat"], data["name"])


def _wanted(data: Any, first: int) -> int:
    """How many rows there are: those that say something, and two more."""
    said = [n + 1 for n in range(STEPS_AT_MOST) if data and data.get(f"step{n}-after", "").strip()]
    posted = [n + 1 for n in range(STEPS_AT_MOST) if data and f"step{n}-after" in data]
    return min(max(max(said, default=0) + 2, max(posted, default=0), first + 2 if not data else 0), STEPS_AT_MOST)


def _rows(row: EscalationPlan | None) -> list[dict[str, Any]]:
    """The rows of a plan that stands, as what the form begins with."""
    if row is None:
        return [{"after": 0, "whom1": Target.LEAD.value, "channels": "2"}]
    return [_initial(step) for step in row.steps]


def _initial(step: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"after": step["after"], "channels": str(step.get("channels", 2))}
    place = 1
    for aim in step["targets"]:
        if aim["kind"] == Target.PERSON:
            person = Person.objects.filter(pk=aim["person"]).first()
            found["person"] = person.email if person else ""
        elif place <= WHOM:
            found[f"whom{place}"] = f"{SEAT}{aim['seat']}" if aim["kind"] == Target.SEAT else aim["kind"]
            place += 1
    return found


class EndPlanForm(forms.Form):
    """Why a plan ends."""

    use_required_attribute = False
    reason = forms.CharField(
        label="Why does it end?", max_length=600, widget=forms.Textarea({"rows": 3}),
        error_messages={"required": "Say why the plan ends."},
    )  # fmt: skip


class AnswerForm(forms.Form):
    """What somebody says to a call by its link."""

    use_required_attribute = False
    answer = forms.ChoiceField(choices=[("take", "I take it"), ("cannot", "I can't")], widget=forms.HiddenInput)
    reason = forms.CharField(label="Why can't you?", max_length=600, required=False, widget=forms.Textarea({"rows": 2}))
