"""A real server and a real browser, on a database of the journey's own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests import databases
from tests.cast import PASSWORD

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Site:
    """A running portal: its address and the name of its database."""

    url: str
    database: str


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_web(database: str, port: int, **extra: str) -> subprocess.Popen[bytes]:
    """gunicorn on a database, as the application's role; returns once it answers."""
    environment = {
        **os.environ,
        "DATABASE_URL": databases.app_url(database),
        "SITE_URL": f"http://localhost:{port}",
        "DJANGO_SETTINGS_MODULE": "govportal.settings",
        **extra,
    }
    command = [sys.executable, "-m", "gunicorn", "govportal.wsgi", "-b", f"127.0.0.1:{port}", "-w", "2"]
    process = subprocess.Popen([*command, "--log-level", "error"], cwd=ROOT, env=environment)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return process
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("gunicorn did not answer within 30 s")


@pytest.fixture
def site(committed_db: str) -> Iterator[Site]:
    """The portal on localhost, over the test's own database."""
    port = free_port()
    process = start_web(committed_db, port)
    yield Site(f"http://localhost:{port}", committed_db)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)


REPORTS = """window.reports = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.reports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));"""


class Visit:
    """One person's browser window, which remembers what the page complained about."""

    def __init__(self, site: Site, context: BrowserContext) -> None:
        self.site = site
        self.context = context
        context.add_init_script(REPORTS)
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.is_inspected = False
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, kind: str, text: str) -> None:
        of_policy = "Content Security Policy" in text
        expected = self.is_inspected if of_policy else "status of 4" in text
        if kind == "error" and not expected:
            self.complaints.append(text)

    def go(self, path: str) -> Page:
        """Open a path of the site."""
        self.page.goto(self.site.url + path, wait_until="load")
        return self.page

    def reports(self) -> list[str]:
        """What the content security policy refused on this page so far."""
        return [f"{self.page.url}: {report}" for report in self.page.evaluate("window.reports")]

    def sign_in(self, name: str) -> Page:
        """Sign in on the page, as a person does."""
        self.go("/accounts/login/")
        self.page.fill("[name=login]", f"{name}@example.org")
        self.page.fill("[name=password]", PASSWORD)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_url(f"{self.site.url}/")
        return self.page


def follow(target: Locator, *, tap: bool = False) -> None:
    """Click (or tap) what leads to a page, and return once that page is loaded.

    Waiting for "load" after a click is not enough: it is answered by the page that is still there.
    """
    with target.page.expect_navigation(wait_until="load"):
        target.tap() if tap else target.click()


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Any]:
    """Open windows on the site: visit(), visit(color_scheme="dark"), visit(java_script_enabled=False), …"""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> Visit:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        return Visit(site, context)

    yield opened
    for context in contexts:
        context.close()
