"""Being away and delegating, where the registry has to follow: who stands in sees the systems, and is told."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.rules import Actor
from apps.common.clock import day_words, local_date
from apps.notify.actions import enqueue
from apps.people import actions as people
from apps.people.actions.calendars import Taken
from apps.people.models import Absence, Person
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import locked_in_order
from apps.registry.models import System

# People whose systems one step of the sweep brings up to date.
BATCH = 200


@transaction.atomic
def record_absence(
    person: Person,
    *,
    starts_on: date,
    ends_on: date,
    actor: Actor,
    now: datetime,
    delegate: Person | None = None,
    source: str = Absence.Source.PERSON,
) -> Absence:
    """people.record_absence; who stands in sees the person's systems, and a delegate is told."""
    _hold_systems(person)
    absence = people.record_absence(
        person, starts_on=starts_on, ends_on=ends_on, delegate=delegate, source=source, actor=actor, now=now
    )
    _follow(absence, actor, now)
    return absence


@transaction.atomic
def delegate(person: Person, to: Person, *, starts_on: date, ends_on: date, actor: Actor, now: datetime) -> Absence:
    """people.delegate; the delegate sees the person's systems and is told."""
    _hold_systems(person)
    absence = people.delegate(person, to, starts_on=starts_on, ends_on=ends_on, actor=actor, now=now)
    _follow(absence, actor, now)
    return absence


@transaction.atomic
def change_absence(
    absence: Absence, *, starts_on: date, ends_on: date, delegate: Person | None, actor: Actor, now: datetime
) -> Absence:
    """people.change_absence; grants and messages follow."""
    _hold_systems(absence.person)
    new = people.change_absence(absence, starts_on=starts_on, ends_on=ends_on, delegate=delegate, actor=actor, now=now)
    if absence.delegate is not None and absence.delegate_id != new.delegate_id:
        _tell_no_longer(absence, now)
    _follow(new, actor, now)
    return new


@transaction.atomic
def cancel_absence(absence: Absence, *, actor: Actor, now: datetime) -> Absence:
    """people.cancel_absence; grants follow, and a delegate is told."""
    _hold_systems(absence.person)
    old = people.cancel_absence(absence, actor=actor, now=now)
    sync_grants(_owned(old.person))
    if absence.delegate is not None:
        _tell_no_longer(absence, now)
    return old


@transaction.atomic
def import_calendar(person: Person, content: bytes, *, actor: Actor, now: datetime) -> Taken:
    """people.import_calendar; grants follow."""
    _hold_systems(person)
    taken = people.import_calendar(person, content, actor=actor, now=now)
    if taken:
        sync_grants(_owned(person))
    return taken


def follow_calendar(*, now: datetime) -> int:
    """Absences that began or ended since the last sweep: grants follow. Returns for how many people.

    Safe to run twice or in parallel: grants are made from the facts, whoever makes them.
    """
    changed = people.refresh_absences(now=now)
    for start in range(0, len(changed), BATCH):
        _sync_owned_by(changed[start : start + BATCH])
    return len(changed)


@transaction.atomic
def _sync_owned_by(owners: list[UUID]) -> None:
    systems = locked_in_order(System.objects.filter(owner__in=owners).only("pk"))
    sync_grants([system.pk for system in systems])


def _hold_systems(person: Person) -> None:
    """Lock the systems that the person answers for, first as every verb does."""
    locked_in_order(System.objects.filter(owner=person).only("pk"))


def _owned(person: Person) -> list[int]:
    """Read again once the person is locked: another system may have come meanwhile."""
    return list(System.objects.filter(owner=person).values_list("pk", flat=True))


def _follow(absence: Absence, actor: Actor, now: datetime) -> None:
    systems = _owned(absence.person)
    sync_grants(systems)
    person, words = absence.person, _days(absence)
    if absence.delegate is not None:
        why = "is away" if absence.kind == Absence.Kind.AWAY else "delegated to you"
        _mail(
            absence,
            "named",
            absence.delegate,
            subject=f"You act for {person.display_name} {words}",
            body=(
                f"{person.display_name} {why} {words}. Who asks who answers for one of their systems is told "
                f"your name on these days. They answer for {len(systems)} now."
            ),
            now=now,
        )
    if isinstance(actor, Person) and actor.pk != person.pk:
        _mail(
            absence,
            "recorded",
            person,
            subject=f"{actor.display_name} recorded an absence of yours",
            body=f"You are shown as away {words}. If that is wrong, cancel it in your profile.",
            now=now,
            path="/profile/availability/",
        )


def _tell_no_longer(absence: Absence, now: datetime) -> None:
    if absence.delegate is None or absence.ends_on < local_date(now):
        return
    _mail(
        absence,
        "ended",
        absence.delegate,
        subject=f"You do not act for {absence.person.display_name} any more",
        body=f"{absence.person.display_name} had named you {_days(absence)}. That is cancelled.",
        now=now,
    )


def _mail(absence: Absence, what: str, recipient: Person, **message: Any) -> None:
    enqueue(key=f"absence:{absence.pk}:{what}", recipient=recipient, **({"path": "/"} | message))


def _days(absence: Absence) -> str:
    if absence.starts_on == absence.ends_on:
        return f"on {day_words(absence.starts_on)}"
    return f"from {day_words(absence.starts_on)} to {day_words(absence.ends_on)}"
