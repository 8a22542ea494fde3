"""Groups of an identity provider: who is in them, and the roles that some of them grant."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.saving import save_checked
from apps.directory.actions.roles import sync_roles
from apps.directory.actions.users import checked, one_at_a_time
from apps.directory.models import ScimGroup, ScimUser
from apps.directory.queries.scim import find_group
from apps.directory.rules.errors import ScimError
from apps.directory.rules.groups import GroupFacts, group_facts
from apps.directory.rules.patch import Document

NAMED = 5


def group_subject(group: ScimGroup) -> Subject:
    """How the trail refers to a group."""
    return Subject("directory_group", str(group.scim_id), group.name)


@transaction.atomic
def create_group(body: Any, *, actor: Actor, now: datetime) -> ScimGroup:
    """Take a group in. Raises ScimError: 409 for a displayName that another has, 400 for an unknown member."""
    one_at_a_time()
    facts = group_facts(body)
    if ScimGroup.objects.filter(name_key=facts.name.lower()).exists():
        raise ScimError(409, "There is a group of this displayName already.", "uniqueness")
    return _Change(ScimGroup(created_at=now), facts, set(), actor, now)._carry_out()


@transaction.atomic
def change_group(
    scim_id: str, change: Callable[[ScimGroup, Document], Document], *, actor: Actor, now: datetime
) -> ScimGroup:
    """Make a group what `change` makes of it. What says nothing new writes nothing. Raises ScimError."""
    one_at_a_time()
    group = find_group(scim_id)
    held = {str(one): pk for pk, one in group.members.values_list("pk", "scim_id")}
    before: Document = {"displayName": group.name, "members": [{"value": one} for one in held]}
    if group.external_id:
        before["externalId"] = group.external_id
    facts = group_facts(change(group, before))
    if facts == group_facts(before):
        return group
    return _Change(group, facts, set(held), actor, now)._carry_out()


@transaction.atomic
def remove_group(scim_id: str, check: Callable[[ScimGroup], None], *, actor: Actor, now: datetime) -> None:
    """Forget a group; what it granted ends. Raises ScimError 404 for an unknown id."""
    one_at_a_time()
    group = find_group(scim_id)
    check(group)
    members = list(group.members.values_list("person", flat=True))
    before = {"members": len(members)}
    cause = record(Kind.DIRECTORY_GROUP_DELETED, actor=actor, subject=group_subject(group), now=now, before=before)
    group.delete()
    sync_roles(members, actor=actor, now=now, cause=cause)


@dataclass
class _Change:
    """One group, what it becomes, and the ids of those who are in it."""

    group: ScimGroup
    facts: GroupFacts
    held: set[str]
    actor: Actor
    now: datetime

    def _carry_out(self) -> ScimGroup:
        """Save the group, then its members, then what they are granted."""
        group, facts = self.group, self.facts
        new, renamed = group.pk is None, group.name_key != facts.name.lower()
        group.name, group.name_key, group.external_id = facts.name, facts.name.lower(), facts.external_id
        group.changed_at = self.now
        group.version += 0 if new else 1
        checked(lambda: save_checked(group))
        joined, left = self._joined(), self._left()
        group.members.add(*joined)
        group.members.remove(*left)
        cause = record(
            Kind.DIRECTORY_GROUP_SYNCED,
            actor=self.actor,
            subject=group_subject(group),
            now=self.now,
            after={"members": len(facts.members), "joined": len(joined), "left": len(left)},
        )
        touched = {user.person_id for user in (*joined, *left)}
        if renamed:
            touched |= set(group.members.values_list("person", flat=True))
        sync_roles(touched, actor=self.actor, now=self.now, cause=cause)
        return group

    def _joined(self) -> list[ScimUser]:
        wanted = self.facts.members - self.held
        found = list(ScimUser.objects.filter(scim_id__in=[one for one in wanted if _is_uuid(one)]))
        unknown = sorted(wanted - {str(user.scim_id) for user in found})
        if unknown:
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            named = ", ".join(one[:64] for one in unknown[:NAMED])
            raise ScimError(400, f"These members are no users here: {named}{more}. Nothing changed.", "invalidValue")
        return found

    def _left(self) -> list[ScimUser]:
        gone = self.held - self.facts.members
        return list(ScimUser.objects.filter(scim_id__in=gone)) if gone else []


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
