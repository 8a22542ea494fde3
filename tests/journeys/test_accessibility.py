"""axe finds nothing on any page, light, dark and at 390 px; no page breaks the content security policy."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import resolve
from playwright.sync_api import expect

from tests import databases
from tests.access.test_permission_matrix import PAGES, POST_ONLY
from tests.conftest import inside, own_database
from tests.journeys.conftest import Visit, follow
from tests.journeys.every_page import every_page
from tests.journeys.looks import barriers, barriers_in_every_look

pytestmark = [pytest.mark.journey, pytest.mark.committed]

# Each on a database and a server of its own, so that several test processes share the pages.
PARTS = 4
# No pages of their own: files, parts of pages, and ways to a page.
NO_PAGES = {
    "healthz", "portal:who_suggest", "portal:systems_csv", "portal:import_template", "portal:blind_spots_csv",
    "portal:workload_csv", "assurance:trail_csv", "directory:import_template", "directory:home", "findings:export",
    "attestations:export", "attestations:assignment", "attestations:figures", "attestations:report_csv",
    "attestations:report_json", "attestations:document_file", "attestations:sealed_zip", "attestations:question_set",
    "incidents:clock_register_csv", "incidents:export", "incidents:file", "incidents:metrics_json", "incidents:summary",
}  # fmt: skip
# Read elsewhere: the first start, the demo's mail and the look-up without signing in are not there in this portal.
ELSEWHERE = {"portal:first_start", "portal:demo_mail", "portal:open_lookup"}
MISSING = "/not/there/"
# Who is refused on purpose, so that the page that says so is read too.
REFUSED = {("mara", MISSING), ("ada", "/readiness/")}


@pytest.fixture(scope="module")
def made(
    worker: str, template_names: tuple[str, str], django_db_setup: None, django_db_blocker: Any
) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """A database with something of everything, made once for this process, and every page by who reads it."""
    name = f"pages_{worker}"
    databases.create(name, template_names[1])
    with inside(name, django_db_blocker):
        found = every_page()
    yield name, found
    databases.drop(name)


@pytest.fixture
def committed_db(
    worker: str, made: tuple[str, dict[str, list[str]]], django_db_setup: None, django_db_blocker: Any
) -> Iterator[str]:
    """A clone of it, of the test's own, in which transactions commit."""
    yield from own_database(f"committed_{worker}", made[0], django_db_blocker)


@pytest.fixture
def pages(committed_db: str, made: tuple[str, dict[str, list[str]]]) -> dict[str, list[str]]:
    """Every page, by who reads it."""
    return made[1]


def share(pages: dict[str, list[str]], part: int) -> dict[str, list[str]]:
    """One of PARTS runs of neighbours: nearly every part has one reader, who signs in once."""
    rows = [(reader, path) for reader, paths in pages.items() for path in paths]
    first, last = (len(rows) * edge // PARTS for edge in (part, part + 1))
    shared: dict[str, list[str]] = {}
    for reader, path in rows[first:last]:
        shared.setdefault(reader, []).append(path)
    return shared


def test_no_page_is_left_out(pages: dict[str, list[str]]) -> None:
    read = {resolve(path.split("?")[0]).view_name for paths in pages.values() for path in paths if path != MISSING}
    wanted = {name for name, row in PAGES.items() if row != POST_ONLY} - NO_PAGES - ELSEWHERE
    assert wanted - read == set()
    parts = [share(pages, part) for part in range(PARTS)]
    rows = [(reader, path) for part in parts for reader, paths in part.items() for path in paths]
    assert rows == [(reader, path) for reader, paths in pages.items() for path in paths]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page(part: int, pages: dict[str, list[str]], visit: Any) -> None:
    wrong: list[str] = []
    for reader, paths in share(pages, part).items():
        window = visit()
        if reader:
            window.sign_in(reader)
        for path in paths:
            page = window.go(path)
            if (reader, path) not in REFUSED and page.title().startswith(("This page cannot", "You may not")):
                wrong.append(f"{reader} {path}: {page.title()}")
            wrong += [f"{reader} {path}: {fault}" for fault in barriers_in_every_look(window)]
        wrong += [f"{reader}: {text}" for text in window.complaints]
    assert wrong == []


def test_the_palette(pages: dict[str, list[str]], visit: Any) -> None:
    window = visit()
    page = window.sign_in("mara")
    page.keyboard.press("/")
    page.keyboard.type("claims")
    page.get_by_role("option").first.wait_for()
    assert window.complaints == []
    assert barriers(window) == []
    page.keyboard.press("Escape")
    assert not page.locator("dialog[open]").count()


def _pressed(window: Visit, path: str, button: str) -> list[str]:
    """A form sent with nothing in it: the page says what is missing, and has no barrier either."""
    page = window.go(path)
    page.get_by_role("button", name=re.compile(f"^{button}")).first.click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    return [f"{path}: {fault}" for fault in barriers_in_every_look(window)]


def test_pages_that_are_posted(pages: dict[str, list[str]], visit: Any) -> None:
    mara, lea = visit(), visit()
    mara.sign_in("mara")
    wrong = _pressed(mara, "/systems/SYS-ADA/nominate/", "Nominate")
    wrong += _pressed(mara, "/profile/availability/", "Record the days")
    wrong += _pressed(mara, "/people/seats/?seat=finance", "Seat this person")
    wrong += _pressed(mara, "/findings/report/", "Report")
    lea.sign_in("lea")
    wrong += _pressed(lea, "/ownership/mandate/sign/legal/", "Sign$")
    for button in ("Nominate an owner", "Set responsibilities"):
        page = mara.go("/systems/")
        for box in page.locator("input[name=system]").all()[:2]:
            box.check()
        follow(page.get_by_role("button", name=re.compile(f"^{button}")))
        wrong += [f"{button}: {fault}" for fault in barriers_in_every_look(mara)]
    assert wrong == mara.complaints + lea.complaints == []
