"""Each run of a sweep is noted: when it began and ended, what came of it, and nothing that names a person."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from celery import Celery
from celery.schedules import crontab, schedule
from django.db import IntegrityError, connection, transaction

from apps.audit import sweeps
from apps.audit.models import AuditEvent, SweepRun
from apps.audit.queries import months_without_partition, sweep_runs
from apps.audit.sweeps import CUT_SHORT, intervals, told_safely
from apps.common.errors import Refused
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def after(**time: int) -> Any:
    return NOW + timedelta(**time)


@pytest.fixture
def app() -> Iterator[Celery]:
    """An application with two sweeps, one of which fails until it is told to work, and a task that is none."""
    app = Celery("test", task_cls="apps.audit.sweeps:Sweep", set_as_current=False)
    app.conf.beat_schedule = {
        "good": {"task": "good", "schedule": 60.0},
        "bad": {"task": "bad", "schedule": crontab(minute="*/5")},
    }
    app.task(name="good", shared=False)(_seven)
    app.task(name="other", shared=False)(_seven)
    app.task(name="bad", shared=False)(_raise)
    yield app
    app.close()


def _seven() -> int:
    return 7


def _raise(error: Exception | None) -> None:
    if error:
        raise error


def test_a_run_is_noted_and_no_event_is_written(app: Celery) -> None:
    events = AuditEvent.objects.count()
    assert [app.tasks["good"](), app.tasks["good"](), app.tasks["other"]()] == [7, 7, 7]
    run = SweepRun.objects.get()
    assert (run.name, run.every_seconds, run.runs, run.failures, run.last_result) == ("good", 60, 2, 0, 7)
    assert run.started_at
    assert run.started_at <= run.finished_at == run.succeeded_at
    assert AuditEvent.objects.count() == events


def test_failures_are_counted_and_the_next_runs_go_on(app: Celery) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="ada"):
            app.tasks["bad"](ValueError("no such address: ada@example.org"))
    run = SweepRun.objects.get()
    assert (run.runs, run.failures, run.failures_in_a_row, run.is_poisoned) == (5, 5, 5, True)
    assert run.last_error == "ValueError: no such address: …"
    assert (run.succeeded_at, run.failed_at == run.finished_at) == (None, True)
    app.tasks["bad"](None)
    run.refresh_from_db()
    assert (run.runs, run.failures, run.failures_in_a_row, run.is_poisoned) == (6, 5, 0, False)
    assert (run.last_result, run.last_error) == (None, "ValueError: no such address: …")


def test_a_run_that_was_killed_counts_as_a_failure() -> None:
    sweeps.begun("a", 60, now=NOW)
    sweeps.begun("a", 60, now=after(minutes=9))
    assert SweepRun.objects.get().failures == 0, "it may still be running"
    sweeps.begun("a", 60, now=after(minutes=20))
    run = SweepRun.objects.get()
    assert (run.failures, run.failures_in_a_row, run.last_error, run.failed_at) == (1, 1, CUT_SHORT, after(minutes=20))
    sweeps.succeeded("a", 3, now=after(minutes=21))
    sweeps.begun("a", 60, now=after(minutes=40))
    run.refresh_from_db()
    assert (run.runs, run.failures, run.failures_in_a_row, run.succeeded_at) == (4, 1, 0, after(minutes=21))


def test_late_is_three_intervals_without_a_good_end() -> None:
    sweeps.register({"a": {"task": "a", "schedule": 3600.0}, "b": {"task": "b", "schedule": 15.0}}, now=NOW)
    slow, quick = sweep_runs()
    assert (slow.is_late(after(hours=3)), slow.is_late(after(hours=3, seconds=1))) == (False, True)
    assert (quick.is_late(after(minutes=3)), quick.is_late(after(minutes=3, seconds=1))) == (False, True)
    sweeps.begun("a", 3600, now=after(hours=1))
    sweeps.failed("a", OSError("x"), now=after(hours=1))
    slow.refresh_from_db()
    assert slow.is_late(after(hours=3, seconds=1)), "a failure is no end that was good"
    sweeps.succeeded("a", None, now=after(hours=2))
    slow.refresh_from_db()
    assert not slow.is_late(after(hours=5))


def test_running_is_begun_and_not_ended() -> None:
    sweeps.begun("a", 60, now=NOW)
    run = SweepRun.objects.get()
    assert (run.is_running(after(minutes=10)), run.is_running(after(minutes=10, seconds=1))) == (True, False)
    sweeps.succeeded("a", None, now=after(seconds=1))
    run.refresh_from_db()
    assert not run.is_running(after(seconds=2))


def test_rows_follow_the_schedule() -> None:
    first = {"a": {"task": "a", "schedule": 60.0}, "b": {"task": "b", "schedule": 60.0}}
    sweeps.register(first, now=NOW)
    sweeps.register({"b": {"task": "b", "schedule": 30.0}, "c": {"task": "c", "schedule": 60.0}}, now=after(hours=1))
    assert list(SweepRun.objects.values_list("name", "every_seconds", "registered_at", "runs")) == [
        ("b", 30, NOW, 0),
        ("c", 60, after(hours=1), 0),
    ]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (15.0, 15),
        (timedelta(minutes=2), 120),
        (schedule(90), 90),
        (crontab(minute="*/5"), 300),
        (crontab(minute="3-59/10"), 600),
        (crontab(minute=5), 3600),
        (crontab(minute=40, hour=1), 86_400),
        (crontab(minute=0, hour="9,17"), 16 * 3600),
        (crontab(minute=0, hour=9, day_of_week="mon-fri"), 3 * 86_400),
        (crontab(minute=0, hour=9, day_of_month=1), 31 * 86_400),
    ],
)
def test_the_interval_of_a_schedule(given: Any, seconds: int) -> None:
    assert intervals({"x": {"task": "x", "schedule": given}}) == {"x": seconds}


def test_every_sweep_of_the_schedule_is_a_task_that_notes_itself() -> None:
    from govportal.celery import app

    app.loader.import_default_modules()
    wanted = intervals(app.conf.beat_schedule)
    assert {name for name in wanted if not isinstance(app.tasks.get(name), sweeps.Sweep)} == set()
    assert wanted["audit.heartbeat"] == 60
    assert len(wanted) == len(app.conf.beat_schedule)


def test_the_heartbeat_registers_the_schedule() -> None:
    from govportal.celery import app

    app.loader.import_default_modules()
    app.tasks["audit.heartbeat"]()
    beat = SweepRun.objects.get(name="audit.heartbeat")
    assert (beat.runs, beat.failures, beat.every_seconds) == (1, 0, 60)
    assert {run.name for run in sweep_runs()} == set(intervals(app.conf.beat_schedule))


def test_a_note_that_cannot_be_written_keeps_no_sweep_from_its_work(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    for statement in ("_BEGIN_SQL", "_SUCCEED_SQL"):
        monkeypatch.setattr(sweeps, statement, "SELECT 1 FROM no_such_table")

    # As outside a test, each note in a transaction of its own.
    monkeypatch.setattr(sweeps, "connection", _Alone())
    assert app.tasks["good"]() == 7
    assert SweepRun.objects.count() == 0


class _Alone:
    """The connection, with a savepoint around each cursor."""

    in_atomic_block = True

    def cursor(self) -> Any:
        return _Savepoint()


class _Savepoint:
    def __enter__(self) -> Any:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        return connection.cursor()

    def __exit__(self, *error: Any) -> None:
        self.atomic.__exit__(*error)


def _database_error(statement: str) -> Exception:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except Exception as error:
        return error
    raise AssertionError


def test_what_is_kept_of_an_error_names_nobody() -> None:
    from apps.people.models import Person

    ada = Person.objects.get(email="ada@example.org")
    double = _database_error(
        f"INSERT INTO audit_sweeprun (name, every_seconds, registered_at, last_error, runs, failures,"
        f" failures_in_a_row) VALUES ('{ada.email}', 0, now(), '', 0, 0, 0)"
    )
    assert told_safely(double) == "IntegrityError: sweep_has_an_interval (SQLSTATE 23514)"
    assert told_safely(_database_error("SELECT 'Ada Nwosu'::int")) == (
        "DataError: invalid input syntax for type integer: … (SQLSTATE 22P02)"
    )
    assert told_safely(Refused("Ada Nwosu is deactivated already.")) == "Refused"
    assert told_safely(KeyError("Ada Nwosu")) == "KeyError: …"
    assert told_safely(ConnectionRefusedError(111, "Connection refused")) == (
        "ConnectionRefusedError: [Errno 111] Connection refused"
    )
    assert told_safely(TypeError()) == "TypeError"
    assert told_safely(psycopg.OperationalError("server closed the connection\nDETAIL: ada")) == (
        "OperationalError: server closed the connection"
    )


def test_where_it_was_raised_is_kept() -> None:
    from apps.notify.rules import wait_after

    with pytest.raises(TypeError) as raised:
        wait_after(None)  # type: ignore[arg-type]
    assert " at apps/notify/rules/__init__.py:" in told_safely(raised.value)


@pytest.mark.parametrize(
    "change", ["every_seconds = 0", "failures = 1", "failures_in_a_row = 1", "runs = 1", "last_error = 'x'"]
)
def test_the_database_keeps_the_counts_whole(change: str) -> None:
    sweeps.register({"a": {"task": "a", "schedule": 60.0}}, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_sweeprun SET {change}")


def test_months_without_a_partition() -> None:
    from datetime import date

    assert months_without_partition([date(2026, 12, 1), date(2099, 1, 1), date(2098, 1, 1)]) == [
        date(2098, 1, 1),
        date(2099, 1, 1),
    ]
