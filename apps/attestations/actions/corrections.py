"""Corrections: what is signed never changes, so a correction is a signature of its own over the whole, corrected."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.attestations.actions.declaring import declare_exceptions
from apps.attestations.actions.payload import answer_of, answered_question
from apps.attestations.actions.signing import asked_first, bound, put_signature, refuse_unconfirmed, sections_of
from apps.attestations.models import Assignment, Campaign, Signature
from apps.attestations.queries.corrections import may_correct, signed_answers
from apps.attestations.queries.desk import held_against
from apps.attestations.questions import Section, values_of
from apps.attestations.rules import Against, Given, contradiction, declared, meaning_of, section_problems, statement
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed, Refused
from apps.findings.actions import raise_finding
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry.actions.ownership import locked, system_subject
from apps.registry.models import System

REASON_LENGTH = 600
# Exceptions of a campaign that is over are findings only: its own list stands as it was closed.
TAKES_EXCEPTIONS = (
    Campaign.State.OPEN, Campaign.State.GRACE, Campaign.State.ROLLUP, Campaign.State.PENDING_ACTIONS,
)  # fmt: skip


@transaction.atomic
def correct(
    assignment: Assignment,
    answers: Mapping[str, Given],
    *,
    reason: str,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    """Sign a correction: the answers as they should have been, what changed, why, and which signature it corrects.

    What was silent until the end can be stated this way too; it stays "not attested" in its campaign. Raises
    NotAllowed for anybody but the signer and the system's owner of today, Refused without a reason, without a
    change, with incomplete answers, and while the attestation can still be signed.
    """
    assignment = _held(assignment)
    if not may_correct(assignment, actor):
        raise NotAllowed(f"Only who signed for {assignment.system.name} and its owner can correct it.")
    earlier = assignment.signature
    sections, before = sections_of(assignment), signed_answers(earlier)
    merged = {**before, **answers}
    changed = sorted(key for key in merged if merged[key] != before.get(key))
    _refuse_wrong(assignment, sections, merged, changed, reason, now)
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    signature = _write(assignment, earlier, sections, merged, changed, reason.strip(), confirmation, actor, now)
    cause = record(
        Kind.ATTESTATION_CORRECTED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={
            "campaign": assignment.campaign.code,
            "assignment": assignment.pk,
            "changed": changed,
            "exceptions": signature.exceptions,
            "payload_sha256": signature.payload_sha256,
            "corrects": earlier.payload_sha256 if earlier else None,
            "auth": confirmation.method,
        },
        reason=reason.strip(),
    )
    _declare(assignment, signature, sections, merged, changed, cause, now)
    return signature


def _held(assignment: Assignment) -> Assignment:
    """The assignment as it is now, system locked first. Raises Refused while it can still be signed."""
    system = locked(assignment.system)
    fresh = (
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign", "person", "snapshot", "predecessor")
        .prefetch_related("signatures")
        .get(pk=assignment.pk)
    )
    fresh.system = System.objects.select_related("owner").get(pk=system.pk)
    if not (fresh.is_signed or fresh.state == Assignment.State.NOT_ATTESTED):
        raise Refused(f"{fresh.system.name} is not signed yet. Answer and sign it; there is nothing to correct.")
    return fresh


def _refuse_wrong(
    assignment: Assignment,
    sections: Sequence[Section],
    merged: Mapping[str, Given],
    changed: Sequence[str],
    reason: str,
    now: datetime,
) -> None:
    if not reason.strip() or len(reason) > REASON_LENGTH:
        raise Refused(f"Say why you correct it, in {REASON_LENGTH} characters at most.")
    if not changed:
        raise Refused("Nothing differs from what is signed. Change an answer, or leave it as it is.")
    against = held_against(assignment, local_date(now))
    for section in sections:
        for problem in section_problems(section, merged, today=against.today, against=against):
            raise Refused(f"{section.title} of {assignment.system.name} is not complete. {problem.text}.")


def _write(
    assignment: Assignment,
    earlier: Signature | None,
    sections: Sequence[Section],
    merged: Mapping[str, Given],
    changed: Sequence[str],
    reason: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    exceptions = len(declared(sections, merged))
    basis = assignment.system.owner_basis
    content = bound(assignment, _sections(assignment, earlier, sections, merged, now), now) | {
        "corrects": earlier.payload_sha256 if earlier else None,
        "changed": list(changed),
        "reason": reason,
    }
    signature = Signature(
        kind=Signature.Kind.SUPPLEMENT,
        assignment=assignment,
        round=1 + sum(one.kind == Signature.Kind.SUPPLEMENT for one in assignment.signatures.all()),
        corrects=earlier,
        meaning=meaning_of(exceptions).value,
        statement=_statement(assignment, earlier, basis, exceptions),
        exceptions=exceptions,
        signer_basis=basis,
        assigned_name=asked_first(assignment).display_name,
    )
    return put_signature(signature, content, confirmation=confirmation, signer=actor, now=now)


def _statement(assignment: Assignment, earlier: Signature | None, basis: str, exceptions: int) -> str:
    name = assignment.system.name
    first = (
        f"This corrects what was signed for {name} on {day_words(local_date(earlier.signed_at))}, "
        f"receipt {earlier.receipt}."
        if earlier
        else f"Nobody attested {name} in {assignment.campaign.label}. This is stated after its end and changes "
        "nothing about that."
    )
    return f"{first} {statement(name, interim=basis == System.Basis.INTERIM, exceptions=exceptions)}"


def _sections(
    assignment: Assignment,
    earlier: Signature | None,
    sections: Sequence[Section],
    merged: Mapping[str, Given],
    now: datetime,
) -> list[dict[str, Any]]:
    """The sections with the corrected answers; files stay with the answers that they were signed with."""
    against, files = held_against(assignment, local_date(now)), _files(earlier)
    chosen = values_of(merged)
    return [
        {
            "title": section.title,
            "answers": [
                answered_question(
                    question,
                    answer_of(question.key, merged[question.key], _said(question, merged, against)),
                    files.get(question.key, []),
                )
                for question in section.asked(chosen)
                if chosen.get(question.key)
            ],
        }
        for section in sections
    ]


def _said(question: Any, merged: Mapping[str, Given], against: Against) -> str:
    given = merged[question.key]
    return contradiction(question, given.value, given.day, against)


def _files(earlier: Signature | None) -> dict[str, list[dict[str, Any]]]:
    payload = json.loads(earlier.payload) if earlier else {"sections": []}
    return {answer["key"]: answer.get("evidence", []) for part in payload["sections"] for answer in part["answers"]}


def _declare(
    assignment: Assignment,
    signature: Signature,
    sections: Sequence[Section],
    merged: Mapping[str, Given],
    changed: Sequence[str],
    cause: uuid.UUID,
    now: datetime,
) -> None:
    """Exceptions of the correction: the campaign's own while it takes any, findings in any case."""
    if assignment.campaign.state in TAKES_EXCEPTIONS and assignment.is_signed:
        declare_exceptions(assignment, signature, sections, merged, cause=cause, now=now)
        return
    for key in set(declared(sections, merged)) & set(changed):
        given = merged[key]
        raise_finding(
            title=f"{assignment.system.name} ({assignment.system.key}), corrected: {given.comment}"[:600],
            remedy=given.plan or "Find out, and say so in the next attestation.",
            severity=given.severity or "medium",
            person=assignment.system.owner,
            actor=signature.signer,
            now=now,
            system=assignment.system,
            cause=cause,
        )
