"""The default quarterly question set, and its form as frozen into a campaign. No Django here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

VERSION = "1"


class Value(StrEnum):
    """What can be answered."""

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


@dataclass(frozen=True)
class Question:
    """One question: as asked, as it stands in a list, and which answers fit. `labels` words some differently."""

    key: str
    text: str
    short: str
    values: tuple[str, ...]
    hint: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def label_of(self, value: str) -> str:
        """How an answer to this question reads."""
        return self.labels.get(value) or Value(value).label


@dataclass(frozen=True)
class Section:
    """A page of questions. `facts` names what the portal knows and shows before them."""

    slug: str
    title: str
    text: str
    facts: tuple[str, ...]
    questions: tuple[Question, ...]


_ALL = tuple(value.value for value in Value)
_ALWAYS = ("yes", "yes_with_exception", "no", "cannot_attest")

DEFAULT_SET = (
    Section(
        "ownership",
        "Ownership",
        "Who answers for {name}, and who stands in.",
        ("owner", "deputy", "unit"),
        (
            Question(
                "accountable",
                "Do you still answer for this system?",
                "I answer for this system",
                ("yes", "no", "cannot_attest"),
                "If somebody else should, say who, and nominate them. Until they accept, you answer.",
                {"yes": "Yes, I answer for it", "no": "No, somebody else should"},
            ),
            Question(
                "deputy",
                "Can your deputy act for you today?",
                "Deputy can act",
                _ALWAYS,
                "They know the system, can be reached, and may stop it.",
            ),
        ),
    ),
    Section(
        "purpose",
        "Purpose and tier",
        "What {name} is used for, and how much harm it could do.",
        ("purpose", "tier", "stage", "regulatory_class"),
        (
            Question(
                "purpose",
                "Is the purpose on the register what the system is used for?",
                "Purpose unchanged",
                _ALWAYS,
                labels={"yes": "Yes, it is complete and correct", "no": "No, it is used for something else"},
            ),
            Question(
                "tier",
                "Are the tier and the regulatory class still right?",
                "Tier unchanged",
                _ALWAYS,
                "Think of new users, new data and new decisions since last quarter.",
            ),
        ),
    ),
    Section(
        "oversight",
        "People and oversight",
        "Who watches {name} at work, and under which names it acts.",
        ("overseers", "identities"),
        (
            Question(
                "overseers",
                "Are the people who oversee it named, trained, and able to stop it?",
                "Overseers named and trained",
                _ALL,
                "For a high-risk system this is a duty under Article 26(2) of the AI Act.",
            ),
            Question(
                "identities",
                "Does the register list every identity that the system acts under?",
                "Identities complete",
                _ALL,
                "Service accounts, agent IDs, gateway keys.",
            ),
        ),
    ),
    Section(
        "response",
        "Response",
        "What happens when {name} goes wrong.",
        ("leads", "kill_switch", "runbook", "drill"),
        (
            Question(
                "response_card",
                "Is the response card correct, and can each lead be reached?",
                "Response card correct",
                _ALWAYS,
                "The leads are listed above. Reached means: you or your team tried this quarter.",
            ),
            Question(
                "kill_switch",
                "Was the way to stop the system tested this quarter?",
                "Stop tested",
                _ALL,
                "A test on the running system or on an equal copy. Reading the runbook is not a test.",
            ),
            Question("runbook", "Was the runbook reviewed this quarter?", "Runbook reviewed", _ALL),
            Question("drills", "Were all drills that were due carried out?", "Drills carried out", _ALL),
        ),
    ),
    Section(
        "changes",
        "Changes and cost",
        "What changed in {name} this quarter, and what it cost.",
        ("vendor", "operating_model", "incidents", "spend"),
        (
            Question(
                "incidents",
                "Was every incident and near miss of this quarter reported?",
                "Incidents reported",
                _ALL,
                labels={"not_applicable": "There was none"},
            ),
            Question(
                "changes",
                "Is every change of vendor or model on the register?",
                "Vendor and model changes",
                _ALL,
                labels={"not_applicable": "Nothing changed"},
            ),
            Question(
                "cost",
                "Does the system have a budget, and does a named person get the alert when it is exceeded?",
                "Budget and alert",
                _ALL,
            ),
        ),
    ),
    Section(
        "exceptions",
        "Exceptions",
        "What was open before this quarter.",
        ("exceptions",),
        (
            Question(
                "open_exceptions",
                "Is each exception that you declared before on its plan?",
                "Earlier exceptions on plan",
                _ALL,
                labels={"not_applicable": "There is none"},
            ),
        ),
    ),
)


def frozen(sections: tuple[Section, ...] = DEFAULT_SET) -> dict[str, Any]:
    """The question set as JSON, the way a campaign keeps it."""
    return {"version": VERSION, "sections": [_section(section) for section in sections]}


def _section(section: Section) -> dict[str, Any]:
    questions = [
        {
            "key": question.key,
            "text": question.text,
            "short": question.short,
            "hint": question.hint,
            "values": [{"value": value, "label": question.label_of(value)} for value in question.values],
        }
        for question in section.questions
    ]
    return {
        "slug": section.slug,
        "title": section.title,
        "text": section.text,
        "facts": list(section.facts),
        "questions": questions,
    }


def thawed(question_set: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[Section, ...]:
    """The sections that apply to a system, from the campaign's frozen questions and the system's frozen facts."""
    parts = question_set.get("sets") or [question_set]
    return tuple(
        _thawed_section(section) for part in parts if _applies(part.get("when"), facts) for section in part["sections"]
    )


def _applies(when: Mapping[str, Any] | None, facts: Mapping[str, Any]) -> bool:
    return all(not values or facts.get(name) in values for name, values in (when or {}).items())


def _thawed_section(part: Mapping[str, Any]) -> Section:
    return Section(
        part["slug"],
        part["title"],
        part["text"],
        tuple(part["facts"]),
        tuple(_question(question) for question in part["questions"]),
    )


def _question(frozen_question: Mapping[str, Any]) -> Question:
    values = frozen_question["values"]
    return Question(
        frozen_question["key"],
        frozen_question["text"],
        frozen_question["short"],
        tuple(value["value"] for value in values),
        frozen_question["hint"],
        {value["value"]: value["label"] for value in values},
    )
