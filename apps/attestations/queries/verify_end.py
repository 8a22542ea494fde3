"""Verifying what comes after the owners: reviews, the roll-up, exceptions, the closing and the manifest."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from apps.attestations.models import Campaign, CampaignRecord
from apps.attestations.queries.manifest import Line, manifest_of, nodes_of
from apps.attestations.queries.verify import (
    Verification,
    check_answers,
    check_chain,
    check_evidence,
    check_facts,
    check_sampling,
    parsed,
)
from apps.attestations.rules.manifest import hashed
from apps.attestations.rules.rollup import child_line, node_line, result_of
from apps.audit.models import AuditEvent
from apps.audit.rules import Kind

_REVIEWS_SQL = """
SELECT s.key, r.kind, r.verdict, r.checks::text, r.reviewer_id::text, r.signer_id::text, under.payload_sha256,
       under.signer_id::text, r.signed_id
FROM attestations_review r
JOIN attestations_assignment a ON a.id = r.assignment_id JOIN registry_system s ON s.id = a.system_id
JOIN attestations_signature under ON under.id = r.signature_id
WHERE a.campaign_id = %(campaign)s ORDER BY r.signed_id NULLS LAST, r.id
"""
_REVIEWERS_SQL = """
SELECT g.id, g.payload, g.signer_id::text FROM attestations_signature g WHERE g.id IN (
    SELECT r.signed_id FROM attestations_review r JOIN attestations_assignment a ON a.id = r.assignment_id
    WHERE a.campaign_id = %(campaign)s) ORDER BY g.id
"""
_CHILDREN_SQL = """
SELECT s.key, a.unit_id, a.state, a.result,
       ARRAY(SELECT g.id FROM attestations_signature g
             WHERE g.assignment_id = a.id AND g.kind IN ('attestation', 'supplement') ORDER BY g.id),
       ARRAY(SELECT g.payload_sha256 FROM attestations_signature g
             WHERE g.assignment_id = a.id AND g.kind IN ('attestation', 'supplement') ORDER BY g.id)
FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
WHERE a.campaign_id = %(campaign)s AND a.state <> 'reassigned' ORDER BY s.key COLLATE "C"
"""
_NODE_SIGNATURES_SQL = """
SELECT g.node_id, g.id, g.seat, g.meaning, g.payload, g.payload_sha256
FROM attestations_signature g JOIN attestations_rollupnode n ON n.id = g.node_id
WHERE n.campaign_id = %(campaign)s ORDER BY g.id
"""
# Of an exception, what was declared never changes; what is done about it goes on after the sealing.
DECLARED = (
    "id", "key", "level", "unit", "question", "severity", "description", "declared_on", "first_due_on", "signature",
)  # fmt: skip


def verify(campaign: Campaign, *, at: datetime) -> Verification:
    """Look at everything of a campaign. Works before and after it is sealed."""
    look = Verification(campaign, campaign.sealed_at or at)
    for check in (
        check_facts, check_sampling, check_answers, check_evidence, check_chain, check_reviews, check_nodes,
        check_exceptions, check_closing, check_manifest,
    ):  # fmt: skip
        check(look)
    return look


def check_reviews(look: Verification) -> None:
    """Each review against the signature of who reviewed, and never by who signed."""
    signatures = look.rows(_REVIEWERS_SQL)
    held: tuple[Any, ...] | None = None
    said: dict[str, Any] = {}
    for key, kind, verdict, checks, reviewer, signer, under, under_signer, signed in look.rows(_REVIEWS_SQL):
        where = f"review of system {key}"
        look.compare("reviews", f"{where}, who signed", under_signer, signer)
        while signed is not None and (held is None or held[0] != signed):
            held = next(signatures, None)
            if held is None:
                break
            said = parsed(held[1])
        if signed is None or held is None:
            look.compare("reviews", f"{where}, verdict without a signature", "changes", verdict)
            continue
        look.compare("reviews", f"{where}, reviewer", held[2], reviewer)
        look.compare("reviews", f"{where}, kind", said.get("kind"), kind)
        found = any(one.get("attestation") == under for one in said.get("reviews", []))
        look.compare("reviews", f"{where}, the attestation under it", True, found)
        if kind == "sample":
            agreed = all(check.get("agree") for check in said.get("checks", {}).values())
            look.compare("reviews", f"{where}, what was answered again", said.get("checks"), parsed(checks))
            look.compare("reviews", f"{where}, verdict", "accepted" if agreed else "changes", verdict)


def check_nodes(look: Verification) -> None:
    """Each signature of the roll-up against what is below it now, counted and hashed anew."""
    nodes = {line["id"]: line for line in nodes_of(look.campaign, look.at)}
    signatures: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for node, *rest in look.rows(_NODE_SIGNATURES_SQL):
        signatures[node].append(tuple(rest))
    unit_of = {unit: node["id"] for node in nodes.values() for unit in node["units"]}
    lines: dict[int, list[str]] = defaultdict(list)
    clean: dict[int, bool] = defaultdict(lambda: True)
    for key, unit, state, result, ids, hashes in look.rows(_CHILDREN_SQL):
        if not nodes:
            break
        node = unit_of.get(unit, 0)
        look.compare("roll-up", f"system {key} is below a unit", True, bool(node))
        until = max((row[0] for row in signatures[node]), default=0)
        known = [sha256 for pk, sha256 in zip(ids, hashes, strict=True) if pk < until]
        lines[node].append(child_line(key, state, result, known[-1] if known else ""))
        clean[node] &= state in {"accepted", "sealed"} and result == "clean"
    for node in nodes.values():
        under = [one for one in nodes.values() if one["parent"] == node["id"]]
        if node["level"] != "unit":
            clean[node["id"]] = all(one["state"] == "signed_clean" for one in under)
            lines[node["id"]] = sorted(
                node_line(one["level"], one["unit"], one["state"], one["signatures"]) for one in under
            )
        _check_node(look, node, signatures[node["id"]], lines[node["id"]], clean=clean[node["id"]])


def _check_node(
    look: Verification, node: Line, signatures: list[tuple[Any, ...]], lines: list[str], *, clean: bool
) -> None:
    where = f"roll-up, {node['level']}{' ' + str(node['unit']) if node['unit'] else ''}"
    meanings = [meaning for _, _, meaning, _, _ in signatures]
    if node["state"].startswith("signed"):
        look.compare("roll-up", f"{where}, state", result_of(meanings), node["state"])
    if node["state"] == "signed_clean":
        look.compare("roll-up", f"{where}, nothing below forbids it", True, clean)
    if node["state"] == "declined":
        look.compare("roll-up", f"{where}, declined under a signature", True, "decline" in meanings)
    for _, seat, _, payload, _ in signatures:
        said = parsed(payload)
        look.compare("roll-up", f"{where}, what was below", said.get("below", {}).get("sha256"), hashed("".join(lines)))
        look.compare("roll-up", f"{where}, seat", said.get("node", {}).get("seat"), seat)
        look.compare("roll-up", f"{where}, level", said.get("node", {}).get("level"), node["level"])
        look.compare("roll-up", f"{where}, unit", ((said.get("node") or {}).get("unit") or {}).get("id"), node["unit"])
        if "declined_because" in said:
            look.compare("roll-up", f"{where}, reason", said["declined_because"], node["reason"])


_DECLARED_SQL = """
SELECT x.id, s.key, x.question, x.description, x.severity, g.payload
FROM attestations_attestationexception x JOIN attestations_signature g ON g.id = x.signature_id
LEFT JOIN attestations_assignment a ON a.id = x.assignment_id LEFT JOIN registry_system s ON s.id = a.system_id
WHERE x.campaign_id = %(campaign)s ORDER BY x.id
"""


def check_exceptions(look: Verification) -> None:
    """Each exception against the answer, or the node's signature, under which it was declared."""
    for pk, key, question, description, severity, payload in look.rows(_DECLARED_SQL):
        where = f"exception {pk}{f' of system {key}' if key else ''}"
        found = _declared(parsed(payload), question, description)
        look.compare("exceptions", f"{where}, declared under its signature", True, found is not None)
        if found is not None:
            said = found.get("comment" if question else "description") or found.get("label") or description
            look.compare("exceptions", f"{where}, description", said, description)
            look.compare("exceptions", f"{where}, severity", found.get("severity") or severity, severity)


def _declared(said: dict[str, Any], question: str, description: str) -> Line | None:
    if question:
        answers = (answer for section in said.get("sections", []) for answer in section.get("answers", []))
        return next((one for one in answers if one.get("key") == question and one.get("exception")), None)
    return next((one for one in said.get("exceptions", []) if one.get("description") == description), None)


def check_closing(look: Verification) -> None:
    """The closing names everybody who did not attest."""
    record = CampaignRecord.objects.filter(campaign=look.campaign, kind=CampaignRecord.Kind.CLOSING).first()
    if record is None:
        return
    look.compare("closing", "its hash", record.sha256, hashed(record.body))
    named = sorted(one.get("key", "") for one in parsed(record.body).get("not_attested", []))
    missing = look.campaign.assignments.filter(state="not_attested").values_list("system__key", flat=True)
    look.compare("closing", "who did not attest", sorted(missing), named)


def check_manifest(look: Verification) -> None:
    """The manifest against its hash, the trail, and what it would be today, entry by entry."""
    campaign = look.campaign
    record = CampaignRecord.objects.filter(campaign=campaign, kind=CampaignRecord.Kind.MANIFEST).first()
    if record is None:
        look.compare("manifest", "a sealed campaign has one", False, campaign.state == Campaign.State.SEALED)
        return
    look.compare("manifest", "its hash", campaign.manifest_sha256, hashed(record.body))
    event = AuditEvent.objects.filter(kind=Kind.CAMPAIGN_SEALED, subject_id=campaign.code).first()
    told = parsed(event.body).get("after", {}).get("manifest_sha256") if event else None
    look.compare("manifest", "its hash in the trail", told, campaign.manifest_sha256)
    today = "".join(manifest_of(campaign, at=look.at))
    if today != record.body:
        _differences(look, parsed(record.body), json.loads(today))


_NAMES: dict[str, Callable[[Line], str]] = {
    "systems": lambda line: f"system {line.get('key')}",
    "reviews": lambda line: f"review of system {line.get('key')}",
    "nodes": lambda line: f"roll-up, {line.get('level')} {line.get('unit') or ''}".strip(),
    "signatures": lambda line: f"signature {str(line.get('sha256'))[:12]}",
    "exceptions": lambda line: f"exception {line.get('id')}",
    "documents": lambda line: f"document {str(line.get('sha256'))[:12]}",
}


def _differences(look: Verification, sealed: dict[str, Any], today: dict[str, Any]) -> None:
    """Name each entry that differs from what was sealed."""
    for part in sorted({*sealed, *today}):
        before, after = sealed.get(part), today.get(part)
        if part == "exceptions":
            before, after = _as_declared(before), _as_declared(after)
        if before == after:
            continue
        if part not in _NAMES or not isinstance(before, list) or not isinstance(after, list):
            look.compare("manifest", part, before, after)
            continue
        for one, other in _pairs(before, after):
            look.compare("manifest", _NAMES[part](one or other), _differing(one, other), _differing(other, one))


def _pairs(before: list[Line], after: list[Line]) -> Iterator[tuple[Line, Line]]:
    for place in range(max(len(before), len(after))):
        one = before[place] if place < len(before) else {}
        other = after[place] if place < len(after) else {}
        if one != other:
            yield one, other


def _differing(one: Line, other: Line) -> Line:
    return {name: value for name, value in one.items() if other.get(name) != value}


def _as_declared(lines: Any) -> Any:
    return [{name: line.get(name) for name in DECLARED} for line in lines or []]
