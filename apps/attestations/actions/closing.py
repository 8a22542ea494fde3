"""The end of a campaign: decisions are taken, it closes with the name of everybody who did not attest, it is sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.attestations.actions.campaigns import campaign_subject, locked_campaign
from apps.attestations.models import Assignment, AttestationException, Campaign, CampaignRecord, RollupNode
from apps.attestations.queries.manifest import manifest_of
from apps.attestations.queries.rollup import below_units, pending_of, place_of, summed
from apps.attestations.rules import NODE_SIGNED
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind, canonical, digest
from apps.common.clock import local_date
from apps.common.errors import Refused

FINISHED = ("accepted", "sealed", "not_attested", "reassigned")


def finish_due(*, now: datetime) -> list[str]:
    """Let campaigns move on that wait for nothing any more: out of the roll-up, then closed. Returns their codes."""
    moved = []
    for campaign in Campaign.objects.filter(state__in=["rollup", "pending_actions"]).order_by("pk"):
        try:
            if campaign.state == Campaign.State.ROLLUP:
                campaign = end_rollup(campaign, actor=SCHEDULER, now=now)
                moved.append(campaign.code)
            close_campaign(campaign, actor=SCHEDULER, now=now)
            moved.append(campaign.code)
        except Refused:
            continue  # something is still to be signed or decided
    return moved


@transaction.atomic
def end_rollup(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """The top of the roll-up is signed or declined; from now on the campaign waits for decisions about exceptions.

    A campaign of changes has no roll-up: it moves on when each attestation is accepted or not attested. Raises
    Refused where something is still to be signed.
    """
    campaign = locked_campaign(campaign)
    if campaign.state != Campaign.State.ROLLUP:
        raise Refused(f"The campaign of {campaign.label} is not being rolled up.")
    if campaign.assignments.exclude(state__in=FINISHED).exists():
        raise Refused("An attestation is not accepted yet.")
    top = campaign.nodes.filter(level=RollupNode.Level.TOP).first()
    if not campaign.is_event and (top is None or top.state not in NODE_SIGNED):
        raise Refused("The top of the roll-up is not signed yet.")
    campaign.state = Campaign.State.PENDING_ACTIONS
    campaign.save(update_fields=["state"])
    record(
        Kind.CAMPAIGN_ACTIONS_PENDING,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": "rollup"},
        after={"state": "pending_actions", "top": top.state if top else None},
    )
    return campaign


@transaction.atomic
def carry_over(
    campaign: Campaign, exceptions: Sequence[AttestationException], *, actor: Actor, now: datetime
) -> list[AttestationException]:
    """Let exceptions whose plan is approved but not finished go on as findings after the closing, each by name.

    Raises Refused where there is none, for one of another campaign, one that is not approved, and one that is past
    its date: that is decided about first.
    """
    campaign = locked_campaign(campaign)
    if campaign.state != Campaign.State.PENDING_ACTIONS:
        raise Refused("Exceptions are carried over when a campaign waits for decisions.")
    keys = [one.pk for one in exceptions]
    rows = list(
        campaign.exceptions.select_for_update(no_key=True, of=("self",)).filter(pk__in=keys).order_by("pk")
    )  # fmt: skip
    if not rows or len(rows) != len(set(keys)):
        raise Refused("Choose the exceptions to carry over.")
    for row in rows:
        if row.state != AttestationException.State.APPROVED or row.carried_over_at is not None:
            raise Refused(f"{row} is {row.get_state_display().lower()}. It can't be carried over.")
        if row.due_on < local_date(now):
            raise Refused(f"{row} is past its date. Grant a later one, accept the risk, or verify that it is done.")
    campaign.exceptions.filter(pk__in=keys).update(carried_over_at=now)
    record(
        Kind.EXCEPTION_CARRIED_OVER,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        after={"exceptions": [row.pk for row in rows], "findings": [row.finding_id for row in rows]},
    )
    return list(campaign.exceptions.filter(pk__in=keys).order_by("pk"))


@transaction.atomic
def close_campaign(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """Close a campaign in which nothing is pending. Its record names who did not attest, and how each part was signed.

    Raises Refused with what is pending.
    """
    campaign = locked_campaign(campaign)
    if campaign.state != Campaign.State.PENDING_ACTIONS:
        raise Refused(f"The campaign of {campaign.label} does not wait for decisions.")
    pending = pending_of(campaign, today=local_date(now))
    if not pending.nothing:
        raise Refused(f"The campaign of {campaign.label} can't close: exceptions {pending.words}.")
    closing = _closing(campaign, now)
    body = canonical(closing)
    CampaignRecord.objects.create(
        campaign=campaign, kind=CampaignRecord.Kind.CLOSING, body=body, sha256=digest(body), made_at=now
    )
    campaign.state, campaign.closed_at = Campaign.State.CLOSED, now
    campaign.save(update_fields=["state", "closed_at"])
    record(
        Kind.CAMPAIGN_CLOSED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": "pending_actions"},
        after={"state": "closed", "counts": closing["counts"], "sha256": digest(body)},
    )
    return campaign


def _closing(campaign: Campaign, now: datetime) -> dict[str, Any]:
    rows = campaign.assignments.filter(state=Assignment.State.NOT_ATTESTED).order_by("system__key")
    missing = rows.values_list(
        "system__key", "system__name", "person__display_name", "owner_basis", "unit__name", "tier", "due_on"
    )
    carried = campaign.exceptions.filter(state="approved", carried_over_at__isnull=False).select_related("owner")
    return {
        "v": "1",
        "campaign": {"code": campaign.code, "title": campaign.title, "scope_sha256": campaign.scope_hash},
        "at": now.isoformat(),
        "counts": _counts(campaign),
        "not_attested": [
            {"key": key, "name": name, "person": person, "basis": basis, "unit": unit, "tier": tier, "due": str(due)}
            for key, name, person, basis, unit, tier, due in missing
        ],
        "carried_over": [
            {
                "exception": one.pk,
                "description": one.description,
                "owner": one.owner.display_name,
                "due": one.due_on.isoformat(),
                "finding": one.finding_id,
            }
            for one in carried.order_by("pk")
        ],
        "nodes": [
            {"level": node.level, "place": place_of(node), "state": node.state, "reason": node.reason}
            for node in campaign.nodes.select_related("unit").order_by("pk")
        ],
    }


def _counts(campaign: Campaign) -> dict[str, int]:
    if not campaign.is_event:
        found = summed(below_units(campaign).values())
        return {
            "total": found.total, "clean": found.clean, "qualified": found.qualified, "late": found.late,
            "not_attested": found.not_attested,
        }  # fmt: skip
    rows = campaign.assignments.exclude(state=Assignment.State.REASSIGNED)
    return {
        "total": rows.count(),
        "clean": rows.filter(result=Assignment.Result.CLEAN).count(),
        "qualified": rows.filter(result=Assignment.Result.QUALIFIED).count(),
        "late": rows.filter(late_days__gt=0).count(),
        "not_attested": rows.filter(state=Assignment.State.NOT_ATTESTED).count(),
    }


@transaction.atomic
def seal(campaign: Campaign, *, actor: Actor, now: datetime) -> Campaign:
    """Seal a closed campaign: what was accepted is sealed, and a manifest holds the hash of everything in it.

    Afterwards nothing in it changes; the seed of the sampling is shown. Raises Refused where it is not closed.
    """
    campaign = locked_campaign(campaign)
    if campaign.state != Campaign.State.CLOSED:
        raise Refused(f"The campaign of {campaign.label} is not closed, or it is sealed already.")
    campaign.assignments.filter(state=Assignment.State.ACCEPTED).update(state=Assignment.State.SEALED)
    body = "".join(manifest_of(campaign, at=now))
    sha256 = digest(body)
    CampaignRecord.objects.create(
        campaign=campaign, kind=CampaignRecord.Kind.MANIFEST, body=body, sha256=sha256, made_at=now
    )
    campaign.state, campaign.sealed_at, campaign.manifest_sha256 = Campaign.State.SEALED, now, sha256
    campaign.save(update_fields=["state", "sealed_at", "manifest_sha256"])
    record(
        Kind.CAMPAIGN_SEALED,
        actor=actor,
        subject=campaign_subject(campaign),
        now=now,
        before={"state": "closed"},
        after={"state": "sealed", "manifest_sha256": sha256},
    )
    return campaign
