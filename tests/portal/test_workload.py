"""The people page of ownership, and the findings about cover."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common import clock
from apps.people.models import Person
from apps.portal.queries.workload import WorkloadFilters, loads
from apps.registry import actions as registry
from apps.registry.queries.cover import cover_breaches
from apps.registry.rules.breaches import Breach
from tests.cast import Cast
from tests.factories import NOW, a_system

PAGE = "/ownership/people/"


@pytest.fixture
def world(cast: Cast, settings: Any) -> Cast:
    """Ada has three systems and a deputy, Nils one and none; Una stands in for one; the cap is two."""
    settings.WORKLOAD_CAP = 2
    for owner in (cast.ada, cast.ada, cast.ada, cast.nils):
        a_system(cast, owner=owner)
    a_system(cast)
    a_system(cast, stage="proposed")
    return cast


def away(person: Any, **fields: Any) -> None:
    now = clock.now()
    day = now.date()
    wanted = {"starts_on": day - timedelta(days=1), "ends_on": day + timedelta(days=5)} | fields
    registry.record_absence(person, actor=person, now=now, **wanted)


def names(client: Any, query: str = "") -> list[tuple[str, str, str]]:
    """Name, accepted and interim of each line of the export."""
    text = b"".join(client.get(f"/ownership/people.csv{query}").streaming_content).decode()
    return [(row["name"], row["accepted"], row["interim"]) for row in csv.DictReader(io.StringIO(text))]


def test_live_systems_are_counted_apart(world: Cast, browse: Any) -> None:
    client = browse(world.dov)
    assert names(client) == [("Ada Nwosu", "3", "0"), ("Nils Okafor", "1", "0"), ("Una Brandt", "0", "1")]
    page = client.get(PAGE).content.decode()
    assert "Over 2" in page
    assert "No deputy" in page
    assert "3 people answer for every live system. 1 accepted more than 2." in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?show=over", ["Ada Nwosu"]),
        ("?show=no_deputy", ["Nils Okafor", "Una Brandt"]),
        ("?show=away", ["Nils Okafor"]),
        ("?show=leaving", ["Ada Nwosu"]),
        ("?show=interim", ["Una Brandt"]),
        ("?q=nwosu", ["Ada Nwosu"]),
        ("?q=nobody+such", []),
        ("?sort=name", ["Ada Nwosu", "Nils Okafor", "Una Brandt"]),
        ("?sort=-name", ["Una Brandt", "Nils Okafor", "Ada Nwosu"]),
        ("?sort=-interim", ["Una Brandt", "Ada Nwosu", "Nils Okafor"]),
        ("?sort=zzz&show=zzz", ["Ada Nwosu", "Nils Okafor", "Una Brandt"]),
    ],
)
def test_filters_and_orders(world: Cast, browse: Any, query: str, expected: list[str]) -> None:
    away(world.nils)
    Person.objects.filter(pk=world.ada.pk).update(leaving_on=clock.now().date() + timedelta(days=9))
    client = browse(world.dov)
    assert [name for name, _, _ in names(client, query)] == expected
    assert client.get(f"{PAGE}{query}").status_code == 200


def test_today_and_who_would_take_over(world: Cast, browse: Any) -> None:
    away(world.ada)
    Person.objects.filter(pk=world.ben.pk).update(leaving_on=clock.now().date() + timedelta(days=9))
    text = b"".join(browse(world.dov).get("/ownership/people.csv?q=ada").streaming_content).decode()
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["acts today"], row["next in line"], row["over the cap"]) == ("Ben Ortega", "Una Brandt", "yes")
    assert "Ben Ortega acts" in browse(world.dov).get(PAGE).content.decode()


def test_an_empty_register(cast: Cast, browse: Any) -> None:
    assert "No live system yet" in browse(cast.dov).get(PAGE).content.decode()
    assert cover_breaches(NOW) == []


def test_queries_do_not_grow_with_people(world: Cast, browse: Any) -> None:
    client = browse(world.dov)
    counts = []
    for _ in range(2):
        client.get(PAGE)
        with CaptureQueriesContext(connection) as captured:
            client.get(PAGE)
        counts.append(len(captured))
        if len(counts) == 1:
            for person in (world.dov, world.eve, world.bo):
                a_system(world, owner=person)
            away(world.eve)
    assert counts[0] == counts[1]
    assert loads(WorkloadFilters()).count() == 6


def told(breaches: list[Breach]) -> list[tuple[str, str]]:
    return [(breach.check, breach.title) for breach in breaches]


def test_what_is_not_covered_is_a_breach(world: Cast) -> None:
    now = clock.now()
    assert told(cover_breaches(now)) == [
        ("cover.over_cap", "Ada Nwosu accepted 3 live systems; 2 are the most."),
        ("cover.no_deputy", "Nils Okafor answers for 1 live system and has no deputy."),
        ("cover.no_deputy", "Una Brandt answers for 1 live system and has no deputy."),
    ]
    people = {breach.subject: breach.person_id for breach in cover_breaches(now)}
    assert people[f"person:{world.nils.pk}"] == world.nils.pk


def test_a_deputy_who_cannot_act(world: Cast) -> None:
    now = clock.now()
    day = now.date() + timedelta(days=9)
    Person.objects.filter(pk=world.ben.pk).update(leaving_on=day)
    assert f"the deputy Ben Ortega leaves on {clock.day_words(day)}." in told(cover_breaches(now))[0][1]
    Person.objects.filter(pk=world.ben.pk).update(leaving_on=day + timedelta(days=90))
    assert told(cover_breaches(now))[0][0] == "cover.over_cap"
    registry.deactivate_person(world.ben, actor=world.mara, now=now)
    assert told(cover_breaches(now))[0] == (
        "cover.deputy_cannot_act",
        "Ada Nwosu answers for 3 live systems; the deputy Ben Ortega is deactivated.",
    )


def test_the_line_manager_may_be_the_deputy(world: Cast) -> None:
    registry.change_person(world.ada, deputy=world.una, line_manager=world.una, actor=world.mara, now=clock.now())
    assert [check for check, title in told(cover_breaches(clock.now())) if "Ada" in title] == ["cover.over_cap"]


def test_away_with_nobody_near(world: Cast) -> None:
    now = clock.now()
    away(world.ada)
    away(world.ben)
    assert "cover.away_uncovered" not in dict(told(cover_breaches(now)))
    away(world.una)
    found = next(breach for breach in cover_breaches(now) if breach.check == "cover.away_uncovered")
    until = clock.day_words(now.date() + timedelta(days=5))
    assert found.title == (
        f"Ada Nwosu answers for 3 live systems, is away until {until}, and neither deputy nor line manager is here."
    )
    assert (found.person_id, found.path) == (world.mara.pk, f"/people/{world.ada.pk}/availability/")
