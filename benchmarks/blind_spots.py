"""How long the map of blind spots takes: at 100,000 systems beside its bare SQL, and on the public inventory.

`python -m benchmarks.blind_spots` prints a table and one JSON line. The floor is floors/blind_spots.sql, sent bare on
one connection to the same database in the same run; it has to return the same rows. Limits: three times the floor at
100,000 systems, 300 ms for the map on the inventory; the page with everything around it is shown beside it.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.data import HALF, READER
from benchmarks.pages import as_autovacuum, database, python
from govportal.embedded import provide

SYSTEMS = 100_000
ROUNDS = 15
RATIO_LIMIT, INVENTORY_LIMIT_MS = 3.0, 300
FLOOR = Path(__file__).resolve().parent / "floors" / "blind_spots.sql"
MANDATE_HOLDER = "bench@example.org"

# One unit in five says something itself, and one system in fifty, each in some domains; every row with an A and an R.
_LETTERS_SQL = """
WITH version AS (
    INSERT INTO registry_raciversion (unit_id, system_id, number, applied_at, note, changes)
    SELECT id, NULL::bigint, 1, now(), '', '{}'::jsonb FROM registry_unit WHERE id % 5 = 0
    UNION ALL SELECT NULL, id, 1, now(), '', '{}'::jsonb FROM registry_system WHERE id % 50 = 0
    RETURNING id, unit_id, system_id)
INSERT INTO registry_raciassignment (domain_id, unit_id, system_id, letter, function_id, is_owner, valid_from,
    version_id)
SELECT d.key, v.unit_id, v.system_id, l.letter,
    CASE WHEN l.letter = 'R' OR v.unit_id IS NOT NULL THEN 'engineering' END,
    l.letter = 'A' AND v.system_id IS NOT NULL, now(), v.id
FROM version v
JOIN registry_governancedomain d ON d.key NOT IN ('operate-monitor', 'independent-review')
    AND d.position % 10 = CASE WHEN v.unit_id IS NULL THEN 3 ELSE 7 END
CROSS JOIN (VALUES ('A'), ('R')) AS l(letter)
"""


def run() -> dict[str, Any]:
    """Build both registers, measure, and take them down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_spots_{os.getpid()}") as environ:
        python(environ, "-m", "benchmarks.data", str(SYSTEMS))
        python(environ, "-m", "benchmarks.blind_spots", "letters")
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        large = json.loads(python(environ, "-m", "benchmarks.blind_spots", "large"))
    with database(f"bench_spots_inventory_{os.getpid()}") as environ:
        python(environ, "-m", "benchmarks.imports", "import")
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        inventory = json.loads(python(environ, "-m", "benchmarks.blind_spots", "inventory"))
    within = large["same_rows"] and large["ratio"] <= RATIO_LIMIT
    within = within and inventory["map_ms"] <= INVENTORY_LIMIT_MS
    return {
        "bench": "blind_spots",
        "ratio_limit": RATIO_LIMIT,
        "inventory_limit_ms": INVENTORY_LIMIT_MS,
        "verdict": "within" if within else "OVER",
        "large": large,
        "inventory": inventory,
    }


def letters() -> dict[str, Any]:
    """Units and systems that say something themselves."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return {"letters": connection.execute(_LETTERS_SQL).rowcount}


def large() -> dict[str, Any]:
    """The map for somebody who reads everything and for somebody who sees half by grants, and the floor."""
    import django

    django.setup()
    from apps.people.models import Person
    from apps.registry.queries.blind_spots import counts_by_domain, mapped_systems

    everything = mapped_systems(Person.objects.get(email=READER))
    half = mapped_systems(Person.objects.get(email=HALF))
    statement = FLOOR.read_bytes()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as bare:
        rows = bare.execute(statement).fetchall()
        same = rows == [(one.domain, one.holder, one.cause, one.systems) for one in counts_by_domain(everything)]
        floor_ms = _median(lambda: bare.execute(statement).fetchall())
    all_ms = _median(lambda: counts_by_domain(everything))
    return {
        "live": everything.count(),
        "map_ms": all_ms,
        "half_ms": _median(lambda: counts_by_domain(half)),
        "floor_ms": floor_ms,
        "ratio": round(all_ms / floor_ms, 2),
        "same_rows": same,
    }


def inventory() -> dict[str, Any]:
    """The map and the whole page over the public inventory, for who holds the mandate."""
    import django

    django.setup()
    from django.test import Client

    from apps.people.models import Person
    from apps.registry.models import GovernanceDomain
    from apps.registry.queries.blind_spots import counts_by_domain, mapped_systems

    reader = Person.objects.get(email=MANDATE_HOLDER)
    systems = mapped_systems(reader)
    client = Client(SERVER_NAME="localhost")
    client.force_login(reader, backend="allauth.account.auth_backends.AuthenticationBackend")
    if (status := client.get("/ownership/?domains=all").status_code) != 200:
        raise SystemExit(f"The page answered {status}.")
    return {
        "live": systems.count(),
        "domains": GovernanceDomain.objects.count(),
        "map_ms": _median(lambda: counts_by_domain(systems)),
        "page_ms": _median(lambda: client.get("/ownership/?domains=all")),
    }


def _median(call: Callable[[], object]) -> float:
    """Milliseconds at the median, after two calls that are not counted."""
    times = []
    for _ in range(ROUNDS + 2):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times[2:]), 1)


def _table(result: dict[str, Any]) -> str:
    large, inventory = result["large"], result["inventory"]
    return "\n".join(
        [
            f"Blind spots over {large['live']:,} systems: {large['map_ms']} ms, grants on half {large['half_ms']} ms; "
            f"bare SQL {large['floor_ms']} ms; ratio {large['ratio']} (limit {RATIO_LIMIT}), "
            f"{'the same rows' if large['same_rows'] else 'OTHER ROWS'}.",
            f"Over the inventory, {inventory['live']:,} systems and {inventory['domains']} domains: "
            f"{inventory['map_ms']} ms (limit {INVENTORY_LIMIT_MS}), the page with all {inventory['page_ms']} ms.",
            f"Blind spots: {result['verdict']}.",
        ]
    )


def main() -> None:
    """Two lines for people, then the same as one JSON line."""
    parts = {"letters": letters, "large": large, "inventory": inventory}
    if sys.argv[1:2] and sys.argv[1] in parts:
        print(json.dumps(parts[sys.argv[1]]()))
        return
    result = run()
    print(_table(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
