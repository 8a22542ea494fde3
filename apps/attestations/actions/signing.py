"""Signing: the person, the answers, the frozen facts and the moment bound together, once and for ever."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.attestations.actions.answers import Stale, locked_assignment
from apps.attestations.models import Assignment, Signature
from apps.attestations.questions import Question, Section, thawed
from apps.attestations.rules import (
    FIRST_PREVIOUS,
    Given,
    declared,
    is_exception,
    meaning_of,
    section_problems,
    statement,
)
from apps.audit.actions import record
from apps.audit.rules import Kind, canonical, digest
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import Confirmation, why_not_signed
from apps.registry.actions.ownership import system_subject
from apps.registry.models import System


@transaction.atomic
def sign(
    assignment: Assignment,
    *,
    version: int,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    """Sign the answers of one system; the assignment is submitted with it.

    `version` is what the person saw when checking. Raises NotAllowed for anybody but the system's owner of
    today, Stale where an answer changed since, Refused for missing answers, an unticked declaration, another
    name than the profile's, a confirmation that is too old, and once it is signed or closed.
    """
    assignment = locked_assignment(assignment, actor=actor, now=now)
    if assignment.version != version:
        newest = assignment.answers.order_by("-version").first()
        raise Stale(newest.saved_at if newest else now, assignment.version)
    sections = thawed(assignment.campaign.question_set)
    answers = {answer.question: answer.given for answer in assignment.answers.all()}
    _refuse_unready(assignment, sections, answers, now)
    _refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    signature = _write(assignment, sections, answers, confirmation, actor, now)
    assignment.state, assignment.submitted_at = Assignment.State.SUBMITTED, now
    assignment.save(update_fields=["state", "submitted_at"])
    record(
        Kind.ATTESTATION_SIGNED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after={
            "campaign": assignment.campaign.period,
            "assignment": assignment.pk,
            "meaning": signature.meaning,
            "exceptions": signature.exceptions,
            "payload_sha256": signature.payload_sha256,
            "facts_sha256": assignment.snapshot.sha256,
            "auth": confirmation.method,
            "assigned": assignment.person.audit_id,
        },
    )
    return signature


def _refuse_unready(
    assignment: Assignment, sections: Sequence[Section], answers: Mapping[str, Given], now: datetime
) -> None:
    for section in sections:
        problems = section_problems(section, answers, today=local_date(now))
        if problems:
            raise Refused(f"{section.title} of {assignment.system.name} is not complete. {problems[0].text}.")


def _refuse_unconfirmed(
    declared_true: bool, typed_name: str, confirmation: Confirmation, actor: Person, now: datetime
) -> None:
    if missing := why_not_signed(declared_true, typed_name, actor.display_name, confirmation, now):
        raise Refused(missing)


def _write(
    assignment: Assignment,
    sections: Sequence[Section],
    answers: Mapping[str, Given],
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    exceptions = len(declared(sections, answers))
    basis = assignment.system.owner_basis
    text = statement(assignment.system.name, interim=basis == System.Basis.INTERIM, exceptions=exceptions)
    signature = Signature(
        assignment=assignment,
        signer=actor,
        signer_name=actor.display_name,
        signer_title=actor.title,
        signer_function=actor.audit_function,
        signer_basis=basis,
        assigned_name=assignment.person.display_name,
        meaning=meaning_of(exceptions).value,
        statement=text,
        exceptions=exceptions,
        prev_hash=_previous(),
        auth_method=confirmation.method,
        auth_at=confirmation.at,
        signed_at=now,
    )
    signature.payload = canonical(_payload(signature, sections, answers))
    signature.payload_sha256 = digest(signature.payload)
    signature.save(force_insert=True)
    return signature


def _previous() -> str:
    """The hash that this signature follows. The lock keeps one chain; the database checks it again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('attestations_signature_chain'))")
    last = Signature.objects.order_by("-pk").values_list("payload_sha256", flat=True).first()
    return last or FIRST_PREVIOUS


def _payload(signature: Signature, sections: Sequence[Section], answers: Mapping[str, Given]) -> dict[str, Any]:
    """Everything that the signature stands for, so that it can be read and checked on its own."""
    assignment = signature.assignment
    campaign = assignment.campaign
    return {
        "v": "1",
        "campaign": {"period": campaign.period, "scope_sha256": campaign.scope_hash},
        "system": {"key": assignment.system.key, "name": assignment.system.name},
        "facts_sha256": assignment.snapshot.sha256,
        "due": assignment.due_on.isoformat(),
        "late": local_date(signature.signed_at) > assignment.due_on,
        "questions": campaign.question_set["version"],
        "sections": [
            {
                "title": section.title,
                "answers": [_answered(question, answers[question.key]) for question in section.questions],
            }
            for section in sections
        ],
        "meaning": signature.meaning,
        "statement": signature.statement,
        "signer": {
            "id": str(signature.signer_id),
            "name": signature.signer_name,
            "title": signature.signer_title,
            "function": signature.signer_function,
            "basis": signature.signer_basis,
        },
        "assigned": {
            "id": str(assignment.person_id),
            "name": signature.assigned_name,
            "basis": assignment.owner_basis,
        },
        "auth": {"method": signature.auth_method, "at": signature.auth_at.isoformat()},
        "signed_at": signature.signed_at.isoformat(),
        "previous": signature.prev_hash,
    }


def _answered(question: Question, given: Given) -> dict[str, Any]:
    return {
        "key": question.key,
        "question": question.text,
        "short": question.short,
        "value": given.value,
        "label": question.label_of(given.value),
        "exception": is_exception(given.value),
        "comment": given.comment,
        "plan": given.plan,
        "plan_date": given.plan_date,
    }
