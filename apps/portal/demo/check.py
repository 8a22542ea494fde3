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
from apps.incidents.models import EscalationPlan, Exercise, InboundSource, Incident, IncidentClock
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
# What each portal begins with: rules of legal clocks, and a runbook for each scenario and for not being sure.
CLOCK_RULES, RUNBOOKS = 44, 8
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
        incidents = figures.incident_figures()
        self._expect_incidents(incidents)
        yield {"incidents": incidents}
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

    def _expect_incidents(self, told: Line) -> None:
        """One active lead for each that goes on; a card with one for each live system and mandatory scenario."""
        self.expect(told["live"] > 0, "no incident goes on")
        self.expect(told["live_with_lead"] == told["live"], f"leads: {told['live_with_lead']} of {told['live']} live")
        for name in ("cards_mandatory", "cards_with_active_lead"):
            self.expect(told[name] == told["cards_due"] > 0, f"{name}: {told[name]}, not {told['cards_due']}")
        self.expect(told["preflight"] >= told["cards_due"], f"preflight: {told['preflight']} of {told['cards_due']}")
        self.expect(told["clocks"].get("running", 0) > 0, f"no clock runs: {told['clocks']}")
        self.expect(told["drills"].get("closed", 0) > 0, f"no drill is over: {told['drills']}")
        self.expect(told["reviews"].get("done", 0) > 0, f"no review is signed: {told['reviews']}")
        for name, least in (("clock_rules", CLOCK_RULES), ("runbooks", RUNBOOKS), ("channels", 1), ("sources", 1)):
            self.expect(told[name] >= least, f"{name}: {told[name]}, not {least}")

    def pages(self) -> Iterator[Line]:
        """Each role signs in and fetches its pages."""
        found = places()
        self.expect(not found.missing(), f"nothing to visit: {', '.join(found.missing())}")
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
            yield from self._api_of_incidents(browser, key)
        finally:
            revoke_token(token, actor=holder, now=clock.now())

    def _api_of_incidents(self, browser: Browser, key: str) -> Iterator[Line]:
        """The card, the answer for a chat, what goes on now: each names the person."""
        card = browser.get(f"/api/v1/systems/{key}/card/", scenario="data-access")
        leads = str(card.json()["lead"]["name"]) if card.status == LET_IN else ""
        self.expect(leads != "", "API card: nobody leads")
        yield {**self._judge("API", card, LET_IN), "answers": leads}
        chat = browser.get("/api/v1/who/", q=key, scenario="data-access")
        line = self._judge("API", chat, LET_IN)
        self.expect(leads in chat.text, f"API who: {chat.text[:80]!r} does not name {leads}")
        yield {**line, "answers": chat.text.splitlines()[0] if chat.text else ""}
        found = browser.get("/api/v1/incidents/", live="true")
        rows = found.json()["results"] if found.status == LET_IN else []
        self.expect(len(rows) == figures.going_on().count(), f"API incidents: {len(rows)}")
        yield {**self._judge("API", found, LET_IN), "answers": ", ".join(row["code"] for row in rows)}
        for row in rows[:1]:
            yield self._judge("API", browser.get(f"/api/v1/incidents/{row['code']}/"), LET_IN)

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
    live, over = figures.going_on().first(), _last_closed()
    clock_running = IncidentClock.objects.filter(incident=live, state="running").first()
    drill = Exercise.objects.filter(state="closed").first()
    plan = EscalationPlan.objects.filter(valid_to=None).first()
    source = InboundSource.objects.filter(revoked_at=None).first()
    return Places(
        key=example_key(),
        signed=keys.first() or "",
        period=figures.campaign_figures().get("period", ""),
        sealed=figures.sealed_code(),
        live=live.code if live else "",
        clock=clock_running.pk if clock_running else 0,
        closed=over.code if over else "",
        drill=drill.code if drill else "",
        plan=plan.pk if plan else 0,
        source=source.pk if source else 0,
    )


def _last_closed() -> Incident | None:
    return Incident.objects.filter(mode="real", state="closed").order_by("-declared_at", "-pk").first()


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
