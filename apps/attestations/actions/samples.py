"""Samples: somebody independent answers the questions of a signed attestation again and compares."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.attestations.actions.nodes import refresh_soon
from apps.attestations.actions.reviews import locked_signed, reviewed_content, reviewed_signature, send_back
from apps.attestations.actions.signing import put_signature, refuse_unconfirmed
from apps.attestations.models import Assignment, Review, Signature
from apps.attestations.queries.reviews import asked_questions
from apps.attestations.questions import Question
from apps.attestations.rules.exceptions import sample_statement
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry.actions.ownership import system_subject

NOTE_LENGTH = 600


@dataclass(frozen=True)
class Check:
    """What the reviewer found when they answered one question again."""

    agree: bool
    note: str = ""


@transaction.atomic
def perform_sample(
    assignment: Assignment,
    *,
    checks: Mapping[str, Check],
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Review:
    """Re-perform a signed attestation question by question. Agreement with all accepts it.

    One disagreement sends it back to its owner, also where it was accepted already. Raises NotAllowed for its
    signer, the system's owner and who is not asked; Refused where a question is not answered again, a disagreement
    has no note, the signature is not confirmed, and where it does not wait or was re-performed already.
    """
    assignment = locked_signed(assignment, actor=actor, now=now, sample=True)
    questions = asked_questions(assignment)
    _refuse_incomplete(questions, checks)
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    under = reviewed_signature(assignment)
    if under.reviews_of.filter(kind=Review.Kind.SAMPLE).exists():
        raise Refused(f"{assignment.system.name} was re-performed already.")
    kept = {q.key: {"agree": checks[q.key].agree, "note": checks[q.key].note.strip()} for q in questions}
    disagreements = [q for q in questions if not checks[q.key].agree]
    signature = put_signature(
        Signature(
            kind=Signature.Kind.SAMPLE,
            meaning=Signature.Meaning.REVIEWED,
            statement=sample_statement(assignment.system.name, len(questions), len(disagreements)),
            exceptions=len(disagreements),
        ),
        {**reviewed_content([(assignment, under)]), "checks": kept},
        confirmation=confirmation,
        signer=actor,
        now=now,
    )
    review = Review(
        assignment=assignment,
        signature=under,
        kind=Review.Kind.SAMPLE,
        verdict=Review.Verdict.CHANGES if disagreements else Review.Verdict.ACCEPTED,
        checks=kept,
        note=_note(disagreements, checks),
        signer_id=under.signer_id,
        reviewer=actor,
        reviewed_at=now,
        signed=signature,
    )
    review.save(force_insert=True)
    _conclude(assignment, review, len(disagreements), actor, now)
    return review


def _refuse_incomplete(questions: list[Question], checks: Mapping[str, Check]) -> None:
    for question in questions:
        check = checks.get(question.key)
        if check is None:
            raise Refused(f"Answer again: {question.short}.")
        if not check.agree and not check.note.strip():
            raise Refused(f"Say why you disagree: {question.short}.")
        if len(check.note) > NOTE_LENGTH:
            raise Refused(f"Use {NOTE_LENGTH} characters at most: {question.short}.")


def _note(disagreements: list[Question], checks: Mapping[str, Check]) -> str:
    return "\n".join(f"{question.short}: {checks[question.key].note.strip()}" for question in disagreements)


def _conclude(assignment: Assignment, review: Review, disagreements: int, actor: Person, now: datetime) -> None:
    """The sample's outcome: accepted where it waited, sent back where somebody disagreed. One primary event."""
    before = assignment.state
    if disagreements:
        send_back(assignment, review, actor, now)
    elif before == Assignment.State.SUBMITTED:
        assignment.state, assignment.accepted_at = Assignment.State.ACCEPTED, now
        assignment.save(update_fields=["state", "accepted_at"])
        refresh_soon(assignment.campaign, now=now)
    after: dict[str, Any] = {
        "campaign": assignment.campaign.code, "assignment": assignment.pk, "state": assignment.state,
        "round": assignment.round, "disagreements": disagreements,
    }  # fmt: skip
    subject = system_subject(assignment.system)
    cause = record(
        Kind.ATTESTATION_SAMPLED, actor=actor, subject=subject, now=now, before={"state": before}, after=after,
        reason=review.note,
    )  # fmt: skip
    if before != assignment.state:
        kind = Kind.ATTESTATION_CHANGES_REQUESTED if disagreements else Kind.ATTESTATION_ACCEPTED
        record(kind, actor=actor, subject=subject, now=now, before={"state": before}, after=after, cause=cause)
