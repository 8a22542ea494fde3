"""Programs that one process starts, watches and stops together."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from govportal.embedded.processes import last_lines

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
GRACE_SECONDS = 10.0


class ChildError(RuntimeError):
    """A program ended that should not have, or did not do its work. The message says which, and shows its log."""


@dataclass(frozen=True)
class Child:
    """One running program."""

    name: str
    log: Path
    process: subprocess.Popen[str]


class Children:
    """The programs of one parent, in the order of their start."""

    def __init__(self, folder: Path, logs: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.logs = logs
        self._environ = environ
        self._running: list[Child] = []
        logs.mkdir(exist_ok=True)

    def start(
        self, name: str, command: Sequence[str], *, stdout: int | None = None, door: socket.socket | None = None
    ) -> Child:
        """Start a program with a log of its own, away from the terminal's Ctrl-C.

        `door` is a socket that it inherits. It gets SIGTERM when this process dies, however it dies (on Linux).
        """
        log = self.logs / f"{name}.log"
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                list(command),
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=file if stdout is None else stdout,
                stderr=file,
                text=True,
                start_new_session=True,
                pass_fds=[door.fileno()] if door else [],
                preexec_fn=_end_with_parent,
            )
        child = Child(name, log, process)
        self._running.append(child)
        return child

    def run(self, name: str, command: Sequence[str]) -> str:
        """Run a program to its end and return its standard output. Raises ChildError if it did not succeed."""
        return self.finish(self.start(name, command, stdout=subprocess.PIPE))

    def finish(self, child: Child) -> str:
        """Wait for the end of a program that is to end. Raises ChildError if it did not succeed."""
        output, _ = child.process.communicate()
        self._running.remove(child)
        if child.process.returncode:
            raise ChildError(_obituary(child))
        return output or ""

    def call(self, name: str, command: Sequence[str]) -> int:
        """Run a program that writes to our own standard output. Returns its exit code."""
        sys.stdout.flush()
        child = self.start(name, command, stdout=sys.stdout.fileno())
        code = child.process.wait()
        self._running.remove(child)
        sys.stderr.write(last_lines(child.log, 40) + "\n" if code else "")
        return code

    def wait_for(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Ask until the program is ready. Raises ChildError if it is not in time, or if any program ended."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ChildError(
                    f"{name} was not ready within {seconds:.0f} s.\n{last_lines(self.logs / f'{name}.log')}"
                )
            time.sleep(0.1)

    def watch(self) -> None:
        """Stay until a program ends, which raises ChildError."""
        while True:
            self.check()
            time.sleep(0.5)

    def check(self) -> None:
        """Raise ChildError if a program has ended."""
        for child in self._running:
            if child.process.poll() is not None:
                raise ChildError(_obituary(child))

    def stop(self) -> None:
        """End them all, the youngest first: SIGTERM, some seconds, SIGKILL. A second Ctrl-C does not cut it short."""
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        while self._running:
            _end(self._running.pop())
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(child: Child) -> None:
    """End the program, then whatever of its own session it left behind."""
    if child.process.poll() is None:
        child.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def _end_with_parent() -> None:
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _obituary(child: Child) -> str:
    code = child.process.returncode
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return f"{child.name} {how}. The end of {child.log}:\n{last_lines(child.log, 40)}"
