"""Evidence: who attaches and removes, what is kept, what the scanner and the database say."""

import hashlib
import json
import stat
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError

from apps.attestations import actions
from apps.attestations.actions import signing
from apps.attestations.models import Assignment, EvidenceFile
from apps.attestations.queries.evidence import evidence_of
from apps.audit.models import AuditEvent
from apps.common import evidence_store
from apps.common.errors import NotAllowed, Refused
from apps.notify.models import Message
from tests.attestations.files import PDF, png
from tests.attestations.test_signing import answer, refused, sign, start
from tests.attestations.world import NOW
from tests.factories import hand_over

LATER = NOW + timedelta(hours=1)
TODAY = date(2026, 11, 10)
HASH = hashlib.sha256(PDF).hexdigest()


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    """A folder of this test's own."""
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    return tmp_path / "evidence"


def attach(assignment: Assignment, person: Any, **changed: Any) -> EvidenceFile:
    question = changed.pop("question", "drills")
    values: dict[str, Any] = {
        "name": "drill.pdf", "content": PDF, "effective_on": TODAY, "expires_on": None, "actor": person, "now": LATER,
        **changed,
    }  # fmt: skip
    return actions.add_evidence(assignment, question, **values)


def facts() -> tuple[int, int, int]:
    """How many files, events and messages there are."""
    return EvidenceFile.objects.count(), AuditEvent.objects.count(), Message.objects.count()


def test_a_file_is_kept_under_its_hash_and_noted(cast: Any, store: Path) -> None:
    assignment = start(cast)
    file = attach(assignment, cast.ada, name="..\\Drill report.pdf", expires_on=date(2027, 11, 10))
    kept = store / HASH[:2] / HASH[2:4] / HASH
    assert kept.read_bytes() == PDF
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400
    assert [path.name for path in store.rglob("*") if path.is_file()] == [HASH]
    assert (file.name, file.content_type, file.size, file.sha256) == ("Drill report.pdf", "application/pdf", 45, HASH)
    assert (file.scan, file.uploaded_by, file.recorded_at) == ("not_scanned", cast.ada, LATER)
    assignment.refresh_from_db()
    assert (assignment.state, assignment.version) == ("in_progress", 1)
    event = AuditEvent.objects.get(kind="evidence.added")
    assert json.loads(event.body)["after"] == {
        "campaign": "2026Q4", "assignment": assignment.pk, "question": "drills", "file": file.pk, "sha256": HASH,
        "size": 45, "type": "application/pdf",
    }  # fmt: skip
    assert evidence_of(assignment) == {
        "drills": [
            {"name": "Drill report.pdf", "sha256": HASH, "size": 45, "effective_on": "2026-11-10",
             "expires_on": "2027-11-10"}
        ]
    }  # fmt: skip


def test_the_same_bytes_lie_there_once(cast: Any, store: Path) -> None:
    assignment = start(cast)
    attach(assignment, cast.ada)
    attach(assignment, cast.ada, question="runbook")
    assert len([path for path in store.rglob("*") if path.is_file()]) == 1
    assert EvidenceFile.objects.count() == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "drill.exe"}, "ends in .exe is not taken"),
        ({"content": png()}, "not what its name says"),
        ({"content": b""}, "is empty"),
        ({"content": b"x" * (10 * 1024 * 1024 + 1), "name": "a.txt"}, "10 MB are taken"),
        ({"expires_on": date(2026, 11, 9)}, "expires after the day"),
    ],
)
def test_what_is_refused_leaves_nothing(cast: Any, store: Path, changed: dict[str, Any], says: str) -> None:
    assignment = start(cast)
    before = facts()
    with pytest.raises(Refused, match=says):
        attach(assignment, cast.ada, **changed)
    assert facts() == before
    assignment.refresh_from_db()
    assert (assignment.state, assignment.version) == ("pending", 0)


def test_a_file_is_attached_to_an_answer_once_and_twenty_are_enough(cast: Any) -> None:
    assignment = start(cast)
    attach(assignment, cast.ada)
    with pytest.raises(Refused, match="attached here already"):
        attach(assignment, cast.ada, name="other.pdf")
    for number in range(19):
        attach(assignment, cast.ada, name="a.txt", content=f"{number}".encode())
    with pytest.raises(Refused, match="20 files"):
        attach(assignment, cast.ada, name="b.txt", content=b"more")


def test_nobody_else_attaches_or_removes(cast: Any) -> None:
    assignment = start(cast)
    file = attach(assignment, cast.ada)
    before = facts()
    for person in (cast.ben, cast.una, cast.mara, cast.eve, cast.dov):
        with pytest.raises(NotAllowed):
            attach(assignment, person, name="other.txt", content=b"x")
        with pytest.raises(NotAllowed):
            actions.remove_evidence(file, actor=person, now=LATER)
    assert facts() == before


def test_a_removed_file_stays_as_a_row_and_can_be_attached_again(cast: Any, store: Path) -> None:
    assignment = start(cast)
    file = actions.remove_evidence(attach(assignment, cast.ada), actor=cast.ada, now=LATER)
    assert (file.removed_at, file.removed_by) == (LATER, cast.ada)
    assert evidence_of(assignment) == {}
    assert (store / HASH[:2] / HASH[2:4] / HASH).exists()
    with pytest.raises(Refused, match="removed already"):
        actions.remove_evidence(file, actor=cast.ada, now=LATER)
    attach(assignment, cast.ada)
    assert AuditEvent.objects.filter(kind__startswith="evidence.").count() == 3


def test_a_signature_ends_it(cast: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    file = attach(assignment, cast.ada)
    assignment.refresh_from_db()
    sign(assignment, cast.ada)
    with pytest.raises(Refused, match="is signed"):
        attach(assignment, cast.ada, name="other.txt", content=b"x")
    with pytest.raises(Refused, match="is signed"):
        actions.remove_evidence(file, actor=cast.ada, now=LATER)
    table = "attestations_evidencefile"
    ids = (assignment.pk, "drills", "0" * 64, cast.ada.pk)
    insert = (
        f"INSERT INTO {table} (assignment_id, question, name, content_type, size, sha256, effective_on, "
        "uploaded_by_id, recorded_at, scan, scan_note) "
        "VALUES (%s, %s, 'a.txt', 'text/plain', 1, %s, '2026-11-10', %s, now(), 'clean', '')"
    )
    assert "does not change" in refused(insert, *ids)
    who = cast.ada.pk
    assert "does not change" in refused(f"UPDATE {table} SET removed_at = now(), removed_by_id = %s", who)
    assert "permission denied" in refused(f"DELETE FROM {table}")
    assert "permission denied" in refused(f"TRUNCATE {table}")
    EvidenceFile.objects.update(scan="clean", scanned_at=LATER)


@pytest.mark.parametrize(
    "change",
    [
        "name = 'x'", "sha256 = repeat('0', 64)", "size = 1", "question = 'x'", "expires_on = '2030-01-01'",
        "effective_on = '2020-01-01'", "recorded_at = now()", "content_type = 'x'",
    ],
)  # fmt: skip
def test_what_was_noted_about_the_bytes_does_not_change(cast: Any, change: str) -> None:
    attach(start(cast), cast.ada)
    assert "does not change" in refused(f"UPDATE attestations_evidencefile SET {change}")


def test_a_removed_file_does_not_come_back(cast: Any) -> None:
    actions.remove_evidence(attach(start(cast), cast.ada), actor=cast.ada, now=LATER)
    said = refused("UPDATE attestations_evidencefile SET removed_at = NULL, removed_by_id = NULL")
    assert "stays so" in said


def test_not_even_the_owner_of_the_database_deletes(committed_db: str, as_owner: Any) -> None:
    from tests.cast import Cast

    cast = Cast()
    attach(start(cast), cast.ada)
    with as_owner(committed_db) as connection:
        for statement in ("DELETE FROM attestations_evidencefile", "TRUNCATE attestations_evidencefile CASCADE"):
            with pytest.raises(psycopg.Error, match="never"):
                connection.execute(statement)


def test_the_next_owner_has_the_files(cast: Any) -> None:
    assignment = start(cast)
    attach(assignment, cast.ada)
    hand_over(cast, assignment.system, cast.nils, now=LATER)
    actions.follow_owners(now=LATER + timedelta(hours=2))
    fresh = Assignment.objects.get(predecessor=assignment)
    assert [(f.sha256, f.uploaded_by, f.recorded_at) for f in fresh.evidence.all()] == [(HASH, cast.ada, LATER)]
    assert fresh.person == cast.nils


SCANNER = """import sys, pathlib
content = pathlib.Path(sys.argv[1]).read_bytes()
print(sys.argv[1] + ': looked')
sys.exit(1 if b'EICAR' in content else 7 if b'broken' in content else 0)
"""


@pytest.fixture
def scanner(settings: Any, tmp_path: Path) -> None:
    """A scanner that finds EICAR and stumbles over "broken"."""
    script = tmp_path / "scan.py"
    script.write_text(SCANNER)
    settings.EVIDENCE_SCAN_COMMAND = [sys.executable, str(script)]


def test_without_a_scanner_nothing_pretends(cast: Any) -> None:
    file = attach(start(cast), cast.ada)
    assert actions.scan_evidence(now=LATER) == 0
    file.refresh_from_db()
    assert (file.scan, file.scanned_at) == ("not_scanned", None)


def test_the_scanner_says_clean_infected_or_nothing(cast: Any, scanner: None) -> None:
    assignment = start(cast)
    files = {
        text: attach(assignment, cast.ada, name=f"{text}.txt", content=text.encode())
        for text in ("fine", "EICAR", "broken")
    }
    assert {file.scan for file in files.values()} == {"pending"}
    sent = Message.objects.count()
    assert actions.scan_evidence(now=LATER) == 3
    for file in files.values():
        file.refresh_from_db()
    assert [(f.scan, f.scan_note) for f in files.values()] == [
        ("clean", "the file: looked"), ("infected", "the file: looked"), ("failed", "Exit code 7. the file: looked"),
    ]  # fmt: skip
    note = Message.objects.latest("pk")
    assert (Message.objects.count(), note.recipient) == (sent + 1, cast.ada)
    assert note.subject == "Infected: EICAR.txt, evidence for ONE"
    assert AuditEvent.objects.filter(kind="evidence.scanned").count() == 3
    assert actions.scan_evidence(now=LATER + timedelta(minutes=1)) == 0
    files["broken"].refresh_from_db()
    assert files["broken"].scanned_at == LATER
    actions.scan_evidence(now=LATER + timedelta(hours=1))
    files["broken"].refresh_from_db()
    assert files["broken"].scanned_at == LATER + timedelta(hours=1)


def test_an_infected_file_blocks_the_signature(cast: Any, scanner: None) -> None:
    assignment = answer(start(cast), cast.ada)
    file = attach(assignment, cast.ada, name="bad.txt", content=b"EICAR")
    actions.scan_evidence(now=LATER)
    assignment.refresh_from_db()
    with pytest.raises(Refused, match=r"bad\.txt is infected\. Remove it"):
        sign(assignment, cast.ada)
    actions.remove_evidence(file, actor=cast.ada, now=LATER)
    assignment.refresh_from_db()
    assert sign(assignment, cast.ada).meaning == "certify"


def test_the_database_refuses_a_signature_over_an_infected_file(cast: Any, scanner: None, monkeypatch: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    attach(assignment, cast.ada, name="bad.txt", content=b"EICAR")
    actions.scan_evidence(now=LATER)
    assignment.refresh_from_db()
    monkeypatch.setattr(signing, "_refuse_unready", lambda *_: None)
    with pytest.raises(DatabaseError, match="An infected file is removed"):
        sign(assignment, cast.ada)


@pytest.mark.parametrize(
    ("days", "says"),
    [
        ({"effective_on": date(2026, 11, 11)}, r"drill\.pdf is true from 11 Nov 2026 only"),
        ({"effective_on": date(2026, 1, 1), "expires_on": date(2026, 11, 9)}, r"drill\.pdf expired on 9 Nov 2026"),
    ],
)
def test_evidence_has_to_hold_on_the_day_of_the_signature(cast: Any, days: dict[str, date], says: str) -> None:
    assignment = answer(start(cast), cast.ada)
    attach(assignment, cast.ada, **days)
    assignment.refresh_from_db()
    with pytest.raises(Refused, match=says):
        sign(assignment, cast.ada)


def test_a_changed_byte_on_the_disk_is_found(cast: Any, store: Path) -> None:
    file = attach(start(cast), cast.ada)
    assert evidence_store.read(file.sha256) == PDF
    kept = evidence_store.path_of(file.sha256)
    kept.chmod(0o600)
    kept.write_bytes(PDF.replace(b"1 0", b"2 0"))
    with pytest.raises(evidence_store.Damaged, match="not the one that was given"):
        evidence_store.read(file.sha256)
    with pytest.raises(Refused, match="was not kept"):
        attach(file.assignment, cast.ada, question="runbook")
    kept.unlink()
    with pytest.raises(evidence_store.Damaged, match="not in the store"):
        evidence_store.read(file.sha256)
    with pytest.raises(ValueError, match="no SHA-256"):
        evidence_store.path_of("../../etc/passwd")
