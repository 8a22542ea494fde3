"""Reading escalation plans: which stand, what each says in words, who its targets are today, what is wrong with it."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q, QuerySet

from apps.incidents.models import EscalationPlan
from apps.incidents.queries.paging import Around, Called, Roster
from apps.incidents.rules import Target
from apps.incidents.rules.plans import (
    TARGET_WORDS,
    Aim,
    Known,
    Plan,
    Problem,
    end_words,
    lint,
    read_steps,
    when_words,
)
from apps.notify.queries.channels import Reach, reach_many
from apps.people.models import Function, Person
from apps.people.queries import active_people
from apps.registry.models import System
from apps.registry.queries import live, visible_systems

KIND_WORDS = {"email": "e-mail", "sms": "text", "voice": "call", "chat": "chat"}


def plans_in_force(actor: Person) -> QuerySet[EscalationPlan]:
    """Every plan that stands and the reader may see: those of systems only where the system is visible."""
    rows = EscalationPlan.objects.filter(valid_to=None).select_related("system", "unit", "set_by")
    seen = Q(system=None) | Q(system__in=visible_systems(actor).values("pk"))
    return rows.filter(seen).order_by("system__name", "unit__name", "scenario", "name")


def plan_of(row: EscalationPlan) -> Plan:
    """The row as a value."""
    scope = "system" if row.system_id else "unit" if row.unit_id else "organisation"
    return Plan(read_steps(row.steps), row.repeat, row.name, row.pk, scope)


def scope_words(row: EscalationPlan) -> str:
    """For which systems a plan stands."""
    if row.system is not None:
        return row.system.name
    return f"{row.unit.name} and every unit below it" if row.unit is not None else "Every system"


def known_now(plan: Plan) -> Known:
    """Which of the seats and people that a plan names it may name now. Two queries."""
    named = {aim.person for step in plan.steps for aim in step.targets if aim.person}
    people = active_people().filter(kind=Person.Kind.HUMAN, pk__in=named).values_list("pk", flat=True)
    return Known(
        seats=frozenset(Function.objects.values_list("code", flat=True)),
        people=frozenset(str(pk) for pk in people),
    )


@dataclass(frozen=True)
class StepWords:
    """One step in words: when, whom it means, and who that is today."""

    number: int
    when: str
    meant: str
    today: str


@dataclass(frozen=True)
class Preview:
    """A plan in words, with who is called today for one system, and what is wrong with it."""

    plan: Plan
    system: System | None
    steps: list[StepWords]
    end: str
    problems: list[Problem]

    @property
    def blocks(self) -> bool:
        """Whether it can't be saved as it is."""
        return any(one.blocks for one in self.problems)


def preview(plan: Plan, *, system: System | None, scenario: str, now: datetime) -> Preview:
    """What happens if nobody answers, in words; for a system with the names of today."""
    today: dict[int, list[Called]] = {}
    known = known_now(plan)
    if system is not None:
        roster = Roster(Around.of_system(system, scenario, now), now)
        today = {place: roster.people(_readable(step.targets)) for place, step in enumerate(plan.steps)}
        known = replace(known, today={place: [str(one.person.pk) for one in found] for place, found in today.items()})
    names, seats = _names(plan), dict(Function.objects.values_list("code", "seat_title"))
    ways = reach_many([one.person for found in today.values() for one in found])
    steps = [
        StepWords(
            place + 1,
            when_words(step),
            _and([_meant(aim, names, seats) for aim in step.targets]) or "nobody",
            "; ".join(_today(one, ways[one.person.pk], step.channels) for one in today.get(place, [])),
        )
        for place, step in enumerate(plan.steps)
    ]
    return Preview(plan, system, steps, end_words(plan), lint(plan, known))


def _readable(aims: tuple[Aim, ...]) -> list[Aim]:
    return [aim for aim in aims if aim.kind in list(Target) and (aim.kind != Target.PERSON or aim.person)]


def _names(plan: Plan) -> dict[str, str]:
    wanted = {aim.person for step in plan.steps for aim in step.targets if aim.person}
    return {str(one.pk): one.display_name for one in Person.objects.filter(pk__in=wanted)}


def _meant(aim: Aim, names: dict[str, str], seats: dict[str, str]) -> str:
    if aim.kind == Target.SEAT:
        return f"the seat {seats.get(aim.seat, aim.seat)}"
    if aim.kind == Target.PERSON:
        return names.get(aim.person, "somebody who is not known")
    return TARGET_WORDS.get(Target(aim.kind), aim.kind) if aim.kind in list(Target) else "nobody"


def _today(one: Called, ways: list[Reach], channels: int) -> str:
    usable = [way for way in ways if way.usable]
    kinds = dict.fromkeys(KIND_WORDS.get(str(way.kind), str(way.kind)) for way in usable[: channels or len(usable)])
    by = f" by {_and(list(kinds))}" if kinds else ", whom nothing reaches"
    place = f" in the place of {one.stands_in_for.display_name}" if one.stands_in_for else ""
    return f"{one.person.display_name}{place}{by}"


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def choosable_systems(actor: Person) -> QuerySet[System]:
    """Live systems for which somebody may ask who is called today."""
    return live(visible_systems(actor)).order_by("name")
