"""One system from owner to owner in a real browser: asked, handed over, away, and gone; somebody always answers."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.common import clock
from apps.directory.models import OffboardingCase
from apps.registry import actions as registry
from apps.registry.models import Handover, System
from apps.registry.rules.authority import Powers
from tests.cast import PASSWORD, Cast
from tests.factories import a_system
from tests.journeys.conftest import Site, Visit
from tests.journeys.looks import barriers

pytestmark = [pytest.mark.journey, pytest.mark.committed]

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NAME = "Claims Adjudication Agent"


@pytest.fixture
def world(site: Site) -> Cast:
    """Ada has accepted a system, and may stop it without asking."""
    cast, now = Cast(), clock.now() - timedelta(days=3)
    system = a_system(cast, key="SYS-0117", name=NAME, owner=cast.ada, tier="critical", now=now)
    registry.grant_authority(system, Powers(may_stop=True), actor=cast.mara, now=now + timedelta(hours=1))
    return cast


def who_answers(window: Visit) -> Page:
    """The page that says who answers."""
    page = window.go("/who/?system=SYS-0117")
    expect(page.locator("h1")).to_be_visible()
    return page


def nominate(window: Visit) -> None:
    """The mandate holder asks Nils, and gives the authority along with it."""
    window.sign_in("mara")
    page = window.go("/systems/SYS-0117/nominate/")
    page.get_by_label("Whom do you nominate?").fill("nils@example.org")
    page.get_by_label("Why this person?").fill("Knows the claims models")
    page.get_by_label("Stop the system").check()
    page.get_by_label("Cap its spend up to").fill("5000")
    page.get_by_label("Currency").fill("EUR")
    page.get_by_role("button", name="Nominate").click()
    page.wait_for_url("**/systems/SYS-0117/")
    expect(page.get_by_text("Nils Okafor is nominated and told by mail.")).to_be_visible()


def accept_on_the_phone(phone: Visit) -> None:
    """Nils finds it on the home page, reads what it means and says yes."""
    page = phone.sign_in("nils")
    page.get_by_role("link", name=re.compile(NAME)).first.click()
    page.wait_for_url("**/nominations/*/")
    expect(page.get_by_role("heading", name=f"Do you answer for {NAME}?")).to_be_visible()
    expect(page.get_by_text("Stop the system")).to_be_visible()
    expect(page.get_by_text("Knows the claims models")).to_be_visible()
    page.get_by_role("button", name="I answer for this system").click()
    page.wait_for_url(re.compile(r"/(handovers|systems)/"))


def sign(page: Page, name: str, button: str) -> None:
    """Tick, type one's name, prove that it is oneself."""
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill(name)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name=button).click()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_from_owner_to_owner(world: Cast, visit: Any, script: bool) -> None:
    mara, ada = visit(java_script_enabled=script), visit(java_script_enabled=script)
    phone = visit(java_script_enabled=script, **PHONE)
    nominate(mara)
    accept_on_the_phone(phone)
    handover = Handover.objects.get()
    expect(who_answers(ada_signed_in(ada)).locator("h1")).to_contain_text("Ada Nwosu")

    hand_over(ada, handover, script=script)
    expect(who_answers(phone).locator("h1")).to_contain_text("Ada Nwosu")
    take_over(phone, handover)
    expect(who_answers(phone).locator("h1")).to_contain_text("Nils Okafor")

    go_away(phone)
    page = who_answers(phone)
    today = clock.day_words(clock.local_date(clock.now()))
    expect(page.locator("h1")).to_contain_text("Ben Ortega")
    expect(page.get_by_text(f"Acts for Nils Okafor until {today}").first).to_be_visible()
    expect(page.get_by_text("Delegate: Ben Ortega acts")).to_be_visible()

    leave(mara, world)
    leaver_is_gone(mara, phone, script=script)
    assert mara.complaints == ada.complaints == phone.complaints == []


def ada_signed_in(window: Visit) -> Visit:
    """Ada's window."""
    window.sign_in("ada")
    return window


def hand_over(ada: Visit, handover: Handover, *, script: bool) -> None:
    """Ada finds the hand-over at home, keeps a note, and signs with her judgement. A wrong password signs nothing."""
    page = ada.go("/")
    page.get_by_role("link", name=re.compile(NAME)).first.click()
    page.wait_for_url(f"**/handovers/{handover.pk}/")
    page.get_by_label("Your judgement").fill("The threshold is fragile.")
    page.get_by_role("button", name="Save without signing").click()
    expect(page.get_by_text("Saved. Nothing is signed yet.")).to_be_visible()
    expect(page.get_by_label("Your judgement")).to_have_value("The threshold is fragile.")
    page.get_by_label("Your judgement").fill("The threshold is fragile. Watch it on Mondays.")
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill("Ada Nwosu")
    page.get_by_label("Your password").fill("not my password")
    page.get_by_role("button", name="Sign and hand over").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    assert not handover.signatures.exists()
    sign(page, "Ada Nwosu", "Sign and hand over")
    expect(page.get_by_text("Signed. Nils Okafor is asked to sign; until then you answer.")).to_be_visible()
    assert not script or barriers(ada) == []


def take_over(phone: Visit, handover: Handover) -> None:
    """Nils reads the judgement and signs."""
    page = phone.go(f"/handovers/{handover.pk}/")
    expect(page.get_by_text("The threshold is fragile. Watch it on Mondays.")).to_be_visible()
    sign(page, "Nils Okafor", "Sign and take over")
    page.wait_for_url("**/systems/SYS-0117/")
    system = System.objects.get()
    assert (system.owner.display_name, system.owner_basis) == ("Nils Okafor", System.Basis.ACCEPTED)


def go_away(phone: Visit) -> None:
    """Nils is away today, and Ben acts."""
    page, today = phone.go("/profile/availability/"), clock.local_date(clock.now()).isoformat()
    page.get_by_label("First day").fill(today)
    page.get_by_label("Last day").fill(today)
    page.get_by_label("Who acts").fill("ben@example.org")
    page.get_by_role("button", name="Record the days").click()
    expect(page.get_by_text("Recorded:")).to_be_visible()


def leave(mara: Visit, cast: Cast) -> None:
    """The mandate holder sees what passes to whom, gives the reason and confirms."""
    page = mara.go(f"/people/{cast.nils.pk}/")
    page.get_by_role("link", name="They leave…").click()
    row = page.get_by_role("row", name=re.compile("Una Brandt"))
    expect(row).to_contain_text("1")
    page.get_by_label("Reason").fill("Left the organisation")
    page.get_by_role("button", name="Hand over and deactivate").click()
    page.wait_for_url("**/directory/leavers/*/")


def leaver_is_gone(mara: Visit, phone: Visit, *, script: bool) -> None:
    """The case lists the system; Una answers and the page says why; the day still knows Nils; he is signed out."""
    page = mara.page
    expect(page.get_by_text("1 of 1 systems wait for an owner.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile(NAME))).to_contain_text("Una Brandt")
    assert not script or barriers(mara) == []
    assert OffboardingCase.objects.get().state == OffboardingCase.State.OPEN

    page = who_answers(mara)
    expect(page.locator("h1")).to_contain_text("Una Brandt")
    expect(page.get_by_text(re.compile(r"Nils Okafor answered until"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"Una Brandt answers in the interim")).first).to_be_visible()

    day = clock.local_date(clock.now())
    page = mara.go("/systems/SYS-0117/history/")
    page.locator("#on").fill(day.isoformat())
    page.get_by_role("button", name="Show").click()
    on_that_day = page.get_by_role("region", name="Who answered on that day")
    for name in ("Ada Nwosu", "Nils Okafor", "Una Brandt"):
        expect(on_that_day.get_by_text(name, exact=True).first).to_be_visible()
    assert phone.go("/").url.endswith("/accounts/login/?next=/")
