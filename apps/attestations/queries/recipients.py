"""Who hears of an open item at each step of the ladder, and who is next where somebody can't be told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
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

# Everything that is open and may be signed now, nearest date first. Sent back to its owner, its own day counts.
_ITEMS_SQL = """
SELECT a.id, c.id, c.code, c.title, (c.opened_at AT TIME ZONE %(zone)s)::date,
       CASE WHEN a.predecessor_id IS NULL THEN (a.opened_at AT TIME ZONE %(zone)s)::date END,
       GREATEST(a.due_on, ((a.reopened_until - interval '1 second') AT TIME ZONE %(zone)s)::date) AS due,
       a.tier, s.name, s.key, s.owner_id, s.unit_id
FROM attestations_assignment a
JOIN attestations_campaign c ON c.id = a.campaign_id
JOIN registry_system s ON s.id = a.system_id
WHERE a.state IN ('pending', 'in_progress', 'changes_requested') AND {which}
  AND (c.state IN ('open', 'grace') AND (c.closes_at > %(now)s OR a.reopened_until > %(now)s)
       OR c.state = 'rollup' AND a.reopened_until > %(now)s)
ORDER BY due, s.name, s.key, a.id
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One system that nobody signed for yet, with its owner of today."""

    assignment: int
    campaign: int
    code: str
    label: str
    campaign_opened: date
    first_opened: date | None
    due: date
    tier: str
    name: str
    key: str
    owner: UUID
    unit: int

    @property
    def opened_on(self) -> date:
        """The day of the mail that opened it. Who took it over gets the reminders of the campaign."""
        return self.first_opened or self.campaign_opened


def open_items(now: datetime, *, campaign: int | None = None, assignment: int | None = None) -> list[Item]:
    """Everything open, nearest date first; of one campaign or one assignment where given. One query."""
    which = "true" if campaign is None else "c.id = %(campaign)s"
    if assignment is not None:
        which += " AND a.id = %(assignment)s"
    params = {
        "zone": settings.ORGANISATION_TIME_ZONE, "now": now, "campaign": campaign, "assignment": assignment,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS_SQL.format(which=which), params)
        return [Item(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody who hears of an item: as what, and what else has to be said about it."""

    person: Person
    role: Role
    why: str = ""


class Recipients:
    """Everybody whom the ladder may reach for these owners, read once (a fixed number of queries)."""

    def __init__(self, owners: Iterable[UUID], now: datetime, *, since: datetime) -> None:
        ids = list(set(owners))
        people = Person.objects.filter(pk__in=ids).select_related("deputy", "line_manager")
        self.people: dict[UUID, Person] = {person.pk: person for person in people}
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        self.seats = list(Seat.objects.filter(pk__in=SEATS).select_related("holder", "function").order_by("-pk"))
        self.mandate = mandate_holder()
        self.presence = Presence(now)
        self._failed = set(undelivered_since(since).values_list("recipient", flat=True))
        self._heads: dict[tuple[int, UUID], list[Heard]] = {}
        self._seats: dict[UUID, list[Heard]] = {}

    def reaches(self, person: Person) -> bool:
        """Whether mail got through to somebody the last time, and can be sent at all."""
        is_human = person.kind == Person.Kind.HUMAN
        return person.pk not in self._failed and not why_not(
            person.email, is_active=person.is_active, is_human=is_human
        )

    def meant(self, role: Role, item: Item) -> list[Heard]:
        """Who is meant by a step. Where a step has nobody, whoever comes next, with a word about it."""
        owner = self.people[item.owner]
        if role == Role.OWNER:
            return [Heard(owner, Role.OWNER)]
        if role == Role.DEPUTY:
            return [Heard(owner.deputy, Role.DEPUTY)] if owner.deputy and able(owner.deputy) else []
        if role == Role.MANAGER:
            return self._managers(owner, item)
        return self.heads(item) if role == Role.HEAD else self.seat_holders(item)

    def heard(self, role: Role, item: Item) -> list[Heard]:
        """Who is meant, and with each who is away who acts for them."""
        told = self.meant(role, item)
        return [*told, *(stand_in for one in told for stand_in in self._stand_in(one, item))]

    def _stand_in(self, one: Heard, item: Item) -> Iterator[Heard]:
        acting = self.presence.acting(one.person)
        if acting.stood_in_for and acting.acts.pk != item.owner:
            yield Heard(acting.acts, Role.ACTING, f"You act for {one.person.display_name}.")

    def _managers(self, owner: Person, item: Item) -> list[Heard]:
        manager = owner.line_manager
        if manager is not None and able(manager):
            return [Heard(manager, Role.MANAGER)]
        if manager is None:
            return _because(self.heads(item), f"{owner.display_name} has no line manager.")
        if manager is None:
            return _because(self.heads(item), f"{owner.display_name} has no line manager.")
        gone = f"{manager.display_name}, the line manager of {owner.display_name}, is not here any more."
        return _because(self.heads(item), gone)

    def heads(self, item: Item) -> list[Heard]:
        """The head of the system's unit or of the first unit above it that has one who isn't the owner."""
        place = (item.unit, item.owner)
        if place not in self._heads:
            self._heads[place] = self._find_heads(item)
        return self._heads[place]

    def _find_heads(self, item: Item) -> list[Heard]:
        unit: Unit | None = self.units[item.unit]
        why = ""
        while unit is not None:
            if unit.head is not None and able(unit.head) and unit.head_id != item.owner:
                return [Heard(unit.head, Role.HEAD, why)]
            if not why and unit.head_id != item.owner:
                why = f"{unit.name} has no head."
            unit = self.units.get(unit.parent_id or 0)
        return _because(self.seat_holders(item), why)

    def seat_holders(self, item: Item) -> list[Heard]:
        """The CISO and the Head of AI. For a vacant seat, who holds the mandate."""
        if item.owner not in self._seats:
            self._seats[item.owner] = list(self._find_seats(item.owner))
        return self._seats[item.owner]

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

    def next_up(self, one: Heard, item: Item) -> Heard | None:
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
