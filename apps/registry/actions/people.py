"""Changing a person where the registry has to follow."""

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit.rules import Actor
from apps.people import actions as people
from apps.people.models import Person
from apps.registry.actions.grants import sync_grants
from apps.registry.models import System


@transaction.atomic
def change_person(person: Person, *, actor: Actor, now: datetime, **fields: Any) -> Person:
    """people.change_person, and the new deputy sees the systems that the person answers for."""
    changed = people.change_person(person, actor=actor, now=now, **fields)
    if "deputy" in fields:
        sync_grants(list(System.objects.filter(owner=person).values_list("pk", flat=True)))
    return changed
