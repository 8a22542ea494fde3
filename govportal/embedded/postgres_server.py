"""Our own start and stop of PostgreSQL: scram passwords, loopback only, roles as in production."""

import contextlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from govportal.embedded.account import Account
from govportal.embedded.errors import EmbeddedError
from govportal.embedded.processes import command_line, last_lines, run, wait_until
from govportal.embedded.state import State, write_private

ADMIN = "postgres"
STARTING_SECONDS = 10
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}


@dataclass
class PostgresServer:
    """The PostgreSQL of one set of data."""

    state: State
    programs: Path
    durable: bool

    @property
    def account(self) -> Account:
        return self.state.account

    @property
    def folder(self) -> Path:
        return self.state.folder / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "postgres.log"

    def start(self) -> None:
        """Make the data if there is none, start the server if it is not running, make the roles."""
        if not self.data.exists():
            self._make_data()
        self._check_version()
        if not self._adopt():
            self._start_on_a_free_port()
        self._make_roles()

    def stop(self) -> None:
        """Stop it; open connections are ended, what they had committed stays."""
        pid = self._pid()
        if pid is None:
            return
        run([self.programs / "pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w", "-t", "60"], self.account)
        if self._pid() is not None:
            run([self.programs / "pg_ctl", "kill", "KILL", str(pid)], self.account)

    def _make_data(self) -> None:
        """initdb beside the final place: a folder `data` is always a whole one."""
        for left in self.folder.glob("data.new*"):
            shutil.rmtree(left, ignore_errors=True)
        # A name of this process's own: an initdb that outlived its killed starter may still write to the other.
        fresh = self.folder / f"data.new-{os.getpid()}"
        for folder, own in ((self.folder, False), (self.log.parent, True), (fresh, True)):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700 if own else 0o711)
            if own:
                self.account.give(folder)
        password = self.state.folder / "initdb-password"
        write_private(password, self.state.secrets["admin"])
        self.account.give(password)
        try:
            self._initdb(fresh, password)
        finally:
            password.unlink()
        fresh.rename(self.data)

    def _initdb(self, folder: Path, password: Path) -> None:
        done = run(
            [
                self.programs / "initdb",
                f"--pgdata={folder}",
                f"--username={ADMIN}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                # Trigrams ask the C library what a letter is.
                *(["--lc-ctype=C.UTF-8"] if sys.platform == "linux" else []),
                "--no-instructions",
                *([] if self.durable else ["--no-sync"]),
            ],
            self.account,
        )
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL could not make its data in {folder}:\n{done.stdout}")

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        ours = run([self.programs / "postgres", "--version"], self.account).stdout.split()[-1]
        if made_by != ours.split(".", maxsplit=1)[0]:
            raise EmbeddedError(
                f"The data in {self.data} was made by PostgreSQL {made_by}, and {ours} is installed."
                f" Remove {self.state.folder} to start anew."
            )

    def _pid(self) -> int | None:
        """The running server's process, or None. A number that another process got meanwhile does not count."""
        try:
            pid = int((self.data / "postmaster.pid").read_text(encoding="ascii").split("\n", maxsplit=1)[0])
        except (OSError, ValueError):
            return None
        return pid if str(self.data) in command_line(pid) else None

    def _adopt(self) -> bool:
        """Use the server that another command started, or that a killed one left behind."""
        if self._pid() is None:
            self._forget_dead_server()
            return False
        lines = (self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
        if len(lines) > 3 and lines[3].isdigit() and int(lines[3]) != self.state.ports["postgres"]:
            self.state.ports["postgres"] = int(lines[3])
            self.state.save()
        if wait_until(self._answers, 60):
            return True
        self.stop()
        return False

    def _forget_dead_server(self) -> None:
        """Remove the note of a server that is gone, also where its process number now belongs to another program."""
        note = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            # An empty one is of a crash, or of a server that starts at this moment.
            if note.stat().st_size or time.time() - note.stat().st_mtime > STARTING_SECONDS:
                note.unlink()

    def _answers(self) -> bool:
        try:
            with self._connect("postgres"):
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EmbeddedError(
                    f"The PostgreSQL in {self.data} does not know the password in {self.state.folder}/state.json."
                    f" Remove {self.state.folder} to start anew."
                ) from error
            return False

    def _start_on_a_free_port(self) -> None:
        """Between choosing a port and listening on it somebody else may take it: try again with another."""
        for _attempt in range(3):
            done = self._start(self.state.claim_port("postgres"))
            # A starter that was killed may have left a server that came up only now.
            if done or self._adopt():
                return
        raise EmbeddedError(f"PostgreSQL did not start. The end of {self.log}:\n{last_lines(self.log)}")

    def _start(self, port: int) -> bool:
        options = OPTIONS | ({} if self.durable else NOT_DURABLE) | {"port": str(port)}
        given = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        start: list[str | Path] = [
            self.programs / "pg_ctl",
            "start",
            "-D",
            self.data,
            "-l",
            self.log,
            "-w",
            "-t",
            "60",
            "-s",
            "-o",
            given,
        ]
        return run(start, self.account).returncode == 0 and wait_until(self._answers, 10)

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.state.ports["postgres"],
            user=ADMIN,
            password=self.state.secrets["admin"],
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def _make_roles(self) -> None:
        """The same three roles as deploy/postgres/roles.sh makes, and the database. Does nothing where all is there."""
        with self._connect("postgres") as connection:
            found = connection.execute("SELECT rolname FROM pg_roles").fetchall()
            roles = {str(name) for (name,) in found}
            for role, attributes in ROLES.items():
                if role not in roles:
                    connection.execute(self._create_role(role, attributes))
            for statement in MEMBERSHIPS:
                connection.execute(statement)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'govportal'").fetchone():
                connection.execute("CREATE DATABASE govportal OWNER govportal_owner")

    def _create_role(self, role: str, attributes: sql.SQL) -> sql.Composed:
        statement = sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), attributes)
        secret = self.state.secrets.get(role.removeprefix("govportal_"))
        if secret is None:
            return statement
        return statement + sql.SQL(" PASSWORD {}").format(sql.Literal(secret))


# The owner migrates and is not a superuser. The group holds the grants; the web's account is a member of it.
ROLES = {
    "govportal_app": sql.SQL("NOLOGIN"),
    "govportal_owner": sql.SQL("LOGIN CREATEDB CREATEROLE NOSUPERUSER"),
    "govportal_web": sql.SQL("LOGIN"),
}
MEMBERSHIPS = (
    sql.SQL("GRANT govportal_app TO govportal_web"),
    # The owner may act as the application in a session (SET ROLE), without holding its grants by itself.
    sql.SQL("GRANT govportal_app TO govportal_owner WITH INHERIT FALSE, SET TRUE"),
)
