"""What an answer needs before it can be signed. No Django here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from apps.attestations.facts import words_of
from apps.attestations.questions import GIVEN, Question, Section, Type, Value, values_of
from apps.attestations.rules.contradictions import Against, contradiction
from apps.attestations.rules.states import EXCEPTION_DAYS
from apps.common.dates import day_words, read_date

COMMENT_LENGTH = 600
# Text is saved as typed up to this length; longer text is no answer but a file.
STORED_LENGTH = 5000
DATE_LENGTH = 40


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
        """The date of the plan as people write it; what was typed where it is none."""
        return shown(self.plan_date)

    @property
    def shown_day(self) -> str:
        """The day that was answered, as people write it."""
        return shown(self.day)

    @property
    def longest(self) -> int:
        """The length of its longest text."""
        texts = (self.comment, self.plan, self.control, self.text, self.explanation)
        return max(len(text) for text in texts)


def normal_date(text: str) -> str:
    """ISO where the text is a date, else what was typed."""
    day = read_date(text)
    return day.isoformat() if day else text.strip()


def shown(text: str) -> str:
    """A date as people write it; what was typed where it is none."""
    day = read_date(text)
    return day_words(day) if day else text


@dataclass(frozen=True)
class Problem:
    """What is missing in an answer, and in which part of it: "value" or the name of a field of Given."""

    question: str
    part: str
    text: str


def normalised(question: Question, given: Given, against: Against) -> Given:
    """What counts of an answer: only the parts that belong to its type and value.

    Who corrects a fact need not describe it twice: the description follows from the correction.
    """
    if question.is_chosen:
        kept = _chosen(question, given, against)
    else:
        kept = Given(text=given.text, person=given.person, day=given.day)
        kept = replace(kept, value=GIVEN if _is_given(question, given) else "")
    said = contradiction(question, kept.value, kept.day, against)
    return replace(kept, explanation=given.explanation if said else "")


def _chosen(question: Question, given: Given, against: Against) -> Given:
    needs = Value(given.value).needs if given.value else ""
    if not needs:
        return Given(given.value)
    if needs == "reason":
        return Given(given.value, given.comment)
    kept = replace(given, person="", day="", text="")
    if question.type == Type.CONFIRM_FACT:
        fact = words_of(question.fact, against.facts)
        kept = replace(kept, text=given.text, comment=f"The register says: {fact}. Right is: {given.text}")
        return kept if given.text.strip() else replace(kept, comment="")
    return kept


def _is_given(question: Question, given: Given) -> bool:
    """Whether it answers a question without radios. Evidence is given by its file, so its value comes along."""
    if question.type == Type.PERSON:
        return bool(given.person)
    if question.type == Type.DATE:
        return read_date(given.day) is not None
    return bool(given.text.strip()) if question.type == Type.TEXT else given.value == GIVEN


def problems_of(
    question: Question, given: Given | None, *, today: date, against: Against | None = None
) -> list[Problem]:
    """What is missing before this answer can be signed. With `against` also what contradicts it unexplained."""
    if question.is_chosen:
        problems = _chosen_problems(question, given, today)
    else:
        problems = _given_problems(question, given or Given(), today)
    if given is None or against is None or given.explanation.strip():
        return problems
    if contradiction(question, given.value, given.day, against):
        problems.append(Problem(question.key, "explanation", f"Say why your answer holds: {question.short}"))
    return problems


def _chosen_problems(question: Question, given: Given | None, today: date) -> list[Problem]:
    if given is None or given.value not in question.values:
        return [Problem(question.key, "value", f"Answer: {question.short}")] if question.required else []
    needs = Value(given.value).needs
    problems = []
    corrects = question.type == Type.CONFIRM_FACT and needs == "exception"
    if corrects and not given.text.strip():
        problems.append(Problem(question.key, "text", f"Write what is right: {question.short}"))
    if needs and not corrects and not given.comment.strip():
        problems.append(Problem(question.key, "comment", f"{_WHY[needs]}: {question.short}"))
    problems += _length_problems(question, given)
    if needs == "exception":
        problems += _exception_problems(question, given, today)
    return problems


_WHY = {"exception": "Describe the exception", "reason": "Give the reason"}


def _length_problems(question: Question, given: Given) -> list[Problem]:
    texts = {
        # Who corrects a fact does not write the description.
        "comment": "" if question.type == Type.CONFIRM_FACT and given.text else given.comment,
        "plan": given.plan,
        "control": given.control,
        "text": given.text,
        "explanation": given.explanation,
    }
    return [
        Problem(question.key, part, f"Use {COMMENT_LENGTH} characters at most: {question.short}")
        for part, text in texts.items()
        if len(text) > COMMENT_LENGTH
    ]


def last_day(severity: str, today: date) -> date:
    """The last day by which an exception of this severity has to be put right, declared today."""
    return today + timedelta(days=EXCEPTION_DAYS[severity])


def _exception_problems(question: Question, given: Given, today: date) -> list[Problem]:
    problems = []
    if given.severity not in EXCEPTION_DAYS:
        problems.append(Problem(question.key, "severity", f"Say how grave it is: {question.short}"))
    if not given.control.strip():
        text = f"Say what protects until it is put right, or that nothing does: {question.short}"
        problems.append(Problem(question.key, "control", text))
    if not given.plan.strip():
        problems.append(Problem(question.key, "plan", f"Say what you will do: {question.short}"))
    return problems + _due_problems(question, given, today)


def _due_problems(question: Question, given: Given, today: date) -> list[Problem]:
    day = read_date(given.plan_date)
    if day is None:
        return [Problem(question.key, "plan_date", f"Say by which date, like 11 Dec 2026: {question.short}")]
    if day < today:
        return [Problem(question.key, "plan_date", f"Choose a date that has not passed: {question.short}")]
    if given.severity in EXCEPTION_DAYS and day > last_day(given.severity, today):
        last, days = day_words(last_day(given.severity, today)), EXCEPTION_DAYS[given.severity]
        text = f"Choose {last} or earlier: what is {given.severity} has {days} days at most: {question.short}"
        return [Problem(question.key, "plan_date", text)]
    return []


def _given_problems(question: Question, given: Given, today: date) -> list[Problem]:
    if given.value != GIVEN:
        if question.type == Type.DATE and given.day.strip():
            return [Problem(question.key, "day", f"Write a day, like 11 Nov 2026: {question.short}")]
        if not question.required and not given.text.strip():
            return []
        return [Problem(question.key, _PART[question.type], f"{_ASK[question.type]}: {question.short}")]
    problems = _length_problems(question, given)
    day = read_date(given.day) if question.type == Type.DATE else None
    if day is not None and question.bounds in ("past", "period") and day > today:
        problems.append(Problem(question.key, "day", f"This day has not come yet: {question.short}"))
    if day is not None and question.bounds == "future" and day <= today:
        problems.append(Problem(question.key, "day", f"Choose a day that is still to come: {question.short}"))
    return problems


_PART = {Type.PERSON: "person", Type.DATE: "day", Type.TEXT: "text", Type.EVIDENCE: "evidence"}
_ASK = {
    Type.PERSON: "Name a person from the directory",
    Type.DATE: "Say on which day, like 11 Nov 2026",
    Type.TEXT: "Answer",
    Type.EVIDENCE: "Add a file",
}


def section_problems(
    section: Section, answers: Mapping[str, Given], *, today: date, against: Against | None = None
) -> list[Problem]:
    """What is missing in one section, among the questions that apply after these answers."""
    return [
        problem
        for question in section.asked(values_of(answers))
        for problem in problems_of(question, answers.get(question.key), today=today, against=against)
    ]


def declared(sections: Sequence[Section], answers: Mapping[str, Given]) -> list[str]:
    """Keys of the questions whose answer is an exception: with an exception, no, or cannot say."""
    chosen = values_of(answers)
    return [
        question.key
        for section in sections
        for question in section.asked(chosen)
        if question.key in answers and answers[question.key].value in _EXCEPTIONS
    ]


_EXCEPTIONS = {Value.YES_WITH_EXCEPTION, Value.NO, Value.CANNOT_ATTEST}


def is_exception(value: str) -> bool:
    """Whether an answer is shown as an exception and forbids a clean statement."""
    return value in _EXCEPTIONS
