"""Runbooks on paper: what comes with the portal, the lint, the differences. No database."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.incidents.rules.runbook_diff import FieldChange, Piece, differences, words_between
from apps.incidents.rules.runbooks import (
    ROLE_WORDS,
    WITHOUT_RUNBOOK,
    Candidate,
    StepText,
    lint,
    most_specific,
)
from apps.registry.rules import Scenario
from tests.incidents.steps_world import CONTAIN, FIND, FREEZE, GATE, RESTART, STEPS, TELL

SEED = Path(__file__).resolve().parent.parent.parent / "apps" / "incidents" / "data" / "runbooks.json"
BOOKS = json.loads(SEED.read_text(encoding="utf-8"))
ROLES = {*ROLE_WORDS, "ciso", "engineering", "cto", "platform", "ai_lead", "finance", "legal", "board"}


def said(steps: list[StepText]) -> list[tuple[str, int, str]]:
    return [(fault.level.value, fault.step, fault.text) for fault in lint(steps, ROLES)]


def test_there_is_one_for_each_scenario_and_one_for_not_sure() -> None:
    assert {book["scenario"] for book in BOOKS} == {"", *(scenario.value for scenario in Scenario)}
    assert [len(book["steps"]) for book in BOOKS] == [10, 10, 9, 9, 8, 8, 9, 10]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: str(book["key"]))
def test_what_comes_with_the_portal_has_no_fault(book: Any) -> None:
    steps = [StepText(**step) for step in book["steps"]]
    assert lint(steps, ROLES) == []
    assert steps[0].does == "containment"
    assert (steps[1].does if steps[1].does else steps[2].does) == "evidence_freeze"
    assert [step.needs_two for step in steps if step.does == "changes_system" and step.phase == "recover"].count(
        False
    ) == 0
    assert not any("!" in value or "lease" in value.split() for step in book["steps"] for value in step.values()
                   if isinstance(value, str))  # fmt: skip


@pytest.mark.parametrize("scenario", ["data-access", "harmful-decision", "cost-spike"])
def test_the_mandatory_ones_say_what_is_common_to_incidents_of_ai(scenario: str) -> None:
    book = next(book for book in BOOKS if book["scenario"] == scenario)
    text = json.dumps(book)
    for part in ("prompts", "tool calls", "exact version", "operating model", "vendor", "timeline", "usual time",
                 "General Counsel", "second person"):  # fmt: skip
        assert part in text, part
    phases = [step["phase"] for step in book["steps"]]
    assert set(phases) == {"contain", "preserve", "assess", "tell", "recover"}


def test_what_nobody_goes_without_is_sound() -> None:
    assert lint(list(WITHOUT_RUNBOOK), ROLES) == []


def test_a_sound_list_has_no_fault() -> None:
    assert said(STEPS) == []


FAULTS: list[tuple[str, list[StepText], list[tuple[str, int, str]]]] = [
    ("nothing", [], [("block", 0, "There is no step.")]),
    ("contains nothing", [FREEZE, TELL], [("block", 0, "No step contains the incident.")]),
    ("no freeze", [CONTAIN, TELL], [("block", 0, "No step freezes the evidence.")]),
    (
        "change before freeze", [CONTAIN, RESTART, FREEZE, TELL],
        [("block", 2, "It changes the system before the evidence is frozen.")],
    ),
    (
        "left out", [replace(CONTAIN, required=False), replace(FREEZE, required=False), TELL],
        [("block", 1, "It may be left out."), ("block", 2, "It may be left out.")],
    ),
    ("empty", [*STEPS, StepText(" ", "x")], [("block", 7, "It says nothing.")]),
    ("long title", [*STEPS, StepText("x" * 81, "y")], [("block", 7, "Its title has 81 characters.")]),
    ("long text", [*STEPS, StepText("x", "y" * 1201)], [("warn", 7, "What to do has 1,201 characters.")]),
    ("nobody", [*STEPS, replace(FIND, title="x", role="cfo")], [("block", 7, "Nobody is a “cfo”.")]),
    ("nobody told", [CONTAIN, FREEZE], [("warn", 0, "No step tells anybody.")]),
    ("twice", [*STEPS, replace(CONTAIN, title="Again")], [("warn", 7, "A second step contains the incident.")]),
    ("same title", [*STEPS, FIND], [("warn", 7, "Steps 3 and 7 have the same title.")]),
    (
        "no way out", [replace(CONTAIN, if_not=""), FREEZE, TELL],
        [("warn", 1, "Nothing is said for when stopping fails.")],
    ),
    (
        "gate", [CONTAIN, FREEZE, replace(GATE, role="ciso")],
        [("warn", 3, "The General Counsel agrees, and somebody else does it.")],
    ),
    (
        "no proof", [CONTAIN, replace(FREEZE, evidence_required=False), TELL],
        [("warn", 2, "Evidence is frozen without anything that shows it.")],
    ),
    (
        "too many", [CONTAIN, FREEZE, TELL, *(StepText(f"Step {n}", "x") for n in range(28))],
        [("block", 0, "There are 31 steps.")],
    ),
    (
        "many", [CONTAIN, FREEZE, TELL, *(StepText(f"Step {n}", "x") for n in range(10))],
        [("warn", 0, "There are 13 steps.")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "faults"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_fault_is_named_with_its_step(steps: list[StepText], faults: list[tuple[str, int, str]]) -> None:
    assert said(steps) == faults
    assert all(fault.remedy for fault in lint(steps, ROLES))


def test_the_most_specific_stands() -> None:
    all_of_them = [
        Candidate(1), Candidate(2, unit_id=10), Candidate(3, unit_id=11), Candidate(4, operating_model="iaas"),
        Candidate(5, system_id=7), Candidate(6, system_id=8), Candidate(7, operating_model="self_hosted"),
        Candidate(8, unit_id=99),
    ]  # fmt: skip

    def chosen(*left_out: int) -> int | None:
        kept = [one for one in all_of_them if one.pk not in left_out]
        return most_specific(kept, system_id=7, operating_model="iaas", units=[10, 11])

    assert (chosen(), chosen(5), chosen(5, 4), chosen(5, 4, 2), chosen(5, 4, 2, 3)) == (5, 4, 2, 3, 1)
    assert chosen(5, 4, 2, 3, 1) is None


def test_differences_name_what_was_added_removed_moved_and_changed() -> None:
    now = [
        CONTAIN, replace(FREEZE, title="Freeze it first", target_minutes=30), TELL, FIND,
        StepText("Call the insurer", "Ring them up today."),
    ]  # fmt: skip
    found = differences([CONTAIN, FREEZE, FIND, TELL, GATE], now)
    assert [(one.kind, one.title, one.before, one.now) for one in found] == [
        ("changed", "Freeze it first", 2, 2),
        ("moved", "Find out", 3, 4),
        ("added", "Call the insurer", 0, 5),
        ("removed", "Decide whether to report", 5, 0),
    ]
    assert found[0].fields == (
        FieldChange("Title", (Piece("same", "Freeze it"), Piece("ins", "first"))),
        FieldChange("Minutes", (Piece("del", "nothing"), Piece("ins", "30"))),
    )
    assert differences(STEPS, STEPS) == []
    assert [one.kind for one in differences([], [CONTAIN])] == ["added"]


def test_words_are_marked_one_run_at_a_time() -> None:
    assert words_between("Pause the agent now", "Stop the agent") == (
        Piece("del", "Pause"), Piece("ins", "Stop"), Piece("same", "the agent"), Piece("del", "now"),
    )  # fmt: skip
