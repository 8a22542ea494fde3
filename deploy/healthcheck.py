"""What the containers' health checks run: `healthcheck.py web|worker|beat`. Exit code 0 means well."""

import http.client
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

SCHEDULE = Path("/tmp/schedule")  # noqa: S108
# Beat writes its schedule every three minutes.
STALE_SECONDS = 600


def web() -> bool:
    """The site answers, asked by its own name: other names are refused."""
    port = int(os.environ["BIND"].rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
    connection.request("GET", "/healthz", headers={"Host": urlsplit(os.environ["SITE_URL"]).netloc})
    return connection.getresponse().status == 200


def worker() -> bool:
    """This container's worker answers through the queue."""
    from govportal.celery import app

    name = f"celery@{os.uname().nodename}"
    return bool(app.control.ping(destination=[name], timeout=5))


def beat() -> bool:
    """Beat has written its schedule lately."""
    files = list(SCHEDULE.parent.glob(f"{SCHEDULE.name}*"))
    return any(time.time() - file.stat().st_mtime < STALE_SECONDS for file in files)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(0 if {"web": web, "worker": worker, "beat": beat}[sys.argv[1]]() else 1)
