"""Forms of one incident: one for each thing that can be done about it."""

import re
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.common import clock
from apps.common.dates import read_date
from apps.incidents.models import Escalation, Incident
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.rules import SEVERITY_MEANS, SEVERITY_WORDS, Dismissed
from apps.incidents.rules.words import NOT_SURE, SCENARIO_CHOICES, VISIBILITY_WORDS
from apps.people.forms import PersonField
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries import who_answers_systems

LONG = 4000
SHORT = 600
NEXT_UPDATE = {
    "30": "In 30 minutes",
    "60": "In 1 hour",
    "240": "In 4 hours",
    "1440": "Tomorrow",
    "": "None is promised",
}
DUE_IN = {"": "No time", "15": "In 15 minutes", "60": "In 1 hour", "240": "In 4 hours", "1440": "Tomorrow"}
# Four hours at most, as the verb says it.
SNOOZE_FOR = {"30": "30 minutes", "60": "1 hour", "120": "2 hours", "240": "4 hours"}
# A slip of the pen else; and a day at the end of the calendar is none in another time zone.
YEARS = range(2000, 2101)
_TIME = re.compile(r"^(?:(?P<day>.+?)[ ,]+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})$")


def text(label: str, required: str = "", *, hint: str = "", rows: int = 3, length: int = LONG) -> forms.CharField:
    """A field for words; `required` is what is said where there are none."""
    return forms.CharField(
        label=label, help_text=hint, max_length=length, required=bool(required),
        error_messages={"required": required}, widget=forms.Textarea({"rows": rows}),
    )  # fmt: skip


WRITTEN = "Email address or exact name."


def person(label: str) -> PersonField:
    """A field for one person."""
    return PersonField(label=label, help_text=WRITTEN, error_messages={"required": "Choose a person."})


class MomentField(forms.CharField):
    """A time as people write it: 09:14, or 17 Nov 2026, 09:14. In the reader's zone; never ahead."""

    def clean(self, value: Any) -> Any:
        """A moment, or None for nothing. Raises ValidationError for what is no time."""
        said = " ".join(str(super().clean(value)).split())
        if not said:
            return None
        found = _TIME.match(said)
        now = timezone.localtime(clock.now())
        day = read_date(found["day"].rstrip(",")) if found and found["day"] else now.date()
        if found is None or day is None or int(found["hour"]) > 23 or int(found["minute"]) > 59:
            raise ValidationError("Write the time like 09:14, or with its day like 17 Nov 2026, 09:14.")
        if day.year not in YEARS:
            raise ValidationError(f"Give a day of the years {YEARS[0]} to {YEARS[-1]}.")
        at = datetime(day.year, day.month, day.day, int(found["hour"]), int(found["minute"]), tzinfo=now.tzinfo)
        return at - timedelta(days=1) if at > now and not found["day"] else at


class ActForm(forms.Form):
    """Something that somebody does about an incident, as they saw it: with the version of their page."""

    use_required_attribute = False
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, incident: Incident, actor: Person, **kwargs: Any) -> None:
        self.incident, self.actor = incident, actor
        super().__init__(*args, **kwargs)
        self.initial.setdefault("version", incident.version)


class NoteForm(ActForm):
    """What happened, or what was decided."""

    text = text("What happened, or what was decided?", "Say what happened, or what was decided.")
    is_decision = forms.BooleanField(label="This is a decision", required=False)
    at = MomentField(
        label="When it happened", required=False, max_length=40,
        help_text="Like 09:14, or 17 Nov 2026, 09:14. Leave it empty for now.",
    )  # fmt: skip


class CorrectForm(ActForm):
    """What is right instead."""

    text = text("What is right?", "Say what is right.", hint="The line stays as it is. Yours stands beside it.")


class UpdateForm(ActForm):
    """A word to everybody who takes part."""

    text = text(
        "What is known, what is done, what comes next?",
        "Say what is known, what is done, and what comes next.",
        rows=5,
    )
    next_in = forms.ChoiceField(
        label="When does the next one come?", choices=list(NEXT_UPDATE.items()), initial="240", required=False
    )

    def clean_next_in(self) -> timedelta | None:
        """So long from now; None where none is promised."""
        minutes = self.cleaned_data["next_in"]
        return timedelta(minutes=int(minutes)) if minutes else None


class TaskForm(ActForm):
    """One thing that one person does."""

    what = text("What has to be done?", "Say what has to be done.", length=SHORT)
    person = person("Who does it?")
    due_at = forms.ChoiceField(label="By when?", choices=list(DUE_IN.items()), required=False)

    def clean_due_at(self) -> datetime | None:
        """A moment; None where there is no hurry."""
        minutes = self.cleaned_data["due_at"]
        return clock.now() + timedelta(minutes=int(minutes)) if minutes else None


class BringForm(ActForm):
    """Somebody who is needed."""

    person = person("Who is needed?")
    why = text("What for?", "Say what for.", hint="They are told this when they are called.", length=500)


class BehalfForm(ActForm):
    """Who took it, said by somebody else."""

    person = person("Who takes it?")


class SnoozeForm(ActForm):
    """For how long nobody need ask again, and why."""

    minutes = forms.TypedChoiceField(
        label="For how long?", choices=list(SNOOZE_FOR.items()), coerce=int, initial="60",
        error_messages={"required": "Choose for how long."},
    )  # fmt: skip
    reason = text("Why?", "Say why nobody need ask you again until then.", length=SHORT)

    def __init__(self, *args: Any, incident: Incident, actor: Person, **kwargs: Any) -> None:
        super().__init__(*args, incident=incident, actor=actor, **kwargs)
        asked = Escalation.objects.filter(incident=incident).values_list("ack_until", flat=True).first()
        if asked is not None:
            self.fields[
                "minutes"
            ].help_text = f"From now on. As it is, you are asked at {timezone.localtime(asked):%H:%M}."


class DoneForm(ActForm):
    """What came of a task."""

    outcome = text("What came of it? (optional)", length=SHORT, rows=2)


class FileForm(ActForm):
    """A file, and what it shows."""

    file = forms.FileField(label="Which file?", error_messages={"required": "Choose a file."})
    note = text("What does it show? (optional)", length=SHORT, rows=2)


class ReasonForm(ActForm):
    """Why."""

    reason = text("Why?", "Say why.", length=SHORT)


class HandoverForm(ActForm):
    """Who takes over, and what they have to know."""

    person = person("Who takes over?")
    briefing = text(
        "What do they have to know?",
        "Brief them: what is done, what is open, what worries you.",
        hint="What is done, what is open, what worries you.",
        rows=5,
    )


class RelieveForm(ActForm):
    """Who leads instead, and why."""

    person = person("Who leads instead?")
    reason = text("Why does somebody else have to lead?", "Say why somebody else has to lead.", length=SHORT)


class ClassifyForm(ActForm):
    """How bad it is, and why."""

    severity = forms.ChoiceField(
        label="How bad is it?",
        widget=forms.RadioSelect,
        choices=[(one.value, f"{SEVERITY_WORDS[one]}. {means}") for one, means in SEVERITY_MEANS.items()],
        error_messages={"required": "Choose one of the four severities."},
    )
    reason = text("Why?", "Say why.", length=SHORT)


class ContainForm(ActForm):
    """How it was contained."""

    note = text("What was done to contain it?", "Say what was done to contain it.")


class ResolveForm(ActForm):
    """How it was put right."""

    resolution = text("How was it resolved?", "Say how it was resolved.")


class DismissForm(ActForm):
    """Why it was none."""

    because = forms.ChoiceField(
        label="Which kind of none is it?",
        widget=forms.RadioSelect,
        choices=[
            (Dismissed.BENIGN.value, "It happened, and is harmless"),
            (Dismissed.DUPLICATE.value, "It is the same as another. Merging keeps them together"),
            (Dismissed.FALSE_POSITIVE.value, "It did not happen: a false alarm"),
            (Dismissed.ACKNOWLEDGED_BY_USER.value, "It was wanted by whoever it happened to"),
            (Dismissed.OTHER.value, "Something else"),
        ],
        error_messages={"required": "Say which kind of none it is."},
    )
    note = text("Why is it none?", "Say why it is none.", length=SHORT)


class MergeForm(ActForm):
    """Which other incident it is."""

    into = forms.CharField(
        label="Which incident goes on?",
        help_text="Its code, like INC-0042. It has to be open, and real where this one is.",
        max_length=12,
        error_messages={"required": "Give the code of the other incident."},
    )

    def clean_into(self) -> Incident:
        """The other one. Raises ValidationError for a code of none that the reader may see."""
        code = self.cleaned_data["into"].strip().upper()
        found = visible_incidents(self.actor).select_related("system").filter(code=code).first()
        if found is None:
            raise ValidationError(f"There is no incident {code} that you may see.")
        return found


class ChangeForm(ActForm):
    """What it is called, which system it is about, what went wrong, who may see it."""

    title = forms.CharField(label="What happened?", max_length=200, error_messages={"required": "Say what happened."})
    system = forms.CharField(
        label="Which system?",
        help_text="Its key, like SYS-0042. Empty only while nobody knows it.",
        max_length=80,
        required=False,
    )
    scenario = forms.ChoiceField(
        label="What went wrong?",
        required=False,
        choices=[("", NOT_SURE), *((one.value, words) for one, (words, _) in SCENARIO_CHOICES.items())],
    )
    visibility = forms.ChoiceField(
        label="Who may see it?",
        choices=[(one.value, words) for one, words in VISIBILITY_WORDS.items()],
    )

    def __init__(self, *args: Any, incident: Incident, actor: Person, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "title": incident.title,
            "system": incident.system.key if incident.system else "",
            "scenario": incident.scenario,
            "visibility": incident.visibility,
        } | kwargs.get("initial", {})
        super().__init__(*args, incident=incident, actor=actor, **kwargs)

    def clean_system(self) -> System | None:
        """The system. Raises ValidationError for a key of none, and for none where one is known."""
        key, known = self.cleaned_data["system"].strip(), self.incident.system
        if not key and known is not None:
            raise ValidationError(f"It stays about a system. Give the key of the right one; it is {known.key} now.")
        if not key or (known is not None and key == known.key):
            return known
        found = who_answers_systems(self.actor).filter(key__iexact=key).first()
        if found is None:
            raise ValidationError(f"There is no live system with the key {key} that you may see.")
        return found
