"""Being away and delegating: record, change, cancel; and which absences are in force today."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from apps.audit.actions import Entry, record
from apps.audit.rules import Actor, Kind
from apps.common.clock import day_words, local_date, zone_named
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.people.actions.people import held, person_subject
from apps.people.models import Absence, Person
from apps.people.rules import LONGEST_ABSENCE


def absence_facts(absence: Absence) -> dict[str, Any]:
    """What the trail says of an absence: days, kind, and who was named, by id."""
    return {
        "absence": absence.pk,
        "kind": absence.kind,
        "from": absence.starts_on.isoformat(),
        "until": absence.ends_on.isoformat(),
        "delegate": f"u:{absence.delegate_id}" if absence.delegate_id else None,
    }


def today_of(person: Person, now: datetime) -> date:
    """The calendar date where the person is."""
    return local_date(now, zone_named(person.time_zone))


def locked_person(person: Person, delegate: Person | None = None) -> Person:
    """The person as they are now; whoever makes grants from their absences waits. Two people in one order."""
    if delegate is not None and delegate.pk < person.pk:
        held(delegate)
    return Person.objects.select_for_update(no_key=True, of=("self",)).get(pk=person.pk)


@transaction.atomic
def record_absence(
    person: Person,
    *,
    starts_on: date,
    ends_on: date,
    actor: Actor,
    now: datetime,
    delegate: Person | None = None,
    kind: str = Absence.Kind.AWAY,
    source: str = Absence.Source.PERSON,
    uid: str = "",
) -> Absence:
    """Say on which days somebody does not answer, both included, and who does instead if not the deputy.

    Raises Refused for days that are over or too many, for somebody deactivated and for a delegate who can't act;
    ValidationError for days on which there is an absence already.
    """
    person = locked_person(person, delegate)
    absence = add_absence(
        person, starts_on=starts_on, ends_on=ends_on, delegate=delegate, kind=kind, source=source, uid=uid, now=now
    )
    record(
        Kind.ABSENCE_RECORDED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        after=absence_facts(absence),
        private=_named(absence),
    )
    return absence


def delegate(person: Person, to: Person, *, starts_on: date, ends_on: date, actor: Actor, now: datetime) -> Absence:
    """Let somebody else answer on some days although the person is here. Raises what record_absence raises."""
    return record_absence(
        person,
        starts_on=starts_on,
        ends_on=ends_on,
        delegate=to,
        kind=Absence.Kind.DELEGATED,
        actor=actor,
        now=now,
    )


@transaction.atomic
def change_absence(
    absence: Absence, *, starts_on: date, ends_on: date, delegate: Person | None, actor: Actor, now: datetime
) -> Absence:
    """Other days, or another delegate. The old row is cancelled and a new one stands for it.

    Raises Refused for one that is cancelled or over, and what record_absence raises.
    """
    person = locked_person(absence.person, delegate)
    old = _still_open(absence, now)
    _cancel([old], now)
    new = add_absence(
        person, starts_on=starts_on, ends_on=ends_on, delegate=delegate, kind=old.kind, source=old.source,
        uid=old.uid, now=now,
    )  # fmt: skip
    record(
        Kind.ABSENCE_CHANGED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        before=absence_facts(old),
        after=absence_facts(new),
        private=_named(new),
    )
    return new


@transaction.atomic
def cancel_absence(absence: Absence, *, actor: Actor, now: datetime) -> Absence:
    """The person answers again from now on. Raises Refused for one that is cancelled or over."""
    person = locked_person(absence.person)
    old = _still_open(absence, now)
    _cancel([old], now)
    record(
        Kind.ABSENCE_CANCELLED,
        actor=actor,
        subject=person_subject(person),
        now=now,
        before=absence_facts(old),
    )
    return old


def add_absence(
    person: Person,
    *,
    starts_on: date,
    ends_on: date,
    delegate: Person | None,
    kind: str,
    source: str,
    uid: str,
    now: datetime,
) -> Absence:
    """Check and save one row; a part of the verbs, which say it in the trail. The person has to be held."""
    today = today_of(person, now)
    if not person.is_active or person.kind != Person.Kind.HUMAN:
        raise Refused(f"{person.display_name} is not an active person. Absences are recorded for those who answer.")
    if ends_on < starts_on:
        raise ValidationError({"ends_on": "The last day is not before the first."})
    if ends_on < today:
        raise Refused(f"These days are over: {day_words(ends_on)} is before today. Choose today or a later day.")
    if ends_on - starts_on > timedelta(days=LONGEST_ABSENCE):
        raise Refused(f"An absence lasts {LONGEST_ABSENCE} days at most. Check the years.")
    if delegate is not None:
        _refuse_who_cannot_stand_in(held(delegate), ends_on)
    absence = Absence(
        person=person,
        kind=kind,
        starts_on=starts_on,
        ends_on=ends_on,
        delegate=delegate,
        source=source,
        uid=uid,
        created_at=now,
        in_force=starts_on <= today <= ends_on,
    )
    save_checked(absence, force_insert=True)
    return absence


def _refuse_who_cannot_stand_in(person: Person, ends_on: date) -> None:
    if person.kind != Person.Kind.HUMAN or not person.is_active:
        raise Refused(f"{person.display_name} can't stand in: choose an active person.")
    if person.leaving_on is not None and person.leaving_on < ends_on:
        raise Refused(
            f"{person.display_name} leaves on {day_words(person.leaving_on)}, before these days end. "
            "Choose somebody who is there all the time."
        )


def _still_open(absence: Absence, now: datetime) -> Absence:
    """The row as it is now, locked."""
    fresh = Absence.objects.select_for_update(no_key=True, of=("self",)).select_related("person").get(pk=absence.pk)
    if fresh.cancelled_at is not None:
        raise Refused("This absence is cancelled already.")
    if fresh.ends_on < today_of(fresh.person, now):
        raise Refused(f"This absence ended on {day_words(fresh.ends_on)}. What is over is not changed.")
    return fresh


def _cancel(absences: Iterable[Absence], now: datetime) -> None:
    ids = [absence.pk for absence in absences]
    Absence.objects.filter(pk__in=ids, cancelled_at=None).update(cancelled_at=now, in_force=False)


def cancel_rows(absences: Iterable[Absence], *, now: datetime) -> list[Entry]:
    """Cancel rows because of another act, and what the trail will say of each; that act records it."""
    rows = list(absences)
    _cancel(rows, now)
    return [Entry(Kind.ABSENCE_CANCELLED, person_subject(row.person), before=absence_facts(row)) for row in rows]


def _named(absence: Absence) -> dict[str, str]:
    return {"delegate_name": absence.delegate.display_name} if absence.delegate else {}


def refresh_absences(*, now: datetime) -> list[UUID]:
    """Mark which absences are in force at a moment; returns the people for whom that changed, in order.

    Not an act but what the calendar says: nothing is written to the trail.
    """
    day = local_date(now)
    near = Q(starts_on__lte=day + timedelta(days=2), ends_on__gte=day - timedelta(days=2))
    begin: list[int] = []
    end: list[int] = []
    people: set[UUID] = set()
    candidates = Absence.objects.filter(Q(in_force=True) | near, cancelled_at=None)
    for row in candidates.values_list("pk", "person_id", "person__time_zone", "starts_on", "ends_on", "in_force"):
        pk, person_id, zone, starts_on, ends_on, in_force = row
        covered = starts_on <= local_date(now, zone_named(zone)) <= ends_on
        if covered != in_force:
            (begin if covered else end).append(pk)
            people.add(person_id)
    Absence.objects.filter(pk__in=begin, cancelled_at=None).update(in_force=True)
    Absence.objects.filter(pk__in=end, in_force=True).update(in_force=False)
    return sorted(people)
