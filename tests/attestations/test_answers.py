"""What counts of an answer, what is missing in it, and what the frozen facts say against it."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from apps.attestations.facts import drift, known
from apps.attestations.questions import DEFAULT_SET, Question, Section, Type, section_from, written
from apps.attestations.rules import (
    Against,
    Given,
    contradiction,
    normalised,
    problems_of,
    section_problems,
)
from apps.attestations.rules.question_sets import problems_of_sections, with_defaults

TODAY = date(2026, 11, 24)
BEGINS = date(2026, 10, 1)
SETS = ("base", "grave", "high-risk", "vendor", "agents", "changes")
LEAD = {"party": "CISO", "id": "x", "name": "Cleo Marchetti"}
FACTS: dict[str, Any] = {
    "at": "2026-11-09T08:00:00+00:00",
    "owner": {"id": "x", "name": "Ada Nwosu", "basis": "accepted", "since": "2026-11-05T09:00:00+00:00"},
    "deputy": {"id": "y", "name": "Ben Ortega"}, "unit": {"id": 1, "name": "Claims"}, "purpose": "Sorts letters",
    "tier": "high", "stage": "production", "regulatory_class": "minimal", "operating_model": "vendor_saas",
    "vendor": "Initech", "identities": ["service_account: svc-mail"], "exceptions": {"open": 0, "overdue": 0},
    "leads": {"data-access": LEAD, "harmful-decision": LEAD, "cost-spike": LEAD},
}  # fmt: skip


def against(*changes: str, **facts: Any) -> Against:
    return Against({**FACTS, **facts}, BEGINS, TODAY, changes)


def asked(key: str) -> Question:
    sections = [section_from(part) for name in SETS for part in written(name)["sections"]]
    return next(question for section in sections for question in section.questions if question.key == key)


@pytest.mark.parametrize(
    ("key", "value", "facts", "changes", "words"),
    [
        ("deputy", "yes", {"deputy": None}, (), "The directory names no active deputy."),
        ("deputy", "no", {"deputy": None}, (), ""),
        ("response_card", "yes", {"leads": {"data-access": LEAD, "harmful-decision": None,
                                            "cost-spike": {"party": "CFO", "id": None, "name": None}}}, (),
         "Nobody leads the response for: it made a harmful decision, it cost too much."),
        ("purpose", "yes", {"purpose": ""}, (), "The register holds no purpose."),
        ("tier", "yes", {"tier": "unknown"}, (), "The register says that the tier is unknown."),
        ("tier", "yes", {"tier": "unknown", "regulatory_class": "unknown"}, (),
         "The register says that the tier and regulatory class are unknown."),
        ("identities", "yes", {"identities": []}, (), "The register lists no identity."),
        ("changes", "not_applicable", {}, ("vendor", "unit"),
         "On the register the vendor changed since the last attestation."),
        ("changes", "not_applicable", {}, ("unit",), ""),
        ("changes", "yes", {}, ("vendor",), ""),
        ("open_exceptions", "not_applicable", {"exceptions": {"open": 2, "overdue": 1}}, (), "2 exceptions are open."),
        ("open_exceptions", "yes", {"exceptions": {"open": 2, "overdue": 1}}, (),
         "1 exception is past the day of the plan."),
        ("open_exceptions", "yes", {"exceptions": {"open": 2, "overdue": 0}}, (), ""),
        ("accountable", "yes", {"owner": {**FACTS["owner"], "basis": "interim"}}, (), ""),
        ("vendor_name", "yes", {"vendor": ""}, (), "The register says: none on the register."),
        ("hr_class", "yes", {"regulatory_class": "unknown"}, (), "The register says: unknown."),
        ("vendor_name", "yes", {}, (), ""),
    ],
)  # fmt: skip
def test_what_the_facts_say_against_an_answer(
    key: str, value: str, facts: dict[str, Any], changes: tuple[str, ...], words: str
) -> None:
    question, held = asked(key), against(*changes, **facts)
    assert contradiction(question, value, "", held) == words
    plain, explained = Given(value, "Why"), Given(value, "Why", explanation="Seen myself")
    parts = [problem.part for problem in problems_of(question, plain, today=TODAY, against=held)]
    assert ("explanation" in parts) is bool(words)
    assert "explanation" not in [p.part for p in problems_of(question, explained, today=TODAY, against=held)]
    assert normalised(question, explained, held).explanation == ("Seen myself" if words else "")


def test_a_day_before_the_period_contradicts_and_a_day_to_come_is_refused() -> None:
    question = asked("kill_switch_on")
    old, fresh, later = (
        Given("given", day="2026-09-30"),
        Given("given", day="2026-10-01"),
        Given("given", day="2026-11-25"),
    )
    assert contradiction(question, "given", old.day, against()) == (
        "30 Sep 2026 lies before this period, which began on 1 Oct 2026."
    )
    assert problems_of(question, fresh, today=TODAY, against=against()) == []
    assert [p.part for p in problems_of(question, old, today=TODAY, against=against())] == ["explanation"]
    assert [p.text for p in problems_of(question, later, today=TODAY, against=against())] == [
        "This day has not come yet: Day of the stop test"
    ]
    # An assessment may be older than the period, never from the future.
    assert problems_of(asked("hr_impact_on"), Given("given", day="2025-01-01"), today=TODAY, against=against()) == []


def test_a_corrected_fact_is_an_exception_with_what_is_right() -> None:
    question = asked("vendor_name")
    given = Given("no", plan="Change it", plan_date="2026-12-01", severity="low", control="Nothing", text="Umbrella")
    kept = normalised(question, given, against())
    assert kept.comment == "The register says: Initech. Right is: Umbrella"
    assert problems_of(question, kept, today=TODAY) == []
    bare = normalised(question, Given("no"), against())
    assert [p.part for p in problems_of(question, bare, today=TODAY)] == [
        "text",
        "severity",
        "control",
        "plan",
        "plan_date",
    ]


def test_only_what_belongs_to_the_answer_is_kept() -> None:
    full = Given("yes", "c", "p", "2026-12-01", "low", "k", "o", "t", "x", "2026-11-01", "e")
    assert normalised(asked("runbook"), full, against()) == Given("yes")
    assert normalised(asked("runbook_on"), Given(day="2026-11-01"), against()) == Given("given", day="2026-11-01")
    assert normalised(asked("runbook_on"), Given("given", day="soon"), against()) == Given(day="soon")
    assert normalised(asked("cost_alert"), Given("given", text="Jon"), against()) == Given(text="Jon")
    assert normalised(asked("grave_report"), Given("given"), against()) == Given("given")


def test_a_follow_up_counts_only_after_its_answer() -> None:
    section = DEFAULT_SET[3]
    answers = {key: Given("yes") for key in ("response_card", "kill_switch", "runbook", "drills")}
    missing = [p.question for p in section_problems(section, answers, today=TODAY)]
    assert missing == ["kill_switch_on", "runbook_on", "drills_on"]
    answers["kill_switch"] = answers["runbook"] = answers["drills"] = Given("not_applicable", "It is a copy")
    assert section_problems(section, answers, today=TODAY) == []


def test_what_changed_comes_first_with_what_it_was() -> None:
    section = next(one for one in DEFAULT_SET if one.slug == "changes")
    facts = known(section, FACTS, changes=("vendor",), before={**FACTS, "vendor": "Umbrella"})
    assert [(fact.term, fact.changed, fact.was) for fact in facts][:2] == [
        ("Vendor", True, "Umbrella"), ("Model", False, ""),
    ]  # fmt: skip
    assert (facts[0].source, facts[0].as_of) == ("the register", date(2026, 11, 9))
    assert drift(FACTS, {"vendor": "Umbrella", "tier": "high"}) == [("Vendor", "Initech", "Umbrella")]


@pytest.mark.parametrize("name", SETS)
def test_what_is_delivered_can_be_asked(name: str) -> None:
    data = written(name)
    assert problems_of_sections(data["sections"]) == []
    assert with_defaults(data["sections"]) == data["sections"]


def test_no_key_and_no_address_is_used_twice() -> None:
    sections = [part for name in SETS for part in written(name)["sections"]]
    keys = [question["key"] for part in sections for question in part["questions"]]
    assert len(keys) == len(set(keys))
    assert len(sections) == len({part["slug"] for part in sections})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slug": "Check it"}, "Section Check it, slug: use small letters"),
        ({"slug": "receipt"}, "slug: receipt is taken"),
        ({"text": "{owner}"}, "only {name} can stand in braces"),
        ({"facts": ["colour"]}, "facts: choose from"),
        ({"colour": 1}, "colour is no field"),
        ({"questions": []}, "questions: write at least one"),
    ],
)
def test_a_fault_of_a_section_says_where_and_what_to_do(change: dict[str, Any], words: str) -> None:
    section = {**written("vendor")["sections"][0], **change}
    assert any(words in problem for problem in problems_of_sections([section]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "base key"}, "key: use small letters"),
        ({"key": "taken"}, "key: taken is taken"),
        ({"text": " "}, "question one, text: write something."),
        ({"type": "colour"}, "question one, type: choose from"),
        ({"type": "confirm_fact", "fact": "leads"}, "fact: say which one is confirmed"),
        (
            {"values": [{"value": "yes", "label": "Yes"}, {"value": "not_applicable", "label": "-"}]},
            "leave a way not to say",
        ),
        ({"values": [{"value": "yes", "label": "Yes"}]}, "values: write two or more"),
        ({"when": {"question": "later", "in": ["yes"]}}, "when: name an earlier question"),
        ({"bounds": "past"}, "bounds: only a date has them"),
        ({"required": "no"}, "required: write true or false"),
    ],
)
def test_a_fault_of_a_question_says_where_and_what_to_do(change: dict[str, Any], words: str) -> None:
    question = {
        "key": "one", "text": "Is it?", "short": "It is",
        "values": [{"value": "yes", "label": "Yes"}, {"value": "no", "label": "No"}], **change,
    }  # fmt: skip
    section = {"slug": "s", "title": "S", "text": "", "facts": [], "questions": [question]} | {"text": "About {name}"}
    problems = problems_of_sections([section], taken_keys={"taken"})
    assert any(words in problem for problem in problems), problems


NAMES = ["slug", "title", "text", "facts", "questions", "key", "when", "values", "type", "in"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@given_by(ANYTHING)
def test_no_input_breaks_the_reader_of_questions(anything: Any) -> None:
    assert all(isinstance(problem, str) for problem in problems_of_sections(anything))
    assert all(isinstance(problem, str) for problem in problems_of_sections([anything]))


@given_by(st.sampled_from(DEFAULT_SET), st.data())
def test_what_is_kept_is_kept_the_same_again(section: Section, data: st.DataObject) -> None:
    question = data.draw(st.sampled_from(section.questions))
    value = data.draw(st.sampled_from([*question.values, ""])) if question.is_chosen else ""
    text = st.sampled_from(["", "x", "2026-11-01"])
    given = Given(value, *(data.draw(text) for _ in range(10)))
    held = against(deputy=None, purpose="", identities=[])
    once = normalised(question, given, held)
    assert normalised(question, once, held) == once
    assert question.type == Type.EVIDENCE or not once.value or question.takes(once.value)
