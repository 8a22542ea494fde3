"""Reading absences out of a calendar file (RFC 5545): days and identifiers only, never what an entry is called."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from apps.common.errors import Refused

LARGEST_FILE = 512 * 1024
MOST_ENTRIES = 1000
LONGEST_UID = 255
# A timed entry that is shorter is a meeting, not an absence.
SHORTEST = timedelta(hours=4)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
_CONTENT_LINE = re.compile(rb"[A-Za-z0-9-]+[;:]")


@dataclass(frozen=True)
class Days:
    """One entry of the file: which days, under which identifier; `place` counts the entries from 1."""

    place: int
    uid: str
    starts_on: date
    ends_on: date
    called_off: bool = False


@dataclass(frozen=True)
class CalendarFile:
    """What a file says: entries that are absences, and how many were left out, by reason."""

    days: list[Days]
    left_out: dict[str, int] = field(default_factory=dict)


def read_calendar(content: bytes, zone: ZoneInfo) -> CalendarFile:
    """The absences in a file, timed ones by the clock of a zone. Raises Refused that names the entry or line."""
    if len(content) > LARGEST_FILE:
        raise Refused(f"The file is larger than {LARGEST_FILE // 1024} KiB. Export only the absences.")
    events = [entry for entry in _calendar(content).walk("VEVENT") if isinstance(entry, Event)]
    if len(events) > MOST_ENTRIES:
        raise Refused(f"The file has {len(events)} entries; {MOST_ENTRIES} fit. Export only the absences.")
    days: list[Days] = []
    left_out: dict[str, int] = {}
    for place, event in enumerate(events, 1):
        why = _why_left_out(event)
        found = None if why else _days(event, place, zone)
        if found is None:
            left_out[why or "shorter than half a day"] = left_out.get(why or "shorter than half a day", 0) + 1
        else:
            days.append(found)
    _refuse_clashes(days)
    return CalendarFile(days, left_out)


def _calendar(content: bytes) -> Calendar:
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        return Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        place = _bad_line(content)
        where = f"Line {place} is no line of a calendar file. " if place else ""
        raise Refused(
            f"{where}The file can't be read as iCalendar (.ics). Export it again from your calendar; "
            "nothing was changed."
        ) from error


def _bad_line(content: bytes) -> int:
    """The number of the first line that no calendar file has; 0 where each looks like one."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if line and line[:1] not in b" \t" and not _CONTENT_LINE.match(line):
            return number
    return 0


def _why_left_out(event: Event) -> str:
    """Entries that say of themselves that somebody is there."""
    return "shown as free" if str(event.get("TRANSP", "")).upper() == "TRANSPARENT" else ""


def _days(event: Event, place: int, zone: ZoneInfo) -> Days | None:
    """The local days of an entry; None for a short one. Raises Refused for one that can't be understood."""
    uid = str(event.get("UID", "")).strip()
    if not uid or len(uid) > LONGEST_UID or "\0" in uid:
        raise Refused(f"Entry {place} has no usable UID. Export the calendar again; nothing was changed.")
    if any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID")):
        raise Refused(
            f"Entry {place} repeats. Give each absence as an entry of its own, with its first and last day; "
            "nothing was changed."
        )
    begins, ends = _bounds(event, place)
    called_off = str(event.get("STATUS", "")).upper() == "CANCELLED"
    if isinstance(begins, datetime) and isinstance(ends, datetime):
        if ends - begins < SHORTEST:
            return None
        first, last = _local(begins, zone), _local(ends, zone)
        starts_on, ends_on = first.date(), last.date()
        if last.time() == time() and ends_on > starts_on:  # until midnight: the day before is the last one
            ends_on -= timedelta(days=1)
    else:
        starts_on, ends_on = begins, ends - timedelta(days=1)  # DTEND is not part of it (RFC 5545, 3.6.1)
    return Days(place, uid, starts_on, ends_on, called_off)


def _bounds(event: Event, place: int) -> tuple[Any, Any]:
    """Begin and end as the entry gives them: two dates, or two moments with or without a zone."""
    remedy = "Correct it in your calendar and export again; nothing was changed."
    begins: Any = _moment(event, "DTSTART")
    if begins is None:
        raise Refused(f"Entry {place} has no first day that can be read. {remedy}")
    timed = isinstance(begins, datetime)
    ends: Any = _moment(event, "DTEND")
    if ends is None and "DTEND" in event:
        raise Refused(f"Entry {place} has no last day that can be read. {remedy}")
    if ends is None:
        length = _length(event)
        ends = begins + (length if length is not None else timedelta(0 if timed else 1))
    if isinstance(ends, datetime) != timed or (timed and (begins.tzinfo is None) != (ends.tzinfo is None)):
        raise Refused(f"Entry {place} mixes whole days with hours. {remedy}")
    if ends < begins or (not timed and ends == begins):
        raise Refused(f"Entry {place} ends before it begins. {remedy}")
    for moment in (begins, ends):
        if not FIRST_DAY <= (moment.date() if timed else moment) <= LAST_DAY:
            raise Refused(f"Entry {place} lies outside the years {FIRST_DAY.year} to {LAST_DAY.year}. {remedy}")
    return begins, ends


def _moment(event: Event, name: str) -> date | datetime | None:
    try:
        value = event.decoded(name)
    except (KeyError, ValueError, TypeError):
        return None
    return value if isinstance(value, date) else None


def _length(event: Event) -> timedelta | None:
    try:
        value = event.decoded("DURATION")
    except (KeyError, ValueError, TypeError):
        return None
    return value if isinstance(value, timedelta) and timedelta(0) < value < timedelta(days=4000) else None


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """A moment by the clock of a zone; one without a zone of its own is local already."""
    return moment.astimezone(zone) if moment.tzinfo else moment


def _refuse_clashes(days: list[Days]) -> None:
    """One identifier is one entry, and no day is in two entries."""
    seen: dict[str, int] = {}
    for one in days:
        if one.uid in seen:
            raise Refused(f"Entries {seen[one.uid]} and {one.place} have the same UID. Leave one out.")
        seen[one.uid] = one.place
    kept = sorted((one for one in days if not one.called_off), key=lambda one: one.starts_on)
    for before, after in pairwise(kept):
        if after.starts_on <= before.ends_on:
            raise Refused(
                f"Entries {before.place} and {after.place} share days. Join them, or leave one out; "
                "nothing was changed."
            )
