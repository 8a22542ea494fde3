"""The tree of business units and their heads."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.people.models import Person
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import change_owner, locked, require_can_answer
from apps.registry.models import System, Unit
from apps.registry.queries.succession import Succession

# Interim owners whose name came from the unit tree or the mandate follow a change of head.
_FOLLOWERS_SQL = """
WITH RECURSIVE down(id) AS (
    SELECT %s::bigint UNION SELECT u.id FROM registry_unit u JOIN down ON u.parent_id = down.id)
SELECT s.id FROM registry_system s
JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
WHERE s.unit_id IN (SELECT id FROM down) AND s.owner_basis = 'interim' AND s.stage <> 'retired'
  AND t.derivation -> -1 ->> 'source' IN ('unit_head', 'mandate')
ORDER BY s.id
"""


def unit_subject(unit: Unit) -> Subject:
    """How the trail refers to a unit."""
    return Subject("unit", str(unit.pk), unit.name)


@transaction.atomic
def create_unit(
    *,
    name: str,
    code: str,
    actor: Actor,
    now: datetime,
    parent: Unit | None = None,
    head: Person | None = None,
) -> Unit:
    """Add a business unit. Raises Refused for a head who can't act, ValidationError for a bad field."""
    if head is not None:
        require_can_answer(head)
    unit = Unit(name=name.strip(), code=code.strip(), parent=parent, head=head)
    unit.full_clean()
    unit.save(force_insert=True)
    record(Kind.UNIT_CREATED, actor=actor, subject=unit_subject(unit), now=now, after=_facts(unit))
    return unit


@transaction.atomic
def change_unit(unit: Unit, *, actor: Actor, now: datetime, **fields: Any) -> tuple[Unit, int]:
    """Rename, move or give a head to a unit; returns it and how many interim owners changed by that.

    Systems below for which the unit tree or the mandate named the interim owner get the one it names now.
    Raises Refused for a head who can't act or a circle, ValidationError for a bad field.
    """
    if unknown := set(fields) - {"name", "code", "parent", "head"}:
        raise TypeError(f"not a field of a unit: {', '.join(sorted(unknown))}")
    unit = Unit.objects.select_for_update(no_key=True, of=("self",)).get(pk=unit.pk)
    before = _facts(unit)
    if fields.get("head") is not None:
        require_can_answer(fields["head"])
    _refuse_circle(unit, fields.get("parent"))
    for name, value in fields.items():
        setattr(unit, name, value)
    unit.full_clean()
    unit.save()
    moved = _follow(unit, now=now)
    record(
        Kind.UNIT_CHANGED,
        actor=actor,
        subject=unit_subject(unit),
        now=now,
        before=before,
        after={**_facts(unit), "interim_owners_changed": moved},
    )
    return unit, moved


def _facts(unit: Unit) -> dict[str, Any]:
    return {
        "name": unit.name,
        "code": unit.code,
        "parent": unit.parent_id,
        "head": f"u:{unit.head_id}" if unit.head_id else None,
    }


def _refuse_circle(unit: Unit, parent: Unit | None) -> None:
    """The trigger refuses too; this says it in words."""
    above = parent
    while above is not None:
        if above.pk == unit.pk:
            raise Refused(f"{unit.name} can't be above itself. Choose a parent outside its own tree.")
        above = above.parent


def _follow(unit: Unit, *, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOWERS_SQL, [unit.pk])
        ids = [row[0] for row in cursor.fetchall()]
    succession, moved = Succession(), []
    for system in System.objects.filter(pk__in=ids).only("id", "unit_id", "owner_id"):
        person, steps = succession.derive(system.unit_id)
        if person.pk != system.owner_id:
            derivation = [step.as_json() for step in steps]
            change_owner(locked(system), person, System.Basis.INTERIM, now=now, derivation=derivation)
            moved.append(system.pk)
    sync_grants(moved)
    return len(moved)
