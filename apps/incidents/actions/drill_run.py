"""Running a drill and learning from it: injects, times, the stop test, observations, the report that is signed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Actor, Kind, Subject
from apps.common.clock import local_date
from apps.common.errors import NotAllowed, Refused
from apps.common.saving import save_checked
from apps.common.workdays import add_working_days
from apps.incidents.actions.calling import stop_calling
from apps.incidents.actions.checks import given
from apps.incidents.actions.common import Line, incident_subject, line, locked_incident, save_incident, told
from apps.incidents.actions.drills import locked_exercise, require_facilitator, save_exercise
from apps.incidents.actions.improvements import Improvement, exercise_subject, put_action
from apps.incidents.actions.leads import end_lead
from apps.incidents.actions.signing import Signing, put_incident_signature
from apps.incidents.models import (
    Exercise,
    Incident,
    IncidentUserPermission,
    Inject,
    Observation,
    ResponseProfile,
    ReviewAction,
    Signature,
)
from apps.incidents.rules import OPEN, Dismissed, ExerciseState
from apps.incidents.rules import State as Stands
from apps.incidents.rules.drills import GAP_WITHIN, REPORT_WORDS, report_lacks
from apps.incidents.rules.reviews import DRILL_FAILED
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Severity

State = ExerciseState
# The number that an observation about the stop itself has.
STOP_TEST = 0


def takes_part(exercise: Exercise, person: Person) -> bool:
    """Whether somebody facilitates a drill or was called in it. One query at most."""
    if person.pk in {exercise.facilitator_id, exercise.created_by_id}:
        return True
    mine = IncidentUserPermission.objects.filter(user=person, content_object__exercise=exercise)
    return mine.exists()


def _require_part(exercise: Exercise, actor: Person) -> None:
    if not takes_part(exercise, actor):
        raise NotAllowed("Only those who take part in the drill can do this.")


@transaction.atomic
def give_inject(inject: Inject, *, actor: Person, now: datetime) -> Inject:
    """The facilitator tells it: from now on the answer is timed. Who takes part is told. Raises Refused twice."""
    exercise = locked_exercise(inject.exercise, State.RUNNING)
    require_facilitator(exercise, actor)
    if not Inject.objects.filter(pk=inject.pk, given_at=None).update(given_at=now):
        raise Refused("This was told already.")
    inject.refresh_from_db()
    _tell_part(exercise, inject, actor, now)
    record(
        Kind.EXERCISE_INJECT_GIVEN, actor=actor, subject=exercise_subject(exercise), now=now,
        after={"inject": inject.order},
    )  # fmt: skip
    return inject


def _tell_part(exercise: Exercise, inject: Inject, actor: Person, now: datetime) -> None:
    called = IncidentUserPermission.objects.filter(content_object__exercise=exercise).values("user")
    people = Person.objects.filter(pk__in=called, is_active=True).exclude(pk=actor.pk).order_by("pk")
    subject = f"DRILL: {exercise.code}, {inject.text}"[:200]
    body = f"DRILL: {inject.text}\n\nSay on the drill's page what you do. The time runs."
    enqueue_many([Note(f"inject:{inject.pk}:{one.pk}", one, subject, body, exercise.path) for one in people], now=now)


@transaction.atomic
def answer_inject(inject: Inject, *, answer: str, actor: Person, now: datetime) -> Inject:
    """Somebody who takes part says what they do. The first answer counts.

    Raises NotAllowed for anybody else, Refused before it was told, twice, and without words.
    """
    exercise = locked_exercise(inject.exercise, State.RUNNING)
    _require_part(exercise, actor)
    answer = given(answer, "Say what you do.")
    open_ = Inject.objects.filter(pk=inject.pk, given_at__isnull=False, answered_at=None)
    if not open_.update(answered_at=now, answer=answer):
        raise Refused("This was not told yet, or it was answered already.")
    inject.refresh_from_db()
    record(
        Kind.EXERCISE_INJECT_ANSWERED, actor=actor, subject=exercise_subject(exercise), now=now,
        after={"inject": inject.order}, private={"answer": inject.answer},
    )  # fmt: skip
    return inject


@transaction.atomic
def mark_time(exercise: Exercise, what: str, *, actor: Person, now: datetime) -> Exercise:
    """It was decided now whether it would be reported (decision), or there is a draft that could be handed in (draft).

    No legal clock runs in a drill; these two times are what it measures instead. Raises Refused twice.
    """
    name = {"decision": "decision_at", "draft": "draft_at"}[what]
    exercise = locked_exercise(exercise, State.RUNNING)
    _require_part(exercise, actor)
    if getattr(exercise, name) is not None:
        raise Refused("This time was noted already.")
    setattr(exercise, name, now)
    save_exercise(exercise, name)
    _changed(exercise, actor, now, {what: now.isoformat()})
    return exercise


@transaction.atomic
def record_stop_test(
    exercise: Exercise, system: System, *, worked: bool, note: str, actor: Person, now: datetime
) -> Observation:
    """Whether the system really stopped. Where it did, that is the day of its last stop test.

    Raises Refused for another kind of drill, for a system that is not in it, and without words.
    """
    exercise = locked_exercise(exercise, State.RUNNING, State.HOTWASH)
    require_facilitator(exercise, actor)
    if exercise.type != Exercise.Type.KILL_SWITCH:
        raise Refused("This drill does not stop anything.")
    if not exercise.systems.filter(pk=system.pk).exists():
        raise Refused(f"{system.name} is not in this drill.")
    note = given(note, "Say how it was stopped, and how long that took.")
    seen = Observation(
        exercise=exercise, objective=STOP_TEST, rating="P" if worked else "U",
        kind="strength" if worked else "improvement", person=actor, at=now,
        text=f"{system.name} {'stopped' if worked else 'did not stop'}: {note}",
    )  # fmt: skip
    save_checked(seen)
    save_exercise(exercise)
    cause = _changed(exercise, actor, now, {"stop_test": system.key, "worked": worked})
    if worked:
        _stop_tested(system, actor, now, cause)
    return seen


def _stop_tested(system: System, actor: Person, now: datetime, cause: UUID) -> None:
    day = local_date(now)
    ResponseProfile.objects.update_or_create(
        system=system, defaults={"stop_tested_on": day, "changed_by": actor, "changed_at": now}
    )
    entry = Entry(
        Kind.RESPONSE_PROFILE_CHANGED, Subject("system", str(system.pk), system.name),
        after={"stop_tested_on": day.isoformat()},
    )  # fmt: skip
    record_many([entry], actor=actor, now=now, cause=cause)


@transaction.atomic
def end_exercise(exercise: Exercise, *, actor: Person, now: datetime) -> Exercise:
    """The drill is over and is talked through. Its incidents end wherever they stand; nobody is called any more."""
    exercise = locked_exercise(exercise, State.RUNNING)
    require_facilitator(exercise, actor)
    exercise.state, exercise.ended_at = State.HOTWASH.value, now
    save_exercise(exercise, "state", "ended_at")
    cause = record(
        Kind.EXERCISE_ENDED, actor=actor, subject=exercise_subject(exercise), now=now, after={"state": exercise.state}
    )
    for incident in exercise.incidents.select_related("system").order_by("system", "pk"):
        _end(incident, actor, now, cause)
    return exercise


def _end(incident: Incident, actor: Actor, now: datetime, cause: UUID) -> None:
    incident = locked_incident(incident)
    if incident.state not in OPEN:
        return
    kind = Kind.INCIDENT_CLOSED if incident.state in {Stands.RESOLVED, Stands.IN_REVIEW} else Kind.INCIDENT_DISMISSED
    if kind == Kind.INCIDENT_CLOSED:
        incident.state, incident.closed_at = Stands.CLOSED.value, now
        save_incident(incident, "state", "closed_at")
    else:
        incident.state, incident.dismissed_at = Stands.DISMISSED.value, now
        incident.dismissed_because, incident.dismissal_note = Dismissed.DRILL_OVER.value, "The drill is over."
        save_incident(incident, "state", "dismissed_at", "dismissed_because", "dismissal_note")
    end_lead(incident, now)
    stop_calling(incident, now)
    line(incident, Line.DECISION, "The drill is over.", now=now)
    record_many([Entry(kind, incident_subject(incident), after=told(incident))], actor=actor, now=now, cause=cause)


@transaction.atomic
def observe(
    exercise: Exercise, *, objective: int, rating: str, kind: str, text: str, actor: Person, now: datetime,
    evidence: str = "",
) -> Observation:  # fmt: skip
    """Write down what was seen about one objective, with its rating. It stays: a later one can say more.

    Raises Refused for an objective that there is not, and once the report is signed; ValidationError without words.
    """
    exercise = locked_exercise(exercise, State.RUNNING, State.HOTWASH, State.AAR_DRAFT)
    require_facilitator(exercise, actor)
    if not 1 <= objective <= len(exercise.objectives):
        raise Refused("Choose one of the objectives.")
    seen = Observation(
        exercise=exercise, objective=objective, rating=rating, kind=kind, text=text.strip(),
        evidence=evidence.strip(), person=actor, at=now,
    )  # fmt: skip
    save_checked(seen)
    record(
        Kind.EXERCISE_OBSERVED, actor=actor, subject=exercise_subject(exercise), now=now,
        after={"objective": objective, "rating": rating, "kind": kind},
    )  # fmt: skip
    return seen


def ratings(exercise: Exercise) -> dict[int, str]:
    """The latest rating of each objective, and of the stop where it was tested: a stop that failed once failed."""
    found: dict[int, str] = {}
    for number, rating in exercise.observations.order_by("at", "pk").values_list("objective", "rating"):
        found[number] = "U" if number == STOP_TEST and found.get(number) == "U" else rating
    return found


@transaction.atomic
def draft_report(
    exercise: Exercise,
    *,
    outcome: str,
    summary: str,
    strengths: str,
    weaknesses: str,
    actor: Person,
    now: datetime,
    version: int | None = None,
) -> Exercise:
    """Keep the report as far as it is written. Raises MeanwhileChanged for another version."""
    exercise = locked_exercise(exercise, State.HOTWASH, State.AAR_DRAFT, version=version)
    require_facilitator(exercise, actor)
    exercise.outcome = outcome if outcome in {"passed", "failed"} else ""
    exercise.summary, exercise.strengths, exercise.weaknesses = summary.strip(), strengths.strip(), weaknesses.strip()
    exercise.state = State.AAR_DRAFT.value
    save_exercise(exercise, "outcome", "summary", "strengths", "weaknesses", "state")
    _changed(exercise, actor, now, {"state": exercise.state, "outcome": exercise.outcome})
    return exercise


def lacking(exercise: Exercise) -> list[str]:
    """What the report still needs before it can be signed, in words. One query."""
    found = ratings(exercise)
    left = report_lacks(
        outcome=exercise.outcome, summary=exercise.summary, objectives=len(exercise.objectives), rated=found
    )
    if found.get(STOP_TEST) == "U" and exercise.outcome == "passed":
        left.append("A system did not stop, so that the drill did not pass.")
    return left


@transaction.atomic
def sign_report(
    exercise: Exercise, *, signing: Signing, actor: Person, now: datetime, version: int | None = None
) -> Exercise:
    """Who facilitated signs the after-action report. A drill that failed opens a gap for each of its systems.

    Raises NotAllowed for anybody else, Refused for what is missing, MeanwhileChanged for another version.
    """
    exercise = locked_exercise(exercise, State.AAR_DRAFT, version=version)
    if actor.pk != exercise.facilitator_id:
        raise NotAllowed(f"{exercise.facilitator.display_name} facilitated this drill. Only they can sign the report.")
    if left := lacking(exercise):
        raise Refused(f"It can't be signed yet. {' '.join(left)}")
    exercise.signature = put_incident_signature(
        Signature.Kind.REPORT, REPORT_WORDS, report_content(exercise), about=exercise, signing=signing, signer=actor,
        now=now,
    )  # fmt: skip
    exercise.state = State.AAR_SIGNED.value
    save_exercise(exercise, "state", "signature")
    cause = record(
        Kind.EXERCISE_REPORTED, actor=actor, subject=exercise_subject(exercise), now=now,
        after={"outcome": exercise.outcome, "sha256": exercise.signature.payload_sha256},
    )  # fmt: skip
    if exercise.outcome == "failed":
        _open_gaps(exercise, actor, now, cause)
    return exercise


def _open_gaps(exercise: Exercise, actor: Person, now: datetime, cause: UUID) -> None:
    """Somebody sees to it that the next one passes: the owner of each system, by a day."""
    due = add_working_days(local_date(now), GAP_WITHIN)
    for system in exercise.systems.select_related("owner").order_by("pk"):
        owner = system.owner if system.owner.is_active else mandate_holder() or actor
        item = Improvement(
            ReviewAction.Type.PROCESS, "Put right what the report says, and repeat the drill until it passes.", owner,
            due, Severity.HIGH.value, "", system,
        )  # fmt: skip
        title = f"The drill {exercise.code} failed for {system.name}: {exercise.title}."
        put_action(exercise, item, actor=actor, now=now, cause=cause, code=DRILL_FAILED, title=title)


def report_content(exercise: Exercise) -> dict[str, Any]:
    """Everything that the signature stands for, so that it can be read and checked on its own."""
    injects = exercise.injects.order_by("order")
    return {
        "exercise": {
            "code": exercise.code, "type": exercise.type, "title": exercise.title, "scenario": exercise.scenario,
            "announced": exercise.announced, "objectives": list(exercise.objectives),
            "systems": sorted(exercise.systems.values_list("key", flat=True)),
            "started_at": _iso(exercise.started_at), "ended_at": _iso(exercise.ended_at),
            "decision_at": _iso(exercise.decision_at), "draft_at": _iso(exercise.draft_at),
            "incidents": sorted(exercise.incidents.values_list("code", flat=True)),
        },
        "injects": [
            {"order": one.order, "text": one.text, "given_at": _iso(one.given_at),
             "answered_at": _iso(one.answered_at), "answer": one.answer}
            for one in injects
        ],
        "observations": [
            {"objective": one.objective, "rating": one.rating, "kind": one.kind, "text": one.text,
             "evidence": one.evidence}
            for one in exercise.observations.order_by("pk")
        ],
        "report": {"outcome": exercise.outcome, "summary": exercise.summary, "strengths": exercise.strengths,
                   "weaknesses": exercise.weaknesses},
    }  # fmt: skip


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@transaction.atomic
def close_exercise(exercise: Exercise, *, actor: Person, now: datetime) -> Exercise:
    """Everything that it showed has a person and a day. Raises Refused with what has not."""
    exercise = locked_exercise(exercise, State.AAR_SIGNED)
    require_facilitator(exercise, actor)
    if left := unowned(exercise):
        raise Refused(f"It can't be closed yet. {' '.join(left)}")
    exercise.state, exercise.closed_at = State.CLOSED.value, now
    save_exercise(exercise, "state", "closed_at")
    record(
        Kind.EXERCISE_CLOSED, actor=actor, subject=exercise_subject(exercise), now=now, after={"state": exercise.state}
    )
    return exercise


def unowned(exercise: Exercise) -> list[str]:
    """What a drill showed that nobody does by a day, in words. Two queries."""
    items = list(exercise.actions.select_related("finding").prefetch_related("finding__actions"))
    to_improve = exercise.observations.filter(kind="improvement").exists()
    if (to_improve or exercise.outcome == "failed") and not items:
        return ["Say who does by when what it showed."]
    return [
        f"Nobody does by a day: {one.finding.title}"
        for one in items
        if one.finding.state != "closed"
        and not any(a.state in {"planned", "done", "verified"} for a in one.finding.actions.all())
    ]


def _changed(exercise: Exercise, actor: Actor, now: datetime, after: dict[str, Any]) -> UUID:
    return record(Kind.EXERCISE_CHANGED, actor=actor, subject=exercise_subject(exercise), now=now, after=after)
