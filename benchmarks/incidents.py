"""How long the pages about incidents take with 100,000 incidents of three years over 100,000 systems.

`python -m benchmarks.incidents` prints one JSON line: medians of the HTTP request to one gunicorn worker, of the list,
the numbers, the register of clocks and the drills; for somebody who reads everything, and where a page is for all, for
somebody who sees a third by taking part. Beside them two floors of the same run: the first page of the list and the
times in floors/incidents_*.sql, bare. Both have to give what the page's own query gives.
"""

import json
import os
import statistics
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.data import HALF, READER
from benchmarks.pages import as_autovacuum, database, gunicorn, python, timed
from govportal.embedded import provide

SYSTEMS = INCIDENTS = 100_000
ROUNDS, WARM_UP = 20, 3
LIMIT_MS = 200
FLOORS = Path(__file__).resolve().parent / "floors"
LIST_FLOOR = FLOORS / "incidents_list.sql"
SPANS_FLOOR = FLOORS / "incidents_spans.sql"
SPANS = ("accepted", "contain", "resolve")
# For both readers; the numbers are for whoever reads everything.
PAGES = {
    "list": "/incidents/",
    "list, drills and tests": "/incidents/?series=rehearsed",
    "list, over": "/incidents/?state=over",
    "list, one system": "/incidents/?system=SYS-000008",
    "list, words": "/incidents/?q=SYS-000008",
    "list, far page": "/incidents/?page=200",
    "register of clocks": "/incidents/clocks/register/",
    "drills": "/incidents/drills/",
    "drills due": "/incidents/drills/?tab=due",
}
NUMBERS = {
    "numbers, 90 days": "/incidents/metrics/?period=90",
    "numbers, 12 months": "/incidents/metrics/",
    "numbers, all time": "/incidents/metrics/?period=all",
}


def run(incidents: int = INCIDENTS, systems: int = SYSTEMS) -> dict[str, Any]:
    """Build the register and its incidents, ask for the pages, and take it all down again."""
    provide(os.environ, purpose="bench")
    with database(f"bench_incidents_{os.getpid()}") as environ:
        sessions = json.loads(python(environ, "-m", "benchmarks.data", str(systems)))
        python(environ, "-m", "benchmarks.incident_data", str(incidents), str(systems))
        as_autovacuum(environ["DATABASE_OWNER_URL"])
        medians = _pages(environ, sessions)
        floors = json.loads(python(environ, "-m", "benchmarks.incidents", "floors"))
    slow = [f"{page}, {who}" for page, found in medians.items() for who, ms in found.items() if ms > LIMIT_MS]
    within = floors["same_rows"] and not slow
    return {
        "bench": "incidents",
        "systems": systems,
        "incidents": incidents,
        "median_ms": medians,
        "limit_ms": LIMIT_MS,
        "over": slow,
        **floors,
        "verdict": "within" if within else "OVER",
    }


def _pages(environ: dict[str, str], sessions: dict[str, Any]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with gunicorn(environ, "govportal.wsgi") as (port, _):
        for email, pages in ((READER, PAGES | NUMBERS), (HALF, PAGES)):
            cookie = f"{sessions['cookie']}={sessions['sessions'][email]}"
            for name, address in pages.items():
                times = timed(port, cookie, lambda _, address=address: address, range(WARM_UP + ROUNDS))  # type: ignore[misc]
                who = "reads all" if email == READER else "takes part in a third"
                found.setdefault(name, {})[who] = round(statistics.median(times[WARM_UP:]), 1)
    return found


def page_codes(email: str) -> list[str]:
    """The first page of the list, by its own query."""
    from apps.incidents.queries.listing import Filters, Series, listed
    from apps.people.models import Person

    reader = Person.objects.get(email=email)
    return [one.code for one in listed(reader, Series.REAL, Filters())[:25]]


def page_spans(now: datetime) -> list[tuple[str, str, int, float, float]]:
    """The times on the page of numbers over all time that the floor works out too."""
    from apps.incidents.queries.metrics import metrics

    page = metrics(now=now, period="all")
    found = [("drill", page.drill), ("real", page.real)]
    return [
        (mode, key, span.n, span.median or 0.0, span.p90 or 0.0)
        for mode, series in found
        for key in SPANS
        if (span := series.span(key)).n
    ]


def floor_codes(connection: "psycopg.Connection[Any]") -> list[str]:
    """The same page bare."""
    return [row[0] for row in connection.execute(LIST_FLOOR.read_bytes()).fetchall()]


def floor_spans(connection: "psycopg.Connection[Any]", now: datetime) -> list[tuple[str, str, int, float, float]]:
    """The same times bare."""
    rows = connection.execute(SPANS_FLOOR.read_bytes(), {"since": datetime(1970, 1, 2).astimezone(), "now": now})
    return [(mode, key, n, round(median, 3), round(p90, 3)) for mode, key, n, median, p90 in rows.fetchall()]


def floors() -> dict[str, Any]:
    """Milliseconds of both floors, and whether they say what the pages say."""
    import django

    django.setup()
    from apps.common import clock

    now = clock.now()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as bare:
        started = time.perf_counter()
        codes = floor_codes(bare)
        listed = time.perf_counter()
        spans = floor_spans(bare, now)
        ended = time.perf_counter()
    return {
        "floor_ms": {"list": round((listed - started) * 1000, 1), "times": round((ended - listed) * 1000, 1)},
        "same_rows": codes == page_codes(READER) and spans == page_spans(now),
    }


def main() -> None:
    """One JSON line."""
    if sys.argv[1:2] == ["floors"]:
        print(json.dumps(floors()))
        return
    print(json.dumps(run(*(int(one) for one in sys.argv[1:3]))))


if __name__ == "__main__":
    main()
