"""One row that can't be worked on keeps no other waiting; a leaver who begins to lead is no dead end."""

import threading
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit.rules import COMMAND
from apps.common.clock import now as wall
from apps.incidents.actions import clock_watch, paging, states
from apps.incidents.actions.common import locked_incident
from apps.incidents.actions.declare import declare
from apps.incidents.actions.drills import Plan, make_ready, plan_exercise, start_due_drills
from apps.incidents.actions.leads import take_lead
from apps.incidents.models import Incident, IncidentClock
from apps.notify import delivery, webhooks
from apps.notify.actions import enqueue
from apps.notify.actions.deliveries import Call, enqueue_deliveries
from apps.notify.models import Delivery, Endpoint, Message
from apps.notify.smtp import Outgoing
from apps.people.actions import held
from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.clock_world import with_clocks
from tests.incidents.learning_world import NOW
from tests.incidents.world import settle

HOUR = timedelta(hours=1)


def reported(cast: Any, count: int) -> list[Incident]:
    system = a_system(cast, owner=cast.ada)
    settle()
    return [declare(title=f"It leaks {n}", system=system, actor=cast.dov, now=NOW) for n in range(count)]


def failing_at(bad: Any, act: Any) -> Any:
    """The same, but one row is one that nobody can work on."""

    def wrapped(first: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(first, "pk", first) == bad:
            raise ValueError("a row that nobody can work on")
        return act(first, *args, **kwargs)

    return wrapped


@pytest.mark.django_db
def test_one_that_cannot_be_classified_keeps_no_other_waiting(cast: Any, monkeypatch: Any) -> None:
    first, second, third = reported(cast, 3)
    monkeypatch.setattr(states, "_undecided", failing_at(second.pk, states._undecided))

    with pytest.raises(RuntimeError, match="Classifying failed for 1"):
        states.classify_overdue(now=NOW + HOUR)

    said = {one.pk: one.severity for one in Incident.objects.all()}
    assert said[second.pk] == "unclassified"
    assert said[first.pk] == said[third.pk] != "unclassified"


@pytest.mark.django_db
def test_one_drill_that_cannot_start_keeps_no_other_waiting(cast: Any, monkeypatch: Any) -> None:
    from apps.incidents.actions import drills

    ready = []
    for _ in range(2):
        system = a_system(cast, owner=cast.ada)
        settle()
        plan = Plan("call_tree", "Who answers", "data-access", (system,), ("All answer",), cast.mara, NOW + HOUR)
        ready.append(make_ready(plan_exercise(plan, actor=cast.mara, now=NOW), actor=cast.mara, now=NOW))
    monkeypatch.setattr(drills, "_start_due", failing_at(ready[0].pk, drills._start_due))

    with pytest.raises(RuntimeError, match="Starting drills failed for 1"):
        start_due_drills(now=NOW + HOUR)

    for drill in ready:
        drill.refresh_from_db()
    assert [drill.state for drill in ready] == ["ready", "running"]


@pytest.mark.django_db
def test_one_clock_that_cannot_be_watched_keeps_no_other_waiting(cast: Any, monkeypatch: Any) -> None:
    incident = with_clocks(cast)
    waits = list(IncidentClock.objects.filter(incident=incident).order_by("pk"))
    late = max(one.assess_by for one in waits if one.assess_by) + HOUR
    bad = waits[1]
    said = clock_watch._late_assessment

    def late_assessment(about: Any, person: Any, clocks: Any) -> Any:
        if any(one.pk == bad.pk for one in clocks):
            raise ValueError("a row that nobody can work on")
        return said(about, person, clocks)

    monkeypatch.setattr(clock_watch, "_late_assessment", late_assessment)

    with pytest.raises(RuntimeError, match="Watching clocks failed in 1 steps"):
        clock_watch.watch_clocks(now=late)

    alerted = dict(IncidentClock.objects.filter(incident=incident).values_list("pk", "alerted"))
    assert alerted.pop(bad.pk) == 0
    assert set(alerted.values()) == {clock_watch.ASKED_AGAIN}


@pytest.mark.django_db
def test_what_runs_and_is_not_due_keeps_nothing_waiting_that_is(cast: Any, monkeypatch: Any) -> None:
    incident = with_clocks(cast)
    waits = list(IncidentClock.objects.filter(incident=incident).order_by("pk"))
    late = max(one.assess_by for one in waits if one.assess_by) + HOUR
    last = waits[-1]
    IncidentClock.objects.filter(incident=incident).exclude(pk=last.pk).update(alerted=clock_watch.ASKED_AGAIN)
    said, calls = clock_watch._late_assessment, []

    def late_assessment(*about: Any) -> Any:
        calls.append(about)
        if len(calls) == 1:
            raise ValueError("fails at once for all")
        return said(*about)

    monkeypatch.setattr(clock_watch, "_late_assessment", late_assessment)
    monkeypatch.setattr(clock_watch, "BATCH", 3)
    clock_watch.watch_clocks(now=late)
    last.refresh_from_db()
    assert last.alerted == clock_watch.ASKED_AGAIN


@pytest.mark.django_db
def test_clocks_that_cannot_be_opened_are_told_of(cast: Any, monkeypatch: Any) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(import_module("apps.incidents.actions.declare"), "open_clocks", lambda *_: 1 / 0)
        bad, good = reported(cast, 2)
    usual = clock_watch.open_clocks
    monkeypatch.setattr(clock_watch, "open_clocks", lambda one, now: usual(one, now) if one.pk == good.pk else 1 / 0)
    with pytest.raises(RuntimeError, match="Watching clocks failed in 1 steps"):
        clock_watch.watch_clocks(now=NOW)
    assert good.clocks.exists()
    assert not bad.clocks.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("step", ["note_sent", "_bring_forward", "_start_missing"])
def test_people_are_called_also_where_what_comes_before_fails(cast: Any, monkeypatch: Any, step: str) -> None:
    reported(cast, 1)
    before = Message.objects.filter(key__startswith="page:").count()

    def broken(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT jsonb_array_elements('{}'::jsonb)")

    monkeypatch.setattr(paging, step, broken)
    with pytest.raises(RuntimeError, match="for 0 of 1 incidents, and in 1 of 3 steps before"):
        paging.advance_due(now=NOW + timedelta(minutes=5))

    assert Message.objects.filter(key__startswith="page:").count() == before + 1


@pytest.mark.committed
def test_one_mail_or_webhook_that_cannot_be_written_keeps_no_other_waiting(committed_db: str, monkeypatch: Any) -> None:
    cast, sent = Cast(), []
    for n in range(3):
        enqueue(key=f"m{n}", recipient=cast.ada, subject="S", body="B", now=NOW, urgent=True)
    written = delivery.mail_of

    def mail_of(message: Message) -> Any:
        if message.key == "m1":
            raise IndexError("string index out of range")
        return written(message)

    monkeypatch.setattr(delivery, "mail_of", mail_of)
    monkeypatch.setattr(Outgoing, "send", lambda self, mail: sent.append(mail))
    delivery.deliver_pending(clock_now=lambda: NOW, limit=3)
    assert dict(Message.objects.filter(key__in=["m0", "m1", "m2"]).values_list("key", "state")) == {
        "m0": "sent", "m1": "failed", "m2": "sent",
    }  # fmt: skip
    assert len(sent) == 2

    endpoint = Endpoint.objects.create(
        name="Room", kind="generic", url="https://hooks.example.org/", created_by=cast.mara, created_at=NOW
    )
    enqueue_deliveries([Call(f"d{n}", endpoint, {"title": "T"}) for n in range(3)], now=NOW)
    monkeypatch.setattr(webhooks, "request_for", failing_at(Delivery.objects.get(key="d1").pk, _request_for))
    monkeypatch.setattr(webhooks, "post", lambda *_, **__: type("Answer", (), {"status": 200})())
    webhooks.deliver_webhooks(clock_now=lambda: NOW, limit=3)
    assert dict(Delivery.objects.values_list("key", "state")) == {"d0": "sent", "d1": "failed", "d2": "sent"}


def _request_for(*_: Any, **__: Any) -> Any:
    return type("Request", (), {"url": "https://hooks.example.org/", "headers": {}, "body": b"", "hide": ()})()


@pytest.mark.committed
def test_who_begins_to_lead_while_they_leave_is_no_dead_end(committed_db: str, monkeypatch: Any) -> None:
    """One appoints the leaver, another holds that incident and looks whether they can act: nobody waits for ever.

    The leaver's own transaction used to lock that incident after the person, and the database ended one of the two.
    """
    module = import_module("apps.directory.actions.offboard")
    cast = Cast()
    incident = declare(title="It leaks", about="An agent that mails", actor=cast.dov, now=NOW)
    holds, results, looks = threading.Event(), list[Any](), module.lock_letters_of

    def appoint() -> None:
        take_lead(Incident.objects.get(pk=incident.pk), cast.ben, actor=cast.ben, now=NOW)
        connection.close()

    def hold() -> None:
        try:
            with transaction.atomic():
                locked_incident(Incident.objects.get(pk=incident.pk))
                holds.set()
                threading.Event().wait(1.0)
                results.append(held(cast.ben).is_active)
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=appoint, daemon=True), threading.Thread(target=hold, daemon=True)]

    def meanwhile(person: Any) -> Any:
        if not threads[0].ident:
            threads[0].start()
            threads[0].join(10)
            threads[1].start()
            assert holds.wait(10)
        return looks(person)

    monkeypatch.setattr(module, "lock_letters_of", meanwhile)
    module.offboard(cast.ben, actor=COMMAND, now=wall())
    threads[1].join(20)

    assert results == [True]
    cast.ben.refresh_from_db()
    incident.refresh_from_db()
    assert not cast.ben.is_active
    assert incident.lead.is_active
    assert incident.lead != cast.ben
