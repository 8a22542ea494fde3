"""axe on one page of a journey."""

from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visit

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def barriers(window: Visit) -> list[str]:
    """What axe finds on the page, what the policy refused there, and what is wider than the window."""
    page = window.page
    # Before axe: what the policy refuses while axe works in the page, and is told of later, is axe's own doing.
    found = window.reports()
    window.is_inspected = True
    found += [f"{one['id']} {one['nodes'][0]['target']}" for one in Axe().run(page, options=AXE).response["violations"]]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*found, f"{wide} px too wide"] if wide > 0 else found
