"""The operating-system account that the servers run under: PostgreSQL refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from govportal.embedded.errors import EmbeddedError

UNPRIVILEGED = ("postgres", "nobody")


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess.run` that change to the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """Who runs the servers. `uid` is None when it is the caller itself."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def run_as(self) -> RunAs:
        """What to pass to `subprocess`."""
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Hand a folder or file that we made to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(name: str | None = None) -> Account:
    """The caller, or for root the named account (the first unprivileged one that exists).

    Raises EmbeddedError where root has no other account to use.
    """
    if os.geteuid() != 0:
        return Account("")
    for candidate in (name,) if name else UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(candidate)
        except KeyError:
            continue
        return Account(candidate, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and there is no account {' or '.join((name,) if name else UNPRIVILEGED)}."
        " Run this as another user, or set DATABASE_URL and REDIS_URL."
    )
