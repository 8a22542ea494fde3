"""Taking absences over from a calendar file: all or nothing, the same file twice changes nothing."""

from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Actor, Kind
from apps.common.clock import day_words, zone_named
from apps.common.errors import Refused
from apps.people.actions.absences import absence_facts, add_absence, cancel_rows, locked_person, today_of
from apps.people.actions.people import person_subject
from apps.people.calendar_file import Days, read_calendar
from apps.people.models import Absence, Person


@dataclass
class Taken:
    """What a file did. `vanished` are absences of an earlier file that this one does not have: they stay."""

    added: list[Absence] = field(default_factory=list)
    changed: list[Absence] = field(default_factory=list)
    cancelled: list[Absence] = field(default_factory=list)
    unchanged: int = 0
    vanished: list[Absence] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything was changed."""
        return bool(self.added or self.changed or self.cancelled)


@transaction.atomic
def import_calendar(person: Person, content: bytes, *, actor: Actor, now: datetime) -> Taken:
    """Record the absences of a calendar file (iCalendar), by the UID of each entry.

    Only days are kept, never what an entry is called. An entry that was called off cancels its absence; one that
    is missing is reported and stays. Raises Refused that names the entry or the line; nothing is changed then.
    """
    person = locked_person(person)
    file = read_calendar(content, zone_named(person.time_zone))
    today = today_of(person, now)
    known = {row.uid: row for row in _entries_of(person) if row.ends_on >= today}
    taken = Taken(left_out=dict(file.left_out))
    wanted = [one for one in file.days if one.ends_on >= today or one.uid in known]
    if over := len(file.days) - len(wanted):
        taken.left_out["over already"] = over
    over_now = {one.uid for one in wanted if one.called_off or one.ends_on < today}
    taken.cancelled = [row for uid, row in known.items() if uid in over_now]
    moved = {one.uid: one for one in wanted if one.uid not in over_now and _is_moved(one, known.get(one.uid))}
    entries = cancel_rows(taken.cancelled, now=now)
    cancel_rows([known[uid] for uid in moved if uid in known], now=now)
    for one in moved.values():
        entries.append(_take(person, one, known.get(one.uid), taken, now))
    named = {one.uid for one in file.days}
    taken.unchanged = len(set(known) & named) - len(taken.changed) - len(taken.cancelled)
    taken.vanished = [row for uid, row in known.items() if uid not in named]
    _tell(person, taken, entries, actor, now)
    return taken


def _entries_of(person: Person) -> list[Absence]:
    """What earlier files recorded, locked."""
    rows = Absence.objects.filter(person=person, source=Absence.Source.CALENDAR, cancelled_at=None)
    return list(rows.select_for_update(no_key=True, of=("self",)).select_related("person", "delegate"))


def _is_moved(one: Days, row: Absence | None) -> bool:
    return row is None or (row.starts_on, row.ends_on) != (one.starts_on, one.ends_on)


def _take(person: Person, one: Days, old: Absence | None, taken: Taken, now: datetime) -> Entry:
    """Record one entry, in place of what an earlier file said of it. Raises Refused that names the entry."""
    try:
        new = add_absence(
            person,
            starts_on=one.starts_on,
            ends_on=one.ends_on,
            delegate=old.delegate if old else None,
            kind=Absence.Kind.AWAY,
            source=Absence.Source.CALENDAR,
            uid=one.uid,
            now=now,
        )
    except ValidationError as error:
        days = f"{day_words(one.starts_on)} to {day_words(one.ends_on)}"
        raise Refused(
            f"Entry {one.place} ({days}): {' '.join(error.messages)} Cancel that one, or leave the entry out; "
            "nothing was changed."
        ) from error
    except Refused as error:
        raise Refused(f"Entry {one.place}: {error} Nothing was changed.") from error
    (taken.changed if old else taken.added).append(new)
    subject = person_subject(person)
    if old is None:
        return Entry(Kind.ABSENCE_RECORDED, subject, after=absence_facts(new))
    return Entry(Kind.ABSENCE_CHANGED, subject, before=absence_facts(old), after=absence_facts(new))


def _tell(person: Person, taken: Taken, entries: list[Entry], actor: Actor, now: datetime) -> None:
    """One primary event for the file, one caused by it for each absence; none where nothing changed."""
    if not taken:
        return
    cause = record(
        Kind.ABSENCE_IMPORTED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"added": len(taken.added), "changed": len(taken.changed), "cancelled": len(taken.cancelled)},
    )
    record_many(entries, actor=actor, now=now, cause=cause)
