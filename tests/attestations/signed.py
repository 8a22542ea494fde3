"""Attestations in every state, for the tests of those who watch: by the verbs, a few at a time."""

import json
from datetime import datetime, timedelta
from typing import Any

from apps.attestations import actions
from apps.attestations.actions.signing import put_signature
from apps.attestations.models import Assignment, Campaign, Review, Signature
from apps.attestations.questions import thawed
from apps.attestations.rules import Given
from apps.people.rules import Confirmation


def assignment_of(campaign: Campaign, key: str) -> Assignment:
    """The present assignment of a system."""
    return (
        Assignment.objects.select_related("campaign", "system", "person", "snapshot")
        .exclude(state="reassigned")
        .get(campaign=campaign, system__key=key)
    )


def answer(assignment: Assignment, person: Any, now: datetime, **special: Given) -> Assignment:
    """Yes to everything that is asked, but for what is given by key."""
    for section in thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts)):
        chosen = {question.key: "yes" for question in section.questions if question.when is None}
        chosen |= {key: given.value for key, given in special.items()}
        given = {
            question.key: special.get(question.key) or _given(question, person, now)
            for question in section.questions
            if question.applies(chosen) and question.required
        }
        assignment = actions.save_answers(
            assignment, section.slug, given, version=assignment.version, actor=person, now=now
        )
    return assignment


def _given(question: Any, person: Any, now: datetime) -> Given:
    if question.values:
        return Given("yes", explanation="Seen myself")
    kinds = {"person": {"person": str(person.pk)}, "date": {"day": now.date().isoformat()}, "text": {"text": "As told"}}
    return Given("given", **kinds[str(question.type)])


def sign(assignment: Assignment, person: Any, now: datetime, **special: Given) -> Signature:
    """Answer everything and sign."""
    assignment = answer(assignment, person, now, **special)
    return actions.sign(
        assignment, version=assignment.version, declared_true=True, typed_name=person.display_name,
        confirmation=Confirmation("password", now), actor=person, now=now,
    )  # fmt: skip


def accept(assignment: Assignment, reviewer: Any, now: datetime) -> None:
    """Somebody else accepts it, as the verb of reviews does."""
    signature = assignment.signature
    assert signature is not None
    kind = "sample" if assignment.sampled else "acceptance"
    signed = put_signature(
        Signature(kind=kind, meaning="reviewed", statement="I looked at it.", exceptions=0),
        {"signature": signature.payload_sha256}, confirmation=Confirmation("password", now), signer=reviewer, now=now,
    )  # fmt: skip
    Review.objects.create(
        assignment=assignment, signature=signature, kind=kind, verdict="accepted", signer=signature.signer,
        reviewer=reviewer, reviewed_at=now, signed=signed,
    )  # fmt: skip
    Assignment.objects.filter(pk=assignment.pk).update(state="accepted", accepted_at=now)


def later(now: datetime, **parts: int) -> datetime:
    """So much later."""
    return now + timedelta(**parts)
