"""Somebody leaves: everything they answered for passes on, and only then are they deactivated. All or nothing.

The one verb behind every path: the page, SCIM, the HR file and the command line.
"""

import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import QuerySet

from apps.access.actions import revoke_tokens_of
from apps.attestations.queries import open_assignments
from apps.audit.actions import record
from apps.audit.queries import latest_event_id
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.common.saving import is_collision
from apps.directory.actions.roles import sync_roles
from apps.directory.models import HandedOver, OffboardingCase
from apps.directory.queries.cases import CLOCK, waiting_systems
from apps.directory.queries.successors import successor_of
from apps.findings.actions import reassign_findings
from apps.incidents.actions.leads import leads_more_than, lock_led_by, replace_leaver
from apps.notify.actions import Note, enqueue_many
from apps.people import actions as people
from apps.people.models import Person
from apps.registry.actions import leavers
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.handover import cancel_handovers_of
from apps.registry.actions.raci import lock_letters_of, move_letters
from apps.registry.actions.succession import InterimChange, change_tree
from apps.registry.models import Mandate, System
from apps.registry.queries.succession import mandate_holder

# Somebody can be appointed between the look and the lock: then everything is taken back and done again.
TRIES = 4


class LeadsMeanwhileError(Refused):
    """Somebody began to lead an incident while they were about to leave: it has to be locked before they are."""


def offboard(
    person: Person, *, actor: Actor, now: datetime, reason: str = "", source: str = OffboardingCase.Source.PORTAL
) -> OffboardingCase:
    """Hand over everything that a person holds, open a case with a clock, and deactivate them.

    Systems go to the interim owner (deputy, line manager, unit heads, mandate holder; the first who is active and
    not leaving), the mandate's seat to a successor, other seats are vacated, letters and findings go to whoever takes
    over, open nominations and hand-overs end, sessions and tokens end. Raises Refused for somebody who is
    deactivated already, and where nobody could take over the mandate.
    """
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                return _offboard(person, actor=actor, now=now, reason=reason, source=source)
        except Refused as error:
            again = isinstance(error, LeadsMeanwhileError) or isinstance(error.__cause__, IntegrityError)
            if not left or not again:
                raise
        except OperationalError as error:
            if not left or not is_collision(error):
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _offboard(person: Person, *, actor: Actor, now: datetime, reason: str, source: str) -> OffboardingCase:
    change_tree()  # one leaver at a time: two who stand in for each other see what the first one left
    leavers.lock_systems_of(person)
    led = lock_led_by(person)
    lock_letters_of(person)  # before the person: who changes a matrix locks it first
    person = Person.objects.select_for_update().get(pk=person.pk)
    if not person.is_active:
        raise Refused(f"{person.display_name} is deactivated already.")
    if leads_more_than(person, led):
        raise LeadsMeanwhileError(f"{person.display_name} began to lead a response just now. Try again.")
    Person.objects.filter(pk=person.pk).update(leaving_on=local_date(now))
    case = OffboardingCase(person=person, source=source, reason=reason.strip()[:600], opened_at=now)
    case.due_on = local_date(now + CLOCK)
    cause = record(
        Kind.PERSON_OFFBOARDED,
        actor=actor,
        subject=people.person_subject(person),
        now=now,
        after={"case": str(case.pk), "source": str(source), "due": case.due_on.isoformat()},
        reason=reason,
    )
    heir = successor_of(person, now=now)
    changes = _hand_over(person, case, heir, actor=actor, now=now, cause=cause)
    people.deactivate_person(person, actor=actor, now=now, cause=cause)
    leavers.sync_what_they_see(person)
    revoke_tokens_of(person, actor=actor, now=now, cause=cause)
    return _opened(case, changes, heir, now)


def _hand_over(
    person: Person, case: OffboardingCase, heir: Person, *, actor: Actor, now: datetime, cause: uuid.UUID
) -> list[InterimChange]:
    """The parts in their order: seats and units first, because the interim order reads them."""
    must_be_held = set(Mandate.objects.values_list("holder_id", flat=True))
    by: dict[str, Any] = {"actor": actor, "now": now, "cause": cause}
    seats = people.succeed_seats(person, heir=heir, must_be_held=must_be_held, **by)
    units = leavers.vacate_units(person, **by)
    handovers = cancel_handovers_of(person, **by)
    changes = leavers.hand_over_systems(person, **by)
    case.counts = {
        "systems": len(changes),
        "accepted": sum(change.system.owner_basis == System.Basis.ACCEPTED for change in changes),
        "attestations": open_assignments().filter(system__in=[change.system.pk for change in changes]).count(),
        "seats": seats,
        "units": units,
        "handovers": handovers,
        "incidents": replace_leaver(person, **by),
        "letters": move_letters(person, heir, **by),
        "findings": reassign_findings(person, heir, **by),
        "nominations": leavers.withdraw_nominations(person, **by),
        "relations": _unlink(person, **by),
        "roles": people.revoke_roles_of(person, **by),
    }
    return changes


def _unlink(person: Person, *, actor: Actor, now: datetime, cause: uuid.UUID) -> int:
    """Whoever had the leaver as deputy or line manager: the manager's own manager takes those, the deputy is open."""
    changed = people.unlink_leaver(person, actor=actor, now=now, cause=cause)
    # The deputy sees what they answer for, the line manager while they are away.
    sync_grants(list(System.objects.filter(owner__in=changed).values_list("pk", flat=True)))
    return len(changed)


def _opened(case: OffboardingCase, changes: list[InterimChange], heir: Person, now: datetime) -> OffboardingCase:
    manager = case.person.line_manager
    can_see_to_it = manager is not None and manager.is_active and manager.leaving_on is None
    case.responsible = manager if can_see_to_it and manager else (mandate_holder() or heir)
    _cases_seen_to_by(case.person).update(responsible=heir)
    left = [
        HandedOver(
            case=case,
            system=change.system,
            interim=change.person,
            had_accepted=change.system.owner_basis == System.Basis.ACCEPTED,
        )
        for change in changes
    ]
    left += _still_waiting(case, {change.system.pk for change in changes}, now)
    if not left:
        case.state, case.closed_at = OffboardingCase.State.DONE, now
    case.save(force_insert=True)
    HandedOver.objects.bulk_create(left)
    enqueue_many(_notes(case, changes), now=now)
    return case


def _still_waiting(case: OffboardingCase, passed_on: set[int], now: datetime) -> list[HandedOver]:
    """Somebody who came back leaves again: what waits since the last time goes on with the new case, by its date."""
    before = _open_case_of(case.person).first()
    if before is None:
        return []
    rows = [row for row in waiting_systems(before).select_related("system__owner") if row.system_id not in passed_on]
    if rows:
        case.due_on = min(case.due_on, before.due_on)
    before.state, before.closed_at = OffboardingCase.State.CAME_BACK, now
    before.save(update_fields=["state", "closed_at"])
    return [
        HandedOver(case=case, system=row.system, interim=row.system.owner, had_accepted=row.had_accepted)
        for row in rows
    ]


def _cases_seen_to_by(person: Person) -> QuerySet[OffboardingCase]:
    return OffboardingCase.objects.filter(responsible=person, state=OffboardingCase.State.OPEN)


def _path(case: OffboardingCase) -> str:
    return f"/directory/leavers/{case.pk}/"


def _notes(case: OffboardingCase, changes: list[InterimChange]) -> list[Note]:
    """One message to each who stands in, and one to whoever sees to the case."""
    name, by = case.person.display_name, case.responsible.display_name
    taken = Counter(change.person for change in changes)
    notes = [
        Note(
            f"offboarding:{case.pk}:stands-in:{heir.pk}",
            heir,
            f"You answer for {count} system{'' if count == 1 else 's'} that {name} left",
            f"{name} left. You answer for {count} system{'' if count == 1 else 's'} as interim owner until somebody "
            f"accepts.\n{by} sees to it that each gets an owner by {case.due_on:%d %b %Y}.",
            "/",
        )
        for heir, count in taken.items()
    ]
    if changes:
        body = (
            f"{name} left and answered for {len(changes)} systems. Interim owners answer for them now.\n"
            f"Nominate an owner for each by {case.due_on:%d %b %Y}."
        )
        to = case.responsible
        subject = f"Find owners for what {name} left"
        notes.append(Note(f"offboarding:{case.pk}:opened", to, subject, body, _path(case)))
    return notes


@transaction.atomic
def bring_back(person: Person, *, actor: Actor, now: datetime) -> Person:
    """Let somebody in again. What they held stays with whoever took it over: nominate them again where they return.

    Their case stays open while a system waits for an owner. Raises Refused for an active person.
    """
    leavers.lock_systems_of(person)
    person = Person.objects.select_for_update().get(pk=person.pk)
    Person.objects.filter(pk=person.pk).update(leaving_on=None)
    back = people.reactivate_person(person, actor=actor, now=now)
    leavers.sync_what_they_see(back)
    cause = latest_event_id(Kind.PERSON_REACTIVATED, "person", str(back.pk))
    sync_roles([back.pk], actor=actor, now=now, cause=cause)
    _open_case_of(person).exclude(pk__in=waiting_systems().values("case")).update(
        state=OffboardingCase.State.CAME_BACK, closed_at=now
    )
    return back


def _open_case_of(person: Person) -> QuerySet[OffboardingCase]:
    return OffboardingCase.objects.filter(person=person, state=OffboardingCase.State.OPEN)


def watch_cases(*, now: datetime) -> None:
    """Close the cases that are done; remind once who sees to one that is overdue. Safe to run twice or in parallel."""
    close_done_cases(now=now)
    late = OffboardingCase.objects.filter(
        state=OffboardingCase.State.OPEN, due_on__lt=local_date(now), reminded_at=None
    ).select_related("person", "responsible")
    for case in late.order_by("pk"):
        _remind(case, now)


@transaction.atomic
def _remind(case: OffboardingCase, now: datetime) -> None:
    if not OffboardingCase.objects.filter(pk=case.pk, reminded_at=None).update(reminded_at=now):
        return
    name, left = case.person.display_name, waiting_systems(case).count()
    to = case.responsible if case.responsible.is_active else (mandate_holder() or case.responsible)
    body = (
        f"{name} left on {case.opened_at:%d %b %Y}. Systems that still have no owner who accepted: {left}. They were "
        f"due by {case.due_on:%d %b %Y}. Interim owners answer for them. Nominate an owner for each."
    )
    note = Note(f"offboarding:{case.pk}:overdue", to, f"Overdue: owners for what {name} left", body, _path(case))
    enqueue_many([note], now=now)


def close_done_cases(*, now: datetime) -> int:
    """Close each case of which every system has an owner who accepted, or is retired. Returns how many."""
    waiting = waiting_systems()
    open_cases = OffboardingCase.objects.filter(state=OffboardingCase.State.OPEN)
    done = open_cases.exclude(pk__in=waiting.values("case")).order_by("pk")
    return sum(_close(case, now) for case in done.select_related("person"))


@transaction.atomic
def _close(case: OffboardingCase, now: datetime) -> bool:
    """False where another sweep was first."""
    changed = OffboardingCase.objects.filter(pk=case.pk, state=OffboardingCase.State.OPEN).update(
        state=OffboardingCase.State.DONE, closed_at=now
    )
    if changed:
        record(
            Kind.OFFBOARDING_DONE,
            actor=SCHEDULER,
            subject=people.person_subject(case.person),
            now=now,
            after={"case": str(case.pk)},
        )
    return bool(changed)
