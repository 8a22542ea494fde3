"""Findings in a real browser: planned, done by one, verified by another; and a risk that a seat accepts for a time."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.common import clock
from apps.findings.models import Finding
from tests.cast import Cast
from tests.factories import a_system
from tests.findings.world import a_finding
from tests.journeys.conftest import Site

pytestmark = [pytest.mark.journey, pytest.mark.committed]

LATE = "The channel was never drilled."
MILD = "The register says no vendor."


@pytest.fixture
def cast(site: Site) -> Cast:
    """A grave finding of Ada's that is overdue, and a mild one in time."""
    cast, now = Cast(), clock.now()
    system = a_system(cast, key="SYS-0117", name="Claims Adjudication Agent", owner=cast.ada, now=now - timedelta(20))
    a_finding(cast, title=LATE, severity="high", system=system, now=now - timedelta(days=16))
    a_finding(cast, title=MILD, severity="medium", system=system, now=now - timedelta(days=1))
    return cast


def open_finding(page: Page, title: str) -> None:
    """By its line in the list."""
    page.get_by_role("row", name=re.compile(re.escape(title))).get_by_role("link").first.click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def fold_out(page: Page, name: str) -> None:
    """Open the form where it is folded."""
    details = page.locator("details.finding-verb", has_text=name)
    if details.get_attribute("open") is None:
        details.locator("summary").click()


def in_days(days: int) -> str:
    """A day as people write it."""
    return clock.day_words(clock.local_date(clock.now()) + timedelta(days=days))


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_an_overdue_finding_is_put_right(cast: Cast, visit: Any, script: bool) -> None:
    ada, ben = visit(java_script_enabled=script), visit(java_script_enabled=script)
    ada.sign_in("ada")
    page = ada.go("/findings/?tab=overdue")
    expect(page.get_by_role("row", name=re.compile(re.escape(LATE)))).to_contain_text("overdue")
    expect(page.get_by_text(MILD)).to_have_count(0)
    open_finding(page, LATE)
    fold_out(page, "Plan an action")
    page.get_by_label("What is done about it?").fill("Drill the channel")
    page.get_by_label("Who does it?").fill("ben@example.org")
    page.get_by_label("By which day?").fill(in_days(2))
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text("The action is planned.")).to_be_visible()
    expect(page.get_by_role("button", name="I looked, it is put right")).to_have_count(0)

    ben.sign_in("ben")
    theirs = ben.go("/findings/")
    open_finding(theirs, LATE)
    theirs.get_by_label("What shows that it is done?").fill("Drilled at 10:00, it stopped in 40 s")
    theirs.get_by_role("button", name="It is done").click()
    expect(theirs.get_by_text("Done. Somebody else verifies it now.")).to_be_visible()
    expect(theirs.get_by_role("button", name="I looked, it is put right")).to_have_count(0)

    page = ada.go("/findings/")
    open_finding(page, LATE)
    expect(page.get_by_text("Drilled at 10:00, it stopped in 40 s")).to_be_visible()
    page.get_by_role("button", name="I looked, it is put right").click()
    expect(page.get_by_text("Verified.", exact=True)).to_be_visible()
    close = page.get_by_role("button", name="Close the finding")
    if close.count():
        close.click()
    expect(page.get_by_text("Put right and verified.")).to_be_visible()
    finding = Finding.objects.get(title=LATE)
    action = finding.actions.get()
    assert (finding.state, finding.closed_because) == (Finding.State.CLOSED, Finding.Because.VERIFIED)
    assert (action.done_by, action.verified_by) == (cast.ben, cast.ada)
    assert ada.complaints == ben.complaints == []


def test_a_risk_is_accepted_by_a_seat_until_a_day(cast: Cast, visit: Any) -> None:
    mara, ada = visit(), visit()
    ada.sign_in("ada")
    page = ada.go("/findings/")
    open_finding(page, MILD)
    expect(page.get_by_text("I accept the risk")).to_have_count(0)
    expect(page.get_by_text("the holder of the mandate, may accept this").first).to_be_visible()

    mara.sign_in("mara")
    page = mara.go("/findings/?tab=all")
    open_finding(page, MILD)
    fold_out(page, "Accept the risk…")
    page.get_by_label("Why is the risk accepted?").fill("The vendor is named next month")
    page.get_by_label("Until which day?").fill(in_days(400))
    page.get_by_role("button", name="I accept the risk").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    assert Finding.objects.get(title=MILD).state == Finding.State.OPEN
    page.get_by_label("Until which day?").fill(in_days(30))
    page.get_by_role("button", name="I accept the risk").click()
    expect(page.get_by_text(f"Mara Lindt accepted the risk until {in_days(30)}.")).to_be_visible()
    expect(page.get_by_text("Holds the governance mandate.")).to_be_visible()

    page = ada.go("/findings/?tab=accepted")
    expect(page.get_by_role("row", name=re.compile(re.escape(MILD)))).to_contain_text("Accepted by Mara Lindt")
    finding = Finding.objects.get(title=MILD)
    assert finding.state == Finding.State.ACCEPTED
    assert finding.accepted_until == clock.local_date(clock.now()) + timedelta(days=30)
    assert mara.complaints == ada.complaints == []


def test_a_grave_risk_is_not_the_owners_to_accept(cast: Cast, visit: Any) -> None:
    ada = visit()
    ada.sign_in("ada")
    page = ada.go("/findings/")
    open_finding(page, LATE)
    expect(page.get_by_text("Why is the risk accepted?")).to_have_count(0)
    expect(page.get_by_text(re.compile("accountable for (accepting )?residual risk")).first).to_be_visible()
