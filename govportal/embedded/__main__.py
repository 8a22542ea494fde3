"""`python -m govportal.embedded reset demo` forgets a set of data."""

import fcntl
import os
import shutil
import sys

from govportal import embedded


def reset(purpose: str) -> None:
    """Remove the folder of a purpose. Raises EmbeddedError while a process uses it."""
    state = embedded.open_state(purpose, embedded.PROJECT)
    users = state.open_lock("users.lock")
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise embedded.EmbeddedError("A process uses this data. Stop it first.") from None
    finally:
        os.close(users)
    # Servers that a killed process left behind are taken over, and stopped by the last one out.
    embedded.provide({}, purpose=purpose).close()
    shutil.rmtree(state.folder)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "reset":
        sys.exit(__doc__)
    try:
        reset(sys.argv[2])
    except embedded.EmbeddedError as error:
        sys.exit(f"reset: {error}")
