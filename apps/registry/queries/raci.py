"""The effective matrix: organisation, then units from the top down, then the system; the most specific stands."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.people.models import Person
from apps.registry.models import GovernanceDomain, System
from apps.registry.rules import SCENARIO_DOMAIN, Cell, Scenario, most_specific

OWNER_PARTY = "System owner"

# One statement: the scopes above a system with their depth, and every letter in force in any of them.
_CELLS_SQL = """
WITH RECURSIVE up(id, parent_id, name, height) AS (
    SELECT u.id, u.parent_id, u.name, 0 FROM registry_unit u WHERE u.id = %(unit)s
    UNION ALL SELECT u.id, u.parent_id, u.name, up.height + 1 FROM registry_unit u JOIN up ON u.id = up.parent_id)
SELECT r.domain_id, r.letter,
       CASE WHEN r.system_id IS NOT NULL THEN 1000000 WHEN r.unit_id IS NOT NULL THEN 1000 - up.height ELSE 0 END,
       CASE WHEN r.system_id IS NOT NULL THEN 'set here' WHEN r.unit_id IS NOT NULL THEN up.name
            ELSE 'organisation' END,
       r.is_owner, r.function_id, f.seat_title,
       COALESCE(r.person_id, seat.holder_id, CASE WHEN r.is_owner THEN %(owner)s::uuid END)
FROM registry_raciassignment r
LEFT JOIN up ON up.id = r.unit_id
LEFT JOIN people_function f ON f.code = r.function_id
LEFT JOIN people_seat seat ON seat.function_id = r.function_id
WHERE r.valid_to IS NULL AND (r.system_id = %(system)s OR up.id IS NOT NULL
      OR (r.system_id IS NULL AND r.unit_id IS NULL))
  AND (%(domains)s::text[] IS NULL OR r.domain_id = ANY(%(domains)s))
ORDER BY r.domain_id, r.letter, f.position NULLS FIRST, r.id
"""


@dataclass(frozen=True)
class Party:
    """Who has a letter in a domain: the word for the party, and the person it resolves to today, if any."""

    letter: str
    party: str
    function: str | None
    person: Person | None
    source: str


@dataclass(frozen=True)
class Row:
    """One domain of a system's effective matrix."""

    domain: GovernanceDomain
    parties: list[Party]

    @property
    def accountable(self) -> Party | None:
        return next((party for party in self.parties if party.letter == "A"), None)


def effective_matrix(system: System) -> list[Row]:
    """Every domain with who is accountable, responsible, consulted and informed for this system. Three queries."""
    parties = _effective_parties(system, None)
    return [Row(domain, parties.get(domain.key, [])) for domain in GovernanceDomain.objects.all()]


def leads_for(system: System, scenario: Scenario) -> Party | None:
    """The A of the scenario's domain for this system, or None where the matrix names nobody. Two queries."""
    domain = SCENARIO_DOMAIN[scenario]
    parties = _effective_parties(system, [domain]).get(domain, [])
    return next((party for party in parties if party.letter == "A"), None)


def _effective_parties(system: System, domains: list[str] | None) -> dict[str, list[Party]]:
    params: dict[str, Any] = {"unit": system.unit_id, "system": system.pk, "owner": system.owner_id}
    with connection.cursor() as cursor:
        cursor.execute(_CELLS_SQL, {**params, "domains": domains})
        rows = cursor.fetchall()
    kept = {(cell.domain, cell.depth) for cell in most_specific([Cell(row[0], row[1], "", row[2]) for row in rows])}
    people = Person.objects.in_bulk({row[7] for row in rows if row[7]})
    found: dict[str, list[Party]] = {}
    for domain, letter, depth, source, is_owner, function, seat_title, person in rows:
        if (domain, depth) in kept:
            holder = people.get(person)
            name = OWNER_PARTY if is_owner else (seat_title or (holder.display_name if holder else ""))
            found.setdefault(domain, []).append(Party(letter, name, function, holder, source))
    return found
