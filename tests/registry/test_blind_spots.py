"""Who holds the A of every domain: exact numbers on a small world, and the same as system by system on random ones."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.people import actions as people
from apps.people.models import Person
from apps.registry import actions as registry
from apps.registry.models import GovernanceDomain, System
from apps.registry.queries import effective_matrix, visible_systems
from apps.registry.queries.blind_spots import (
    NOBODY,
    OWNERS,
    PEOPLE,
    BlindSpots,
    Count,
    UnitHoles,
    blind_spots,
    counts_by_domain,
    held_by,
    holes_by_unit,
    mapped_systems,
)
from apps.registry.queries.raci import OWNER_PARTY, Party
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.registry.letters import an_a

FLOOR = Path(__file__).resolve().parents[2] / "benchmarks" / "floors" / "blind_spots.sql"


class World:
    """Five live systems in a small tree of units, with letters in every scope. Seats: platform, CISO, legal."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.motor = registry.create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=NOW)
        self.accepted = a_system(cast, key="ACCEPTED", owner=cast.ada)
        self.interim = a_system(cast, key="INTERIM")
        self.below = a_system(cast, key="BELOW", unit=self.motor, owner=cast.ben)
        self.tools = a_system(cast, key="TOOLS", unit=cast.devtools)
        self.secret = a_system(cast, key="SECRET", unit=cast.devtools, owner=cast.nils, restricted=True)
        a_system(cast, key="PROPOSED", stage="proposed")
        # Owners by default; the CISO in Claims and below; one system there back to its owner.
        an_a("acting-on-cost", unit=cast.claims, function="ciso")
        an_a("acting-on-cost", system=self.below)
        # A vacant seat by default; by name in Motor; a seat holder by name for one system.
        an_a("cost-attribution", unit=self.motor, person=cast.dov)
        an_a("cost-attribution", system=self.accepted, person=cast.lea)


@pytest.fixture
def world(cast: Cast) -> World:
    return World(cast)


def column(spots: BlindSpots, domain: str) -> dict[str, int]:
    return {row: n for row in spots.rows if (n := spots.held(domain, row))}


def seen_by(person: Person) -> BlindSpots:
    return blind_spots(mapped_systems(person))


def test_each_cell_of_a_small_world(world: World) -> None:
    spots = seen_by(world.cast.eve)
    assert spots.live == 5
    assert column(spots, "access-management") == {"ciso": 5}
    assert column(spots, "acting-on-cost") == {"ciso": 2, OWNERS: 2, NOBODY: 1}
    assert column(spots, "cost-attribution") == {"legal": 1, PEOPLE: 1, NOBODY: 3}
    assert column(spots, "release") == {OWNERS: 3, NOBODY: 2}
    assert spots.rows == (
        "ciso", "engineering", "cto", "platform", "ai_lead", "finance", "legal", "board", OWNERS, PEOPLE, NOBODY,
    )  # fmt: skip


def test_why_it_is_nobody(world: World) -> None:
    counts = counts_by_domain(mapped_systems(world.cast.eve))
    holes = [count for count in counts if count.holder == NOBODY]
    assert Count("acting-on-cost", NOBODY, "owner", 1) in holes
    assert Count("cost-attribution", NOBODY, "vacant:finance", 3) in holes


def test_readers_see_their_part(world: World) -> None:
    cast = world.cast
    assert column(seen_by(cast.cleo), "acting-on-cost") == {"ciso": 2, OWNERS: 1, NOBODY: 1}  # not the restricted one
    assert column(seen_by(cast.nils), "acting-on-cost") == {OWNERS: 1}
    assert column(seen_by(cast.ada), "cost-attribution") == {"legal": 1}
    nothing = seen_by(cast.dov)
    assert (nothing.live, nothing.counts, nothing.all_holes) == (0, (), 0)
    assert seen_by(cast.ivan).live == 0


def test_a_filled_seat_closes_its_holes(world: World) -> None:
    cast = world.cast
    people.seat_person("finance", cast.bo, actor=cast.mara, now=NOW)
    assert column(seen_by(cast.eve), "cost-attribution") == {"finance": 3, "legal": 1, PEOPLE: 1}


def test_the_first_function_of_a_named_person(world: World) -> None:
    world.cast.dov.functions.set(["finance", "engineering"])
    assert column(seen_by(world.cast.eve), "cost-attribution") == {"engineering": 1, "legal": 1, NOBODY: 3}


def test_a_unit_and_what_is_below_it(world: World) -> None:
    cast = world.cast
    spots = blind_spots(mapped_systems(cast.eve, [cast.claims.pk, world.motor.pk]))
    assert column(spots, "acting-on-cost") == {"ciso": 2, OWNERS: 1}
    units = holes_by_unit(mapped_systems(cast.eve))
    assert (units[cast.claims.pk].live, units[cast.claims.pk].interim) == (2, 1)
    assert (units[world.motor.pk].live, units[world.motor.pk].interim, units[world.motor.pk].of_owners) == (1, 0, 0)
    assert sum(units.values(), UnitHoles()).holes == seen_by(cast.eve).all_holes


def unguarded(statement: str = "", *values: object, empty: bool = False) -> None:
    """Letters that the database would refuse, in a table that hides the real one for this test."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE registry_raciassignment ON COMMIT DROP AS SELECT * FROM public.registry_raciassignment"
            + (" WHERE false" if empty else "")
        )
        if statement:
            cursor.execute(statement, values)


def test_a_scope_that_names_nobody_stands(world: World) -> None:
    unguarded(
        "INSERT INTO registry_raciassignment (domain_id, unit_id, letter, function_id, is_owner) "
        "VALUES ('agent-permissions', %s, 'R', 'engineering', false)",
        world.cast.devtools.pk,
    )
    counts = counts_by_domain(mapped_systems(world.cast.eve))
    assert [count for count in counts if count.domain == "agent-permissions"] == [
        Count("agent-permissions", NOBODY, "none", 2),
        Count("agent-permissions", NOBODY, "owner", 1),
        Count("agent-permissions", OWNERS, "", 2),
    ]


def test_somebody_who_is_not_active_is_nobody(world: World) -> None:
    unguarded(
        "UPDATE registry_raciassignment SET person_id = %s WHERE person_id = %s", world.cast.ivan.pk, world.cast.dov.pk
    )
    counts = counts_by_domain(mapped_systems(world.cast.eve))
    assert Count("cost-attribution", NOBODY, "inactive", 1) in counts


def test_no_matrix_at_all(cast: Cast) -> None:
    a_system(cast, key="ALONE")
    assert seen_by(cast.mara).has_matrix is True
    unguarded(empty=True)
    spots = seen_by(cast.mara)
    assert spots.has_matrix is False
    assert spots.all_holes == len(spots.domains) == 38


def test_it_is_one_query(world: World) -> None:
    systems = mapped_systems(world.cast.eve)
    with CaptureQueriesContext(connection) as captured:
        counts_by_domain(systems)
    assert len(captured) == 1


def system_by_system(systems: list[System]) -> Counter[tuple[str, str]]:
    """The slow way: every system's effective matrix on its own."""
    found: Counter[tuple[str, str]] = Counter()
    for system in systems:
        for row in effective_matrix(system):
            found[row.domain.key, holder_of(system, row.accountable)] += 1
    return found


def holder_of(system: System, party: Party | None) -> str:
    if party is None or party.person is None:
        return NOBODY
    if party.function:
        return str(party.function)
    if party.party == OWNER_PARTY:
        return OWNERS if system.owner_basis == "accepted" else NOBODY
    first = party.person.functions.order_by("position").first()
    return first.code if first else PEOPLE


def scattered(cast: Cast, chance: random.Random) -> None:
    """Units three deep, systems of every stage, letters in any scope."""
    units = [cast.claims, cast.devtools]
    for number in range(5):
        parent = chance.choice([None, *units])
        units.append(
            registry.create_unit(name=f"U{number}", code=f"u{number}", parent=parent, actor=cast.mara, now=NOW)
        )
    systems = [
        a_system(
            cast,
            unit=chance.choice(units),
            owner=chance.choice([None, cast.ada, cast.nils]),
            stage=chance.choice(["production", "pilot", "unknown", "suspended", "proposed"]),
            restricted=chance.random() < 0.2,
        )
        for _ in range(14)
    ]
    cast.dov.functions.set(["finance"])
    domains = [d for d in GovernanceDomain.objects.values_list("pk", flat=True) if d not in EXCEPTIONAL]
    scopes: list[dict[str, Any]] = [{"unit": unit} for unit in units]
    scopes += [{"system": system} for system in systems[:8]]
    for scope in scopes:
        for domain in chance.sample(domains, 5):
            party = chance.choice([{}, {"function": "ciso"}, {"function": "board"}, {"person": cast.dov}])
            an_a(domain, **scope, **party)


# Where the database itself says who may hold the A.
EXCEPTIONAL = {"operate-monitor", "independent-review"}


@pytest.mark.parametrize("seed", range(4))
def test_the_same_as_system_by_system(cast: Cast, seed: int) -> None:
    scattered(cast, random.Random(seed))  # noqa: S311
    for reader in (cast.eve, cast.cleo, cast.ada, cast.una):
        spots = seen_by(reader)
        mine = list(visible_systems(reader).exclude(stage__in=["proposed", "retired"]))
        assert spots.live == len(mine)
        assert spots.cells == dict(system_by_system(mine))
        for domain in spots.domains:
            assert sum(spots.held(domain.key, row) for row in spots.rows) == len(mine)
        assert sum(holes_by_unit(mapped_systems(reader)).values(), UnitHoles()).holes == spots.all_holes


@pytest.mark.parametrize("seed", range(2))
def test_each_cell_has_as_many_systems_as_it_says(cast: Cast, seed: int) -> None:
    scattered(cast, random.Random(seed))  # noqa: S311
    spots, systems = seen_by(cast.cleo), mapped_systems(cast.cleo)
    for domain in spots.domains:
        found = [set(held_by(systems, domain.key, row).values_list("pk", flat=True)) for row in spots.rows]
        assert [len(one) for one in found] == [spots.held(domain.key, row) for row in spots.rows]
        assert set().union(*found) == set(systems.values_list("pk", flat=True))


@pytest.mark.parametrize("seed", range(2))
def test_the_floor_has_the_same_rows(cast: Cast, seed: int) -> None:
    scattered(cast, random.Random(seed))  # noqa: S311
    with connection.cursor() as cursor:
        cursor.execute(FLOOR.read_text(encoding="utf-8"))
        assert [Count(*row) for row in cursor.fetchall()] == counts_by_domain(mapped_systems(cast.eve))
