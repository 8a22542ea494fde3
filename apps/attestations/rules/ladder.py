"""The ladder as data: on which day who hears of what nobody signed, and when mail may leave. No Django here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

WorkingDay = Callable[[date], bool]

# Mail of the ladder leaves from nine to six of the recipient's own day.
QUIET_UNTIL, QUIET_FROM = time(9), time(18)
# A step that nobody could send for so many days is left out: a newer one says more.
OLDEST_STEP = timedelta(days=7)
SNOOZE_DAYS = (1, 2, 3)


class Role(StrEnum):
    """Why somebody hears of an open item. In a digest each item stands once, under the first of these."""

    OWNER = "owner"
    SEATS = "seats"
    HEAD = "head"
    MANAGER = "manager"
    DEPUTY = "deputy"
    ACTING = "acting"


# Days before the due date on which the owner hears, beside once a week before them.
BEFORE = (3, 1, 0)
# Days after it on which each hears.
AFTER: dict[Role, tuple[int, ...]] = {
    Role.OWNER: (1, 2, 3),
    Role.DEPUTY: (1, 2, 3),
    Role.MANAGER: (1,),
    Role.HEAD: (3,),
    Role.SEATS: (5,),
}
# The day on which what is not signed is named in the board report.
BOARD_AFTER = 10
# The rising steps as people see them: the first day of each, and who.
RISE: tuple[tuple[int, str, str], ...] = (
    (0, "Before due date", "Owner"),
    (1, "Day 1", "Line manager"),
    (3, "Day 3", "Function head"),
    (5, "Day 5", "CISO and Head of AI"),
    (BOARD_AFTER, "Day 10", "Named in the board report"),
)


@dataclass(frozen=True)
class Reached:
    """Whether a role hears of an item by a day, and its newest step that is not too old."""

    yet: bool
    step: date | None


def _nominal(role: Role, due: date, opened_on: date) -> Iterator[date]:
    """The days as the rule names them, before weekends and holidays are looked at."""
    if role == Role.OWNER:
        week = due - timedelta(days=7)
        while week > opened_on:
            yield week
            week -= timedelta(days=7)
        yield from (due - timedelta(days=days) for days in BEFORE if days)
    yield from (due + timedelta(days=days) for days in AFTER[role])


def steps_of(role: Role, *, due: date, opened_on: date, is_working_day: WorkingDay) -> list[date]:
    """All days on which a role hears of an item, in order.

    A day without work moves to the next working day; only the warning of the due day itself moves to the one before
    it. Days up to the opening do not count: the opening mail said it.
    """
    days = {moved(day, 1, is_working_day) for day in _nominal(role, due, opened_on)}
    if role == Role.OWNER:
        days.add(moved(due, -1, is_working_day))
    return sorted(day for day in days if day > opened_on)


def moved(day: date, by: int, is_working_day: WorkingDay) -> date:
    """The day itself, or the next working day in that direction."""
    while not is_working_day(day):
        day += timedelta(days=by)
    return day


def reached(steps: list[date], today: date) -> Reached:
    """How far these steps have come. Only the newest counts: days without a sweep are not made up for."""
    newest = max((day for day in steps if day <= today), default=None)
    if newest is None:
        return Reached(False, None)
    return Reached(True, newest if today - newest <= OLDEST_STEP else None)


def is_office_time(now: datetime, zone: ZoneInfo, is_working_day: WorkingDay) -> bool:
    """Whether mail may leave: a working day, from nine to six where the person is."""
    here = now.astimezone(zone)
    return QUIET_UNTIL <= here.time() < QUIET_FROM and is_working_day(here.date())


def next_office_time(now: datetime, zone: ZoneInfo, is_working_day: WorkingDay) -> datetime:
    """Now, or the morning of the next day on which mail may leave. By the wall clock, also over a change of it."""
    if is_office_time(now, zone, is_working_day):
        return now
    here = now.astimezone(zone)
    day = here.date() if here.time() < QUIET_UNTIL else here.date() + timedelta(days=1)
    return datetime.combine(moved(day, 1, is_working_day), QUIET_UNTIL, zone)


def due_words(due: date, today: date) -> str:
    """How an item stands: "by 30 Nov 2026", "today", "3 days overdue since 27 Nov 2026"."""
    days, written = (today - due).days, f"{due.day} {due:%b %Y}"
    if days > 0:
        return f"{days} day{'' if days == 1 else 's'} overdue, was due {written}"
    return {0: f"today, {written}", -1: f"tomorrow, {written}"}.get(days, f"by {written}")


CONSEQUENCES = {
    "readiness": "The readiness of such a system falls: it does not count as reviewed.",
    "permission": (
        "The readiness of such a system falls: it does not count as reviewed. "
        "Where its permission to run is enforced, that lapses until it is attested."
    ),
}
