"""What changed makes the last attestation stale and asks again: small attestations between the campaigns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from apps.attestations.actions.campaigns import open_campaign, system_line
from apps.attestations.actions.scope import ask_owners, take_snapshots
from apps.attestations.facts import change_words
from apps.attestations.models import Assignment, Campaign, CampaignTemplate
from apps.attestations.rules import CHANGES, EVENT_DAYS, Period
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind
from apps.common.clock import local_date
from apps.common.workdays import add_working_days
from apps.notify.actions import Note, enqueue_many
from apps.registry.actions.ownership import locked_in_order, system_subject
from apps.registry.models import System
from apps.registry.rules import NOT_LIVE

LIMIT = 2000
# Compared with the signature: a snapshot of a system is of one signed attestation.
_SIGNED = "b.system_id = ANY(%(changed)s) AND a.submitted_at IS NOT NULL"

# Live systems whose newest signed attestation was about other facts than those of now, and that nobody is asked about
# already: who owns it, how grave, who provides it, what it runs on, under which identities (permissions) it acts.
# One pass over the newest snapshots. What was not frozen then is not compared.
_CHANGED_SQL = """
WITH newest AS (
    SELECT DISTINCT ON (a.system_id) a.system_id, a.id AS assignment, n.taken_at,
        -- Who signed is the owner that it was about, also where it changed hands in between.
        n.material || jsonb_build_object('owner', a.person_id) AS material
    FROM attestations_assignment a JOIN attestations_scopesnapshot n ON n.id = a.snapshot_id
    WHERE a.state IN ('submitted', 'accepted', 'sealed')
    ORDER BY a.system_id, n.taken_at DESC, a.id DESC),
now AS (
    SELECT s.id, jsonb_build_object('owner', s.owner_id, 'tier', s.tier, 'regulatory_class', s.regulatory_class,
        'operating_model', s.operating_model, 'vendor', s.vendor, 'model', s.model,
        'identities', to_jsonb(coalesce(i.found, '{}'))) AS material
    FROM registry_system s
    LEFT JOIN (SELECT system_id, array_agg(kind || ': ' || value ORDER BY kind, value) AS found
               FROM registry_systemidentity GROUP BY system_id) AS i ON i.system_id = s.id
    WHERE s.stage <> ALL(%(not_live)s))
SELECT newest.system_id, newest.assignment, d.changes
FROM newest JOIN now ON now.id = newest.system_id
CROSS JOIN LATERAL (
    SELECT array_agg(k.key ORDER BY k.key) AS changes FROM jsonb_each(now.material) AS k
    WHERE newest.material ? k.key AND newest.material->k.key <> k.value) AS d
WHERE d.changes IS NOT NULL AND NOT EXISTS (
    SELECT FROM attestations_assignment o
    JOIN attestations_campaign c ON c.id = o.campaign_id
    JOIN attestations_scopesnapshot m ON m.id = o.snapshot_id
    WHERE o.system_id = newest.system_id AND (
        o.state IN ('pending', 'in_progress', 'changes_requested') AND c.state IN ('open', 'grace')
        -- Asked about just this, and nobody answered: that stands by name, and is not asked for ever.
        OR o.state = 'not_attested' AND c.is_event AND m.taken_at > newest.taken_at AND m.material @> now.material))
ORDER BY newest.system_id LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Changed:
    """A system that is not as it was when it was last attested."""

    system: int
    assignment: int
    changes: tuple[str, ...]


def changed_systems(limit: int = LIMIT) -> list[Changed]:
    """What has to be asked about again. One query, whatever the number of systems."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED_SQL, {"not_live": [stage.value for stage in NOT_LIVE], "limit": limit})
        return [Changed(system, assignment, tuple(changes)) for system, assignment, changes in cursor.fetchall()]


def raise_events(*, now: datetime) -> int:
    """Ask again about every live system that changed since it was attested. Returns how many. Safe to run twice.

    While a campaign asks about the system anyway, nothing new is asked: the change is shown there.
    """
    if not (found := changed_systems()):
        return 0
    template = CampaignTemplate.objects.filter(key=CHANGES, is_active=True).first()
    return _raise(template, found, now=now) if template is not None else 0


@transaction.atomic
def _raise(template: CampaignTemplate, found: Sequence[Changed], *, now: datetime) -> int:
    locked_in_order(System.objects.filter(pk__in=[one.system for one in found]))
    # What another sweep asked in between is left out.
    asked = {one.system for one in found}
    still = {one.system: one for one in changed_systems() if one.system in asked}
    campaign = _event_campaign(template, now) if still else None
    if campaign is None or not campaign.takes_answers:
        return 0
    take_snapshots(
        campaign, "s.id = ANY(%(changed)s)", {"changed": list(still)}, supplement=True, now=now, compared=_SIGNED
    )
    ask_owners(campaign, now=now, due=add_working_days(local_date(now), EVENT_DAYS))
    rows = Assignment.objects.filter(
        campaign=campaign, system__in=list(still), opened_at=now, state=Assignment.State.PENDING
    ).select_related("system", "person")
    for row in rows:
        _mark(row, still[row.system_id], campaign, now)
    _tell(campaign, list(rows), still, now)
    return len(rows)


def _event_campaign(template: CampaignTemplate, now: datetime) -> Campaign:
    """The campaign that takes the changes of this quarter, opened by the first of them."""
    period = Period.of(local_date(now))
    campaign, _ = open_campaign(str(period), actor=SCHEDULER, now=now, template=template)
    return campaign


def _mark(row: Assignment, changed: Changed, campaign: Campaign, now: datetime) -> None:
    """The last attestation is out of date; the new question is the event, and causes that."""
    cause = record(
        Kind.ATTESTATION_EVENT_RAISED,
        actor=SCHEDULER,
        subject=system_subject(row.system),
        now=now,
        after={"campaign": campaign.code, "assignment": row.pk, "changes": list(changed.changes),
               "due_on": str(row.due_on)},
    )  # fmt: skip
    stale = Assignment.objects.filter(pk=changed.assignment, stale_at=None)
    if stale.update(stale_at=now, stale_because=list(changed.changes)):
        record(
            Kind.ATTESTATION_BECAME_STALE,
            actor=SCHEDULER,
            subject=system_subject(row.system),
            now=now,
            cause=cause,
            after={"assignment": changed.assignment, "changes": list(changed.changes)},
        )


def _tell(campaign: Campaign, rows: Sequence[Assignment], still: dict[int, Changed], now: datetime) -> None:
    """One mail for each person with all of theirs."""
    by_person: dict[object, list[Assignment]] = {}
    for row in rows:
        by_person.setdefault(row.person_id, []).append(row)
    enqueue_many([_note(campaign, theirs, still) for theirs in by_person.values()], now=now)


def _note(campaign: Campaign, rows: Sequence[Assignment], still: dict[int, Changed]) -> Note:
    lines = [
        f"{system_line(row.system.name, row.system.key, row.due_on)}: {change_words(still[row.system_id].changes)}"
        for row in rows
    ]
    what = rows[0].system.name if len(rows) == 1 else f"{len(rows)} systems"
    path = f"/attestations/{campaign.code}/{rows[0].system.key}/" if len(rows) == 1 else "/attestations/"
    return Note(
        key=f"campaign:{campaign.code}:{rows[0].person_id}:event:{min(row.pk for row in rows)}",
        recipient=rows[0].person,
        subject=f"{what} changed: state and sign what is true now",
        body="What was attested is not what the register says now:\n\n" + "\n".join(lines),
        path=path,
    )
