"""Signing: the person, the answers, the frozen facts and the moment bound together, once and for ever."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.attestations.actions.answers import Stale, locked_assignment
from apps.attestations.actions.declaring import declare_exceptions
from apps.attestations.actions.delegation import end_with_signature
from apps.attestations.actions.payload import answered_sections
from apps.attestations.actions.reminders import withdraw_reminders
from apps.attestations.models import Assignment, Signature
from apps.attestations.queries.delegation import unread_sections
from apps.attestations.queries.desk import held_against
from apps.attestations.queries.evidence import attached, problems_of_section
from apps.attestations.questions import Section, thawed
from apps.attestations.rules import (
    FIRST_PREVIOUS,
    Given,
    declared,
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
    sections = sections_of(assignment)
    answers = {answer.question: answer.given for answer in assignment.answers.all()}
    _refuse_unready(assignment, sections, answers, now)
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    if assignment.state == Assignment.State.CHANGES_REQUESTED:  # nothing had to be typed again
        assignment.state = Assignment.State.IN_PROGRESS
        assignment.save(update_fields=["state"])
    signature = _sign(assignment, sections, answers, confirmation, actor, now)
    submit(assignment, signature)
    cause = record(
        Kind.ATTESTATION_SIGNED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        after=signed_facts(assignment, signature),
    )
    declare_exceptions(assignment, signature, sections, answers, cause=cause, now=now)
    end_with_signature(assignment, actor=actor, cause=cause, now=now)
    return signature


def submit(assignment: Assignment, signature: Signature) -> None:
    """The assignment is submitted by its signature. What waits in the outbox to ask for it is taken back."""
    late = (local_date(signature.signed_at) - assignment.due_on).days
    assignment.state, assignment.submitted_at = Assignment.State.SUBMITTED, signature.signed_at
    assignment.late_days, assignment.reopened_until = max(0, late), None
    assignment.result = (
        Assignment.Result.CLEAN if signature.meaning == Signature.Meaning.CERTIFY else Assignment.Result.QUALIFIED
    )
    assignment.save(update_fields=["state", "submitted_at", "late_days", "reopened_until", "result"])
    system = assignment.system
    withdraw_reminders(system.owner, now=signature.signed_at, system=system.key)


def signed_facts(assignment: Assignment, signature: Signature) -> dict[str, Any]:
    """What the trail keeps of a signature under answers."""
    return {
        "campaign": assignment.campaign.code,
        "assignment": assignment.pk,
        "round": signature.round,
        "meaning": signature.meaning,
        "exceptions": signature.exceptions,
        "payload_sha256": signature.payload_sha256,
        "facts_sha256": assignment.snapshot.sha256,
        "auth": signature.auth_method,
        "assigned": assignment.person.audit_id,
    }


def sections_of(assignment: Assignment) -> tuple[Section, ...]:
    """The sections that apply to an assignment's system."""
    return thawed(assignment.campaign.question_set, json.loads(assignment.snapshot.facts))


def _refuse_unready(
    assignment: Assignment, sections: Sequence[Section], answers: Mapping[str, Given], now: datetime
) -> None:
    against = held_against(assignment, local_date(now))
    files = list(attached(assignment))
    unread = unread_sections(assignment, sections, assignment.system.owner)
    for section in sections:
        problems = section_problems(section, answers, today=against.today, against=against)
        problems += problems_of_section(section, files, today=against.today)
        problems += unread.get(section.slug, [])
        if problems:
            raise Refused(f"{section.title} of {assignment.system.name} is not complete. {problems[0].text}.")


def refuse_unconfirmed(
    declared_true: bool, typed_name: str, confirmation: Confirmation, actor: Person, now: datetime
) -> None:
    """Raises Refused with what is missing: the ticked declaration, the name as in the profile, a fresh confirmation."""
    if missing := why_not_signed(declared_true, typed_name, actor.display_name, confirmation, now):
        raise Refused(missing)


def _sign(
    assignment: Assignment,
    sections: Sequence[Section],
    answers: Mapping[str, Given],
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    exceptions = len(declared(sections, answers))
    basis = assignment.system.owner_basis
    return put_signature(
        Signature(
            kind=Signature.Kind.ATTESTATION,
            assignment=assignment,
            round=assignment.round,
            meaning=meaning_of(exceptions).value,
            statement=statement(assignment.system.name, interim=basis == System.Basis.INTERIM, exceptions=exceptions),
            exceptions=exceptions,
            signer_basis=basis,
            assigned_name=asked_first(assignment).display_name,
        ),
        attested(assignment, sections, now),
        confirmation=confirmation,
        signer=actor,
        now=now,
    )


def asked_first(assignment: Assignment) -> Person:
    """Who was asked at the opening, before it passed on."""
    first = assignment
    while first.predecessor is not None:
        first = first.predecessor
    return first.person


def put_signature(
    signature: Signature, content: Mapping[str, Any], *, confirmation: Confirmation, signer: Person, now: datetime
) -> Signature:
    """Write a signature: who, when and with what meaning copied, bound to `content` by its hash, next in the chain.

    The caller has filled in what is signed, the meaning, the statement and the number of exceptions, and has
    checked the confirmation (21 CFR 11.50, 11.70, 11.200). There is one chain over all kinds.
    """
    signature.signer, signature.signer_name = signer, signer.display_name
    signature.signer_title, signature.signer_function = signer.title, signer.audit_function
    signature.auth_method, signature.auth_at, signature.signed_at = confirmation.method, confirmation.at, now
    signature.prev_hash = _previous()
    signature.payload = canonical({**content, **_ceremony(signature)})
    signature.payload_sha256 = digest(signature.payload)
    signature.save(force_insert=True)
    return signature


def _previous() -> str:
    """The hash that this signature follows. The lock keeps one chain; the database checks it again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('attestations_signature_chain'))")
    last = Signature.objects.order_by("-pk").values_list("payload_sha256", flat=True).first()
    return last or FIRST_PREVIOUS


def _ceremony(signature: Signature) -> dict[str, Any]:
    """What every signature says beside what it is about."""
    return {
        "v": "2",
        "kind": signature.kind,
        "meaning": signature.meaning,
        "statement": signature.statement,
        "batch": {"id": str(signature.batch), "size": signature.batch_size} if signature.batch else None,
        "signer": {
            "id": str(signature.signer_id),
            "name": signature.signer_name,
            "title": signature.signer_title,
            "function": signature.signer_function,
            "basis": signature.signer_basis,
        },
        "auth": {"method": signature.auth_method, "at": signature.auth_at.isoformat()},
        "signed_at": signature.signed_at.isoformat(),
        "previous": signature.prev_hash,
    }


def attested(assignment: Assignment, sections: Sequence[Section], now: datetime) -> dict[str, Any]:
    """Everything that a signature under answers stands for, so that it can be read and checked on its own."""
    return bound(assignment, answered_sections(assignment, sections), now)


def bound(assignment: Assignment, sections: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """The answered sections with the campaign, the system, the frozen facts and who was asked."""
    campaign, first = assignment.campaign, asked_first(assignment)
    return {
        "campaign": {"code": campaign.code, "period": campaign.period, "scope_sha256": campaign.scope_hash},
        "system": {"key": assignment.system.key, "name": assignment.system.name},
        "facts_sha256": assignment.snapshot.sha256,
        "round": assignment.round,
        "due": assignment.due_on.isoformat(),
        "late": local_date(now) > assignment.due_on,
        "questions": campaign.question_set["version"],
        "sections": list(sections),
        "assigned": {"id": str(first.pk), "name": first.display_name},
    }
