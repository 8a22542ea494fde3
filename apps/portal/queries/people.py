"""People and seats as their pages show them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.clock import local_date
from apps.people.models import Person, RoleGrant, Seat
from apps.people.queries import seats
from apps.portal.queries.answers import day_words
from apps.registry.models import Mandate, Nomination, System, Unit
from apps.registry.queries import live, on_record, visible_systems
from apps.registry.queries.systems import by_tier

ACTIVE, DEACTIVATED, EVERYBODY = "active", "deactivated", "all"
# Rows of the lists on a person's page; the systems list has the rest.
SHOWN = 25


def seen_people(reader: Person) -> QuerySet[Person]:
    """Whose page a reader may open: active people; those who administer people also see who was deactivated."""
    people = Person.objects.filter(kind=Person.Kind.HUMAN)
    return people if may(reader, Permission.ADMINISTER_PEOPLE) else people.filter(is_active=True)


def listed_people(reader: Person, *, text: str = "", state: str = ACTIVE) -> QuerySet[Person]:
    """The people list: by name, with functions, seats, deputy and how many live systems each answers for."""
    people = seen_people(reader)
    if state != EVERYBODY:
        people = people.filter(is_active=state != DEACTIVATED)
    for word in text.split():
        people = people.filter(Q(display_name__icontains=word) | Q(title__icontains=word) | Q(email__icontains=word))
    return (
        people.annotate(accepted=_answers_for("accepted"), interim=_answers_for("interim"))
        .select_related("deputy")
        .prefetch_related("functions", "seats__function")
        .order_by(Lower("display_name"), "email")
    )


def _answers_for(basis: str) -> Coalesce:
    counted = live(System.objects.filter(owner=OuterRef("pk"), owner_basis=basis)).order_by().values("owner")
    return Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), 0, output_field=IntegerField())


def load_of(person: Person) -> dict[str, int]:
    """How many live systems a person answers for, accepted and interim. One query."""
    counts: dict[str, int] = live(System.objects.filter(owner=person)).aggregate(
        accepted=Count("pk", filter=Q(owner_basis="accepted")), interim=Count("pk", filter=Q(owner_basis="interim"))
    )
    return counts


def over_the_cap(nominee: Person) -> str:
    """A sentence where a person would answer for more systems than the cap allows; else empty.

    Counts what they accepted and what they are asked to accept (workload cap of product.md).
    """
    asked = Nomination.objects.filter(nominee=nominee, state=Nomination.State.OPEN).count()
    total = load_of(nominee)["accepted"] + asked
    if total <= settings.WORKLOAD_CAP:
        return ""
    return (
        f"{nominee.display_name} would answer for {total} systems. "
        f"Above {settings.WORKLOAD_CAP} nobody can be expected to know them all."
    )


def find_person(reader: Person, person_id: UUID) -> Person:
    """One person. Raises Person.DoesNotExist for not there and for not to be seen alike."""
    return seen_people(reader).select_related("deputy", "line_manager").get(pk=person_id)


def roles_in_force(person: Person, *, now: datetime) -> QuerySet[RoleGrant]:
    """What is granted to a person at a moment."""
    granted = RoleGrant.objects.filter(person=person, revoked_at=None).filter(Q(until=None) | Q(until__gt=now))
    return granted.order_by("role")


@dataclass(frozen=True)
class PersonPage:
    """Everything that a person's page shows. The number of queries is the same for everybody."""

    person: Person
    functions: list[str]
    seats: list[Seat]
    mandate: str
    roles: list[RoleGrant]
    units: list[Unit]
    load: dict[str, int]
    owned: list[System] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.load["accepted"] + self.load["interim"]

    @property
    def overloaded(self) -> bool:
        """Whether the person accepted more than the cap."""
        return self.load["accepted"] > settings.WORKLOAD_CAP

    @property
    def hidden(self) -> int:
        """Systems that are counted and not listed: more than one page, or not the reader's to see."""
        return self.total - len(self.owned)


def person_page(reader: Person, person: Person, *, now: datetime) -> PersonPage:
    """Read a person's page for a reader: of the systems, only those that the reader may open."""
    mine = on_record(live(visible_systems(reader)).filter(owner=person))
    return PersonPage(
        person=person,
        functions=list(person.functions.order_by("position").values_list("name", flat=True)),
        seats=list(seats().filter(holder=person)),
        mandate=mandate_function(),
        roles=list(roles_in_force(person, now=now)),
        units=list(Unit.objects.filter(head=person).order_by("name")[:SHOWN]),
        load=load_of(person),
        owned=list(by_tier(mine)[:SHOWN]),
    )


def mandate_function() -> str:
    """The code of the function that holds the mandate; empty before the first start."""
    return Mandate.objects.values_list("holder_id", flat=True).first() or ""


def seat_rows() -> list[dict[str, Any]]:
    """All seats in order, each with whether it holds the mandate. Two queries."""
    mandate = mandate_function()
    return [
        {
            "seat": seat,
            "mandate": seat.function_id == mandate,
            "since": f"since {day_words(local_date(seat.since))}" if seat.since else "",
        }
        for seat in seats()
    ]
