"""Our own start and stop of Redis: loopback only, with a password, never forgetting a queued task."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from govportal.embedded.errors import EmbeddedError
from govportal.embedded.processes import command_line, last_lines, run, wait_until
from govportal.embedded.state import State

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {data}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize yes
pidfile {data}/redis.pid
logfile {log}
loglevel warning
"""


@dataclass
class RedisServer:
    """The Redis of one set of data."""

    state: State
    program: Path

    @property
    def data(self) -> Path:
        return self.state.folder / "redis"

    @property
    def log(self) -> Path:
        return self.data / "redis.log"

    def start(self) -> None:
        """Start it if it is not running."""
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
        self.state.account.give(self.data)
        if self._answers():
            return
        self._end_a_silent_one()
        for _attempt in range(3):
            if self._start(self.state.claim_port("redis")):
                return
        raise EmbeddedError(f"Redis did not start. The end of {self.log}:\n{last_lines(self.log)}")

    def stop(self) -> None:
        """Stop it after it has written what it holds."""
        with contextlib.suppress(redis.RedisError):
            self._client().shutdown(nosave=True)  # the append-only file has it all
        if not wait_until(lambda: self._pid() is None, 10):
            self._end_a_silent_one()

    def _start(self, port: int) -> bool:
        configuration = CONFIGURATION.format(
            port=port, password=self.state.secrets["redis"], data=self.data, log=self.log
        )
        # By standard input: the password is in no file and in no list of processes.
        done = run([self.program, "-"], self.state.account, stdin=configuration)
        return done.returncode == 0 and wait_until(self._answers, 10)

    def _answers(self) -> bool:
        """Whether ours listens there: no other server knows the password."""
        try:
            return bool(self._client().ping())
        except redis.RedisError:
            return False

    def _client(self) -> redis.Redis:
        return redis.Redis(
            host="127.0.0.1",
            port=self.state.ports["redis"],
            password=self.state.secrets["redis"],
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )

    def _pid(self) -> int | None:
        """The running server's process, or None. A number that another process got meanwhile does not count."""
        try:
            pid = int((self.data / "redis.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return pid if "redis-server" in command_line(pid) else None

    def _end_a_silent_one(self) -> None:
        pid = self._pid()
        if pid is not None and f":{self.state.ports['redis']}" in command_line(pid):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: self._pid() is None, 5)
