"""The export of a sealed campaign: all that its manifest holds the hash of, in one ZIP, written while it is sent.

docs/verify.md says what is in it; docs/verify_campaign.py verifies it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from apps.attestations.models import Campaign, CampaignRecord, EvidenceFile
from apps.attestations.queries.manifest import facts_of, signatures_of, systems_of
from apps.attestations.queries.report import report_body, report_json
from apps.attestations.rules.manifest import answers_line
from apps.audit.rules import canonical
from apps.common import evidence_store
from apps.people.models import Person
from apps.registry.queries import visible_systems

README = """This is a sealed campaign of attestations, with the hash of everything in manifest.json.

To verify it: python3 verify_campaign.py THIS.zip
The script needs nothing but Python's standard library. It comes with the portal, in docs/.
"""
# Pieces are handed on when they are as long.
PIECE = 1 << 16


class _Pieces:
    """A file that can only be written: what was written waits until it is taken."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, content: bytes) -> int:
        """Keep some bytes."""
        self.waiting += content
        return len(content)

    def flush(self) -> None:
        """Nothing to do: they are taken by hand."""

    def take(self, at_least: int = 0) -> Iterator[bytes]:
        """What waits, once it is long enough."""
        if len(self.waiting) > at_least:
            yield bytes(self.waiting)
            self.waiting.clear()


def may_export(reader: Person, campaign: Campaign) -> bool:
    """Whether somebody may have all that is in the export: it can't leave out a restricted system and still verify."""
    restricted = campaign.assignments.filter(system__restricted=True)
    return not restricted.exclude(system__in=visible_systems(reader)).exists()


def export_of(campaign: Campaign, reader: Person) -> Iterator[bytes]:
    """The ZIP of a sealed campaign, piece by piece. Raises ValueError for one that is not sealed."""
    if campaign.sealed_at is None:
        raise ValueError("Only a sealed campaign is exported.")
    pieces = _Pieces()
    with ZipFile(cast(IO[bytes], pieces), "w", ZIP_DEFLATED) as archive:  # it writes and flushes, no more
        for name, content in _members(campaign, campaign.sealed_at, reader):
            info = ZipInfo(name, campaign.sealed_at.timetuple()[:6])
            info.compress_type = ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                for part in content:
                    member.write(part)
                    yield from pieces.take(PIECE)
            yield from pieces.take()
    yield from pieces.take()


def _members(campaign: Campaign, at: datetime, reader: Person) -> Iterator[tuple[str, Iterable[bytes]]]:
    records = CampaignRecord.objects.filter(campaign=campaign)
    yield "README.txt", [README.encode()]
    yield "manifest.json", [records.get(kind=CampaignRecord.Kind.MANIFEST).body.encode()]
    yield "closing.json", [records.get(kind=CampaignRecord.Kind.CLOSING).body.encode()]
    yield "questions.json", [canonical(campaign.question_set).encode()]
    yield "report.json", [report_json(report_body(campaign, now=at, reader=reader)).encode()]
    yield "facts.jsonl", (_line(facts) for _, _, _, facts, _ in facts_of(campaign, at))
    systems = systems_of(campaign, at)
    yield "answers.jsonl", (_line(answers_line(line["key"], line["number"], rows)) for line, rows in systems)
    yield "signatures.jsonl", (_line(text) for one, text in signatures_of(campaign, at) if one["kind"] != "elsewhere")
    files = EvidenceFile.objects.filter(assignment__campaign=campaign, removed_at=None)
    bound = files.exclude(assignment__state="reassigned").order_by("sha256")
    for sha256 in bound.values_list("sha256", flat=True).distinct():
        yield f"evidence/{sha256}", [evidence_store.read(sha256)]


def _line(text: str) -> bytes:
    return f"{text}\n".encode()
