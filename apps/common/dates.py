"""Days as people write and read them. No Django here."""

import time
from datetime import date

_FORMATS = ("%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%d.%m.%Y")


def day_words(day: date) -> str:
    """A date as people write it here: 17 Nov 2026."""
    return f"{day.day} {day:%b %Y}"


def read_date(text: str) -> date | None:
    """A date as people write it: 11 Dec 2026, 11 December 2026, 11.12.2026 or 2026-12-11."""
    for form in _FORMATS:
        try:
            return date(*time.strptime(" ".join(text.split()), form)[:3])
        except ValueError:
            continue
    return None
