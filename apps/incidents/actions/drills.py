"""Planning drills, making them ready, starting them: the same resolver and plan as in earnest, marked as a drill."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind
from apps.common.clock import organisation_zone
from apps.common.dates import day_words
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.common.saving import save_checked
from apps.incidents.actions.checks import able, given
from apps.incidents.actions.common import MeanwhileChanged, each_alone, next_number
from apps.incidents.actions.declare import declare
from apps.incidents.actions.improvements import exercise_subject
from apps.incidents.models import Exercise, Incident, Inject
from apps.incidents.queries.responder import responder
from apps.incidents.rules import LIVE, ExerciseState, Mode, Via
from apps.incidents.rules.drills import is_too_late, not_ready
from apps.notify.actions import Note, enqueue, enqueue_many
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.rules import NOT_LIVE

log = structlog.get_logger(__name__)
State = ExerciseState
BEFORE = (State.PLANNED, State.READY)


@dataclass(frozen=True)
class Plan:
    """What a drill is to be."""

    type: str
    title: str
    scenario: str
    systems: tuple[System, ...]
    objectives: tuple[str, ...]
    facilitator: Person
    planned_at: datetime
    announced: bool = True
    fields: tuple[str, ...] = field(
        default=("type", "title", "scenario", "facilitator", "planned_at", "announced"), repr=False
    )


@transaction.atomic
def plan_exercise(plan: Plan, *, actor: Person, now: datetime) -> Exercise:
    """Plan a drill. Nobody is told before it is ready, and of a surprise nobody at all.

    Raises ValidationError for a missing title or an unknown scenario; Refused for a facilitator who can't act and
    for a time that has passed.
    """
    exercise = Exercise(code=f"EX-{next_number('exercise'):04d}", created_by=actor, created_at=now)
    _fill(exercise, plan, now)
    save_checked(exercise)
    exercise.systems.set(plan.systems)
    _record(Kind.EXERCISE_PLANNED, exercise, actor, now, after=_facts(exercise))
    return exercise


@transaction.atomic
def change_exercise(
    exercise: Exercise, plan: Plan, *, actor: Person, now: datetime, version: int | None = None
) -> Exercise:
    """Plan it otherwise. What was ready has to be made ready again. Raises Refused once it started."""
    exercise = locked_exercise(exercise, *BEFORE, version=version)
    require_planner(exercise, actor)
    _fill(exercise, plan, now)
    exercise.state = State.PLANNED.value
    exercise.version += 1
    save_checked(exercise)
    exercise.systems.set(plan.systems)
    _record(Kind.EXERCISE_CHANGED, exercise, actor, now, after=_facts(exercise))
    return exercise


def _fill(exercise: Exercise, plan: Plan, now: datetime) -> None:
    facilitator = able(plan.facilitator, "facilitate")
    if plan.planned_at < now:
        raise Refused("Choose a time that has not passed.")
    for name in plan.fields:
        setattr(exercise, name, getattr(plan, name))
    exercise.facilitator, exercise.title = facilitator, " ".join(plan.title.split())
    exercise.announced = plan.announced and plan.type != Exercise.Type.BLIND_PAGE
    exercise.objectives = [line for line in (" ".join(one.split()) for one in plan.objectives) if line]


def locked_exercise(exercise: Exercise, *states: State, version: int | None = None) -> Exercise:
    """The drill as it is now, locked. Raises MeanwhileChanged for another version, Refused in another state."""
    exercise = _held(exercise)
    if version is not None and exercise.version != version:
        raise MeanwhileChanged("Somebody changed this drill since you opened it. Look at it as it is now.")
    if exercise.state not in states:
        raise Refused(f"{exercise.code} is {exercise.get_state_display().lower()} now. Look at it again.")
    return exercise


def _held(exercise: Exercise) -> Exercise:
    hold_row(Exercise.objects.all(), exercise.pk)
    return Exercise.objects.select_related("facilitator", "created_by").get(pk=exercise.pk)


def save_exercise(exercise: Exercise, *fields: str) -> None:
    """Save these fields and count the version up. The drill is locked."""
    exercise.version += 1
    exercise.save(update_fields=[*fields, "version"])


def require_planner(exercise: Exercise, actor: Person) -> None:
    """Raise NotAllowed for anybody but who planned it and who facilitates it."""
    if actor.pk not in {exercise.facilitator_id, exercise.created_by_id}:
        raise NotAllowed(f"{exercise.facilitator.display_name} facilitates this drill. Only they can do this.")


def may_facilitate(exercise: Exercise, person: Person) -> bool:
    """Who facilitates it. Where they have left, who planned it and who manages incidents stand in."""
    if exercise.facilitator.is_active:
        return person.pk == exercise.facilitator_id
    return person.pk == exercise.created_by_id or may(person, Permission.INCIDENTS_MANAGE)


def require_facilitator(exercise: Exercise, actor: Actor) -> None:
    """Raise NotAllowed for anybody but who facilitates it, or stands in."""
    if not isinstance(actor, Person) or not may_facilitate(exercise, actor):
        raise NotAllowed(f"{exercise.facilitator.display_name} facilitates this drill. Only they can do this.")


@transaction.atomic
def add_inject(
    exercise: Exercise,
    *,
    offset_minutes: int,
    text: str,
    expected_action: str,
    actor: Person,
    now: datetime,
    expected_person: Person | None = None,
) -> Inject:
    """Add what the facilitator tells during the drill, and what is expected then of whom.

    Raises Refused once it is over; ValidationError without words.
    """
    exercise = locked_exercise(exercise, *BEFORE, State.RUNNING)
    require_planner(exercise, actor)
    last = Inject.objects.filter(exercise=exercise).order_by("-order").values_list("order", flat=True).first()
    inject = Inject(
        exercise=exercise,
        order=(last or 0) + 1,
        offset_minutes=offset_minutes,
        text=text.strip(),
        expected_action=expected_action.strip(),
        expected_person=expected_person,
    )
    save_checked(inject)
    save_exercise(exercise)
    _record(Kind.EXERCISE_CHANGED, exercise, actor, now, after={"inject": inject.order})
    return inject


@transaction.atomic
def remove_inject(inject: Inject, *, actor: Person, now: datetime) -> None:
    """Take an inject out again. Raises Refused once the drill started."""
    exercise = locked_exercise(inject.exercise, *BEFORE)
    require_planner(exercise, actor)
    removed = inject.order
    inject.delete()
    exercise.state = State.PLANNED.value
    save_exercise(exercise, "state")
    _record(Kind.EXERCISE_CHANGED, exercise, actor, now, after={"inject_removed": removed})


@transaction.atomic
def make_ready(exercise: Exercise, *, actor: Person, now: datetime, version: int | None = None) -> Exercise:
    """It can start: objectives, live systems, and a facilitator who leads none of them. Who takes part is told now.

    A surprise is told to nobody. Raises Refused with what is missing.
    """
    exercise = locked_exercise(exercise, State.PLANNED, version=version)
    require_planner(exercise, actor)
    systems = _systems(exercise)
    _refuse_unready(exercise, systems, now)
    exercise.state = State.READY.value
    save_exercise(exercise, "state")
    if exercise.announced:
        _announce(exercise, systems, now)
    _record(Kind.EXERCISE_CHANGED, exercise, actor, now, before={"state": "planned"}, after={"state": "ready"})
    return exercise


def _systems(exercise: Exercise) -> list[System]:
    """Its systems in the order in which they are locked."""
    return list(exercise.systems.select_related("owner", "unit").order_by("pk"))


def _refuse_unready(exercise: Exercise, systems: list[System], now: datetime) -> None:
    left = not_ready(
        type=exercise.type,
        announced=exercise.announced,
        objectives=exercise.objectives,
        systems=len(systems),
        injects=Inject.objects.filter(exercise=exercise).count(),
    )
    if not exercise.facilitator.is_active:
        left.append(f"{exercise.facilitator.display_name} has left. Choose another facilitator.")
    left += [f"{one.name} is not live." for one in systems if one.stage in NOT_LIVE]
    if not left:
        led = [one.name for one in systems if _lead(exercise, one, now) == exercise.facilitator_id]
        left += [f"{exercise.facilitator.display_name} leads the response for {name}." for name in led]
        if led:
            left.append("Who facilitates does not lead.")
    if left:
        raise Refused(f"It is not ready yet. {' '.join(left)}")


def _lead(exercise: Exercise, system: System, now: datetime) -> UUID:
    return responder(system, exercise.scenario, now).lead.pk


def _announce(exercise: Exercise, systems: list[System], now: datetime) -> None:
    at = exercise.planned_at.astimezone(organisation_zone())
    when = f"{day_words(at.date())}, {at:%H:%M}"
    names = ", ".join("a restricted system" if system.restricted else system.name for system in systems)
    people = {system.owner for system in systems} | {responder(one, exercise.scenario, now).lead for one in systems}
    people.discard(exercise.facilitator)
    body = (
        f"{exercise.facilitator.display_name} facilitates a drill on {when}: {exercise.title}. It is about {names}.\n\n"
        "You are called as if it had happened, and each word says that it is a drill. No legal clock runs."
    )
    enqueue_many(
        [
            Note(f"drill:{exercise.pk}:{exercise.version}:{one.pk}", one, f"DRILL: on {when}, {exercise.title}", body,
                 exercise.path)
            for one in sorted(people, key=lambda one: str(one.pk))
        ],
        now=now,
    )  # fmt: skip


@transaction.atomic
def cancel_exercise(exercise: Exercise, *, reason: str, actor: Person, now: datetime) -> Exercise:
    """It does not take place, and why; who was told of it is told. Raises Refused without a reason or once it ran."""
    reason = given(reason, "Say why it does not take place.")
    exercise = locked_exercise(exercise, *BEFORE)
    require_planner(exercise, actor)
    was_announced = exercise.announced and exercise.state == State.READY
    exercise.state, exercise.cancelled_reason = State.CANCELLED.value, reason[:600]
    save_exercise(exercise, "state", "cancelled_reason")
    if was_announced:
        _tell_owners(exercise, "does not take place", exercise.cancelled_reason, now)
    _record(Kind.EXERCISE_CANCELLED, exercise, actor, now, after={"state": "cancelled"}, reason=reason)
    return exercise


def _tell_owners(exercise: Exercise, what: str, body: str, now: datetime) -> None:
    owners = {system.owner for system in _systems(exercise)} - {exercise.facilitator}
    subject = f"DRILL: {exercise.title} {what}"
    notes = [
        Note(f"drill:{exercise.pk}:{exercise.version}:{one.pk}", one, subject, body, exercise.path) for one in owners
    ]
    enqueue_many(sorted(notes, key=lambda note: note.key), now=now)


@transaction.atomic
def start_exercise(exercise: Exercise, *, actor: Actor, now: datetime) -> list[Incident]:
    """Begin: one drill incident for each system, by the same resolver and plan. Every word says that it is a drill.

    Raises NotAllowed for anybody but the facilitator and the schedule; Refused where it is not ready (any more), and
    while something real is live at one of its systems.
    """
    exercise = locked_exercise(exercise, State.READY)
    if actor is not SCHEDULER:
        require_facilitator(exercise, actor)
    systems = _systems(exercise)
    _refuse_unready(exercise, systems, now)
    _refuse_live(systems)
    exercise.state, exercise.started_at = State.RUNNING.value, now
    save_exercise(exercise, "state", "started_at")
    cause = _record(Kind.EXERCISE_STARTED, exercise, actor, now, after=_facts(exercise))
    return [
        declare(
            title=exercise.title, actor=actor, now=now, system=system, scenario=exercise.scenario, mode=Mode.DRILL,
            via=Via.DRILL, declared_as=f"{exercise.facilitator.display_name}, who facilitates the drill",
            exercise=exercise, cause=cause,
        )
        for system in systems
    ]  # fmt: skip


def _refuse_live(systems: Iterable[System]) -> None:
    live = Incident.objects.filter(system__in=systems, mode=Mode.REAL, state__in=[state.value for state in LIVE])
    if live.exists():
        raise Refused("A live incident goes on at one of the systems. The drill waits until it is over.")


def start_due_drills(*, now: datetime) -> int:
    """Start what is ready and whose time has come. Returns how many. Safe to run twice.

    What can't start, or should have long ago, is planned anew, and its facilitator is told why. Raises RuntimeError,
    after all others were done, where one failed.
    """
    due = Exercise.objects.filter(state=State.READY, planned_at__lte=now).order_by("planned_at", "pk")
    return each_alone(due, lambda one: _start_due(one, now), "starting drills")


def _start_due(exercise: Exercise, now: datetime) -> bool:
    why = "It should have begun more than two hours ago." if is_too_late(exercise.planned_at, now) else ""
    if not why:
        try:
            start_exercise(exercise, actor=SCHEDULER, now=now)
        except Refused as error:
            why = str(error)
    if why:
        postpone_exercise(exercise, because=why, actor=SCHEDULER, now=now)
    return not why


@transaction.atomic
def postpone_exercise(exercise: Exercise, *, because: str, actor: Actor, now: datetime) -> Exercise | None:
    """What could not start is planned anew, and its facilitator is told. None where it is not ready any more."""
    exercise = _held(exercise)
    if exercise.state != State.READY:
        return None
    exercise.state = State.PLANNED.value
    save_exercise(exercise, "state")
    enqueue(
        key=f"drill:{exercise.pk}:{exercise.version}:late", now=now, path=exercise.path,
        recipient=exercise.facilitator if exercise.facilitator.is_active else exercise.created_by,
        subject=f"DRILL: {exercise.code} did not start",
        body=f"{exercise.title}: {because}\n\nChoose another time and make it ready again.",
    )  # fmt: skip
    _record(Kind.EXERCISE_CHANGED, exercise, actor, now, after={"state": "planned"}, reason=because)
    return exercise


def _facts(exercise: Exercise) -> dict[str, Any]:
    """What an event says. Of a surprise nothing before it starts: those who are to be surprised read the trail."""
    if not exercise.announced and exercise.started_at is None:
        return {"state": exercise.state}
    return {
        "state": exercise.state,
        "type": exercise.type,
        "scenario": exercise.scenario,
        "systems": sorted(exercise.systems.values_list("key", flat=True)),
        "planned_at": exercise.planned_at.isoformat(),
        "facilitator": exercise.facilitator.audit_id,
        "announced": exercise.announced,
    }


def _record(
    kind: Kind,
    exercise: Exercise,
    actor: Actor,
    now: datetime,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> UUID:
    return record(
        kind, actor=actor, subject=exercise_subject(exercise), now=now, before=before, after=after, reason=reason
    )
