"""Whoever may open a page of incidents finds it by its links, from the menu on, and no link there refuses them."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import URLPattern, resolve, reverse

from apps.common import clock
from apps.incidents import urls
from apps.incidents.actions.declare import declare
from apps.incidents.actions.preflight import run_preflight
from tests.cast import Cast
from tests.factories import a_system
from tests.incidents.world import settle

# What is opened from the page where the thing stands: forms for a new one, and files of what is shown.
FROM_THEIR_PAGE = {
    "rule_new", "plan_new", "runbook_new", "drill_new", "clock_contract", "export", "clock_register_csv",
    "metrics_json",
}  # fmt: skip
# The second step of declaring is where the form of the first leads.
BY_FORM = {"declare_what": "declare"}
_LINK = re.compile(r'<a\b[^>]*?\bhref="([^"#]+)[^"]*"')


def without_object() -> set[str]:
    """Each page of incidents that is asked for without saying which incident, rule or plan."""
    patterns = [one for one in urls.urlpatterns if isinstance(one, URLPattern)]
    return {str(one.name) for one in patterns if not one.pattern.converters}


def links(client: Client, path: str) -> Iterator[str]:
    """Addresses on this site that a page leads to."""
    page = client.get(path, follow=True)
    assert page.status_code == 200, f"{path} answers {page.status_code}"
    if "html" in page["Content-Type"]:
        for target in _LINK.findall(page.content.decode()):
            address = urlsplit(urljoin(path, unescape(target)))
            if not address.netloc and address.scheme == "":
                yield f"{address.path}?{address.query}" if address.query else address.path


def clicks(client: Client, most: int) -> dict[str, int]:
    """After how many clicks from the start page each kind of page is reached first. One of each kind is opened."""
    found, ahead = {"portal:home": 0}, ["/"]
    for depth in range(1, most + 1):
        reached: dict[str, str] = {}
        for address in (target for path in ahead for target in links(client, path)):
            name = resolve(urlsplit(address).path).view_name
            if name not in found:
                reached.setdefault(name, address)
        found |= dict.fromkeys(reached, depth)
        ahead = [address for name, address in reached.items() if not name.startswith("account_")]
    return found


@pytest.fixture
def world(cast: Cast) -> Any:
    """One system with its card, one incident, and a preflight that looked."""
    system, now = a_system(cast, owner=cast.ada), clock.now()
    settle()
    incident = declare(title="It read too much", system=system, actor=cast.dov, now=now)
    run_preflight(now=now)
    return system, incident


def test_whoever_holds_the_mandate_finds_every_page(cast: Cast, browse: Any, world: Any) -> None:
    found = clicks(browse(cast.mara), 3)
    pages = without_object()
    assert len(pages) >= 20
    assert BY_FORM.keys() | FROM_THEIR_PAGE <= pages
    missed = {name for name in pages - BY_FORM.keys() if f"incidents:{name}" not in found}
    assert missed == set()
    slow = {name for name in pages - BY_FORM.keys() - FROM_THEIR_PAGE if found[f"incidents:{name}"] > 2}
    assert slow == set()
    assert found["incidents:incident"] <= 2


def test_the_form_of_declaring_leads_to_its_second_step(cast: Cast, browse: Any, world: Any) -> None:
    answer = browse(cast.dov).get(reverse("incidents:declare"), {"system": world[0].key, "do": "next"})
    assert (answer.status_code, resolve(urlsplit(answer["Location"]).path).url_name) == (302, "declare_what")


def test_from_a_system_to_its_card_and_how_it_is_stopped(cast: Cast, browse: Any, world: Any) -> None:
    client, key = browse(cast.ada), world[0].key
    card, profile = reverse("incidents:system_response", args=[key]), reverse("incidents:response_profile", args=[key])
    assert card in set(links(client, reverse("portal:system", args=[key])))
    assert profile in set(links(client, card))
    assert list(links(client, profile))


READERS = {
    "dov": {"rules", "plans", "runbooks", "clock_rules", "drills", "reviews", "clock_register"},
    "ada": {"rules", "plans", "runbooks", "clock_rules", "drills", "reviews", "clock_register"},
    "eve": {"rules", "plans", "preflight", "runbooks", "clock_rules", "drills", "reviews", "clock_register", "metrics"},
    "bo": {"rules", "plans", "preflight", "runbooks", "clock_rules", "drills", "reviews", "clock_register", "metrics"},
    "lea": {
        "rules", "plans", "preflight", "runbooks", "clock_rules", "sources", "cards_export", "drills", "reviews",
        "clock_register", "metrics",
    },
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_around_the_list_stands_what_opens(cast: Cast, browse: Any, world: Any, reader: str) -> None:
    client = browse(getattr(cast, reader))
    page = client.get(reverse("incidents:incidents")).content.decode()
    around = page.split('aria-label="Around incidents"')[1].split("</nav>")[0]
    addresses = _LINK.findall(around)
    assert {resolve(address).url_name for address in addresses} == READERS[reader]
    targets = {target for address in addresses for target in {address, *_main_links(client, address)}}
    assert {target: client.get(target).status_code for target in targets} == dict.fromkeys(targets, 200)


def _main_links(client: Client, path: str) -> set[str]:
    """Where the page itself leads, without the frame."""
    main = client.get(path).content.decode().split("<main", 1)[1]
    targets = {urljoin(path, unescape(target)) for target in _LINK.findall(main)}
    return {target for target in targets if target.startswith("/")}
