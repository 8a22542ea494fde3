"""The mandate in a real browser: the charter is written, six seats sign it, one takes the signature back."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.findings.actions import sweep_registry
from apps.findings.models import Finding
from apps.registry.models import Charter, CharterSignature
from tests.cast import NAMES, PASSWORD, Cast
from tests.journeys.conftest import Site, Visit
from tests.journeys.looks import barriers

pytestmark = [pytest.mark.journey, pytest.mark.committed]

# Function -> who is seated in the journey, and the seat's title. Cleo and Lea sit already.
SEATED = {
    "engineering": ("nils", "VP Engineering"),
    "finance": ("una", "Head of Finance"),
    "ai_lead": ("ben", "Head of AI"),
    "board": ("bo", "Board committee chair"),
}
SIGNERS = {"ciso": ("cleo", "CISO"), "legal": ("lea", "General Counsel"), **SEATED}
AUTHORITY = "Stop any AI system, revoke its permissions, cap its spend."


@pytest.fixture
def cast(site: Site) -> Cast:
    """Nobody has written a charter."""
    return Cast()


def seat(window: Visit, function: str, name: str) -> None:
    """The mandate holder seats a person."""
    page = window.go(f"/people/seats/?seat={function}")
    page.get_by_label("Who takes the seat?").fill(f"{name}@example.org")
    page.get_by_role("button", name="Seat this person").click()
    expect(page.get_by_text(f"{NAMES[name]} holds the seat {SEATED[function][1]}.")).to_be_visible()


def write_charter(window: Visit) -> None:
    """From nothing to a version in force, over every domain."""
    page = window.go("/ownership/mandate/")
    expect(page.get_by_text("There is no charter yet.")).to_be_visible()
    page.get_by_role("button", name="Write the charter").click()
    page.wait_for_url("**/ownership/mandate/draft/")
    page.get_by_label("Authority").fill(AUTHORITY)
    page.get_by_label("Enforcement points in scope").fill("The gateway\nAdmission in the clusters")
    for choice in page.locator("select[name^=domain-]").all():
        choice.select_option("enforces")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("The draft is saved.")).to_be_visible()
    assert barriers(window) == []
    page.get_by_role("button", name="Save and put in force").click()
    page.wait_for_url("**/ownership/mandate/")
    expect(page.get_by_text("0 of 6 seats signed.")).to_be_visible()


def sign(window: Visit, function: str, name: str, title: str) -> Page:
    """Sign in, read, sign with the password."""
    window.sign_in(name)
    page = window.go("/ownership/mandate/")
    page.get_by_role("link", name=f"Read and sign for {title}").click()
    page.wait_for_url(f"**/sign/{function}/")
    expect(page.get_by_text(AUTHORITY)).to_be_visible()
    page.get_by_label("I have read the declaration and I mean it").check()
    page.get_by_label("Type your full name to sign").fill(NAMES[name])
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign", exact=True).click()
    page.wait_for_url("**/ownership/mandate/")
    expect(page.get_by_text(f"Signed for {title}: version 1.")).to_be_visible()
    return page


def withdraw(window: Visit, title: str) -> None:
    """Take the signature back, with a reason."""
    page = window.go("/ownership/mandate/")
    page.get_by_role("link", name=f"Withdraw… the signature of {title}").click()
    page.get_by_role("button", name="Withdraw the signature").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    page.get_by_label("Reason").fill("Cost is attributed to nobody")
    page.get_by_role("button", name="Withdraw the signature").click()
    page.wait_for_url("**/ownership/mandate/")
    expect(page.get_by_text("5 of 6 seats signed.")).to_be_visible()


def sweep() -> None:
    """What the nightly check does."""
    sweep_registry(now=clock.now(), actor=COMMAND)


def of_the_mandate() -> list[Finding]:
    """Open findings about signatures under the charter."""
    return list(Finding.objects.filter(code="charter-signature").exclude(state=Finding.State.CLOSED))


def test_six_seats_sign_and_one_withdraws(cast: Cast, visit: Any) -> None:
    mara = visit()
    mara.sign_in("mara")
    for function, (name, _) in SEATED.items():
        seat(mara, function, name)
    write_charter(mara)
    sweep()
    assert {one.subject for one in of_the_mandate()} == set(SIGNERS)

    windows = {}
    for count, (function, (name, title)) in enumerate(SIGNERS.items(), 1):
        windows[name] = visit()
        page = sign(windows[name], function, name, title)
        said = "All 6 seats signed." if count == len(SIGNERS) else f"{count} of 6 seats signed."
        expect(page.get_by_text(said)).to_be_visible()
    charter = Charter.objects.get()
    signed = CharterSignature.objects.filter(charter=charter, withdrawn_at=None, auth_method="password")
    assert {(row.function_id, row.signer_name) for row in signed} == {
        (function, NAMES[name]) for function, (name, _) in SIGNERS.items()
    }
    mara.go("/ownership/mandate/")
    assert barriers(mara) == []
    sweep()
    assert of_the_mandate() == []

    withdraw(windows["una"], "Head of Finance")
    sweep()
    finding = of_the_mandate()[0]
    assert finding.person == cast.una
    for window in (windows["una"], mara):
        page = window.go("/findings/?tab=all")
        row = page.get_by_role("row", name=re.compile("Head of Finance withdrew the signature under the charter"))
        expect(row).to_contain_text("Una Brandt")
        expect(row).to_contain_text(f"Due {clock.day_words(finding.due_on)}")
        row.get_by_role("link").first.click()
        expect(page.get_by_text("Settle the reason and sign again").first).to_be_visible()
        expect(page.locator(".finding-due")).to_have_text(clock.day_words(finding.due_on))
    assert [text for window in (mara, *windows.values()) for text in window.complaints] == []


def test_nobody_signs_for_another_seat(cast: Cast, visit: Any) -> None:
    mara, cleo = visit(), visit()
    mara.sign_in("mara")
    write_charter(mara)
    cleo.sign_in("cleo")
    page = cleo.go("/ownership/mandate/sign/legal/")
    expect(page.get_by_text("only who holds the seat General Counsel signs for it")).to_be_visible()
    page = cleo.go("/ownership/mandate/")
    expect(page.get_by_role("link", name=re.compile("Read and sign"))).to_have_count(1)
    assert not CharterSignature.objects.exists()
