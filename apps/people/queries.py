"""Reading people: who exists, who is here, and who acts for whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.common.clock import local_date, zone_named
from apps.people.models import Absence, Person, Seat
from apps.people.rules import StandIn, leaves_soon, stand_in


def active_people() -> QuerySet[Person]:
    """People who can answer for something today: active humans, by name."""
    return Person.objects.filter(is_active=True, kind=Person.Kind.HUMAN).order_by("display_name", "email")


def find_people(text: str) -> QuerySet[Person]:
    """Active people whose name, title or address contains the text."""
    return active_people().filter(Q(display_name__icontains=text) | Q(email__icontains=text) | Q(title__icontains=text))


def seats() -> QuerySet[Seat]:
    """All seats in the order of the matrix, with function and holder."""
    return Seat.objects.select_related("function", "holder").order_by("function__position")


def seats_of(person: Person) -> frozenset[str]:
    """Codes of the functions whose seat the person holds. One query."""
    return frozenset(Seat.objects.filter(holder=person).values_list("function_id", flat=True))


@dataclass(frozen=True)
class Acting:
    """Who acts for a person at a moment. `acts` is the person where they are here, or where nobody can."""

    person: Person
    acts: Person
    absence: Absence | None = None
    steps: tuple[StandIn, ...] = ()

    @property
    def stood_in_for(self) -> bool:
        """Whether somebody else acts."""
        return self.acts.pk != self.person.pk

    @property
    def uncovered(self) -> bool:
        """Away, and neither delegate, deputy nor line manager can act."""
        return self.absence is not None and self.absence.kind == Absence.Kind.AWAY and not self.stood_in_for


class Presence:
    """Who is away at a moment, read once (one query), for one or many questions about who acts."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        day = now.date()
        near = Absence.objects.filter(
            cancelled_at=None, starts_on__lte=day + timedelta(days=1), ends_on__gte=day - timedelta(days=1)
        ).select_related("person__deputy", "person__line_manager", "delegate")
        self.absences: dict[UUID, Absence] = {absence.person_id: absence for absence in near if self._covers(absence)}

    def _covers(self, absence: Absence) -> bool:
        today = local_date(self.now, zone_named(absence.person.time_zone))
        return absence.starts_on <= today <= absence.ends_on

    def is_away(self, person: Person) -> bool:
        """Whether the person is away. Who only delegated is here."""
        absence = self.absences.get(person.pk)
        return absence is not None and absence.kind == Absence.Kind.AWAY

    def can_act(self, person: Person | None) -> bool:
        """Whether somebody can be called now: an active human who is not away."""
        return person is not None and person.is_active and person.kind == Person.Kind.HUMAN and not self.is_away(person)

    def can_take_over(self, person: Person | None) -> bool:
        """Whether something can be handed to somebody by rule: an active human who is not leaving."""
        if person is None or not person.is_active or person.kind != Person.Kind.HUMAN:
            return False
        return not leaves_soon(person.leaving_on, local_date(self.now))

    def acting(self, person: Person) -> Acting:
        """Who acts for a person: delegate, deputy, line manager; the first who can."""
        absence = self.absences.get(person.pk)
        if absence is None:
            return Acting(person, person)
        people: dict[str, Person] = {}
        chosen, steps = stand_in(self._candidates(absence, people))
        acts = people[chosen.person_id] if chosen and chosen.person_id else person
        return Acting(person, acts, absence, tuple(steps))

    def _candidates(self, absence: Absence, people: dict[str, Person]) -> Iterator[StandIn]:
        person = absence.person
        named = (("delegate", absence.delegate), ("deputy", person.deputy), ("manager", person.line_manager))
        for source, candidate in named:
            if candidate is None:
                if source != "delegate":
                    yield StandIn(source, None, "nobody")
                continue
            people[str(candidate.pk)] = candidate
            if self.can_act(candidate):
                yield StandIn(source, str(candidate.pk), "chosen")
            else:
                yield StandIn(source, str(candidate.pk), "absent" if self.is_away(candidate) else "inactive")


def acting_for(person: Person, now: datetime) -> Acting:
    """Who acts for a person at a moment. One query; for many people read `Presence` once."""
    return Presence(now).acting(person)
