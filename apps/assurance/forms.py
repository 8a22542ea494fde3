"""What a reader asks the trail for."""

import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from apps.assurance.rules import GROUP_WORDS, SUBJECT_WORDS, Group, kinds_of
from apps.audit.queries import Filters
from apps.people.models import Person
from apps.registry.queries import visible_systems

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
# Names of the filters in the order of their chips.
NAMES = ("q", "who", "person", "kind", "about", "system", "since", "until")


class _DayField(forms.DateField):
    widget = forms.DateInput(attrs={"type": "date"})
    default_error_messages = {"invalid": "Choose a day that exists, like 17 Nov 2026."}

    def validate(self, value: date | None) -> None:
        super().validate(value)
        if value is not None and not FIRST_DAY <= value <= LAST_DAY:
            raise forms.ValidationError("Give a day between 1 Jan 2000 and 31 Dec 2199.")


class TrailForm(forms.Form):
    """The filters of the trail; days are days in the reader's time zone, and the last day is meant whole."""

    q = forms.CharField(label="Person, system or reason", max_length=200, required=False)
    who = forms.CharField(label="Who acted", max_length=200, required=False)
    person = forms.UUIDField(widget=forms.HiddenInput, required=False)
    kind = forms.ChoiceField(
        label="What happened",
        choices=[("", "Anything"), *((g.value, w) for g, w in GROUP_WORDS.items())],
        required=False,
    )
    about = forms.ChoiceField(label="About", choices=[("", "Anything"), *SUBJECT_WORDS.items()], required=False)
    system = forms.CharField(label="System key", max_length=80, required=False)
    since = _DayField(label="From", required=False)
    until = _DayField(label="To", required=False)

    def __init__(self, *args: Any, reader: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader

    def clean_system(self) -> str:
        """The id of a system that the reader can see."""
        key: str = self.cleaned_data["system"].strip()
        if not key:
            return ""
        found = visible_systems(self.reader).filter(key=key).values_list("pk", flat=True).first()
        if found is None:
            raise forms.ValidationError(f"There is no system with the key {key}. Look it up in Systems.")
        return str(found)

    def clean(self) -> dict[str, Any]:
        """Refuse a time that ends before it begins."""
        values: dict[str, Any] = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since and until and until < since:
            self.add_error("until", "The last day is before the first. Turn them around.")
        return values

    def filters(self) -> Filters:
        """What was asked, once the form is valid."""
        values = self.cleaned_data
        person: uuid.UUID | None = values["person"]
        system: str = values["system"]
        until: date | None = values["until"]
        return Filters(
            actor=f"u:{person}" if person else "",
            actor_named=values["who"],
            kinds=kinds_of(Group(values["kind"])) if values["kind"] else (),
            subject_kind="system" if system else values["about"],
            subject_id=system,
            since=_start_of(values["since"]) if values["since"] else None,
            until=_start_of(until + timedelta(days=1)) if until else None,
            text=values["q"],
        )


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone())
