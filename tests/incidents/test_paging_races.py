"""Calling while others act at the same moment: several connections, killed workers, lives drawn by lot.

At each committed moment an open incident has exactly one lead, who is an active person; one that goes on has a timer;
nothing waits to be sent once somebody has it; nobody is called twice in one step.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection

from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common.errors import NotAllowed, Refused
from apps.common.saving import is_collision
from apps.directory.actions import bring_back, offboard
from apps.incidents.actions.declare import declare
from apps.incidents.actions.leads import answer_handover, ask_handover, decline_lead, relieve_lead
from apps.incidents.actions.paging import acknowledge, advance_due, decline_page, snooze
from apps.incidents.actions.plans import set_plan
from apps.incidents.actions.states import classify, classify_overdue, dismiss, reopen, resolve
from apps.incidents.models import (
    Escalation,
    EscalationPlan,
    InboundSource,
    Incident,
    LeadHandover,
    LeadTerm,
    Page,
)
from apps.incidents.rules import LIVE
from apps.incidents.rules.plans import BUILT_IN, Plan
from apps.notify import delivery
from apps.notify.models import Message
from apps.people.models import Person
from apps.registry.actions import record_absence
from tests import databases
from tests.cast import Cast
from tests.factories import a_system
from tests.hostile.races import at_once, sentence, while_open
from tests.incidents.paging_world import NOW, contained, declared, minutes, pages, timer

pytestmark = pytest.mark.committed

WORKERS, STEPS = 4, 45
# What has to happen, and how often, before the promises count as tried.
NEEDED, AT_LEAST = ("incident.acknowledged", "escalation.advanced"), 3

# Each row breaks a promise, in one statement's snapshot.
BROKEN_SQL = """
SELECT 'lead', i.code FROM incidents_incident i JOIN people_person p ON p.id = i.lead_id
WHERE i.state NOT IN ('closed', 'dismissed', 'merged') AND (NOT p.is_active OR p.kind <> 'human'
    OR (SELECT array_agg(t.person_id) FROM incidents_leadterm t WHERE t.incident_id = i.id AND t.ended_at IS NULL)
       IS DISTINCT FROM ARRAY[i.lead_id])
UNION ALL
SELECT 'lost', i.code FROM incidents_incident i LEFT JOIN incidents_escalation e ON e.incident_id = i.id
WHERE i.state IN ('reported', 'triage', 'active', 'contained') AND (e.state IS NULL OR e.state = 'stopped')
UNION ALL
SELECT 'said after', m.key FROM notify_message m JOIN incidents_escalation e
    ON split_part(m.key, ':', 1) = 'page' AND split_part(m.key, ':', 2) = e.incident_id::text
WHERE m.state = 'queued' AND e.state IN ('acked', 'stopped')
UNION ALL
SELECT 'called after', p.id::text FROM incidents_page p JOIN incidents_escalation e USING (incident_id)
WHERE p.state IN ('queued', 'sent', 'delivered') AND e.state IN ('acked', 'stopped')
"""


def broken() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(BROKEN_SQL)
        return cursor.fetchall()


def one_lead(incident: Incident) -> Person:
    incident.refresh_from_db()
    assert not broken()
    return incident.lead


def test_two_answers_at_once_make_one_lead(committed_db: str, record_property: Any) -> None:
    cast, won = Cast(), Counter[str]()
    for _ in range(8):
        incident = declared(cast)
        advance_due(now=minutes(5))
        found = at_once(
            partial(acknowledge, incident, actor=cast.ada, now=minutes(6)),
            partial(acknowledge, incident, actor=cast.ben, now=minutes(6)),
        )
        assert sorted(isinstance(one, Refused) for one in found) == [False, True], found
        lead = one_lead(incident)
        won[lead.display_name] += 1
        assert timer(incident).acked_by == lead
        assert LeadTerm.objects.filter(incident=incident, ended_at=None).count() == 1
    assert AuditEvent.objects.filter(kind="incident.acknowledged").count() == 8
    record_property("figures", f"two answers at once, 8 times: {dict(won)}; one lead each time")


@pytest.mark.parametrize("first", ["answer", "resolve"])
def test_an_answer_that_races_a_resolve(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = acknowledge(declared(cast, severity="sev1"), actor=cast.ada, now=minutes(1))
    incident = contained(incident, cast.ada, minutes(2))
    advance_due(now=minutes(61))  # it was not renewed: people are called again
    assert timer(incident).state == "running"

    def answer() -> Any:
        return acknowledge(incident, actor=Person.objects.get(pk=cast.ben.pk), now=minutes(62))

    def over() -> Any:
        return resolve(incident, resolution="Narrowed", actor=Person.objects.get(pk=cast.ada.pk), now=minutes(62))

    acts = (answer, over) if first == "answer" else (over, answer)
    _, second = while_open(*acts)
    lead = one_lead(incident)
    assert timer(incident).state == "stopped"
    assert not incident.is_live
    if first == "answer":
        assert not isinstance(second, Exception)
        assert lead == cast.ben
    else:
        assert isinstance(second, Refused)
        assert lead == cast.ada
    assert not Message.objects.filter(key__startswith="page:", state="queued").exists()


def test_two_declare_at_once(committed_db: str) -> None:
    cast = Cast()
    system = a_system(cast, owner=cast.ada)
    source = InboundSource.objects.create(
        name="Alerts", kind="webhook", prefix="abc", digest=b"x" * 32, owner=cast.mara, created_at=NOW
    )

    def alert() -> Incident:
        return declare(title="High cost", system=system, source=source, dedup_key="cost", actor=cast.robot, now=NOW)

    same = at_once(alert, alert, alert)
    assert all(isinstance(one, Incident) for one in same), same
    assert len({one.pk for one in same}) == 1
    assert Page.objects.count() == Message.objects.filter(key__startswith="page:").count() == 1

    apart = at_once(*[lambda: declare(title="It read letters", system=system, actor=cast.dov, now=NOW)] * 3)
    assert len({one.code for one in apart}) == 3
    assert Page.objects.count() == 4
    assert not broken()


def test_several_sweepers_call_once(committed_db: str, record_property: Any) -> None:
    cast = Cast()
    incidents = [declared(cast) for _ in range(6)]
    done = at_once(*[lambda: advance_due(now=minutes(5))] * 3)
    # What one works on another leaves for the next time.
    while advance_due(now=minutes(5)):
        pass
    assert all(isinstance(one, int) for one in done), done
    assert sum(done) <= 6
    for incident in incidents:
        assert [who for *_, who, _ in pages(incident)] == ["ada", "ben"]
        assert (timer(incident).step, timer(incident).due_at) == (2, minutes(10))
    assert Message.objects.filter(key__startswith="page:").count() == 12
    assert AuditEvent.objects.filter(kind="escalation.advanced").count() == 6
    record_property("figures", f"3 sweepers over 6 incidents did {done}: 6 steps, 12 calls, none twice")


@pytest.mark.parametrize("first", ["sweep", "answer"])
def test_a_sweep_that_races_an_answer(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = declared(cast)
    acts: dict[str, Callable[[], Any]] = {
        "sweep": lambda: advance_due(now=minutes(5)),
        "answer": lambda: acknowledge(incident, actor=Person.objects.get(pk=cast.ada.pk), now=minutes(5)),
    }
    other = "answer" if first == "sweep" else "sweep"
    while_open(acts[first], acts[other])
    assert one_lead(incident) == cast.ada
    assert timer(incident).state == "acked"
    # Whichever came first: nothing waits, and who was called in vain is not called any more.
    assert not Message.objects.filter(key__startswith="page:", state="queued").exists()
    advance_due(now=minutes(30))
    assert len(pages(incident)) == (2 if first == "sweep" else 1)


@pytest.mark.parametrize("first", ["leave", "answer"])
def test_a_leaver_who_answers_while_leaving(committed_db: str, first: str) -> None:
    cast = Cast()
    incident = declared(cast)
    acts: dict[str, Callable[[], Any]] = {
        "leave": lambda: offboard(Person.objects.get(pk=cast.ada.pk), actor=cast.mara, now=minutes(1)),
        "answer": lambda: acknowledge(incident, actor=Person.objects.get(pk=cast.ada.pk), now=minutes(1)),
    }
    _, second = while_open(acts[first], acts["answer" if first == "leave" else "leave"])
    assert sentence(second), second
    assert one_lead(incident) == cast.ben
    assert timer(incident).state == "running"
    called = Page.objects.filter(incident=incident, person=cast.ben, state="queued")
    assert called.exists()
    acknowledge(incident, actor=cast.ben, now=minutes(2))
    assert not broken()


def test_an_absence_that_starts_and_a_plan_that_changes_at_the_moment_of_a_step(committed_db: str) -> None:
    cast = Cast()
    incident = declared(cast)
    stands = EscalationPlan.objects.get(valid_to=None)
    day = NOW.date()
    found = at_once(
        lambda: advance_due(now=minutes(5)),
        lambda: record_absence(
            Person.objects.get(pk=cast.ben.pk), starts_on=day, ends_on=day, delegate=Cast().nils, actor=cast.mara,
            now=minutes(5),
        ),
        lambda: set_plan(
            Plan(BUILT_IN.steps[:2], 0, "Two"), replaces=stands, reason="Less", actor=cast.mara, now=minutes(5)
        ),
    )  # fmt: skip
    assert not any(isinstance(one, Exception) for one in found), found
    second = [who for *_, step, who, _ in pages(incident) if step == 1]
    assert second in (["ben"], ["nils"])
    assert timer(incident).due_at == minutes(10)  # the plan that it began with goes on
    advance_due(now=minutes(10))
    assert [who for *_, step, who, _ in pages(incident) if step == 2] == ["ada", "nils"]


# A worker that stops at one place, for ever, until it is killed.
_STOPS = """
import sys, time
import django
django.setup()
from datetime import datetime
from apps.incidents.actions import calling, paging
place, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
def stop(*_, **__):
    print("here", flush=True)
    time.sleep(600)
if place == "between":  # the pages and their messages are written, the time of the next step is not
    calling.sync_participants = stop
    paging.advance_due(now=now)
elif place == "committed":
    paging.advance_due(now=now)
    stop()
"""


def killed(database: str, place: str, now: datetime) -> None:
    """Let a real worker come to this place, and kill it there."""
    worker = subprocess.Popen(
        [sys.executable, "-c", _STOPS, place, now.isoformat()], cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": databases.app_url(database)}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "here\n"
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate(timeout=10)


def until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in 10 seconds")


@pytest.mark.parametrize("place", ["between", "committed"])
def test_a_worker_that_is_killed_loses_no_call(committed_db: str, place: str, record_property: Any) -> None:
    cast = Cast()
    incident = declared(cast)
    killed(committed_db, place, minutes(5))

    began = time.monotonic()
    if place == "between":
        # Nothing of the step is there, and it is still due. The server notices at once that the worker is gone.
        assert [who for *_, who, _ in pages(incident)] == ["ada"]
        assert timer(incident).due_at == minutes(5)
        until(lambda: bool(advance_due(now=minutes(5.25))))
    else:
        assert advance_due(now=minutes(5.25)) == 0
    assert [who for *_, who, _ in pages(incident)] == ["ada", "ben"]
    assert Message.objects.filter(key__startswith="page:").count() == 2
    assert timer(incident).due_at == minutes(10)
    record_property("figures", f"killed {place}: called once, {time.monotonic() - began:.2f} s after the kill")


def test_a_mail_that_a_killed_worker_left_in_doubt_holds_up_nobody(committed_db: str) -> None:
    cast = Cast()
    incident = declared(cast)
    assert delivery.claim_next(now=NOW) is not None  # and the worker is gone

    advance_due(now=minutes(5))
    assert [who for *_, who, _ in pages(incident)] == ["ada", "ben"]
    assert delivery.give_up_old_claims(now=minutes(11)) == 1
    advance_due(now=minutes(11))
    assert [who for *_, who, _ in pages(incident)] == ["ada", "ben", "ada", "ben"]
    assert Message.objects.get(key__startswith=f"page:{incident.pk}:1:0:0:").state == "uncertain"


class Box:
    """A mail server that takes everything, and notes what."""

    taken: list[str] = []

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, mail: Any) -> None:
        """Take it."""
        self.taken.append(str(mail["Message-ID"]))


class Clock:
    """One time for all, which goes on with each look."""

    def __init__(self) -> None:
        self.at, self.lock = NOW + timedelta(minutes=1), threading.Lock()

    def tick(self) -> datetime:
        """Some seconds later."""
        with self.lock:
            self.at += timedelta(seconds=40)
            return self.at


class Life:
    """What can happen to incidents and the people in them, each drawn from one seed."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.dice, self.clock = random.Random(seed), clock  # noqa: S311

    def step(self) -> None:
        """One act. What a person would be told in a sentence is an answer; all else is a failure."""
        try:
            self.dice.choice(self.acts())(self.clock.tick())
        except (Refused, NotAllowed, ValidationError, Incident.DoesNotExist):
            pass
        except DatabaseError as error:
            if not is_collision(error):
                raise

    def acts(self) -> list[Callable[[datetime], Any]]:
        often = [self.sweep, self.sweep, self.answer, self.cannot, self.deliver]
        return [*often, *often, self.declare, self.relieve, self.ask, self.take_over, self.classify, self.leave,
                self.come_back, self.away, self.contain, self.resolve, self.reopen, self.dismiss, self.snooze,
                self.plan, self.decline]  # fmt: skip

    def person(self) -> Person:
        return self.dice.choice(list(Person.objects.filter(is_active=True, kind="human").order_by("email")))

    def incident(self) -> Incident:
        return self.dice.choice(list(Incident.objects.order_by("pk")))

    def sweep(self, now: datetime) -> None:
        try:
            advance_due(now=now)
        except RuntimeError as error:
            # Somebody left in the moment in which they were called: the next sweep calls whoever is there then.
            if not isinstance(error.__cause__, DatabaseError) or not is_collision(error.__cause__):
                raise
        classify_overdue(now=now)

    def answer(self, now: datetime) -> None:
        waiting = list(Page.objects.filter(state__in=["queued", "sent"]).order_by("pk"))
        if waiting:
            page = self.dice.choice(waiting)
            acknowledge(page, actor=page.person, now=now, way="link")

    def cannot(self, now: datetime) -> None:
        waiting = list(Page.objects.filter(state__in=["queued", "sent"]).order_by("pk"))
        if waiting:
            page = self.dice.choice(waiting)
            decline_page(page, reason="Busy", actor=page.person, now=now)

    def deliver(self, now: datetime) -> None:
        delivery.deliver_pending(clock_now=lambda: now, limit=5)

    def declare(self, now: datetime) -> None:
        system = self.incident().system
        if Incident.objects.filter(state__in=[state.value for state in LIVE]).count() < 6:
            declare(title="Again", system=system, severity="sev1", actor=self.person(), now=now)

    def relieve(self, now: datetime) -> None:
        relieve_lead(self.incident(), self.person(), reason="Sleep", actor=self.person(), now=now)

    def ask(self, now: datetime) -> None:
        incident = self.incident()
        ask_handover(incident, self.person(), briefing="All", actor=incident.lead, now=now)

    def take_over(self, now: datetime) -> None:
        asked = LeadHandover.objects.filter(state="asked").order_by("pk").first()
        if asked is not None:
            answer_handover(asked, takes=True, actor=asked.incoming, now=now)

    def decline(self, now: datetime) -> None:
        incident = self.incident()
        decline_lead(incident, reason="Busy", actor=incident.lead, now=now)

    def classify(self, now: datetime) -> None:
        severity = self.dice.choice(["sev1", "sev2", "sev3"])
        classify(self.incident(), severity, reason="Seen", actor=self.person(), now=now)

    def leave(self, now: datetime) -> None:
        offboard(self.person(), actor=COMMAND, now=now)

    def come_back(self, now: datetime) -> None:
        gone = Person.objects.filter(is_active=False, kind="human").order_by("email").first()
        if gone is not None:
            bring_back(gone, actor=COMMAND, now=now)

    def away(self, now: datetime) -> None:
        record_absence(self.person(), starts_on=now.date(), ends_on=now.date(), actor=COMMAND, now=now)

    def contain(self, now: datetime) -> None:
        contained(self.incident(), self.person(), now)

    def resolve(self, now: datetime) -> None:
        resolve(self.incident(), resolution="Done", actor=self.person(), now=now)

    def reopen(self, now: datetime) -> None:
        reopen(self.incident(), reason="Again", actor=self.person(), now=now)

    def dismiss(self, now: datetime) -> None:
        if self.dice.random() < 0.3:
            dismiss(self.incident(), because="benign", note="None", actor=self.person(), now=now)

    def snooze(self, now: datetime) -> None:
        incident = self.incident()
        snooze(incident, minutes=60, reason="Restore", actor=incident.lead, now=now)

    def plan(self, now: datetime) -> None:
        stands = EscalationPlan.objects.filter(valid_to=None, unit=None, system=None).first()
        steps = BUILT_IN.steps[: self.dice.randint(2, 6)]
        set_plan(Plan(steps, self.dice.randint(0, 2), "Other"), replaces=stands, reason="Try", actor=COMMAND, now=now)


def enough_happened() -> bool:
    """Whether the promises were put to the test. In how many steps depends on who comes first, so the lives go on."""
    kinds = Counter(AuditEvent.objects.filter(kind__in=NEEDED).values_list("kind", flat=True))
    return all(kinds[kind] >= AT_LEAST for kind in NEEDED)


def live_together(seed: int) -> tuple[list[Any], list[Exception], int]:
    """Several lives at once, and somebody who looks all the time. What was seen broken, what failed, how many looks."""
    seen: list[Any] = []
    failed: list[Exception] = []
    looks, over, clock = 0, threading.Event(), Clock()

    def one(number: int) -> None:
        life = Life(seed * 10 + number, clock)
        try:
            for taken in range(10 * STEPS):
                if taken >= STEPS and enough_happened():
                    break
                life.step()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    def look() -> None:
        nonlocal looks
        try:
            while not over.is_set():
                seen.extend(broken())
                looks += 1
        finally:
            connection.close()

    watcher = threading.Thread(target=look)
    workers = [threading.Thread(target=one, args=(number,)) for number in range(WORKERS)]
    for thread in (watcher, *workers):
        thread.start()
    for thread in workers:
        thread.join(180)
    over.set()
    watcher.join(30)
    assert not any(thread.is_alive() for thread in workers), "they wait for each other"
    return seen, failed, looks


@pytest.mark.parametrize("seed", [1, 2])
def test_no_committed_moment_breaks_a_promise(
    committed_db: str, seed: int, monkeypatch: Any, record_property: Any
) -> None:
    cast = Cast()
    monkeypatch.setattr(delivery, "Outgoing", Box)
    monkeypatch.setattr(Box, "taken", [])
    for owner in (cast.ada, cast.nils):
        declared(cast, system=a_system(cast, owner=owner), severity="sev1")
    seen, failed, looks = live_together(seed)
    assert not failed, f"seed {seed}: {failed[0]!r}"
    assert not seen, f"seed {seed}: {seen[:3]}"
    assert looks > 10
    happened = Counter(AuditEvent.objects.values_list("kind", flat=True))
    assert all(happened[kind] >= AT_LEAST for kind in NEEDED), "too little happened to prove anything"
    # Nothing was sent twice, and no escalation was lost: whatever still goes on is called for in the end.
    assert len(Box.taken) == len(set(Box.taken))
    # Taken by the mail server in the moment between the last look and the answer: those alone can arrive after it.
    in_flight = Message.objects.filter(state="sent", withdrawn_at__isnull=False).count()
    _in_the_end_somebody_is_called(datetime(2026, 11, 23, 9, 0, tzinfo=NOW.tzinfo))
    record_property(
        "figures",
        f"seed {seed}: {WORKERS} at once, {sum(happened.values())} events, {looks} looks, "
        f"{Page.objects.count()} calls, {len(Box.taken)} mails sent once each ({in_flight} in flight at an answer), "
        f"{happened['incident.acknowledged']} answers, 0 broken moments",
    )


def _in_the_end_somebody_is_called(now: datetime) -> None:
    """Each incident that goes on and that nobody has comes to the end of its plan, and the alarm stands."""
    for _ in range(60):
        row = Escalation.objects.filter(state="running").order_by("due_at").first()
        if row is None or row.due_at is None:
            break
        now = max(now, row.due_at)
        advance_due(now=now)
    live = Incident.objects.filter(state__in=[state.value for state in LIVE])
    states = set(Escalation.objects.filter(incident__in=live).values_list("state", flat=True))
    assert states <= {"acked", "exhausted"}
    assert not broken()
