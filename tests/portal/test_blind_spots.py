"""The page of blind spots: numbers, links, empty states, CSV, API, what closes most holes."""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from apps.people import actions as people
from apps.registry import actions as registry
from tests.api.conftest import program  # noqa: F401
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.registry.letters import an_a

Browse = Callable[[Any], Client]


@pytest.fixture
def world(cast: Cast) -> Cast:
    """Five live systems: one accepted and one interim in Claims, one accepted in Motor below it, two in Tools."""
    motor = registry.create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=NOW)
    a_system(cast, key="ACCEPTED", owner=cast.ada)
    a_system(cast, key="INTERIM")
    below = a_system(cast, key="BELOW", unit=motor, owner=cast.ben)
    a_system(cast, key="TOOLS", unit=cast.devtools)
    a_system(cast, key="SECRET", unit=cast.devtools, owner=cast.nils, restricted=True)
    a_system(cast, key="RETIRED", stage="retired")
    an_a("acting-on-cost", unit=cast.claims, function="ciso")
    an_a("acting-on-cost", system=below)
    an_a("cost-attribution", unit=motor, person=cast.dov)
    return cast


def text_of(response: Any) -> str:
    """What a person reads, without the markup."""

    class Reader(HTMLParser):
        found: list[str] = []

        def handle_data(self, data: str) -> None:
            self.found.append(data)

    reader = Reader()
    reader.found = []
    reader.feed(response.content.decode())
    return " ".join(" ".join(reader.found).split())


def test_the_map_and_its_sentence(world: Cast, browse: Browse) -> None:
    response = browse(world.eve).get("/ownership/")
    assert response.status_code == 200
    text = text_of(response)
    assert "For each of 5 live systems and each domain" in text
    # AI strategy, engineering, finance … are vacant seats: many domains are equally wide, the first by name is named.
    assert "AI strategy and roadmap and" in text
    assert "are the widest holes: for 5 of 5 systems nobody answers." in text
    assert "No seat, no owner and no named person holds it anywhere." in text
    table = response.context["table"]
    assert (len(table.domains), table.all_domains, table.live) == (9, 38, 5)
    assert {hole.n for hole in table.holes} == {5}
    assert [hole.loud for hole in table.holes].count(True) == 2


def test_all_domains_by_layer_the_widest_first(world: Cast, browse: Browse) -> None:
    table = browse(world.eve).get("/ownership/?domains=all").context["table"]
    assert [layer.name for layer in table.layers] == [
        "Strategy", "Build", "Protect", "Spend", "Prove", "Respond", "Lifecycle",
    ]  # fmt: skip
    assert len(table.domains) == 38
    place = 0
    for layer in table.layers:
        holes = [hole.n for hole in table.holes[place : place + len(layer.domains)]]
        assert holes == sorted(holes, reverse=True)
        place += len(layer.domains)
    for column, hole in enumerate(table.holes):
        assert hole.n + sum(row.cells[column].n for row in table.rows) == 5


def cells_of(response: Any) -> list[tuple[str, int]]:
    table = response.context["table"]
    cells = [cell for row in table.rows for cell in row.cells] + table.holes
    return [(cell.url, cell.n) for cell in cells if cell.n]


@pytest.mark.parametrize("query", ["?domains=all", "?domains=all&unit={unit}"])
@pytest.mark.parametrize("reader", ["eve", "cleo", "una"])
def test_each_number_leads_to_as_many_systems(world: Cast, browse: Browse, reader: str, query: str) -> None:
    client = browse(getattr(world, reader))
    cells = cells_of(client.get("/ownership/" + query.format(unit=world.claims.pk)))
    assert len(cells) >= 38
    for url, n in cells:
        assert client.get(url).context["page"].paginator.count == n, url


def test_the_links_are_in_the_page(world: Cast, browse: Browse) -> None:
    response = browse(world.eve).get("/ownership/?domains=all")
    links = set(re.findall(r'href="([^"]+)"', response.content.decode()))
    for url, _ in cells_of(response):
        assert url.replace("&", "&amp;") in links


def test_where_a_function_usually_does_not_look(world: Cast, browse: Browse) -> None:
    table = browse(world.eve).get("/ownership/?domains=all").context["table"]
    rows = {row.code: {cell.domain.pk: cell for cell in row.cells} for row in table.rows}
    assert rows["ciso"]["cost-attribution"].blind
    assert not rows["ciso"]["acting-on-cost"].blind  # it holds that for two systems
    assert rows["ciso"]["acting-on-cost"].n == 2
    assert not rows["ciso"]["ai-strategy"].blind
    assert rows["legal"]["operate-monitor"].blind


def test_one_unit_and_below(world: Cast, browse: Browse) -> None:
    response = browse(world.eve).get(f"/ownership/?unit={world.claims.pk}")
    assert response.context["here"].spots.live == 3
    assert [line.name for line in response.context["units"]] == ["Motor"]
    assert "Claims looks most like one that" in text_of(response)
    top = browse(world.eve).get("/ownership/").context["units"]
    assert [(line.name, line.live) for line in top] == [("Claims", 3), ("Developer Tools", 2)]


@pytest.mark.parametrize("unit", ["0", "x", "99999999999", "9" * 30, "٣"])
def test_no_such_unit(world: Cast, browse: Browse, unit: str) -> None:
    assert browse(world.eve).get(f"/ownership/?unit={unit}").status_code == 404
    assert browse(world.eve).get(f"/ownership/blind-spots.csv?unit={unit}").status_code == 404


def test_what_closes_the_most(world: Cast, browse: Browse) -> None:
    actions = browse(world.mara).get("/ownership/").context["actions"]
    # Security and legal are seated. Four domains fall to the AI lead, three each to CTO and VP Engineering.
    assert [(one.title, one.holes, one.action) for one in actions] == [
        ("Head of AI: vacant seat", 4 * 5, "Seat somebody"),
        ("CTO: vacant seat", 3 * 5, "Seat somebody"),
        ("VP Engineering: vacant seat", 3 * 5, "Seat somebody"),
    ]
    assert {one.person for one in actions} == {world.mara}
    assert {one.url for one in actions} == {"/people/seats/"}


def test_owners_are_nominated_unit_by_unit(world: Cast, browse: Browse) -> None:
    for seat in ("ai_lead", "engineering", "cto", "finance", "board"):
        people.seat_person(seat, world.bo, actor=world.mara, now=NOW)
    response = browse(world.mara).get("/ownership/")
    actions = response.context["actions"]
    assert [(one.title, one.person, one.role, one.action) for one in actions] == [
        ("Developer Tools", world.mara, "holds the mandate", "Nominate 1"),
        ("Claims", world.una, "head of this unit", "Nominate 1"),
    ]
    assert sum(one.holes for one in actions) == response.context["here"].spots.all_holes
    for one in actions:
        listed = browse(world.mara).get(one.url).context["page"].paginator.count
        assert one.action == f"Nominate {listed}"
    assert {one.action for one in browse(world.bo).get("/ownership/").context["actions"]} == {"Nominate 1"}
    assert {one.action for one in browse(world.eve).get("/ownership/").context["actions"]} == {"Open list"}


def test_no_hole_at_all(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="ONE", owner=cast.ada)
    for seat in ("ai_lead", "engineering", "cto", "finance", "board"):
        people.seat_person(seat, cast.bo, actor=cast.mara, now=NOW)
    response = browse(cast.mara).get("/ownership/")
    assert "Every domain has somebody" in text_of(response)
    assert response.context["actions"] == []
    assert [hole.n for hole in response.context["table"].holes] == [0] * 9


def test_empty_states(cast: Cast, browse: Browse) -> None:
    assert "No live system yet" in text_of(browse(cast.mara).get("/ownership/"))
    assert "You answer for nothing yet" in text_of(browse(cast.dov).get("/ownership/"))
    a_system(cast, owner=cast.ada)
    empty = f"/ownership/?unit={cast.devtools.pk}"
    assert "No live system in this unit" in text_of(browse(cast.mara).get(empty))
    assert "No live system of yours in this unit" in text_of(browse(cast.ada).get(empty))
    own = text_of(browse(cast.ada).get("/ownership/"))
    assert "1 live system that you may open" in own
    assert "What you may open looks" in own


def test_the_list_has_the_same_numbers(world: Cast, browse: Browse) -> None:
    text = text_of(browse(world.eve).get("/ownership/?view=list&domains=all"))
    assert "Show as map" in text
    assert "<table" not in browse(world.eve).get("/ownership/?view=list").content.decode()
    assert "Acting on cost 1 nobody, 20%" in text


def test_the_file(world: Cast, browse: Browse) -> None:
    people.change_person(world.cleo, actor=world.mara, now=NOW, display_name="=1+1")
    response = browse(world.eve).get("/ownership/blind-spots.csv")
    rows = list(csv.reader(io.StringIO(b"".join(response).decode())))
    header, lines = rows[0], {row[0]: row for row in rows[1:]}
    at = header.index("Acting on cost")
    assert len(header) == 40
    assert lines["CISO"][1] == "'=1+1"
    assert lines["CTO"][1] == "vacant seat"
    assert [lines[name][at] for name in ("CISO", "System owners", "Nobody", "Nobody, share", "Live systems")] == [
        "2", "2", "1", "20%", "5",
    ]  # fmt: skip
    seen = list(csv.reader(io.StringIO(b"".join(browse(world.ada).get("/ownership/blind-spots.csv")).decode())))
    assert seen[-1][0] == "Live systems"
    assert set(seen[-1][2:]) == {"1"}


def test_through_the_api(world: Cast, program: Callable[..., Any]) -> None:  # noqa: F811
    seen = program(world.eve, ["read"]).get("ownership/blind-spots/").json()
    assert (seen["live"], seen["unit"], len(seen["domains"])) == (5, None, 38)
    acting = next(domain for domain in seen["domains"] if domain["key"] == "acting-on-cost")
    assert acting["held"] == [{"row": "ciso", "systems": 2}, {"row": "owners", "systems": 2}]
    assert (acting["nobody"], acting["causes"]) == (1, [{"cause": "owner", "systems": 1}])
    assert seen["holes"] == sum(domain["nobody"] for domain in seen["domains"])
    assert seen["pattern"]["sentence"].startswith("The organisation looks most like one that")
    assert seen["closing"][0]["title"] == "Head of AI: vacant seat"
    claims = program(world.eve, ["read"]).get("ownership/blind-spots/", {"unit": "claims"}).json()
    assert (claims["live"], claims["unit"]) == (3, {"code": "claims", "name": "Claims"})
    assert program(world.eve, ["read"]).get("ownership/blind-spots/", {"unit": "nowhere"}).status_code == 404
    assert program(world.eve, ["read"]).get("ownership/blind-spots/", {"units": "x"}).status_code == 400
    assert program(world.dov, ["read"]).get("ownership/blind-spots/").json()["live"] == 0
    assert program().get("ownership/blind-spots/").status_code == 401


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("domain=acting-on-cost&held_by=ciso", {"ACCEPTED", "INTERIM"}),
        ("domain=acting-on-cost&held_by=owners", {"BELOW", "SECRET"}),
        ("domain=acting-on-cost&held_by=nobody", {"TOOLS"}),
        ("domain=cost-attribution&held_by=people", {"BELOW"}),
        ("domain=cost-attribution&held_by=finance", set()),
        ("domain=nothing&held_by=nobody", set()),
        ("domain=acting-on-cost", {"ACCEPTED", "INTERIM", "BELOW", "SECRET", "TOOLS"}),
        ("held_by=ciso", {"ACCEPTED", "INTERIM", "BELOW", "SECRET", "TOOLS"}),
        ("domain=acting-on-cost&held_by=evil", {"ACCEPTED", "INTERIM", "BELOW", "SECRET", "TOOLS"}),
        ("domain='%22&held_by=ciso", {"ACCEPTED", "INTERIM", "BELOW", "SECRET", "TOOLS"}),
        ("domain=acting-on-cost&held_by=ciso&live=all", {"ACCEPTED", "INTERIM", "RETIRED"}),
        ("domain=acting-on-cost&held_by=ciso&q=interim", {"INTERIM"}),
    ],
)
def test_the_systems_list_by_who_holds_the_a(world: Cast, browse: Browse, query: str, expected: set[str]) -> None:
    response = browse(world.eve).get(f"/systems/?{query}")
    assert {row.system.key for row in response.context["rows"]} == expected


def test_the_chip_names_the_domain(world: Cast, browse: Browse) -> None:
    response = browse(world.eve).get("/systems/?domain=acting-on-cost&held_by=nobody&tier=high")
    assert [(chip.field, chip.value) for chip in response.context["chips"]] == [
        ("Tier is", "high"),
        ("Acting on cost is with", "nobody"),
    ]
    assert [chip.without for chip in response.context["chips"]] == [
        "domain=acting-on-cost&held_by=nobody", "tier=high",
    ]  # fmt: skip


def test_the_menu_counts_what_nobody_accepted(world: Cast, browse: Browse) -> None:
    text = text_of(browse(world.eve).get("/ownership/"))
    assert "Ownership 2 without an accepted owner" in text
