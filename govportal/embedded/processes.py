"""Run the servers' programs: as their account, with a clean environment, away from the terminal's Ctrl-C."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from govportal.embedded.account import Account
from govportal.embedded.errors import EmbeddedError

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


def run(command: Sequence[str | Path], account: Account, *, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end; what it said is in `stdout`. The caller looks at the exit code.

    Raises EmbeddedError where the account may not run it.
    """
    try:
        return subprocess.run(
            [str(part) for part in command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            check=False,
            **account.run_as(),
        )
    except OSError as error:
        raise EmbeddedError(
            f"{command[0]} can't be run as {account.name or 'this account'}: {error.strerror}."
            " Set DATABASE_URL and REDIS_URL to use servers of your own."
        ) from error


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask every 20 ms until the condition holds; False if it did not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command_line(pid: int) -> str:
    """The command line of a process, or "" if there is none with this number."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return listed.stdout


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log, for a message about a failed start."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    except OSError:
        return ""
