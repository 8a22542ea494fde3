"""The watchman with a real worker, a real queue and a real database: alive, poisoned, killed with -9."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from django.test import Client

from apps.portal.queries.watch import DUTIES
from tests.attestations.test_kill import kill, wait_for, worker
from tests.cast import Cast

pytestmark = [pytest.mark.committed, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

ENDED = "SELECT EXISTS (SELECT FROM audit_sweeprun WHERE name = %s AND finished_at >= started_at AND runs = %s)"
POISONED = "registry.escalate_nominations"


@pytest.fixture
def broker() -> Iterator[str]:
    """A queue of this test's own."""
    url = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/8"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


def test_alive_poisoned_and_killed(
    committed_db: str, broker: str, as_owner: Callable[[str], Any], browse: Callable[[Any], Client]
) -> None:
    cast = Cast()

    def page() -> str:
        return " ".join(browse(cast.eve).get("/status/").content.decode().split())

    with as_owner(committed_db) as owner, worker(committed_db, broker) as process:
        assert "No worker has ever reported." in page()
        sent("audit.heartbeat", broker)
        wait_for(owner, ENDED, "audit.heartbeat", 1)
        assert f"All {len(DUTIES)} duties are done." in page()
        owner.execute("REVOKE SELECT ON registry_nomination FROM govportal_app")
        for run in range(1, 6):
            sent(POISONED, broker)
            wait_for(owner, ENDED, POISONED, run)
        owner.execute("GRANT SELECT ON registry_nomination TO govportal_app")
        poisoned = page()
        assert "Fails each time: 5 in a row" in poisoned
        assert "ProgrammingError: permission denied for table registry_nomination (SQLSTATE 42501)" in poisoned
        sent("portal.watch", broker)
        wait_for(owner, "SELECT EXISTS (SELECT FROM findings_finding WHERE subject = %s)", "sweeps-failing")
        sent(POISONED, broker)
        wait_for(owner, ENDED, POISONED, 6)
        sent("portal.watch", broker)
        wait_for(owner, "SELECT state = 'closed' FROM findings_finding WHERE subject = %s", "sweeps-failing")
        kill(process)
        # Four minutes later, with nobody at work.
        owner.execute(
            "UPDATE audit_sweeprun SET registered_at = registered_at - interval '4 minutes',"
            " succeeded_at = succeeded_at - interval '4 minutes' WHERE name = 'audit.heartbeat'"
        )
        assert "No worker takes work from the queue" in page()


def sent(task: str, broker: str) -> None:
    """What beat would send."""
    with Celery(broker=broker) as app:
        app.send_task(task)
