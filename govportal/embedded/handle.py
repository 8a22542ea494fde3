"""One process's use of the embedded servers: the last one out stops them."""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from govportal.embedded.binaries import find_binaries
from govportal.embedded.postgres_server import PostgresServer
from govportal.embedded.redis_server import RedisServer
from govportal.embedded.state import State

ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class Handle:
    """Holds a shared lock on `users.lock` from `open` to `close`. The lock goes with the process, however it ends."""

    def __init__(self, state: State, *, durable: bool, with_postgres: bool, with_redis: bool) -> None:
        self.state = state
        self._durable = durable
        self._with_postgres = with_postgres
        self._with_redis = with_redis
        self._process = os.getpid()
        self._users: int | None = None

    @property
    def folder(self) -> Path:
        """The folder of this set of data."""
        return self.state.folder

    def open(self) -> None:
        """Take the lock and start what is not running. Raises EmbeddedError; then nothing is left running."""
        if not (self._with_postgres or self._with_redis):
            return
        try:
            with self.state.starting():
                self._users = self.state.open_lock("users.lock")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                for server in self._servers():
                    server.start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the lock back, and stop the servers if no other process holds it. May be called twice."""
        if self._users is None or os.getpid() != self._process:
            return
        with _uninterrupted(), self.state.starting():
            users, self._users = self._users, None
            try:
                if _is_last(users):
                    for server in reversed(self._servers()):
                        server.stop()
            finally:
                os.close(users)

    def _servers(self) -> list[PostgresServer | RedisServer]:
        programs = find_binaries(self.state.folder.parent, copy=self.state.account.uid is not None)
        servers: list[PostgresServer | RedisServer] = []
        if self._with_postgres:
            servers.append(PostgresServer(self.state, programs.postgres, self._durable))
        if self._with_redis:
            servers.append(RedisServer(self.state, programs.redis))
        return servers


def exit_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process the orderly way, so that what it started is stopped."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in ENDINGS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C or SIGTERM does not leave a server half stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *ENDINGS})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
