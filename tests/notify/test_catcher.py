"""The demo's mail catcher keeps every mail as a file, on this machine only, and in the demo only."""

import os
import signal
import smtplib
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.notify.caught import keep
from tests.notify.server import free_port


def test_it_keeps_what_it_is_given(tmp_path: Path, settings: Any) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "DEMO": "true",
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "MAIL_CATCHER_DIR": str(tmp_path / "mail"),
    }
    catcher = subprocess.Popen([sys.executable, "manage.py", "mail_catcher"], cwd=settings.BASE_DIR, env=environment)
    try:
        _send(port)
    finally:
        catcher.send_signal(signal.SIGTERM)
        assert catcher.wait(20) == 0
    (kept,) = (tmp_path / "mail").iterdir()
    assert kept.suffix == ".eml"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"Subject: hello" in kept.read_bytes()


def _send(port: int) -> None:
    for _attempt in range(100):
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=5) as line:
                line.sendmail("a@example.org", ["b@example.org"], b"Subject: hello\r\n\r\nthere\r\n")
                return
        except ConnectionRefusedError:
            time.sleep(0.2)
    raise AssertionError("the catcher does not listen")


def test_files_are_in_the_order_of_their_coming(tmp_path: Path) -> None:
    early = keep(tmp_path, b"one", datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    late = keep(tmp_path, b"two", datetime(2026, 11, 20, 9, 0, 1, tzinfo=UTC))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [early.name, late.name]


def test_not_outside_the_demo(settings: Any) -> None:
    with pytest.raises(CommandError, match="belongs to the demo"):
        call_command("mail_catcher")


def test_not_off_this_machine(settings: Any) -> None:
    settings.DEMO, settings.EMAIL_HOST = True, "mail.example.org"
    with pytest.raises(CommandError, match=r"127\.0\.0\.1 only"):
        call_command("mail_catcher")
