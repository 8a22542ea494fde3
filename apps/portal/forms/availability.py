"""Days on which somebody is away or delegates, and a calendar file."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from apps.people.calendar_file import LARGEST_FILE
from apps.people.models import Absence, Person
from apps.portal.forms.fields import PersonField

_DAY = {"invalid": "Write the date as 2026-12-31."}


def _day(label: str, missing: str) -> forms.DateField:
    return forms.DateField(
        label=label,
        error_messages=_DAY | {"required": missing},
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )


class AbsenceForm(forms.Form):
    """First and last day, and who acts meanwhile where that is not the deputy."""

    use_required_attribute = False

    kind = forms.ChoiceField(
        label="On these days",
        choices=[(Absence.Kind.AWAY.value, "Away"), (Absence.Kind.DELEGATED.value, "Here, but somebody else answers")],
        widget=forms.RadioSelect,
        initial=Absence.Kind.AWAY.value,
    )
    starts_on = _day("First day", "Give the first day.")
    ends_on = _day("Last day", "Give the last day.")

    def __init__(self, *args: Any, person: Person, of: Absence | None = None, **kwargs: Any) -> None:
        if of is not None:
            known = {"kind": of.kind, "starts_on": of.starts_on, "ends_on": of.ends_on, "delegate": of.delegate}
            kwargs["initial"] = known
        super().__init__(*args, **kwargs)
        self.fields["delegate"] = PersonField(
            required=False,
            not_self=person,
            label="Who acts",
            help_text="Email address or exact name. Empty: the deputy, then the line manager.",
        )
        if of is not None:
            del self.fields["kind"]

    def clean(self) -> dict[str, Any]:
        """A delegation names somebody; the last day is not before the first."""
        cleaned = super().clean() or {}
        if cleaned.get("kind") == Absence.Kind.DELEGATED and not cleaned.get("delegate") and not self.errors:
            self.add_error("delegate", "Name the person to whom you delegate.")
        first, last = cleaned.get("starts_on"), cleaned.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", "The last day is not before the first.")
        return cleaned


class CalendarForm(forms.Form):
    """A calendar file."""

    use_required_attribute = False

    file = forms.FileField(
        label="Calendar file",
        help_text="iCalendar (.ics), such as an export of your absences. Only the days are kept.",
        error_messages={
            "required": "Choose a calendar file.",
            "empty": "The file is empty. Export your absences again.",
            "missing": "The file did not arrive. Choose it again.",
        },
        max_length=255,
        widget=forms.ClearableFileInput({"accept": ".ics,text/calendar"}),
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """Refuse a file that is too large before anything reads it."""
        upload: UploadedFile[bytes] = self.cleaned_data["file"]
        if upload.size is not None and upload.size > LARGEST_FILE:
            raise ValidationError(f"The file is larger than {LARGEST_FILE // 1024} KiB. Export only the absences.")
        return upload
