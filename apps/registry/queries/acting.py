"""Who acts for the owner of a system: delegate, deputy, line manager, unit heads upward, the mandate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from apps.people.models import Absence, Person
from apps.people.queries import Presence
from apps.people.rules import StandIn, stand_in
from apps.registry.models import System

# Every unit at or above these, nearest first, with its head; each starting unit has its own rows.
_HEADS_SQL = """
WITH RECURSIVE up(origin, id, height) AS (
    SELECT u.id, u.id, 0 FROM registry_unit u WHERE u.id = ANY(%(units)s)
    UNION ALL
    SELECT up.origin, u.parent_id, up.height + 1
    FROM up JOIN registry_unit u ON u.id = up.id WHERE u.parent_id IS NOT NULL)
SELECT up.origin, u.name, u.head_id FROM up JOIN registry_unit u ON u.id = up.id ORDER BY up.origin, up.height
"""


@dataclass(frozen=True)
class Tried:
    """One step of the derivation: who was tried and what came of it; `label` is said to people."""

    label: str
    step: StandIn


@dataclass(frozen=True)
class ActingOwner:
    """Who acts for the owner of a system at a moment. `acts` is the owner where they are here, or nobody can."""

    owner: Person
    acts: Person
    absence: Absence | None = None
    steps: tuple[Tried, ...] = ()

    @property
    def stood_in_for(self) -> bool:
        """Whether somebody else acts."""
        return self.acts.pk != self.owner.pk

    @property
    def away(self) -> bool:
        """Whether the owner is away; who only delegated is here."""
        return self.absence is not None and self.absence.kind == Absence.Kind.AWAY

    @property
    def until(self) -> date | None:
        """The last day of the absence or delegation."""
        return self.absence.ends_on if self.absence else None

    @property
    def nobody_stands_in(self) -> bool:
        """The owner is away and nobody in the whole chain can act."""
        return self.away and not self.stood_in_for


_LABELS = {"delegate": "Delegate", "deputy": "Deputy", "manager": "Line manager"}
_MANDATE = "Holder of the governance mandate"


def acting_owners(
    systems: Sequence[System],
    now: datetime,
    *,
    presence: Presence | None = None,
    owners: Mapping[int, Person] | None = None,
    past: bool = False,
) -> dict[int, ActingOwner]:
    """By system id: who acts for the owner. One query; where somebody is away and none of theirs can, four more.

    The systems come with their owner. `owners` names other people to ask about, such as who owned them on a past
    day; `past` then asks about that moment. `presence` is one that was read for these owners already.
    """
    people = {system.pk: owners[system.pk] if owners else system.owner for system in systems}
    presence = presence or Presence.of(people.values(), now, past=past)
    found = {pk: _personal(presence, person) for pk, person in people.items()}
    left = [system for system in systems if found[system.pk].nobody_stands_in]
    if left:
        chain = _Chain(left, now, past=past)
        found |= {system.pk: chain.go_on(system, found[system.pk]) for system in left}
    return found


def _personal(presence: Presence, person: Person) -> ActingOwner:
    acting = presence.acting(person)
    steps = tuple(Tried(_LABELS[step.source], step) for step in acting.steps)
    return ActingOwner(person, acting.acts, acting.absence, steps)


class _Chain:
    """What is above the people: heads of the units and the mandate holder, read once for several systems."""

    def __init__(self, systems: Sequence[System], now: datetime, *, past: bool) -> None:
        self.heads: dict[int, list[tuple[str, UUID | None]]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_HEADS_SQL, {"units": list({system.unit_id for system in systems})})
            for origin, name, head in cursor.fetchall():
                self.heads.setdefault(origin, []).append((name, head))
        named = {head for rows in self.heads.values() for _, head in rows if head}
        self.people = Person.objects.in_bulk(named)
        self.mandate = Person.objects.filter(seats__function__mandates__isnull=False).first()
        self.presence = Presence.of([*self.people.values(), self.mandate], now, past=past)

    def go_on(self, system: System, found: ActingOwner) -> ActingOwner:
        """The first above who can act, after those who were tried already."""
        labels: list[str] = []
        people: dict[str, Person] = {}
        chosen, steps = stand_in(self._candidates(system, found.owner, labels, people))
        tried = tuple(Tried(label, step) for label, step in zip(labels, steps, strict=False))
        if chosen is None or chosen.person_id is None:
            return replace(found, steps=found.steps + tried)
        return replace(found, acts=people[chosen.person_id], steps=found.steps + tried)

    def _candidates(
        self, system: System, owner: Person, labels: list[str], people: dict[str, Person]
    ) -> Iterator[StandIn]:
        for name, head_id in self.heads.get(system.unit_id, []):
            labels.append(f"Head of {name}")
            yield self.presence.candidate("unit_head", self.people.get(head_id) if head_id else None, people)
        labels.append(_MANDATE)
        yield self.presence.candidate("mandate", self.mandate, people)
        if self.mandate is not None and self.mandate.pk != owner.pk:
            labels.append(f"Acts for {self.mandate.display_name}")
            acting = self.presence.acting(self.mandate)
            yield self.presence.candidate("mandate_stand_in", acting.acts, people)
