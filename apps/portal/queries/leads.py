"""Who leads the response in a scenario, for one system or for many: by a rule, by the matrix; one statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.registry.models import System
from apps.registry.rules import SCENARIO_DOMAIN, Scenario

# Three branches instead of one OR, so that each takes its own index: a register can hold a letter per system.
_LEADS_SQL = """
WITH RECURSIVE up(system_id, unit_id, parent_id, name, height) AS (
    SELECT s.id, u.id, u.parent_id, u.name, 0
    FROM registry_system s JOIN registry_unit u ON u.id = s.unit_id WHERE s.id = ANY(%(systems)s)
    UNION ALL
    SELECT up.system_id, u.id, u.parent_id, u.name, up.height + 1
    FROM registry_unit u JOIN up ON u.id = up.parent_id),
cells AS (
    SELECT r.system_id, r.id, 1000000 AS depth, 'set on this system' AS source
    FROM registry_raciassignment r
    WHERE r.valid_to IS NULL AND r.domain_id = %(domain)s AND r.system_id = ANY(%(systems)s)
    UNION ALL
    SELECT up.system_id, r.id, 1000 - up.height, up.name
    FROM up JOIN registry_raciassignment r
        ON r.unit_id = up.unit_id AND r.valid_to IS NULL AND r.domain_id = %(domain)s
    UNION ALL
    SELECT s.id, r.id, 0, 'organisation'
    FROM registry_raciassignment r CROSS JOIN unnest(%(systems)s::bigint[]) AS s(id)
    WHERE r.valid_to IS NULL AND r.domain_id = %(domain)s AND r.system_id IS NULL AND r.unit_id IS NULL)
SELECT c.system_id, c.source, r.is_owner, f.seat_title,
       COALESCE(r.person_id, seat.holder_id, CASE WHEN r.is_owner THEN s.owner_id END)
FROM cells c
JOIN registry_raciassignment r ON r.id = c.id AND r.letter = 'A'
JOIN registry_system s ON s.id = c.system_id
LEFT JOIN people_function f ON f.code = r.function_id
LEFT JOIN people_seat seat ON seat.function_id = r.function_id
WHERE c.depth = (SELECT max(other.depth) FROM cells other WHERE other.system_id = c.system_id)
"""

# The most specific rule in force: system, class, unit upward, organisation; its own scenario before any.
_RULES_SQL = """
WITH RECURSIVE up(system_id, unit_id, parent_id, name, height) AS (
    SELECT s.id, u.id, u.parent_id, u.name, 0
    FROM registry_system s JOIN registry_unit u ON u.id = s.unit_id WHERE s.id = ANY(%(systems)s)
    UNION ALL
    SELECT up.system_id, u.id, u.parent_id, u.name, up.height + 1
    FROM registry_unit u JOIN up ON u.id = up.parent_id)
SELECT DISTINCT ON (s.id) s.id,
    CASE WHEN r.system_id IS NOT NULL THEN 'system' WHEN r.regulatory_class <> '' THEN 'class'
         WHEN r.unit_id IS NOT NULL THEN 'unit' ELSE 'organisation' END,
    COALESCE(up.name, ''), r.regulatory_class, COALESCE(f.seat_title, ''),
    COALESCE(r.lead_person_id, seat.holder_id), r.deputy_id
FROM registry_system s
JOIN incidents_responserule r ON r.valid_to IS NULL AND r.scenario IN ('', %(scenario)s)
    AND (r.min_severity = '' OR %(severity)s LIKE 'sev_' AND %(severity)s <= r.min_severity)
    AND (r.system_id IS NULL OR r.system_id = s.id)
    AND (r.regulatory_class = '' OR r.regulatory_class = s.regulatory_class)
LEFT JOIN up ON up.system_id = s.id AND up.unit_id = r.unit_id
LEFT JOIN people_function f ON f.code = r.lead_function_id
LEFT JOIN people_seat seat ON seat.function_id = r.lead_function_id
WHERE s.id = ANY(%(systems)s) AND s.stage NOT IN ('proposed', 'retired')
    AND (r.unit_id IS NULL OR up.unit_id IS NOT NULL)
ORDER BY s.id, r.system_id IS NOT NULL DESC, r.regulatory_class <> '' DESC, up.height NULLS LAST, r.scenario <> '' DESC,
    NULLIF(r.min_severity, '') NULLS LAST
"""


@dataclass(frozen=True)
class RuleLead:
    """Whom the response rule that stands names: a person, or a seat and whoever holds it today."""

    place: str  # system | class | unit | organisation
    unit: str
    regulatory_class: str
    party: str
    person_id: UUID | None
    deputy_id: UUID | None

    @property
    def words(self) -> str:
        """Where the rule is set: "Rule on this system"."""
        if self.place == "system":
            return "Rule on this system"
        if self.place == "class":
            label = System.RegulatoryClass(self.regulatory_class).label
            return f"Rule for the class “{label}”"
        return f"Rule of {self.unit}" if self.place == "unit" else "Rule of the organisation"


def rules_of(systems: Sequence[int], scenario: Scenario | None, severity: str = "") -> dict[int, RuleLead]:
    """By system id: the response rule that stands; a system is missing where none applies. One query.

    Without a severity those are left out that lead from one on.
    """
    asked = {"systems": list(systems), "scenario": scenario.value if scenario else "", "severity": severity}
    with connection.cursor() as cursor:
        cursor.execute(_RULES_SQL, asked)
        return {row[0]: RuleLead(*row[1:]) for row in cursor.fetchall()}


@dataclass(frozen=True)
class Lead:
    """The A of a scenario's row: which party, from which scope, and the person it resolves to today, if any."""

    party: str
    is_owner: bool
    source: str
    person_id: UUID | None


def leads_of(systems: Sequence[int], scenario: Scenario) -> dict[int, Lead]:
    """By system id; a system is missing where its most specific scope names nobody. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_LEADS_SQL, {"systems": list(systems), "domain": SCENARIO_DOMAIN[scenario]})
        return {
            system: Lead("System owner" if is_owner else (seat_title or ""), is_owner, source, person)
            for system, source, is_owner, seat_title, person in cursor.fetchall()
        }
