"""Changing a person or a seat where the registry has to follow."""

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.access.actions import revoke_tokens_of
from apps.audit.queries import latest_event_id
from apps.audit.rules import Actor, Kind
from apps.people import actions as people
from apps.people.models import Person, Seat
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.handover import cancel_handovers_of
from apps.registry.actions.leavers import lock_systems_of, withdraw_nominations
from apps.registry.actions.ownership import locked_in_order
from apps.registry.actions.succession import apply_interim_changes, change_tree, interim_changes
from apps.registry.models import Mandate, System


@transaction.atomic
def change_person(person: Person, *, actor: Actor, now: datetime, **fields: Any) -> Person:
    """people.change_person; a new deputy, or line manager during an absence, sees what the person answers for."""
    stand_ins = {"deputy", "line_manager"} & set(fields)
    if stand_ins:
        locked_in_order(System.objects.filter(owner=person).only("pk"))
    changed = people.change_person(person, actor=actor, now=now, **fields)
    if stand_ins:
        sync_grants(list(System.objects.filter(owner=person).values_list("pk", flat=True)))
    return changed


@transaction.atomic
def seat_person(function: str, person: Person, *, actor: Actor, now: datetime) -> Seat:
    """people.seat_person; where the seat holds the mandate, what it stands in for goes to the new holder."""
    change_tree()
    seat = people.seat_person(function, person, actor=actor, now=now)
    if Mandate.objects.filter(holder_id=function).exists():
        cause = latest_event_id(Kind.SEAT_HELD, "seat", function)
        apply_interim_changes(interim_changes(None, now), actor=actor, now=now, cause=cause)
    return seat


@transaction.atomic
def deactivate_person(person: Person, *, actor: Actor, now: datetime, reason: str = "") -> Person:
    """people.deactivate_person; nominations that wait for the person's answer are withdrawn, their tokens end.

    Without succession: who answers for a live system, or holds a seat, is refused. Whoever leaves goes through
    `directory.actions.offboard`.
    """
    lock_systems_of(person)
    gone = people.deactivate_person(person, actor=actor, now=now, reason=reason)
    cause = latest_event_id(Kind.PERSON_DEACTIVATED, "person", str(person.pk))
    revoke_tokens_of(person, actor=actor, now=now, cause=cause)
    withdraw_nominations(person, actor=actor, now=now, cause=cause)
    cancel_handovers_of(person, actor=actor, now=now, cause=cause)
    return gone
