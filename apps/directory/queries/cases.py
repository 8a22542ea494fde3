"""Reading cases of leavers: what is left to do, and what would pass to whom."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Q, QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.clock import local_date
from apps.directory.models import HandedOver, OffboardingCase
from apps.directory.queries.successors import successor_of
from apps.people.models import Person, Seat
from apps.registry.actions.leavers import succession_of
from apps.registry.models import Mandate, Nomination, System, Unit
from apps.registry.queries import visible_systems
from apps.registry.rules import Stage

# Days until everything that a leaver answered for has an owner who accepted (product: interim for 30 days at most).
CLOCK = timedelta(days=30)
LEFT = Q(handed_over__system__owner_basis=System.Basis.INTERIM) & ~Q(handed_over__system__stage=Stage.RETIRED.value)


def cases_for(reader: Person) -> QuerySet[OffboardingCase]:
    """The cases that a person may read: all for those who run the directory, else those they see to.

    Each with `systems` and `left`: how many passed on, and how many nobody has accepted yet.
    """
    cases = OffboardingCase.objects.select_related("person", "responsible")
    if not may(reader, Permission.DIRECTORY_RUN):
        cases = cases.filter(responsible=reader)
    counted = cases.annotate(systems=Count("handed_over"), left=Count("handed_over", filter=LEFT))
    return counted.order_by(F("closed_at").desc(nulls_first=True), "due_on", "pk")


def open_cases_of(responsible: Person) -> QuerySet[OffboardingCase]:
    """The open cases that a person sees to, the nearest date first; each with `left`."""
    cases = OffboardingCase.objects.filter(responsible=responsible, state=OffboardingCase.State.OPEN)
    counted = cases.select_related("person").annotate(left=Count("handed_over", filter=LEFT))
    return counted.order_by("due_on", "pk")


def waiting_systems(case: OffboardingCase | None = None) -> QuerySet[HandedOver]:
    """What passed on and nobody has accepted yet: of one case, or of all."""
    rows = HandedOver.objects.all() if case is None else case.handed_over.all()
    return rows.filter(system__owner_basis=System.Basis.INTERIM).exclude(system__stage=Stage.RETIRED)


def left_of(reader: Person, case: OffboardingCase) -> QuerySet[HandedOver]:
    """The systems of a case that nobody has accepted yet, as far as the reader may open them."""
    waiting = waiting_systems(case).select_related("system__unit", "interim", "system__owner")
    return waiting.filter(system__in=visible_systems(reader)).order_by("system__name", "pk")


@dataclass(frozen=True)
class Heir:
    """Somebody who would stand in, for how many systems, and why them."""

    person: Person
    systems: int
    why: str


@dataclass(frozen=True)
class Leaving:
    """What would pass on if somebody left now."""

    person: Person
    heirs: list[Heir]
    systems: int
    successor: Person
    seats: list[Seat]
    mandate: str
    units: list[Unit]
    nominations: int
    due_on: date


def leaving(person: Person, *, now: datetime) -> Leaving:
    """What happens if a person leaves now; a fixed number of queries. Raises Refused where nobody could take over."""
    changes = succession_of(person, now=now)
    counted: Counter[tuple[Person, str]] = Counter(
        (change.person, change.steps[-1].label if change.steps else "") for change in changes
    )
    heirs = [Heir(heir, count, why) for (heir, why), count in counted.most_common()]
    return Leaving(
        person=person,
        heirs=heirs,
        systems=len(changes),
        successor=successor_of(person, now=now),
        seats=list(Seat.objects.select_related("function").filter(holder=person).order_by("function__position")),
        mandate=Mandate.objects.values_list("holder_id", flat=True).first() or "",
        units=list(Unit.objects.filter(head=person).order_by("name")),
        nominations=Nomination.objects.filter(nominee=person, state=Nomination.State.OPEN).count(),
        due_on=local_date(now + CLOCK),
    )
