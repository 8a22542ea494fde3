"""Letters of somebody who leaves pass on in the leaver's own transaction."""

import uuid
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from apps.audit.rules import Actor, Kind
from apps.people.models import Person
from apps.registry.actions.raci.applying import Planned, lock_scopes, put_in_force
from apps.registry.actions.raci.sending import close_changes_of, close_questions_of
from apps.registry.models import RaciAcceptance, RaciAssignment, RaciDraft, System, Unit
from apps.registry.queries.raci_scope import Cells, Scope, letters_in_force, ordered

Successor = Person | Callable[[Scope], Person]


def lock_letters_of(person: Person) -> None:
    """Lock every matrix that names a person, waits for their answer or has a change that they sent.

    Whoever locks the person's row calls it before: those who change a matrix lock it first and then people.
    """
    named = RaciAssignment.objects.filter(person=person, valid_to=None).values_list("unit_id", "system_id")
    asked = RaciAcceptance.objects.filter(person=person, state="open").values_list("draft__unit_id", "draft__system_id")
    sent = RaciDraft.objects.filter(author=person, state=RaciDraft.State.SENT).values_list("unit_id", "system_id")
    lock_scopes(list(_scopes({*named, *asked, *sent}).values()))


@transaction.atomic
def move_letters(from_person: Person, to: Successor, *, actor: Actor, now: datetime, cause: uuid.UUID) -> int:
    """End every letter in force that names a person and give it to the successor; returns how many.

    What the successor holds already in a row is not given twice, so that every row keeps one A. Questions that wait
    for the person are closed and those drafts go back to their authors; changes that the person sent are closed. A
    letter of a system falls to the successor as well. Set-based: one version for each scope.
    """
    lock_letters_of(from_person)
    close_questions_of(from_person, now=now)
    close_changes_of(from_person, actor=actor, now=now, cause=cause)
    named = RaciAssignment.objects.filter(person=from_person, valid_to=None)
    places = sorted(set(named.values_list("unit_id", "system_id", "domain_id")), key=str)
    moved = named.count()
    if not moved:
        return 0
    scopes = _scopes({(unit, system) for unit, system, _ in places})
    in_force = letters_in_force(_where(scopes))
    plans = []
    for place, scope in scopes.items():
        heir = to if isinstance(to, Person) else to(scope)
        rows: dict[str, Cells | None] = {
            domain: passed_on(in_force[place][domain], str(from_person.pk), str(heir.pk))
            for unit, system, domain in places
            if (unit, system) == place
        }
        plans.append(Planned(scope, rows, "A leaver's letters passed on"))
    put_in_force(plans, actor=actor, now=now, cause=cause, kind=Kind.RACI_LETTERS_MOVED)
    return moved


def passed_on(cells: Cells, leaver: str, heir: str) -> Cells:
    """A row in which the heir has the leaver's letters besides their own; the stronger of C and I is enough."""
    found = {party: letters for party, letters in cells.items() if party != leaver}
    letters = set(cells.get(leaver, "")) | set(found.get(heir, ""))
    if letters & {"A", "R"}:
        letters &= {"A", "R"}
    elif "C" in letters:
        letters = {"C"}
    found[heir] = ordered(letters)
    return found


def _scopes(places: set[tuple[int | None, int | None]]) -> dict[tuple[int | None, int | None], Scope]:
    units = Unit.objects.in_bulk([unit for unit, _ in places if unit])
    systems = System.objects.in_bulk([system for _, system in places if system])
    return {
        (unit, system): Scope(units[unit] if unit else None, systems[system] if system else None)
        for unit, system in places
    }


def _where(scopes: dict[tuple[int | None, int | None], Scope]) -> Q:
    where = Q(unit__in=[unit for unit, _ in scopes if unit]) | Q(system__in=[system for _, system in scopes if system])
    return where | Q(unit=None, system=None) if (None, None) in scopes else where
