"""What people and seats pass on when somebody leaves. Parts of the leaver's verb in `directory`."""

import uuid
from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.people.actions.people import person_subject
from apps.people.models import Person, RoleGrant, Seat


def succeed_seats(
    person: Person, *, heir: Person, must_be_held: Collection[str], actor: Actor, now: datetime, cause: uuid.UUID
) -> int:
    """Vacate each seat of a leaver; one that must be held goes to the heir in the interim. Returns how many."""
    held = Seat.objects.select_for_update(no_key=True, of=("self",)).select_related("function").filter(holder=person)
    seats = list(held.order_by("function_id"))
    entries = []
    for seat in seats:
        interim = seat.function_id in must_be_held
        seat.holder, seat.since, seat.is_interim = (heir, now, True) if interim else (None, None, False)
        seat.save(update_fields=["holder", "since", "is_interim"])
        if interim:
            heir.functions.add(seat.function)
        entries.append(
            Entry(
                Kind.SEAT_HELD if interim else Kind.SEAT_VACATED,
                Subject("seat", seat.function_id, seat.function.seat_title),
                before={"holder": person.audit_id},
                after={"holder": heir.audit_id, "basis": "interim"} if interim else {"holder": None},
                private={"holder_name": heir.display_name} if interim else {},
            )
        )
    record_many(entries, actor=actor, now=now, cause=cause)
    return len(seats)


def unlink_leaver(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> list[Person]:
    """Take a leaver out of the places where they stand for others: deputy and line manager.

    Reports go to the leaver's own line manager, where that is an active other person; a deputy is for each to
    choose again. Returns the people who changed.
    """
    others = Person.objects.select_for_update(no_key=True).filter(Q(deputy=person) | Q(line_manager=person))
    changed = list(others.exclude(pk=person.pk).order_by("pk"))
    above = person.line_manager if person.line_manager and person.line_manager.is_active else None
    entries = []
    for other in changed:
        after: dict[str, str | None] = {}
        if other.deputy_id == person.pk:
            other.deputy = None
            after["deputy"] = None
        if other.line_manager_id == person.pk:
            other.line_manager = above if above and above.pk != other.pk else None
            after["line_manager"] = other.line_manager.audit_id if other.line_manager else None
        before: dict[str, str | None] = dict.fromkeys(after, person.audit_id)
        entries.append(Entry(Kind.PERSON_CHANGED, person_subject(other), before=before, after=after))
    Person.objects.bulk_update(changed, ["deputy", "line_manager"], batch_size=1000)
    record_many(entries, actor=actor, now=now, cause=cause)
    return changed


def revoke_roles_of(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> int:
    """Take every role back from a leaver: whoever comes back is given roles anew. Returns how many."""
    grants = list(RoleGrant.objects.select_for_update().filter(person=person, revoked_at=None).order_by("pk"))
    RoleGrant.objects.filter(pk__in=[grant.pk for grant in grants]).update(revoked_at=now)
    entries = [Entry(Kind.ROLE_REVOKED, person_subject(person), before={"role": grant.role}) for grant in grants]
    record_many(entries, actor=actor, now=now, cause=cause)
    return len(grants)
