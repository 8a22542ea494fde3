"""The answers as a signature binds them: everything that was asked, given and known, in a form that stands alone."""

from collections.abc import Sequence
from typing import Any

from apps.attestations.models import Answer, Assignment
from apps.attestations.questions import Question, Section
from apps.attestations.rules import is_exception
from apps.people.models import Person


def answered_sections(assignment: Assignment, sections: Sequence[Section]) -> list[dict[str, Any]]:
    """The sections with every question that applied and was answered. Two queries."""
    rows = {answer.question: answer for answer in assignment.answers.select_related("person", "plan_owner")}
    files: dict[str, list[dict[str, Any]]] = {}
    for file in assignment.evidence.filter(removed_at=None).order_by("pk"):
        day = file.expires_on.isoformat() if file.expires_on else None
        files.setdefault(file.question, []).append(
            {"name": file.name, "sha256": file.sha256, "effective": file.effective_on.isoformat(), "expires": day}
        )
    chosen = {key: answer.value for key, answer in rows.items()}
    return [
        {
            "title": section.title,
            "answers": [
                _answered(question, rows[question.key], files.get(question.key, []))
                for question in section.asked(chosen)
                if chosen.get(question.key)
            ],
        }
        for section in sections
    ]


def _answered(question: Question, answer: Answer, evidence: list[dict[str, Any]]) -> dict[str, Any]:
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
