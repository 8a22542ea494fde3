"""Escalation plans as values: steps and their times, the plan in words, what is wrong with it. No Django here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apps.incidents.rules import DEFAULT_PLAN, REPEAT_AT_MOST, Target

# After the last step of a plan so many minutes are given before it begins again or is over.
LAST_WAIT = 10
STEPS_AT_MOST = 10
TARGETS_AT_MOST = 5
# A plan that takes longer than a day calls nobody in time.
LATEST = 24 * 60
ALL_CHANNELS = 0

TARGET_WORDS = {
    Target.LEAD: "the lead",
    Target.DEPUTY: "the lead's deputy",
    Target.OWNER: "the owner of the system",
    Target.MANAGER: "the lead's line manager",
    Target.FUNCTION_HEAD: "the head of the unit",
    Target.SEAT: "a seat",
    Target.PERSON: "a person",
}


@dataclass(frozen=True)
class Aim:
    """Whom a step calls, before it is known who that is today."""

    kind: str
    seat: str = ""
    person: str = ""

    def as_json(self) -> dict[str, str]:
        """As it stands in a plan."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class Step:
    """One step: minutes after the first call, whom, and by how many of their channels (0: all)."""

    after: int
    targets: tuple[Aim, ...]
    channels: int = 2

    def as_json(self) -> dict[str, Any]:
        """As it stands in a plan."""
        return {"after": self.after, "targets": [aim.as_json() for aim in self.targets], "channels": self.channels}


@dataclass(frozen=True)
class Plan:
    """A whole plan. `lap` 0 is the first time through; `repeat` says how often it begins again."""

    steps: tuple[Step, ...]
    repeat: int = 1
    name: str = ""
    key: int | None = None
    scope: str = "organisation"

    def as_json(self) -> dict[str, Any]:
        """What is pinned to an incident."""
        return {
            "plan": self.key,
            "name": self.name,
            "scope": self.scope,
            "repeat": self.repeat,
            "steps": [step.as_json() for step in self.steps],
        }

    def wait_after(self, place: int) -> int:
        """Minutes between this step and whatever comes next."""
        if place + 1 < len(self.steps):
            return self.steps[place + 1].after - self.steps[place].after
        return LAST_WAIT

    def next_after(self, lap: int, place: int) -> tuple[int, int]:
        """What comes after a step: lap and place. A lap above `repeat` is the end."""
        return (lap, place + 1) if place + 1 < len(self.steps) else (lap + 1, 0)

    def is_over(self, lap: int) -> bool:
        """Whether nobody is left to call."""
        return lap > self.repeat


def read_steps(rows: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Steps as they stand in the database. Raises KeyError or TypeError for what is none."""
    return tuple(
        Step(
            int(row["after"]),
            tuple(Aim(aim["kind"], aim.get("seat", ""), str(aim.get("person", ""))) for aim in row["targets"]),
            int(row.get("channels", 2)),
        )
        for row in rows
    )


# Stands wherever no plan can be read: somebody is called in any case.
BUILT_IN = Plan(read_steps(DEFAULT_PLAN), 1, "Default plan")


def read_plan(pinned: Any) -> Plan:
    """The plan that is pinned to an incident; the built-in one where there is none that can be read."""
    try:
        steps = read_steps(pinned["steps"])
        repeat = min(int(pinned["repeat"]), REPEAT_AT_MOST)
        found = Plan(steps, repeat, str(pinned["name"]), pinned["plan"], str(pinned["scope"]))
    except (KeyError, TypeError, ValueError):
        return BUILT_IN
    return found if steps else BUILT_IN


class Fault(StrEnum):
    """What can be wrong with a plan."""

    NO_STEPS = "no_steps"
    TOO_MANY = "too_many"
    STARTS_LATE = "starts_late"
    NOT_RISING = "not_rising"
    TOO_LATE = "too_late"
    NO_TARGET = "no_target"
    UNKNOWN_TARGET = "unknown_target"
    TWICE = "twice"
    SAME_STEP = "same_step"
    NOT_LEAD_FIRST = "not_lead_first"
    NOBODY_TODAY = "nobody_today"
    NO_OTHER = "no_other"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a plan. `blocks`: it can't be saved. `step` counts from 1; 0 is the whole plan."""

    fault: Fault
    step: int
    words: str
    blocks: bool = True


@dataclass(frozen=True)
class Known:
    """What a check of a plan may be told beside it: who each target is today, and which people and seats there are."""

    seats: frozenset[str] | None = None
    people: frozenset[str] | None = None
    # Place of a step -> the people whom it calls today.
    today: Mapping[int, Sequence[str]] = field(default_factory=dict)


def lint(plan: Plan, known: Known | None = None) -> list[Problem]:
    """Everything that is wrong with a plan, in the order of its steps; what blocks saving comes first."""
    known = known or Known()
    found = [*_whole(plan), *_times(plan)]
    for place, step in enumerate(plan.steps):
        found += [*_targets(place, step, known), *_twin(place, plan)]
        if place in known.today and not known.today[place] and step.targets:
            words = "Nobody can be called in this step today: it would be skipped at once."
            found.append(Problem(Fault.NOBODY_TODAY, place + 1, words, blocks=False))
    return sorted(found, key=lambda one: (not one.blocks, one.step))


def _whole(plan: Plan) -> list[Problem]:
    if not plan.steps:
        return [Problem(Fault.NO_STEPS, 0, "A plan has one step at least.")]
    found = []
    if len(plan.steps) > STEPS_AT_MOST:
        found.append(Problem(Fault.TOO_MANY, 0, f"A plan has {STEPS_AT_MOST} steps at most."))
    if not any(aim.kind == Target.LEAD for aim in plan.steps[0].targets):
        words = "The first step does not call the lead. Whoever leads hears of it late."
        found.append(Problem(Fault.NOT_LEAD_FIRST, 1, words, blocks=False))
    if len({aim for step in plan.steps for aim in step.targets}) == 1:
        words = "The plan calls one target only. If they don't answer, nobody else hears of it."
        found.append(Problem(Fault.NO_OTHER, 0, words, blocks=False))
    return found


def _times(plan: Plan) -> list[Problem]:
    found = []
    before = -1
    for place, step in enumerate(plan.steps):
        if not place and step.after:
            found.append(Problem(Fault.STARTS_LATE, 1, "The first step calls at once: after 0 minutes."))
        elif step.after <= before:
            words = f"Step {place + 1} comes after {step.after} min, step {place} after {before} min: times rise."
            found.append(Problem(Fault.NOT_RISING, place + 1, words))
        if step.after > LATEST:
            found.append(Problem(Fault.TOO_LATE, place + 1, "A step comes within 24 hours."))
        before = max(before, step.after)
    return found


def _targets(place: int, step: Step, known: Known) -> list[Problem]:
    found = []
    if not step.targets:
        found.append(Problem(Fault.NO_TARGET, place + 1, "This step calls nobody. Choose whom."))
    if len(step.targets) > TARGETS_AT_MOST:
        found.append(Problem(Fault.TOO_MANY, place + 1, f"A step calls {TARGETS_AT_MOST} targets at most."))
    if len(set(step.targets)) < len(step.targets):
        found.append(Problem(Fault.TWICE, place + 1, "The same target stands here twice."))
    if not 0 <= step.channels <= TARGETS_AT_MOST:
        found.append(Problem(Fault.UNKNOWN_TARGET, place + 1, "Choose by how many channels."))
    found += [Problem(Fault.UNKNOWN_TARGET, place + 1, words) for words in map(_unknown(known), step.targets) if words]
    return found


def _unknown(known: Known) -> Callable[[Aim], str]:
    def words(aim: Aim) -> str:
        if aim.kind not in list(Target):
            return "Choose whom this step calls."
        if aim.kind == Target.SEAT and (not aim.seat or (known.seats is not None and aim.seat not in known.seats)):
            return "Choose a seat."
        missing = known.people is not None and aim.person not in known.people
        if aim.kind == Target.PERSON and (not aim.person or missing):
            return "Choose an active person."
        return ""

    return words


def _twin(place: int, plan: Plan) -> list[Problem]:
    """The step before calls the same people in the same way: waiting for it changes nothing."""
    step, before = plan.steps[place], plan.steps[place - 1] if place else None
    if before is None or set(step.targets) != set(before.targets) or step.channels != before.channels:
        return []
    words = f"Step {place + 1} calls the same as step {place}, in the same way."
    return [Problem(Fault.SAME_STEP, place + 1, words, blocks=False)]


def when_words(step: Step) -> str:
    """At once; after 5 min; after 1 h 30 min."""
    if not step.after:
        return "At once"
    hours, minutes = divmod(step.after, 60)
    if not hours:
        return f"After {minutes} min"
    return f"After {hours} h" + (f" {minutes} min" if minutes else "")


def end_words(plan: Plan) -> str:
    """What happens when the last step is over."""
    then = f"{LAST_WAIT} min after the last step it is over: the holder of the mandate is called, and it is an alarm."
    if not plan.repeat:
        return then
    times = "once more" if plan.repeat == 1 else f"up to {plan.repeat} more times"
    return f"{LAST_WAIT} min after the last step it begins again, {times}. Then {then}"
