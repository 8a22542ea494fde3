"""The processes that are killed: two workers, two beats, the web; and the mail server that counts."""

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from email import message_from_bytes
from pathlib import Path
from typing import Any

import psycopg
from aiosmtpd.controller import Controller

from tests import databases
from tests.notify.server import free_port

MODULE = "tests.attestations.faults.clocked"
CELERY = (sys.executable, "-m", "celery", "-A", MODULE)
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=warning")
# Both workers take from one queue: either does every sweep.
WORKERS = ("worker", "sweeper")
BEATS = ("beat", "beat-2")


class Crew:
    """Process groups by name."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ, self.folder = environ, folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.kills: Counter[str] = Counter()

    def start(self, *names: str) -> None:
        """Start what is named; what it says goes into a file."""
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    self._command(name), cwd=databases.ROOT, env=self.environ | {"PGAPPNAME": f"faults-{name}"},
                    start_new_session=True, stdout=log, stderr=log,
                )  # fmt: skip

    def _command(self, name: str) -> list[str]:
        if name in WORKERS:
            return [*CELERY, "worker", f"--concurrency={2 if name == 'worker' else 1}", "-n", f"{name}@%h", *QUIET]
        if name in BEATS:
            schedule = str(self.folder / f"{name}.schedule")
            return [*CELERY, "beat", "-S", f"{MODULE}:Twice", "--schedule", schedule, "--pidfile=", "-l", "warning"]
        bind = f"127.0.0.1:{self.environ['WEB_PORT']}"
        return [sys.executable, "-m", "gunicorn", "tests.attestations.faults.web:application", "-b", bind, "-w", "1"]

    def kill(self, name: str) -> None:
        """-9 to the whole group."""
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.kills[name] += 1

    def kill_at_work(self, name: str, owner: psycopg.Connection[Any], dice: random.Random) -> bool:
        """Kill a worker a moment after it began a transaction or claimed a mail; at any time where it does nothing."""
        end, busy = time.monotonic() + 6, False
        while time.monotonic() < end and not busy:
            found = owner.execute(AT_WORK, [f"faults-{name}"]).fetchone()
            busy = bool(found and found[0])
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.04))
        self.kill(name)
        return busy

    def revive(self) -> int:
        """Start what ended by itself, as a supervisor does: Celery ends a worker that lost its queue in mid-message."""
        gone = [name for name, process in self.running.items() if process.poll() is not None]
        self.start(*gone)
        return len(gone)

    def stop(self) -> None:
        """Nothing is left running."""
        for name in list(self.running):
            self.kill(name)
            self.kills[name] -= 1


AT_WORK = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()
    AND xact_start IS NOT NULL AND state <> 'idle')
"""


class MailServer:
    """Counts what it took, by Message-ID and by address. It can be down; it is slow, so that kills meet it at work."""

    def __init__(self) -> None:
        self.port = free_port()
        self.ids: Counter[str] = Counter()
        self.to: Counter[str] = Counter()
        self._controller: Controller | None = None

    def up(self) -> None:
        """Listen, on the same port as before."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def down(self) -> None:
        """Refuse connections."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail."""
        await asyncio.sleep(0.003)
        mail = message_from_bytes(envelope.original_content)
        self.ids[str(mail["Message-ID"])] += 1
        self.to[envelope.rcpt_tos[0]] += 1
        await asyncio.sleep(0.003)
        return "250 taken"
