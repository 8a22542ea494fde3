"""What an answer needs before it can be signed. No Django here."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from apps.attestations.questions import Question, Section, Value

COMMENT_LENGTH = 600
# Text is saved as typed up to this length; longer text is no answer but a file.
STORED_LENGTH = 5000


@dataclass(frozen=True)
class Given:
    """What a person answered to one question, as typed. Dates are ISO where they could be read, people are ids.

    Of an exception: `comment` describes it, `plan`, `plan_date`, `severity`, `control` and `plan_owner` belong to
    it. `text`, `person` and `day` answer other types of question; `explanation` answers a contradiction.
    """

    value: str = ""
    comment: str = ""
    plan: str = ""
    plan_date: str = ""
    severity: str = ""
    control: str = ""
    plan_owner: str = ""
    text: str = ""
    person: str = ""
    day: str = ""
    explanation: str = ""

    @property
    def shown_date(self) -> str:
        """The date as people write it; what was typed where it is none."""
        day = read_date(self.plan_date)
        return f"{day.day} {day:%b %Y}" if day else self.plan_date


@dataclass(frozen=True)
class Problem:
    """What is missing in an answer, and in which part of it: "value", "comment", "plan" or "plan_date"."""

    question: str
    part: str
    text: str


_DATE_FORMATS = ("%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%d.%m.%Y")


def read_date(text: str) -> date | None:
    """A date as people write it: 11 Dec 2026, 11 December 2026, 11.12.2026 or 2026-12-11."""
    for form in _DATE_FORMATS:
        try:
            return date(*time.strptime(" ".join(text.split()), form)[:3])
        except ValueError:
            continue
    return None


def normal_date(text: str) -> str:
    """ISO where the text is a date, else what was typed."""
    day = read_date(text)
    return day.isoformat() if day else text.strip()


def problems_of(question: Question, given: Given | None, *, today: date) -> list[Problem]:
    """What is missing before this answer can be signed."""
    if given is None or given.value not in question.values:
        return [Problem(question.key, "value", f"Answer: {question.short}")]
    needs = Value(given.value).needs
    problems = []
    if needs and not given.comment.strip():
        problems.append(Problem(question.key, "comment", f"{_WHY[needs]}: {question.short}"))
    if len(given.comment) > COMMENT_LENGTH or len(given.plan) > COMMENT_LENGTH:
        problems.append(Problem(question.key, "comment", f"Use {COMMENT_LENGTH} characters at most: {question.short}"))
    if needs == "exception":
        problems += _plan_problems(question, given, today)
    return problems


_WHY = {"exception": "Describe the exception", "reason": "Give the reason"}


def _plan_problems(question: Question, given: Given, today: date) -> list[Problem]:
    problems = []
    if not given.plan.strip():
        problems.append(Problem(question.key, "plan", f"Say what you will do: {question.short}"))
    day = read_date(given.plan_date)
    if day is None:
        problems.append(Problem(question.key, "plan_date", f"Say by which date, like 11 Dec 2026: {question.short}"))
    elif day < today:
        problems.append(Problem(question.key, "plan_date", f"Choose a date that has not passed: {question.short}"))
    return problems


def section_problems(section: Section, answers: Mapping[str, Given], *, today: date) -> list[Problem]:
    """What is missing in one section."""
    return [
        problem
        for question in section.questions
        for problem in problems_of(question, answers.get(question.key), today=today)
    ]


def declared(sections: Sequence[Section], answers: Mapping[str, Given]) -> list[str]:
    """Keys of the questions whose answer is an exception: with an exception, no, or cannot say."""
    return [
        question.key
        for section in sections
        for question in section.questions
        if question.key in answers and answers[question.key].value in _EXCEPTIONS
    ]


_EXCEPTIONS = {Value.YES_WITH_EXCEPTION, Value.NO, Value.CANNOT_ATTEST}


def is_exception(value: str) -> bool:
    """Whether an answer is shown as an exception and forbids a clean statement."""
    return value in _EXCEPTIONS
