"""What one set of data remembers: its secrets, its ports, the account of its servers, its locks."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from govportal.embedded.account import Account, server_account
from govportal.embedded.errors import EmbeddedError
from govportal.embedded.folders import state_folder

SECRETS = ("admin", "owner", "web", "redis", "django")
PORTS = ("postgres", "redis", "mail")


@dataclass
class State:
    """One purpose's folder and the values kept in its state.json (readable by its owner only)."""

    folder: Path
    account: Account
    secrets: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def save(self) -> None:
        """Write the file anew, whole or not at all."""
        kept = {"secrets": self.secrets, "ports": self.ports, "account": self.account.name}
        write_private(self.folder / "state.json", json.dumps(kept, indent=1))

    def claim_port(self, name: str) -> int:
        """The port kept for `name` if it is free now, else another one, kept from now on."""
        if not port_is_free(self.ports[name]):
            self.ports[name] = free_port(set(self.ports.values()))
            self.save()
        return self.ports[name]

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Held while servers are started or stopped: one process at a time."""
        descriptor = self.open_lock("start.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.reload()
            yield
        finally:
            os.close(descriptor)

    def reload(self) -> None:
        """Read again what another process may have changed."""
        kept = _read(self.folder)
        self.secrets, self.ports = kept["secrets"], kept["ports"]
        self.account = server_account(kept["account"] or None)

    def open_lock(self, name: str) -> int:
        """A descriptor of a lock file in the folder. It is not handed to programs that we start."""
        return os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def open_state(purpose: str, project: Path) -> State:
    """The state of a purpose, with secrets and ports chosen the first time."""
    folder = state_folder(purpose, project)
    state = State(folder, Account(""))
    descriptor = state.open_lock("state.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not (folder / "state.json").exists():
            _choose(state)
    finally:
        os.close(descriptor)
    state.reload()
    return state


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, replacing an older one in one step."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(taken: set[int]) -> int:
    """A loopback port that nothing uses, below the range from which outgoing connections take theirs."""
    for _attempt in range(200):
        port = 20_000 + secrets.randbelow(12_000)
        if port not in taken and port_is_free(port):
            return port
    raise EmbeddedError("No free loopback port between 20000 and 32000.")


def _choose(state: State) -> None:
    state.account = server_account()
    state.secrets = {name: secrets.token_urlsafe(48 if name == "django" else 24) for name in SECRETS}
    for name in PORTS:
        state.ports[name] = free_port(set(state.ports.values()))
    state.save()


def _read(folder: Path) -> dict[str, Any]:
    path = folder / "state.json"
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = (set(SECRETS) - set(kept["secrets"])) | (set(PORTS) - set(kept["ports"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddedError(f"{path} can't be read ({error}). Remove the folder {folder} to start anew.") from error
    if missing or "account" not in kept:
        raise EmbeddedError(f"{path} is incomplete. Remove the folder {folder} to start anew.")
    return kept
