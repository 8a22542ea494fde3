"""Forms of reviewers: what has to change, and the questions of a sample answered again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms

from apps.attestations.actions.samples import NOTE_LENGTH, Check
from apps.attestations.questions import Question

AGREE, DISAGREE = "agree", "disagree"


class ChangesForm(forms.Form):
    """What has to change before it is accepted."""

    use_required_attribute = False

    note = forms.CharField(
        label="What has to change?",
        help_text="The owner reads this, changes the answers and signs again.",
        max_length=NOTE_LENGTH,
        error_messages={"required": "Say what has to change."},
        widget=forms.Textarea({"rows": 3}),
    )


@dataclass(frozen=True)
class CheckField:
    """One question of a sample: what the owner answered, and what the reviewer says to it."""

    number: int
    question: Question
    answer: Mapping[str, Any]
    verdict: str = ""
    note: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        return f"check-{self.question.key}"


def check_fields(
    questions: Sequence[Question], answers: Mapping[str, Mapping[str, Any]], data: Mapping[str, str] | None = None
) -> list[CheckField]:
    """The questions with what was posted for each, and what is missing once something was posted."""
    fields = []
    for number, question in enumerate(questions, start=1):
        verdict = "" if data is None else data.get(f"check-{question.key}", "")
        note = "" if data is None else data.get(f"note-{question.key}", "").replace("\0", "").strip()
        error = "" if data is None else _missing(question, verdict, note)
        fields.append(CheckField(number, question, answers.get(question.key, {}), verdict, note, error))
    return fields


def _missing(question: Question, verdict: str, note: str) -> str:
    if verdict not in (AGREE, DISAGREE):
        return f"Say whether you agree: {question.short}"
    if verdict == DISAGREE and not note:
        return f"Say why you disagree: {question.short}"
    return f"Use {NOTE_LENGTH} characters at most: {question.short}" if len(note) > NOTE_LENGTH else ""


def checks_from(fields: Sequence[CheckField]) -> dict[str, Check]:
    """What the verb takes."""
    return {field.question.key: Check(field.verdict == AGREE, field.note) for field in fields}
