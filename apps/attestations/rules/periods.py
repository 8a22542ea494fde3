"""Periods, and the dates of a campaign. No Django here."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

# A campaign opens, and reminders leave, from this hour of the organisation's day.
OFFICE_HOUR = 9
HIGH_EARLIER = timedelta(days=7)
CRITICAL_EARLIER = timedelta(days=14)

# The key of the template that every portal begins with, and of the one that asks when something changes.
QUARTERLY = "quarterly"
CHANGES = "changes"

# Working days to answer after a change.
EVENT_DAYS = 10

WorkingDay = Callable[[date], bool]

# 2026Q4, 2026-11, 2026H2, 2026.
PERIOD_PATTERN = r"^\d{4}(Q[1-4]|H[12]|-(0[1-9]|1[0-2]))?$"
PERIOD = re.compile(r"(\d{4})(?:(Q)([1-4])|(H)([12])|(-)(0[1-9]|1[0-2]))?")
_ORDINALS = ("first", "second", "third", "fourth")
# How many months a period of each cadence has. What comes when something changes is kept by quarters.
MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
_CADENCES = {"Q": "quarter", "H": "half_year", "-": "month"}


def cadence_of(name: str) -> str:
    """The cadence whose periods a template's campaigns have: those of changes come in quarters."""
    return "quarter" if name == "event" else name


@dataclass(frozen=True, order=True)
class Period:
    """A month, quarter, half-year or year, written 2026-11, 2026Q4, 2026H2 or 2026."""

    year: int
    number: int
    cadence: str = "quarter"

    @classmethod
    def parse(cls, text: str, cadence: str = "") -> "Period":
        """Read "2026Q4", "2026-11", "2026H2" or "2026". Raises ValueError with a sentence for anything else.

        With a cadence only a period of that cadence is taken.
        """
        found = PERIOD.fullmatch(text.strip())
        kind = cadence or "quarter"
        if found is None or int(found[1]) < 2000:
            raise ValueError(f"{text!r} is no {_NAMES[kind]}. Write it like {_EXAMPLES[kind]}.")
        mark = found[2] or found[4] or found[6] or ""
        number = int(found[3] or found[5] or found[7] or 1)
        period = cls(int(found[1]), number, _CADENCES.get(mark, "year"))
        if cadence and period.cadence != cadence:
            raise ValueError(f"{text!r} is no {_NAMES[kind]}. Write it like {_EXAMPLES[kind]}.")
        return period

    @classmethod
    def of(cls, day: date, cadence: str = "quarter") -> "Period":
        """The period that a day is in."""
        return cls(day.year, (day.month - 1) // MONTHS[cadence] + 1, cadence)

    def next(self) -> "Period":
        """The period after this one."""
        return Period.of(self.last_day + timedelta(days=1), self.cadence)

    def previous(self) -> "Period":
        """The period before this one."""
        return Period.of(self.first_day - timedelta(days=1), self.cadence)

    @property
    def months(self) -> int:
        return MONTHS[self.cadence]

    def month(self, number: int) -> int:
        """The calendar month of the period's first, second, third month; the last one where it has fewer."""
        return (self.number - 1) * self.months + min(number, self.months)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month(1), 1)

    @property
    def last_day(self) -> date:
        month = self.month(self.months)
        return date(self.year, month, calendar.monthrange(self.year, month)[1])

    def __str__(self) -> str:
        mark = {"quarter": f"Q{self.number}", "half_year": f"H{self.number}", "month": f"-{self.number:02}"}
        return f"{self.year}{mark.get(self.cadence, '')}"

    @property
    def label(self) -> str:
        """Q4 2026, H2 2026, Nov 2026, 2026."""
        names = {
            "quarter": f"Q{self.number} ",
            "half_year": f"H{self.number} ",
            "month": f"{calendar.month_abbr[self.number] if self.cadence == 'month' else ''} ",
        }
        return f"{names.get(self.cadence, '')}{self.year}"

    @property
    def short(self) -> str:
        """The label without the year where a mark says enough: Q4, H2, Nov, 2026."""
        return self.label.removesuffix(f" {self.year}")

    @property
    def words(self) -> str:
        """For a sentence after "the": fourth quarter 2026, second half of 2026, month of November 2026, year 2026."""
        if self.cadence == "month":
            return f"month of {calendar.month_name[self.number]} {self.year}"
        if self.cadence == "year":
            return f"year {self.year}"
        ordinal = _ORDINALS[self.number - 1]
        return f"{ordinal} quarter {self.year}" if self.cadence == "quarter" else f"{ordinal} half of {self.year}"


_NAMES = {"month": "month", "quarter": "quarter", "half_year": "half-year", "year": "year"}
_EXAMPLES = {"month": "2026-11", "quarter": "2026Q4", "half_year": "2026H2", "year": "2026"}


@dataclass(frozen=True)
class Schedule:
    """The local dates of one campaign."""

    opens_on: date
    due_critical_on: date
    due_high_on: date
    due_on: date
    closes_on: date

    def due_for(self, tier: str) -> date:
        """The due date of a tier: the graver the tier, the earlier."""
        return {"critical": self.due_critical_on, "high": self.due_high_on}.get(tier, self.due_on)


def schedule(due_on: date, *, opens_before: int, closes_after: int, is_working_day: WorkingDay) -> Schedule:
    """All dates of a campaign from its due date. No due date lies before the opening."""
    opens_on = due_on - timedelta(days=opens_before)
    return Schedule(
        opens_on=opens_on,
        due_critical_on=max(opens_on, moved_back(due_on - CRITICAL_EARLIER, is_working_day)),
        due_high_on=max(opens_on, moved_back(due_on - HIGH_EARLIER, is_working_day)),
        due_on=due_on,
        closes_on=due_on + timedelta(days=closes_after),
    )


def moved_back(day: date, is_working_day: WorkingDay) -> date:
    """The day itself, or the last working day before it."""
    while not is_working_day(day):
        day -= timedelta(days=1)
    return day
