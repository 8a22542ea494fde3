"""The roll-up's places: planted when a campaign opens, ready when everything below is done."""

import uuid
from collections import defaultdict
from datetime import datetime

from django.db import connection, transaction

from apps.attestations.models import Campaign, RollupNode
from apps.attestations.queries.rollup import Signatories, below_units, place_of
from apps.attestations.rules import NODE_SIGNED
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind, Subject
from apps.notify.actions import Note, enqueue_many
from apps.registry.models import Unit

# Units with a system in the campaign that no node has under it yet.
_UNCOVERED_SQL = """
SELECT DISTINCT a.unit_id FROM attestations_assignment a
WHERE a.campaign_id = %(campaign)s AND a.state <> 'reassigned' AND a.unit_id <> ALL (ARRAY(
    SELECT unnest(n.units) FROM attestations_rollupnode n WHERE n.campaign_id = %(campaign)s AND n.level = 'unit'))
"""


def plant(campaign: Campaign) -> None:
    """One node for the top, the CISO, the Head of AI, and each top unit in scope; none for a campaign of changes.

    Below a single root the units right under it. May be called again: units that came in with a supplement join
    the node of their top unit, as long as it is not ready.
    """
    if campaign.is_event:
        return
    with connection.cursor() as cursor:
        cursor.execute(_UNCOVERED_SQL, {"campaign": campaign.pk})
        fresh = [row[0] for row in cursor.fetchall()]
    if not fresh:
        return
    lead = _spine(campaign)
    for top, units in _by_top(fresh).items():
        node, _ = RollupNode.objects.get_or_create(
            campaign=campaign, level=RollupNode.Level.UNIT, unit_id=top, defaults={"parent": lead}
        )
        node.units = sorted({*node.units, *units})
        node.save(update_fields=["units"])


def _spine(campaign: Campaign) -> RollupNode:
    """The nodes above the units; returns the one that units are below."""

    def above(level: str, parent: RollupNode | None) -> RollupNode:
        return RollupNode.objects.get_or_create(campaign=campaign, level=level, unit=None, defaults={"parent": parent})[
            0
        ]

    top = above(RollupNode.Level.TOP, None)
    return above(RollupNode.Level.AI_LEAD, above(RollupNode.Level.CISO, top))


def _by_top(units: list[int]) -> dict[int, list[int]]:
    """The units by the one that stands for them: the highest above, or the one right below a single root."""
    parents = dict(Unit.objects.values_list("pk", "parent_id"))
    roots = [unit for unit, parent in parents.items() if parent is None]
    single = roots[0] if len(roots) == 1 else None
    found: dict[int, list[int]] = defaultdict(list)
    for unit in units:
        at, parent = unit, parents[unit]
        while parent is not None and parent != single:
            at, parent = parent, parents[parent]
        found[at].append(unit)
    return found


def ready_nodes(*, now: datetime) -> int:
    """Look at every campaign that is rolled up. Returns how many nodes changed. Safe to run twice and at once."""
    return sum(refresh_nodes(campaign, now=now) for campaign in Campaign.objects.filter(state=Campaign.State.ROLLUP))


def refresh_soon(campaign: Campaign, *, now: datetime) -> None:
    """Look at a campaign's nodes once the transaction that is open is over: never inside it, because it locks rows
    in an order of its own. Where this fails the sweep does it."""
    if campaign.state == Campaign.State.ROLLUP:
        transaction.on_commit(lambda: refresh_nodes(campaign, now=now), robust=True)


@transaction.atomic
def refresh_nodes(campaign: Campaign, *, now: datetime, cause: uuid.UUID | None = None) -> int:
    """Make nodes ready below which everything is done, and not ready where something was opened again.

    Who signs is told once. Returns how many nodes changed. `cause` is the event of the signature that it follows.
    """
    campaign = Campaign.objects.get(pk=campaign.pk)
    if campaign.state != Campaign.State.ROLLUP or campaign.is_event:
        return 0
    # The order of the locks is that of a signature: first the campaign, then its nodes.
    Campaign.objects.select_for_update(no_key=True, of=("self",)).get(pk=campaign.pk)
    plant(campaign)
    nodes = list(campaign.nodes.select_for_update(no_key=True, of=("self",)).select_related("unit").order_by("pk"))
    done = _complete(campaign, nodes)
    ready = [node for node in nodes if node.state == RollupNode.State.NOT_READY and node.pk in done]
    undone = [node for node in nodes if node.state == RollupNode.State.READY and node.pk not in done]
    for node in ready:
        node.state, node.ready_at = RollupNode.State.READY, now
    for node in undone:
        node.state, node.ready_at = RollupNode.State.NOT_READY, None
    if not ready and not undone:
        return 0
    RollupNode.objects.bulk_update([*ready, *undone], ["state", "ready_at"], batch_size=500)
    _tell([node for node in ready if node.told_at is None], campaign, now)
    record(
        Kind.ROLLUP_READY,
        actor=SCHEDULER,
        subject=Subject("campaign", campaign.code, f"{campaign.label} attestation"),
        now=now,
        after={"ready": [node.pk for node in ready], "not_ready": [node.pk for node in undone]},
        cause=cause,
    )
    return len(ready) + len(undone)


def _complete(campaign: Campaign, nodes: list[RollupNode]) -> set[int]:
    """The nodes below which everything is done."""
    below = below_units(campaign)
    children: dict[int, list[RollupNode]] = defaultdict(list)
    for node in nodes:
        if node.parent_id:
            children[node.parent_id].append(node)
    done = {node.pk for node in nodes if node.level == "unit" and node.pk in below and not below[node.pk].unfinished}
    for pk, under in children.items():
        if all(child.state in NODE_SIGNED for child in under):
            done.add(pk)
    return done


def _tell(nodes: list[RollupNode], campaign: Campaign, now: datetime) -> None:
    """One mail for each node and seat, once: who is asked later finds it on the home page."""
    if not nodes:
        return
    who = Signatories(now)
    notes = [
        Note(
            f"campaign:{campaign.code}:node:{node.pk}:{one.seat}:ready",
            one.person,
            f"{campaign.label}: sign the roll-up of {one.place}",
            (
                f"Everything below {one.place} in the {campaign.label} attestation is accepted, or named as not "
                f"attested. {one.first}\n\nRead what is below by name, then sign or decline."
            ),
            f"/attestations/{campaign.code}/rollup/{node.pk}/",
        )
        for node in nodes
        for one in who.of(node)
        if one.person is not None
    ]
    enqueue_many(notes, now=now)
    RollupNode.objects.filter(pk__in=[node.pk for node in nodes]).update(told_at=now)


def node_subject(node: RollupNode) -> Subject:
    """How the trail refers to a node of the roll-up."""
    return Subject("rollup", str(node.pk), f"{place_of(node)}, {node.campaign.label}")
