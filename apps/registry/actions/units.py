"""The tree of business units and their heads."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.people.models import Absence, Person
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import require_can_answer
from apps.registry.actions.succession import apply_interim_changes, change_tree, interim_changes, lock_systems_below
from apps.registry.models import System, Unit


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
    save_checked(unit, force_insert=True)
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
    change_tree()
    unit = Unit.objects.select_for_update(no_key=True, of=("self",)).get(pk=unit.pk)
    before = _facts(unit)
    if fields.get("head") is not None:
        require_can_answer(fields["head"])
    _refuse_circle(unit, fields.get("parent"))
    changed = [name for name, value in fields.items() if getattr(unit, name) != value]
    for name in changed:
        setattr(unit, name, fields[name])
    if changed:
        lock_systems_below(unit.pk)
    save_checked(unit, update_fields=changed)
    changes = interim_changes(unit.pk, now)
    event = record(
        Kind.UNIT_CHANGED,
        actor=actor,
        subject=unit_subject(unit),
        now=now,
        before=before,
        after={**_facts(unit), "interim_owners_changed": len(changes)},
    )
    apply_interim_changes(changes, actor=actor, now=now, cause=event)
    if "head" in changed:
        _show_to_head(unit)
    return unit, len(changes)


def _show_to_head(unit: Unit) -> None:
    """The head stands in for owners who are away: the new one sees their systems, the one before does not."""
    away = Absence.objects.filter(person=OuterRef("owner"), in_force=True, kind=Absence.Kind.AWAY)
    sync_grants(list(System.objects.filter(Exists(away), unit=unit).values_list("pk", flat=True)))


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
