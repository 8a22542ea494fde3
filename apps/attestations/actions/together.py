"""Signing several together: only what is unchanged, of the low tier and was clean, each with its own signature."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.attestations.actions.answers import locked_assignment
from apps.attestations.actions.campaigns import campaign_subject
from apps.attestations.actions.keeping import changes_of, write_answers
from apps.attestations.actions.signing import (
    asked_first,
    attested,
    put_signature,
    refuse_unconfirmed,
    signed_facts,
    submit,
)
from apps.attestations.models import Answer, Assignment, Signature
from apps.attestations.queries.desk import held_against
from apps.attestations.queries.together import AT_ONCE, Candidate, candidates
from apps.attestations.rules import meaning_of, statement
from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry.actions.ownership import locked_in_order, system_subject
from apps.registry.models import System


@dataclass(frozen=True)
class Together:
    """What was signed, and what dropped out and why."""

    signatures: list[Signature]
    dropped: list[Candidate]


@transaction.atomic
def sign_together(
    assignments: Sequence[Assignment],
    *,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Together:
    """Sign unchanged systems of the low tier with one declaration; each gets its own answers and its own signature.

    The answers are those of the last time, held against today's facts again: what contradicts them drops out, and is
    named. Raises NotAllowed where one is not the actor's, Refused for none, for more than a page, for another tier or
    a changed system, for one that was begun, without the declaration and the confirmation, where all drop out, and
    once one is signed or closed.
    """
    if not 0 < len(assignments) <= AT_ONCE:
        raise Refused(f"Choose 1 to {AT_ONCE} systems.")
    if len({one.campaign_id for one in assignments}) != 1:
        raise Refused("Choose systems of one campaign.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    locked_in_order([one.system for one in assignments])
    in_order = sorted(assignments, key=lambda one: (one.system_id, one.pk))
    held = [locked_assignment(one, actor=actor, now=now) for one in in_order]
    for one in held:
        _refuse_unfit(one)
    judged = candidates(held, today=local_date(now))
    fit, dropped = [c for c in judged if not c.why_not], [c for c in judged if c.why_not]
    if not fit:
        raise Refused(f"None can be signed together. {dropped[0].assignment.system.name}: {dropped[0].why_not}")
    batch = uuid.uuid4() if len(fit) > 1 else None
    cause = _record(fit, dropped, batch, actor, now)
    signatures = [_sign_one(one, batch, len(fit), cause, confirmation, actor, now) for one in fit]
    return Together(signatures, dropped)


def _refuse_unfit(assignment: Assignment) -> None:
    name = assignment.system.name
    if assignment.tier != "low":
        raise Refused(f"{name} is not of the low tier. It is answered and signed by itself.")
    if assignment.delta != "unchanged":
        raise Refused(f"{name} changed since the last attestation. It is answered and signed by itself.")
    if assignment.state != Assignment.State.PENDING:
        raise Refused(f"{name} was begun already. Finish it and sign it by itself.")


def _record(
    fit: list[Candidate], dropped: list[Candidate], batch: uuid.UUID | None, actor: Person, now: datetime
) -> uuid.UUID:
    campaign = fit[0].assignment.campaign
    return record(
        Kind.ATTESTATION_SIGNED_TOGETHER,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={
            "campaign": campaign.code,
            "batch": str(batch) if batch else None,
            "size": len(fit),
            "assignments": [one.assignment.pk for one in fit],
            "dropped": [one.assignment.pk for one in dropped],
        },
    )


def _sign_one(
    one: Candidate,
    batch: uuid.UUID | None,
    size: int,
    cause: uuid.UUID,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    assignment = one.assignment
    values = _copy_answers(one, actor, now)
    basis = assignment.system.owner_basis
    signature = put_signature(
        Signature(
            kind=Signature.Kind.ATTESTATION,
            assignment=assignment,
            round=assignment.round,
            meaning=meaning_of(0).value,
            statement=statement(assignment.system.name, interim=basis == System.Basis.INTERIM, exceptions=0),
            exceptions=0,
            signer_basis=basis,
            assigned_name=asked_first(assignment).display_name,
            batch=batch,
            batch_size=size,
        ),
        attested(assignment, one.sections, now),
        confirmation=confirmation,
        signer=actor,
        now=now,
    )
    submit(assignment, signature)
    subject = system_subject(assignment.system)
    place = {"campaign": assignment.campaign.code, "assignment": assignment.pk}
    answered = {**place, "section": "", "version": assignment.version, "answers": values}
    record_many(
        [
            Entry(Kind.ATTESTATION_ANSWERED, subject, after=answered),
            Entry(Kind.ATTESTATION_SIGNED, subject, after={**signed_facts(assignment, signature), "batch_size": size}),
        ],
        actor=actor,
        now=now,
        cause=cause,
    )
    return signature


def _copy_answers(one: Candidate, actor: Person, now: datetime) -> dict[str, str]:
    assignment = one.assignment
    against = held_against(assignment, local_date(now))
    assignment.version += 1
    assignment.state = Assignment.State.IN_PROGRESS
    assignment.save(update_fields=["version", "state"])
    kept: dict[str, Answer] = {}
    written: dict[str, str] = {}
    for section in one.sections:
        mine = {q.key: one.answers[q.key] for q in section.questions if q.key in one.answers}
        changes = changes_of(section, kept, mine, against=against, version=assignment.version)
        write_answers(assignment, section, kept, changes, against=against, actor=actor, now=now)
        written |= {key: given.value for key, given in changes.items()}
    return written
