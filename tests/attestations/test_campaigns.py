"""Opening, reminding, closing: once, for everybody, and never by silence."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from apps.attestations import actions, queries
from apps.attestations.models import Assignment, Campaign
from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND, SCHEDULER
from apps.common.errors import Refused
from apps.notify.models import Message
from tests.attestations import world
from tests.attestations.world import NOW, PERIOD, register

ZONE = 1  # Berlin is an hour ahead of UTC in November


def at(day: int, hour: int = 10, month: int = 11) -> datetime:
    """A local time in Berlin."""
    return datetime(2026, month, day, hour - ZONE, tzinfo=UTC)


def open_it(now: datetime = NOW) -> Campaign:
    return actions.open_campaign(PERIOD, actor=COMMAND, now=now)[0]


def mails(kind: str) -> list[Message]:
    return list(Message.objects.filter(key__startswith="campaign:", key__contains=f":{kind}").order_by("key"))


def events(kind: str) -> int:
    return AuditEvent.objects.filter(kind=kind).count()


def test_every_live_system_gets_one_assignment(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    register(cast, "two", stage="unknown", tier="critical")
    register(cast, "three", stage="proposed")
    campaign, new = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)
    assert new
    rows = {row.system.key: row for row in campaign.assignments.select_related("system")}
    assert set(rows) == {"one", "two"}
    assert rows["one"].person == cast.ada
    assert rows["one"].owner_basis == "accepted"
    assert rows["one"].due_on == date(2026, 11, 30)
    assert rows["two"].person == cast.una
    assert rows["two"].owner_basis == "interim"
    assert rows["two"].due_on == date(2026, 11, 16)
    assert events("campaign.opened") == 1


def test_opening_again_changes_nothing(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    first = open_it()
    register(cast, "later", owner=cast.ada)
    second, new = actions.open_campaign(PERIOD, actor=COMMAND, now=NOW + timedelta(days=1))
    assert (second.pk, new) == (first.pk, False)
    assert first.assignments.count() == 1
    assert len(mails("opened")) == 1
    assert events("campaign.opened") == 1


def test_facts_are_frozen_with_their_hash(cast: Any) -> None:
    import json

    system = register(cast, "one", owner=cast.ada, vendor="Initech", purpose="Sorts letters")
    campaign = open_it()
    snapshot = campaign.assignments.get().snapshot
    facts = json.loads(snapshot.facts)
    assert facts["owner"]["name"] == "Ada Nwosu"
    assert facts["owner"]["since"].startswith("2026-11-05")
    assert facts["deputy"]["name"] == "Ben Ortega"
    assert facts["vendor"] == "Initech"
    assert facts["leads"]["data-access"]["name"] == "Cleo Marchetti"
    from apps.registry import actions as registry

    registry.change_system(system, actor=cast.mara, now=NOW, vendor="Umbrella")
    snapshot.refresh_from_db()
    assert json.loads(snapshot.facts)["vendor"] == "Initech"
    assert len(campaign.scope_hash) == 64


def test_one_mail_a_person_lists_all_their_systems(cast: Any) -> None:
    for n in range(3):
        register(cast, f"a{n}", owner=cast.ada)
    register(cast, "b", owner=cast.nils)
    open_it()
    first, second = sorted(mails("opened"), key=lambda m: m.recipient.display_name)
    assert (first.recipient, second.recipient) == (cast.ada, cast.nils)
    assert "3 systems" in first.subject
    assert all(f"(a{n})" in first.body for n in range(3))
    assert "(b)" not in first.body
    assert first.key == f"campaign:{PERIOD}:{cast.ada.pk}:opened"


def test_a_long_list_is_cut_with_its_number(cast: Any) -> None:
    for n in range(51):
        register(cast, f"a{n:02}", owner=cast.ada)
    open_it()
    (mail,) = mails("opened")
    assert mail.body.count("(a") == 20
    assert "and 31 more" in mail.body


def test_a_campaign_that_is_over_or_empty_is_not_opened(cast: Any) -> None:
    with pytest.raises(Refused, match="No live system"):
        open_it()
    assert not Campaign.objects.exists()
    register(cast, "one")
    with pytest.raises(Refused, match="would have closed on 10 Dec 2026"):
        open_it(datetime(2026, 12, 10, 23, 30, tzinfo=UTC))
    with pytest.raises(ValueError, match="no quarter"):
        actions.open_campaign("2026Q5", actor=COMMAND, now=NOW)


def test_the_sweep_opens_in_the_morning_of_its_day_and_not_before_there_are_systems(cast: Any) -> None:
    assert actions.open_due(now=at(9)) == []
    register(cast, "one")
    assert actions.open_due(now=at(9, 8)) == []
    assert actions.open_due(now=at(9, 9)) == [PERIOD]
    assert actions.open_due(now=at(9, 9)) == []
    assert events("campaign.opened") == 1


def test_by_hand_once_a_day(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = open_it(at(9))
    assert actions.remind_open(campaign, actor=cast.mara, now=at(10)) == 1
    with pytest.raises(Refused, match="already"):
        actions.remind_open(campaign, actor=cast.mara, now=at(10, 18))
    assert actions.remind_open(campaign, actor=cast.mara, now=at(11)) == 1
    assert Message.objects.filter(key__startswith="campaign-asked:").count() == 2


def test_closing_makes_silence_not_attested(cast: Any) -> None:
    register(cast, "one", owner=cast.ada)
    campaign = open_it(at(9))
    with pytest.raises(Refused, match="not reached"):
        actions.begin_rollup(campaign, actor=SCHEDULER, now=at(10, 23, 12))
    assert actions.move_on_due(now=at(30)) == []
    assert actions.move_on_due(now=at(1, month=12)) == [PERIOD]  # past its due date
    assert actions.move_on_due(now=at(10, 23, 12)) == []
    assert actions.move_on_due(now=at(11, 1, 12)) == [PERIOD]  # into the roll-up
    assert actions.move_on_due(now=at(11, 1, 12)) == []
    campaign.refresh_from_db()
    assert (campaign.state, campaign.assignments.get().state) == ("rollup", "not_attested")
    assert events("campaign.rollup_began") == 1
    assert actions.remind_all_due(now=at(12, month=12)) == 0


def test_counts_add_up(cast: Any, django_assert_num_queries: Any) -> None:
    for n, tier in enumerate(("critical", "high", "medium", "low", "unknown")):
        register(cast, f"s{n}", owner=cast.ada, tier=tier)
    register(cast, "interim", unit=cast.devtools)
    campaign = open_it(at(9))
    with django_assert_num_queries(1):
        progress = queries.completion(campaign, today=date(2026, 11, 24))
    counts = progress.counts
    assert (counts.total, counts.overdue, counts.not_started, counts.interim) == (6, 2, 4, 1)
    assert [group.counts.total for group in progress.tiers] == [1, 1, 4]
    with django_assert_num_queries(1):
        rows = queries.unit_rows(progress)
    assert [row.unit.name for row in rows] == ["Claims", "Developer Tools"]
    systems = [row.system_id for row in campaign.assignments.all()]
    with django_assert_num_queries(1):
        status = queries.status_by_system(systems, today=date(2026, 11, 24))
    assert sorted(s.words for s in status.values()) == ["Not started"] * 4 + ["Overdue"] * 2


def test_the_command_tells_what_it_did(cast: Any, capsys: Any) -> None:
    import json

    register(cast, "one")
    call_command("open_campaign", period="2030Q1", json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["opened"], told["assignments"], told["interim"]) == (True, 1, 1)
    call_command("open_campaign", period="2030Q1", json=True)
    assert json.loads(capsys.readouterr().out)["opened"] is False
    with pytest.raises(CommandError, match="no quarter"):
        call_command("open_campaign", period="Q1")


def test_the_tasks_have_the_names_of_the_schedule() -> None:
    from apps.attestations import tasks
    from govportal.celery import app

    names = {task.name for task in (tasks.open_due, tasks.remind_due, tasks.move_on_due)}
    assert names <= {entry["task"] for entry in app.conf.beat_schedule.values()}


@pytest.mark.committed
def test_two_at_once_open_one_campaign(committed_db: str) -> None:
    from tests.cast import Cast

    cast = Cast()
    for n in range(5):
        register(cast, f"s{n}", owner=cast.ada)

    def run(_: int) -> bool:
        try:
            return actions.open_campaign(PERIOD, actor=COMMAND, now=NOW)[1]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [False, False, False, True]
    assert Assignment.objects.count() == 5
    assert Message.objects.filter(key__contains=":opened").count() == 1


@pytest.mark.committed
def test_many_systems_open_in_constant_statements(committed_db: str) -> None:
    world.many(300, 40)
    campaign = open_it()
    assert campaign.assignments.count() == 300
    assert Message.objects.filter(key__contains=":opened").count() == 40
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM attestations_scopesnapshot")
        assert cursor.fetchone()[0] == 300
