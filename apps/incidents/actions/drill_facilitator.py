"""Who facilitates a drill and left the organisation is replaced, so that it can end and its report can be signed."""

from datetime import datetime

from django.db import transaction

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.errors import NotAllowed, Refused
from apps.incidents.actions.checks import able
from apps.incidents.actions.common import locked_incident, sync_participants
from apps.incidents.actions.drills import BEFORE, locked_exercise, save_exercise
from apps.incidents.actions.improvements import exercise_subject
from apps.incidents.models import Exercise, LeadTerm
from apps.incidents.rules import ExerciseState
from apps.notify.actions import enqueue
from apps.people.models import Person

# Once the report is signed its signature names who facilitated.
UNTIL_SIGNED = (*BEFORE, ExerciseState.RUNNING, ExerciseState.HOTWASH, ExerciseState.AAR_DRAFT)


def may_replace_facilitator(exercise: Exercise, person: Person) -> bool:
    """Whoever planned it, and who manages incidents, once the facilitator has left and before the report is signed."""
    needed = not exercise.facilitator.is_active and exercise.state in UNTIL_SIGNED
    return needed and (person.pk == exercise.created_by_id or may(person, Permission.INCIDENTS_MANAGE))


@transaction.atomic
def replace_facilitator(exercise: Exercise, person: Person, *, actor: Person, now: datetime) -> Exercise:
    """Somebody else facilitates from now on and is told. What was seen stays, under the name of who saw it.

    Raises NotAllowed where the facilitator is here or for who may not; Refused for somebody who can't act or who was
    asked to lead in this very drill.
    """
    exercise = locked_exercise(exercise, *UNTIL_SIGNED)
    if not may_replace_facilitator(exercise, actor):
        raise NotAllowed(f"{exercise.facilitator.display_name} facilitates this drill. Nobody replaces them.")
    for incident in exercise.incidents.select_related("system").order_by("system", "pk"):
        locked_incident(incident)  # nobody takes the lead in it meanwhile
    person = able(person, "facilitate")
    if LeadTerm.objects.filter(incident__exercise=exercise, person=person).exists():
        raise Refused(f"{person.display_name} was asked to lead in this drill. Who facilitates does not lead.")
    before, exercise.facilitator = exercise.facilitator, person
    save_exercise(exercise, "facilitator")
    for incident in exercise.incidents.order_by("pk"):
        sync_participants(incident)
    enqueue(
        key=f"drill:{exercise.pk}:{exercise.version}:facilitator", recipient=person, now=now, path=exercise.path,
        subject=f"DRILL: you facilitate {exercise.code}",
        body=f"{exercise.title}: {before.display_name} has left. You facilitate it from now on, and sign its report.",
    )  # fmt: skip
    record(
        Kind.EXERCISE_CHANGED, actor=actor, subject=exercise_subject(exercise), now=now,
        before={"facilitator": before.audit_id}, after={"facilitator": person.audit_id},
    )  # fmt: skip
    return exercise
