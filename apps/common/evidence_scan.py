"""Whether a file is taken at all: its size, and what the operator's scanner says about its bytes."""

import shlex
import subprocess
from collections.abc import Sequence

from django.conf import settings

from apps.common import evidence_store
from apps.common.errors import Refused

SCAN_SECONDS = 120


def refuse_too_large(size: int | None) -> None:
    """Raise Refused for a file that is larger than the portal takes; ask before reading it."""
    if size is not None and size > settings.EVIDENCE_MAX_MB * 1024 * 1024:
        raise Refused(
            f"The file has {size / 1024 / 1024:,.1f} MB; {settings.EVIDENCE_MAX_MB} MB are taken. "
            "Attach the part that matters."
        )


def scan(command: Sequence[str], sha256: str) -> tuple[str, str]:
    """What the scanner says of a file in the store: clean (0), infected (1), all else is a scan that failed; and its
    words."""
    path = str(evidence_store.path_of(sha256))
    try:
        evidence_store.read(sha256)
        done = subprocess.run(  # noqa: S603  (a command of the operator, a path made of a hash)
            [*command, path], capture_output=True, text=True, errors="replace", timeout=SCAN_SECONDS, check=False
        )
    except evidence_store.Damaged as error:
        return "failed", str(error)
    except (OSError, subprocess.SubprocessError) as error:
        return "failed", f"{shlex.quote(command[0])} did not answer: {type(error).__name__}"
    said = " ".join((done.stdout or done.stderr).replace(path, "the file").split())[:240]
    if done.returncode in {0, 1}:
        return ("infected" if done.returncode else "clean"), said
    return "failed", f"Exit code {done.returncode}. {said}"
