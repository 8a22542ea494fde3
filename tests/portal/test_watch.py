"""The watchman: every duty that was not done is counted, told to somebody by name, and closed when it is done."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.attestations.models import CampaignTemplate
from apps.audit import sweeps
from apps.audit.models import AuditEvent
from apps.directory.actions import offboard
from apps.directory.models import OffboardingCase
from apps.findings.actions import sweep_registry
from apps.findings.models import Finding
from apps.findings.rules import Swept
from apps.notify.actions import Note, enqueue_many
from apps.notify.models import Message
from apps.people.actions import grant_role, provision_person
from apps.people.rules import RoleName
from apps.portal.queries import watch
from apps.portal.queries.watch import DUTIES, Watched, watch_breaches, watched
from apps.portal.queries.watch_checks import Duty, Look, Scene, Tends
from apps.registry import actions as registry
from apps.registry.actions.escalation import escalate_nominations
from apps.registry.actions.handover import escalate_handovers
from apps.registry.actions.raci import escalate_acceptances
from apps.registry.models import Handover, Nomination, RaciAcceptance
from apps.registry.rules.breaches import Severity
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.factories.matrices import asked_for_an_a
from tests.findings.world import a_finding, breach
from tests.handovers import begin

SCHEDULE = {"audit.heartbeat": {"task": "audit.heartbeat", "schedule": 60.0}, "a": {"task": "a", "schedule": 600.0}}


@pytest.fixture(autouse=True)
def no_campaigns(request: pytest.FixtureRequest) -> None:
    """Duties of campaigns have their own tests."""
    if "cast" in request.fixturenames:
        request.getfixturevalue("cast")
        CampaignTemplate.objects.update(is_active=False)


def alive(now: datetime) -> None:
    """A worker that has just done everything."""
    sweeps.register(SCHEDULE, now=now)
    for name in SCHEDULE:
        sweeps.begun(name, 60, now=now)
        sweeps.succeeded(name, None, now=now)


def nothing_waits() -> None:
    """What verbs said is not what a test is about."""
    Message.objects.filter(state="queued").update(not_before=after(days=900))


def undone(found: Watched) -> dict[str, tuple[int, str]]:
    """Key -> how many, and who sees to it."""
    return {one.duty.key: (one.undone, one.person.display_name if one.person else "") for one in found.undone}


def texts(found: Watched, key: str) -> list[str]:
    return [example.text for one in found.outcomes if one.duty.key == key for example in one.examples]


def after(**time: int) -> datetime:
    return NOW + timedelta(**time)


def test_all_is_done(cast: Cast) -> None:
    alive(NOW)
    found = watched(NOW, reader=cast.mara)
    assert (found.verdict, undone(found)) == (f"All {len(DUTIES)} duties are done.", {})
    assert watch_breaches(NOW) == []
    assert len({duty.key for duty in DUTIES}) == len(DUTIES) == 26


def test_without_a_worker_nothing_else_is_blamed(cast: Cast) -> None:
    found = watched(NOW, reader=cast.mara)
    assert undone(found) == {"worker": (1, "Mara Lindt")}
    assert found.verdict == "1 of 26 duties was not done."
    assert texts(found, "worker") == ["No worker has ever reported."]
    alive(NOW)
    assert undone(watched(after(minutes=3))) == {}
    late = watched(after(minutes=3, seconds=1), reader=cast.mara)
    assert undone(late) == {"worker": (1, "Mara Lindt")}
    assert texts(late, "worker") == ["The last sign of a worker: 16 Nov 2026, 10:30."]


def test_sweeps_that_are_late_or_fail(cast: Cast) -> None:
    alive(NOW)
    later = after(minutes=31)
    sweeps.begun("audit.heartbeat", 60, now=later)
    sweeps.succeeded("audit.heartbeat", None, now=later)
    found = watched(later, reader=cast.mara)
    assert undone(found) == {"sweeps-late": (1, "Mara Lindt")}
    assert texts(found, "sweeps-late") == ["a, last good end: 16 Nov 2026, 10:30"]
    for number in range(5):
        assert "sweeps-failing" not in undone(watched(NOW)), number
        sweeps.begun("a", 600, now=NOW)
        sweeps.failed("a", OSError("disk full"), now=NOW)
    found = watched(NOW, reader=cast.mara)
    assert texts(found, "sweeps-failing") == ["a, 5 times in a row. OSError: disk full"]
    assert [run.name for run in found.sweeps] == ["a", "audit.heartbeat"], "a fault first"


def test_the_first_administrator_sees_to_the_machines(cast: Cast) -> None:
    grant_role(cast.nils, RoleName.ADMINISTRATOR, actor=cast.mara, now=NOW)
    assert undone(watched(NOW)) == {"worker": (1, "Nils Okafor")}


def _mails(cast: Cast) -> None:
    people = [cast.ada, cast.ben, cast.una, cast.nils, cast.dov, cast.lea]
    enqueue_many([Note(f"k{place}", one, "S", "B") for place, one in enumerate(people)], now=NOW)
    rows = Message.objects
    rows.filter(key__in=["k1", "k2", "k3"]).update(state="claimed", claimed_at=NOW)
    rows.filter(key="k2").update(state="uncertain")
    rows.filter(key="k3").update(state="failed", error="550")
    rows.filter(key="k4").update(not_before=after(hours=9))
    rows.filter(key="k5").update(state="claimed", claimed_at=NOW)
    rows.filter(key="k5").update(state="sent", sent_at=NOW)


def test_mail_that_does_not_leave(cast: Cast) -> None:
    _mails(cast)
    alive(NOW)
    now = after(minutes=15)
    alive(now)
    assert undone(watched(now)) == {
        "mail-claimed": (1, "Mara Lindt"),
        "mail-uncertain": (1, "Mara Lindt"),
        "mail-not-reached": (1, "Mara Lindt"),
    }
    now = after(minutes=15, seconds=1)
    found = watched(now, reader=cast.mara)
    assert undone(found)["mail-waiting"] == (1, "Mara Lindt")
    assert texts(found, "mail-waiting") == ["Ada Nwosu, written 16 Nov 2026, 10:30"]
    assert texts(found, "mail-not-reached") == ["Nils Okafor, written 16 Nov 2026, 10:30"]
    # A later mail that arrives says that the address works.
    enqueue_many([Note(f"later:{one.pk}", one, "S", "B") for one in (cast.una, cast.nils)], now=now)
    later = Message.objects.filter(key__startswith="later:")
    later.update(state="claimed", claimed_at=now)
    later.update(state="sent", sent_at=now)
    assert set(undone(watched(now))) == {"mail-claimed", "mail-waiting"}


def test_mail_to_who_left_is_another_finding(cast: Cast) -> None:
    alive(NOW)
    enqueue_many([Note("k", cast.ivan, "S", "B")], now=NOW)
    assert undone(watched(NOW)) == {}


def test_links_and_examples_are_the_readers(cast: Cast) -> None:
    _mails(cast)
    alive(after(hours=1))

    def links(reader: Any) -> set[str]:
        found = watched(after(hours=1), reader=reader)
        return {example.path for one in found.outcomes for example in one.examples}

    assert links(cast.mara) == {"/mail/"}
    assert links(cast.eve) == {""}, "the outbox is not for auditors"
    assert [one.examples for one in watched(after(hours=1)).undone] == [(), (), (), ()]


def test_leavers_whose_clock_ran_out(cast: Cast) -> None:
    gone = provision_person(email="gil@example.org", display_name="Gil Duarte", actor=cast.mara, now=NOW)
    a_system(cast, owner=gone)
    offboard(gone, actor=cast.mara, now=NOW, reason="Left")
    OffboardingCase.objects.update(due_on=date(2026, 11, 15))
    nothing_waits()
    alive(after(hours=1))
    found = watched(after(hours=1), reader=cast.mara)
    assert undone(found) == {"leavers-overdue": (1, "Mara Lindt")}
    assert texts(found, "leavers-overdue") == ["Gil Duarte, due 15 Nov 2026; Mara Lindt sees to it"]


def test_what_nobody_answered_goes_up(cast: Cast) -> None:
    one = a_system(cast, key="SYS-1", name="Claims bot")
    registry.nominate_owner(one, cast.ada, actor=cast.mara, now=NOW)
    begin(cast, a_system(cast, key="SYS-2", name="Letters", owner=cast.ada), cast.nils, now=NOW)
    asked_for_an_a(a_system(cast, key="SYS-3", owner=cast.nils), actor=cast.mara, now=NOW)
    due = Handover.objects.get().due_on
    Nomination.objects.filter(state="open").update(due_on=due)
    RaciAcceptance.objects.update(due_on=due)
    nothing_waits()
    # Midnight in Berlin is 23:00 in UTC; the sweeps have three hours.
    at_two = datetime(due.year, due.month, due.day, 23, tzinfo=UTC) + timedelta(hours=3)
    alive(at_two)
    assert undone(watched(at_two - timedelta(seconds=1))) == {}
    found = watched(at_two, reader=cast.mara)
    assert undone(found) == {
        "nominations-not-escalated": (1, "Mara Lindt"),
        "handovers-not-escalated": (1, "Mara Lindt"),
        "acceptances-not-escalated": (1, "Mara Lindt"),
    }
    assert due == date(2026, 11, 23)
    assert texts(found, "nominations-not-escalated") == ["Ada Nwosu for Claims bot, due 23 Nov 2026"]
    assert texts(found, "handovers-not-escalated") == ["Letters, Ada Nwosu to Nils Okafor, due 23 Nov 2026"]
    for escalate in (escalate_acceptances, escalate_handovers, escalate_nominations):
        assert escalate(now=at_two) == 1
    assert undone(watched(at_two)) == {}


def test_examples_of_systems_that_the_reader_may_not_see_are_left_out(cast: Cast) -> None:
    system = a_system(cast, key="SYS-1", name="Secret", restricted=True)
    registry.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW)
    Nomination.objects.update(due_on=date(2026, 11, 1))
    alive(NOW)
    for reader, said in ((cast.mara, ["Ada Nwosu for Secret, due 1 Nov 2026"]), (cast.cleo, [])):
        found = watched(NOW, reader=reader)
        assert undone(found) == {"nominations-not-escalated": (1, "Mara Lindt")}
        assert texts(found, "nominations-not-escalated") == said


def test_overdue_findings_that_were_not_told(cast: Cast) -> None:
    one, two = a_finding(cast), a_finding(cast, title="Another.")
    Finding.objects.filter(pk=one.pk).update(due_on=date(2026, 11, 13), step=2)
    Finding.objects.filter(pk=two.pk).update(due_on=date(2026, 11, 13), step=3)
    nothing_waits()
    noon = datetime.fromisoformat("2026-11-16T11:00:00+00:00")
    alive(noon)
    assert undone(watched(noon - timedelta(seconds=1))) == {}
    found = watched(noon, reader=cast.mara)
    assert undone(found) == {"findings-not-told": (1, "Mara Lindt")}, "three days late is the head's step, the third"
    assert texts(found, "findings-not-told") == ["The channel is not tested. Ada Nwosu, due 13 Nov 2026"]


def test_a_month_without_a_partition(cast: Cast) -> None:
    far = datetime(2099, 12, 5, tzinfo=NOW.tzinfo)
    alive(far)
    found = watched(far, reader=cast.mara)
    assert texts(found, "trail-months") == ["December 2099", "January 2100"]


def _broken(scene: Scene) -> Look:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")
    return Look()


def _duty(key: str, look: Any) -> Duty:
    return Duty(key, f"What {key}", "now", f"{key}.", "1", "{n}", "Do it.", Tends.MANDATE, Severity.LOW, look)


def test_a_check_that_fails_is_a_duty_nobody_knows_to_be_done(cast: Cast) -> None:
    found = watched(NOW, reader=cast.mara, duties=[_duty("good", lambda scene: Look()), _duty("bad", _broken)])
    assert [(one.duty.key, one.done, one.looked, one.words) for one in found.outcomes] == [
        ("bad", False, False, "What bad: unknown"),
        ("good", True, True, "0"),
    ]


def test_one_finding_a_duty_raised_told_and_closed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"matrix": lambda now: [breach(cast.ada)]}
    sweep_registry(now=NOW, sources=other)
    monkeypatch.setattr("apps.findings.actions.sweep.all_sources", lambda: other | {"watch": watch_breaches})
    assert sweep_registry(now=NOW, only=["watch"]) == Swept(raised=1)
    finding = Finding.objects.get(code=watch.NOT_DONE)
    assert (finding.subject, finding.title, finding.person, finding.path, finding.severity, finding.origin) == (
        "worker", "No worker takes work from the queue.", cast.mara, "/status/", "critical", "watch",
    )  # fmt: skip
    assert Message.objects.filter(recipient=cast.mara, subject="1 new finding for you").count() == 1
    events = AuditEvent.objects.count()
    assert sweep_registry(now=after(minutes=10), only=["watch"]) == Swept()
    assert AuditEvent.objects.count() == events, "looking writes nothing"
    found = watched(after(minutes=10), reader=cast.eve)
    assert [(one.finding, one.sees_to_it) for one in found.undone] == [(finding, cast.mara)]
    alive(after(minutes=20))
    nothing_waits()
    assert sweep_registry(now=after(minutes=20), only=["watch"]) == Swept(closed=1)
    assert Finding.objects.get(origin="matrix").state == "open", "what was not asked stays"


def test_a_number_that_changes_is_no_event(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.findings.actions.sweep.all_sources", lambda: {"watch": watch_breaches})
    alive(after(hours=1))
    enqueue_many([Note("a", cast.ada, "S", "B")], now=NOW)
    assert sweep_registry(now=after(hours=1), only=["watch"]).raised == 1
    enqueue_many([Note("b", cast.ada, "S", "B")], now=NOW)
    assert sweep_registry(now=after(hours=1), only=["watch"]) == Swept()


def test_the_sweep(cast: Cast) -> None:
    from apps.portal.tasks import watch as task

    assert task() == 1
    assert Finding.objects.get(code=watch.NOT_DONE).subject == "worker"


def test_looking_costs_the_same_for_many(cast: Cast) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            watched(after(hours=1), reader=cast.mara)
        return len([one for one in seen.captured_queries if "SAVEPOINT" not in one["sql"]])

    alive(after(hours=1))
    few = statements()
    enqueue_many([Note(f"k{n}", cast.ada, "S", "B") for n in range(3000)], now=NOW)
    assert (statements(), few) == (33, 32), "one more: what the reader may open"
    one = next(one for one in watched(after(hours=1), reader=cast.mara).undone)
    assert (one.undone, len(one.examples), one.words) == (3000, 5, "3,000 mails wait longer than 15 minutes")
