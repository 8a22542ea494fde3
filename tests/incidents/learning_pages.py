"""Reviews, drills and numbers with something of everything, and their pages by who reads them."""

from datetime import datetime, timedelta
from typing import Any

from apps.common import clock
from apps.incidents.actions.drill_run import draft_report, end_exercise, give_inject, observe, sign_report
from apps.incidents.actions.drills import Plan, add_inject, make_ready, plan_exercise, start_exercise
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.reviews import complete_review, save_review
from apps.incidents.models import Exercise
from tests.factories import a_system
from tests.incidents.learning_world import resolved, signing

LONG = "The permission that it had was wider than what it does for a living. " * 3


def learning_pages(cast: Any, now: datetime) -> dict[str, list[str]]:
    """A review to write, one to sign, one signed; drills in five states; the numbers."""
    system = a_system(cast, key="SYS-LEARNT", name="Letter Reading Agent", owner=cast.ada, tier="critical", now=now)
    open_, ready, signed = (resolved(cast, system=system, now=now + timedelta(hours=at)) for at in (0, 4, 8))
    una = {"actor": cast.una, "now": now + timedelta(hours=30)}
    for one in (ready, signed):
        save_review(one.review, summary=LONG, causes=LONG, what_worked="Ada knew", timeline_ok=True, **una)
    day = (now + timedelta(days=9)).date()
    add_action(open_, Improvement("ownership", LONG, cast.ben, day, "high", "unreachable"), **una)
    signed.review.refresh_from_db()
    complete_review(signed.review, signing=signing(cast.una, una["now"]), **una)
    codes = [_planned(cast, system, now), _ready(cast, system, now), _running(cast, system, now),
             ended_drill(cast, system, now), _signed(cast, system, now)]  # fmt: skip
    drills = [one.path for one in codes]
    return {
        "una": [f"{open_.path}review/", f"{ready.path}review/"],
        "mara": [
            "/incidents/reviews/", "/incidents/reviews/?tab=done", "/incidents/reviews/?tab=actions",
            f"{signed.path}review/", *drills,
            "/incidents/drills/", "/incidents/drills/?tab=due", "/incidents/drills/new/?system=SYS-LEARNT",
            f"{drills[0]}edit/", f"{drills[3]}report/", f"{drills[4]}report/",
            "/incidents/metrics/", "/incidents/metrics/?period=90",
        ],
        "cleo": [drills[2]],
        "dov": ["/incidents/reviews/", "/incidents/drills/", "/incidents/drills/?tab=due"],
    }  # fmt: skip


def _planned(cast: Any, system: Any, now: datetime, **more: Any) -> Exercise:
    values = {
        "type": "tabletop", "title": "An agent reads the letters of others", "scenario": "data-access",
        "systems": (system,), "objectives": ("The lead is known within a minute", LONG[:200]),
        "facilitator": cast.mara, "planned_at": clock.now() + timedelta(days=3),
    } | more  # fmt: skip
    exercise = plan_exercise(Plan(**values), actor=cast.mara, now=now)
    for text in ("A customer calls and reads from somebody else's letter", LONG):
        add_inject(
            exercise, offset_minutes=5, text=text, expected_action="Asks what was read", expected_person=cast.ada,
            actor=cast.mara, now=now,
        )  # fmt: skip
    exercise.refresh_from_db()
    return exercise


def _ready(cast: Any, system: Any, now: datetime) -> Exercise:
    return make_ready(_planned(cast, system, now, type="blind_page"), actor=cast.mara, now=now)


def _running(cast: Any, system: Any, now: datetime) -> Exercise:
    exercise = make_ready(_planned(cast, system, now), actor=cast.mara, now=now)
    start_exercise(exercise, actor=cast.mara, now=now + timedelta(hours=20))
    give_inject(exercise.injects.order_by("order")[0], actor=cast.mara, now=now + timedelta(hours=20))
    exercise.refresh_from_db()
    return exercise


def ended_drill(cast: Any, system: Any, now: datetime) -> Exercise:
    """A tabletop about one system that is over, with a report to sign."""
    exercise = end_exercise(_running(cast, system, now), actor=cast.mara, now=now + timedelta(hours=21))
    for number, rating in ((1, "P"), (2, "U")):
        observe(
            exercise, objective=number, rating=rating, kind="strength" if rating == "P" else "improvement",
            text=LONG, evidence="The timeline", actor=cast.mara, now=now + timedelta(hours=22),
        )  # fmt: skip
    return draft_report(
        exercise, outcome="failed", summary=LONG, strengths="Fast", weaknesses=LONG, actor=cast.mara,
        now=now + timedelta(hours=23),
    )  # fmt: skip


def _signed(cast: Any, system: Any, now: datetime) -> Exercise:
    at = now + timedelta(hours=23)
    return sign_report(ended_drill(cast, system, now), signing=signing(cast.mara, at), actor=cast.mara, now=at)
