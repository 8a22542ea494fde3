"""How long "who responds?" takes at 100,000 systems, and how long a seat that changes takes to stand on every card.

`python -m benchmarks.cards` prints one JSON line. The look-up is the HTTP request to a gunicorn worker, of the page and
of the API, without Redis (its address is nobody's) and without any worker. The change is the verb that seats somebody
else, with the commit that works 95,000 cards out again; its floor is floors/cards.sql, one bare statement by the owner
of the tables. Both leave the same rows.
"""

import http.client
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.data import READER
from benchmarks.pages import as_autovacuum, database, gunicorn, python, timed
from govportal.embedded import provide

SYSTEMS = 100_000
ROUNDS, WARM_UP = 60, 6
LIMIT_MS = 50
FIRST, SECOND = "person50@example.org", "person60@example.org"
FLOOR = Path(__file__).resolve().parent / "floors" / "cards.sql"
NOBODY_THERE = "redis://127.0.0.1:9"
SCENARIOS = ("data-access", "harmful-decision", "cost-spike")
KEPT = """
SELECT system_id, lead_id, acts_for_id, deputy_id, next_in_line_id, basis, is_fallback, derivation::text, problems
FROM incidents_responsecard WHERE scenario = 'data-access' ORDER BY system_id
"""


def run() -> dict[str, Any]:
    """Build the register, look up, let the seat change, and take it down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_cards_{os.getpid()}") as environ:
        sessions = json.loads(python(environ, "-m", "benchmarks.data", str(SYSTEMS)))
        token = json.loads(python(environ, "-m", "benchmarks.cards", "seat"))["token"]
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        looked = _look_up(environ, sessions, token)
        changed = json.loads(python(environ, "-m", "benchmarks.cards", "change"))
    within = changed["same_rows"] and all(ms < LIMIT_MS for ms in looked.values())
    return {
        "bench": "cards",
        "systems": SYSTEMS,
        "median_ms": looked,
        "limit_ms": LIMIT_MS,
        **changed,
        "verdict": "within" if within else "OVER",
    }


def _look_up(environ: dict[str, str], sessions: dict[str, Any], token: str) -> dict[str, float]:
    """Medians of the page and of the API, over the whole register."""
    cookie = f"{sessions['cookie']}={sessions['sessions'][READER]}"
    with gunicorn({**environ, "REDIS_URL": NOBODY_THERE}, "govportal.wsgi") as (port, _):
        page = _median(timed(port, cookie, _page, _numbers()))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        times = []
        for number in _numbers():
            started = time.perf_counter()
            address = f"/api/v1/systems/{_key(number)}/card/?scenario={SCENARIOS[number % 3]}"
            connection.request("GET", address, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
            times.append((time.perf_counter() - started) * 1000)
            if response.status != 200:
                raise SystemExit(f"{address} answered {response.status}.")
        connection.close()
    return {"page": page, "api": _median(times)}


def _median(times: list[float]) -> float:
    return round(statistics.median(times[WARM_UP:]), 1)


def _numbers() -> list[int]:
    """Systems from the whole register, none of them retired."""
    step = SYSTEMS // (ROUNDS + WARM_UP)
    return [number if (number := 11 + place * step) % 20 else number + 1 for place in range(ROUNDS + WARM_UP)]


def _key(number: int) -> str:
    return f"SYS-{number:06}"


def _page(number: int) -> str:
    return f"/who/?system={_key(number)}&scenario={SCENARIOS[number % 3]}"


def seat() -> dict[str, Any]:
    """Somebody leads the response to data access everywhere; and a token for the reader."""
    import django

    django.setup()
    from apps.access.actions import issue_token
    from apps.audit.rules import COMMAND
    from apps.common import clock
    from apps.people.actions import seat_person
    from apps.people.models import Person

    now = clock.now()
    seat_person("ciso", Person.objects.get(email=FIRST), actor=COMMAND, now=now)
    reader = Person.objects.get(email=READER)
    return {"token": issue_token(reader, name="Benchmark", scopes=["read"], actor=reader, now=now)[1]}


def change() -> dict[str, Any]:
    """The verb, then the same by one bare statement from the same start; seconds of both, and whether they agree."""
    import django

    django.setup()
    from apps.audit.rules import COMMAND
    from apps.common import clock
    from apps.people.actions import seat_person
    from apps.people.models import Person

    def seated(email: str) -> float:
        person = Person.objects.get(email=email)
        started = time.perf_counter()
        seat_person("ciso", person, actor=COMMAND, now=clock.now())
        return time.perf_counter() - started

    seconds = seated(SECOND)
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        by_verb = owner.execute(KEPT).fetchall()
    seated(FIRST)
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        started = time.perf_counter()
        rows = owner.execute(FLOOR.read_text(encoding="utf-8").encode(), {"email": SECOND}).rowcount
        owner.commit()
        bare = time.perf_counter() - started
        by_floor = owner.execute(KEPT).fetchall()
    return {
        "cards": rows,
        "seconds": round(seconds, 2),
        "floor_seconds": round(bare, 2),
        "ratio": round(seconds / bare, 2),
        "same_rows": by_verb == by_floor,
    }


def main() -> None:
    """One JSON line."""
    parts = {"seat": seat, "change": change}
    print(json.dumps(parts.get(sys.argv[1] if len(sys.argv) > 1 else "", run)()))


if __name__ == "__main__":
    main()
