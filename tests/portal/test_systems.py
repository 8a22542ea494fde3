"""The systems list over many rows: pages, order, one number of queries, going back, what is ticked."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.portal.queries.system_rows import Why, shown
from apps.registry import actions as registry
from apps.registry.actions.ownership import change_owner
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import NOW, a_system

Browse = Callable[[Any], Client]
TIERS = ("critical", "high", "medium", "low", "unknown")


@pytest.fixture
def many(cast: Cast) -> list[System]:
    """Sixty systems whose names sort by their number."""
    return [a_system(cast, name=f"Agent {number:02}", tier=TIERS[number % 5]) for number in range(60)]


def names(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row.system.name for row in response.context["rows"]]


@pytest.mark.parametrize("words", ["", "q=agent&"])
@pytest.mark.parametrize(
    ("page", "first", "count", "number"),
    [
        ("", "Agent 00", 25, 1),
        ("1", "Agent 00", 25, 1),
        ("2", "Agent 25", 25, 2),
        ("3", "Agent 50", 10, 3),
        ("4", "Agent 50", 10, 3),
        ("99999999999999999999", "Agent 50", 10, 3),
        ("x", "Agent 00", 25, 1),
        ("²", "Agent 00", 25, 1),
        ("1e3", "Agent 00", 25, 1),
    ],
)
@pytest.mark.usefixtures("many")
def test_pages(cast: Cast, browse: Browse, words: str, page: str, first: str, count: int, number: int) -> None:
    response = browse(cast.eve).get(f"/systems/?{words}page={page}")
    found = names(response)
    shown = response.context["page"]
    assert (found[0], len(found), shown.number, shown.paginator.count) == (first, count, number, 60)
    assert f"{shown.start_index()} to {shown.end_index()} of 60" in response.content.decode()


@pytest.mark.parametrize("sort", ["name", "tier", "stage", "owner"])
@pytest.mark.usefixtures("many")
def test_the_other_way_round_is_the_exact_reverse(cast: Cast, browse: Browse, sort: str) -> None:
    eve = browse(cast.eve)
    down = [name for page in (1, 2, 3) for name in names(eve.get(f"/systems/?sort={sort}&page={page}"))]
    up = [name for page in (1, 2, 3) for name in names(eve.get(f"/systems/?sort=-{sort}&page={page}"))]
    assert len(set(down)) == 60
    assert up == down[::-1]
    response = eve.get(f"/systems/?sort=-{sort}")
    assert response.content.decode().count('aria-sort="descending"') == 1


@pytest.mark.parametrize(
    "query", ["", "q=agent", "basis=interim", "sort=tier", "tier=critical&stage=production", "page=2"]
)
def test_the_number_of_queries_does_not_grow(cast: Cast, browse: Browse, query: str) -> None:
    """Also for somebody who sees by grant."""

    def queries(client: Client) -> int:
        client.get(f"/systems/?{query}")
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/systems/?{query}")
        return len(captured)

    def add(count: int) -> None:
        for number in range(count):
            a_system(cast, name=f"Agent {number:02}", tier="critical")

    clients = [browse(cast.eve), browse(cast.una)]
    add(30)
    few = [queries(client) for client in clients]
    add(40)
    assert [queries(client) for client in clients] == few


@pytest.mark.usefixtures("many")
def test_going_back_gives_the_whole_page(cast: Cast, browse: Browse) -> None:
    eve = browse(cast.eve)
    part = eve.get("/systems/?q=agent", headers={"HX-Request": "true"})
    back = eve.get("/systems/?q=agent", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "<html" in back.content.decode()


def test_what_is_ticked_is_exported_live_or_not_and_only_what_is_seen(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="OLD", name="Old", stage="retired")
    a_system(cast, key="NEW", name="New")
    a_system(cast, key="ADA", name="Of Ada", owner=cast.ada)
    ticked = {"system": ["OLD", "NEW", "ADA", "NOT-THERE"]}

    def keys(person: Any) -> list[str]:
        response = browse(person).post("/systems/export.csv", ticked)
        return [row[0] for row in csv.reader(io.StringIO(b"".join(response).decode()))][1:]

    assert keys(cast.eve) == ["NEW", "ADA", "OLD"]
    assert keys(cast.ada) == ["ADA"]
    assert keys(cast.dov) == []


def test_restricted_systems_are_not_counted_for_others(cast: Cast, browse: Browse) -> None:
    a_system(cast, name="Agent secret", owner=cast.ada, restricted=True)
    a_system(cast, name="Agent open", owner=cast.ada)
    for who, seen in (
        ("cleo", ["Agent open"]),
        ("ada", ["Agent open", "Agent secret"]),
        ("eve", ["Agent open", "Agent secret"]),
    ):
        for query in ("", "q=agent"):
            response = browse(getattr(cast, who)).get(f"/systems/?{query}")
            assert names(response) == seen
            assert response.context["page"].paginator.count == len(seen)
            assert response.context["tabs"][0].count == len(seen)


def test_an_interim_owner_is_shown_with_the_ground(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="A", name="Agent A")
    a_system(cast, key="B", name="Agent B", unit=cast.devtools)
    a_system(cast, key="C", name="Agent C", owner=cast.ada)
    response = browse(cast.eve).get("/systems/")
    grounds = [row.stands_in for row in response.context["rows"]]
    assert grounds == ["interim, head of Claims", "interim, holds the mandate", ""]
    assert "interim, head of Claims" in response.content.decode()


def test_an_owner_who_left_is_the_reason(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, key="A", owner=cast.ada, contact_given="ai-team@example.org")
    left = NOW + timedelta(days=3)
    derivation = [{"source": "deputy", "label": "Deputy of Ada Nwosu", "person": str(cast.ben.pk), "outcome": "chosen"}]
    change_owner(system, cast.ben, System.Basis.INTERIM, now=left, derivation=derivation)
    row = shown([System.objects.get(pk=system.pk)], today=NOW.date() + timedelta(days=10))[0]
    assert row.why == Why("Owner left", "19 Nov 2026, 7 days")
    assert row.stands_in == "interim, deputy of Ada Nwosu"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("", "Never nominated"),
        ("ai-team@example.org", "Mailbox"),
        ("https://example.org/ai", "No one person"),
        ("a@example.org, b@example.org", "No one person"),
        ("somebody@example.org", "Only an address"),
    ],
)
def test_the_contact_that_an_import_gave_is_the_reason(cast: Cast, given: str, word: str) -> None:
    row = shown([a_system(cast, contact_given=given)], today=NOW.date())[0]
    assert row.why is not None
    assert row.why.word == word


def test_somebody_else_can_be_nominated_after_an_answer(cast: Cast, browse: Browse) -> None:
    system = a_system(cast, key="A")
    mara, link = browse(cast.mara), "/systems/A/nominate/"
    assert link in mara.get("/systems/A/").content.decode()
    nomination = registry.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW)
    assert link not in mara.get("/systems/A/").content.decode()
    registry.decline_ownership(nomination, actor=cast.ada, now=NOW, reason="Not mine")
    assert link in mara.get("/systems/A/").content.decode()
    again = registry.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW + timedelta(hours=1))
    registry.accept_ownership(again, actor=cast.ada, now=NOW + timedelta(hours=2))
    assert link in mara.get("/systems/A/").content.decode()
