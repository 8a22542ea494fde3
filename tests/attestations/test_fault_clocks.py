"""The clock over a change of summer time, a quarter's end, a leap day and a year's end: every step on its own day.

The sweeps run by a clock that the test moves; around each change every quarter of an hour, twice, and once with the
clock set back an hour. Mails leave through a real mail server that counts.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.attestations import actions
from apps.attestations.models import Assignment, Campaign
from apps.audit.models import AuditEvent
from apps.common.errors import Refused
from apps.common.workdays import is_working_day
from apps.notify.delivery import deliver_pending
from apps.notify.models import Message
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry.models import System
from tests.attestations import world
from tests.attestations.faults.crew import MailServer

pytestmark = pytest.mark.committed

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
# Half an hour's daylight saving, half hours' offsets, the first and the last place to see a day.
ZONES = (
    "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Midway",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A campaign, what the clock does in it, and what has to come out."""

    name: str
    period: str
    due_month: int
    edges: tuple[date, ...]
    opened: datetime
    grace: datetime
    rollup: datetime
    owner: str
    late: str


def utc(*parts: int) -> datetime:
    """A moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


CASES = (
    # Due on the quarter's last day; Good Friday the 26th, the clock goes forward on Easter Sunday, Monday is free.
    Case(
        "forward", "2027Q1", 3, (date(2027, 3, 28), date(2027, 3, 31)),
        utc(2027, 3, 10, 8), utc(2027, 3, 31, 22), utc(2027, 4, 10, 22),
        "03-17 03-24 03-30 03-31 04-01 04-02 04-05", "04-01 04-05",
    ),
    Case(
        "back", "2026Q4", 1, (date(2026, 10, 25), date(2026, 10, 30)),
        utc(2026, 10, 9, 7), utc(2026, 10, 30, 23), utc(2026, 11, 9, 23),
        "10-16 10-23 10-27 10-29 10-30 11-02", "11-02",
    ),
    Case(
        "leap day", "2028Q1", 2, (date(2028, 2, 28), date(2028, 2, 29)),
        utc(2028, 2, 8, 8), utc(2028, 2, 29, 23), utc(2028, 3, 10, 23),
        "02-15 02-22 02-28 02-29 03-01 03-02 03-03", "03-01 03-03",
    ),
    Case(
        "end of the year", "2026Q4", 3, (date(2026, 12, 30), date(2026, 12, 31)),
        utc(2026, 12, 10, 8), utc(2026, 12, 31, 23), utc(2027, 1, 10, 23),
        "12-17 12-24 12-28 12-30 12-31 01-04", "01-04",
    ),
)  # fmt: skip


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    """A mail server that counts."""
    server = MailServer()
    server.up()
    settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = server.port, 10
    yield server
    server.down()


def moments(case: Case) -> Iterator[tuple[datetime, bool]]:
    """Every four hours from before the opening until after the end, every two on the days of a change, each quarter
    of an hour around it; and whether it is such a time."""
    midnights = [datetime.combine(day, time(), BERLIN) for day in case.edges]
    special = [case.opened, case.grace, case.rollup, *midnights]
    now, end = case.opened - 2 * HOUR, case.rollup + 2 * HOUR
    while now <= end:
        near = any(abs(now - one) <= HOUR for one in special)
        yield now, near
        changing = now.astimezone(BERLIN).date() in case.edges
        then = now + (QUARTER if near else 2 * HOUR if changing else 4 * HOUR)
        # Never past the beginning of what is looked at more closely.
        now = min([then, *(one - HOUR for one in special if now < one - HOUR < then)])


def prepared() -> tuple[Person, list[Person]]:
    """One system an owner in each of the zones; one line manager, in Berlin, of all."""
    world.many(len(ZONES), len(ZONES))
    System.objects.filter(key__startswith="bulk").update(tier="medium")
    una = Person.objects.get(email="una@example.org")
    owners = [Person.objects.get(email=f"bulk{number}@example.org") for number in range(1, len(ZONES) + 1)]
    for owner, zone in zip(owners, ZONES, strict=True):
        Person.objects.filter(pk=owner.pk).update(time_zone=zone, line_manager=una)
    Person.objects.filter(pk=una.pk).update(time_zone="Europe/Berlin")
    return una, list(Person.objects.filter(pk__in=[owner.pk for owner in owners]).order_by("email"))


def sign(owner: Person, now: datetime) -> Assignment:
    """An owner answers and signs at one moment."""
    row = Assignment.objects.select_related("campaign", "system", "snapshot").get(person=owner)
    row = world.answer_all(row, owner, now=now)
    actions.sign(
        row, version=row.version, declared_true=True, typed_name=owner.display_name,
        confirmation=Confirmation("password", now), actor=owner, now=now,
    )  # fmt: skip
    return Assignment.objects.get(pk=row.pk)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_step_on_its_day(
    committed_db: str, settings: Any, mail: MailServer, case: Case, record_property: Any
) -> None:
    settings.CAMPAIGN_DUE_MONTH = case.due_month
    una, owners = prepared()
    sweeps = play(case)
    campaign = Campaign.objects.get()
    assert (campaign.code, campaign.state, campaign.opened_at) == (case.period, "rollup", case.opened)
    assert {kind: event_moments(kind) for kind in ("campaign.grace_began", "campaign.rollup_began")} == {
        "campaign.grace_began": [case.grace], "campaign.rollup_began": [case.rollup],
    }  # fmt: skip
    heard = digests()
    assert {owner.time_zone: heard.pop(owner.pk) for owner in owners} == dict.fromkeys(ZONES, case.owner.split())
    assert heard[una.pk] == case.late.split()
    assert Assignment.objects.filter(state="not_attested").count() == len(ZONES)
    in_office_hours()
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}
    assert mail.ids.total() == len(mail.ids) == Message.objects.count()
    figures = {"case": case.name, "sweeps": sweeps, "mails": mail.ids.total(), "mails_twice": 0}
    record_property("figures", json.dumps(figures))


def play(case: Case) -> int:
    """Let every sweep run at each moment; around a change twice, and again with the clock an hour back. Returns how
    many ran."""
    count = 0
    for now, near in moments(case):
        # Set back, the clock says what was said already: nothing may come of it.
        for moment in (now, now, now - HOUR) if near else (now,):
            actions.open_due(now=moment)
            actions.remind_all_due(now=moment)
            actions.move_on_due(now=moment)
            count += 3
        deliver_pending(clock_now=lambda now=now: now)  # type: ignore[misc]
    deliver_pending(clock_now=lambda: case.rollup + timedelta(days=4))
    return count


def event_moments(kind: str) -> list[datetime]:
    """When something was noted."""
    return list(AuditEvent.objects.filter(kind=kind).order_by("at").values_list("at", flat=True))


def digests() -> dict[Any, list[str]]:
    """On which days of their own each heard, in the order in which they were written."""
    found: dict[Any, list[str]] = defaultdict(list)
    for key in Message.objects.filter(key__startswith="campaign-digest:").order_by("pk").values_list("key", flat=True):
        _, person, day = key.split(":")
        found[Person.objects.get(pk=person).pk].append(day[5:])
    return found


def in_office_hours() -> None:
    """Each of the ladder's mails leaves on a working day between nine and six by the wall clock of who gets it."""
    for message in Message.objects.filter(key__startswith="campaign-").select_related("recipient"):
        here = message.not_before.astimezone(ZoneInfo(message.recipient.time_zone))
        assert 9 <= here.hour < 18, (message.key, here)
        assert is_working_day(here.date()), (message.key, here)
        if message.key.startswith("campaign-digest:"):
            assert message.key.split(":")[2] == here.date().isoformat()
    days = Counter((one.recipient_id, one.key.split(":")[2]) for one in Message.objects.filter(key__contains="-digest"))
    assert set(days.values()) == {1}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_late_and_closed_to_the_second(committed_db: str, settings: Any, case: Case) -> None:
    settings.CAMPAIGN_DUE_MONTH = case.due_month
    _, owners = prepared()
    second = timedelta(seconds=1)
    assert actions.open_due(now=case.opened - second) == []
    assert actions.open_due(now=case.opened) == [case.period]
    assert sign(owners[0], case.grace - second).late_days == 0
    assert sign(owners[1], case.grace).late_days == 1
    assert actions.move_on_due(now=case.grace - second) == []
    assert actions.move_on_due(now=case.grace) == [case.period]
    days = (case.rollup.astimezone(BERLIN).date() - case.grace.astimezone(BERLIN).date()).days
    assert sign(owners[2], case.rollup - second).late_days == days == 10
    with pytest.raises(Refused, match="closed"):
        sign(owners[3], case.rollup)
    assert actions.move_on_due(now=case.rollup - second) == []
    assert actions.move_on_due(now=case.rollup) == [case.period]
    states = Assignment.objects.order_by("person__email").values_list("state", flat=True)
    assert Counter(states) == {"submitted": 3, "not_attested": 3}
