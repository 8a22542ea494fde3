"""Where the data lives: the project's own var/ folder, or for root a folder that another account can enter."""

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

from govportal.embedded.errors import EmbeddedError

# Root's project may lie in a folder that nobody else can enter; these can be entered by all.
ROOT_PARENTS = (Path("/var") / "tmp", Path("/var") / "lib", Path("/srv"))
PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,30}")


def state_folder(purpose: str, project: Path) -> Path:
    """The folder of one purpose, made if missing. Raises EmbeddedError if it is not ours alone to write."""
    if not PURPOSE.fullmatch(purpose):
        raise EmbeddedError(f"{purpose!r} is not a name for a set of data: use small letters, digits and hyphens.")
    return make_own(home(project) / purpose, open_to_pass=os.geteuid() == 0)


def home(project: Path) -> Path:
    """The folder of all purposes: given by GOVPORTAL_STATE, else chosen by who asks."""
    given = os.environ.get("GOVPORTAL_STATE")
    if given:
        return make_own(Path(given).resolve(), open_to_pass=os.geteuid() == 0)
    var = make_own(project / "var")
    if os.geteuid() != 0:
        return var
    # A clone at the path of a deleted one is another project: the mark in var/ tells them apart.
    digest = hashlib.sha256(f"{var.resolve()}\n{_mark(var)}".encode()).hexdigest()[:12]
    return make_own(_root_parent() / f"govportal-{os.geteuid()}-{digest}", open_to_pass=True)


def make_own(path: Path, *, open_to_pass: bool = False) -> Path:
    """Make the folder, or check that an existing one is ours and that nobody else can write to it.

    The permissions of a folder that was there already are never changed.
    """
    try:
        path.mkdir(mode=0o700)
        path.chmod(0o711 if open_to_pass else 0o700)
    except FileExistsError:
        _verify(path)
    except OSError as error:
        raise EmbeddedError(f"The folder {path} can't be made: {error.strerror}.") from error
    return path


def _verify(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedError(f"{path} is not a folder of the account that runs this. Remove it, or set GOVPORTAL_STATE.")
    if path.name != "var" and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EmbeddedError(f"Others can write to {path}. Take that right away, or set GOVPORTAL_STATE.")


def _mark(var: Path) -> str:
    path = var / "instance"
    if not path.exists():
        fresh = var / f".instance-{os.getpid()}"
        fresh.write_text(secrets.token_hex(8), encoding="ascii")
        try:
            os.link(fresh, path)  # the first of two processes wins, whole
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii")


def _root_parent() -> Path:
    for parent in ROOT_PARENTS:
        if parent.is_dir() and not os.statvfs(parent).f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
            return parent
    raise EmbeddedError("No folder lets another account run programs. Set GOVPORTAL_STATE to one that does.")
