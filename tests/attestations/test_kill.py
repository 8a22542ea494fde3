"""A worker killed with -9 in the middle of opening a campaign leaves nothing half done.

A lock held by the test stops the worker at a known place: in the first COPY of the scope, before the first mail,
before the line in the trail. GOVPORTAL_KILL_SYSTEMS=100000 runs it at full size.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import redis
from celery import Celery

from tests import databases
from tests.attestations import world

SYSTEMS = int(os.environ.get("GOVPORTAL_KILL_SYSTEMS", "5000"))
PEOPLE = SYSTEMS // 5
PATIENCE = 300
# Any day lies in the campaign of at least one quarter.
WINDOW = {"CAMPAIGN_OPENS_DAYS_BEFORE": "60", "CAMPAIGN_CLOSES_DAYS_AFTER": "60"}

pytestmark = [pytest.mark.committed, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture
def broker() -> Iterator[str]:
    url = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/7"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@contextmanager
def worker(database: str, broker: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker of its own process group; nothing of it is left afterwards."""
    environment = {
        **os.environ, **WINDOW, "DATABASE_URL": databases.app_url(database), "REDIS_URL": broker,
        "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "celery", "-A", "govportal.celery", "worker", "--concurrency=1", "--loglevel=warning",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=databases.ROOT, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """-9 to the worker and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def sweep(broker: str) -> None:
    """What beat sends every five minutes."""
    with Celery(broker=broker) as app:
        app.send_task("attestations.open_due")


def wait_for(owner: Any, sql: str, *params: Any) -> None:
    """Ask until the answer is true."""
    end = time.monotonic() + PATIENCE
    while not owner.execute(sql, params).fetchone()[0]:
        assert time.monotonic() < end, sql
        time.sleep(0.05)


def one(owner: Any, sql: str) -> Any:
    return owner.execute(sql).fetchone()[0]


BLOCKED = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass)"
QUIET = (
    "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend')"
)
# Live systems that do not have exactly one assignment in each campaign.
WRONG = """
SELECT count(*) FROM registry_system s CROSS JOIN attestations_campaign c
WHERE s.stage NOT IN ('proposed', 'retired')
  AND (SELECT count(*) FROM attestations_assignment a WHERE a.system_id = s.id AND a.campaign_id = c.id) <> 1
"""
TWICE = """
SELECT count(*) FROM (
    SELECT recipient_id, split_part(key, ':', 2) FROM notify_message WHERE key LIKE 'campaign:%%:opened'
    GROUP BY 1, 2 HAVING count(*) > 1) AS twice
"""


def killed_at(table: str, database: str, broker: str, owner: Any) -> None:
    """Stop a worker where it writes to this table, and kill it there."""
    with psycopg.connect(databases.owner_url(database)) as holder:
        holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        with worker(database, broker) as process:
            sweep(broker)
            wait_for(owner, BLOCKED, table)
            kill(process)
        holder.rollback()
    wait_for(owner, QUIET)


def test_a_killed_worker_leaves_no_trace_and_the_next_one_does_it_all(
    committed_db: str, broker: str, record_property: Any
) -> None:
    world.many(SYSTEMS, PEOPLE)
    with psycopg.connect(databases.owner_url(committed_db), autocommit=True) as owner:
        for table in ("attestations_scopesnapshot", "notify_message", "audit_event"):
            killed_at(table, committed_db, broker, owner)
            for empty in ("attestations_campaign", "attestations_assignment", "attestations_scopesnapshot"):
                assert one(owner, f"SELECT count(*) FROM {empty}") == 0
            assert one(owner, "SELECT count(*) FROM notify_message WHERE key LIKE 'campaign:%'") == 0
        started = time.monotonic()
        with worker(committed_db, broker):
            sweep(broker)
            sweep(broker)
            wait_for(owner, "SELECT EXISTS (SELECT FROM attestations_campaign)")
            took = time.monotonic() - started
            # The second sweep, and a second quarter where two are open today.
            wait_for(owner, QUIET)
            time.sleep(2)
            wait_for(owner, QUIET)
        campaigns = one(owner, "SELECT count(*) FROM attestations_campaign")
        assert one(owner, "SELECT count(*) FROM attestations_assignment") == campaigns * SYSTEMS
        assert one(owner, WRONG) == 0
        assert one(owner, "SELECT count(*) FROM notify_message WHERE key LIKE 'campaign:%:opened'") == (
            campaigns * PEOPLE
        )
        assert one(owner, TWICE) == 0
        assert one(owner, "SELECT count(*) FROM audit_event WHERE kind = 'campaign.opened'") == campaigns
    figures = f"{SYSTEMS} systems, {PEOPLE} people, {campaigns} campaigns, the first after {took:.1f} s"
    record_property("figures", figures)
