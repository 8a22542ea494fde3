"""The main job in a real browser: sign in, who answers, attest and sign, and the board's number changes."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.attestations.actions import open_campaign
from apps.attestations.models import Signature
from apps.audit.rules import COMMAND
from apps.common import clock
from tests.attestations.calendar import running_period
from tests.cast import PASSWORD, Cast
from tests.factories import a_system
from tests.journeys.conftest import Site, follow
from tests.journeys.looks import barriers
from tests.journeys.test_attestation_quarter import fill

pytestmark = [pytest.mark.journey, pytest.mark.committed]
PERIOD = str(running_period())


@pytest.fixture
def world(site: Site) -> Cast:
    """Ada has accepted one system, another is interim; a campaign is open over both."""
    cast, now = Cast(), clock.now() - timedelta(days=2)
    a_system(cast, key="SYS-0117", name="Claims Adjudication Agent", owner=cast.ada, tier="low", now=now)
    a_system(cast, key="SYS-0104", name="Software Approval Agent", unit=cast.devtools, tier="low", now=now)
    open_campaign(PERIOD, actor=COMMAND, now=now + timedelta(hours=1))
    return cast


def attested(page: Page) -> str:
    """The board's number of attested systems, as the page shows it."""
    row = page.get_by_role("row", name=re.compile(f"Attested in {running_period().label}"))
    return row.get_by_role("link").inner_text().split("\n")[0]


def answer_all(page: Page) -> None:
    """Answer everything in order, section by section, with the same hands as the journey through the quarter."""
    for _ in range(40):
        if "/check/" in page.url:
            return
        fill(page)
        fill(page)
        follow(page.get_by_role("button", name="Save and continue").last)
    raise AssertionError(page.url)


def sign(page: Page) -> None:
    """Read, tick, type one's name, prove that it is oneself."""
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill("Ada Nwosu")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign and submit").click()
    page.wait_for_url("**/receipt/")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_attest_and_sign_changes_the_boards_number(world: Cast, visit: Any, script: bool) -> None:
    board = visit(java_script_enabled=script)
    board.sign_in("bo")
    assert attested(board.go("/readiness/")) == "0 of 2"

    owner = visit(java_script_enabled=script)
    page = owner.sign_in("ada")
    expect(page.get_by_role("heading", name="Needs you")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Start.*Claims Adjudication Agent")).click()
    page.wait_for_url("**/attestations/**")
    if not page.locator("fieldset.question").count():
        page.locator("main").get_by_role("link", name=re.compile("^(Start|Continue|Ownership)")).first.click()
    answer_all(page)
    expect(page.get_by_role("heading", name="Check your answers before you sign")).to_be_visible()
    sign(page)
    expect(page.get_by_text("Ada Nwosu").first).to_be_visible()
    assert not script or barriers(owner) == []

    assert attested(board.go("/readiness/")) == "1 of 2"
    assert Signature.objects.get().signer == world.ada
    assert owner.complaints == board.complaints == []


def test_signing_without_the_password_is_refused(world: Cast, visit: Any) -> None:
    owner = visit()
    page = owner.sign_in("ada")
    owner.go(f"/attestations/{PERIOD}/SYS-0117/ownership/")
    answer_all(page)
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill("A. Nwosu")
    page.get_by_label("Your password").fill("not my password")
    page.get_by_role("button", name="Sign and submit").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    assert page.title().startswith("Error: ")
    assert not Signature.objects.exists()


def test_who_answers_by_one_key(world: Cast, visit: Any) -> None:
    window = visit()
    page = window.sign_in("dov")
    page.keyboard.press("/")
    page.keyboard.type("claims adj", delay=20)
    expect(page.get_by_role("option", name=re.compile("Claims Adjudication Agent"))).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/who/**")
    expect(page.locator("h1")).to_contain_text("Ada Nwosu")
    expect(page.get_by_text("+49 30 5550 0142").first).to_be_visible()
    expect(page.get_by_text("Ben Ortega").first).to_be_visible()
    page.get_by_role("link", name="It accessed data").click()
    expect(page.locator("h1")).to_contain_text("Cleo Marchetti")
    assert window.complaints == []


def test_who_answers_without_script_and_for_an_interim_owner(world: Cast, visit: Any) -> None:
    page = visit(java_script_enabled=False).sign_in("dov")
    page.fill("#top-q", "software approval")
    page.press("#top-q", "Enter")
    expect(page.locator("h1")).to_contain_text("Mara Lindt")
    expect(page.get_by_text("Nobody has accepted").first).to_be_visible()


def test_autosave_keeps_what_was_chosen(world: Cast, visit: Any) -> None:
    window = visit()
    page = window.sign_in("ada")
    window.go(f"/attestations/{PERIOD}/SYS-0117/")
    if not page.locator("fieldset.question").count():
        page.locator("main").get_by_role("link", name=re.compile("Ownership")).first.click()
    page.locator("fieldset.question").first.locator("input[type=radio]").first.check()
    expect(page.locator("[data-autosave-status]")).to_contain_text("Saved", timeout=10_000)
    page.reload()
    assert page.locator("fieldset.question").first.locator("input[type=radio]").first.is_checked()
    assert window.complaints == []


def test_a_nomination_is_accepted_from_home(world: Cast, visit: Any) -> None:
    mara = visit()
    page = mara.sign_in("mara")
    mara.go("/systems/SYS-0104/nominate/")
    page.locator("#content input[type=text], #content input:not([type])").first.fill("nils@example.org")
    page.locator("#content form button[type=submit]").first.click()
    page.wait_for_url("**/systems/SYS-0104/")
    nils = visit()
    page = nils.sign_in("nils")
    page.get_by_role("link", name=re.compile("Software Approval Agent")).first.click()
    page.get_by_role("button", name="I answer for this system").click()
    page.wait_for_url("**/systems/SYS-0104/")
    expect(page.get_by_text("Nils Okafor").first).to_be_visible()
    assert mara.complaints == nils.complaints == []
