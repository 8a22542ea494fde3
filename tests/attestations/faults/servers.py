"""PostgreSQL and Redis of these tests alone: they are stopped hard, and nobody else may be hurt by that."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from govportal.embedded import provide
from govportal.embedded.binaries import find_binaries
from govportal.embedded.postgres_server import ADMIN, PostgresServer
from govportal.embedded.processes import run, wait_until
from govportal.embedded.redis_server import RedisServer
from tests import databases

GIVEN_ANEW = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")


class Servers:
    """Both servers, durable: what was committed must be there after an immediate stop."""

    def __init__(self, name: str) -> None:
        self.environ = {key: value for key, value in os.environ.items() if key not in GIVEN_ANEW}
        self.handle = provide(self.environ, purpose=f"faults-{name}", durable=True)
        state = self.handle.state
        self.programs = find_binaries(state.folder.parent, copy=state.account.uid is not None)
        self.postgres = PostgresServer(state, self.programs.postgres, durable=True)
        self.redis = RedisServer(state, self.programs.redis)
        self._let_owner_watch()

    def _let_owner_watch(self) -> None:
        """Whether a worker is in a transaction only a reader of all statistics sees: faults are aimed by it."""
        state = self.handle.state
        with psycopg.connect(
            host="127.0.0.1", port=state.ports["postgres"], user=ADMIN, password=state.secrets["admin"],
            dbname="postgres", autocommit=True,
        ) as admin:  # fmt: skip
            admin.execute("GRANT pg_read_all_stats TO govportal_owner")

    def app_url(self, database: str) -> str:
        """The application role's address of a database here."""
        return f"{self.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{database}"

    def owner(self, database: str) -> psycopg.Connection[Any]:
        """A connection as the owner; each statement commits."""
        url = f"{self.environ['DATABASE_OWNER_URL'].rsplit('/', 1)[0]}/{database}"
        return psycopg.connect(url, autocommit=True, application_name="faults-test")

    def execute(self, statement: str, *names: str) -> None:
        """One statement with quoted names in place of {}."""
        with self.owner("govportal") as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]

    def load(self, template: str, worker: str) -> None:
        """Have the template of the tests here too, over a copy of it, so that nobody waits for the dump."""
        with self.owner("govportal") as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
                return
        copy, fresh = f"dumped_{worker}", f"{template}_new"
        databases.create(copy, template)
        file = self.handle.folder / "template.sql"
        try:
            self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", fresh)
            self.execute("CREATE DATABASE {}", fresh)
            self._program("pg_dump", f"{os.environ['DATABASE_OWNER_URL'].rsplit('/', 1)[0]}/{copy}", "-f", str(file))
            url = f"{self.environ['DATABASE_OWNER_URL'].rsplit('/', 1)[0]}/{fresh}"
            self._program("psql", url, "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file))
        finally:
            databases.drop(copy)
            file.unlink(missing_ok=True)
        self.execute("ALTER DATABASE {} RENAME TO {}", fresh, template)

    def _program(self, name: str, url: str, *arguments: str) -> None:
        parts = urlsplit(url)
        where = {
            "PGHOST": parts.hostname or "", "PGPORT": str(parts.port), "PGUSER": parts.username or "",
            "PGPASSWORD": parts.password or "", "PGDATABASE": parts.path.strip("/"),
        }  # fmt: skip
        command = [str(self.programs.postgres / name), *arguments]
        subprocess.run(command, env=os.environ | where, check=True, stdout=subprocess.DEVNULL)

    def stop_postgres_at_once(self) -> None:
        """As if the machine went: no session ends in order, and what was not committed is gone."""
        command: list[str | Path] = [
            self.programs.postgres / "pg_ctl", "stop", "-D", self.postgres.data, "-m", "immediate", "-w",
        ]  # fmt: skip
        assert run(command, self.handle.state.account).returncode == 0

    def start_postgres(self) -> None:
        """It recovers by itself, on the same port."""
        port = self.handle.state.ports["postgres"]
        self.postgres.start()
        assert self.handle.state.ports["postgres"] == port

    def kill_redis(self) -> None:
        """-9, and nothing of what it held is left."""
        pid = int((self.redis.data / "redis.pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 10)
        for path in self.redis.data.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def start_redis(self) -> None:
        """Empty, on the same port."""
        port = self.handle.state.ports["redis"]
        self.redis.start()
        assert self.handle.state.ports["redis"] == port

    @property
    def queue(self) -> "redis.Redis":
        """A client of the queue's Redis."""
        return redis.Redis.from_url(self.environ["REDIS_URL"], socket_timeout=5)

    @contextmanager
    def database(self, name: str, template: str) -> Iterator[str]:
        """A clone of a template, removed afterwards."""
        self.execute("DROP DATABASE IF EXISTS {}", name)
        self.execute("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        try:
            yield name
        finally:
            self.execute("DROP DATABASE IF EXISTS {}", name)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
