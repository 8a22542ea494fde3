"""Pure decisions of findings: dates, the ladder, what a risk may be accepted for. No Django here."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from apps.common.dates import day_words
from apps.registry.rules.breaches import Severity

# Working days from the raising to the due date.
DUE_WITHIN: dict[Severity, int] = {Severity.CRITICAL: 2, Severity.HIGH: 5, Severity.MEDIUM: 10, Severity.LOW: 20}
# A risk is accepted for so many months at most; then it is decided again.
ACCEPTED_FOR: dict[Severity, int] = {Severity.CRITICAL: 3, Severity.HIGH: 3, Severity.MEDIUM: 6, Severity.LOW: 12}
SEVERITIES = tuple(Severity)
SEVERITY_WORDS = {severity: severity.value.capitalize() for severity in SEVERITIES}
# Whose acceptance a critical or high risk needs: the A of this domain in the scope's matrix.
RESIDUAL_RISK = "residual-risk"
GRAVE = frozenset({Severity.CRITICAL, Severity.HIGH})
# A finding that a person reports has this check.
REPORTED = "reported"
# A mail names this many findings; the list has the rest.
LIST_FIRST = 20


class Step(StrEnum):
    """Who hears of an overdue finding, in order."""

    PERSON = "person"
    MANAGER = "manager"
    HEAD = "head"
    MANDATE = "mandate"
    BOARD = "board"


# Days after the due date -> who hears. The number of a step is its place here, from 1; 0 is nobody yet.
LADDER: tuple[tuple[int, Step], ...] = (
    (0, Step.PERSON),
    (1, Step.MANAGER),
    (3, Step.HEAD),
    (5, Step.MANDATE),
    (10, Step.BOARD),
)
BOARD_AFTER = LADDER[-1][0]


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or that month's last day where it has no such day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def accepted_until_at_most(severity: str, today: date) -> date:
    """The last day for which a risk of this severity can be accepted today."""
    return months_later(today, ACCEPTED_FOR[Severity(severity)])


def rank(severity: str) -> int:
    """0 for critical, 3 for low."""
    return SEVERITIES.index(Severity(severity))


@dataclass(frozen=True)
class Swept:
    """What one sweep did. `failed` names the sources that could not be read: their findings stay as they are."""

    raised: int = 0
    changed: int = 0
    closed: int = 0
    reopened: int = 0
    failed: tuple[str, ...] = ()

    @property
    def did_something(self) -> bool:
        return bool(self.raised or self.changed or self.closed or self.reopened)


def overdue_words(due_on: date, today: date) -> str:
    """ "4 days overdue", "due today", "due 20 Nov 2026"."""
    days = (today - due_on).days
    if days > 0:
        return f"{days} day{'' if days == 1 else 's'} overdue"
    if days > -2:
        return "due today" if days == 0 else "due tomorrow"
    return f"due {day_words(due_on)}"
