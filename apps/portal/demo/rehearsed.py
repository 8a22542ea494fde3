"""What was rehearsed in the demo: a tabletop with its signed report, and a live stop that is planned."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.common.clock import local_date
from apps.incidents.actions.drill_run import (
    answer_inject,
    close_exercise,
    draft_report,
    end_exercise,
    give_inject,
    mark_time,
    observe,
    sign_report,
)
from apps.incidents.actions.drills import Plan, add_inject, make_ready, plan_exercise, start_exercise
from apps.incidents.actions.improvements import Improvement, add_action
from apps.incidents.actions.paging import acknowledge
from apps.incidents.actions.signing import Signing
from apps.incidents.models import Exercise
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.portal.demo.cast import MANDATE_HOLDER
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.portal.demo.responding import grave
from apps.registry.models import System
from apps.registry.rules import Scenario

FACILITATOR, PLAYS = "kenji.albrecht", "samir.devries"
INJECTS = (
    (0, "A caller reads out the address of another claimant.", "Say who leads, and stop the agent."),
    (15, "A newspaper asks how many people are affected.", "Nobody answers but the General Counsel's office."),
    (30, "The vendor says that its logs are kept for 24 hours only.", "Ask in writing that they are kept."),
)
ANSWERS = (
    "The CISO leads. The agent is stopped at the gateway.",
    "Sent on to the General Counsel; nobody else answers.",
    "Written request sent to the vendor's incident line.",
)


@transaction.atomic
def load_drills(moments: Moments) -> bool:
    """A tabletop that is over, and a live stop next week. False where a drill was planned."""
    if Exercise.objects.exists():
        return False
    people, systems = cast(), tuple(grave(cast()[PLAYS])[:1])
    _tabletop(people, moments.working_hour(30, 60), systems)
    plan = Plan(
        "kill_switch", "Stop the first system of the owner", Scenario.UNSAFE_ACTION,
        tuple(grave(people["beatrix.lowell"])[1:2]), ("It is stopped within ten minutes", "Nothing is lost"),
        people[FACILITATOR], moments.now + timedelta(days=6),
    )  # fmt: skip
    plan_exercise(plan, actor=people[MANDATE_HOLDER], now=moments.working_hour(2, 90))
    return True


def _tabletop(people: dict[str, Person], at: datetime, systems: tuple[System, ...]) -> None:
    leader = people[FACILITATOR]
    plan = Plan(
        "tabletop", "Letters reach the wrong claimants", Scenario.DATA_ACCESS, systems,
        ("One name within a minute", "Evidence is safe before anything is changed", "Who is told, by whom"), leader, at,
    )  # fmt: skip
    planned = at - timedelta(days=6)
    exercise = plan_exercise(plan, actor=people[MANDATE_HOLDER], now=planned)
    injects = [
        add_inject(exercise, offset_minutes=offset, text=text, expected_action=wanted, actor=leader, now=planned)
        for offset, text, wanted in INJECTS
    ]
    exercise = make_ready(_now(exercise), actor=leader, now=planned)
    (incident,) = start_exercise(_now(exercise), actor=leader, now=at)
    acknowledge(incident, actor=incident.lead, now=at + timedelta(minutes=2))
    for place, inject in enumerate(injects):
        then = at + timedelta(minutes=5 + 15 * place)
        inject.refresh_from_db()
        given = give_inject(inject, actor=leader, now=then)
        answer_inject(given, answer=ANSWERS[place], actor=incident.lead, now=then + timedelta(minutes=4))
    mark_time(_now(exercise), "decision", actor=leader, now=at + timedelta(minutes=44))
    mark_time(_now(exercise), "draft", actor=leader, now=at + timedelta(minutes=71))
    end_exercise(_now(exercise), actor=leader, now=at + timedelta(minutes=80))
    _report(_now(exercise), people, leader, at + timedelta(hours=3))


def _report(exercise: Exercise, people: dict[str, Person], leader: Person, at: datetime) -> None:
    for place, (rating, kind, text) in enumerate(
        (("P", "strength", "The name stood on the page before the question was asked."),
         ("S", "improvement", "The export of prompts took 25 minutes, ten were meant."),
         ("P", "strength", "Everybody knew that Legal speaks to the press."))
    ):  # fmt: skip
        observe(_now(exercise), objective=place + 1, rating=rating, kind=kind, text=text, actor=leader, now=at)
    add_action(
        _now(exercise),
        Improvement("fix", "Write the export of prompts as one command.", people[PLAYS],
                    local_date(at) + timedelta(days=60), "medium"),
        actor=leader, now=at,
    )  # fmt: skip
    draft_report(
        _now(exercise), outcome="passed", summary="The lead was known at once; keeping the evidence was slow.",
        strengths="One name, and one voice to the outside.", weaknesses="The export is done by hand.", actor=leader,
        now=at,
    )  # fmt: skip
    signing = Signing(True, leader.display_name, Confirmation("password", at))
    sign_report(_now(exercise), signing=signing, actor=leader, now=at + timedelta(minutes=1))
    close_exercise(_now(exercise), actor=leader, now=at + timedelta(minutes=5))


def _now(exercise: Exercise) -> Exercise:
    """As it is now: each verb counts its version up."""
    return Exercise.objects.select_related("facilitator").get(pk=exercise.pk)
