"""What the registry hands over when somebody leaves: systems, units, open nominations. Part of the leaver's verb."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from apps.audit.actions import Entry, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.people.models import Person
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.succession import InterimChange, apply_interim_changes
from apps.registry.models import Nomination, OwnershipTerm, System, SystemUserPermission, Unit
from apps.registry.queries.succession import Succession
from apps.registry.rules import Stage, Step

# Systems first, in the order of their ids, as every verb does. A retired system keeps its owner as history.
_LOCK_SQL = """
SELECT s.id FROM registry_system s
WHERE (s.owner_id = ANY(%(people)s) AND s.stage <> 'retired')
   OR s.id IN (SELECT n.system_id FROM registry_nomination n WHERE n.nominee_id = ANY(%(people)s) AND n.state = 'open')
   OR s.id IN (SELECT h.system_id FROM registry_handover h
               WHERE (h.outgoing_id = ANY(%(people)s) OR h.incoming_id = ANY(%(people)s))
                 AND h.state IN ('open', 'signed'))
   OR s.id IN (SELECT r.system_id FROM registry_raciassignment r
               WHERE r.person_id = ANY(%(people)s) AND r.valid_to IS NULL)
   OR s.id IN (SELECT d.system_id FROM registry_racidraft d WHERE d.author_id = ANY(%(people)s) AND d.state = 'sent')
   OR s.id IN (SELECT g.content_object_id FROM registry_systemuserpermission g WHERE g.user_id = ANY(%(people)s))
   OR s.owner_id IN (SELECT a.person_id FROM people_absence a WHERE a.delegate_id = ANY(%(people)s) AND a.in_force)
ORDER BY s.id FOR NO KEY UPDATE
"""


def lock_systems_of(*people: Person) -> None:
    """Lock every system that these people have to do with (see the statement), in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_SQL, {"people": [person.pk for person in people]})


def succession_of(person: Person, *, now: datetime) -> list[InterimChange]:
    """Who takes over each system that a person answers for: deputy, line manager, unit heads, mandate holder.

    Where the person stands in themselves, the order starts with the deputy of the last owner who accepted. Raises
    Refused where nobody holds the mandate.
    """
    held = System.objects.filter(owner=person).exclude(stage=Stage.RETIRED)
    systems = list(held.only("id", "key", "name", "unit_id", "owner_id", "owner_basis").order_by("pk"))
    last = _last_owners([system.pk for system in systems if system.owner_basis == System.Basis.INTERIM])
    succession = Succession(now, without=person)
    known: dict[tuple[int, uuid.UUID | None], tuple[Person, list[Step]]] = {}
    changes = []
    for system in systems:
        owner = person if system.owner_basis == System.Basis.ACCEPTED else last.get(system.pk)
        place = (system.unit_id, owner.pk if owner else None)
        if place not in known:
            known[place] = succession.derive(system.unit_id, owner)
        heir, steps = known[place]
        changes.append(InterimChange(system, person.audit_id, heir, steps))
    return changes


def _last_owners(systems: Sequence[int]) -> dict[int, Person]:
    """The last person who had accepted each system, where somebody ever did. One query."""
    terms = OwnershipTerm.objects.filter(system__in=systems, basis=System.Basis.ACCEPTED)
    latest = terms.order_by("system", "-period").distinct("system")
    people = latest.select_related("person__deputy", "person__line_manager")
    return {term.system_id: term.person for term in people}


def hand_over_systems(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> list[InterimChange]:
    """Install the interim owner of each system that a person answers for. Set-based: five statements for any number."""
    changes = succession_of(person, now=now)
    apply_interim_changes(changes, actor=actor, now=now, cause=cause)
    return changes


def sync_what_they_see(person: Person) -> None:
    """Bring what somebody sees by grant in line, after they were deactivated or are back: absences that name them as
    delegate stay as they are, so that who acted on a day stays known."""
    seen = SystemUserPermission.objects.filter(user=person).exclude(content_object__stage=Stage.RETIRED)
    stands_in = System.objects.filter(owner__absences__delegate=person, owner__absences__in_force=True)
    ids = {*seen.values_list("content_object_id", flat=True), *stands_in.values_list("pk", flat=True)}
    sync_grants(sorted(ids))


def vacate_units(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> int:
    """Take a leaver off the units they head: who heads the unit above is asked meanwhile. Returns how many."""
    units = list(Unit.objects.select_for_update(no_key=True).filter(head=person).order_by("pk"))
    Unit.objects.filter(pk__in=[unit.pk for unit in units]).update(head=None)
    entries = [
        Entry(
            Kind.UNIT_CHANGED,
            Subject("unit", str(unit.pk), unit.name),
            before={"head": person.audit_id},
            after={"head": None},
        )
        for unit in units
    ]
    record_many(entries, actor=actor, now=now, cause=cause)
    return len(units)


def withdraw_nominations(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> int:
    """Withdraw nominations that wait for somebody who can't answer them any more. Returns how many."""
    asked = Nomination.objects.select_related("system").filter(nominee=person, state=Nomination.State.OPEN)
    waiting = list(asked.order_by("system"))
    Nomination.objects.filter(pk__in=[one.pk for one in waiting], state="open").update(
        state="withdrawn", answered_at=now, answer_reason="The nominee was deactivated."
    )
    sync_grants([nomination.system_id for nomination in waiting])
    entries = [
        Entry(
            Kind.SYSTEM_OWNER_WITHDRAWN,
            Subject("system", str(one.system_id), f"{one.system.name} ({one.system.key})"),
            before={"nominee": person.audit_id},
            after={"nomination": one.pk},
            reason="The nominee was deactivated.",
        )
        for one in waiting
    ]
    record_many(entries, actor=actor, now=now, cause=cause)
    return len(waiting)
