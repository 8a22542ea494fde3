"""Questions: their types, which of them apply to a system, and their form as frozen into a campaign. No Django here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

VERSION = "2"
DATA = Path(__file__).parent / "data" / "questions"


class Type(StrEnum):
    """What kind of answer a question takes."""

    CHOICE = "choice"
    # The register's value is shown: it is right, or what is right is written down.
    CONFIRM_FACT = "confirm_fact"
    PERSON = "person"
    DATE = "date"
    EVIDENCE = "evidence"
    TEXT = "text"


# Types that are answered by a radio; the others by what is given in their own field.
CHOSEN = (Type.CHOICE, Type.CONFIRM_FACT)
GIVEN = "given"


class Value(StrEnum):
    """What can be chosen."""

    YES = "yes"
    YES_WITH_EXCEPTION = "yes_with_exception"
    NO = "no"
    NOT_APPLICABLE = "not_applicable"
    CANNOT_ATTEST = "cannot_attest"

    @property
    def needs(self) -> str:
        """What comes with the answer: nothing, a reason, or an exception (description, plan and date)."""
        return _NEEDS.get(self, "")

    @property
    def label(self) -> str:
        return _LABELS[self]


_NEEDS = {
    Value.YES_WITH_EXCEPTION: "exception",
    Value.NO: "exception",
    Value.NOT_APPLICABLE: "reason",
    Value.CANNOT_ATTEST: "reason",
}
_LABELS = {
    Value.YES: "Yes",
    Value.YES_WITH_EXCEPTION: "Yes, with an exception",
    Value.NO: "No",
    Value.NOT_APPLICABLE: "It does not apply",
    Value.CANNOT_ATTEST: "I cannot say",
}
GIVEN_LABELS = {Type.PERSON: "Named", Type.DATE: "Dated", Type.EVIDENCE: "Evidence given", Type.TEXT: "Answered"}


@dataclass(frozen=True)
class When:
    """A question that is asked only after certain answers to an earlier one of its section."""

    question: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """One question: as asked, as it stands in a list, and which answers fit. `labels` words some differently.

    `fact` names what is confirmed; `bounds` says where a day has to lie: "past" (today or before) or "future".
    """

    key: str
    text: str
    short: str
    values: tuple[str, ...] = ()
    hint: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    type: Type = Type.CHOICE
    required: bool = True
    when: When | None = None
    fact: str = ""
    bounds: str = ""

    def label_of(self, value: str) -> str:
        """How an answer to this question reads."""
        if value == GIVEN:
            return GIVEN_LABELS.get(self.type, "Given")
        return self.labels.get(value) or Value(value).label

    @property
    def is_chosen(self) -> bool:
        """Whether it is answered by a radio."""
        return self.type in CHOSEN

    def takes(self, value: str) -> bool:
        """Whether this is an answer to it."""
        return value in self.values if self.is_chosen else value == GIVEN

    def applies(self, chosen: Mapping[str, str]) -> bool:
        """Whether it is asked after these answers (question -> value)."""
        return self.when is None or chosen.get(self.when.question, "") in self.when.values


@dataclass(frozen=True)
class Section:
    """A page of questions. `facts` names what the portal knows and shows before them."""

    slug: str
    title: str
    text: str
    facts: tuple[str, ...]
    questions: tuple[Question, ...]

    def asked(self, chosen: Mapping[str, str]) -> tuple[Question, ...]:
        """The questions that apply after these answers."""
        return tuple(question for question in self.questions if question.applies(chosen))


def values_of(answers: Mapping[str, Any]) -> dict[str, str]:
    """Question -> value, of answers as typed."""
    return {key: given.value for key, given in answers.items()}


def frozen(sections: Sequence[Section]) -> dict[str, Any]:
    """Questions as JSON, the way a campaign keeps them."""
    return {"version": VERSION, "sections": [_section(section) for section in sections]}


def _section(section: Section) -> dict[str, Any]:
    return {
        "slug": section.slug,
        "title": section.title,
        "text": section.text,
        "facts": list(section.facts),
        "questions": [_frozen_question(question) for question in section.questions],
    }


def _frozen_question(question: Question) -> dict[str, Any]:
    when = question.when
    return {
        "key": question.key,
        "text": question.text,
        "short": question.short,
        "hint": question.hint,
        "type": question.type.value,
        "required": question.required,
        "when": {"question": when.question, "in": list(when.values)} if when else None,
        "fact": question.fact,
        "bounds": question.bounds,
        "values": [{"value": value, "label": question.label_of(value)} for value in question.values],
    }


def thawed(question_set: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[Section, ...]:
    """The sections that apply to a system, from the campaign's frozen questions and the system's frozen facts."""
    parts = question_set.get("sets") or [question_set]
    return tuple(
        section_from(section)
        for part in parts
        if _applies(part.get("when"), facts)
        for section in part["sections"]
    )  # fmt: skip


def _applies(when: Mapping[str, Any] | None, facts: Mapping[str, Any]) -> bool:
    return all(not values or facts.get(name) in values for name, values in (when or {}).items())


def section_from(part: Mapping[str, Any]) -> Section:
    """A section from its JSON, frozen or as it stands in a version of a question set."""
    return Section(
        part["slug"],
        part["title"],
        part["text"],
        tuple(part["facts"]),
        tuple(_question(question) for question in part["questions"]),
    )


def _question(part: Mapping[str, Any]) -> Question:
    values = part.get("values") or []
    when = part.get("when")
    return Question(
        key=part["key"],
        text=part["text"],
        short=part["short"],
        values=tuple(value["value"] for value in values),
        hint=part.get("hint", ""),
        labels={value["value"]: value["label"] for value in values},
        type=Type(part.get("type", Type.CHOICE)),
        required=part.get("required", True),
        when=When(when["question"], tuple(when["in"])) if when else None,
        fact=part.get("fact", ""),
        bounds=part.get("bounds", ""),
    )


def written(name: str) -> dict[str, Any]:
    """A question set as it is delivered: name, conditions, sections with short forms of values written out."""
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return found


# The base set as it is delivered: what is asked about every system each quarter.
DEFAULT_SET = tuple(section_from(section) for section in written("base")["sections"])
