"""Reading a campaign line by line for its manifest, its export and its verification. Memory does not grow with it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import Any

from django.db import connection

from apps.attestations.models import Campaign, CampaignRecord
from apps.attestations.rules.manifest import ANSWER_FIELDS, FORMAT, answers_line, dump, hashed, listed
from apps.audit.rules import canonical

CHUNK = 2000
Line = dict[str, Any]

_SYSTEMS_SQL = """
SELECT s.key, n.number, n.is_supplement, n.sha256, a.state, a.result, a.late_days, a.tier, a.sampled, a.round,
       a.due_on::text, a.person_id::text, a.unit_id, a.id,
       ARRAY(SELECT g.payload_sha256 FROM attestations_signature g
             WHERE g.assignment_id = a.id AND g.signed_at <= %(at)s ORDER BY g.id),
       ARRAY(SELECT e.sha256 FROM attestations_evidencefile e
             WHERE e.assignment_id = a.id AND e.removed_at IS NULL ORDER BY e.question, e.sha256)
FROM attestations_assignment a
JOIN attestations_scopesnapshot n ON n.id = a.snapshot_id
JOIN registry_system s ON s.id = a.system_id
WHERE a.campaign_id = %(campaign)s AND a.state <> 'reassigned' ORDER BY s.key COLLATE "C", n.number
"""
_ANSWERS_SQL = """
SELECT s.key, n.number, w.question, w.value, w.comment, w.plan, w.plan_date, w.severity, w.control,
       w.plan_owner_id::text, w.text, w.person_id::text, w.day, w.fact, w.contradiction, w.explanation,
       w.answered_by_id::text, w.saved_at
FROM attestations_answer w
JOIN attestations_assignment a ON a.id = w.assignment_id
JOIN attestations_scopesnapshot n ON n.id = a.snapshot_id
JOIN registry_system s ON s.id = a.system_id
WHERE a.campaign_id = %(campaign)s AND a.state <> 'reassigned'
ORDER BY s.key COLLATE "C", n.number, w.question
"""
_FACTS_SQL = """
SELECT s.key, n.number, n.is_supplement, n.facts, n.sha256
FROM attestations_scopesnapshot n JOIN registry_system s ON s.id = n.system_id
WHERE n.campaign_id = %(campaign)s ORDER BY s.key COLLATE "C", n.number
"""
# The signatures of this campaign, and the links between them that are of another one: there is one chain.
_SIGNATURES_SQL = """
WITH own AS MATERIALIZED (
SELECT g.id FROM attestations_signature g JOIN attestations_assignment a ON a.id = g.assignment_id
WHERE a.campaign_id = %(campaign)s AND g.signed_at <= %(at)s
UNION SELECT g.id FROM attestations_signature g JOIN attestations_rollupnode n ON n.id = g.node_id
WHERE n.campaign_id = %(campaign)s AND g.signed_at <= %(at)s
UNION SELECT g.id FROM attestations_signature g JOIN attestations_attestationexception x ON x.id = g.exception_id
WHERE x.campaign_id = %(campaign)s AND g.signed_at <= %(at)s
UNION SELECT r.signed_id FROM attestations_review r JOIN attestations_assignment a ON a.id = r.assignment_id
WHERE a.campaign_id = %(campaign)s AND r.signed_id IS NOT NULL)
SELECT g.id, own.id IS NOT NULL, g.kind, g.meaning, g.payload_sha256, g.prev_hash,
       CASE WHEN %(payloads)s THEN g.payload ELSE '' END
FROM attestations_signature g LEFT JOIN own ON own.id = g.id
WHERE g.id BETWEEN (SELECT min(id) FROM own) AND (SELECT max(id) FROM own) ORDER BY g.id
"""
_REVIEWS_SQL = """
SELECT s.key, r.kind, r.verdict, r.checks::text, r.note, r.signer_id::text, r.reviewer_id::text, r.reviewed_at,
       under.payload_sha256, under.round, own.payload_sha256
FROM attestations_review r
JOIN attestations_assignment a ON a.id = r.assignment_id
JOIN registry_system s ON s.id = a.system_id
JOIN attestations_signature under ON under.id = r.signature_id
LEFT JOIN attestations_signature own ON own.id = r.signed_id
WHERE a.campaign_id = %(campaign)s AND r.reviewed_at <= %(at)s ORDER BY r.id
"""
_EXCEPTIONS_SQL = """
SELECT x.id, s.key, n.level, n.unit_id, x.question, x.severity, x.description, x.control, x.plan, x.owner_id::text,
       x.declared_on::text, x.first_due_on::text, x.due_on::text, x.state, x.finding_id, x.carried_over_at,
       g.payload_sha256
FROM attestations_attestationexception x
JOIN attestations_signature g ON g.id = x.signature_id
LEFT JOIN attestations_assignment a ON a.id = x.assignment_id
LEFT JOIN registry_system s ON s.id = a.system_id
LEFT JOIN attestations_rollupnode n ON n.id = x.node_id
WHERE x.campaign_id = %(campaign)s ORDER BY x.id
"""
_NODES_SQL = """
SELECT n.id, n.level, n.unit_id, n.units, n.parent_id, n.state, n.reason, n.ready_at, n.signed_at,
       ARRAY(SELECT g.payload_sha256 FROM attestations_signature g WHERE g.node_id = n.id ORDER BY g.id)
FROM attestations_rollupnode n WHERE n.campaign_id = %(campaign)s ORDER BY n.id
"""
_DOCUMENTS_SQL = """
SELECT d.kind, d.sha256, d.source_sha256, g.payload_sha256 FROM attestations_campaigndocument d
LEFT JOIN attestations_signature g ON g.id = d.signature_id
WHERE d.campaign_id = %(campaign)s AND d.state = 'ready' AND d.made_at <= %(at)s ORDER BY d.id
"""


def rows_of(sql: str, campaign: Campaign, at: datetime, **more: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement about a campaign, some thousand at a time."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, {"campaign": campaign.pk, "at": at, **more})
        yield from chain.from_iterable(iter(lambda: cursor.fetchmany(CHUNK), []))


def moment(value: datetime | None) -> str | None:
    """A moment in UTC, as the manifest writes it."""
    return value.astimezone(UTC).isoformat() if value else None


def answers_of(campaign: Campaign, at: datetime) -> Iterator[tuple[str, int, list[Line]]]:
    """Key, number and all answers of each system that has one, in the order of the keys."""
    for (key, number), rows in groupby(rows_of(_ANSWERS_SQL, campaign, at), key=lambda row: (row[0], row[1])):
        yield key, number, [_answer(row[2:]) for row in rows]


def _answer(row: tuple[Any, ...]) -> Line:
    return dict(zip(ANSWER_FIELDS, (*row[:-1], moment(row[-1])), strict=True))


def systems_of(campaign: Campaign, at: datetime) -> Iterator[tuple[Line, list[Line]]]:
    """One line of the manifest for each system, with its answers. Two cursors that run side by side."""
    answers = answers_of(campaign, at)
    held = next(answers, None)
    for row in rows_of(_SYSTEMS_SQL, campaign, at):
        key, number = row[0], row[1]
        given: list[Line] = []
        if held is not None and held[:2] == (key, number):
            given, held = held[2], next(answers, None)
        yield _system(row, given), given


def _system(row: tuple[Any, ...], answers: list[Line]) -> Line:
    key, number, supplement, facts, state, result, late, tier, sampled, rounds, due, person, unit, _, *more = row
    return {
        "key": key, "number": number, "supplement": supplement, "facts_sha256": facts, "state": state,
        "result": result, "late_days": late, "tier": tier, "sampled": sampled, "round": rounds, "due": due,
        "person": person, "unit": unit, "signatures": more[0], "evidence": more[1],
        "answers_sha256": hashed(answers_line(key, number, answers)),
    }  # fmt: skip


def facts_of(campaign: Campaign, at: datetime) -> Iterator[tuple[str, int, bool, str, str]]:
    """Key, number, whether it is a supplement, the frozen facts and their hash, in the order of the keys."""
    yield from rows_of(_FACTS_SQL, campaign, at)


def signatures_of(campaign: Campaign, at: datetime, *, payloads: bool = True) -> Iterator[tuple[Line, str]]:
    """The campaign's part of the chain: each signature with its payload; of another campaign's only the link.

    Without `payloads` each is empty: they are most of what there is to read.
    """
    for _, own, kind, meaning, sha256, previous, payload in rows_of(_SIGNATURES_SQL, campaign, at, payloads=payloads):
        if own:
            yield {"kind": kind, "meaning": meaning, "sha256": sha256, "previous": previous}, payload
        else:
            yield {"kind": "elsewhere", "meaning": "", "sha256": sha256, "previous": previous}, ""


def reviews_of_campaign(campaign: Campaign, at: datetime) -> Iterator[Line]:
    """Every review; what was checked and noted by its hash."""
    for row in rows_of(_REVIEWS_SQL, campaign, at):
        key, kind, verdict, checks, note, signer, reviewer, reviewed_at, under, rounds, own = row
        content = hashed(dump({"checks": checks, "note": note}))
        yield {
            "key": key, "kind": kind, "verdict": verdict, "content_sha256": content,
            "signer": signer, "reviewer": reviewer, "at": moment(reviewed_at), "attestation": under, "round": rounds,
            "signature": own,
        }  # fmt: skip


def exceptions_of(campaign: Campaign, at: datetime) -> Iterator[Line]:
    """Every exception as it stands; what is done about it goes on after the sealing."""
    names = (
        "id", "key", "level", "unit", "question", "severity", "description", "control", "plan", "owner", "declared_on",
        "first_due_on", "due_on", "state", "finding", "carried_over_at", "signature",
    )  # fmt: skip
    for row in rows_of(_EXCEPTIONS_SQL, campaign, at):
        line = dict(zip(names, row, strict=True))
        yield line | {"carried_over_at": moment(line["carried_over_at"])}


def nodes_of(campaign: Campaign, at: datetime) -> Iterator[Line]:
    """Every node of the roll-up with the hashes of its signatures."""
    names = ("id", "level", "unit", "units", "parent", "state", "reason", "ready_at", "signed_at", "signatures")
    for row in rows_of(_NODES_SQL, campaign, at):
        line = dict(zip(names, row, strict=True))
        yield line | {"ready_at": moment(line["ready_at"]), "signed_at": moment(line["signed_at"])}


def documents_of(campaign: Campaign, at: datetime) -> Iterator[Line]:
    """Documents that were made by then."""
    for row in rows_of(_DOCUMENTS_SQL, campaign, at):
        yield dict(zip(("kind", "sha256", "source_sha256", "signature"), row, strict=True))


def header_of(campaign: Campaign, at: datetime) -> Line:
    """What the manifest says about the campaign itself."""
    closing = CampaignRecord.objects.filter(campaign=campaign, kind=CampaignRecord.Kind.CLOSING).first()
    return {
        "code": campaign.code, "period": campaign.period, "title": campaign.title, "is_event": campaign.is_event,
        "template": campaign.template.key, "opened_at": moment(campaign.opened_at), "opened_by": campaign.opened_by,
        "due_on": str(campaign.due_on), "due_high_on": str(campaign.due_high_on),
        "due_critical_on": str(campaign.due_critical_on), "closes_at": moment(campaign.closes_at),
        "rollup_at": moment(campaign.rollup_at), "closed_at": moment(campaign.closed_at), "sealed_at": moment(at),
        "terms": campaign.terms, "questions_sha256": hashed(canonical(campaign.question_set)),
        "closing_sha256": closing.sha256 if closing else "",
    }  # fmt: skip


def manifest_of(campaign: Campaign, *, at: datetime) -> Iterator[str]:
    """The manifest in pieces: canonical JSON, parts in the order of their names. `at` is the moment of sealing."""
    counted = _Counted()
    systems = list(listed(counted.each(line for line, _ in systems_of(campaign, at))))
    yield f'{{"campaign":{canonical(header_of(campaign, at))},"counts":{dump(counted.counts)},"documents":'
    yield from listed(documents_of(campaign, at))
    yield ',"exceptions":'
    yield from listed(exceptions_of(campaign, at))
    yield f',"format":{dump(FORMAT)},"nodes":'
    yield from listed(nodes_of(campaign, at))
    yield ',"reviews":'
    yield from listed(reviews_of_campaign(campaign, at))
    sampling = {"commitment": campaign.sampling_commitment, "seed": campaign.sampling_seed}
    yield f',"sampling":{dump(sampling)},"scope_sha256":{dump(campaign.scope_hash)},"signatures":'
    yield from listed(line for line, _ in signatures_of(campaign, at, payloads=False))
    yield ',"systems":'
    yield from systems
    yield "}"


class _Counted:
    """Counts lines while they pass."""

    def __init__(self) -> None:
        self.counts = {"systems": 0, "clean": 0, "qualified": 0, "late": 0, "not_attested": 0}

    def each(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The same lines."""
        for line in lines:
            self.counts["systems"] += 1
            self.counts["clean"] += line["result"] == "clean"
            self.counts["qualified"] += line["result"] == "qualified"
            self.counts["late"] += bool(line["late_days"])
            self.counts["not_attested"] += line["state"] == "not_attested"
            yield line
