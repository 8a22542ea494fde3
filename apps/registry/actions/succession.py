"""Interim owners follow the unit tree and the mandate: when a head or a seat changes, so does who stands in."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.people.models import Person
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import owner_can_act
from apps.registry.models import System
from apps.registry.queries.succession import Succession
from apps.registry.rules import Step

# Only where the unit tree or the mandate named the person: a deputy or a manager who stands in stays.
_FOLLOWERS_SQL = """
WITH RECURSIVE down(id) AS (
    SELECT id FROM registry_unit WHERE CASE WHEN %(unit)s::bigint IS NULL THEN parent_id IS NULL ELSE id = %(unit)s END
    UNION SELECT u.id FROM registry_unit u JOIN down ON u.parent_id = down.id)
SELECT s.id FROM registry_system s
JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
WHERE s.unit_id IN (SELECT id FROM down) AND s.owner_basis = 'interim' AND s.stage <> 'retired'
  AND t.derivation -> -1 ->> 'source' IN ('unit_head', 'mandate')
ORDER BY s.id FOR NO KEY UPDATE OF s
"""

# The trigger that keeps the search text writes all of them, in an order of its own.
_LOCK_BELOW_SQL = """
WITH RECURSIVE down(id) AS (
    SELECT %(unit)s::bigint UNION SELECT u.id FROM registry_unit u JOIN down ON u.parent_id = down.id)
SELECT FROM registry_system WHERE unit_id IN (SELECT id FROM down) ORDER BY id FOR NO KEY UPDATE
"""

_CHANGES = (
    "SELECT * FROM unnest(%(systems)s::bigint[], %(people)s::uuid[], %(steps)s::jsonb[]) AS c(system, person, steps)"
)
_CLOSE_SQL = """
UPDATE registry_ownershipterm
SET period = tstzrange(lower(period), greatest(%(now)s, lower(period) + interval '1 microsecond'))
WHERE system_id = ANY(%(systems)s) AND upper_inf(period)
"""
_OPEN_SQL = f"""
INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
SELECT c.system, c.person, 'interim',
    tstzrange((SELECT max(upper(t.period)) FROM registry_ownershipterm t WHERE t.system_id = c.system), NULL), c.steps
FROM ({_CHANGES}) AS c
"""
_POINT_SQL = f"""
UPDATE registry_system s SET owner_id = c.person, owner_basis = 'interim', updated_at = %(now)s
FROM ({_CHANGES}) AS c WHERE s.id = c.system
"""


@dataclass(frozen=True)
class InterimChange:
    """One system whose interim owner is somebody else from now on."""

    system: System
    before: str
    person: Person
    steps: list[Step]


def hold_tree() -> None:
    """Nobody changes who answers in the interim, by the unit tree or the mandate, before this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext('registry_succession'))")


def change_tree() -> None:
    """Wait for those who hold the tree, and keep them waiting: what they register is then seen and follows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('registry_succession'))")


def lock_systems_below(unit_id: int) -> None:
    """Lock every system of a unit and of those below it, in the order of their ids as every verb does."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_BELOW_SQL, {"unit": unit_id})


def interim_changes(unit_id: int | None, now: datetime) -> list[InterimChange]:
    """The systems below a unit (None: all) whose interim owner the tree names differently now. Locks their rows."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOWERS_SQL, {"unit": unit_id})
        ids = [row[0] for row in cursor.fetchall()]
    succession, found = Succession(now), []
    for system in System.objects.filter(pk__in=ids).only("id", "key", "name", "unit_id", "owner_id").order_by("pk"):
        person, steps = succession.derive(system.unit_id)
        if person.pk != system.owner_id:
            found.append(InterimChange(system, f"u:{system.owner_id}", person, steps))
    return found


def apply_interim_changes(
    changes: list[InterimChange], *, actor: Actor, now: datetime, cause: uuid.UUID | None = None
) -> None:
    """Close the terms, open the next ones and point the systems at their people, in three statements for all."""
    if not changes:
        return
    systems = [change.system.pk for change in changes]
    values: dict[str, Any] = {
        "now": now,
        "systems": systems,
        "people": [change.person.pk for change in changes],
        "steps": [json.dumps([step.as_json() for step in change.steps]) for change in changes],
    }
    with owner_can_act(), connection.cursor() as cursor:
        for statement in (_CLOSE_SQL, _OPEN_SQL, _POINT_SQL):
            cursor.execute(statement, values)
    sync_grants(systems)
    record_many([_entry(change) for change in changes], actor=actor, now=now, cause=cause)


def _entry(change: InterimChange) -> Entry:
    system = change.system
    return Entry(
        Kind.SYSTEM_OWNER_INTERIM,
        Subject("system", str(system.pk), f"{system.name} ({system.key})"),
        before={"owner": change.before},
        after={"owner": change.person.audit_id, "basis": "interim"},
        private={"owner_name": change.person.display_name},
    )
