"""axe on one page of a journey: as it is, or as it looks in the light, in the dark and on a phone."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ViewportSize

from tests.journeys.conftest import Visit

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# The same page in other colours: only what is about colours can be wrong that was right before.
COLOURS = ("color-contrast", "link-in-text-block")
DESK: ViewportSize = {"width": 1440, "height": 1000}
PHONE: ViewportSize = {"width": 390, "height": 844}
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
RUN = """async (options) =>
  (await axe.run(document, options)).violations.map((one) => `${one.id} ${one.nodes[0].target}`)"""


@cache
def _options(kind: str, only: Sequence[str]) -> dict[str, Any]:
    """Without preload, for which axe fetches every style sheet anew; no rule of ours reads them. Only what is wrong."""
    return {"runOnly": {"type": kind, "values": list(only)}, "preload": False, "resultTypes": ["violations"]}


def _inspect(window: Visit) -> list[str]:
    """What the policy refused on the page so far; then axe is there."""
    # Before axe: what the policy refuses while axe works in the page, and is told of later, is axe's own doing.
    found = window.reports()
    window.is_inspected = True
    window.page.evaluate(AXE_SCRIPT)
    return found


def _violations(window: Visit, kind: str = "tag", only: Sequence[str] = RULES) -> list[str]:
    found: list[str] = window.page.evaluate(RUN, _options(kind, only))
    return found


def _too_wide(window: Visit) -> list[str]:
    wide = window.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} px too wide"] if wide > 0 else []


def barriers(window: Visit) -> list[str]:
    """What axe finds on the page, what the policy refused there, and what is wider than the window."""
    return [*_inspect(window), *_violations(window), *_too_wide(window)]


def barriers_in_every_look(window: Visit) -> list[str]:
    """The same for one page, opened once: every rule in the light and at 390 px, those of colour in the dark."""
    page, found = window.page, _inspect(window)
    found += [f"light: {fault}" for fault in [*_violations(window), *_too_wide(window)]]
    page.emulate_media(color_scheme="dark")
    page.evaluate(SETTLED)
    found += [f"dark: {fault}" for fault in _violations(window, "rule", COLOURS)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    page.evaluate(SETTLED)
    found += [f"390: {fault}" for fault in [*_violations(window), *_too_wide(window)]]
    page.set_viewport_size(DESK)
    return found
