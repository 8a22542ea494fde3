"""Reading people: who exists, who is here, and who acts for whom."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
    def away(self) -> bool:
        """Whether the person is away. Who only delegated is here."""
        return self.absence is not None and self.absence.kind == Absence.Kind.AWAY

    @property
    def uncovered(self) -> bool:
        """Away, and neither delegate, deputy nor line manager can act."""
        return self.away and not self.stood_in_for


class Presence:
    """Who is away at a moment, read once (one query), for one or many questions about who acts.

    `among` limits the reading to these people and those whom their absences name: a look-up for a few people does
    not read the whole calendar. `past` asks what was true then: absences that were recorded by that moment and
    not cancelled yet. Deputies and line managers have no history and are those of today.
    """

    def __init__(self, now: datetime, *, among: Iterable[UUID | None] | None = None, past: bool = False) -> None:
        self.now = now
        near = _near(now, past=past)
        if among is not None:
            ids = [pk for pk in set(among) if pk is not None]
            named = Absence.objects.filter(person__in=ids, delegate__isnull=False).values("delegate")
            near = near.filter(person__in=Person.objects.filter(pk__in=ids).values("pk").union(named))
        rows = near.select_related("person__deputy", "person__line_manager", "delegate").order_by("created_at", "pk")
        self.absences: dict[UUID, Absence] = {row.person_id: row for row in rows if self._covers(row)}

    @classmethod
    def of(cls, people: Iterable[Person | None], now: datetime, *, past: bool = False) -> "Presence":
        """Enough to say who acts for each of these people."""
        wanted = [person for person in people if person is not None]
        ids = {pk for person in wanted for pk in (person.pk, person.deputy_id, person.line_manager_id)}
        return cls(now, among=ids, past=past)

    def _covers(self, absence: Absence) -> bool:
        today = local_date(self.now, zone_named(absence.person.time_zone))
        return absence.starts_on <= today <= absence.ends_on

    def absence_of(self, person: Person) -> Absence | None:
        """The absence on which the person is away; None for who is here, also having delegated."""
        return self.absences[person.pk] if self.is_away(person) else None

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
        """Who acts for a person: delegate, deputy, line manager; the first who can.

        Who stands in is asked for themselves only: nobody passes on what was passed to them, so that there is no
        circle. Who delegated and is here acts where the delegate can't.
        """
        absence = self.absences.get(person.pk)
        if absence is None:
            return Acting(person, person)
        people: dict[str, Person] = {}
        chosen, steps = stand_in(self._candidates(absence, people))
        acts = people[chosen.person_id] if chosen and chosen.person_id else person
        return Acting(person, acts, absence, tuple(steps))

    def _candidates(self, absence: Absence, people: dict[str, Person]) -> Iterator[StandIn]:
        person = absence.person
        if absence.delegate is not None:
            yield self.candidate("delegate", absence.delegate, people)
        if absence.kind == Absence.Kind.AWAY:
            yield self.candidate("deputy", person.deputy, people)
            yield self.candidate("manager", person.line_manager, people)

    def candidate(self, source: str, person: Person | None, people: dict[str, Person]) -> StandIn:
        """Whether somebody can act, as a step; notes the person under their id."""
        if person is None:
            return StandIn(source, None, "nobody")
        people[str(person.pk)] = person
        outcome = "chosen" if self.can_act(person) else "absent" if self.is_away(person) else "inactive"
        return StandIn(source, str(person.pk), outcome, person.display_name)


def _near(now: datetime, *, past: bool) -> QuerySet[Absence]:
    """Absences that cover a moment somewhere on earth; the day is each person's own."""
    day = now.astimezone(UTC).date()
    known = Q(cancelled_at=None)
    if past:
        known = Q(created_at__lte=now) & (known | Q(cancelled_at__gt=now))
    return Absence.objects.filter(known, starts_on__lte=day + timedelta(days=1), ends_on__gte=day - timedelta(days=1))


def acting_for(person: Person, now: datetime) -> Acting:
    """Who acts for a person at a moment. One query; for many people read `Presence` once."""
    return Presence.of([person], now).acting(person)
