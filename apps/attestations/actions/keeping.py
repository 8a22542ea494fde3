"""What is kept of the answers of a section: only what counts, with what speaks against it and how long it took."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from apps.attestations.facts import fact_line
from apps.attestations.models import Answer, Assignment, EvidenceFile, SectionView
from apps.attestations.questions import GIVEN, Question, Section, Type
from apps.attestations.rules import DATE_LENGTH, STORED_LENGTH, Against, Given, contradiction, normalised
from apps.common.errors import Refused
from apps.people.models import Person

EMPTY = Given()
# A longer pause before an answer is no time of thinking.
LONGEST = timedelta(hours=1)
WRITTEN = (
    "value", "comment", "plan", "plan_date", "severity", "control", "plan_owner", "text", "person", "day",
    "explanation", "fact", "contradiction", "answered_by", "saved_at", "seconds", "version",
)  # fmt: skip


def changes_of(
    section: Section,
    kept: Mapping[str, Answer],
    answers: Mapping[str, Given],
    *,
    against: Against,
    version: int,
) -> dict[str, Given]:
    """What differs from what is kept. An answer that does not apply any more is cleared.

    A question that was left untouched here and answered in another window since keeps that answer. Raises Refused
    for a text that can't be an answer, ValueError for a value that is none.
    """
    asked = {question.key: question for question in section.questions}
    merged = {key: kept[key].given if key in kept else EMPTY for key in asked}
    for key, given in answers.items():
        if key not in asked:
            continue
        _refuse_unfit(asked[key], given)
        typed = normalised(asked[key], given, against)
        if not (typed == EMPTY and key in kept and kept[key].version > version):
            merged[key] = typed
    chosen = {key: given.value for key, given in merged.items()}
    applying = {key: merged[key] if question.applies(chosen) else EMPTY for key, question in asked.items()}
    return {key: given for key, given in applying.items() if given != (kept[key].given if key in kept else EMPTY)}


def _refuse_unfit(question: Question, given: Given) -> None:
    if given.value and not question.takes(given.value):
        raise ValueError(f"{given.value!r} is no answer to {question.key}")
    if given.longest > STORED_LENGTH or max(len(given.plan_date), len(given.day)) > DATE_LENGTH:
        raise Refused(f"This text is too long to be kept: {question.short}. Shorten it and save again.")


def with_evidence(assignment: Assignment, section: Section, answers: Mapping[str, Given]) -> dict[str, Given]:
    """The answers, with "given" to each question for evidence that has a file. One query where there is such."""
    keys = [question.key for question in section.questions if question.type == Type.EVIDENCE]
    if not keys:
        return dict(answers)
    files = EvidenceFile.objects.filter(assignment=assignment, question__in=keys, removed_at=None)
    held = set(files.values_list("question", flat=True))
    return {**answers, **{key: Given(GIVEN) if key in held else EMPTY for key in keys}}


def seconds_for(
    assignment: Assignment, section: Section, kept: Mapping[str, Answer], new: int, *, actor: Person, now: datetime
) -> int | None:
    """How long each of `new` answers took: from the last look at the section, or the last answer in it since,
    shared among what is answered at once. None where nobody looked."""
    viewed = (
        SectionView.objects.filter(assignment=assignment, section=section.slug, person=actor)
        .values_list("viewed_at", flat=True)
        .first()
    )
    if viewed is None or not new:
        return None
    began = max([viewed, *(answer.saved_at for answer in kept.values() if answer.saved_at <= now)])
    return int(min(max(now - began, timedelta()), LONGEST).total_seconds()) // new


def write_answers(
    assignment: Assignment,
    section: Section,
    kept: Mapping[str, Answer],
    changes: Mapping[str, Given],
    *,
    against: Against,
    actor: Person,
    now: datetime,
) -> None:
    """Write the changed answers with the assignment's new version, in one statement."""
    asked = {question.key: question for question in section.questions}
    fresh = {key for key, given in changes.items() if given.value and not (key in kept and kept[key].value)}
    seconds = seconds_for(assignment, section, kept, len(fresh), actor=actor, now=now)
    Answer.objects.bulk_create(
        [
            Answer(
                assignment=assignment, question=key, value=given.value, comment=given.comment, plan=given.plan,
                plan_date=given.plan_date, severity=given.severity, control=given.control,
                plan_owner_id=given.plan_owner or None, text=given.text, person_id=given.person or None, day=given.day,
                explanation=given.explanation, fact=fact_line(asked[key].fact, against.facts) if given.value else "",
                contradiction=contradiction(asked[key], given.value, given.day, against)[:300] if given.value else "",
                answered_by=actor, saved_at=now, version=assignment.version,
                seconds=seconds if key in fresh else kept[key].seconds if key in kept else None,
            )
            for key, given in changes.items()
        ],
        update_conflicts=True,
        unique_fields=["assignment", "question"],
        update_fields=list(WRITTEN),
    )  # fmt: skip
