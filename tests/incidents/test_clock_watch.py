"""The watchman of legal clocks: reminders once each, missed deadlines, what was not assessed, who left."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.audit.models import AuditEvent
from apps.incidents.actions import clock_watch
from apps.incidents.actions.clock_watch import alert, ask_again, catch_up, mark_missed, pass_on, watch_clocks
from apps.incidents.actions.clocks import correct_anchor, decide_not_reportable, start_clock
from apps.incidents.models import IncidentClock
from apps.notify.models import Message
from apps.people.actions import deactivate_person, seat_person
from tests.factories import a_system
from tests.incidents.clock_world import NOW, a_drill, clock, signed, with_clocks
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def running(cast: Any, key: str = "GDPR-33", **more: Any) -> IncidentClock:
    incident = with_clocks(cast)
    return start_clock(
        clock(incident, key), anchor_at=NOW, reason="Letters were read.", actor=cast.lea, now=NOW, **more
    )


def reminders() -> list[tuple[str, str]]:
    rows = Message.objects.filter(key__startswith="clock:").order_by("key")
    return [(mail.subject.split(": ")[-1], mail.recipient.email.split("@")[0]) for mail in rows]


def test_each_reminder_comes_once_to_decider_deputy_and_lead(cast: Any) -> None:
    made = running(cast)
    to = {"lea", "mara", made.incident.lead.email.split("@")[0]}
    stages = [(36, "half of the time is over"), (54, "three quarters of the time are over")]
    stages += [(64.8, "nine tenths of the time are over"), (71, "one hour is left")]
    said: list[str] = []
    for hours, words in stages:
        at = NOW + timedelta(hours=hours)
        assert alert(now=at - timedelta(seconds=1)) == 0
        assert [alert(now=at), alert(now=at + timedelta(minutes=1))] == [1, 0]
        said.append(words)
        assert {who for stage, who in reminders() if stage == words} == to
    assert len(reminders()) == 4 * len(to)
    assert set(Message.objects.filter(key__startswith="clock:").values_list("urgent", flat=True)) == {True}
    settle()


def test_after_a_pause_only_the_latest_is_said(cast: Any) -> None:
    running(cast)
    assert alert(now=NOW + timedelta(hours=70)) == 1
    assert {stage for stage, _ in reminders()} == {"nine tenths of the time are over"}
    settle()


def test_a_short_clock_is_reminded_in_the_order_of_time(cast: Any) -> None:
    running(cast, "DORA-INI", cap_at=NOW)  # four hours
    for hours in (2, 3, 3.6):
        alert(now=NOW + timedelta(hours=hours))
    stages = {stage for stage, _ in reminders()}
    assert stages == {"half of the time is over", "one hour is left", "nine tenths of the time are over"}
    settle()


@contextmanager
def a_clock_of(cast: Any, due: datetime, alerted: int) -> Iterator[IncidentClock]:
    """A clock of any length, with any reminder as the last one: the database takes none like it for good."""
    made = running(cast, "HIPAA")  # two months at most
    with transaction.atomic():
        IncidentClock.objects.filter(pk=made.pk).update(due_at=due, alerted=alerted)
        yield made
        transaction.set_rollback(True)


def moments(anchor_at: datetime, due: datetime) -> list[tuple[datetime, int]]:
    """When to remind, in the order of time: at 50, 75 and 90 percent, and an hour before where there is one."""
    whole = due - anchor_at
    found = [(anchor_at + whole * share / 100, share) for share in (50, 75, 90)]
    if whole > timedelta(hours=1):
        found.append((due - timedelta(hours=1), 99))
    return sorted(found)


def level(anchor_at: datetime, due: datetime, alerted: int, now: datetime) -> int:
    """The latest reminder whose time has come after the last one given; 0 for none."""
    order = [share for _, share in moments(anchor_at, due)]
    given = order.index(alerted) if alerted in order else -1
    come = [share for at, share in moments(anchor_at, due)[given + 1 :] if at <= now]
    return come[-1] if come else 0


@pytest.mark.parametrize(
    ("hours", "alerted", "levels"),
    [
        (100, 0, {49: 0, 50: 50, 74: 50, 75: 75, 80: 75, 90: 90, 95: 90, 99: 99, 100: 99}),
        (100, 75, {80: 0, 90: 90}),
        (100, 99, {100: 0}),
        (4, 0, {1.9: 0, 2: 50, 3: 99, 3.5: 99, 3.6: 90}),
        (4, 75, {2.9: 0, 3: 99, 3.6: 90}),
        (4, 90, {4: 0}),
        (1, 0, {0.5: 50, 0.75: 75, 0.9: 90, 1: 90}),
    ],
)
def test_which_reminder_is_due(cast: Any, hours: float, alerted: int, levels: dict[float, int]) -> None:
    with a_clock_of(cast, NOW + timedelta(hours=hours), alerted) as made:
        given = {at: clock_watch._levels(NOW + timedelta(hours=at)).get(made.pk, 0) for at in levels}
    assert given == levels


@pytest.mark.parametrize("hours", [1, 4, 10, 72])
@pytest.mark.parametrize("alerted", [0, 50, 75, 90, 99])
def test_the_statement_agrees_with_the_rule(cast: Any, hours: int, alerted: int) -> None:
    due = NOW + timedelta(hours=hours)
    with a_clock_of(cast, due, alerted) as made:
        for part in range(0, 100, 7):
            now = NOW + (due - NOW) * part / 100
            assert clock_watch._levels(now).get(made.pk, 0) == level(NOW, due, alerted, now)


def test_a_corrected_deadline_is_reminded_of_anew(cast: Any) -> None:
    made = running(cast)
    alert(now=NOW + timedelta(hours=40))
    at = NOW + timedelta(hours=40)
    correct_anchor(made, anchor_at=NOW - timedelta(hours=2), reason="Earlier", actor=cast.lea, now=at)
    assert alert(now=at) == 1
    assert len(reminders()) == 6
    settle()


def test_a_missed_deadline_is_said_once(cast: Any) -> None:
    made = running(cast)
    due = NOW + timedelta(hours=72)
    assert mark_missed(now=due) == 0  # until the last moment it is in time
    late = due + timedelta(seconds=1)
    assert [mark_missed(now=late), mark_missed(now=late)] == [1, 0]
    made.refresh_from_db()
    assert (made.state, made.alerted) == ("missed", 100)
    event = AuditEvent.objects.get(kind="clock.missed")
    assert event.subject_id == made.incident.code
    text = made.incident.timeline.order_by("-pk").first().text
    assert text == "GDPR Art. 33(1): the deadline of Mon 23 Nov, 10:14 has passed."
    assert {stage for stage, _ in reminders()} == {"the deadline has passed"}
    settle()


def test_what_is_decided_is_left_alone(cast: Any) -> None:
    made = running(cast)
    by = signed(cast, cast.lea, NOW)
    decide_not_reportable(list(made.incident.clocks.all()), reason="Test data", **by)
    sent = Message.objects.count()
    for hours in (20, 36, 71, 80):
        assert watch_clocks(now=NOW + timedelta(hours=hours)) == 0
    assert Message.objects.count() == sent


def test_a_correction_takes_a_missed_one_back(cast: Any) -> None:
    made = running(cast)
    late = NOW + timedelta(hours=73)
    mark_missed(now=late)
    made = correct_anchor(made, anchor_at=NOW + timedelta(hours=5), reason="Known later", actor=cast.lea, now=late)
    assert made.state == "running"
    assert mark_missed(now=late) == 0
    settle()


def test_what_nobody_assessed_in_time_is_asked_again_once(cast: Any) -> None:
    incident = with_clocks(cast)
    at = NOW + timedelta(hours=6, seconds=1)
    # Four hours of DORA, 24 of NIS2, the CRA and California, 36 of the bank regulators leave less than six.
    waits = {"DORA-INI", "NIS2-24", "CRA-EW", "CA-SB53-24"}
    assert ask_again(now=at) == len(waits)
    assert set(incident.clocks.filter(alerted=1).values_list("rule__key", flat=True)) == waits
    assert ask_again(now=at) == 0
    words = incident.timeline.filter(kind="alarm").order_by("-pk").first().text
    assert words.startswith("Nobody has said in time whether it has to be reported: ")
    mails = Message.objects.filter(key__startswith="clock-assess:")
    assert {mail.recipient for mail in mails} == {cast.lea, cast.cleo, cast.mara}
    settle()


def test_clocks_that_could_not_be_opened_are_opened_later(cast: Any) -> None:
    incident = with_clocks(cast, scenario="cost-spike")
    assert incident.clocks.count() == 0
    type(incident).objects.filter(pk=incident.pk).update(scenario="data-access", version=incident.version + 1)
    assert [catch_up(now=NOW), catch_up(now=NOW)] == [1, 0]
    assert incident.clocks.count() == 20


def test_who_left_is_replaced(cast: Any) -> None:
    made = running(cast)
    seat_person("legal", cast.nils, actor=cast.mara, now=NOW)
    cast.lea.refresh_from_db()
    deactivate_person(cast.lea, actor=cast.mara, now=NOW)
    assert pass_on(now=NOW) == IncidentClock.objects.filter(decides=cast.nils).count() > 10
    made.refresh_from_db()
    assert made.decides == cast.nils
    assert pass_on(now=NOW) == 0
    assert AuditEvent.objects.filter(kind="clock.passed_on").count() == IncidentClock.objects.filter(
        decides=cast.nils
    ).count()  # fmt: skip


def test_a_drill_is_never_missed(cast: Any) -> None:
    system = a_system(cast, owner=cast.ada)
    drill = with_clocks(cast, mode="drill", exercise=a_drill(cast), system=system)
    assert mark_missed(now=NOW + timedelta(days=100)) == 0
    assert set(drill.clocks.values_list("state", flat=True)) == {"not_assessed"}
