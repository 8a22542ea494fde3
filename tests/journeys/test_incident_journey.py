"""An incident in a real browser: declared from the error page, taken, worked on, handed over, contained, resolved."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.common import clock
from apps.incidents.models import Incident, IncidentStep
from tests.cast import Cast
from tests.factories import a_system
from tests.journeys.conftest import Site
from tests.journeys.looks import PHONE, barriers

pytestmark = [pytest.mark.journey, pytest.mark.committed]

TITLE = "It wrote to claimants who never asked"


@pytest.fixture
def cast(site: Site) -> Cast:
    """A system that Ada answers for."""
    cast = Cast()
    a_system(
        cast, key="SYS-0117", name="Claims Adjudication Agent", owner=cast.ada, now=clock.now() - timedelta(days=20)
    )
    return cast


def declare_from_the_error_page(page: Page) -> Incident:
    """From a page that is not there, in two steps."""
    page.get_by_role("link", name="Declare an incident").click()
    expect(page.get_by_role("heading", name="Something went wrong")).to_be_visible()
    page.get_by_label("Name, key, agent ID or vendor").fill("claims")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_label(re.compile("Claims Adjudication Agent"))).to_be_checked()
    page.get_by_label("Not sure").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Called the moment you declare")).to_be_visible()
    expect(page.locator(".called__name")).to_have_text("Ada Nwosu")
    page.get_by_label("What happened?").fill(TITLE)
    page.get_by_role("button", name="Declare the incident").click()
    expect(page.get_by_text(re.compile("is declared. Ada Nwosu is called now."))).to_be_visible()
    return Incident.objects.get()


def say(page: Page, action: str, button: str, **fields: str) -> None:
    """Open the page of one thing that can be done, fill it in, send it."""
    page.get_by_role("link", name=action).locator("visible=true").first.click()
    for label, value in fields.items():
        page.locator(f"#id_{label}").fill(value)
    page.get_by_role("button", name=button).click()


def work_the_runbook(page: Page, site: Site, incident: Incident) -> None:
    """Contain and freeze the evidence, as the pinned steps ask, each on its own page."""
    needed = IncidentStep.objects.filter(incident=incident, does__in=["containment", "evidence_freeze"])
    for step in needed.order_by("order"):
        page.goto(f"{site.url}{incident.path}steps/{step.order}/")
        page.locator("#evidence").fill("Rule pause-0117 at the gateway")
        page.get_by_role("button", name="Mark done").click()
        expect(page.get_by_text(f"Step {step.order} is done.")).to_be_visible()


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_from_the_error_page_to_resolved(cast: Cast, site: Site, visit: Any, phone: bool) -> None:
    size = {"viewport": PHONE} if phone else {}
    dov, ada, nils = (visit(**size) for _ in range(3))
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"))
    assert (incident.lead, incident.declared_by, incident.state) == (cast.ada, cast.dov, "reported")
    assert barriers(dov) == []

    ada.sign_in("ada")
    page = ada.page
    expect(page.get_by_role("heading", name=f"You lead the response to {incident.code}")).to_be_visible()
    page.get_by_role("link", name=re.compile(f"^Open.*{incident.code}")).click()
    page.get_by_role("button", name="I take it").click()
    expect(page.get_by_text("took it at")).to_be_visible()
    page.get_by_role("link", name="Say how bad it is").locator("visible=true").first.click()
    page.get_by_label(re.compile("Severity 2")).check()
    page.get_by_label("Why?").fill("61 people, harm is possible")
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_text("The severity is noted.")).to_be_visible()
    say(page, "Hand over the response", "Ask them", person="nils@example.org", briefing="The agent is paused")
    expect(page.get_by_text("Nils Okafor is asked to take over.")).to_be_visible()

    nils.sign_in("nils")
    theirs = nils.go(incident.path)
    expect(theirs.get_by_text("The agent is paused")).to_be_visible()
    theirs.get_by_role("button", name="I take over").click()
    expect(theirs.locator("#live-strip .owner-strip__name")).to_have_text("Nils Okafor")
    work_the_runbook(theirs, site, incident)
    nils.go(incident.path)
    say(theirs, "It is contained", "It is contained", note="Paused at the gateway")
    expect(theirs.get_by_text("The incident is contained.")).to_be_visible()
    say(theirs, "It is resolved", "It is resolved", resolution="The mailing permission is taken away")
    expect(theirs.get_by_text("The incident is resolved.")).to_be_visible()
    expect(theirs.locator(".live-bar")).to_have_count(0)
    assert barriers(nils) == []
    incident.refresh_from_db()
    assert (incident.lead, incident.severity) == (cast.nils, "sev2")
    assert incident.state in {"resolved", "in_review"}
    assert dov.complaints == ada.complaints == nils.complaints == []


def test_without_script(cast: Cast, visit: Any) -> None:
    dov, ada = visit(java_script_enabled=False), visit(java_script_enabled=False)
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"))
    dov.page.get_by_label("What happened, or what was decided?").fill("It began at 08:20")
    dov.page.get_by_role("button", name="Add note").click()
    expect(dov.page.locator("#live-lines p", has_text="It began at 08:20")).to_be_visible()
    ada.sign_in("ada")
    page = ada.go(incident.path)
    page.get_by_role("button", name="I take it").click()
    expect(page.get_by_text("took it at")).to_be_visible()
    expect(page.get_by_role("link", name="Reload")).to_be_visible()


def test_what_is_typed_stays_while_the_page_is_read_anew(cast: Cast, visit: Any) -> None:
    dov, ada = visit(), visit()
    dov.sign_in("dov")
    incident = declare_from_the_error_page(dov.go("/not/there/"))
    ada.sign_in("ada")
    page = ada.go(incident.path)
    words = page.get_by_label("What happened, or what was decided?")
    words.fill("Half a sentence that nobody sent y")
    as_of = page.locator("[data-as-of]").inner_text()

    dov.page.get_by_label("What happened, or what was decided?").fill("A second letter went out")
    dov.page.get_by_role("button", name="Add note").click()

    expect(page.locator("#live-lines p", has_text="A second letter went out")).to_be_visible(timeout=25_000)
    expect(words).to_have_value("Half a sentence that nobody sent y")
    expect(words).to_be_focused()
    expect(page.locator("#live-said")).to_contain_text("New line: A second letter went out")
    assert page.locator("[data-as-of]").inner_text() != as_of
    assert ada.complaints == []
