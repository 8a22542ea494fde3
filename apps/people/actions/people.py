"""Writing people: provisioning, seats, roles, deactivation."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import F

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import Refused
from apps.common.locks import hold_row
from apps.common.saving import save_checked
from apps.people.models import Function, Person, RoleGrant, Seat
from apps.people.rules import RoleName, is_role_address

PROFILE_FIELDS = (
    "display_name",
    "title",
    "phone",
    "time_zone",
    "line_manager",
    "deputy",
    "leaving_on",
    "theme",
    "shortcuts",
)
# Fields whose values can be told in the trail's body; the others name a person and are only committed to.
OPEN_FIELDS = {"leaving_on", "time_zone", "theme", "shortcuts"}


def person_subject(person: Person) -> Subject:
    """How the trail refers to a person."""
    return Subject("person", str(person.pk), person.display_name)


@transaction.atomic
def provision_person(
    *,
    email: str,
    display_name: str,
    actor: Actor,
    now: datetime,
    password: str | None = None,
    functions: Iterable[str] = (),
    kind: str = Person.Kind.HUMAN,
    cause: uuid.UUID | None = None,
    **fields: Any,
) -> Person:
    """Make somebody known to the portal.

    Raises Refused for an address that names a mailbox, ValidationError for any bad field.
    """
    address = email.strip().lower()
    if kind == Person.Kind.HUMAN and is_role_address(address):
        raise Refused(f"{address} is a mailbox, not a person. Use the address of one person.")
    person = Person(email=address, display_name=display_name.strip(), kind=kind, created_at=now, **fields)
    if password is None:
        person.set_unusable_password()
    else:
        validate_password(password, person)
        person.set_password(password)
    save_checked(person, force_insert=True)
    person.functions.set(Function.objects.filter(code__in=list(functions)))
    record(
        Kind.PERSON_PROVISIONED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"kind": person.kind, "functions": sorted(functions)},
        private={"email": address, "title": person.title},
        cause=cause,
    )
    return person


@transaction.atomic
def change_person(
    person: Person,
    *,
    actor: Actor,
    now: datetime,
    functions: Iterable[str] | None = None,
    cause: uuid.UUID | None = None,
    **fields: Any,
) -> Person:
    """Change a person's profile. Raises Refused for a deputy or manager who can't act, ValidationError else."""
    unknown = set(fields) - set(PROFILE_FIELDS)
    if unknown:
        raise TypeError(f"not a profile field: {', '.join(sorted(unknown))}")
    person = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    _refuse_who_cannot_act(fields)
    changed = {name: (getattr(person, name), value) for name, value in fields.items() if getattr(person, name) != value}
    for name, (_, value) in changed.items():
        setattr(person, name, value)
    person.full_clean()
    if changed:
        person.save(update_fields=list(changed))
    if functions is not None:
        person.functions.set(Function.objects.filter(code__in=list(functions)))
    record(
        Kind.PERSON_CHANGED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        before={name: _told(name, old) for name, (old, _) in changed.items()},
        after={name: _told(name, new) for name, (_, new) in changed.items()}
        | ({"functions": sorted(functions)} if functions is not None else {}),
        private={name: str(new) for name, (_, new) in changed.items() if name not in OPEN_FIELDS and new},
        cause=cause,
    )
    return person


@transaction.atomic
def change_email(person: Person, email: str, *, actor: Actor, now: datetime, cause: uuid.UUID | None = None) -> Person:
    """Give a person another address; with the old one nobody signs in any more.

    Raises Refused for an address that names a mailbox, ValidationError for one that somebody else has.
    """
    address = email.strip().lower()
    if is_role_address(address):
        raise Refused(f"{address} is a mailbox, not a person. Use the address of one person.")
    person = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    before, person.email = person.email, address
    save_checked(person, update_fields=["email"])
    EmailAddress.objects.filter(user=person).delete()
    record(
        Kind.PERSON_CHANGED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        before={"email": "changed"},
        after={"email": "changed"},
        private={"email": address, "email_before": before},
        cause=cause,
    )
    return person


def _told(name: str, value: Any) -> Any:
    if isinstance(value, Person):
        return value.audit_id
    if isinstance(value, date):
        return value.isoformat()
    return value if name in OPEN_FIELDS or value is None else "changed"


def _refuse_who_cannot_act(fields: dict[str, Any]) -> None:
    for name, word in (("deputy", "deputy"), ("line_manager", "line manager")):
        other = fields.get(name)
        if other is not None and (not other.is_active or other.kind != Person.Kind.HUMAN):
            raise Refused(f"{other.display_name} can't be a {word}: choose an active person.")


def held(person: Person) -> Person:
    """The person as they are now; nobody deactivates or changes them before this transaction ends.

    Shared, so that it holds up nobody who only reads. Lock systems first, then people.
    """
    return Person.objects.raw("SELECT * FROM people_person WHERE id = %s FOR SHARE", [person.pk])[0]


@transaction.atomic
def seat_person(function: Function | str, person: Person, *, actor: Actor, now: datetime) -> Seat:
    """Give a function's seat to a person, in place of who held it. Raises Refused for nobody who can act."""
    code = function if isinstance(function, str) else function.code
    if not person.is_active or person.kind != Person.Kind.HUMAN:
        raise Refused(f"{person.display_name} can't hold a seat: choose an active person.")
    seat = Seat.objects.select_for_update(no_key=True, of=("self",)).select_related("function").get(function_id=code)
    before = seat.holder_id
    seat.holder, seat.since, seat.is_interim = person, now, False
    try:
        with transaction.atomic():
            seat.save(update_fields=["holder", "since", "is_interim"])
    except IntegrityError as error:  # deactivated at the same moment
        raise Refused(f"{person.display_name} can't hold a seat: choose an active person.") from error
    person.functions.add(seat.function)
    record(
        Kind.SEAT_HELD,
        actor=actor,
        subject=Subject("seat", code, seat.function.seat_title),
        now=now,
        before={"holder": f"u:{before}" if before else None},
        after={"holder": person.audit_id},
        private={"holder_name": person.display_name},
    )
    return seat


@transaction.atomic
def vacate_seat(function: str, *, actor: Actor, now: datetime) -> Seat:
    """Leave a seat vacant. Raises Refused for the seat that holds the mandate: it needs a successor first."""
    hold_row(Seat.objects.all(), function)
    seat = Seat.objects.select_related("function", "holder").get(function_id=function)
    before = seat.holder
    seat.holder, seat.since, seat.is_interim = None, None, False
    try:
        with transaction.atomic():
            seat.save(update_fields=["holder", "since", "is_interim"])
    except IntegrityError as error:
        raise Refused(
            f"The seat {seat.function.seat_title} holds the governance mandate. "
            "Seat a successor instead of leaving it vacant."
        ) from error
    record(
        Kind.SEAT_VACATED,
        actor=actor,
        subject=Subject("seat", function, seat.function.seat_title),
        now=now,
        before={"holder": before.audit_id if before else None},
        after={"holder": None},
    )
    return seat


@transaction.atomic
def grant_role(
    person: Person,
    role: RoleName,
    *,
    actor: Actor,
    now: datetime,
    until: datetime | None = None,
    source: str = RoleGrant.Source.PORTAL,
    cause: uuid.UUID | None = None,
) -> RoleGrant:
    """Give a role to an active person. Raises ValidationError where the person has it."""
    if not person.is_active:
        raise Refused(f"{person.display_name} is deactivated. A role goes to an active person.")
    granted_by = actor if isinstance(actor, Person) else None
    RoleGrant.objects.filter(person=person, role=role, revoked_at=None, until__lte=now).update(revoked_at=now)
    grant = RoleGrant(person=person, role=role, granted_by=granted_by, granted_at=now, until=until, source=source)
    save_checked(grant, exclude=["granted_by"])  # a command grants without a person
    record(
        Kind.ROLE_GRANTED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after={"role": str(role), "source": str(source)},
        cause=cause,
    )
    return grant


@transaction.atomic
def revoke_role(person: Person, role: RoleName, *, actor: Actor, now: datetime, cause: uuid.UUID | None = None) -> None:
    """Take a role back. Raises Refused where the person does not have it."""
    changed = RoleGrant.objects.filter(person=person, role=role, revoked_at=None).update(revoked_at=now)
    if not changed:
        raise Refused(f"{person.display_name} does not have the role {role}.")
    record(
        Kind.ROLE_REVOKED, actor=actor, subject=person_subject(person), now=now, before={"role": str(role)}, cause=cause
    )


@transaction.atomic
def deactivate_person(
    person: Person, *, actor: Actor, now: datetime, reason: str = "", cause: uuid.UUID | None = None
) -> Person:
    """Deactivate a person and end their sessions. The last part of `directory.actions.offboard`.

    Raises Refused while the person answers for a live system, holds a seat or has a letter: succession comes first.
    That is foreign keys in the database, so that an appointment in another transaction can't slip through.
    """
    try:
        with transaction.atomic():
            changed = Person.objects.filter(pk=person.pk, is_active=True).update(is_active=False, deactivated_at=now)
    except IntegrityError as error:
        raise Refused(
            f"{person.display_name} still answers for a live system or holds a seat. Hand those over first."
        ) from error
    if not changed:
        raise Refused(f"{person.display_name} is deactivated already.")
    person.refresh_from_db()
    end_sessions(person)
    record(Kind.PERSON_DEACTIVATED, actor=actor, subject=person_subject(person), now=now, reason=reason, cause=cause)
    return person


@transaction.atomic
def reactivate_person(person: Person, *, actor: Actor, now: datetime) -> Person:
    """Let a deactivated person in again. Raises Refused for an active one."""
    changed = Person.objects.filter(pk=person.pk, is_active=False).update(is_active=True, deactivated_at=None)
    if not changed:
        raise Refused(f"{person.display_name} is active already.")
    person.refresh_from_db()
    record(Kind.PERSON_REACTIVATED, actor=actor, subject=person_subject(person), now=now)
    return person


def end_sessions(person: Person) -> int:
    """Sign a person out everywhere, and say how many of their sessions were known.

    The round makes every session of theirs worthless, those without a row included; none is read.
    """
    Person.objects.filter(pk=person.pk).update(session_round=F("session_round") + 1)
    person.refresh_from_db(fields=["session_round"])
    rows = UserSession.objects.filter(user_id=person.pk)
    Session.objects.filter(session_key__in=rows.values("session_key")).delete()
    ended: int = rows.delete()[0]
    return ended
