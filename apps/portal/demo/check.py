"""The check of a running demo: figures, every role's pages, the API, one mail through the whole chain."""

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings

from apps.access.actions import issue_token, revoke_token
from apps.attestations.models import Assignment
from apps.attestations.rules import QUARTERLY, SIGNED_STATES
from apps.common import clock
from apps.notify.actions import enqueue
from apps.notify.caught import mail_folder
from apps.notify.models import Message
from apps.notify.rules import message_id
from apps.portal.demo import figures
from apps.portal.demo.browser import Browser, Page
from apps.portal.demo.cast import CAST, FIRST_OWNER, MANDATE_HOLDER, SHARED_PHRASE
from apps.portal.demo.people import cast
from apps.portal.demo.visits import AUDITOR, LET_IN, Places, visits
from apps.registry.models import System
from apps.registry.rules import NOT_LIVE

SLOWEST = 5_000
MAIL_WITHIN = 40
# The inventory as published: 3,611 rows, of which 3,297 are not retired. The one row that is skipped, because it
# has no name, is not retired either.
ROWS, NOT_RETIRED = 3611, 3297
CONTACTS = {"none": 1115, "not_an_address": 168, "several": 10}

Line = dict[str, Any]


@dataclass
class Check:
    """One run. `problems` says what was not as it has to be."""

    base_url: str
    site_url: str
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[Line]:
        """Every finding as it comes; the last line sums up."""
        begun = time.monotonic()
        pages, slowest = 0, 0
        for part in (self.figures, self.pages, self.sealed, self.api, self.mail):
            for line in part():
                pages += "status" in line
                slowest = max(slowest, line.get("ms", 0))
                yield line
        yield {
            "ok": not self.problems,
            "pages": pages,
            "slowest_ms": slowest,
            "seconds": round(time.monotonic() - begun, 1),
            "problems": self.problems,
        }

    def expect(self, true: bool, problem: str) -> None:
        """Note a problem and go on: one run shows them all."""
        if not true:
            self.problems.append(problem)

    def figures(self) -> Iterator[Line]:
        """The numbers of import, owners, campaigns, today's story and the board."""
        imported = figures.import_figures()
        self._expect_import(imported)
        yield {"import": imported}
        owners = figures.owner_figures()
        self.expect(owners["accepted"] > 0 and owners["interim"] > 0, f"owners: {owners}")
        yield {"owners": owners}
        campaign = figures.campaign_figures()
        self.expect(campaign.get("assignments", 0) > 0 and campaign["signed"] > 0, f"campaign: {campaign}")
        yield {"campaign": campaign}
        sealed = figures.sealed_figures()
        self.expect(bool(sealed), "no campaign is sealed")
        self.expect(not sealed.get("faults"), f"sealed: {sealed.get('faults')}")
        yield {"sealed": sealed}
        story = figures.story_figures()
        for name in ("authorities", "charter_signatures", "findings"):
            self.expect(story[name] > 0, f"story: {name} is 0")
        yield {"story": story}
        headline = figures.headline()
        self.expect(bool(headline), "the board's page has no headline")
        yield {"headline": headline}

    def _expect_import(self, imported: Line) -> None:
        if not imported:
            self.problems.append("the inventory is not imported")
            return
        accounted = sum(imported[name] for name in ("created", "updated", "unchanged", "skipped"))
        self.expect(imported["rows_read"] == ROWS == accounted, f"rows: {imported}")
        live = NOT_RETIRED - imported["skipped"]
        self.expect(
            imported["live_in_file"] == live, f"live systems of the file: {imported['live_in_file']}, not {live}"
        )
        for name, number in CONTACTS.items():
            found = imported["contacts"][name]
            self.expect(found == number, f"contacts {name}: {found}, not {number}")

    def pages(self) -> Iterator[Line]:
        """Each role signs in and fetches its pages."""
        found = places()
        for part in CAST:
            if part.sign_in:
                yield from self._visits_of(part.sign_in, part.email, found)

    def _visits_of(self, role: str, email: str, found: Places) -> Iterator[Line]:
        browser = Browser(self.base_url)
        yield self._judge(role, browser.sign_in(email, SHARED_PHRASE), 302)
        for visit, path in visits(role, found):
            page = browser.get(path)
            expected = visit.status_for(role)
            line = self._judge(role, page, expected)
            if expected == LET_IN and visit.is_page and not page.title:
                self.problems.append(f"{role} {path}: the page has no title")
            yield line

    def sealed(self) -> Iterator[Line]:
        """The export of the sealed campaign, fetched by the auditor and verified by the script for outsiders."""
        code, browser = places().sealed, Browser(self.base_url)
        auditor = next(part for part in CAST if part.sign_in == AUDITOR)
        browser.sign_in(auditor.email, SHARED_PHRASE)
        page = browser.get(f"/attestations/{code}/sealed.zip")
        verdict = verified(page.body) if page.status == LET_IN else ""
        self.expect(verdict.startswith("VERIFIED"), f"export of {code}: {verdict or page.status}")
        yield {"export": code, "bytes": len(page.body), "verdict": verdict}

    def _judge(self, role: str, page: Page, expected: int) -> Line:
        self.expect(page.status == expected, f"{role} {page.path}: {page.status}, not {expected}")
        self.expect(page.milliseconds <= SLOWEST, f"{role} {page.path}: {page.milliseconds} ms")
        return {"role": role, "path": page.path, "status": page.status, "ms": page.milliseconds}

    def api(self) -> Iterator[Line]:
        """Who answers, asked by a program: without a token, then with one that lives five minutes."""
        yield self._judge("API without token", Browser(self.base_url).get("/api/v1/who-answers", q="x"), 401)
        holder = cast()[MANDATE_HOLDER]
        token, secret = issue_token(
            holder, name="demo-check", scopes=["read"], actor=holder, now=clock.now(), lifetime=timedelta(minutes=5)
        )
        try:
            browser, key = Browser(self.base_url, secret), example_key()
            for scenario in ("", "data-access", "harmful-decision", "cost-spike"):
                query = {"q": key, **({"scenario": scenario} if scenario else {})}
                page = browser.get("/api/v1/who-answers", **query)
                line = self._judge("API", page, LET_IN)
                answers = _name_in(page)
                self.expect(answers != "", f"API who-answers {scenario or 'without scenario'}: nobody")
                yield {**line, "answers": answers}
        finally:
            revoke_token(token, actor=holder, now=clock.now())

    def mail(self) -> Iterator[Line]:
        """One mail by way of outbox, beat, queue, worker and mail server into the catcher."""
        begun = time.monotonic()
        key = f"demo-check:{uuid.uuid4()}"
        enqueue(
            key=key,
            recipient=cast()[MANDATE_HOLDER],
            subject="Demo check: mail arrives",
            body="The demo check wrote this into the outbox. The scheduler, the queue and the worker brought it here.",
            now=clock.now(),
        )
        marker = message_id(key, self.site_url)
        sent = _until(lambda: _state_of(key) not in {"queued", "claimed"}, MAIL_WITHIN)
        caught = sent and _until(lambda: _is_caught(marker), 2)
        self.expect(_state_of(key) == "sent", f"mail: {_state_of(key)} after {MAIL_WITHIN} s")
        self.expect(caught, "mail: it is not in the catcher's folder")
        yield {"mail": _state_of(key), "caught": caught, "seconds": round(time.monotonic() - begun, 1)}


def _name_in(page: Page) -> str:
    """The one name in an answer of the API, or nothing."""
    answer = page.json().get("answer") if page.status == LET_IN else None
    return str(answer["person"]["name"]) if answer else ""


def verified(export: bytes) -> str:
    """What docs/verify_campaign.py says about an export, run apart from the portal."""
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(export)
        file.flush()
        script = settings.BASE_DIR / "docs" / "verify_campaign.py"
        done = subprocess.run(  # noqa: S603  (our own script, a path of our own)
            [sys.executable, "-I", str(script), file.name], capture_output=True, text=True, timeout=120, check=False
        )
    return (done.stdout or done.stderr).strip()


def places() -> Places:
    """What the check visits, as it stands in the tables."""
    owner = cast()[FIRST_OWNER]
    signed = Assignment.objects.filter(campaign__template__key=QUARTERLY, system__owner=owner, state__in=SIGNED_STATES)
    keys = signed.order_by("system__key").values_list("system__key", flat=True)
    return Places(
        key=example_key(),
        signed=keys.first() or "",
        period=figures.campaign_figures().get("period", ""),
        sealed=figures.sealed_code(),
    )


def example_key() -> str:
    """The system that the check and the tour look at: the first that the demo's first owner accepted."""
    owner = cast()[FIRST_OWNER]
    systems = System.objects.filter(owner=owner, owner_basis=System.Basis.ACCEPTED).exclude(stage__in=NOT_LIVE)
    return str(systems.order_by("key").values_list("key", flat=True)[0])


def _until(done: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.3)
    return done()


def _state_of(key: str) -> str:
    return str(Message.objects.values_list("state", flat=True).get(key=key))


def _is_caught(marker: str) -> bool:
    newest = sorted(mail_folder().glob("*.eml"), reverse=True)[:200]
    return any(marker.encode() in path.read_bytes() for path in newest)
