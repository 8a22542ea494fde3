"""Accepting a signed attestation, or asking for changes: by somebody who neither signed it nor owns the system."""

import uuid
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.db import transaction

from apps.attestations.actions.campaigns import campaign_subject
from apps.attestations.actions.nodes import refresh_soon
from apps.attestations.actions.signing import put_signature, refuse_unconfirmed
from apps.attestations.models import Assignment, Review, Signature
from apps.attestations.queries.reviews import REVIEWABLE, Reviewers, acceptable_at_once
from apps.attestations.rules.exceptions import CHANGE_WITHIN, acceptance_statement
from apps.audit.actions import Entry, record, record_many
from apps.audit.rules import Kind
from apps.common.clock import day_words, local_date, organisation_zone
from apps.common.errors import NotAllowed, Refused
from apps.common.workdays import add_working_days
from apps.notify.actions import enqueue
from apps.people.actions import held
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry.actions.ownership import locked, locked_in_order, system_subject

# One ceremony stands for this many acceptances at most.
BATCH_AT_MOST = 500


def locked_signed(assignment: Assignment, *, actor: Person, now: datetime, sample: bool = False) -> Assignment:
    """The signed assignment as it is now, locked, system first.

    Raises NotAllowed for its signer, the system's owner and whoever is not asked, Refused where nothing waits for
    a review. No role stands above this.
    """
    system = locked(assignment.system)
    fresh = (
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign", "person", "snapshot", "unit")
        .get(pk=assignment.pk)
    )
    fresh.system = system
    _refuse_own(fresh, held(actor))
    if fresh.campaign.state not in REVIEWABLE:
        raise Refused(f"The campaign of {fresh.campaign.label} is closed. It takes no more reviews.")
    taken = ("submitted", "accepted") if sample else ("submitted",)
    if fresh.state not in taken:
        raise Refused(f"{system.name} is {fresh.get_state_display().lower()} by now. It does not wait for a review.")
    if not Reviewers(now).may_review(actor, fresh, sample=sample):
        raise NotAllowed(f"The attestation of {system.name} is reviewed by the head of its unit, or who comes above.")
    return fresh


def _refuse_own(assignment: Assignment, actor: Person) -> None:
    if actor.pk in (assignment.person_id, assignment.system.owner_id):
        raise NotAllowed("Who signed or owns the system can't accept its attestation. Somebody else has to look.")


def reviewed_signature(assignment: Assignment) -> Signature:
    """The signature that stands under the present round."""
    return assignment.signatures.get(kind=Signature.Kind.ATTESTATION, round=assignment.round)


def reviewed_content(assignments: Sequence[tuple[Assignment, Signature]]) -> dict[str, Any]:
    """What a reviewer's signature is bound to: each attestation by the hash of its own."""
    campaign = assignments[0][0].campaign
    return {
        "campaign": {"code": campaign.code, "scope_sha256": campaign.scope_hash},
        "reviews": [
            {
                "system": {"key": one.system.key, "name": one.system.name},
                "round": one.round,
                "attestation": signature.payload_sha256,
                "facts_sha256": one.snapshot.sha256,
            }
            for one, signature in assignments
        ],
    }


@transaction.atomic
def accept(
    assignment: Assignment,
    *,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Review:
    """Accept a signed attestation under one's own signature.

    Raises NotAllowed for its signer, the system's owner and who is not asked, Refused for a sample that nobody
    re-performed, for an unconfirmed signature, and where it does not wait for a review.
    """
    assignment = locked_signed(assignment, actor=actor, now=now)
    if assignment.sampled:
        raise Refused(f"{assignment.system.name} was drawn as a sample: its questions are answered again first.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    pairs = [(assignment, reviewed_signature(assignment))]
    signature = _sign(pairs, confirmation, actor, now)
    review = _accepted(pairs, signature, actor, now)[0]
    record(
        Kind.ATTESTATION_ACCEPTED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        before={"state": "submitted"},
        after=_facts(assignment, signature),
    )
    return review


@transaction.atomic
def accept_many(
    assignments: Sequence[Assignment],
    *,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> list[Review]:
    """Accept several with one ceremony; the signature says how many. All of one campaign, or none.

    Raises NotAllowed where one of them is the actor's own or not theirs to review, Refused for one that needs a
    look of its own: not clean, late, critical, drawn, contradicted, or not waiting any more.
    """
    if not assignments or len(assignments) > BATCH_AT_MOST:
        raise Refused(f"Choose between 1 and {BATCH_AT_MOST} attestations.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    rows = _locked_batch(assignments, actor=actor, now=now)
    found = Signature.objects.filter(kind=Signature.Kind.ATTESTATION, assignment__in=rows)
    under = {(one.assignment_id, one.round): one for one in found}
    pairs = [(row, under[row.pk, row.round]) for row in rows]
    signature = _sign(pairs, confirmation, actor, now)
    reviews = _accepted(pairs, signature, actor, now)
    campaign = rows[0].campaign
    cause = record(
        Kind.ATTESTATION_ACCEPTED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"campaign": campaign.code, "systems": len(rows), "payload_sha256": signature.payload_sha256},
    )
    entries = [
        Entry(Kind.ATTESTATION_ACCEPTED, system_subject(row.system), {"state": "submitted"}, _facts(row, signature))
        for row in rows
    ]
    record_many(entries, actor=actor, now=now, cause=cause)
    return reviews


def _locked_batch(assignments: Sequence[Assignment], *, actor: Person, now: datetime) -> list[Assignment]:
    systems = {system.pk: system for system in locked_in_order([one.system for one in assignments])}
    wanted = [one.pk for one in assignments]
    rows = list(
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("campaign", "person", "snapshot", "unit")
        .filter(pk__in=wanted)
        .order_by("pk")
    )
    held(actor)
    reviewers = Reviewers(now)
    for row in rows:
        row.system = systems[row.system_id]
        _refuse_own(row, actor)
        if not reviewers.may_review(actor, row):
            raise NotAllowed(f"The attestation of {row.system.name} is not yours to review.")
    fit = acceptable_at_once(Assignment.objects.filter(pk__in=wanted, state=Assignment.State.SUBMITTED))
    fitting = set(fit.filter(campaign__state__in=REVIEWABLE).values_list("pk", flat=True))
    if odd := next((row for row in rows if row.pk not in fitting), None):
        raise Refused(f"{odd.system.name} needs a look of its own, or somebody reviewed it in between.")
    if len({row.campaign_id for row in rows}) > 1:
        raise Refused("Choose attestations of one campaign.")
    return rows


def _sign(
    pairs: Sequence[tuple[Assignment, Signature]], confirmation: Confirmation, actor: Person, now: datetime
) -> Signature:
    many = len(pairs) > 1
    return put_signature(
        Signature(
            kind=Signature.Kind.ACCEPTANCE,
            meaning=Signature.Meaning.REVIEWED,
            statement=acceptance_statement(one.system.name for one, _ in pairs),
            exceptions=0,
            batch=uuid.uuid4() if many else None,
            batch_size=len(pairs),
        ),
        reviewed_content(pairs),
        confirmation=confirmation,
        signer=actor,
        now=now,
    )


def _accepted(
    pairs: Sequence[tuple[Assignment, Signature]], signature: Signature, actor: Person, now: datetime
) -> list[Review]:
    reviews = Review.objects.bulk_create(
        Review(
            assignment=one,
            signature=under,
            kind=Review.Kind.ACCEPTANCE,
            verdict=Review.Verdict.ACCEPTED,
            signer_id=under.signer_id,
            reviewer=actor,
            reviewed_at=now,
            signed=signature,
        )
        for one, under in pairs
    )
    Assignment.objects.filter(pk__in=[one.pk for one, _ in pairs]).update(
        state=Assignment.State.ACCEPTED, accepted_at=now
    )
    refresh_soon(pairs[0][0].campaign, now=now)
    return reviews


def _facts(assignment: Assignment, signature: Signature) -> dict[str, Any]:
    return {
        "campaign": assignment.campaign.code,
        "assignment": assignment.pk,
        "round": assignment.round,
        "state": "accepted",
        "payload_sha256": signature.payload_sha256,
    }


@transaction.atomic
def request_changes(assignment: Assignment, *, note: str, actor: Person, now: datetime) -> Review:
    """Send a signed attestation back to its owner, with what has to change. They sign another round.

    It stays open for five working days at least, also where the campaign would take nothing any more. Raises
    NotAllowed and Refused as `accept` does, Refused without a note.
    """
    assignment = locked_signed(assignment, actor=actor, now=now)
    if not note.strip():
        raise Refused("Say what has to change.")
    under = reviewed_signature(assignment)
    review = Review(
        assignment=assignment,
        signature=under,
        kind=Review.Kind.ACCEPTANCE,
        verdict=Review.Verdict.CHANGES,
        note=note.strip(),
        signer_id=under.signer_id,
        reviewer=actor,
        reviewed_at=now,
    )
    review.save(force_insert=True)
    send_back(assignment, review, actor, now)
    record(
        Kind.ATTESTATION_CHANGES_REQUESTED,
        actor=actor,
        subject=system_subject(assignment.system),
        now=now,
        before={"state": "submitted", "round": under.round},
        after={"campaign": assignment.campaign.code, "assignment": assignment.pk, "round": assignment.round,
               "state": assignment.state},
        reason=review.note,
    )  # fmt: skip
    return review


def send_back(assignment: Assignment, review: Review, actor: Person, now: datetime) -> None:
    """The assignment waits for its owner again, in another round. The owner gets a mail."""
    last = add_working_days(local_date(now), CHANGE_WITHIN)
    assignment.state, assignment.round = Assignment.State.CHANGES_REQUESTED, assignment.round + 1
    end = datetime.combine(last + timedelta(days=1), time(), organisation_zone())
    assignment.reopened_until = max(assignment.campaign.closes_at, end)
    assignment.submitted_at = assignment.late_days = assignment.accepted_at = None
    assignment.result = ""
    assignment.save(
        update_fields=["state", "round", "reopened_until", "submitted_at", "late_days", "accepted_at", "result"]
    )
    until = day_words(local_date(assignment.reopened_until - timedelta(seconds=1)))
    enqueue(
        key=f"campaign:{assignment.campaign.code}:assignment:{assignment.pk}:changes:{assignment.round}",
        recipient=assignment.system.owner,
        subject=f"Changes asked for: the {assignment.campaign.label} attestation of {assignment.system.name}",
        body=(
            f"{actor.display_name} reviewed what was signed for {assignment.system.name} and asks for changes:\n\n"
            f"{review.note}\n\nChange the answers and sign again, by {until}. "
            "Your earlier answers are there. Until you sign, the system is not attested."
        ),
        path=f"/attestations/{assignment.campaign.code}/{assignment.system.key}/",
        now=now,
    )
    refresh_soon(assignment.campaign, now=now)
