"""A clock that a test moves for several processes: it lies in a file, and runs on from where it was set."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

VARIABLE = "GOVPORTAL_FAULT_CLOCK"


class Clock:
    """The present moment as the file says."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, moment: datetime) -> None:
        """It is this moment now, for every process that reads the file."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"moment": moment.isoformat(), "since": time.time()}), encoding="ascii")
        fresh.rename(self.path)

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        told = json.loads(self.path.read_text(encoding="ascii"))
        moment = datetime.fromisoformat(told["moment"]) + timedelta(seconds=time.time() - told["since"])
        return moment.astimezone(UTC)


def install() -> None:
    """Let the portal in this process read the moved clock. Before any of its modules that keeps `clock.now`."""
    from apps.common import clock

    vars(clock)["now"] = Clock(Path(os.environ[VARIABLE])).now
