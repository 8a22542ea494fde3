"""How long the nightly check of everything takes over 100,000 systems, beside counting the same rows in bare SQL.

`python -m benchmarks.findings` prints one JSON line: seconds of each source, of the first night (when everything that
is found has to be written) and of the next one (when nothing is new). The floor is floors/findings.sql on one
connection to the same database: it counts what the sources of ownership and cover have to find, and has to count as
many. The register is looked at 40 days later, when half of its systems have been interim for too long.
"""

import json
import os
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.pages import as_autovacuum, database, python
from govportal.embedded import provide

SYSTEMS, DAYS = 100_000, 40
# What looking takes at most, all sources together; what writing adds depends on how much is found.
LIMIT_SECONDS = 10.0
FLOOR = Path(__file__).resolve().parent / "floors" / "findings.sql"


def run() -> dict[str, Any]:
    """Build the register, sweep it on two nights, and take it down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_findings_{os.getpid()}") as environ:
        python(environ, "-m", "benchmarks.data", str(SYSTEMS))
        python(environ, "-m", "benchmarks.blind_spots", "letters")
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        found = json.loads(python(environ, "-m", "benchmarks.findings", "sweep"))
    within = found["same_counts"] and found["looking_seconds"] <= LIMIT_SECONDS
    return {
        "bench": "findings",
        "systems": SYSTEMS,
        "limit_seconds": LIMIT_SECONDS,
        "verdict": "within" if within else "OVER",
        **found,
    }


def sweep() -> dict[str, Any]:
    """Each source by itself, the same counted bare, then two nights."""
    import django

    django.setup()
    from apps.common import clock
    from apps.findings.actions import sweep_registry
    from apps.findings.sources import all_sources

    now = clock.now() + timedelta(days=DAYS)
    sources: dict[str, float] = {}
    counted: Counter[str] = Counter()
    for name, source in all_sources().items():
        started = time.perf_counter()
        counted.update(breach.check for breach in source(now))
        sources[name] = _since(started)
    floor_seconds, floor = _counted_bare(now)
    nights = []
    for night in range(2):
        started = time.perf_counter()
        swept = sweep_registry(now=now + timedelta(hours=night))
        nights.append({"seconds": _since(started), "raised": swept.raised, "changed": swept.changed})
    same_sources = sources["ownership"] + sources["cover"]
    return {
        "source_seconds": sources,
        "looking_seconds": round(sum(sources.values()), 2),
        "floor_seconds": floor_seconds,
        "ratio": round(same_sources / floor_seconds, 1),
        "same_counts": all(counted[check] == count for check, count in floor.items()),
        "found": sum(counted.values()),
        "nights": nights,
    }


def _counted_bare(now: Any) -> tuple[float, dict[str, int]]:
    statement = FLOOR.read_bytes()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as bare:
        started = time.perf_counter()
        rows = bare.execute(statement, {"now": now}).fetchall()
        return max(_since(started), 0.01), dict(rows)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 2)


def main() -> None:
    """One JSON line."""
    parts = {"sweep": sweep}
    print(json.dumps(parts.get(sys.argv[1] if len(sys.argv) > 1 else "", run)()))


if __name__ == "__main__":
    main()
