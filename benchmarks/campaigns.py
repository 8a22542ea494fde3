"""How long the progress page of a campaign takes over 100,000 systems of 20,000 owners, and its numbers bare.

`python -m benchmarks.campaigns` prints one JSON line. One gunicorn worker serves the page to one keep-alive connection;
the number is the median. The floor is floors/progress.sql on one connection to the same database: the same counts by
unit and tier, and it has to give the same rows. The campaign before has as many systems, for "the same day last time".
"""

import json
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.pages import as_autovacuum, database, gunicorn, python, timed
from govportal.embedded import provide

ROUNDS, WARM_UP = 30, 4
LIMIT_MS = 200
BEFORE, PERIOD = "2026Q3", "2026Q4"
OPENED = {BEFORE: datetime(2026, 8, 12, 9, 0, tzinfo=UTC), PERIOD: datetime(2026, 11, 10, 9, 0, tzinfo=UTC)}
FLOOR = Path(__file__).resolve().parent / "floors" / "progress.sql"
# What becomes of a campaign: most are signed, some late, some with exceptions. As the database's owner, because the
# rules let nobody write a signed attestation without its signature.
_PLAYED_SQL = """
ALTER TABLE attestations_assignment DISABLE TRIGGER USER;
UPDATE attestations_assignment SET state = 'in_progress' WHERE id % 10 IN (6, 7);
UPDATE attestations_assignment SET state = CASE id % 10 WHEN 5 THEN 'submitted' ELSE 'accepted' END,
    result = CASE id % 7 WHEN 0 THEN 'qualified' ELSE 'clean' END, late_days = CASE id % 9 WHEN 0 THEN 2 ELSE 0 END,
    submitted_at = opened_at + (id % 15) * interval '1 day',
    accepted_at = CASE id % 10 WHEN 5 THEN NULL ELSE opened_at + interval '16 days' END
WHERE id % 10 < 6;
ALTER TABLE attestations_assignment ENABLE TRIGGER USER;
"""


def progress() -> dict[str, Any]:
    """Build two campaigns, measure the page and the floor, and take everything down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_campaigns_{os.getpid()}") as environ:
        loaded = json.loads(python(environ, "-m", "benchmarks.opening", "load"))
        reader = json.loads(python(environ, "-m", "benchmarks.campaigns", "open"))
        with psycopg.connect(environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
            for statement in filter(str.strip, _PLAYED_SQL.split(";\n")):
                owner.execute(statement.encode())
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        floor = json.loads(python(environ, "-m", "benchmarks.campaigns", "floor"))
        with gunicorn(environ, "govportal.wsgi") as (port, _):
            cookie = f"{reader['cookie']}={reader['session']}"
            pages = {
                name: statistics.median(timed(port, cookie, _to(path), range(ROUNDS))[WARM_UP:])
                for name, path in {"page": "", "figures": "figures/"}.items()
            }
    within = floor["same_rows"] and pages["page"] <= LIMIT_MS
    return {
        "bench": "campaigns", **loaded, **floor, "page_ms": round(pages["page"], 1),
        "figures_ms": round(pages["figures"], 1), "limit_ms": LIMIT_MS, "verdict": "within" if within else "OVER",
    }  # fmt: skip


def _to(path: str) -> Any:
    return lambda _: f"/attestations/{PERIOD}/{path}"


def opened() -> dict[str, Any]:
    """Both campaigns, and a session of somebody who reads everything."""
    import django

    django.setup()
    from django.conf import settings

    from apps.attestations import actions
    from apps.audit.rules import COMMAND
    from benchmarks.data import READER, session

    for period, now in OPENED.items():
        actions.open_campaign(period, actor=COMMAND, now=now)
    return {"cookie": settings.SESSION_COOKIE_NAME, "session": session(READER)}


def floor() -> dict[str, Any]:
    """The cube bare, and whether it says what the page says."""
    import django

    django.setup()
    from apps.attestations.models import Campaign
    from apps.common import clock

    campaign, today = Campaign.objects.get(code=PERIOD), clock.local_date(clock.now())
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as bare:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            rows = bare.execute(FLOOR.read_bytes(), {"campaign": campaign.pk, "today": today}).fetchall()
            times.append((time.perf_counter() - started) * 1000)
    return {"floor_ms": round(statistics.median(times), 1), "same_rows": same(campaign, today, rows)}


def same(campaign: Any, today: Any, rows: list[tuple[Any, ...]]) -> bool:
    """Whether the floor's rows, summed by unit, are what the page's query counts."""
    from apps.attestations.queries import Counts, completion

    by_unit: dict[int, list[int]] = {}
    for unit, _, *numbers in rows:
        known = by_unit.setdefault(unit, [0] * len(numbers))
        by_unit[unit] = [a + b for a, b in zip(known, numbers, strict=True)]
    return completion(campaign, today=today).by_unit == {unit: Counts(*found) for unit, found in by_unit.items()}


def main() -> None:
    """One JSON line."""
    parts = {"open": opened, "floor": floor}
    print(json.dumps(parts.get(sys.argv[1] if len(sys.argv) > 1 else "", progress)()))


if __name__ == "__main__":
    main()
