"""The effective matrix: organisation, unit, system; the most specific scope that says anything stands."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.people import actions as people
from apps.people.models import Person
from apps.registry import actions as registry
from apps.registry.models import GovernanceDomain, System, Unit
from apps.registry.queries import effective_matrix, leads_for
from apps.registry.queries.raci import Row
from apps.registry.rules import Cell, Scenario, most_specific
from tests.cast import Cast
from tests.factories import NOW, a_system, set_letters

DOMAIN = "incident-data-access"


def row_of(system: System, domain: str = DOMAIN) -> Row:
    """One domain of a system's effective matrix, read anew."""
    return next(row for row in effective_matrix(System.objects.get(pk=system.pk)) if row.domain.key == domain)


def letter(
    letter: str,
    *,
    unit: Unit | None = None,
    system: System | None = None,
    person: Person | None = None,
    function: str | None = None,
    domain: str = DOMAIN,
) -> None:
    """A row in force of which somebody has the A; without a person and a function the owner. A row is never partial."""
    party = str(person.pk) if person else function or "owner"
    rest = {"A": "AR"}.get(letter, letter)
    cells = {party: rest} if letter == "A" else {party: rest, "platform" if party != "platform" else "cto": "AR"}
    set_letters(domain, cells, unit=unit, system=system)


def test_the_organisations_matrix_has_one_a_and_an_r_for_every_domain(cast: Cast) -> None:
    rows = effective_matrix(a_system(cast, owner=cast.ada))
    assert len(rows) == GovernanceDomain.objects.count() == 38
    for row in rows:
        letters = [party.letter for party in row.parties]
        assert letters.count("A") == 1, row.domain.key
        assert "R" in letters, row.domain.key
        assert {party.source for party in row.parties} == {"organisation"}


def test_a_unit_stands_over_the_organisation_and_the_nearest_unit_over_the_others(cast: Cast) -> None:
    motor = registry.create_unit(name="Motor", code="motor", parent=cast.claims, actor=cast.mara, now=NOW)
    system = a_system(cast, unit=motor)
    letter("A", unit=cast.claims, person=cast.nils)
    above = row_of(system)
    assert [(p.letter, p.person, p.source) for p in above.parties] == [
        ("A", cast.nils, "Claims"),
        ("R", cast.nils, "Claims"),
    ]
    letter("A", unit=motor, function="ciso")
    nearest = row_of(system).accountable
    assert nearest is not None
    assert (nearest.person, nearest.party, nearest.source) == (cast.cleo, "CISO", "Motor")


def test_what_is_set_on_the_system_stands_over_everything_and_only_there(cast: Cast) -> None:
    system, other = a_system(cast), a_system(cast)
    letter("A", unit=cast.claims, person=cast.nils)
    letter("A", system=system, person=cast.ada)
    own, elsewhere = row_of(system).accountable, row_of(other).accountable
    assert own is not None
    assert elsewhere is not None
    assert (own.person, own.source) == (cast.ada, "set here")
    assert elsewhere.person == cast.nils
    assert row_of(system, "incident-cost-spike").parties[0].source == "organisation"


def test_a_letter_that_ended_is_not_in_force(cast: Cast) -> None:
    system = a_system(cast)
    letter("A", system=system, person=cast.ada)
    set_letters(DOMAIN, None, system=system, now=NOW + timedelta(days=1))
    accountable = row_of(system).accountable
    assert accountable is not None
    assert accountable.source == "organisation"


def test_the_owner_of_the_matrix_is_the_owner_of_the_system(cast: Cast) -> None:
    interim, accepted = a_system(cast), a_system(cast, owner=cast.ada)
    for system, person in ((interim, cast.una), (accepted, cast.ada)):
        accountable = row_of(system, "stop").accountable
        assert accountable is not None
        assert (accountable.party, accountable.person) == ("System owner", person)


def test_a_vacant_seat_is_a_hole_until_somebody_takes_it(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    accountable = row_of(system, "cost-attribution").accountable
    assert accountable is not None
    assert accountable.person is None
    people.seat_person("finance", cast.nils, actor=cast.mara, now=NOW)
    taken = row_of(system, "cost-attribution").accountable
    assert taken is not None
    assert taken.person == cast.nils


@pytest.mark.parametrize(
    ("scenario", "seat"),
    [(Scenario.DATA_ACCESS, "ciso"), (Scenario.COST_SPIKE, "finance"), (Scenario.HARMFUL_DECISION, "owner")],
)
def test_who_leads_follows_the_matrix(cast: Cast, scenario: Scenario, seat: str) -> None:
    system = a_system(cast, owner=cast.ada)
    lead = leads_for(system, scenario)
    in_matrix = row_of(system, {"data-access": DOMAIN}.get(scenario, f"incident-{scenario}")).accountable
    assert lead == in_matrix


def test_the_number_of_queries_is_fixed(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    with CaptureQueriesContext(connection) as few:
        effective_matrix(system)
    for domain in GovernanceDomain.objects.exclude(pk="independent-review"):  # never the owner's
        set_letters(domain.key, {"owner": "A", str(cast.ben.pk): "R"}, system=system)
    with CaptureQueriesContext(connection) as many:
        effective_matrix(system)
    assert len(few) == len(many) == 3


def test_only_the_deepest_scope_of_a_domain_is_kept() -> None:
    cells = [Cell("a", "A", "x", 0), Cell("a", "R", "y", 1000), Cell("b", "A", "x", 0), Cell("b", "I", "z", 0)]
    assert most_specific(cells) == cells[1:]
    assert most_specific([]) == []
