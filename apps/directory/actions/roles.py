"""Roles that groups of the directory grant (SCIM_ROLE_GROUPS). A group never makes anybody owner of anything."""

import uuid
from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db.models import Q

from apps.audit.rules import Actor
from apps.directory.models import ScimGroup
from apps.people.actions import grant_role, revoke_role
from apps.people.models import Person, RoleGrant
from apps.people.rules import RoleName

Granted = set[tuple[uuid.UUID, str]]


def sync_roles(people: Collection[uuid.UUID], *, actor: Actor, now: datetime, cause: uuid.UUID) -> None:
    """Make what groups grant to these people what their groups say. What a person granted is left alone."""
    wanted = _wanted(people)
    live = RoleGrant.objects.filter(Q(until=None) | Q(until__gt=now), person__in=people, revoked_at=None)
    held: Granted = set(live.values_list("person_id", "role"))
    by_group: Granted = set(live.filter(source=RoleGrant.Source.SCIM).values_list("person_id", "role"))
    gone, new = by_group - wanted, wanted - held
    named = Person.objects.in_bulk({person for person, _ in gone | new})
    for person, role in sorted(gone):
        revoke_role(named[person], RoleName(role), actor=actor, now=now, cause=cause)
    for person, role in sorted(new):
        source = RoleGrant.Source.SCIM
        grant_role(named[person], RoleName(role), source=source, actor=actor, now=now, cause=cause)


def _wanted(people: Collection[uuid.UUID]) -> Granted:
    roles = {name.lower(): role for name, role in settings.SCIM_ROLE_GROUPS.items()}
    if not roles:
        return set()
    members = ScimGroup.members.through._default_manager.filter(
        scimgroup__name_key__in=roles, scimuser__person__in=people, scimuser__person__is_active=True
    )
    found = members.values_list("scimuser__person", "scimgroup__name_key")
    return {(person, str(roles[name])) for person, name in found}
