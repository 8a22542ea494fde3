"""Who answered when: every term of a system, and who acted while its person was away."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from apps.common.clock import organisation_zone
from apps.people.models import Person
from apps.registry.models import OwnershipTerm, System
from apps.registry.queries.acting import ActingOwner, acting_owners


@dataclass(frozen=True)
class Spell:
    """One person's part of what was asked about, and who acted for them then."""

    term: OwnershipTerm
    acting: ActingOwner

    @property
    def person(self) -> Person:
        return self.term.person

    @property
    def acted(self) -> Person | None:
        """Somebody else who acted, where the person was away or had delegated."""
        return self.acting.acts if self.acting.stood_in_for else None


@dataclass(frozen=True)
class Answered:
    """Who answered for a system on a day or at a moment. `why_nobody` is empty where somebody did."""

    spells: tuple[Spell, ...]
    why_nobody: str = ""
    registered_on: datetime | None = None


def terms_of(system: System) -> list[OwnershipTerm]:
    """Every term of a system with its person, the current one first."""
    return list(OwnershipTerm.objects.filter(system=system).select_related("person").order_by("-period"))


def answered_at(system: System, moment: datetime, *, now: datetime) -> Answered:
    """Who answered at a moment. Three queries."""
    return _answered(system, moment, moment + timedelta(microseconds=1), now)


def answered_on(system: System, day: date, *, now: datetime) -> Answered:
    """Who answered on a day of the organisation's time zone, in order: several where it changed hands that day."""
    zone = organisation_zone()
    begins = datetime.combine(day, time.min, zone)
    ends = datetime.combine(day + timedelta(days=1), time.min, zone)
    return _answered(system, begins, ends, now)


def _answered(system: System, begins: datetime, ends: datetime, now: datetime) -> Answered:
    """The terms that overlap [begins, ends), as far as that has happened."""
    first = OwnershipTerm.objects.filter(system=system).order_by("period").first()
    registered = first.period.lower if first else system.created_at
    if begins > now:
        return Answered((), "future", registered)
    if ends <= registered:
        return Answered((), "before", registered)
    terms = OwnershipTerm.objects.filter(
        system=system, period__overlap=(begins, min(ends, now + timedelta(microseconds=1)))
    )
    found = list(terms.select_related("person__deputy", "person__line_manager").order_by("period"))
    return Answered(tuple(_spell(system, term, begins, min(ends, now)) for term in found), "", registered)


def _spell(system: System, term: OwnershipTerm, begins: datetime, ends: datetime) -> Spell:
    """Who acted is asked for the middle of the part of the time that the person answered, as was known then."""
    start, end = max(begins, term.period.lower), min(ends, term.period.upper or ends)
    at = start + max(end - start, timedelta()) / 2
    return Spell(term, acting_owners([system], at, owners={system.pk: term.person}, past=True)[system.pk])
