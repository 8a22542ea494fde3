"""RACI by keyboard alone: open the editor, move an A, see what blocks, put it right, send; the other accepts."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.registry.models import RaciAssignment, System
from tests.cast import Cast
from tests.factories import a_system
from tests.journeys.conftest import Site

pytestmark = [pytest.mark.journey, pytest.mark.committed]

FOCUS = "document.activeElement.closest('[role=grid]') !== null"


@pytest.fixture
def system(site: Site) -> System:
    cast = Cast()
    return a_system(cast, key="SYS-ADA", name="Claims Adjudication Agent", owner=cast.ada)


def tab_to(page: Page, test: str, limit: int = 60) -> None:
    """Press Tab until the focus is where the test says."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate(test):
            return
    raise AssertionError(f"Tab does not reach: {test}")


def focused(page: Page) -> str:
    """What a screen reader says of the element with the focus."""
    found = page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim()"
    )
    return str(found)


def walk_to(page: Page, row: str, who: str) -> None:
    """Arrow keys only: down to the row, then along it to the person."""
    for _ in range(80):
        if f": {row}, " in focused(page):
            break
        page.keyboard.press("ArrowDown")
    for key in ["ArrowLeft"] * 12:
        if f": {row}, " not in focused(page):
            break
        page.keyboard.press(key)
    for _ in range(14):
        page.keyboard.press("ArrowRight")
        if f": {row}, {who}" in focused(page):
            return
    raise AssertionError(f"no cell of {who} in {row}, but {focused(page)}")


def open_layer(page: Page, name: str) -> None:
    """Down the first column to the layer, Enter."""
    page.keyboard.press("Control+Home")
    for _ in range(60):
        if focused(page).startswith(name):
            break
        page.keyboard.press("ArrowDown")
    if page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false":
        page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")


def open_editor(page: Page) -> None:
    """From home: g s, the first system, its tab Ownership, into the grid."""
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/systems/")
    page.keyboard.press("j")
    page.keyboard.press("o")
    page.wait_for_url("**/systems/SYS-ADA/")
    tab_to(page, "document.activeElement.textContent.trim() === 'Ownership' && document.activeElement.closest('.tabs')")
    page.keyboard.press("Enter")
    page.wait_for_url("**/systems/SYS-ADA/ownership/")
    tab_to(page, FOCUS)


def test_an_a_moves_by_keyboard_and_counts_when_it_is_accepted(system: System, visit: Any) -> None:
    window = visit()
    page = window.sign_in("mara")
    open_editor(page)
    open_layer(page, "Protect")
    walk_to(page, "Access management", "Ada Nwosu")
    assert focused(page).startswith("C, Consulted: Access management, Ada Nwosu")

    page.keyboard.press("a")
    expect(page.locator("#raci-banner")).to_contain_text("This cannot be sent yet.")
    expect(page.locator("#row-access-management")).to_contain_text("Two people, choose one")
    expect(page.get_by_role("button", name="Send for acceptance")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("[data-raci-status]")).to_contain_text("Access management")
    assert focused(page).startswith("A, Accountable: Access management, Ada Nwosu")
    assert RaciAssignment.objects.filter(system=system).count() == 0

    # The menu: Enter opens it, Escape closes it and gives the focus back, arrows choose.
    walk_to(page, "Access management", "Cleo Marchetti")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitemradio", name="Accountable", exact=False).first).to_be_visible()
    page.keyboard.press("Escape")
    assert focused(page).startswith("A, Accountable: Access management, Cleo Marchetti")
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    expect(page.locator("#raci-banner")).not_to_contain_text("This cannot be sent yet.")
    assert focused(page).startswith("C, Consulted: Access management, Cleo Marchetti")
    expect(page.locator("#raci-bar")).to_contain_text("A from Cleo Marchetti to Ada Nwosu")

    tab_to(page, "document.activeElement.textContent.trim() === 'Send for acceptance'")
    page.keyboard.press("Enter")
    expect(page.locator("#raci-banner")).to_contain_text("Sent for acceptance")
    expect(page.locator("#raci-banner")).to_contain_text("Ada Nwosu")
    assert RaciAssignment.objects.filter(system=system).count() == 0
    assert window.complaints == []

    other = visit(viewport={"width": 390, "height": 844})
    page = other.sign_in("ada")
    page.get_by_role("link", name="Review").first.click()
    expect(page.locator("h1")).to_contain_text("Access management")
    page.get_by_role("button", name="I answer for this").click()
    page.wait_for_url(f"{other.site.url}/")
    letters = RaciAssignment.objects.filter(system=system, valid_to=None, letter="A")
    assert [(one.domain_id, one.is_owner) for one in letters] == [("access-management", True)]
    assert other.complaints == []


def test_a_then_r_is_both_and_delete_clears(system: System, visit: Any) -> None:
    window = visit()
    page = window.sign_in("mara")
    page = window.go("/systems/SYS-ADA/ownership/")
    tab_to(page, FOCUS)
    walk_to(page, "Cost attribution", "Mara Lindt")
    page.keyboard.press("a")
    page.keyboard.press("r")
    expect(page.locator("#raci-bar")).to_contain_text("1 change not sent")
    expect(page.locator("#row-cost-attribution [data-letters=AR]")).to_have_count(1)
    assert focused(page).startswith("A, Accountable and R, Responsible: Cost attribution, Mara Lindt")
    page.keyboard.press("Delete")
    expect(page.locator("#row-cost-attribution [data-letters=AR]")).to_have_count(0)
    expect(page.locator("#row-cost-attribution [aria-busy=true]")).to_have_count(0)
    page.reload()
    expect(page.locator("#row-cost-attribution [data-letters=AR]")).to_have_count(0)
    assert window.complaints == []


def test_the_grid_is_one_tab_stop_and_layers_fold(system: System, visit: Any) -> None:
    window = visit()
    page = window.sign_in("mara")
    page = window.go("/systems/SYS-ADA/ownership/?open=spend")
    tab_to(page, FOCUS)
    page.keyboard.press("Tab")
    assert not page.evaluate(FOCUS)
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(FOCUS)
    page.keyboard.press("Control+Home")
    assert "Strategy" in focused(page)
    page.keyboard.press("Enter")
    expect(page.locator("#row-ai-strategy")).to_be_visible()
    assert "strategy" in page.url
    page.reload()
    expect(page.locator("#row-ai-strategy")).to_be_visible()


def test_two_windows_and_nothing_is_lost(system: System, visit: Any) -> None:
    first, second = visit(), visit()
    for window in (first, second):
        window.sign_in("mara")
        window.go("/systems/SYS-ADA/ownership/?open=spend")
    for window, who, letter in ((first, "Cleo Marchetti", "c"), (second, "Lea Abelmann", "i")):
        tab_to(window.page, FOCUS)
        walk_to(window.page, "Cost attribution", who)
        window.page.keyboard.press(letter)
        expect(window.page.locator("#raci-bar")).to_contain_text("1 change not sent")
    banner = second.page.locator("#raci-banner")
    expect(banner).to_contain_text("not saved yet")
    banner.get_by_role("button").click()
    expect(second.page.locator("#raci-bar")).to_contain_text("C added for Cleo Marchetti; I added for Lea Abelmann")
