"""Noting facts outside the register that name somebody: code owners, the catalogue's owner, the deployer."""

from datetime import datetime

from django.db import transaction
from django.utils.text import Truncator

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.errors import Refused
from apps.people.models import Person
from apps.registry.actions.ownership import locked, system_subject
from apps.registry.models import OwnershipFact, System
from apps.registry.rules.facts import Reading, read_owner

VALUE_LENGTH = 1000


@transaction.atomic
def note_ownership_fact(
    system: System, *, kind: str, value: str, source: str, seen_at: datetime, actor: Actor, now: datetime
) -> OwnershipFact:
    """Keep what one source says about who a system belongs to. Nothing changes hands by it.

    What was seen later stands: an older sighting than the one kept changes nothing but is recorded. Raises Refused
    for a sighting in the future and for an empty value, ValidationError for an unknown kind or a text too long.
    """
    if not value.strip():
        raise Refused("Say whom the source names. A source that names nobody is no fact.")
    if seen_at > now:
        raise Refused("This was seen in the future. Check the clock of who sent it.")
    system = locked(system)
    fact = OwnershipFact.objects.filter(system=system, kind=kind).first() or OwnershipFact(system=system, kind=kind)
    newer = fact.pk is None or seen_at >= fact.seen_at
    if newer:
        reading, person = resolve(value)
        fact.value, fact.source, fact.seen_at, fact.recorded_at = value.strip(), source.strip(), seen_at, now
        fact.reading, fact.person = reading, person
        fact.full_clean()
        fact.save()
    record(
        Kind.OWNERSHIP_FACT_RECORDED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        after={"kind": kind, "reading": str(fact.reading), "kept": newer},
        private={"value": Truncator(value).chars(VALUE_LENGTH), "source": source},
    )
    return fact


def resolve(value: str) -> tuple[Reading, Person | None]:
    """What a value names, and the one person known here whom it means.

    An address is exact. A handle means whoever has it as the part of their address before the @, where that is
    exactly one person. Two queries at most.
    """
    read = read_owner(value)
    if read.reading is not Reading.PERSON:
        return read.reading, None
    people = Person.objects.filter(email=read.name)
    if "@" not in read.name:
        people = Person.objects.filter(email__startswith=f"{read.name}@")
    found = list(people[:2])
    humans = [person for person in found if person.kind == Person.Kind.HUMAN]
    if len(humans) == 1 and len(found) == 1:
        return Reading.PERSON, humans[0]
    if found and not humans:
        return Reading.SERVICE, None
    return Reading.UNKNOWN, None
