"""Databases for tests: templates are built once, each test process and each committing test gets a clone.

A clone instead of a flush, because the trail refuses TRUNCATE.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

KEPT = 40
ROOT = Path(__file__).resolve().parent.parent
SCHEMA = (
    "apps/*/migrations/*.py", "apps/**/*.csv", "apps/*/data/**/*.json", "tests/databases.py",
    "requirements/development.txt",
)  # fmt: skip
WATCHED = (*SCHEMA, "apps/**/*.py", "tests/cast.py", "govportal/settings.py")


def fingerprint(patterns: tuple[str, ...]) -> str:
    """Changes with any source that a template is made from: the migrated one, or the one with the cast."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def owner_url(name: str | None = None) -> str:
    """The owner's address of a database of the test cluster."""
    url = os.environ["DATABASE_OWNER_URL"]
    return url if name is None else f"{url.rsplit('/', 1)[0]}/{name}"


def app_url(name: str) -> str:
    """The application role's address of a database of the test cluster."""
    return f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{name}"


def execute(statement: str, *names: str) -> None:
    """One statement as owner, outside a transaction, with quoted names in place of {}."""
    with psycopg.connect(owner_url(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))  # type: ignore[arg-type]


def create(name: str, template: str) -> None:
    """A fresh clone of a template."""
    drop(name)
    with _locked():
        execute("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)


def forget_months() -> None:
    """The process remembers which months of the trail have a partition; another database has others."""
    if (trail := sys.modules.get("apps.audit.actions")) is not None:
        trail._months_known.clear()


def drop(name: str) -> None:
    """Remove a database, whoever is still connected."""
    forget_months()
    try:
        execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    except psycopg.errors.InsufficientPrivilege:
        # The owner can't end a session of the application's. One that is just closing is waited for.
        execute("DROP DATABASE IF EXISTS {}", name)


def templates() -> tuple[str, str]:
    """Names of the migrated template and of the one that also has the cast; built where they are missing."""
    bare, cast = f"template_bare_{fingerprint(SCHEMA)}", f"template_cast_{fingerprint(WATCHED)}"
    with _locked():
        known = _known()
        if bare not in known:
            _drop_leftovers(known)
            drop(f"{bare}_new")
            execute("CREATE DATABASE {}", f"{bare}_new")
            _run(f"{bare}_new", "manage.py", "migrate", "--verbosity=0")
            execute("ALTER DATABASE {} RENAME TO {}", f"{bare}_new", bare)
        if cast not in known:
            _drop_leftovers([name for name in known if name != bare])
            drop(f"{cast}_new")
            execute("CREATE DATABASE {} TEMPLATE {}", f"{cast}_new", bare)
            _run(f"{cast}_new", "-m", "tests.cast")
            execute("ALTER DATABASE {} RENAME TO {}", f"{cast}_new", cast)
    return bare, cast


def _drop_leftovers(known: list[str]) -> None:
    """Templates that were half built or are long outdated, and clones whose test process is gone."""
    finished = [name for name in known if name.startswith("template_") and not name.endswith("_new")]
    kept = set(finished[-KEPT:])
    for name in known:
        mark = name.rsplit("_", 1)[1] if "_" in name else ""
        if name.startswith("template_"):
            leftover = name not in kept
        else:
            leftover = mark.isdigit() and not Path(f"/proc/{mark}").exists()
        if leftover:
            drop(name)


def _known() -> list[str]:
    """Every database, oldest first."""
    with psycopg.connect(owner_url(), autocommit=True) as connection:
        return [row[0] for row in connection.execute("SELECT datname FROM pg_database ORDER BY oid")]


def _run(name: str, *arguments: str) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": owner_url(name),
        "DATABASE_OWNER_URL": owner_url(name),
        "DJANGO_SETTINGS_MODULE": "govportal.settings",
    }
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True)


@contextmanager
def _locked() -> Iterator[None]:
    path = ROOT / "var" / "test-templates.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
