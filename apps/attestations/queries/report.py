"""The report of a campaign: everything that was decided and signed, as one body for page, PDF, CSV and JSON."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet

from apps.attestations.models import (
    Answer,
    Assignment,
    AttestationException,
    Campaign,
    EvidenceFile,
    Extension,
    Review,
    Signature,
)
from apps.attestations.queries import Completion, Counts, completion, unit_rows, watching
from apps.attestations.queries.differences import changed, differences, matrix
from apps.attestations.queries.stamps import pace
from apps.attestations.rules.report import LIMITS, METHOD, VERSION, shown
from apps.audit.rules import canonical, digest
from apps.common.clock import local_date
from apps.people.models import Person

FINAL = (Campaign.State.CLOSED, Campaign.State.SEALED)


def as_of(campaign: Campaign, now: datetime) -> date:
    """The day that ages are counted to: of the closing once it is closed."""
    return local_date(campaign.closed_at or now)


def is_final(campaign: Campaign) -> bool:
    """Whether the report is one; before the closing it is a draft."""
    return campaign.state in FINAL


def report_body(
    campaign: Campaign, *, now: datetime, reader: Person | None = None, limit: int | None = None
) -> dict[str, Any]:
    """The report at close (what it holds: scope, results, gaps, exceptions, samples, times, changes, signatures,
    evidence, method). The same rows give the same body.

    All systems are counted. Restricted ones are named only to a `reader` who may open them. With `limit`, each
    list has so many rows and its total.
    """
    day, hidden = as_of(campaign, now), watching.hidden_from(reader)
    progress = completion(campaign, today=day)
    return {
        "v": VERSION,
        "campaign": _campaign(campaign, day),
        "scope": _scope(campaign, progress, hidden),
        "results": _results(progress),
        "not_attested": _not_attested(campaign, hidden, limit),
        "ownership_gaps": _gaps(campaign, hidden, day, limit),
        "exceptions": _exceptions(campaign, hidden, day, limit),
        "contradictions": _contradictions(campaign, hidden, limit),
        "sampling": _sampling(campaign, progress.counts),
        "decision_times": _times(campaign),
        "changes": _changes(campaign, hidden, limit),
        "rollup": _rollup(campaign),
        "signatures": _signatures(campaign, hidden, limit),
        "evidence": _evidence(campaign, hidden, limit),
        "method": list(METHOD),
        "limits": list(LIMITS),
        "manifest_sha256": campaign.manifest_sha256,
    }


def report_json(body: dict[str, Any]) -> str:
    """The body as canonical JSON (RFC 8785): the same body is the same bytes."""
    return canonical(body)


def report_sha256(body: dict[str, Any]) -> str:
    """SHA-256 of the canonical body."""
    return digest(report_json(body))


def _campaign(campaign: Campaign, day: date) -> dict[str, Any]:
    return {
        "code": campaign.code,
        "title": campaign.label,
        "period": campaign.period,
        "state": campaign.state,
        "draft": not is_final(campaign),
        "as_of": day.isoformat(),
        "opened_at": _iso(campaign.opened_at),
        "opened_by": campaign.opened_by,
        "due_critical_on": campaign.due_critical_on.isoformat(),
        "due_high_on": campaign.due_high_on.isoformat(),
        "due_on": campaign.due_on.isoformat(),
        "last_day": campaign.last_day.isoformat(),
        "closed_at": _iso(campaign.closed_at),
        "sealed_at": _iso(campaign.sealed_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _scope(campaign: Campaign, progress: Completion, hidden: Sequence[int]) -> dict[str, Any]:
    unnamed = campaign.snapshots.filter(system__in=list(hidden)).count() if hidden else 0
    return {
        "systems": progress.counts.total,
        "sha256": campaign.scope_hash,
        "added_later": campaign.snapshots.filter(is_supplement=True).count(),
        "retired": campaign.retired.count(),
        "not_named": unnamed,
    }


def _tally(counts: Counts) -> dict[str, Any]:
    return {
        "systems": counts.total,
        "signed": counts.signed,
        "clean": counts.clean,
        "qualified": counts.qualified,
        "late": counts.late,
        "accepted": counts.accepted,
        "not_attested": counts.not_attested,
        "open": counts.open,
        "percent": counts.percent,
    }


def _results(progress: Completion) -> dict[str, Any]:
    return {
        "all": _tally(progress.counts),
        "by_tier": [{"code": tier.code, "name": tier.label, **_tally(tier.counts)} for tier in progress.tiers],
        "by_unit": [
            {"code": row.unit.code, "name": row.unit.name, **_tally(row.counts)} for row in unit_rows(progress)
        ],
    }


def _not_attested(campaign: Campaign, hidden: Sequence[int], limit: int | None) -> dict[str, Any]:
    rows = campaign.assignments.filter(state=Assignment.State.NOT_ATTESTED).select_related("system", "unit", "person")
    named = rows.exclude(system__in=list(hidden)).order_by("due_on", "system__key")[:limit]
    return shown(
        (
            {
                "key": row.system.key,
                "name": row.system.name,
                "unit": row.unit.name,
                "tier": row.tier,
                "due_on": row.due_on.isoformat(),
                "person": row.person.display_name if settings.NAME_OVERDUE_PEOPLE else "",
            }
            for row in named
        ),
        rows.count(),
    )


def _gaps(campaign: Campaign, hidden: Sequence[int], day: date, limit: int | None) -> dict[str, Any]:
    gaps = watching.ownership_gaps(campaign, hidden=hidden, today=day, shown=limit)
    rows = (
        {"key": gap.key, "name": gap.name, "unit": gap.unit, "tier": gap.tier, "person": gap.owner, "days": gap.days}
        for gap in gaps.rows
    )
    ages = {"up_to_30": gaps.month, "up_to_90": gaps.quarter, "longer": gaps.longer}
    return {**shown(rows, gaps.total), "still_open": gaps.still, "days": ages}


def _exceptions(campaign: Campaign, hidden: Sequence[int], day: date, limit: int | None) -> dict[str, Any]:
    found = campaign.exceptions.exclude(state=AttestationException.State.SUPERSEDED)
    later = Extension.objects.filter(exception__campaign=campaign)
    counted = later.aggregate(
        asked=Count("pk"), granted=Count("pk", Q(is_granted=True)), refused=Count("pk", Q(is_granted=False))
    )
    severities = {
        row.severity: {"declared": row.total, "to_decide": row.undecided, "overdue": row.overdue}
        for row in watching.exceptions_by_severity(campaign, today=day)
    }
    states = dict(found.order_by().values_list("state").annotate(Count("pk")).order_by("state"))
    return {
        **shown(_exception_rows(found, hidden, day, limit), found.count()),
        "by_severity": severities,
        "by_state": states,
        "overdue": sum(row["overdue"] for row in severities.values()),
        "carried_over": found.filter(carried_over_at__isnull=False).count(),
        "extensions": counted,
    }


def _exception_rows(
    found: QuerySet[AttestationException], hidden: Sequence[int], day: date, limit: int | None
) -> Iterable[dict[str, Any]]:
    rows = (
        found.exclude(assignment__system__in=list(hidden))
        .select_related("assignment__system", "node__unit", "owner")
        .annotate(later=Count("extensions", Q(extensions__is_granted=True)))
        .order_by("due_on", "pk")[:limit]
    )
    for row in rows:
        about = row.assignment.system if row.assignment else None
        yield {
            "key": about.key if about else "",
            "name": about.name if about else f"Roll-up: {row.node}",
            "severity": row.severity,
            "state": row.state,
            "description": row.description,
            "control": row.control,
            "plan": row.plan,
            "owner": row.owner.display_name,
            "due_on": row.due_on.isoformat(),
            "age_days": (day - row.declared_on).days,
            "overdue": row.due_on < day and row.state in ("requested", "approved", "refused"),
            "extensions": row.later,
        }


def _contradictions(campaign: Campaign, hidden: Sequence[int], limit: int | None) -> dict[str, Any]:
    found = (
        Answer.objects.filter(assignment__campaign=campaign)
        .exclude(assignment__state=Assignment.State.REASSIGNED)
        .exclude(contradiction="")
    )
    rows = (
        found.exclude(assignment__system__in=list(hidden))
        .order_by("assignment__system__key", "question")
        .values_list("assignment__system__key", "question", "fact", "contradiction", "explanation")[:limit]
    )
    names = ("key", "question", "fact", "contradiction", "explanation")
    listed = shown((dict(zip(names, row, strict=True)) for row in rows), found.count())
    return {**listed, "explained": found.exclude(explanation="").count()}


def _sampling(campaign: Campaign, counts: Counts) -> dict[str, Any]:
    behind = watching.behind(campaign)
    return {
        "commitment_sha256": campaign.sampling_commitment,
        # The secret is told when nothing can be gained by it any more.
        "seed": campaign.sampling_seed if is_final(campaign) else "",
        "percent": campaign.terms.get("sampling_percent"),
        "critical": behind.sampled_critical,
        "drawn": behind.sampled_drawn,
        "re_performed": behind.re_performed,
        "disagreed": behind.disagreed,
        "accepted": counts.accepted,
        "waiting": counts.to_accept,
        "changes_requested": Review.objects.filter(
            assignment__campaign=campaign, verdict=Review.Verdict.CHANGES
        ).count(),
    }


def _times(campaign: Campaign) -> dict[str, Any]:
    found = pace(campaign)
    return {
        "signed": found.signed,
        "not_measured": found.not_measured,
        "median_seconds": None if found.median is None else round(found.median, 1),
        "under_10_seconds": found.fast,
        "all_yes": found.all_yes,
        "same_comment": found.same_comment,
        "in_one_minute": found.one_minute,
        "in_batches": found.in_batches,
        "largest_batch": found.largest_batch,
        "to_look_at": found.flagged,
    }


def _changes(campaign: Campaign, hidden: Sequence[int], limit: int | None) -> dict[str, Any]:
    before = watching.previous_campaign(campaign)
    behind = watching.behind(campaign)
    known = {"new": behind.new, "changed": behind.changed, "unchanged": behind.unchanged, "retired": behind.retired}
    if before is None:
        return {"since": None, **known, "outcomes": {}, **shown((), 0)}
    found = matrix(campaign, before)
    rows = differences(campaign, before, hidden=hidden, limit=limit)
    return {
        "since": before.code,
        **known,
        "clean_to_qualified": found.get(("clean", "qualified"), 0),
        "qualified_to_clean": found.get(("qualified", "clean"), 0),
        "outcomes": {f"{a or 'not_in_scope'}>{b or 'not_in_scope'}": count for (a, b), count in found.items()},
        **shown(
            ({"key": row.key, "name": row.name, "before": row.before, "after": row.after} for row in rows),
            changed(found),
        ),
    }


def _rollup(campaign: Campaign) -> dict[str, Any]:
    rows = [
        {
            "level": node.level,
            "label": str(node.get_level_display()),
            "unit": node.unit.name if node.unit else "",
            "state": node.state,
            "state_words": str(node.get_state_display()),
            "signers": ", ".join(s.signer_name for s in node.signatures.all()),
            "signed_at": _iso(node.signed_at),
            "reason": node.reason,
        }
        for node in watching.nodes(campaign)
    ]
    rows.sort(key=lambda row: (watching.LEVELS.index(str(row["level"])), str(row["unit"])))
    return shown(rows, len(rows))


# Of all kinds: under answers, nodes, decisions about exceptions, reviews.
_SIGNATURES_SQL = """
SELECT s.id FROM attestations_signature s JOIN attestations_assignment a ON a.id = s.assignment_id
WHERE a.campaign_id = %(campaign)s
UNION SELECT s.id FROM attestations_signature s JOIN attestations_rollupnode n ON n.id = s.node_id
WHERE n.campaign_id = %(campaign)s
UNION SELECT s.id FROM attestations_signature s JOIN attestations_attestationexception e ON e.id = s.exception_id
WHERE e.campaign_id = %(campaign)s
UNION SELECT r.signed_id FROM attestations_review r JOIN attestations_assignment a ON a.id = r.assignment_id
WHERE a.campaign_id = %(campaign)s AND r.signed_id IS NOT NULL
ORDER BY 1
"""


# What the list of signatures reads: there is one for each system, and their payloads are large.
_SIGNATURE_READ = (
    "kind", "signer_name", "signer_title", "signer_function", "meaning", "exceptions", "signed_at", "payload_sha256",
    "prev_hash", "assignment__system__key", "node__level", "node__unit__name",
    "exception__assignment__system__key",
)  # fmt: skip


def signature_ids(campaign: Campaign) -> list[int]:
    """Every signature of a campaign, of all kinds, in the order of the chain. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SIGNATURES_SQL, {"campaign": campaign.pk})
        return [row[0] for row in cursor.fetchall()]


def _signatures(campaign: Campaign, hidden: Sequence[int], limit: int | None) -> dict[str, Any]:
    ids, unnamed = signature_ids(campaign), set(hidden)
    rows = (
        Signature.objects.filter(pk__in=ids[:limit])
        .select_related("assignment__system", "node__unit", "exception__assignment__system")
        .only(*_SIGNATURE_READ)
        .order_by("pk")
        .iterator(chunk_size=2000)
    )
    return shown((_signature(row, unnamed) for row in rows), len(ids))


def _signature(row: Signature, hidden: set[int]) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "about": _about(row, hidden),
        "signer": row.signer_name,
        "title": row.signer_title or row.signer_function,
        "meaning": row.meaning,
        "meaning_words": str(row.get_meaning_display()),
        "exceptions": row.exceptions,
        "signed_at": row.signed_at.isoformat(),
        "receipt": row.receipt,
        "sha256": row.payload_sha256,
        "previous": row.prev_hash,
    }


def _about(row: Signature, hidden: set[int]) -> str:
    found = row.assignment or (row.exception.assignment if row.exception else None)
    if found is not None:
        return "a restricted system" if found.system_id in hidden else found.system.key
    if row.node is not None:
        return row.node.unit.name if row.node.unit else str(row.node.get_level_display())
    return str(row.get_kind_display())


def _evidence(campaign: Campaign, hidden: Sequence[int], limit: int | None) -> dict[str, Any]:
    found = EvidenceFile.objects.filter(assignment__campaign=campaign, removed_at=None)
    rows = found.exclude(assignment__system__in=list(hidden)).select_related("assignment__system")
    return shown(
        (
            {
                "key": row.assignment.system.key,
                "question": row.question,
                "name": row.name,
                "sha256": row.sha256,
                "size": row.size,
                "effective_on": row.effective_on.isoformat(),
                "expires_on": row.expires_on.isoformat() if row.expires_on else None,
                "recorded_at": row.recorded_at.isoformat(),
                "scan": row.scan,
            }
            for row in rows.order_by("assignment__system__key", "pk")[:limit]
        ),
        found.count(),
    )
