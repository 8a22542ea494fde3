"""Where the bytes of evidence lie: a private folder outside everything that is served, each file under its SHA-256.

A file is written whole or not at all, is never written again, and its hash is counted anew whenever it is read.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings


class Damaged(Exception):
    """The bytes on the disk are missing, or are not those that were given."""


def path_of(sha256: str) -> Path:
    """Where the file with this hash lies. Raises ValueError for what is no hash."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"{sha256!r} is no SHA-256")
    return Path(settings.EVIDENCE_DIR) / sha256[:2] / sha256[2:4] / sha256


def keep(content: bytes) -> str:
    """Write bytes under their hash, which is returned; bytes that lie there already stay as they are.

    On the disk before it returns (fsync of the file and of its folder), so that a row never names a file that a power
    cut took. Raises Damaged where something else lies under this hash.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = path_of(sha256)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _write_whole(path, content)
    read(sha256)
    return sha256


def _write_whole(path: Path, content: bytes) -> None:
    """A new file beside it, then its final name: a link is refused where the name is taken, so nothing is replaced."""
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o400)
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return  # another process kept the same bytes in between
    finally:
        Path(name).unlink()
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(sha256: str) -> bytes:
    """The bytes with this hash, counted anew. Raises Damaged where they are missing or others."""
    try:
        content = path_of(sha256).read_bytes()
    except OSError as error:
        raise Damaged("The file is not in the store.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Damaged("The file in the store is not the one that was given.")
    return content
