"""The board's page: its sentence, its numbers, whom it names, how fast it is."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.people.actions import vacate_seat
from apps.portal.queries.systems import Filters, rows_of
from apps.readiness import rules
from apps.readiness.queries import Board, as_json, board
from apps.registry.actions import accept_ownership, nominate_owner, register_system
from apps.registry.models import GovernanceDomain, System
from apps.registry.queries.interim import interim_since_before
from tests.cast import Cast

Browse = Callable[[Any], Client]
NOW = datetime(2026, 12, 7, 9, 0, tzinfo=UTC)


def register(cast: Cast, key: str, **fields: Any) -> System:
    now = fields.pop("now", NOW - timedelta(hours=1))
    fields = {"name": f"System {key}", "unit": cast.claims, "stage": "production", "tier": "low"} | fields
    return register_system(key=key, actor=cast.mara, now=now, **fields)


def accept(cast: Cast, system: System, now: datetime = NOW) -> None:
    nomination = nominate_owner(system, cast.ada, actor=cast.mara, now=now)
    accept_ownership(nomination, actor=cast.ada, now=now)


def counts(page: Board) -> dict[str, int | None]:
    return {one.key: one.count for one in page.indicators}


@pytest.mark.parametrize(
    ("live", "accepted", "words"),
    [
        (0, 0, "No system is live yet."),
        (1, 0, "For the one live system, nobody has accepted."),
        (1, 1, "For the one live system, one person has accepted."),
        (5, 0, "For none of 5 systems has anybody accepted."),
        (5, 5, "For all 5 systems, one person has accepted."),
        (142, 118, "For 118 of 142 systems, one person has accepted. For 24, nobody has."),
        (3297, 3296, "For 3,296 of 3,297 systems, one person has accepted. For 1, nobody has."),
    ],
)
def test_the_headline(live: int, accepted: int, words: str) -> None:
    assert str(rules.headline(live, accepted)) == words


@pytest.mark.parametrize(
    ("live", "interim", "long", "words"),
    [
        (0, 0, 0, "Register or import systems first."),
        (3, 0, 0, "known by name who answers"),
        (3, 1, 0, "An interim owner stands in for it. Nobody has stood in for more than 30 days."),
        (3, 1, 1, "That has gone on for more than 30 days."),
        (3, 2, 1, "stands in for each of the 2. 1 of them has stood in for more than 30 days."),
        (9, 9, 4, "4 of them have stood in"),
        (9, 9, 9, "All of them have stood in for more than 30 days."),
    ],
)
def test_the_lead(live: int, interim: int, long: int, words: str) -> None:
    assert words in rules.lead(live, interim, long)


def test_the_seats_name_domains_that_exist(cast: Cast) -> None:
    known = set(GovernanceDomain.objects.values_list("key", flat=True))
    assert {domain for seat in rules.SEATS for domain in seat.domains} <= known
    assert len(rules.SEATS) == 6


@pytest.mark.parametrize(
    ("name", "status"), [("mara", 200), ("cleo", 200), ("eve", 200), ("bo", 200), ("ada", 403), ("dov", 403)]
)
def test_who_reads_it(cast: Cast, browse: Browse, name: str, status: int) -> None:
    assert browse(getattr(cast, name)).get("/readiness/").status_code == status


def test_before_anything_is_registered(cast: Cast, browse: Browse) -> None:
    text = browse(cast.bo).get("/readiness/").content.decode()
    assert "No system is live yet." in text
    assert text.count("Not known yet") == 5, "four failure modes and the attestation"


def test_accepting_changes_the_sentence(cast: Cast, browse: Browse) -> None:
    systems = [register(cast, f"s-{number}") for number in range(3)]
    assert b"For none of 3 systems has anybody accepted." in browse(cast.bo).get("/readiness/").content
    accept(cast, systems[0])
    page = browse(cast.bo).get("/readiness/").content.decode()
    assert "For 1 of 3 systems, one person has accepted." in page
    assert "For 2, nobody has." in page
    assert "Mara Lindt" in page, "whom to ask"


def test_what_is_counted(cast: Cast) -> None:
    accept(cast, register(cast, "good"))
    register(cast, "dark", stage="unknown", tier="unknown", unit=cast.devtools)
    register(cast, "secret", restricted=True)
    register(cast, "idea", stage="proposed")
    register(cast, "gone", stage="retired")
    page = board(now=NOW)
    assert (page.totals.live, page.totals.accepted, page.totals.interim) == (3, 1, 2)
    found = counts(page)
    assert found["stage_unknown"] == found["tier_unknown"] == 1
    assert found["no_deputy"] == 2, "Ada alone has a deputy"
    assert found["seats_vacant"] == 5
    assert found["mandate"] == 1
    assert found["attested"] is None
    assert page.hidden == 1


def test_a_deputy_who_left_is_no_deputy(cast: Cast) -> None:
    accept(cast, register(cast, "good"))
    assert counts(board(now=NOW))["no_deputy"] == 0
    connection.cursor().execute(
        "UPDATE people_person SET is_active = false, deactivated_at = now() WHERE id = %s", [cast.ben.pk]
    )
    assert counts(board(now=NOW))["no_deputy"] == 1


def test_interim_counts_from_when_nobody_accepted(cast: Cast) -> None:
    old = register(cast, "old", tier="critical", now=NOW)
    accept(cast, register(cast, "left", tier="high"))
    assert board(now=NOW + timedelta(days=30)).interim_long == 0
    page = board(now=NOW + timedelta(days=31))
    assert page.interim_long == 1
    assert [line.system.key for line in page.exceptions] == [old.key]
    assert page.exceptions[0].text == "Interim for 31 days"
    assert page.exceptions[0].person == cast.una


def test_exceptions_are_five_and_the_gravest(cast: Cast) -> None:
    for number in range(4):
        register(cast, f"high-{number}", tier="high", now=NOW - timedelta(days=60 + number))
        register(cast, f"critical-{number}", tier="critical", now=NOW - timedelta(days=40 + number))
    register(cast, "low", tier="low", now=NOW - timedelta(days=400))
    keys = [line.system.key for line in board(now=NOW).exceptions]
    assert keys == ["critical-3", "critical-2", "critical-1", "critical-0", "high-3"]


def test_restricted_systems_are_counted_and_not_named(cast: Cast) -> None:
    register(cast, "secret", restricted=True, tier="critical", now=NOW - timedelta(days=50), unit=cast.devtools)
    for reader, named in ((cast.mara, 1), (cast.eve, 1), (cast.bo, 0), (cast.cleo, 0), (None, 0)):
        page = board(now=NOW, reader=reader)
        assert page.totals.live == 1
        assert len(page.exceptions) == named
        assert page.hidden == 1 - named


def test_people_over_the_cap_accepted_and_interim_apart(cast: Cast, settings: Any) -> None:
    settings.WORKLOAD_CAP = 2
    for number in range(2):
        accept(cast, register(cast, f"a-{number}"))
    for number in range(3):
        register(cast, f"i-{number}")
    page = board(now=NOW)
    assert [(load.person, load.accepted, load.interim) for load in page.loads] == [(cast.una, 0, 3)]
    assert page.overloaded == 1
    accept(cast, register(cast, "a-2"))
    assert board(now=NOW).overloaded == 2


def test_who_covers_what_a_seat_misses(cast: Cast) -> None:
    register(cast, "one")
    lines = {line.pattern.title: line for line in board(now=NOW).seats}
    ciso = {cover.party: cover for cover in lines["CISO"].covers}
    assert ciso["Head of Finance"].hole == "vacant seat"
    assert ciso["Each system's owner"].hole == "1 system: nobody"
    engineering = {cover.party: cover.person for cover in lines["VP Engineering"].covers}
    assert engineering["CISO"] == cast.cleo
    assert engineering["General Counsel"] == cast.lea
    assert [seat.holder for seat in lines["Board, General Counsel"].holders] == [None, cast.lea]


def test_a_vacated_seat_shows(cast: Cast) -> None:
    before = counts(board(now=NOW))["seats_vacant"]
    vacate_seat("ciso", actor=cast.mara, now=NOW)
    assert counts(board(now=NOW))["seats_vacant"] == (before or 0) + 1


def test_the_command_says_the_same(cast: Cast) -> None:
    accept(cast, register(cast, "good"))
    register(cast, "other")
    out = StringIO()
    call_command("readiness", "--json", stdout=out)
    said = json.loads(out.getvalue())
    page = as_json(board(now=NOW))
    for name in ("headline", "lead", "systems", "indicators", "seats", "failures"):
        assert said[name] == page[name]
    plain = StringIO()
    call_command("readiness", stdout=plain)
    assert "For 1 of 2 systems, one person has accepted." in plain.getvalue()


def test_as_many_queries_for_many_systems(cast: Cast, browse: Browse) -> None:
    client = browse(cast.bo)
    register(cast, "first", tier="critical", now=NOW - timedelta(days=50))
    client.get("/readiness/")
    with CaptureQueriesContext(connection) as few:
        client.get("/readiness/")
    for number in range(30):
        system = register(cast, f"n-{number}", tier=("critical", "high")[number % 2], now=NOW - timedelta(days=90))
        if number % 3 == 0:
            accept(cast, system)
    with CaptureQueriesContext(connection) as many:
        client.get("/readiness/")
    assert len(many) <= len(few) + 1  # people over the cap are looked up by name


def test_a_change_of_interim_owner_starts_nothing_again(cast: Cast) -> None:
    system = register(cast, "old", tier="high", now=NOW - timedelta(days=40))
    with connection.cursor() as cursor:  # as when the unit's head changed ten days ago
        cursor.execute(
            "UPDATE registry_ownershipterm SET period = tstzrange(lower(period), %(day)s) WHERE system_id = %(id)s",
            {"day": NOW - timedelta(days=10), "id": system.pk},
        )
        cursor.execute(
            "INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation) "
            "VALUES (%(id)s, %(who)s, 'interim', tstzrange(%(day)s, NULL), '[]')",
            {"day": NOW - timedelta(days=10), "id": system.pk, "who": system.owner_id},
        )
    assert board(now=NOW).interim_long == 1
    assert interim_since_before(System.objects.all(), NOW - timedelta(days=30)).count() == 1


def test_each_number_is_the_number_of_its_rows(cast: Cast) -> None:
    for number, days in enumerate((1, 20, 31, 50, 80)):
        accept_at = NOW - timedelta(days=days) + timedelta(hours=1)
        system = register(
            cast, f"s-{number}", tier=("unknown", "critical")[number % 2], stage=("unknown", "pilot")[number % 2],
            now=NOW - timedelta(days=days),
        )  # fmt: skip
        if number in (1, 4):
            accept(cast, system, accept_at)
    register(cast, "idea", stage="proposed", tier="unknown")
    compared = 0
    for one in board(now=NOW, reader=cast.mara).indicators:
        path, _, query = one.href.partition("?")
        if path == "/systems/":
            rows = rows_of(cast.mara, Filters.read(QueryDict(query)), now=NOW, today=NOW.date())
            assert rows.count() == one.count, one.key
            compared += 1
    assert compared == 5
