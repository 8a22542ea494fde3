"""Who hears of an open item at each step of the ladder, and who is next where somebody can't be told."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.attestations.rules.ladder import Role
from apps.notify.queries import undelivered_since
from apps.notify.rules import why_not
from apps.people.models import Person, Seat
from apps.people.queries import Presence
from apps.registry.models import Unit
from apps.registry.queries.succession import mandate_holder

SEATS = ("ciso", "ai_lead")
# What is read of people: 20,000 owners with their deputies and line managers are read at once.
_OF_ONE = ("display_name", "email", "is_active", "kind", "time_zone", "deputy_id", "line_manager_id")
_READ = (*_OF_ONE, *(f"{other}__{name}" for other in ("deputy", "line_manager") for name in _OF_ONE))

# Everything that is open and may be signed now. Sent back to its owner, its own day counts.
OPEN_SQL = """
SELECT {columns}
FROM (
    SELECT c.id AS campaign, c.code, c.title, (c.opened_at AT TIME ZONE %(zone)s)::date AS campaign_opened,
           CASE WHEN a.predecessor_id IS NULL THEN (a.opened_at AT TIME ZONE %(zone)s)::date END AS first_opened,
           GREATEST(a.due_on, ((a.reopened_until - interval '1 second') AT TIME ZONE %(zone)s)::date) AS due,
           s.owner_id AS owner, s.unit_id AS unit, a.id AS assignment, a.tier, s.name, s.key
    FROM attestations_assignment a
    JOIN attestations_campaign c ON c.id = a.campaign_id
    JOIN registry_system s ON s.id = a.system_id
    WHERE a.state IN ('pending', 'in_progress', 'changes_requested') AND {which}
      AND (c.state IN ('open', 'grace') AND (c.closes_at > %(now)s OR a.reopened_until > %(now)s)
           OR c.state = 'rollup' AND a.reopened_until > %(now)s)
) AS open
"""
_PLACES = "DISTINCT campaign, code, title, campaign_opened, first_opened, due, owner, unit"
_ITEMS = "campaign, code, title, campaign_opened, first_opened, due, owner, unit, assignment, tier, name, key"


@dataclass(frozen=True, slots=True)
class Place:
    """Where open systems stand alike: the same people hear of them on the same days."""

    campaign: int
    code: str
    label: str
    campaign_opened: date
    first_opened: date | None
    due: date
    owner: UUID
    unit: int

    @property
    def opened_on(self) -> date:
        """The day of the mail that opened it. Who took it over gets the reminders of the campaign."""
        return self.first_opened or self.campaign_opened

    @property
    def alike(self) -> tuple[int, date, date, UUID, int]:
        """What decides who hears when."""
        return self.campaign, self.due, self.opened_on, self.owner, self.unit


@dataclass(frozen=True, slots=True)
class Item(Place):
    """One system that nobody signed for yet, with its owner of today."""

    assignment: int
    tier: str
    name: str
    key: str


def _read(columns: str, now: datetime, which: str, **params: Any) -> list[tuple[Any, ...]]:
    values = {"zone": settings.ORGANISATION_TIME_ZONE, "now": now, **params}
    with connection.cursor() as cursor:
        cursor.execute(OPEN_SQL.format(columns=columns, which=which), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def open_places(now: datetime) -> list[Place]:
    """Every place at which something is open. One query; far fewer rows than there are systems."""
    return [Place(*row) for row in _read(_PLACES, now, "true")]


def open_items(
    now: datetime,
    *,
    campaign: int | None = None,
    assignment: int | None = None,
    owners: Collection[UUID] | None = None,
) -> list[Item]:
    """Everything open, nearest date first; of one campaign, one assignment or some owners where given. One query."""
    asked = {
        "c.id = %(campaign)s": campaign, "a.id = %(assignment)s": assignment,
        "s.owner_id = ANY(%(owners)s)": None if owners is None else list(owners),
    }  # fmt: skip
    which = " AND ".join(["true", *(sql for sql, value in asked.items() if value is not None)])
    rows = _read(
        _ITEMS, now, which, campaign=campaign, assignment=assignment, owners=asked["s.owner_id = ANY(%(owners)s)"]
    )
    items = [Item(*row) for row in rows]
    return sorted(items, key=lambda item: (item.due, item.name, item.key, item.assignment))


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody who hears of an item: as what, and what else has to be said about it."""

    person: Person
    role: Role
    why: str = ""


# Role, owner where it matters who that is, and unit where it matters.
Whom = tuple[Role, UUID | None, int]


class Recipients:
    """Everybody whom the ladder may reach for these owners, read once (a fixed number of queries)."""

    def __init__(self, owners: Iterable[UUID], now: datetime, *, since: datetime) -> None:
        self.people: dict[UUID, Person] = {}
        self.read(owners)
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        self.seats = list(Seat.objects.filter(pk__in=SEATS).select_related("holder", "function").order_by("-pk"))
        self.mandate = mandate_holder()
        self.presence = Presence(now)
        self._failed = set(undelivered_since(since).values_list("recipient", flat=True))
        self._heads: dict[tuple[int, UUID | None], list[Heard]] = {}
        self._seats: dict[UUID | None, list[Heard]] = {}
        self._heard: dict[Whom, list[Heard]] = {}
        self._unreached: dict[Whom, list[Heard]] = {}
        self._reaches: dict[UUID, bool] = {}
        self.special = self._in_office()

    def read(self, owners: Iterable[UUID]) -> None:
        """Read these owners, too, with their deputies and line managers. One query, or none where all are known."""
        ids = list(set(owners) - self.people.keys())
        people = Person.objects.filter(pk__in=ids).select_related("deputy", "line_manager").only(*_READ)
        self.people.update((person.pk, person) for person in people)

    @property
    def look(self) -> set[UUID]:
        """People of whom more than their own step decides who hears: away, unreached, or in office."""
        return {*self.presence.absences, *self._failed, *self.special}

    def reaches(self, person: Person) -> bool:
        """Whether mail got through to somebody the last time, and can be sent at all."""
        if person.pk not in self._reaches:
            is_human = person.kind == Person.Kind.HUMAN
            why = why_not(person.email, is_active=person.is_active, is_human=is_human)
            self._reaches[person.pk] = person.pk not in self._failed and not why
        return self._reaches[person.pk]

    def meant(self, role: Role, item: Place) -> list[Heard]:
        """Who is meant by a step. Where a step has nobody, whoever comes next, with a word about it."""
        owner = self.people[item.owner]
        if role == Role.OWNER:
            return [Heard(owner, Role.OWNER)]
        if role == Role.DEPUTY:
            return [Heard(owner.deputy, Role.DEPUTY)] if owner.deputy and able(owner.deputy) else []
        if role == Role.MANAGER:
            return self._managers(owner, item)
        return self.heads(item) if role == Role.HEAD else self.seat_holders(item)

    def _in_office(self) -> set[UUID]:
        """Heads, seats, the mandate holder, and who acts for one of them: as owners they are told of by others."""
        holders = [*(unit.head for unit in self.units.values()), *(seat.holder for seat in self.seats), self.mandate]
        found = {holder.pk: holder for holder in holders if holder is not None}
        return {*found, *(self.presence.acting(holder).acts.pk for holder in found.values())}

    def whom(self, role: Role, item: Place) -> Whom:
        """What decides who hears as `role`: alike for two places, the same people hear."""
        if role in {Role.OWNER, Role.DEPUTY}:
            return role, item.owner, 0
        if role == Role.MANAGER:
            manager = self.people[item.owner].line_manager
            return role, item.owner, 0 if manager is not None and able(manager) else item.unit
        return role, self._if_special(item.owner), item.unit if role == Role.HEAD else 0

    def _if_special(self, owner: UUID) -> UUID | None:
        return owner if owner in self.special else None

    def heard(self, role: Role, item: Place) -> list[Heard]:
        """Who is meant, and with each who is away who acts for them."""
        whom = self.whom(role, item)
        if whom not in self._heard:
            told = self.meant(role, item)
            self._heard[whom] = [*told, *(stand_in for one in told for stand_in in self._stand_in(one, item))]
        return self._heard[whom]

    def unreached(self, role: Role, item: Place) -> list[Heard]:
        """Who is meant by a step and can't be reached by mail."""
        whom = self.whom(role, item)
        if whom not in self._unreached:
            told = self.heard(role, item)
            self._unreached[whom] = [one for one in told if one.role != Role.ACTING and not self.reaches(one.person)]
        return self._unreached[whom]

    def _stand_in(self, one: Heard, item: Place) -> Iterator[Heard]:
        acting = self.presence.acting(one.person)
        if acting.stood_in_for and acting.acts.pk != item.owner:
            yield Heard(acting.acts, Role.ACTING, f"You act for {one.person.display_name}.")

    def _managers(self, owner: Person, item: Place) -> list[Heard]:
        manager = owner.line_manager
        if manager is not None and able(manager):
            return [Heard(manager, Role.MANAGER)]
        if manager is None:
            return _because(self.heads(item), f"{owner.display_name} has no line manager.")
        gone = f"{manager.display_name}, the line manager of {owner.display_name}, is not here any more."
        return _because(self.heads(item), gone)

    def heads(self, item: Place) -> list[Heard]:
        """The head of the system's unit or of the first unit above it that has one who isn't the owner."""
        place = (item.unit, self._if_special(item.owner))
        if place not in self._heads:
            self._heads[place] = self._find_heads(item)
        return self._heads[place]

    def _find_heads(self, item: Place) -> list[Heard]:
        unit: Unit | None = self.units[item.unit]
        why = ""
        while unit is not None:
            if unit.head is not None and able(unit.head) and unit.head_id != item.owner:
                return [Heard(unit.head, Role.HEAD, why)]
            if not why and unit.head_id != item.owner:
                why = f"{unit.name} has no head."
            unit = self.units.get(unit.parent_id or 0)
        return _because(self.seat_holders(item), why)

    def seat_holders(self, item: Place) -> list[Heard]:
        """The CISO and the Head of AI. For a vacant seat, who holds the mandate."""
        owner = self._if_special(item.owner)
        if owner not in self._seats:
            self._seats[owner] = list(self._find_seats(item.owner))
        return self._seats[owner]

    def _find_seats(self, owner: UUID) -> Iterator[Heard]:
        told: set[UUID] = {owner}
        vacant = [seat.function.seat_title for seat in self.seats if seat.holder is None or not able(seat.holder)]
        for seat in self.seats:
            if seat.holder is not None and able(seat.holder) and seat.holder_id not in told:
                told.add(seat.holder.pk)
                yield Heard(seat.holder, Role.SEATS)
        if (vacant or len(told) == 1) and self.mandate is not None and self.mandate.pk not in told:
            words = f"Nobody holds the seat {' or '.join(vacant)}." if vacant else ""
            yield Heard(self.mandate, Role.SEATS, words)

    def next_up(self, one: Heard, item: Place) -> Heard | None:
        """The next person of the ladder whom mail reaches, after somebody whom it does not reach."""
        above = [*self._managers(self.people[item.owner], item), *self.heads(item), *self.seat_holders(item)]
        if one.role not in {Role.OWNER, Role.DEPUTY}:
            places = [place for place, other in enumerate(above) if other.person.pk == one.person.pk]
            above = above[max(places, default=-1) + 1 :]
        if self.mandate is not None:
            above.append(Heard(self.mandate, Role.SEATS))
        skip = {one.person.pk, item.owner}
        return next((up for up in above if up.person.pk not in skip and self.reaches(up.person)), None)


def able(person: Person) -> bool:
    """Whether somebody can be told: an active human."""
    return person.is_active and person.kind == Person.Kind.HUMAN


def _because(told: Sequence[Heard], why: str) -> list[Heard]:
    return [replace(one, why=f"{why} {one.why}".strip()) for one in told]
