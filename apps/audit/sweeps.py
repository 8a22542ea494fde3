"""How every sweep is noted: its beginning and its end, each in a short transaction of its own.

`Sweep` is the base class of all tasks (govportal/celery.py), so that no sweep can be forgotten. A note that can't be
written never keeps a sweep from its work.
"""

import re
import traceback
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from celery import Task
from celery.schedules import crontab
from django.db import DatabaseError, close_old_connections, connection

from apps.common import clock

log = structlog.get_logger(__name__)

CUT_SHORT = "Cut short: the worker stopped before it ended."
_LONGEST_RUN = timedelta(minutes=10)

# A run that began before and can't end any more is a failure that nobody could note.
_BEGIN_SQL = """
INSERT INTO audit_sweeprun AS s (name, every_seconds, registered_at, started_at, runs, failures, failures_in_a_row,
    last_error)
VALUES (%(name)s, %(every)s, %(now)s, %(now)s, 1, 0, 0, '')
ON CONFLICT (name) DO UPDATE SET started_at = GREATEST(s.started_at, EXCLUDED.started_at), runs = s.runs + 1,
    (failures, failures_in_a_row, failed_at, last_error) = (SELECT
        s.failures + lost.one, s.failures_in_a_row + lost.one,
        CASE WHEN lost.one = 1 THEN %(now)s ELSE s.failed_at END,
        CASE WHEN lost.one = 1 THEN %(cut_short)s ELSE s.last_error END
        FROM (SELECT COALESCE(s.started_at < %(gone)s AND s.started_at > COALESCE(s.finished_at, '-infinity'),
            false)::int) AS lost(one))
"""
_SUCCEED_SQL = """
UPDATE audit_sweeprun SET finished_at = %(now)s, succeeded_at = %(now)s, failures_in_a_row = 0, last_result = %(result)s
WHERE name = %(name)s
"""
_FAIL_SQL = """
UPDATE audit_sweeprun SET finished_at = %(now)s, failed_at = %(now)s, last_error = %(error)s, failures = failures + 1,
    failures_in_a_row = failures_in_a_row + 1, runs = GREATEST(runs, failures + 1)
WHERE name = %(name)s
"""
_REGISTER_SQL = """
WITH wanted AS (SELECT * FROM unnest(%(names)s::text[], %(every)s::int[]) AS w(name, every)),
gone AS (DELETE FROM audit_sweeprun WHERE name NOT IN (SELECT name FROM wanted))
INSERT INTO audit_sweeprun AS s (name, every_seconds, registered_at, runs, failures, failures_in_a_row, last_error)
SELECT w.name, w.every, %(now)s, 0, 0, 0, '' FROM wanted w ORDER BY w.name
ON CONFLICT (name) DO UPDATE SET every_seconds = EXCLUDED.every_seconds
WHERE s.every_seconds <> EXCLUDED.every_seconds
"""


if TYPE_CHECKING:
    _Task = Task[Any, Any]
else:  # it takes no arguments when it runs
    _Task = Task


class Sweep(_Task):
    """A task. One of the schedule has its runs noted."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it; raises what it raises, after that was noted."""
        every = intervals(self.app.conf.beat_schedule or {}).get(self.name)
        if every is None:
            return super().__call__(*args, **kwargs)
        begun(self.name, every, now=clock.now())
        try:
            result = super().__call__(*args, **kwargs)
        except Exception as error:
            failed(self.name, error, now=clock.now())
            raise
        succeeded(self.name, result, now=clock.now())
        return result


def intervals(schedule: Mapping[str, Any]) -> dict[str, int]:
    """Task -> seconds between two runs, from a beat schedule; the longest pause where the pauses differ."""
    found: dict[str, int] = {}
    for entry in schedule.values():
        seconds = _seconds(entry["schedule"])
        found[entry["task"]] = min(seconds, found.get(entry["task"], seconds))
    return found


def _seconds(schedule: Any) -> int:
    if isinstance(schedule, crontab):
        return _longest_pause(schedule)
    every = getattr(schedule, "run_every", schedule)
    return max(1, round(every.total_seconds() if isinstance(every, timedelta) else every))


def _longest_pause(schedule: Any) -> int:
    minutes = sorted(60 * hour + minute for hour in schedule.hour for minute in schedule.minute)
    within_a_day = _widest_gap(minutes, 24 * 60) * 60
    if len(schedule.month_of_year) < 12:
        return within_a_day + 365 * 86_400
    if len(schedule.day_of_month) < 31:
        return within_a_day + 30 * 86_400
    return within_a_day + (_widest_gap(sorted(schedule.day_of_week), 7) - 1) * 86_400


def _widest_gap(points: list[int], around: int) -> int:
    return max(after - before for before, after in zip(points, [*points[1:], points[0] + around], strict=True))


def register(schedule: Mapping[str, Any], *, now: datetime) -> None:
    """Let the rows follow the schedule: a sweep that never ran has a row, one that is no more has none."""
    wanted = intervals(schedule)
    with connection.cursor() as cursor:
        cursor.execute(_REGISTER_SQL, {"names": list(wanted), "every": list(wanted.values()), "now": now})


def begun(name: str, every: int, *, now: datetime) -> None:
    """Note that a run begins. A run before it that was killed counts as a failure."""
    params = {"name": name, "every": every, "now": now, "gone": now - _LONGEST_RUN, "cut_short": CUT_SHORT}
    _note(_BEGIN_SQL, params)


def succeeded(name: str, result: object, *, now: datetime) -> None:
    """Note that a run ended well, and the number that it gave back, if any."""
    number = result if isinstance(result, int) and not isinstance(result, bool) else None
    _note(_SUCCEED_SQL, {"name": name, "result": number, "now": now})


def failed(name: str, error: BaseException, *, now: datetime) -> None:
    """Note that a run failed, without anything that may name a person."""
    _note(_FAIL_SQL, {"name": name, "error": told_safely(error), "now": now})


def _note(statement: str, params: dict[str, Any]) -> None:
    if not connection.in_atomic_block:  # what failed may have been the connection
        close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
    except DatabaseError:
        log.exception("sweep.not_noted", sweep=params["name"])


_ADDRESS = re.compile(r"\S+@\S+")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|“[^”]*”")


def told_safely(error: BaseException) -> str:
    """Class, message and place of an error, without what may name a person.

    Sentences of our own errors name people: only their class is kept. Of the database's errors the message without
    its details, and the constraint. Of others the first line; addresses and what stands in quotation marks is left out.
    """
    name, place = type(error).__name__, _place(error)
    if type(error).__module__.startswith("apps."):
        return f"{name}{place}"
    diag = getattr(error.__cause__, "diag", None)
    state = getattr(diag, "sqlstate", None)
    if diag is not None and state:
        what = diag.constraint_name or diag.table_name or _masked(diag.message_primary or "")
        return f"{name}: {what} (SQLSTATE {state}){place}"
    message = _masked(str(error))
    return f"{name}: {message}{place}" if message else f"{name}{place}"


def _masked(text: str) -> str:
    first = text.strip().split("\n", 1)[0]
    return _QUOTED.sub("…", _ADDRESS.sub("…", first))[:300]


def _place(error: BaseException) -> str:
    """Where in our code it was raised, such as " at apps/registry/tasks.py:21"."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        _, found, path = frame.filename.rpartition("/apps/")
        if found and path != "audit/sweeps.py":
            return f" at apps/{path}:{frame.lineno}"
    return ""
