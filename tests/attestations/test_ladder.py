"""The ladder: who hears when, one mail a person a day, nobody after signing, nobody skipped in silence."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from apps.attestations import actions
from apps.attestations.models import Assignment, Campaign, Snooze
from apps.attestations.queries.ladder import ladder
from apps.attestations.rules import ladder as rules
from apps.attestations.rules.ladder import Role
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND, SCHEDULER
from apps.common.errors import NotAllowed, Refused
from apps.common.workdays import is_working_day
from apps.notify.models import Message
from apps.people.models import Absence, Person, Seat
from tests.attestations import world
from tests.attestations.world import PERIOD, answer_all, register
from tests.factories import hand_over

OPENED = datetime(2026, 11, 9, 9, 0, tzinfo=UTC)
DIGEST = "campaign-digest:"


def at(day: int, hour: int = 10, month: int = 11, minute: int = 0) -> datetime:
    """A moment in UTC, where the cast is."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def start(now: datetime = OPENED) -> Campaign:
    return actions.open_campaign(PERIOD, actor=COMMAND, now=now)[0]


def digests(person: Any = None) -> list[Message]:
    rows = Message.objects.filter(key__startswith=DIGEST).select_related("recipient").order_by("pk")
    return list(rows if person is None else rows.filter(recipient=person))


def told(prefix: str = DIGEST) -> dict[str, list[str]]:
    """Who heard on which days, as their keys say."""
    found: dict[str, list[str]] = defaultdict(list)
    for mail in Message.objects.filter(key__startswith=prefix).select_related("recipient").order_by("pk"):
        found[mail.recipient.display_name].append(mail.key.split(":")[2][5:])
    return dict(found)


def play(first: datetime, days: int, *, hours: tuple[int, ...] = (7, 9, 12, 17, 20)) -> None:
    """Let the sweep run several times a day."""
    for day in range(days):
        for hour in hours:
            actions.remind_all_due(now=(first + timedelta(days=day)).replace(hour=hour))


def signed(system: Any, person: Any, now: datetime) -> None:
    """The owner answers and signs."""
    row = Assignment.objects.select_related("campaign", "system", "snapshot").get(system=system)
    row = answer_all(row, person, now=now)
    actions.sign(
        row, version=row.version, declared_true=True, typed_name=person.display_name,
        confirmation=actions.Confirmation("password", now), actor=person, now=now,
    )  # fmt: skip


def fail(person: Any, when: datetime) -> None:
    """The last mail to somebody did not get through."""
    Message.objects.create(
        key=f"x:{person.pk}:{when}", recipient=person, subject="x", body="x", state="failed", error="No such mailbox",
        not_before=when, created_at=when,
    )  # fmt: skip


def test_a_whole_quarter(cast: Any) -> None:
    """Due on Monday 30 Nov: the exact days on which each hears, and nobody on a weekend."""
    register(cast, "one", owner=cast.ada)
    start()
    play(at(9), 31)
    assert told() == {
        "Ada Nwosu": ["11-16", "11-23", "11-27", "11-30", "12-01", "12-02", "12-03"],
        "Ben Ortega": ["12-01", "12-02", "12-03"],
        "Una Brandt": ["12-01", "12-03"],
        "Cleo Marchetti": ["12-07"],
        "Mara Lindt": ["12-07"],
    }
    assert AuditEvent.objects.filter(kind="campaign.reminded").count() == 8
    assert actions.move_on_due(now=datetime(2026, 12, 10, 23, 30, tzinfo=UTC)) == [PERIOD]
    silence = Message.objects.filter(key__startswith="campaign-silence:").order_by("recipient__display_name")
    assert [mail.recipient.display_name for mail in silence] == ["Ada Nwosu", "Una Brandt"]
    assert {mail.not_before for mail in silence} == {datetime(2026, 12, 11, 9, tzinfo=UTC)}
    play(at(11, month=12), 5)
    assert len(digests()) == 14


def test_the_words(cast: Any) -> None:
    register(cast, "one", owner=cast.ada, name="Claims triage", tier="medium")
    start()
    actions.remind_all_due(now=at(27))
    (mail,) = digests()
    assert (mail.key, mail.subject, mail.path) == (
        f"campaign-digest:{cast.ada.pk}:2026-11-27", "Q4 2026: 1 system to sign, first by 30 Nov 2026",
        "/attestations/",
    )  # fmt: skip
    assert mail.body == (
        "You have not signed for 1 system:\n\n"
        "- Claims triage (one), by 30 Nov 2026\n"
        "  http://localhost:8000/attestations/2026Q4/one/\n\n"
        "What is not signed when the campaign closes is reported as not attested, by name."
    )
    actions.remind_all_due(now=at(3, month=12))
    head = digests(cast.una)[0]
    assert head.subject == "Q4 2026: 1 system of others overdue"
    assert head.body == (
        "1 system of your unit nobody has signed for. On the page of a system you can nominate another owner:\n\n"
        "- Claims triage (one), 3 days overdue, was due 30 Nov 2026. Ada Nwosu answers for it. Tier medium.\n"
        "  http://localhost:8000/systems/one/\n\n"
        "What is not signed when the campaign closes is reported as not attested, by name."
    )
    assert digests(cast.ada)[1].subject == "Q4 2026: 1 system to sign, 3 days overdue"


def test_one_mail_joins_all_roles_and_campaigns(cast: Any) -> None:
    register(cast, "ada-one", owner=cast.ada)
    register(cast, "una-one", owner=cast.una)
    start()
    actions.remind_all_due(now=at(1, month=12))
    (mail,) = digests(cast.una)
    assert mail.subject == "Q4 2026: 1 system to sign, 1 day overdue; 1 system of others overdue"
    own, manager = mail.body.split("1 system of people who report to you is not signed:")
    assert "(una-one)" in own
    assert "(ada-one)" in manager
    assert mail.body.count("(ada-one)") == 1


def test_nobody_hears_after_signing(cast: Any) -> None:
    one, two = register(cast, "one", owner=cast.ada), register(cast, "two", owner=cast.ada)
    start()
    actions.remind_all_due(now=at(23))
    assert "(one)" in digests()[0].body
    signed(one, cast.ada, at(23, 10, minute=5))
    assert digests()[0].state == "withdrawn"
    # The other one is said anew, once.
    assert [actions.remind_all_due(now=at(23, 10, minute=10)) for _ in range(2)] == [1, 0]
    again = digests()[1]
    assert again.key == f"campaign-digest:{cast.ada.pk}:2026-11-23:2"
    assert "(one)" not in again.body
    assert "(two)" in again.body
    signed(two, cast.ada, at(23, 11))
    assert actions.remind_all_due(now=at(23, 12)) == 0
    play(at(24), 20)
    assert [mail.state for mail in digests()] == ["withdrawn", "withdrawn"]


def test_mails_to_others_are_taken_back_too(cast: Any) -> None:
    one = register(cast, "one", owner=cast.ada)
    register(cast, "two", owner=cast.nils)
    start()
    actions.remind_all_due(now=at(1, month=12))
    signed(one, cast.ada, at(1, 11, 12))
    # Ada's, her deputy's and her manager's; Una hears of Nils's, who has no line manager, all the same.
    assert {mail.recipient for mail in digests() if mail.state == "withdrawn"} == {cast.ada, cast.ben, cast.una}
    assert actions.remind_all_due(now=at(1, 12, 12)) == 1
    assert "(two)" in digests(cast.una)[-1].body
    assert "(one)" not in digests(cast.una)[-1].body


def test_who_owns_it_today_hears(cast: Any) -> None:
    system = register(cast, "one", owner=cast.ada)
    start()
    hand_over(cast, system, cast.nils, now=at(10))
    play(at(10), 8)
    assert told() == {"Nils Okafor": ["11-16"]}


def test_quiet_hours_where_the_person_is(cast: Any) -> None:
    Person.objects.filter(pk=cast.ada.pk).update(time_zone="America/New_York")
    Person.objects.filter(pk=cast.nils.pk).update(time_zone="Asia/Tokyo")
    register(cast, "one", owner=cast.ada)
    register(cast, "two", owner=cast.nils)
    start()
    heard = {}
    for hour in range(48):
        now = datetime(2026, 11, 22, 16, tzinfo=UTC) + timedelta(hours=hour)
        if actions.remind_all_due(now=now):
            heard[f"{now:%d %H}"] = digests()[-1].recipient.display_name
    assert heard == {"23 00": "Nils Okafor", "23 14": "Ada Nwosu"}


def test_an_unknown_zone_is_the_organisations(cast: Any) -> None:
    Person.objects.filter(pk=cast.ada.pk).update(time_zone="Mars/Olympus")
    register(cast, "one", owner=cast.ada)
    start()
    assert actions.remind_all_due(now=at(23, 7, minute=59)) == 0
    assert actions.remind_all_due(now=at(23, 8)) == 1
    assert digests()[0].key.endswith(":2026-11-23")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_nine_is_nine_over_a_change_of_the_clock(zone: str) -> None:
    """Friday before and Monday after 25 Oct 2026, when Berlin goes back; nine is nine by the wall."""
    place = ZoneInfo(zone)
    for day in (date(2026, 10, 23), date(2026, 10, 26)):
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=12)
        moments = [begins + timedelta(minutes=10 * n) for n in range(220)]
        first = next(m for m in moments if rules.is_office_time(m, place, day.__eq__))
        assert first.astimezone(place).time() == rules.QUIET_UNTIL
    evening = datetime(2026, 10, 23, 19, tzinfo=ZoneInfo("Europe/Berlin"))
    assert rules.next_office_time(evening, ZoneInfo("Europe/Berlin"), is_working_day) == datetime(
        2026, 10, 26, 8, tzinfo=UTC
    )


@given(due=st.dates(date(2026, 1, 5), date(2031, 12, 31)), role=st.sampled_from(list(rules.AFTER)))
def test_a_step_is_a_working_day_and_after_the_opening(due: date, role: Role) -> None:
    opened = due - timedelta(days=21)
    steps = rules.steps_of(role, due=due, opened_on=opened, is_working_day=lambda day: day.weekday() < 5)
    assert steps == sorted(set(steps))
    assert all(step.weekday() < 5 and step > opened for step in steps)
    if role == Role.OWNER:
        assert any(due - timedelta(days=2) <= step <= due for step in steps)
    else:
        assert all(step > due for step in steps)


def test_a_weekend_and_a_holiday_move_the_step(cast: Any) -> None:
    working = {"holiday": date(2026, 12, 25)}

    def is_working(day: date) -> bool:
        return day.weekday() < 5 and day != working["holiday"]

    # Due on Friday 25 Dec, a holiday: its own warning comes the day before, overdue begins on Monday.
    steps = rules.steps_of(Role.OWNER, due=date(2026, 12, 25), opened_on=date(2026, 12, 4), is_working_day=is_working)
    assert [step.day for step in steps] == [11, 18, 22, 24, 28]
    assert [
        step.day
        for step in rules.steps_of(
            Role.SEATS, due=date(2026, 12, 28), opened_on=date(2026, 12, 4), is_working_day=is_working
        )
    ] == [4]


def test_after_days_without_a_sweep_only_the_newest_step_goes(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    start()
    assert actions.remind_all_due(now=at(30)) == 1
    assert actions.remind_all_due(now=at(30, 12)) == 0
    assert told() == {"Ada Nwosu": ["11-30"]}


def test_a_step_of_more_than_a_week_ago_is_left_out(cast: Any, settings: Any) -> None:
    settings.CAMPAIGN_CLOSES_DAYS_AFTER = 30
    register(cast, "one", owner=cast.ada)
    start()
    # The last step of the owner was 3 Dec; the head's as well. The seats' was 7 Dec.
    with transaction.atomic():
        assert actions.remind_all_due(now=at(10, month=12)) == 5
        transaction.set_rollback(True)
    with transaction.atomic():
        assert actions.remind_all_due(now=at(11, month=12)) == 2
        assert set(told()) == {"Cleo Marchetti", "Mara Lindt"}
        transaction.set_rollback(True)
    assert actions.remind_all_due(now=at(15, month=12)) == 0


def test_over_the_end_of_a_quarter_two_campaigns_are_one_mail(cast: Any, settings: Any) -> None:
    settings.CAMPAIGN_CLOSES_DAYS_AFTER = 90
    register(cast, "one", owner=cast.ada)
    start()
    second = actions.open_campaign("2027Q1", actor=COMMAND, now=datetime(2027, 2, 5, 9, tzinfo=UTC))[0]
    assert second.due_on == date(2027, 2, 26)
    assert actions.remind_all_due(now=datetime(2027, 2, 12, 10, tzinfo=UTC)) == 1
    (mail,) = digests(cast.ada)
    assert mail.subject == "2 systems to sign, 74 days overdue"
    assert "was due 30 Nov 2026, Q4 2026" in mail.body
    assert "by 26 Feb 2027, Q1 2027" in mail.body
    assert AuditEvent.objects.filter(kind="campaign.reminded").count() == 2


def test_a_step_without_anybody_goes_to_the_next(cast: Any) -> None:
    # Dov has no line manager, Developer Tools has no head, and nobody is Head of AI.
    register(cast, "one", owner=cast.dov, unit=cast.devtools)
    start()
    actions.remind_all_due(now=at(1, month=12))
    assert set(told()) == {"Dov Watanabe", "Cleo Marchetti", "Mara Lindt"}
    (mail,) = digests(cast.mara)
    assert (
        "Dov Watanabe has no line manager. Developer Tools has no head. Nobody holds the seat Head of AI." in mail.body
    )
    assert "because you" not in mail.body


def test_who_left_is_passed_over(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    start()
    Person.objects.filter(pk=cast.ada.pk).update(line_manager=cast.ivan, deputy=cast.ivan)
    actions.remind_all_due(now=at(1, month=12))
    assert set(told()) == {"Ada Nwosu", "Una Brandt"}
    assert "Ivan Kolar, the line manager of Ada Nwosu, is not here any more." in digests(cast.una)[0].body


def test_the_owner_is_not_their_own_manager_or_head(cast: Any) -> None:
    register(cast, "one", owner=cast.una)
    start()
    actions.remind_all_due(now=at(3, month=12))
    assert set(told()) == {"Una Brandt", "Cleo Marchetti", "Mara Lindt"}
    assert "has no head" not in digests(cast.cleo)[0].body


def test_who_acts_hears_beside_who_is_away(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    start()
    Absence.objects.create(person=cast.ada, starts_on=date(2026, 11, 20), ends_on=date(2026, 11, 26), created_at=OPENED)
    actions.remind_all_due(now=at(23))
    assert set(told()) == {"Ada Nwosu", "Ben Ortega"}
    (mail,) = digests(cast.ben)
    assert mail.subject == "Q4 2026: 1 system of others not signed"
    assert "You act for Ada Nwosu." in mail.body


def test_snooze_once_and_not_for_others(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = start()
    with pytest.raises(NotAllowed, match="nothing to sign"):
        actions.snooze(campaign, days=1, actor=cast.nils, now=at(30))
    for days in (0, 4):
        with pytest.raises(Refused, match="3 days at most"):
            actions.snooze(campaign, days=days, actor=cast.ada, now=at(30))
    actions.remind_all_due(now=at(30))
    row = actions.snooze(campaign, days=2, actor=cast.ada, now=at(30, 10, minute=5))
    assert (row.from_day, row.until) == (date(2026, 11, 30), date(2026, 12, 2))
    assert digests()[0].state == "withdrawn"
    with pytest.raises(Refused, match="can be done once"):
        actions.snooze(campaign, days=1, actor=cast.ada, now=at(3, month=12))
    play(at(30), 4)
    assert told() == {
        "Ada Nwosu": ["11-30", "12-03"],
        "Ben Ortega": ["12-01", "12-02", "12-03"],
        "Una Brandt": ["12-01", "12-03"],
    }
    assert Snooze.objects.count() == 1
    assert AuditEvent.objects.filter(kind="campaign.snoozed").count() == 1


def test_whom_mail_does_not_reach_is_told_of_at_once(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = start()
    fail(cast.ada, at(16, 11))
    for _ in range(2):
        actions.remind_all_due(now=at(16, 12))
    (mail,) = Message.objects.filter(key__startswith="campaign-unreached:")
    assert mail.recipient == cast.una
    assert mail.subject == "Q4 2026: mail does not reach Ada Nwosu"
    assert "Mail to Ada Nwosu does not get through." in mail.body
    assert "(one)" in mail.body
    (before, *_) = ladder(campaign, date(2026, 11, 16))
    assert (before.people, before.not_reached) == (1, 1)
    # It gets through again.
    Message.objects.filter(key__startswith=DIGEST).update(state="claimed", claimed_at=at(16, 12))
    Message.objects.filter(key__startswith=DIGEST).update(state="sent", sent_at=at(16, 12))
    assert ladder(campaign, date(2026, 11, 16))[0].not_reached == 0


def test_no_address_and_an_unreachable_manager_go_further_up(cast: Any) -> None:
    Person.objects.filter(pk=cast.ada.pk).update(email="ada")
    register(cast, "one", owner=cast.ada)
    start()
    fail(cast.una, at(20))
    actions.remind_all_due(now=at(23))
    # Una, the manager and head, is not reached either: the seats are.
    assert {mail.recipient.display_name for mail in Message.objects.filter(key__startswith="campaign-unreached:")} == {
        "Cleo Marchetti"
    }
    from apps.findings.queries.delivery import delivery_breaches

    assert "Ada Nwosu" in " ".join(row.title for row in delivery_breaches(at(23)))
    assert actions.remind_all_due(now=at(23, 12)) == 0


def test_by_hand_for_one_system(cast: Any) -> None:
    one = register(cast, "one", owner=cast.ada)
    campaign = start()
    row = campaign.assignments.get()
    assert actions.remind_item(row, actor=cast.mara, now=at(24, 20)) == cast.ada
    (mail,) = Message.objects.filter(key__startswith="campaign-asked:")
    assert (mail.recipient, mail.not_before) == (cast.ada, at(25, 9))
    assert mail.body.startswith("Mara Lindt asks you to sign for this system:")
    with pytest.raises(Refused, match="today already"):
        actions.remind_item(row, actor=cast.mara, now=at(24, 21))
    with pytest.raises(Refused, match="after that day"):
        actions.escalate_item(row, actor=cast.mara, now=at(30))
    assert AuditEvent.objects.filter(kind="campaign.reminded").count() == 1
    signed(one, cast.ada, at(30, 22))
    for verb in (actions.remind_item, actions.escalate_item):
        with pytest.raises(Refused, match="is signed"):
            verb(row, actor=cast.mara, now=at(1, month=12))


def test_escalating_by_hand_goes_one_step_up_a_day(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    row = start().assignments.get()
    # On day 2 the line manager was told by the calendar. Mara, who escalates, need not be told.
    Person.objects.filter(pk=cast.ada.pk).update(line_manager=cast.nils)
    assert actions.escalate_item(row, actor=cast.mara, now=at(2, month=12)) == [cast.una]
    with pytest.raises(Refused, match="escalated today already"):
        actions.escalate_item(row, actor=cast.mara, now=at(2, 12, 12))
    assert actions.escalate_item(row, actor=cast.mara, now=at(3, month=12)) == [cast.cleo]
    with pytest.raises(Refused, match="Everybody on the ladder"):
        actions.escalate_item(row, actor=cast.mara, now=at(7, month=12))
    assert AuditEvent.objects.filter(kind="campaign.escalated").count() == 2


def test_what_silence_ends_in(cast: Any) -> None:
    register(cast, "one", owner=cast.ada, name="Claims triage", tier="critical")
    campaign = start()
    actions.begin_rollup(campaign, actor=SCHEDULER, now=at(11, 9, 12))
    mails = {mail.recipient: mail for mail in Message.objects.filter(key__startswith="campaign-silence:")}
    assert set(mails) == {cast.ada, cast.una}
    assert mails[cast.ada].subject == "Q4 2026: not attested, 1 system"
    assert mails[cast.ada].body == (
        "The Q4 2026 attestation took answers until 10 Dec 2026.\n\n"
        "You did not sign for 1 system. Not attested:\n\n"
        "- Claims triage (one), was due 16 Nov 2026\n"
        "  http://localhost:8000/systems/one/\n\n"
        "The readiness of such a system falls: it does not count as reviewed. "
        "The report names each system and its owner."
    )
    assert "Nobody signed for 1 system of others. Not attested:" in mails[cast.una].body
    assert "Ada Nwosu answers for it. Tier critical." in mails[cast.una].body


def test_the_rising_steps(cast: Any, settings: Any, django_assert_num_queries: Any) -> None:
    register(cast, "critical", owner=cast.ada, tier="critical")
    register(cast, "high", owner=cast.ada, tier="high")
    register(cast, "low", owner=cast.nils, tier="low")
    campaign = start()
    steps = ladder(campaign, date(2026, 11, 24))
    assert [(step.day, step.people, step.systems) for step in steps] == [
        ("Before due date", 1, 1), ("Day 1", 1, 1), ("Day 3", 0, 0), ("Day 5", 1, 1), ("Day 10", 0, 0),
    ]  # fmt: skip
    assert [step.names for step in steps] == [(), ("Una Brandt 1",), (), ("Cleo Marchetti", "Mara Lindt"), ()]
    assert ladder(campaign, date(2026, 11, 28))[2].names == ()
    assert ladder(campaign, date(2026, 11, 26))[2].names == ("Una Brandt 1",)
    assert ladder(campaign, date(2026, 12, 4))[4].names == ("Ada Nwosu 2",)
    settings.NAME_OVERDUE_PEOPLE = False
    assert {step.names for step in ladder(campaign, date(2026, 12, 4))} == {()}
    with CaptureQueriesContext(connection) as queries:
        ladder(campaign, date(2026, 12, 4))
    assert len(queries) <= 6


def test_a_seat_holder_who_is_away_or_the_owner(cast: Any) -> None:
    Seat.objects.filter(pk="ai_lead").update(holder=cast.nils, since=OPENED)
    register(cast, "one", owner=cast.cleo)
    start()
    actions.remind_all_due(now=at(7, month=12))
    assert {"Nils Okafor", "Mara Lindt"} & set(told()) == {"Nils Okafor"}


@pytest.mark.committed
def test_two_sweeps_at_once_send_once(committed_db: str) -> None:
    from tests.cast import Cast

    cast = Cast()
    register(cast, "one", owner=cast.ada)
    register(cast, "two", owner=cast.nils)
    start()

    def run(_: int) -> int:
        try:
            return actions.remind_all_due(now=at(23))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [0, 0, 0, 2]
    assert len(digests()) == 2
    assert AuditEvent.objects.filter(kind="campaign.reminded").count() == 1


@pytest.mark.committed
def test_two_thousand_people_in_a_fixed_number_of_queries(committed_db: str) -> None:
    from tests.cast import Cast

    world.many(40, 20, prefix="few")
    start()
    with CaptureQueriesContext(connection) as few:
        assert actions.remind_all_due(now=at(30)) == 19
    world.many(4000, 2000, prefix="many")
    Cast()
    later = datetime(2027, 2, 5, 9, tzinfo=UTC)
    campaign = actions.open_campaign("2027Q1", actor=COMMAND, now=later)[0]
    with CaptureQueriesContext(connection) as many:
        assert actions.remind_all_due(now=datetime(2027, 3, 1, 10, tzinfo=UTC)) > 1600
    # One more: the second campaign's event.
    assert len(many) <= len(few) + 6
    with CaptureQueriesContext(connection) as rising:
        assert sum(step.systems for step in ladder(campaign, date(2027, 3, 1))) == 4040
    assert len(rising) <= 6


def test_the_pages(cast: Any, browse: Any, monkeypatch: Any) -> None:
    from django.urls import reverse

    from apps.common import clock

    register(cast, "one", owner=cast.ada, name="Claims triage")
    start()
    monkeypatch.setattr(clock, "now", lambda: at(1, month=12))
    nudge, up = (reverse(f"attestations:{name}", args=[PERIOD, "one"]) for name in ("nudge", "escalate"))
    off = reverse("attestations:snooze", args=[PERIOD])
    for page in (nudge, up):
        assert [browse(who).get(page).status_code for who in (cast.ada, cast.eve, cast.mara)] == [404, 403, 200]
    mara, ada = browse(cast.mara), browse(cast.ada)
    assert b"Remind Ada Nwosu" in mara.get(nudge).content
    assert [mara.post(nudge).status_code for _ in range(2)] == [302, 422]
    assert b"Tell Cleo Marchetti" in mara.get(up).content
    assert [mara.post(up).status_code for _ in range(2)] == [302, 422]
    assert browse(cast.nils).get(off).status_code == 404
    assert b"until the end of 4 Dec 2026" in ada.get(off).content
    empty = ada.post(off)
    assert (empty.status_code, b"Choose for how long." in empty.content) == (422, True)
    assert b"Choose 1, 2 or 3 days." in ada.post(off, {"days": "9"}).content
    assert [ada.post(off, {"days": "1"}).status_code for _ in range(2)] == [302, 422]
    assert b"That can be done once in a campaign." in ada.get(off).content
