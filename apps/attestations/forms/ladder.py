"""The form of putting one's reminders off."""

from datetime import date, timedelta
from typing import Any

from django import forms

from apps.attestations.rules.ladder import SNOOZE_DAYS
from apps.common.clock import day_words
from apps.common.fields import field_of


class SnoozeForm(forms.Form):
    """For how many days."""

    days = forms.TypedChoiceField(
        label="For how long?",
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose for how long.",
            "invalid_choice": "Choose 1, 2 or 3 days.",
        },
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field_of(self, "days", forms.ChoiceField).choices = [
            (days, f"{days} day{'' if days == 1 else 's'}, until the end of {day_words(today + timedelta(days=days))}")
            for days in SNOOZE_DAYS
        ]
