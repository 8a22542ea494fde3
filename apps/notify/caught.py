"""Where the demo's mail catcher keeps what it caught."""

import hashlib
import os
from datetime import datetime
from pathlib import Path

from django.conf import settings


def mail_folder() -> Path:
    """MAIL_CATCHER_DIR, or var/mail below the project."""
    return Path(os.environ.get("MAIL_CATCHER_DIR") or settings.BASE_DIR / "var" / "mail")


def keep(folder: Path, content: bytes, moment: datetime) -> Path:
    """Write a mail whole or not at all, readable by this account only; named by its time and a hash of its text."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    path = folder / f"{moment:%Y%m%dT%H%M%S%f}Z-{digest}.eml"
    fresh = path.with_suffix(".part")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.rename(path)
    return path
