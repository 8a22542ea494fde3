"""The demo: every process started together, watched, and stopped together.

`python -m govportal.supervisor demo` stays until Ctrl-C; `demo-check` tries each page and ends. In `demo-check`
standard output is JSON lines only.
"""

import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from govportal import embedded
from govportal.children import ChildError, Children
from govportal.embedded.state import State

PYTHON = sys.executable
MANAGE = [PYTHON, "manage.py"]
CELERY = [PYTHON, "-m", "celery", "-A", "govportal.celery"]
FIRST_PORT = 8000
Result = TypeVar("Result")


class Demo:
    """One run of the demo, from empty or found data to the last process stopped."""

    def __init__(self, state: State, door: socket.socket, *, check: bool, catch_mail: bool) -> None:
        self.state = state
        self.door = door
        self.port = int(door.getsockname()[1])
        self.check = check
        self.catch_mail = catch_mail
        self.url = f"http://localhost:{self.port}"
        self.children = Children(embedded.PROJECT, state.folder / "logs", dict(os.environ))

    def run(self) -> int:
        """Prepare, start, then stay or check. Returns the exit code. Everything is stopped at the end."""
        try:
            loaded = self._prepare()
            self._start()
            if self.check:
                return self._check()
            self._announce(loaded)
            self.children.watch()
        except ChildError as error:
            self._say(str(error))
            return 1
        except KeyboardInterrupt:
            self._say("\nstopping")
        finally:
            self.children.stop()
        return 0

    def _prepare(self) -> dict[str, Any]:
        static = self.children.start("collectstatic", [*MANAGE, "collectstatic", "--no-input", "--verbosity", "0"])
        self._timed("migrate", lambda: self._manage("migrate", "--no-input", "--verbosity", "0"))
        loaded = _last_json(self._timed("load_demo", lambda: self._manage("load_demo", "--json")))
        self._timed("collectstatic", lambda: self.children.finish(static))
        if self.check:
            _print_json({"load_demo": loaded})
        return loaded

    def _manage(self, *arguments: str) -> str:
        return self.children.run(arguments[0], [*MANAGE, *arguments])

    def _start(self) -> None:
        beat = self.state.folder / "beat"
        beat.mkdir(exist_ok=True)
        start = self.children.start
        if self.catch_mail:
            start("mail", [*MANAGE, "mail_catcher"])
        start(
            "web", [PYTHON, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "govportal.wsgi"], door=self.door
        )
        self.door.close()
        start(
            "worker",
            [
                *CELERY,
                "worker",
                "--concurrency",
                "2",
                "--loglevel",
                "info",
                "--without-gossip",
                "--without-mingle",
            ],
        )
        start(
            "beat",
            [*CELERY, "beat", "--schedule", str(beat / "schedule"), "--pidfile=", "--loglevel", "info"],
        )
        if self.catch_mail:
            mail_port = self.state.ports["mail"]
            self._timed("mail", lambda: self.children.wait_for("mail", lambda: _listens(mail_port), 60))
        self._timed("web", lambda: self.children.wait_for("web", lambda: _healthy(self.port), 60))
        self._timed("worker", lambda: self.children.wait_for("worker", _worker_answers, 60))

    def _check(self) -> int:
        code = self.children.call("demo_check", [*MANAGE, "demo_check", "--base-url", self.url])
        self.children.check()
        return 1 if code else 0

    def _announce(self, loaded: dict[str, Any]) -> None:
        print(f"\nGovportal is at {self.url}\n", flush=True)
        for line in _table(loaded.get("sign_ins", [])):
            print(f"  {line}")
        print(f"\nLogs: {self.children.logs}\nCtrl-C stops it. The data stays for the next start.", flush=True)

    def _timed(self, name: str, work: Callable[[], Result]) -> Result:
        """Do it, and tell how long it took."""
        begun = time.monotonic()
        result = work()
        seconds = round(time.monotonic() - begun, 1)
        if self.check:
            _print_json({"started": name, "seconds": seconds})
        else:
            print(f"{name:14} {seconds:5.1f} s", flush=True)
        return result

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Provide the servers, then run the demo. Returns the exit code."""
    if arguments not in (["demo"], ["demo-check"]):
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job starts with it ignored
    state = embedded.open_state("demo", embedded.PROJECT)
    with _only_one(state):
        with state.starting():
            door = _open_door(state)
            state.claim_port("mail")
        os.environ["BIND"] = f"fd://{door.fileno()}"
        os.environ.setdefault("STATIC_MANIFEST", "true")
        catch_mail = not embedded.is_set(os.environ, "EMAIL_URL")
        handle = embedded.provide(os.environ, purpose="demo")
        try:
            return Demo(handle.state, door, check=arguments == ["demo-check"], catch_mail=catch_mail).run()
        finally:
            handle.close()


@contextmanager
def _only_one(state: State) -> Iterator[None]:
    """Two demos would share one database and send its mail twice. Raises EmbeddedError for the second."""
    descriptor = state.open_lock("demo.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise embedded.EmbeddedError("The demo of this project is running already. Stop it first.") from None
    finally:
        os.close(descriptor)


def _open_door(state: State) -> socket.socket:
    """Listen on PORT if it is given, else on the first free one from 8000 on, so that nobody else takes it meanwhile.

    Raises EmbeddedError where there is none.
    """
    given = os.environ.get("PORT")
    for port in [int(given)] if given else range(FIRST_PORT, FIRST_PORT + 100):
        try:
            door = socket.create_server(("127.0.0.1", port), backlog=128)
        except OSError:
            continue
        state.ports["web"] = port  # for the links in mails that other commands send
        state.save()
        return door
    raise embedded.EmbeddedError(f"Port {given or FIRST_PORT} is in use. Name another one: PORT=8080 make demo")


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _worker_answers() -> bool:
    from govportal.celery import app  # it reads the environment when it is imported

    return bool(app.control.ping(timeout=1.0))


def _last_json(output: str) -> dict[str, Any]:
    """The last JSON object that a command printed, on one line or on several."""
    for text in (output, *reversed(output.splitlines())):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    raise ChildError(f"load_demo printed no JSON object:\n{output[-2000:]}")


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """The sign-ins as lines with aligned columns."""
    cells = [[str(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=False)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]


def _print_json(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except embedded.EmbeddedError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
