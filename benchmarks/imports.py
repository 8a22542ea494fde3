"""How long importing the public inventory takes and what it needs, beside reading and copying the same rows.

`python -m benchmarks.imports` prints one JSON line. The floor is csv.DictReader and COPY into a bare table on the
same server in the same run: what nobody could do without.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from govportal.embedded import provide

ROOT = Path(__file__).resolve().parent.parent
INVENTORY = ROOT / "examples" / "2025_individually_reported_AI_use_cases.csv"


def run() -> dict[str, Any]:
    """Import into a fresh database and copy into a bare table; each in a process of its own, for its own peak."""
    provide(os.environ, purpose="bench")
    name = f"bench_import_{os.getpid()}"
    _as_owner("CREATE DATABASE {}", name)
    try:
        _python(name, "manage.py", "migrate", "--verbosity=0", as_owner=True)
        imported = json.loads(_python(name, "-m", "benchmarks.imports", "import"))
        floor = json.loads(_python(name, "-m", "benchmarks.imports", "floor", as_owner=True))
    finally:
        _as_owner("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    return {
        "bench": "import",
        "file": INVENTORY.name,
        **imported,
        "floor_seconds": floor["seconds"],
        "floor_peak_mb": floor["peak_mb"],
    }


def _as_owner(statement: str, name: str) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _python(database: str, *arguments: str, as_owner: bool = False) -> str:
    url = os.environ["DATABASE_OWNER_URL" if as_owner else "DATABASE_URL"].rsplit("/", 1)[0]
    owner = os.environ["DATABASE_OWNER_URL"].rsplit("/", 1)[0]
    environment = {
        **os.environ,
        "DATABASE_URL": f"{url}/{database}",
        "DATABASE_OWNER_URL": f"{owner}/{database}",
        "DJANGO_SETTINGS_MODULE": "govportal.settings",
    }
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def import_inventory() -> dict[str, Any]:
    """The whole way: read, review, keep the run, apply. In a database that was only migrated."""
    import django

    django.setup()
    from apps.audit.rules import COMMAND
    from apps.common import clock
    from apps.registry import actions

    actions.start_portal(
        email="bench@example.org",
        display_name="Bench Person",
        function="platform",
        password=None,
        actor=COMMAND,
        now=clock.now(),
    )
    started = time.perf_counter()
    content = INVENTORY.read_bytes()
    run = actions.receive_import(file_name=INVENTORY.name, content=content, actor=COMMAND, now=clock.now())
    reviewed = time.perf_counter()
    report = actions.apply_import(run, actor=COMMAND, now=clock.now()).report
    return {
        "rows": report["rows_read"],
        "created": report["created"],
        "seconds": _seconds(started),
        "review_seconds": round(reviewed - started, 2),
        "peak_mb": _peak_mb(),
    }


def copy_rows() -> dict[str, Any]:
    """The floor: the same rows read by csv and copied into a table of text columns."""
    started = time.perf_counter()
    with INVENTORY.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            named = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in columns)
            connection.execute(sql.SQL("CREATE TABLE bare_rows ({})").format(named))
            with connection.cursor().copy("COPY bare_rows FROM STDIN") as copy:
                for row in reader:
                    copy.write_row([row[column] for column in columns])
    return {"seconds": _seconds(started), "peak_mb": _peak_mb()}


def _seconds(started: float) -> float:
    return round(time.perf_counter() - started, 2)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """One JSON line."""
    parts = {"import": import_inventory, "floor": copy_rows}
    print(json.dumps(parts.get(sys.argv[1] if len(sys.argv) > 1 else "", run)()))


if __name__ == "__main__":
    main()
