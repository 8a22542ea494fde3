"""Dates, answers, statements: pure decisions."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.attestations import rules
from apps.attestations.facts import known
from apps.attestations.questions import DEFAULT_SET, Value, frozen, thawed
from apps.attestations.rules import Given, Period
from apps.audit.rules import canonical
from apps.common.dates import day_words

TODAY = date(2026, 11, 24)


def weekday(day: date) -> bool:
    return day.weekday() < 5


def test_periods_read_and_follow() -> None:
    assert str(Period.parse("2026Q4").next()) == "2027Q1"
    assert str(Period.parse("2026Q1").previous()) == "2025Q4"
    assert str(Period.of(date(2026, 6, 30))) == "2026Q2"
    assert Period.parse("2026Q4").words == "fourth quarter 2026"
    assert (str(Period.parse("2026-12").next()), Period.parse("2026-11").label) == ("2027-01", "Nov 2026")
    assert (str(Period.parse("2026H1").previous()), Period.parse("2026H2").words) == ("2025H2", "second half of 2026")
    assert (str(Period.parse("2026").next()), Period.parse("2026").last_day) == ("2027", date(2026, 12, 31))
    assert Period.parse("2028-02").last_day == date(2028, 2, 29)
    assert Period.parse("2026Q4").first_day == date(2026, 10, 1)
    for text in ("2026q4", "2026Q5", "Q4 2026", "", "1999Q1", "2026-13", "2026H3"):
        with pytest.raises(ValueError, match="no quarter"):
            Period.parse(text)


def test_dates_as_the_design_draws_them() -> None:
    dates = rules.schedule(date(2026, 11, 20), opens_before=21, closes_after=10, is_working_day=weekday)
    assert dates.due_critical_on == date(2026, 11, 6)
    assert dates.due_high_on == date(2026, 11, 13)
    assert dates.opens_on == date(2026, 10, 30)
    assert dates.closes_on == date(2026, 11, 30)
    assert dates.due_for("unknown") == dates.due_for("low") == dates.due_on


@given(st.dates(date(2020, 1, 1), date(2060, 1, 1)), st.integers(0, 60), st.integers(0, 60))
def test_due_dates_are_in_order_and_never_before_the_opening(day: date, before: int, after: int) -> None:
    dates = rules.schedule(day, opens_before=before, closes_after=after, is_working_day=weekday)
    assert dates.opens_on <= dates.due_critical_on <= dates.due_high_on <= dates.due_on <= dates.closes_on


@given(
    st.dictionaries(
        st.sampled_from(["name", "owner", "v", "leads"]),
        st.recursive(
            st.none() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "id"]), inner),
            max_leaves=8,
        ),
    )
)
def test_frozen_facts_are_canonical_json(facts: dict[str, object]) -> None:
    assert rules.canonical_facts(facts) == canonical(facts)


def test_the_question_set_survives_freezing() -> None:
    again = thawed(frozen(DEFAULT_SET), {})
    assert [section.slug for section in again] == [section.slug for section in DEFAULT_SET]
    assert frozen(again) == frozen(DEFAULT_SET)
    assert len(again) == 6
    keys = [question.key for section in again for question in section.questions]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("section", DEFAULT_SET, ids=lambda section: section.slug)
def test_no_answer_no_signature(section: object) -> None:
    for question in section.questions:  # type: ignore[attr-defined]
        if not question.is_chosen:
            assert bool(rules.problems_of(question, None, today=TODAY)) is question.required
            continue
        assert rules.problems_of(question, None, today=TODAY)
        assert rules.problems_of(question, Given(""), today=TODAY)
        assert rules.problems_of(question, Given("maybe"), today=TODAY)
        assert not rules.problems_of(question, Given("yes"), today=TODAY)
        for value in question.values:
            if Value(value).needs:
                assert rules.problems_of(question, Given(value), today=TODAY)


def test_an_exception_needs_words_a_plan_and_a_date_to_come() -> None:
    question = DEFAULT_SET[3].questions[1]
    rest = {"comment": "Not tested", "plan": "Test it", "severity": "high", "control": "None"}

    def parts(**fields: str) -> list[str]:
        return [problem.part for problem in rules.problems_of(question, Given("no", **fields), today=TODAY)]

    assert parts() == ["comment", "severity", "control", "plan", "plan_date"]
    assert parts(**rest, plan_date="2026-11-23") == ["plan_date"]
    assert parts(**rest, plan_date="soon") == ["plan_date"]
    assert parts(**rest, plan_date="2026-12-11") == []
    assert parts(**{**rest, "comment": "x" * 601}, plan_date="2026-12-11") == ["comment"]


@pytest.mark.parametrize(
    ("severity", "last"),
    [("critical", "2026-12-24"), ("high", "2027-01-23"), ("medium", "2027-02-22"), ("low", "2027-05-23")],
)
def test_the_graver_the_exception_the_earlier_it_is_put_right(severity: str, last: str) -> None:
    question = DEFAULT_SET[3].questions[1]
    day = date.fromisoformat(last)
    assert rules.last_day(severity, TODAY) == day

    def said(due: date) -> list[str]:
        given = Given("no", "Not tested", "Test it", due.isoformat(), severity, "None")
        return [problem.text for problem in rules.problems_of(question, given, today=TODAY)]

    assert said(day) == []
    (text,) = said(day + timedelta(days=1))
    assert text.startswith(f"Choose {day_words(day)} or earlier")


def test_dates_as_people_write_them() -> None:
    for text in ("11 Dec 2026", "11 December 2026", "2026-12-11", "11.12.2026", "  11  dec 2026 "):
        assert rules.normal_date(text) == "2026-12-11"
    assert rules.normal_date("next week") == "next week"
    assert Given(plan_date="2026-12-11").shown_date == "11 Dec 2026"


@given(st.lists(st.sampled_from(["yes", "not_applicable", "no", "yes_with_exception", "cannot_attest"]), max_size=13))
def test_one_exception_forbids_the_clean_statement(values: list[str]) -> None:
    keys = [question.key for section in DEFAULT_SET for question in section.questions if question.is_chosen]
    answers = {key: Given(value) for key, value in zip(keys, values, strict=False)}
    exceptions = len(rules.declared(DEFAULT_SET, answers))
    clean = all(value in {"yes", "not_applicable"} for value in values)
    assert (rules.meaning_of(exceptions) == "certify") is clean
    text = rules.statement("Mail", interim=False, exceptions=exceptions)
    assert ("I do not certify" in text) is not clean


def test_an_interim_owner_says_so() -> None:
    assert "as interim owner" in rules.statement("Mail", interim=True, exceptions=0)
    assert "interim" not in rules.statement("Mail", interim=False, exceptions=2)


def test_what_the_portal_cannot_know_says_so() -> None:
    facts = {
        "owner": {"id": "x", "name": "Ada Nwosu", "basis": "interim", "since": "2026-11-10T09:00:00+00:00"},
        "deputy": None, "unit": {"id": 1, "name": "Claims"}, "purpose": "", "tier": "high", "stage": "pilot",
        "regulatory_class": "high_risk", "operating_model": "unknown", "vendor": "", "identities": [],
        "leads": {"data-access": {"party": "CISO", "id": None, "name": None}, "harmful-decision": None,
                  "cost-spike": {"party": "System owner", "id": "x", "name": "Ada Nwosu"}},
    }  # fmt: skip
    by_term = {fact.term: fact for section in DEFAULT_SET for fact in known(section, facts)}
    unknown = {term for term, fact in by_term.items() if fact.unknown}
    assert {"Last drill", "Last test of the stop", "Spend this quarter", "Incidents this quarter"} <= unknown
    assert by_term["Owner"].note == "Interim: nobody has accepted, since 10 Nov 2026"
    assert by_term["It accessed data"].value == "Vacant seat"
    assert by_term["It made a harmful decision"].value == "Nobody is named"
