"""Absences out of a calendar file: all or nothing, the same file twice changes nothing, no title is kept."""

from datetime import date, timedelta

import pytest
from django.db import connection

from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.people.actions.calendars import Taken
from apps.people.models import Absence, Person
from apps.registry import actions as registry
from apps.registry.queries import visible_systems
from tests.cast import Cast
from tests.factories import NOW, a_system

TODAY = NOW.date()
PRIVATE = "Knee operation"


def entry(uid: str, *lines: str, days: tuple[str, str] | None = None) -> str:
    """One entry of a calendar, as a calendar program writes it."""
    dates = [f"DTSTART;VALUE=DATE:{days[0]}", f"DTEND;VALUE=DATE:{days[1]}"] if days else []
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{PRIVATE}", *dates, *lines, "END:VEVENT"])


def calendar(*entries: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", *entries, "END:VCALENDAR", ""]).encode()


def take(cast: Cast, content: bytes, days: int = 0) -> Taken:
    return registry.import_calendar(cast.ada, content, actor=cast.ada, now=NOW + timedelta(days=days))


def in_force() -> list[tuple[str, date, date]]:
    rows = Absence.objects.filter(cancelled_at=None).order_by("starts_on")
    return [(row.uid, row.starts_on, row.ends_on) for row in rows]


SKIING = entry("ski@x", days=("20261214", "20261219"))


def test_whole_days_end_the_day_before(cast: Cast) -> None:
    taken = take(cast, calendar(SKIING))
    assert in_force() == [("ski@x", date(2026, 12, 14), date(2026, 12, 18))]
    assert [row.source for row in taken.added] == ["calendar"]


def test_the_title_is_kept_nowhere(cast: Cast) -> None:
    take(cast, calendar(SKIING))
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE %s', [f"%{PRIVATE}%"])
            assert cursor.fetchone() == (0,), table


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # A working day of eight hours, in UTC; Ada's zone is UTC unless set.
        (("DTSTART:20261201T080000Z", "DTEND:20261201T160000Z"), (1, 1)),
        (("DTSTART:20261201T080000Z", "DTEND:20261204T160000Z"), (1, 4)),
        (("DTSTART:20261201T000000", "DTEND:20261203T000000"), (1, 2)),  # floating, until midnight
        (("DTSTART;TZID=Asia/Tokyo:20261202T060000", "DTEND;TZID=Asia/Tokyo:20261202T200000"), (1, 2)),
        (("DTSTART;VALUE=DATE:20261201",), (1, 1)),
        (("DTSTART;VALUE=DATE:20261201", "DURATION:P2D"), (1, 2)),
        (("DTSTART:20261201T220000Z", "DURATION:PT8H"), (1, 2)),
    ],
)
def test_kinds_of_time(cast: Cast, lines: tuple[str, ...], expected: tuple[int, int]) -> None:
    take(cast, calendar(entry("a", *lines)))
    assert in_force() == [("a", date(2026, 12, expected[0]), date(2026, 12, expected[1]))]


def test_hours_are_those_of_the_person(cast: Cast) -> None:
    Person.objects.filter(pk=cast.ada.pk).update(time_zone="America/Los_Angeles")
    take(cast, calendar(entry("a", "DTSTART:20261202T020000Z", "DTEND:20261202T060000Z")))
    assert in_force() == [("a", date(2026, 12, 1), date(2026, 12, 1))]


def test_meetings_free_time_and_the_past_are_left_out_and_counted(cast: Cast) -> None:
    taken = take(
        cast,
        calendar(
            entry("m", "DTSTART:20261201T080000Z", "DTEND:20261201T090000Z"),
            entry("f", "TRANSP:TRANSPARENT", days=("20261207", "20261208")),
            entry("p", days=("20261101", "20261103")),
            SKIING,
        ),
    )
    assert taken.left_out == {"shorter than half a day": 1, "shown as free": 1, "over already": 1}
    assert [uid for uid, _, _ in in_force()] == ["ski@x"]


def test_the_same_file_twice_changes_nothing(cast: Cast) -> None:
    take(cast, calendar(SKIING))
    before = (list(Absence.objects.values()), AuditEvent.objects.count())
    taken = take(cast, calendar(SKIING), days=1)
    assert (bool(taken), taken.unchanged) == (False, 1)
    assert (list(Absence.objects.values()), AuditEvent.objects.count()) == before


def test_changed_called_off_and_vanished_entries(cast: Cast) -> None:
    take(cast, calendar(SKIING, entry("b", days=("20270104", "20270105")), entry("c", days=("20270201", "20270203"))))
    moved = entry("ski@x", days=("20261215", "20261219"))
    called_off = entry("b", "STATUS:CANCELLED", days=("20270104", "20270105"))
    taken = take(cast, calendar(moved, called_off))
    assert ([row.uid for row in taken.changed], [row.uid for row in taken.cancelled]) == (["ski@x"], ["b"])
    assert [row.uid for row in taken.vanished] == ["c"]
    assert in_force() == [
        ("ski@x", date(2026, 12, 15), date(2026, 12, 18)),
        ("c", date(2027, 2, 1), date(2027, 2, 2)),
    ]
    kinds = AuditEvent.objects.exclude(cause=None).values_list("kind", flat=True)
    assert sorted(kinds) == ["absence.cancelled", "absence.changed"] + ["absence.recorded"] * 3
    assert AuditEvent.objects.filter(kind="absence.imported", cause=None).count() == 2


def test_entries_can_swap_their_days(cast: Cast) -> None:
    one, two = ("20261214", "20261216"), ("20261216", "20261218")
    take(cast, calendar(entry("a", days=one), entry("b", days=two)))
    take(cast, calendar(entry("a", days=two), entry("b", days=one)))
    assert [uid for uid, _, _ in in_force()] == ["b", "a"]


def test_an_entry_that_now_ended_yesterday_ends_the_absence(cast: Cast) -> None:
    take(cast, calendar(entry("a", days=("20261116", "20261125"))))
    taken = take(cast, calendar(entry("a", days=("20261116", "20261119"))), days=4)
    assert [row.uid for row in taken.cancelled] == ["a"]
    assert in_force() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "can't be read as iCalendar"),
        (b"\xff\xfe\x00", "Line 1 is no line of a calendar file"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nDear all\r\nEND:VCALENDAR\r\n", "Line 3 is no line of a calendar file"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n", "can't be read as iCalendar"),
        (b"x" * (512 * 1024 + 1), "larger than 512 KiB"),
        (calendar(SKIING, entry("r", "RRULE:FREQ=WEEKLY", days=("20270104", "20270105"))), "Entry 2 repeats"),
        (calendar(SKIING, entry("", days=("20270104", "20270105"))), "Entry 2 has no usable UID"),
        (calendar(SKIING, entry("x")), "Entry 2 has no first day"),
        (calendar(SKIING, entry("x", "DTSTART;VALUE=DATE:2027xxxx")), "Entry 2 has no first day"),
        (calendar(SKIING, entry("x", days=("20270104", "20270102"))), "Entry 2 ends before it begins"),
        (calendar(SKIING, entry("x", days=("20270104", "20270104"))), "Entry 2 ends before it begins"),
        (calendar(SKIING, entry("x", days=("22500104", "22500105"))), "Entry 2 lies outside the years"),
        (calendar(SKIING, entry("x", days=("20270104", "20350105"))), "Entry 2: An absence lasts 1100 days"),
        (calendar(SKIING, SKIING), "Entries 1 and 2 have the same UID"),
        (calendar(SKIING, entry("x", days=("20261218", "20261222"))), "Entries 1 and 2 share days"),
        (
            calendar(entry("x", "DTSTART;VALUE=DATE:20270104", "DTEND:20270105T080000Z")),
            "Entry 1 mixes whole days with hours",
        ),
        (calendar(*(entry(str(n), days=("20270104", "20270105")) for n in range(1001))), "has 1001 entries"),
    ],
)
def test_a_bad_file_changes_nothing_and_names_the_place(cast: Cast, content: bytes, said: str) -> None:
    before = AuditEvent.objects.count()
    with pytest.raises(Refused, match=said) as caught:
        take(cast, content)
    assert PRIVATE not in str(caught.value)
    assert (Absence.objects.count(), AuditEvent.objects.count()) == (0, before)


def test_a_clash_with_what_was_entered_here_names_the_entry(cast: Cast) -> None:
    day = date(2026, 12, 16)
    registry.record_absence(cast.ada, starts_on=day, ends_on=day, actor=cast.ada, now=NOW)
    with pytest.raises(Refused, match=r"Entry 2 \(14 Dec 2026 to 18 Dec 2026\): There is an absence on some of these"):
        take(cast, calendar(entry("b", days=("20270104", "20270105")), SKIING))
    assert Absence.objects.count() == 1


def test_the_delegate_of_a_moved_entry_stays(cast: Cast) -> None:
    take(cast, calendar(SKIING))
    row = Absence.objects.get()
    registry.change_absence(
        row, starts_on=row.starts_on, ends_on=row.ends_on, delegate=cast.nils, actor=cast.ada, now=NOW
    )
    take(cast, calendar(entry("ski@x", days=("20261215", "20261219"))))
    assert Absence.objects.get(cancelled_at=None).delegate == cast.nils


def test_grants_follow_a_file(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    assert system not in visible_systems(cast.una)
    take(cast, calendar(entry("a", days=("20261116", "20261125"))))
    assert system in visible_systems(cast.una)
