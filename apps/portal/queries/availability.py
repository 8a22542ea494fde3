"""Who is away, who acts for whom, and who may say so."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q

from apps.access.queries import may
from apps.access.rules import Permission
from apps.common.clock import day_words
from apps.common.errors import NotAllowed
from apps.people.actions.absences import today_of
from apps.people.models import Absence, Person
from apps.people.queries import Acting, Presence
from apps.registry.models import System
from apps.registry.queries import live

# Rows of the list; nobody plans further ahead by hand.
SHOWN = 60
# How long a cancelled absence can be put back from the page.
UNDO_WITHIN = timedelta(days=7)


def may_keep_absences(actor: Person, person: Person) -> bool:
    """The person, their line manager, and those who administer people."""
    return actor.pk in {person.pk, person.line_manager_id} or may(actor, Permission.ADMINISTER_PEOPLE)


def require_may_keep(actor: Person, person: Person) -> None:
    """Raise NotAllowed with who may."""
    if not may_keep_absences(actor, person):
        raise NotAllowed(
            f"Only {person.display_name}, their line manager and those who administer people keep these days."
        )


@dataclass(frozen=True)
class Planned:
    """An absence that is not over, as its list shows it."""

    absence: Absence
    today: date

    @property
    def days(self) -> str:
        """ "23 Nov 2026 to 3 Dec 2026"."""
        return days_of(self.absence)

    @property
    def now(self) -> bool:
        return self.absence.starts_on <= self.today

    @property
    def what(self) -> str:
        if self.absence.kind == Absence.Kind.DELEGATED:
            return "Here, delegated"
        return "Away"


def days_of(absence: Absence) -> str:
    """The days in words."""
    if absence.starts_on == absence.ends_on:
        return day_words(absence.starts_on)
    return f"{day_words(absence.starts_on)} to {day_words(absence.ends_on)}"


@dataclass(frozen=True)
class AvailabilityPage:
    """Everything on the page."""

    person: Person
    acting: Acting
    planned: list[Planned]
    cancelled: list[Absence]
    systems: int


def availability_page(person: Person, now: datetime) -> AvailabilityPage:
    """A person's days. The number of queries is the same for everybody."""
    today = today_of(person, now)
    ahead = Absence.objects.filter(person=person, ends_on__gte=today).select_related("delegate")
    cancelled = ahead.filter(cancelled_at__gt=now - UNDO_WITHIN).order_by("-cancelled_at")[:10]
    planned = list(ahead.filter(cancelled_at=None)[:SHOWN])
    free = [row for row in cancelled if not any(_overlap(row, other.absence) for other in _rows(planned, today))]
    return AvailabilityPage(
        person=person,
        acting=Presence.of([person], now).acting(person),
        planned=_rows(planned, today),
        cancelled=free,
        systems=live(System.objects.filter(owner=person)).count(),
    )


def _rows(planned: list[Absence], today: date) -> list[Planned]:
    return [Planned(absence, today) for absence in planned]


def _overlap(one: Absence, other: Absence) -> bool:
    return one.starts_on <= other.ends_on and other.starts_on <= one.ends_on


def find_absence(person: Person, number: str, *, cancelled: bool = False) -> Absence:
    """One absence of a person. Raises Absence.DoesNotExist for any other, and for a text that is no number."""
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise Absence.DoesNotExist
    rows = Absence.objects.filter(person=person, cancelled_at__isnull=not cancelled)
    return rows.select_related("person", "delegate").get(pk=number)


@dataclass(frozen=True)
class StandsIn:
    """Somebody for whom a person acts today, and for how many systems that is."""

    person: Person
    absence: Absence
    systems: int

    @property
    def until(self) -> str:
        return day_words(self.absence.ends_on)


def stands_in_for(person: Person, now: datetime) -> list[StandsIn]:
    """For whom a person acts today as delegate, deputy or line manager. Three queries at most."""
    named = Q(delegate=person) | Q(person__deputy=person) | Q(person__line_manager=person)
    near = Absence.objects.filter(
        named,
        cancelled_at=None,
        starts_on__lte=now.date() + timedelta(days=1),
        ends_on__gte=now.date() - timedelta(days=1),
    )
    people = [row.person for row in near.select_related("person").order_by("person__display_name", "pk")[:SHOWN]]
    if not people:
        return []
    presence = Presence.of(people, now)
    acts = [acting for one in people if (acting := presence.acting(one)).acts.pk == person.pk and acting.absence]
    owned = live(System.objects.filter(owner__in=[acting.person.pk for acting in acts])).order_by()
    counts = dict(owned.values_list("owner").annotate(n=Count("pk")))
    return [
        StandsIn(acting.person, acting.absence, counts.get(acting.person.pk, 0)) for acting in acts if acting.absence
    ]


def away_words(acting: Acting) -> str:
    """ "Away until 3 Dec 2026 · Ben Ortega acts"; empty for who is here and did not delegate."""
    if acting.absence is None:
        return ""
    until = day_words(acting.absence.ends_on)
    what = f"Away until {until}" if acting.away else f"Delegated until {until}"
    if acting.stood_in_for:
        return f"{what} · {acting.acts.display_name} acts"
    return f"{what} · nobody stands in" if acting.away else f"{what} · the delegate is not here"
