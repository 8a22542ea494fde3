"""The verbs of reviews and drills for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from apps.incidents.actions import drill_run, drills, improvements, reviews
from apps.incidents.actions.drill_facilitator import replace_facilitator
from apps.incidents.models import Exercise, Inject, Review
from apps.people.models import Person
from tests.factories import NOW
from tests.incidents import verbs_live
from tests.incidents.learning_world import signing

# Parts of verbs, a look that is no act, and a sweep that calls a verb for each row.
NO_VERBS = {
    "begin_review", "note_first_view", "put_action", "put_incident_signature", "start_due_drills",
    "suggested_facilitator",
}  # fmt: skip
AT = NOW + timedelta(days=1)
Prepare = Callable[[Any], Callable[[], Any]]


def _by(w: Any) -> dict[str, Any]:
    return {"actor": w.cast.mara, "now": w.by["now"]}


def _review(w: Any, **more: str) -> Review:
    review: Review = Review.objects.get(incident=verbs_live.resolved(w))
    texts = {"summary": "Letters", "causes": "Too wide"}
    return reviews.save_review(review, actor=review.facilitator, now=w.by["now"], timeline_ok=True, **texts)


def _complete(w: Any) -> Callable[[], Any]:
    review = _review(w)
    signed = signing(review.facilitator, w.by["now"])
    return lambda: reviews.complete_review(review, signing=signed, actor=review.facilitator, now=w.by["now"])


def _skip(w: Any) -> Callable[[], Any]:
    review = _review(w)
    Review.objects.filter(pk=review.pk).update(required_by="")
    signed = signing(w.cast.mara, w.by["now"])
    return lambda: reviews.skip_review(review, reason="Small", signing=signed, **_by(w))


def _open(w: Any) -> Callable[[], Any]:
    incident = verbs_live.contained(w)
    reviews.suggested_facilitator, before = (lambda *_: None), reviews.suggested_facilitator
    try:
        incident = verbs_live.states.resolve(incident, resolution="Narrowed", actor=w.cast.ada, now=NOW)
    finally:
        reviews.suggested_facilitator = before
    return lambda: reviews.open_review(incident, w.cast.una, **_by(w))


def _plan(w: Any, **more: Any) -> drills.Plan:
    values: dict[str, Any] = {
        "type": "tabletop", "title": "It reads letters", "scenario": "data-access", "systems": (w.system,),
        "objectives": ("Known at once",), "facilitator": w.cast.mara, "planned_at": AT,
    } | more  # fmt: skip
    return drills.Plan(**values)


def _planned(w: Any, **more: Any) -> Exercise:
    exercise = drills.plan_exercise(_plan(w, **more), actor=w.cast.mara, now=NOW)
    _inject(w, exercise)
    exercise.refresh_from_db()
    return exercise


def _inject(w: Any, exercise: Exercise) -> Inject:
    return drills.add_inject(
        exercise, offset_minutes=5, text="A call", expected_action="Asks", actor=w.cast.mara, now=NOW
    )


def _ready(w: Any, **more: Any) -> Exercise:
    return drills.make_ready(_planned(w, **more), actor=w.cast.mara, now=NOW)


def _running(w: Any, **more: Any) -> Exercise:
    exercise = _ready(w, **more)
    drills.start_exercise(exercise, actor=w.cast.mara, now=NOW)
    exercise.refresh_from_db()
    return exercise


def _ended(w: Any) -> Exercise:
    return drill_run.end_exercise(_running(w), actor=w.cast.mara, now=NOW)


def _drafted(w: Any, outcome: str = "passed") -> Exercise:
    exercise = _ended(w)
    seen = {"objective": 1, "rating": "P", "kind": "strength", "text": "Seen"}
    drill_run.observe(exercise, **seen, actor=w.cast.mara, now=NOW)
    return drill_run.draft_report(
        exercise, outcome=outcome, summary="Good", strengths="", weaknesses="", actor=w.cast.mara, now=NOW
    )


def _signed(w: Any) -> Exercise:
    return drill_run.sign_report(_drafted(w), signing=signing(w.cast.mara, NOW), actor=w.cast.mara, now=NOW)


def _sign(w: Any) -> Callable[[], Any]:
    exercise, signed = _drafted(w, "failed"), signing(w.cast.mara, w.by["now"])
    return lambda: drill_run.sign_report(exercise, signing=signed, **_by(w))


def _given(w: Any) -> Inject:
    return drill_run.give_inject(_running(w).injects.get(), actor=w.cast.mara, now=NOW)


def _item(w: Any) -> improvements.Improvement:
    return improvements.Improvement("fix", "Narrow it", w.cast.ben, date(2030, 1, 4))


def then(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Prepare:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


CHANGED = {"exercise.changed": 1}


def _facilitator_left(w: Any) -> Callable[[], Any]:
    exercise = _ready(w, facilitator=w.cast.nils)
    drills.start_exercise(exercise, actor=w.cast.nils, now=NOW)
    exercise.refresh_from_db()
    Person.objects.filter(pk=w.cast.nils.pk).update(is_active=False, deactivated_at=NOW)
    return lambda: replace_facilitator(exercise, w.cast.bo, **_by(w))


ACTION = {"caused finding.raised": 1, "caused finding.action.planned": 1}
VERBS: dict[str, tuple[Prepare, dict[str, int]]] = {
    "open_review": (_open, {"review.opened": 1}),
    "save_review": (
        then(_review, lambda w, r: reviews.save_review(r, causes="Another", **_by(w))), {"review.saved": 1},
    ),
    "change_facilitator": (
        then(_review, lambda w, r: reviews.change_facilitator(r, w.cast.cleo, **_by(w))), {"review.saved": 1},
    ),
    "complete_review": (_complete, {"review.completed": 1}),
    "skip_review": (_skip, {"review.skipped": 1}),
    "add_action": (
        then(verbs_live.resolved, lambda w, i: improvements.add_action(i, _item(w), **_by(w))),
        {"review.action_added": 1} | ACTION,
    ),
    "plan_exercise": (lambda w: lambda: drills.plan_exercise(_plan(w), **_by(w)), {"exercise.planned": 1}),
    "change_exercise": (
        then(_planned, lambda w, e: drills.change_exercise(e, _plan(w, title="Other"), **_by(w))), CHANGED,
    ),
    "add_inject": (then(_planned, lambda w, e: _inject(w, e)), CHANGED),
    "remove_inject": (then(_planned, lambda w, e: drills.remove_inject(e.injects.get(), **_by(w))), CHANGED),
    "make_ready": (then(_planned, lambda w, e: drills.make_ready(e, **_by(w))), CHANGED),
    "cancel_exercise": (
        then(_ready, lambda w, e: drills.cancel_exercise(e, reason="No time", **_by(w))), {"exercise.cancelled": 1},
    ),
    "replace_facilitator": (_facilitator_left, CHANGED),
    "postpone_exercise": (
        then(_ready, lambda w, e: drills.postpone_exercise(e, because="Late", **_by(w))), CHANGED,
    ),
    "start_exercise": (
        then(_ready, lambda w, e: drills.start_exercise(e, **_by(w))),
        {"exercise.started": 1, "caused incident.declared": 1, "caused incident.paged": 1},
    ),
    "give_inject": (
        then(_running, lambda w, e: drill_run.give_inject(e.injects.get(), **_by(w))), {"exercise.inject_given": 1},
    ),
    "answer_inject": (
        then(_given, lambda w, i: drill_run.answer_inject(i, answer="Stop it", **_by(w))),
        {"exercise.inject_answered": 1},
    ),
    "mark_time": (then(_running, lambda w, e: drill_run.mark_time(e, "decision", **_by(w))), CHANGED),
    "record_stop_test": (
        then(
            lambda w: _running(w, type="kill_switch"),
            lambda w, e: drill_run.record_stop_test(e, w.system, worked=True, note="In 40 s", **_by(w)),
        ),
        CHANGED | {"caused response_profile.changed": 1},
    ),
    "end_exercise": (
        then(_running, lambda w, e: drill_run.end_exercise(e, **_by(w))),
        {"exercise.ended": 1, "caused incident.dismissed": 1},
    ),
    "observe": (
        then(
            _ended,
            lambda w, e: drill_run.observe(e, objective=1, rating="P", kind="strength", text="Seen", **_by(w)),
        ),
        {"exercise.observed": 1},
    ),
    "draft_report": (
        then(
            _ended,
            lambda w, e: drill_run.draft_report(
                e, outcome="passed", summary="Good", strengths="", weaknesses="", **_by(w)
            ),
        ),
        CHANGED,
    ),
    "sign_report": (_sign, {"exercise.reported": 1} | ACTION),
    "close_exercise": (then(_signed, lambda w, e: drill_run.close_exercise(e, **_by(w))), {"exercise.closed": 1}),
}  # fmt: skip
