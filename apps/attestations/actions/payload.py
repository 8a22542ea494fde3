"""The answers as a signature binds them: everything that was asked, given and known, in a form that stands alone."""

from collections.abc import Sequence
from typing import Any

from apps.attestations.models import Answer, Assignment
from apps.attestations.queries.evidence import evidence_of
from apps.attestations.questions import Question, Section
from apps.attestations.rules import Given, is_exception
from apps.people.models import Person


def answered_sections(assignment: Assignment, sections: Sequence[Section]) -> list[dict[str, Any]]:
    """The sections with every question that applied and was answered. Two queries."""
    rows = {answer.question: answer for answer in assignment.answers.select_related("person", "plan_owner")}
    files = evidence_of(assignment)
    chosen = {key: answer.value for key, answer in rows.items()}
    return [
        {
            "title": section.title,
            "answers": [
                answered_question(question, rows[question.key], files.get(question.key, []))
                for question in section.asked(chosen)
                if chosen.get(question.key)
            ],
        }
        for section in sections
    ]


def answered_question(question: Question, answer: Answer, evidence: list[dict[str, Any]]) -> dict[str, Any]:
    """One answer with everything that belongs to it."""
    given = answer.given
    return {
        "key": question.key,
        "type": question.type.value,
        "question": question.text,
        "short": question.short,
        "value": given.value,
        "label": question.label_of(given.value),
        "exception": is_exception(given.value),
        "comment": given.comment,
        "severity": given.severity,
        "control": given.control,
        "plan": given.plan,
        "plan_date": given.plan_date,
        "plan_owner": _named(answer.plan_owner),
        "text": given.text,
        "person": _named(answer.person),
        "day": given.day,
        "fact": answer.fact,
        "contradiction": answer.contradiction,
        "explanation": given.explanation,
        "evidence": evidence,
    }


def _named(person: Person | None) -> dict[str, str] | None:
    return {"id": str(person.pk), "name": person.display_name} if person else None


def answer_of(key: str, given: Given, contradiction: str) -> Answer:
    """An answer that is not kept as a row, because it stands in a correction."""
    return Answer(
        question=key, value=given.value, comment=given.comment, plan=given.plan, plan_date=given.plan_date,
        severity=given.severity, control=given.control, plan_owner_id=given.plan_owner or None, text=given.text,
        person_id=given.person or None, day=given.day, contradiction=contradiction, explanation=given.explanation,
    )  # fmt: skip
