"""Verifying a campaign: hashes are counted anew, and what is stored is compared with what was signed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.attestations.models import Campaign, EvidenceFile, Signature
from apps.attestations.queries.manifest import Line, answers_of, facts_of, rows_of
from apps.attestations.rules import FIRST_PREVIOUS
from apps.attestations.rules.manifest import ANSWER_FIELDS, drawn, hashed
from apps.common import evidence_store

# The signature that stands under each signed attestation, in the order of the keys.
_SIGNED_SQL = """
SELECT s.key, n.number, g.id, g.payload, n.sha256, a.result,
       ARRAY(SELECT e.sha256 FROM attestations_evidencefile e
             WHERE e.assignment_id = a.id AND e.removed_at IS NULL),
       ARRAY(SELECT x.question FROM attestations_attestationexception x WHERE x.signature_id = g.id)
FROM attestations_assignment a
JOIN attestations_scopesnapshot n ON n.id = a.snapshot_id
JOIN registry_system s ON s.id = a.system_id
JOIN attestations_signature g ON g.assignment_id = a.id AND g.kind = 'attestation' AND g.round = a.round
WHERE a.campaign_id = %(campaign)s AND a.state IN ('submitted', 'accepted', 'sealed')
ORDER BY s.key COLLATE "C", n.number
"""
_UNSIGNED_SQL = """
SELECT s.key FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
WHERE a.campaign_id = %(campaign)s AND (a.state IN ('submitted', 'accepted', 'sealed') AND NOT EXISTS (
    SELECT FROM attestations_signature g WHERE g.assignment_id = a.id AND g.kind = 'attestation' AND g.round = a.round)
  OR a.state IN ('accepted', 'sealed') AND NOT EXISTS (
    SELECT FROM attestations_review r JOIN attestations_signature g ON g.id = r.signature_id
    WHERE r.assignment_id = a.id AND r.verdict = 'accepted' AND g.round = a.round))
"""
_SAMPLED_SQL = """
SELECT s.key, a.sampled FROM attestations_assignment a
JOIN attestations_scopesnapshot n ON n.id = a.snapshot_id JOIN registry_system s ON s.id = a.system_id
WHERE a.campaign_id = %(campaign)s AND a.state <> 'reassigned' AND NOT n.is_supplement AND n.number = 1
"""
_COMPARED = tuple(name for name in ANSWER_FIELDS if name not in {"question", "answered_by", "saved_at"})


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was signed or frozen."""

    what: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: {self.where}: expected {self.expected}, found {self.found}"


@dataclass
class Verification:
    """What was looked at, and every fault."""

    campaign: Campaign
    at: datetime
    figures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    faults: list[Fault] = field(default_factory=list)
    tiers: dict[str, str] = field(default_factory=dict)

    def compare(self, what: str, where: str, expected: Any, found: Any) -> None:
        """Count what was looked at; a difference is a fault."""
        self.figures[what] += 1
        if expected != found:
            self.faults.append(Fault(what, where, _short(expected), _short(found)))

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement about the campaign."""
        return rows_of(sql, self.campaign, self.at)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if 0 < len(text) <= 200 else f"{text[:200]}…" if text else "nothing"


def check_facts(look: Verification) -> None:
    """The frozen facts of every system, and the hash of the scope over all of them."""
    lines = []
    for key, _, supplement, facts, sha256 in facts_of(look.campaign, look.at):
        look.compare("facts", f"system {key}", sha256, hashed(facts))
        known = parsed(facts)
        look.compare("facts", f"system {key}, its key", key, known.get("key"))
        if not supplement:
            lines.append(f"{key} {sha256}\n")
            look.tiers[key] = str(known.get("tier"))
    look.compare("scope", look.campaign.code, look.campaign.scope_hash, hashed("".join(lines)))


def parsed(text: str) -> dict[str, Any]:
    """A stored object; empty where it can't be read any more."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def check_sampling(look: Verification) -> None:
    """The draw follows from the seed, whose hash was shown from the start."""
    campaign = look.campaign
    if campaign.is_event or not campaign.sampling_seed:
        return
    look.compare("sampling", "commitment", campaign.sampling_commitment, hashed(campaign.sampling_seed))
    expected = drawn(campaign.sampling_seed, campaign.term("sampling_percent"), look.tiers)
    for key, sampled in look.rows(_SAMPLED_SQL):
        look.compare("sampling", f"system {key}", expected.get(key, ""), sampled)


def check_answers(look: Verification) -> None:
    """Every stored answer and file against what was signed, and every exception that was signed against its row."""
    stored = answers_of(look.campaign, look.at)
    held = next(stored, None)
    for key, number, signature, payload, facts, _, files, exceptions in look.rows(_SIGNED_SQL):
        while held is not None and (held[0].encode(), held[1]) < (key.encode(), number):
            held = next(stored, None)
        given = {line["question"]: line for line in held[2]} if held is not None and held[:2] == (key, number) else {}
        said = parsed(payload)
        look.compare("signed facts", f"system {key}", said.get("facts_sha256"), facts)
        answers = [answer for section in said.get("sections", []) for answer in section.get("answers", [])]
        for answer in answers:
            _compare_answer(look, key, answer, given.get(answer["key"], {}))
            for file in answer.get("evidence", []):
                found = file["sha256"] if file["sha256"] in files else ""
                look.compare("evidence", f"system {key}, {file['name']}", file["sha256"], found)
        if said.get("v") != "1":
            declared = sorted(answer["key"] for answer in answers if answer.get("exception"))
            look.compare("exceptions", f"system {key}, signature {signature}", declared, sorted(exceptions))
    for (key,) in look.rows(_UNSIGNED_SQL):
        look.compare("signatures", f"system {key}", "a signature and its review", "")


def _compare_answer(look: Verification, key: str, answer: Line, stored: Line) -> None:
    for name in _COMPARED:
        if name in answer:
            where = f"system {key}, question {answer['key']}, {name}"
            look.compare("answers", where, _plain(answer[name]), _plain(stored.get(name)))


def _plain(value: Any) -> str:
    """A value as both sides have it: a person is their id, nothing is empty."""
    return str(value.get("id", "")) if isinstance(value, dict) else str(value or "")


def check_evidence(look: Verification) -> None:
    """The bytes of every file that was given."""
    files = EvidenceFile.objects.filter(assignment__campaign=look.campaign, removed_at=None)
    for sha256, name, key in files.values_list("sha256", "name", "assignment__system__key").iterator():
        try:
            found = hashed_bytes(evidence_store.read(sha256))
        except evidence_store.Damaged as error:
            found = str(error)
        look.compare("evidence", f"system {key}, bytes of {name}", sha256, found)


def hashed_bytes(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def check_chain(look: Verification) -> None:
    """Every signature of every campaign: there is one chain. Its payload, its columns, and the one before it."""
    previous = FIRST_PREVIOUS
    for row in Signature.objects.order_by("pk").iterator(chunk_size=2000):
        where = f"signature {row.pk} ({row.receipt})"
        look.compare("signatures", where, row.payload_sha256, hashed(row.payload))
        look.compare("chain", where, previous, row.prev_hash)
        said = parsed(row.payload)
        signer = said.get("signer", {})
        columns = {
            "previous": row.prev_hash, "statement": row.statement, "meaning": row.meaning, "kind": row.kind,
        }  # fmt: skip
        look.compare("signatures", f"{where}, signed_at", _moment(said.get("signed_at")), row.signed_at)
        for name, value in columns.items():
            if name in said:
                look.compare("signatures", f"{where}, {name}", said[name], value)
        look.compare("signatures", f"{where}, signer", signer.get("id"), str(row.signer_id))
        look.compare("signatures", f"{where}, name", signer.get("name"), row.signer_name)
        previous = row.payload_sha256


def _moment(text: Any) -> Any:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text
