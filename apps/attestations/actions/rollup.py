"""Signing a node of the roll-up, or declining: the person, everything below by name, and the moment bound together."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from apps.attestations.actions.campaigns import locked_campaign
from apps.attestations.actions.declaring import exception_subject
from apps.attestations.actions.nodes import node_subject, refresh_nodes
from apps.attestations.actions.signing import put_signature, refuse_unconfirmed
from apps.attestations.models import AttestationException, Campaign, RollupNode, Signature
from apps.attestations.queries.rollup import (
    Signatories,
    Signatory,
    asked_of,
    below,
    children_of,
    missing_below,
    place_of,
    seats_of_node,
)
from apps.attestations.rules.exceptions import EXCEPTION_CHECK, latest_due
from apps.attestations.rules.rollup import Below, decline_statement, meaning_of_node, node_statement, result_of
from apps.attestations.rules.states import EXCEPTION_DAYS
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed, Refused
from apps.findings.actions.common import finding_subject
from apps.findings.models import Finding
from apps.people.actions import held
from apps.people.models import Person
from apps.people.rules import Confirmation


@dataclass(frozen=True)
class OwnException:
    """Something that is not in order and that nobody below declared."""

    severity: str
    description: str
    plan: str
    due_on: date
    owner: Person
    control: str = ""


@transaction.atomic
def sign_node(
    node: RollupNode,
    *,
    read: str,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
    exceptions: Sequence[OwnException] = (),
) -> Signature:
    """Sign a node that is ready: clean where everything below is, else with exceptions. With the last signature that
    it needs the node is signed, and what is above may be ready.

    `read` is the hash of what the person saw below. Raises NotAllowed for whoever is not asked to sign it, Refused
    where it is not ready, where something below changed since, for an exception without plan or beyond the longest
    time of its severity, and for an unconfirmed signature.
    """
    node, asked = _locked(node, actor, now)
    own = [_checked(one, local_date(now)) for one in exceptions]
    found = below(node)
    if found.sha256 != read:
        raise Refused("Something below changed after you opened this page. Read it again, then sign.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    added = len(own) + node.exceptions.count()
    signature = put_signature(
        Signature(
            kind=Signature.Kind.ROLLUP, node=node, seat=asked.seat, meaning=meaning_of_node(found, added),
            statement=node_statement(asked.first, node.campaign.label, found, added), exceptions=found.faults + added,
        ),
        _content(node, asked, found, own),
        confirmation=confirmation, signer=actor, now=now,
    )  # fmt: skip
    signed = list(node.signatures.values_list("seat", "meaning"))
    if {seat for seat, _ in signed} >= _needed(node):
        _finish(node, result_of(meaning for _, meaning in signed), now)
    event = _record(Kind.ROLLUP_SIGNED, node, signature, actor, now)
    _declare(node, signature, own, event, now)
    refresh_nodes(node.campaign, now=now, cause=event)
    return signature


@transaction.atomic
def decline_node(
    node: RollupNode,
    *,
    reason: str,
    declared_true: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> Signature:
    """Decline to sign a node that is ready, with a reason and under a signature. It ends the node.

    Raises NotAllowed and Refused as `sign_node` does, Refused without a reason.
    """
    node, asked = _locked(node, actor, now)
    reason = reason.strip()[:600]
    if not reason:
        raise Refused("Say why you decline.")
    refuse_unconfirmed(declared_true, typed_name, confirmation, actor, now)
    found = below(node)
    signature = put_signature(
        Signature(
            kind=Signature.Kind.ROLLUP, node=node, seat=asked.seat, meaning=Signature.Meaning.DECLINE,
            statement=decline_statement(asked.first, node.campaign.label, found, reason), exceptions=found.faults,
        ),
        _content(node, asked, found, []) | {"declined_because": reason},
        confirmation=confirmation, signer=actor, now=now,
    )  # fmt: skip
    node.reason = reason
    _finish(node, RollupNode.State.DECLINED, now)
    event = _record(Kind.ROLLUP_DECLINED, node, signature, actor, now)
    refresh_nodes(node.campaign, now=now, cause=event)
    return signature


def _locked(node: RollupNode, actor: Person, now: datetime) -> tuple[RollupNode, Signatory]:
    """The node as it is now, locked: first the campaign, then the chain of signatures, then the node."""
    campaign = locked_campaign(node.campaign)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('attestations_signature_chain'))")
    node = RollupNode.objects.select_for_update(of=("self",)).select_related("unit").get(pk=node.pk)
    node.campaign = campaign
    asked = asked_of(node, held(actor), Signatories(now))
    if asked is None:
        raise NotAllowed("Only who is asked for it signs this part of the roll-up, and once.")
    if node.state != RollupNode.State.READY or campaign.state != Campaign.State.ROLLUP:
        raise Refused("This part of the roll-up does not wait for a signature: something below it is not done.")
    return node, asked


def _checked(one: OwnException, today: date) -> OwnException:
    if one.severity not in EXCEPTION_DAYS:
        raise Refused("Say how grave the exception is.")
    if not one.description.strip() or not one.plan.strip():
        raise Refused("Say what is wrong and what is done about it.")
    last = latest_due(one.severity, today)
    if not today <= one.due_on <= last:
        raise Refused(f"Choose a date between today and {day_words(last)}: the time for this severity.")
    if not one.owner.is_active or one.owner.kind != Person.Kind.HUMAN:
        raise Refused(f"{one.owner.display_name} can't carry the plan out. Choose somebody who is here.")
    return one


def _needed(node: RollupNode) -> set[str]:
    return {""} if node.level == RollupNode.Level.UNIT else set(seats_of_node(node))


def _finish(node: RollupNode, state: str, now: datetime) -> None:
    node.state, node.signed_at = state, now
    node.save(update_fields=["state", "signed_at", "reason"])


def _content(node: RollupNode, asked: Signatory, found: Below, own: Sequence[OwnException]) -> dict[str, Any]:
    """What a signature under a node stands for: everything below by its hash, and by name what is missing."""
    campaign = node.campaign
    children = [] if node.level == RollupNode.Level.UNIT else children_of(node)
    return {
        "campaign": {"code": campaign.code, "period": campaign.period, "scope_sha256": campaign.scope_hash},
        "node": {
            "level": node.level,
            "unit": {"id": node.unit.pk, "name": node.unit.name} if node.unit else None,
            "seat": asked.seat,
            "place": asked.place,
            "basis": asked.basis,
        },
        "below": {
            "total": found.total,
            "clean": found.clean,
            "qualified": found.qualified,
            "late": found.late,
            "not_attested": found.not_attested,
            "declined": found.declined,
            "added": found.added,
            "sha256": found.sha256,
        },
        "children": [
            {
                "level": child.level,
                "unit": child.unit.name if child.unit else None,
                "state": child.state,
                "signatures": [s.payload_sha256 for s in sorted(child.signatures.all(), key=lambda s: s.pk)],
            }
            for child in children
        ],
        "not_attested": list(missing_below(node)),
        "exceptions": [
            {
                "severity": one.severity,
                "description": one.description.strip(),
                "control": one.control.strip(),
                "plan": one.plan.strip(),
                "owner": {"id": str(one.owner.pk), "name": one.owner.display_name},
                "due": one.due_on.isoformat(),
            }
            for one in own
        ],
    }


def _declare(
    node: RollupNode, signature: Signature, own: Sequence[OwnException], cause: uuid.UUID, now: datetime
) -> None:
    """The exceptions that somebody adds at a node, each with a finding."""
    for one in own:
        exception = AttestationException.objects.create(
            campaign=node.campaign, node=node, signature=signature, severity=one.severity,
            description=one.description.strip(), control=one.control.strip(), plan=one.plan.strip(), owner=one.owner,
            declared_on=local_date(now), first_due_on=one.due_on, due_on=one.due_on,
        )  # fmt: skip
        exception.finding = _finding(node, exception, signature.signer, now)
        exception.save(update_fields=["finding"])
        facts = {
            "node": node.pk, "severity": one.severity, "owner": one.owner.audit_id, "due": one.due_on.isoformat(),
            "finding": exception.finding.pk,
        }  # fmt: skip
        names = {"owner": one.owner.display_name}
        for kind, subject in (
            (Kind.EXCEPTION_DECLARED, exception_subject(exception)),
            (Kind.FINDING_RAISED, finding_subject(exception.finding)),
        ):
            record(kind, actor=signature.signer, subject=subject, now=now, after=facts, private=names, cause=cause)


def _finding(node: RollupNode, exception: AttestationException, signer: Person, now: datetime) -> Finding:
    return Finding.objects.create(
        code=EXCEPTION_CHECK, subject=f"node:{node.pk}:{exception.pk}", source=Finding.Source.PERSON,
        level=Finding.Level.WARN, severity=exception.severity, unit=node.unit,
        scope=Finding.Scope.UNIT if node.unit else Finding.Scope.ORGANISATION,
        title=f"{place_of(node)}: {exception.description}"[:600], remedy=exception.plan,
        path=f"/attestations/exceptions/{exception.pk}/", person=exception.owner, is_assigned=True, raised_by=signer,
        raised_at=now, due_on=exception.due_on,
    )  # fmt: skip


def _record(kind: Kind, node: RollupNode, signature: Signature, actor: Person, now: datetime) -> uuid.UUID:
    return record(
        kind,
        actor=actor,
        subject=node_subject(node),
        now=now,
        before={"state": "ready"},
        after={
            "campaign": node.campaign.code,
            "level": node.level,
            "unit": node.unit_id,
            "seat": signature.seat,
            "state": node.state,
            "meaning": signature.meaning,
            "exceptions": signature.exceptions,
            "payload_sha256": signature.payload_sha256,
            "auth": signature.auth_method,
        },
        reason=node.reason,
    )
