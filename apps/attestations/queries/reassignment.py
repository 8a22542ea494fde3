"""Reading who was asked to take an attestation over, and what nobody wants."""

from datetime import date, datetime

from django.db.models import QuerySet

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import Assignment, Reassignment
from apps.people.models import Person
from apps.people.queries import acting_for
from apps.registry.queries import visible_systems
from apps.registry.queries.succession import Succession

State = Reassignment.State


def open_reassignment(assignment: Assignment) -> Reassignment | None:
    """Whom somebody asked to take an assignment over, while the answer is open."""
    return (
        assignment.reassignments.filter(state=State.OPEN)
        .select_related("from_person", "to_person", "asked", "requested_by", "nomination")
        .first()
    )


def passed_on_before(assignment: Assignment) -> QuerySet[Reassignment]:
    """What was answered, of this assignment and of those that it follows, newest first."""
    chain, before = [assignment.pk], assignment.predecessor
    while before is not None:
        chain.append(before.pk)
        before = before.predecessor
    return (
        Reassignment.objects.filter(assignment__in=chain)
        .exclude(state=State.OPEN)
        .select_related("from_person", "to_person", "answered_by", "requested_by")
        .order_by("-pk")
    )


def to_answer(person: Person) -> QuerySet[Reassignment]:
    """What waits for a person's answer: to take over, or to find somebody."""
    return (
        Reassignment.objects.filter(asked=person, state=State.OPEN)
        .select_related("assignment__campaign", "assignment__system", "from_person", "to_person")
        .order_by("answer_by", "pk")
    )


def late(*, today: date) -> QuerySet[Reassignment]:
    """What was not answered in time and did not go up yet."""
    return (
        Reassignment.objects.filter(state=State.OPEN, answer_by__lt=today, escalated_at=None)
        .select_related("assignment__system")
        .order_by("pk")
    )


def settled_elsewhere() -> QuerySet[Reassignment]:
    """Open ones whose nomination was answered somewhere else, or whose assignment is not open any more."""
    rows = Reassignment.objects.filter(state=State.OPEN).select_related("assignment__system")
    return (
        rows.exclude(nomination__state="open").exclude(nomination=None)
        | rows.exclude(assignment__state__in=("pending", "in_progress", "changes_requested"))
    ).order_by("pk")


def above(assignment: Assignment, *people: Person, now: datetime) -> Person | None:
    """Who acts for the nearest head above a system who is none of these people, else for the mandate holder.

    None where nobody is left.
    """
    taken = {person.pk for person in people}
    for head in Succession(now).heads(assignment.system.unit_id):
        acts = acting_for(head, now).acts
        if head.pk not in taken and acts.pk not in taken:
            return acts
    return None


def find_for_passing(actor: Person, code: str, key: str, *, now: datetime) -> Assignment:
    """The present assignment of a system, for those who may ask somebody to take it over or were asked.

    That is the owner of today, who was asked or asked, the head above and who nominates owners. Raises
    Assignment.DoesNotExist for everybody else.
    """
    found = (
        Assignment.objects.select_related("campaign", "person", "snapshot", "system__owner", "system__unit")
        .filter(campaign__code=code, system__key=key)
        .exclude(state=Assignment.State.REASSIGNED)
        .order_by("-snapshot__number")
        .first()
    )
    if found is None or not _may_pass(actor, found, now):
        raise Assignment.DoesNotExist
    return found


def _may_pass(actor: Person, assignment: Assignment, now: datetime) -> bool:
    if actor.pk == assignment.system.owner_id:
        return True
    if may(actor, Permission.NOMINATE_OWNER) and visible_systems(actor).filter(pk=assignment.system_id).exists():
        return True
    waiting = open_reassignment(assignment)
    if waiting is not None and actor.pk in {waiting.asked_id, waiting.requested_by_id}:
        return True
    return above(assignment, assignment.system.owner, now=now) == actor
