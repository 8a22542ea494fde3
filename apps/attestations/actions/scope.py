"""Freezing the scope: every live system with what is known about it, in one pass over one cursor."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.attestations.models import Campaign
from apps.attestations.rules import canonical_facts
from apps.audit.rules import digest
from apps.registry.models import Unit
from apps.registry.rules import NOT_LIVE, SCENARIO_DOMAIN, Cell, most_specific

CHUNK = 5000

# One statement, so one moment: every live system with its owner and its identities, in a fixed order.
_SCOPE_SQL = """
SELECT s.id, s.key, s.name, s.purpose, s.stage, s.tier, s.regulatory_class, s.operating_model, s.vendor,
       s.unit_id, u.name, s.owner_id, o.display_name, s.owner_basis, lower(t.period), d.id, d.display_name,
       ARRAY(SELECT i.kind || ': ' || i.value FROM registry_systemidentity i WHERE i.system_id = s.id
             ORDER BY i.kind, i.value)
FROM registry_system s
JOIN registry_unit u ON u.id = s.unit_id
JOIN people_person o ON o.id = s.owner_id
LEFT JOIN people_person d ON d.id = o.deputy_id AND d.is_active
LEFT JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
WHERE s.stage <> ALL(%s)
ORDER BY s.key COLLATE "C"
"""

# The letters in force for what can go wrong, wherever they are set.
_LEADS_SQL = """
SELECT r.domain_id, r.letter, r.unit_id, r.system_id, r.is_owner, COALESCE(f.seat_title, ''),
       COALESCE(r.person_id, seat.holder_id)::text, COALESCE(p.display_name, holder.display_name)
FROM registry_raciassignment r
LEFT JOIN people_function f ON f.code = r.function_id
LEFT JOIN people_seat seat ON seat.function_id = r.function_id
LEFT JOIN people_person holder ON holder.id = seat.holder_id
LEFT JOIN people_person p ON p.id = r.person_id
WHERE r.valid_to IS NULL AND r.domain_id = ANY(%s)
ORDER BY r.id
"""

Row = tuple[Any, ...]


class Leads:
    """Who leads each scenario for a system: the most specific scope that says anything. Read once for all."""

    def __init__(self) -> None:
        self.parents = dict(Unit.objects.values_list("pk", "parent_id"))
        self.by_scope: dict[tuple[str, int | None], list[Row]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_LEADS_SQL, [list(SCENARIO_DOMAIN.values())])
            for row in cursor.fetchall():
                scope = ("system", row[3]) if row[3] else ("unit", row[2]) if row[2] else ("organisation", None)
                self.by_scope.setdefault(scope, []).append(row)
        self._of_unit: dict[int, dict[str, Row]] = {}

    def of(self, system: int, unit: int, owner: dict[str, Any]) -> dict[str, Any]:
        """The lead of each scenario, or None where the matrix names nobody."""
        own = self.by_scope.get(("system", system))
        if own:
            accountable = _accountable([*self._above(unit), *((1_000_000, row) for row in own)])
        else:
            if unit not in self._of_unit:
                self._of_unit[unit] = _accountable(self._above(unit))
            accountable = self._of_unit[unit]
        return {
            scenario.value: _party(accountable[domain], owner) if domain in accountable else None
            for scenario, domain in SCENARIO_DOMAIN.items()
        }

    def _above(self, unit: int) -> list[tuple[int, Row]]:
        """Letters of the unit and of everything above it, with their depth."""
        found = [(0, row) for row in self.by_scope.get(("organisation", None), [])]
        at: int | None = unit
        depth = 1000
        while at is not None:
            found += [(depth, row) for row in self.by_scope.get(("unit", at), [])]
            at, depth = self.parents[at], depth - 1
        return found


def _accountable(rows: list[tuple[int, Row]]) -> dict[str, Row]:
    """Domain -> the letter A in the most specific scope that says anything about it."""
    kept = most_specific([Cell(row[0], row[1], "", depth) for depth, row in rows])
    deepest = {cell.domain: cell.depth for cell in kept}
    return {row[0]: row for depth, row in rows if row[1] == "A" and depth == deepest[row[0]]}


def _party(row: Row, owner: dict[str, Any]) -> dict[str, Any]:
    if row[4]:
        return {"party": "System owner", "id": owner["id"], "name": owner["name"]}
    return {"party": row[5], "id": row[6], "name": row[7]}


def facts_of(row: Row, leads: Leads, *, now: datetime) -> dict[str, Any]:
    """What is frozen about one system. Names are copied: a signature has to be readable in seven years."""
    (system, key, name, purpose, stage, tier, regulatory, operating, vendor, unit, unit_name, *person) = row
    owner_id, owner_name, basis, since, deputy_id, deputy_name, identities = person
    owner = {"id": str(owner_id), "name": owner_name, "basis": basis, "since": since.isoformat() if since else None}
    return {
        "v": "1",
        "at": now.isoformat(),
        "key": key,
        "name": name,
        "purpose": purpose,
        "stage": stage,
        "tier": tier,
        "regulatory_class": regulatory,
        "operating_model": operating,
        "vendor": vendor,
        "unit": {"id": unit, "name": unit_name},
        "owner": owner,
        "deputy": {"id": str(deputy_id), "name": deputy_name} if deputy_id else None,
        "identities": identities,
        "leads": leads.of(system, unit, owner),
    }


@dataclass
class Frozen:
    """What was frozen: how many systems, how many with an interim owner, who left, and the hash of it all."""

    systems: int = 0
    interim: int = 0
    retired: int = 0
    scope_hash: str = ""


def freeze(campaign: Campaign, *, now: datetime) -> Frozen:
    """Write frozen facts and an assignment for every live system in scope, in the caller's transaction."""
    leads, frozen, scope = Leads(), Frozen(), hashlib.sha256()
    for rows in _chunks():
        chunk = []
        for snapshot, row in zip(_ids(len(rows)), rows, strict=True):
            text = canonical_facts(facts_of(row, leads, now=now))
            sha256 = digest(text)
            scope.update(f"{row[1]} {sha256}\n".encode())
            chunk.append((snapshot, row, text, sha256))
        _write(campaign, chunk, now)
        frozen.systems += len(rows)
        frozen.interim += sum(row[13] == "interim" for row in rows)
    frozen.scope_hash = scope.hexdigest()
    return frozen


def _chunks() -> Iterator[list[Row]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SCOPE_SQL, [[stage.value for stage in NOT_LIVE]])
        while chunk := cursor.fetchmany(CHUNK):
            yield chunk


def _ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('attestations_scopesnapshot', 'id')) FROM generate_series(1, %s)",
            [count],
        )
        return [row[0] for row in cursor.fetchall()]


def _write(campaign: Campaign, frozen: list[tuple[int, Row, str, str]], now: datetime) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY attestations_scopesnapshot (id, campaign_id, system_id, number, is_supplement, facts, sha256, material,"
            " delta, changes, taken_at) FROM STDIN"
        ) as copy:
            for snapshot, row, text, sha256 in frozen:
                copy.write_row((snapshot, campaign.pk, row[0], 1, False, text, sha256, "{}", "new", "[]", now))
        with cursor.copy(
            "COPY attestations_assignment (snapshot_id, campaign_id, system_id, person_id, owner_basis, tier, unit_id,"
            " due_on, delta, sampled, because, state, result, round, opened_at, stale_because, version) FROM STDIN"
        ) as copy:
            for snapshot, row, _, _ in frozen:
                due = campaign.due_for(row[5])
                copy.write_row(
                    (snapshot, campaign.pk, row[0], row[11], row[13], row[5], row[9], due, "new", "", "", "pending", "",
                     1, now, "[]", 0)
                )  # fmt: skip
