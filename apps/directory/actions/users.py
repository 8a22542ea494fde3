"""Users of an identity provider: every call ends in the verbs that people use too."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.directory.actions.offboard import bring_back, offboard
from apps.directory.actions.roles import sync_roles
from apps.directory.models import Placement, ScimUser
from apps.directory.queries.scim import find_user
from apps.directory.rules.errors import ScimError
from apps.directory.rules.patch import Document, key_of
from apps.directory.rules.users import UserFacts, facts_of, kept, with_active
from apps.people import actions as people
from apps.people.models import Person
from apps.people.rules import is_role_address
from apps.registry.actions import change_person
from apps.registry.models import Unit

SOURCE = "scim"
T = TypeVar("T")


def one_at_a_time() -> None:
    """Calls of a directory wait for each other, so that each sees what the one before it did."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('directory'))")


def user_subject(user: ScimUser) -> Subject:
    """How the trail refers to a user."""
    return Subject("directory_user", str(user.scim_id), user.user_name)


@transaction.atomic
def create_user(body: Any, *, actor: Actor, now: datetime) -> ScimUser:
    """Take a user in. Who is known already by this address is taken over, and comes back where they had left.

    Raises ScimError: 409 for a userName or address that another user has, 400 for a mailbox or a bad value.
    """
    one_at_a_time()
    document = kept(body)
    facts = facts_of(document, active=True)
    _refuse_mailbox(facts)
    if ScimUser.objects.filter(user_key=facts.user_name.lower()).exists():
        raise ScimError(409, "There is a user of this userName already.", "uniqueness")
    person = Person.objects.filter(email=facts.email).select_related("scim_user").first()
    if person is not None:
        _refuse_taken(person)
    user = ScimUser(person=person or Person(pk=uuid.uuid4()), created_at=now)
    return _Sync(user, document, facts, actor, now)._carry_out(new_person=person is None)


@transaction.atomic
def change_user(
    scim_id: str, change: Callable[[ScimUser, Document], Document], *, actor: Actor, now: datetime
) -> ScimUser:
    """Make a user what `change` makes of the resource. What says nothing new writes nothing.

    Raises ScimError: 404 for an unknown id, 409 for a userName or address that another user has, 400 else.
    """
    one_at_a_time()
    user = find_user(scim_id)
    active = user.person.is_active
    document = kept(change(user, with_active(user.document, active)))
    facts = facts_of(document, active=active)
    before = facts_of(user.document, active=active)
    sync = _Sync(user, document, facts, actor, now, before)
    return sync._carry_out() if sync.says_something else user


@transaction.atomic
def remove_user(scim_id: str, check: Callable[[ScimUser], None], *, actor: Actor, now: datetime) -> None:
    """Off-board a person whose user is deleted, and forget the resource. Raises ScimError 404 for an unknown id."""
    one_at_a_time()
    user = find_user(scim_id)
    check(user)
    person = user.person
    cause = record(
        Kind.DIRECTORY_USER_DELETED,
        actor=actor,
        subject=user_subject(user),
        now=now,
        before={"person": person.audit_id, "active": person.is_active},
    )
    _switch(person, active=False, actor=actor, now=now)
    user.delete()
    sync_roles([person.pk], actor=actor, now=now, cause=cause)


def _refuse_mailbox(facts: UserFacts) -> None:
    for address in (facts.email, facts.user_name):
        if is_role_address(address):
            detail = f"{address} is a mailbox or a service account, not a person. Assign people only."
            raise ScimError(400, detail, "invalidValue")


def _refuse_taken(person: Person) -> None:
    if hasattr(person, "scim_user"):
        raise ScimError(409, "Another user has this email address.", "uniqueness")
    if person.kind != Person.Kind.HUMAN:
        raise ScimError(400, f"{person.email} is a service account here, not a person.", "invalidValue")


def _switch(person: Person, *, active: bool, actor: Actor, now: datetime) -> None:
    """Off-board or bring back, where the person is not so already, also if somebody else did it meanwhile."""
    if person.is_active == active:
        return
    try:
        with transaction.atomic():
            if active:
                bring_back(person, actor=actor, now=now)
            else:
                offboard(person, actor=actor, now=now, source=SOURCE, reason="Deactivated in the directory.")
    except Refused:
        person.refresh_from_db()
        if person.is_active != active:
            raise
    person.refresh_from_db()


@dataclass
class _Sync:
    """One user, what the resource says now and what it said before; None the first time."""

    user: ScimUser
    document: Document
    facts: UserFacts
    actor: Actor
    now: datetime
    before: UserFacts | None = None

    @property
    def says_something(self) -> bool:
        """Whether anything is new."""
        same = self.before is not None and replace(self.before, active=self.facts.active) == self.facts
        return not (same and self._stored() == self.user.document and self.facts.active == self.user.person.is_active)

    def _stored(self) -> Document:
        """Without `active`, which stands with the person."""
        return {name: value for name, value in self.document.items() if name != key_of(self.document, "active")}

    def _carry_out(self, *, new_person: bool = False) -> ScimUser:
        """The trail first, then the person, then the resource, then who follows."""
        person = self.user.person
        self.user.user_name = self.facts.user_name
        after = {"person": person.audit_id, "active": self.facts.active}
        cause = record(
            Kind.DIRECTORY_USER_SYNCED, actor=self.actor, subject=user_subject(self.user), now=self.now, after=after
        )
        was_here = not new_person and person.is_active
        if new_person:
            person = self._provisioned(cause)
        else:
            _switch(person, active=self.facts.active, actor=self.actor, now=self.now)
            person = self._changed(person, cause)
        self.user.person = person
        arrived = self._keep()
        self._place(person)
        self._manage(person, cause)
        if person.is_active and (arrived or not was_here):
            self._link_waiting(person, cause)
        sync_roles([person.pk], actor=self.actor, now=self.now, cause=cause)
        self.user.person.refresh_from_db()
        return self.user

    def _provisioned(self, cause: uuid.UUID) -> Person:
        fields: dict[str, Any] = {"id": self.user.person.pk, **self.facts.profile}
        if not self.facts.active:  # nothing to hand over, so no case
            fields |= {"is_active": False, "deactivated_at": self.now}
        return checked(
            lambda: people.provision_person(
                email=self.facts.email,
                display_name=self.facts.display_name,
                actor=self.actor,
                now=self.now,
                cause=cause,
                **fields,
            )
        )

    def _changed(self, person: Person, cause: uuid.UUID) -> Person:
        """Only what the directory says anew: what somebody changed here since stays."""
        email = self.facts.email
        if person.email != email and (self.before is None or self.before.email != email):
            _refuse_mailbox(self.facts)
            person = checked(lambda: people.change_email(person, email, actor=self.actor, now=self.now, cause=cause))
        fields = {name: value for name, value in self._said().items() if getattr(person, name) != value}
        if fields:
            person = checked(
                lambda: people.change_person(person, actor=self.actor, now=self.now, cause=cause, **fields)
            )
        return person

    def _said(self) -> dict[str, str]:
        said = {"display_name": self.facts.display_name, **self.facts.profile}
        if self.before is None:
            return said
        old = {"display_name": self.before.display_name, **self.before.profile}
        emptied = {name: "" for name in ("title", "phone") if name in old and name not in said}
        return {name: value for name, value in said.items() if old.get(name) != value} | emptied

    def _keep(self) -> bool:
        """Save the resource; whether others may now find the manager whom they name."""
        user, facts = self.user, self.facts
        new = user.pk is None
        names = (user.user_key, user.external_id)
        user.user_key, user.external_id = facts.user_name.lower(), facts.external_id
        user.document, user.changed_at = self._stored(), self.now
        user.version += 0 if new else 1
        checked(lambda: save_checked(user, exclude=["document"]))
        return new or names != (user.user_key, user.external_id)

    def _place(self, person: Person) -> None:
        facts, before = self.facts, self.before
        said = (facts.department, facts.employee_number)
        if said == ((before.department, before.employee_number) if before else ("", "")):
            return
        unit = Unit.objects.filter(Q(code__iexact=facts.department) | Q(name__iexact=facts.department)).order_by("pk")
        place_person(
            person,
            department=facts.department,
            unit=unit.first() if facts.department else None,
            employee_number=facts.employee_number,
        )

    def _manage(self, person: Person, cause: uuid.UUID) -> None:
        """The line manager, where the directory names another one than before and that one is here."""
        wanted, user = self.facts.manager, self.user
        if wanted == user.manager_ref:
            return
        user.manager_ref = wanted
        user.save(update_fields=["manager_ref"])
        manager = _named(wanted) if wanted else None
        if (manager is None and wanted) or (manager is not None and manager.pk == person.pk):
            return
        self._lead(person, manager, cause)

    def _lead(self, person: Person, manager: Person | None, cause: uuid.UUID) -> None:
        if person.line_manager_id != (manager.pk if manager else None):
            change_person(person, line_manager=manager, actor=self.actor, now=self.now, cause=cause)

    def _link_waiting(self, person: Person, cause: uuid.UUID) -> None:
        """Those who named this user as their manager before it arrived, or while it was inactive."""
        user = self.user
        names = {str(user.scim_id), user.user_name, user.user_key} | ({user.external_id} if user.external_id else set())
        waiting = ScimUser.objects.filter(manager_ref__in=names, person__is_active=True).exclude(person=person)
        for other in waiting.exclude(person__line_manager=person).select_related("person").order_by("pk"):
            self._lead(other.person, person, cause)


def place_person(person: Person, **fields: Any) -> None:
    """Keep where the directory says that a person works; a part of verbs, which say it in the trail."""
    Placement.objects.update_or_create(person=person, defaults=fields)


def _named(reference: str) -> Person | None:
    """The active person whom a reference names: by id, externalId or userName."""
    found = Q(external_id=reference) | Q(user_key=reference.lower())
    with suppress(ValueError):
        found |= Q(scim_id=uuid.UUID(reference))
    users = ScimUser.objects.filter(found, person__is_active=True, person__kind=Person.Kind.HUMAN)
    user = users.select_related("person").order_by("pk").first()
    return user.person if user else None


def checked(act: Callable[[], T]) -> T:
    """What the database or a rule says, in the words of the protocol."""
    try:
        return act()
    except ValidationError as error:
        by_field = error.error_dict.values() if hasattr(error, "error_dict") else [error.error_list]
        found = [one for errors in by_field for one in errors]
        detail = " ".join(message for one in found for message in one.messages)
        if any(one.code == "unique" for one in found):
            raise ScimError(409, detail, "uniqueness") from error
        raise ScimError(400, detail, "invalidValue") from error
    except Refused as error:
        raise ScimError(400, str(error), "invalidValue") from error
