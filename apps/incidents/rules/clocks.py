"""What the law says about time: when a deadline ends, when to remind, whether a rule can run at all. No Django here.

Sources: Regulation (EEC, Euratom) No 1182/71 Art. 3 for periods of EU law in days and months; Delegated Regulation
(EU) 2025/301 Art. 5 for DORA; General Instruction B.1 of Form 8-K and Regulation S-T Rule 13(a)(2) for the SEC. Where
a source leaves two readings, the earlier one is counted, and the words say so.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays

# Calendars of a rule: what is no working day, and whose clock ends the day.
STRAIGHT = ""  # a period in days runs through weekends; a period in business days leaves out weekends alone
EU_DAYS = "EU"  # Regulation 1182/71: an end on a weekend moves to the next working day
ORGANISATION = "org"  # public holidays of the organisation's country, and the same move
SEC = "US-SEC"  # federal holidays; EDGAR takes a filing as of the day until 17:30 in New York
US = "US"
CALENDAR_WORDS = {
    STRAIGHT: "Straight: every day counts; business days leave out weekends alone",
    EU_DAYS: "Regulation 1182/71: an end on a weekend moves to the next working day",
    ORGANISATION: "Weekends and public holidays of the organisation's country",
    US: "Weekends and US federal holidays",
    SEC: "Weekends and US federal holidays, until 17:30 in New York (EDGAR)",
    "GB": "Weekends and bank holidays of the United Kingdom",
}
RUNS = ("in_force", "contested")
# Nothing is alerted after the last one: the deadline itself.
HALF, THREE_QUARTERS, NINE_TENTHS, LAST_HOUR, MISSED = 50, 75, 90, 99, 100
ALERT_WORDS = {
    HALF: "half of the time is over",
    THREE_QUARTERS: "three quarters of the time are over",
    NINE_TENTHS: "nine tenths of the time are over",
    LAST_HOUR: "one hour is left",
    MISSED: "the deadline has passed",
}
ASSESS_WITHIN = timedelta(hours=24)
_UNIT_HOURS = {"h": 1, "cal_day": 24, "bus_day": 24, "month": 28 * 24}
_UNIT_WORDS = {
    "h": ("hour", "hours"), "cal_day": ("day", "days"), "bus_day": ("business day", "business days"),
    "month": ("month", "months"),
}  # fmt: skip


@dataclass(frozen=True)
class Term:
    """What a rule says about time; `cap` is a second limit, whichever ends first."""

    anchor: str
    amount: int | None
    unit: str
    cap_anchor: str = ""
    cap_amount: int | None = None
    cap_unit: str = ""
    calendar: str = STRAIGHT
    rolls_to_noon: bool = False

    @property
    def words(self) -> str:
        """72 hours; 4 hours and at most 24 hours; empty where the law gives no number."""
        if self.amount is None:
            return ""
        cap = f", at most {amount_words(self.cap_amount, self.cap_unit)}" if self.cap_amount else ""
        return f"{amount_words(self.amount, self.unit)}{cap}"


@dataclass(frozen=True)
class Deadline:
    """When it ends, and how that was worked out."""

    at: datetime
    words: str


@dataclass(frozen=True)
class Where:
    """Where the organisation is: its zone ends its days, its country has the public holidays."""

    zone: ZoneInfo
    country: str = ""


def amount_words(amount: int | None, unit: str) -> str:
    """An amount of time as people say it; empty where there is none."""
    if amount is None or unit not in _UNIT_WORDS:
        return ""
    one, many = _UNIT_WORDS[unit]
    return f"{amount} {one if amount == 1 else many}"


def due_at(term: Term, anchors: Mapping[str, datetime], where: Where) -> Deadline | None:
    """When a term ends, from the moments at which its triggers came true.

    None where its own trigger has no moment, and where the law gives no amount: neither is ever guessed. With a cap,
    whichever ends first; a trigger that comes true only after the cap is over has its own time (Delegated Regulation
    (EU) 2025/301 Art. 5(2): classified later than 24 hours after awareness, 4 hours from classifying).
    """
    start = anchors.get(term.anchor)
    if start is None or term.amount is None:
        return None
    first = _end(start, term.amount, term.unit, term, where)
    capped_from = anchors.get(term.cap_anchor) if term.cap_anchor else None
    if capped_from is None or term.cap_amount is None:
        return first
    cap = _end(capped_from, term.cap_amount, term.cap_unit, term, where)
    limit = f"{amount_words(term.cap_amount, term.cap_unit)} from {_said(capped_from, where.zone)}"
    if start > cap.at:
        return Deadline(first.at, f"{first.words} The limit of {limit} was over before, so it does not count.")
    if cap.at < first.at:
        return Deadline(cap.at, f"{cap.words} It ends before {amount_words(term.amount, term.unit)} do.")
    return Deadline(first.at, f"{first.words} It ends before the limit of {limit}.")


def _end(start: datetime, amount: int, unit: str, term: Term, where: Where) -> Deadline:
    if unit == "h":
        # Regulation 1182/71 Art. 3(1) would leave out the hour of the event: the strict reading does not.
        return Deadline(
            start.astimezone(UTC) + timedelta(hours=amount),
            f"{amount} h from {_said(start, where.zone)}, straight hours: weekends and holidays count.",
        )
    days = _Days(term.calendar, where)
    day = start.astimezone(days.zone).date()
    if unit == "bus_day":
        return _business(day, amount, days)
    last = day + timedelta(days=amount) if unit == "cal_day" else _months_after(day, amount)
    said = f"The end of {amount_words(amount, unit)} after {_day(day)}, which is not counted: {_day(last)}."
    return _rolled(last, said, days, to_noon=term.rolls_to_noon)


def _business(day: date, amount: int, days: "_Days") -> Deadline:
    """The day of the event is day 0; one on a weekend or holiday counts from the next business day, as day 1."""
    last, skipped = day, []
    while amount > 0:
        last += timedelta(days=1)
        if days.works(last):
            amount -= 1
        elif days.holiday(last) and last.weekday() < 5:
            skipped.append(f"{_day(last)} ({days.holiday(last)})")
    counted = (last - day).days
    left_out = f"weekends and {', '.join(skipped)} left out" if skipped else "weekends left out"
    label = "" if days.knows_holidays else " No public holidays are known to this rule: weekdays alone are counted."
    end = days.end_of(last)
    said = f"Business days after {_day(day)}, {counted} days on, {left_out}: {_said(end, days.zone)}.{label}"
    return Deadline(end, said)


def _rolled(last: date, said: str, days: "_Days", *, to_noon: bool) -> Deadline:
    if days.calendar == STRAIGHT or days.works(last):
        return Deadline(days.end_of(last), said)
    working = last
    while not days.works(working):
        working += timedelta(days=1)
    why = days.holiday(last) or f"{last:%A}"
    if to_noon:
        # Delegated Regulation (EU) 2025/301 Art. 5(4).
        noon = datetime.combine(working, time(12), days.zone).astimezone(UTC)
        return Deadline(noon, f"{said} That is no working day ({why}): noon of {_day(working)}.")
    moved = "Regulation 1182/71 Art. 3(4)" if days.calendar == EU_DAYS else "its calendar"
    words = f"{said} That is no working day ({why}): {moved} moves it to {_day(working)}."
    return Deadline(days.end_of(working), words)


class _Days:
    """Working days and their end, as a rule's calendar has them."""

    def __init__(self, calendar: str, where: Where) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo("America/New_York") if calendar == SEC else where.zone
        self.ends = time(17, 30) if calendar == SEC else time(23, 59, 59)
        country = {ORGANISATION: where.country, SEC: "US", EU_DAYS: "", STRAIGHT: ""}.get(calendar, calendar)
        self.knows_holidays = bool(country)
        self._known = holidays.country_holidays(country) if country else {}

    def holiday(self, day: date) -> str:
        """The name of a public holiday; empty for another day."""
        return str(self._known.get(day) or "")

    def works(self, day: date) -> bool:
        """Monday to Friday, and no public holiday that the calendar knows."""
        return day.weekday() < 5 and not self.holiday(day)

    def end_of(self, day: date) -> datetime:
        """The last second that counts as this day."""
        return datetime.combine(day, self.ends, self.zone).astimezone(UTC)


def _months_after(day: date, months: int) -> date:
    """The same day so many months on; the month's last day where it has no such day (Reg. 1182/71 Art. 3(2)(c))."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _said(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %H:%M %Z}"


def can_run(status: str, valid_from: date | None, valid_to: date | None, day: date) -> bool:
    """Whether a rule is law on a day: proposed, enacted, repealed, begun later and ended before never run."""
    return status in RUNS and (valid_from is None or valid_from <= day) and (valid_to is None or day <= valid_to)


def may_matter(
    scenarios: Iterable[str], classes: Iterable[str], scenario: str = "", regulatory_class: str = ""
) -> bool:
    """Whether a rule is worth a look for what happened. What is not known excludes nothing."""
    wanted, kinds = set(scenarios), set(classes)
    fits = not wanted or not scenario or scenario in wanted
    return fits and (not kinds or regulatory_class in ("", "unknown") or regulatory_class in kinds)


def assess_within(term: Term) -> timedelta:
    """How soon somebody has to say whether a rule applies: a day, or a quarter of its shortest limit."""
    limits = [(term.amount, term.unit), (term.cap_amount, term.cap_unit)]
    hours = [amount * _UNIT_HOURS[unit] for amount, unit in limits if amount is not None and unit in _UNIT_HOURS]
    return min([ASSESS_WITHIN, *(timedelta(hours=found) / 4 for found in hours)])


def span_words(span: timedelta) -> str:
    """A length of time in large letters: 15 days, 71 h 05 min, 3 min."""
    minutes = int(abs(span).total_seconds() // 60)
    if minutes >= 96 * 60:
        return f"{minutes // 1440} days"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def share_over(anchor_at: datetime, due: datetime, now: datetime) -> int:
    """How much of the time is over, in percent between 0 and 100."""
    whole = (due - anchor_at).total_seconds()
    return 100 if whole <= 0 else max(0, min(100, round((now - anchor_at).total_seconds() * 100 / whole)))
