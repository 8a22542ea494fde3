"""How long the pages of the register take at 25 and at 100,000 systems, each beside two floors of the same run.

`python -m benchmarks.pages` prints a table and one JSON line. One gunicorn worker serves one page after the other to
one keep-alive connection; the number is the median. The floors are the page's slowest statement (and all of its
statements) sent bare to the same database, and a bare Django page with 50 rows in a gunicorn worker of its own.
Each page is asked for by somebody who reads everything and by somebody who sees half of it by grants.
"""

import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from benchmarks.data import HALF, NAMES, READER
from govportal.embedded import provide

ROOT = Path(__file__).resolve().parent.parent
SIZES = (25, 100_000)
ROUNDS = 60
WARM_UP = 6
WORKER_LIMIT_MB = 180


@dataclass(frozen=True)
class PageKind:
    """A page, how its address is made from a number of a system, and how long it may take at the median."""

    name: str
    address: Callable[[int], str]
    limit_ms: int


def _words(number: int) -> str:
    """First word and number of a system's name: they fit that system, and longer numbers that begin alike."""
    return quote(f"{NAMES[number % len(NAMES)]} {number}")


PAGES = (
    PageKind("list", lambda n: "/systems/", 100),
    PageKind("list, interim", lambda n: "/systems/?basis=interim", 100),
    PageKind("list, by tier", lambda n: "/systems/?sort=tier", 100),
    # Anywhere up to the last page: whoever sees by grant has all of theirs sorted for it. Acceptable, not the list.
    PageKind("list, far page", lambda n: f"/systems/?page={1 + n // 30}", 200),
    PageKind("search, many", lambda n: f"/systems/?q={('claims', 'fraud', 'triage', 'agent')[n % 4]}", 100),
    PageKind("search, few", lambda n: f"/systems/?q={_words(n)}", 100),
    PageKind("system page", lambda n: f"/systems/SYS-{n:06}/", 60),
    PageKind("who answers", lambda n: f"/who/?q=SYS-{n:06}", 60),
    PageKind("who answers, words", lambda n: f"/who/?q={_words(n)}", 60),
)


@dataclass(frozen=True)
class Line:
    """One page for one person at one size. Times in milliseconds."""

    systems: int
    page: str
    person: str
    median: float
    p95: float
    first: float
    worker_cpu: float
    main_sql: float
    all_sql: float
    queries: int
    limit: int

    @property
    def verdict(self) -> str:
        return "within" if self.median <= self.limit else "OVER"


def run() -> dict[str, Any]:
    """Build both registers, measure, and take everything down again."""
    provide(os.environ, purpose="bench")
    lines: list[Line] = []
    workers: dict[str, float] = {}
    bare = 0.0
    for systems in SIZES:
        with database(f"bench_pages_{systems}_{os.getpid()}") as environ:
            loaded = json.loads(python(environ, "-m", "benchmarks.data", str(systems)))
            as_autovacuum(environ["DATABASE_OWNER_URL"])
            floors = json.loads(python(environ, "-m", "benchmarks.pages", "floors", json.dumps(_samples(systems))))
            with gunicorn(environ, "govportal.wsgi") as (port, worker):
                lines += _measured(systems, port, worker, loaded, floors)
                workers[str(systems)] = round(worker.memory_info().rss / 1024 / 1024, 1)
            with gunicorn(environ, "benchmarks.bare") as (port, _):
                bare = statistics.median(timed(port, "", lambda n: "/", range(ROUNDS)))
    return {
        "bench": "pages",
        "bare_page_ms": round(bare, 1),
        "worker_rss_mb": workers,
        "worker_limit_mb": WORKER_LIMIT_MB,
        "same_queries": _same_queries(lines),
        "lines": [{**asdict(line), "verdict": line.verdict} for line in lines],
    }


def _measured(
    systems: int, port: int, worker: psutil.Process, loaded: dict[str, Any], floors: dict[str, Any]
) -> Iterator[Line]:
    for page in PAGES:
        for person, session in loaded["sessions"].items():
            cookie = f"{loaded['cookie']}={session}"
            before = worker.cpu_times()
            times = timed(port, cookie, page.address, _numbers(systems, WARM_UP + ROUNDS))
            after = worker.cpu_times()
            kept, floor = sorted(times[WARM_UP:]), floors[page.name][person]
            yield Line(
                systems=systems,
                page=page.name,
                person=_who(person),
                median=round(statistics.median(kept), 1),
                p95=round(kept[int(0.95 * len(kept))], 1),
                first=round(times[0], 1),
                worker_cpu=round((after.user + after.system - before.user - before.system) / len(times) * 1000, 1),
                main_sql=floor["main"],
                all_sql=floor["all"],
                queries=floor["queries"],
                limit=page.limit_ms,
            )


def _who(email: str) -> str:
    return "reads all" if email == READER else "grants on half"


def _numbers(systems: int, count: int) -> list[int]:
    """Even numbers over the whole register (both people see those), none of them retired."""
    step = max(2, systems // count // 2 * 2)
    numbers = [10 + (place * step) % (systems - 10) // 2 * 2 for place in range(count)]
    return [number if number % 20 else number + 2 for number in numbers]


def _samples(systems: int) -> dict[str, list[str]]:
    return {page.name: [page.address(n) for n in _numbers(systems, 3)] for page in PAGES}


@contextmanager
def database(name: str) -> Iterator[dict[str, str]]:
    """A migrated database of its own; yields the environment in which it is the portal's."""
    owner = os.environ["DATABASE_OWNER_URL"]
    environ = {
        **os.environ,
        "DATABASE_URL": f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{name}",
        "DATABASE_OWNER_URL": f"{owner.rsplit('/', 1)[0]}/{name}",
        "DJANGO_SETTINGS_MODULE": "govportal.settings",
        "DEMO": "false",
        "LOG_LEVEL": "ERROR",
    }
    _as_owner("CREATE DATABASE {}", name)
    try:
        python({**environ, "DATABASE_URL": environ["DATABASE_OWNER_URL"]}, "manage.py", "migrate", "--verbosity=0")
        yield environ
    finally:
        _drop(name)


def _drop(name: str) -> None:
    """Remove a database. The owner can't end the server's own vacuum: that is waited for."""
    for _ in range(60):
        try:
            _as_owner("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        except psycopg.errors.InsufficientPrivilege:
            time.sleep(1)
        else:
            return


def _as_owner(statement: str, name: str) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def as_autovacuum(url: str) -> None:
    """What the server does by itself some time after so many rows have come."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def python(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


@contextmanager
def gunicorn(environ: dict[str, str], module: str) -> Iterator[tuple[int, psutil.Process]]:
    """One worker on a free port; yields the port and the worker's process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**environ, "BIND": f"127.0.0.1:{port}", "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", f"{module}:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(port)
        yield port, _worker_of(psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def _worker_of(master: psutil.Process) -> psutil.Process:
    """The one worker; the master listens a moment before it is there."""
    while not (children := master.children()):
        time.sleep(0.05)
    return children[0]


def _await(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def timed(port: int, cookie: str, address: Callable[[int], str], numbers: Any) -> list[float]:
    """Milliseconds from the request to the last byte, one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times = []
    for number in numbers:
        started = time.perf_counter()
        connection.request("GET", address(number), headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise SystemExit(f"{address(number)} answered {response.status}.")
    connection.close()
    return times


def _same_queries(lines: list[Line]) -> bool:
    """Whether each page needs as many statements at 100,000 systems as at 25."""
    found: dict[tuple[str, str], set[int]] = {}
    for line in lines:
        found.setdefault((line.page, line.person), set()).add(line.queries)
    return all(len(counts) == 1 for counts in found.values())


def floors(samples: dict[str, list[str]]) -> dict[str, Any]:
    """For each page and person: its statements as Django sends them, timed bare on one connection."""
    import django

    django.setup()
    from django.test import Client

    from apps.people.models import Person

    found: dict[str, Any] = {}
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as bare:
        for email in (READER, HALF):
            client = Client(SERVER_NAME="localhost")
            client.force_login(
                Person.objects.get(email=email), backend="allauth.account.auth_backends.AuthenticationBackend"
            )
            for page, addresses in samples.items():
                found.setdefault(page, {})[email] = _floor(client, addresses, bare)
    return found


def _floor(client: Any, addresses: list[str], bare: "psycopg.Connection[Any]") -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(addresses[0])  # fills what is kept for a minute, as for the second reader of any page
    with CaptureQueriesContext(connection) as captured:
        response = client.get(addresses[-1])
    if response.status_code != 200:
        raise SystemExit(f"{addresses[-1]} answered {response.status_code}.")
    statements = [query["sql"] for query in captured.captured_queries]
    reads = [text for text in statements if re.match(r"\s*(SELECT|WITH)\b", text)]
    times = [_statement_ms(bare, text) for text in reads]
    return {"queries": len(statements), "main": round(max(times), 1), "all": round(sum(times), 1)}


def _statement_ms(bare: "psycopg.Connection[Any]", text: str) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        bare.execute(text.encode()).fetchall()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def _table(result: dict[str, Any]) -> str:
    columns = (
        "systems", "page", "person", "median", "p95", "first", "limit", "verdict", "worker_cpu", "main_sql", "all_sql",
        "queries",
    )  # fmt: skip
    rows = [columns, *([str(line[column]) for column in columns] for line in result["lines"])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    text.append(f"Bare Django page with 50 rows: {result['bare_page_ms']} ms. All times in ms, medians unless named.")
    workers = ", ".join(f"{mb} MB at {size} systems" for size, mb in result["worker_rss_mb"].items())
    text.append(f"Worker after the run: {workers} (limit {WORKER_LIMIT_MB} MB).")
    text.append(f"Same number of statements at both sizes: {'yes' if result['same_queries'] else 'NO'}.")
    return "\n".join(text)


def main() -> None:
    """The table, then the same as one JSON line."""
    if sys.argv[1:2] == ["floors"]:
        print(json.dumps(floors(json.loads(sys.argv[2]))))
        return
    result = run()
    print(_table(result))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
