"""Evidence on the pages: attach, remove and open it; nothing typed is lost."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.attestations import actions
from apps.attestations.models import EvidenceFile
from apps.common import evidence_store
from tests.attestations.files import PDF, png
from tests.attestations.test_evidence import attach
from tests.attestations.test_signing import answer, sign, start
from tests.attestations.world import NOW, PERIOD

LATER = NOW + timedelta(hours=1)
SECTION = f"/attestations/{PERIOD}/one/response/"


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A folder of this test's own, in the campaign's days."""
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    monkeypatch.setattr("apps.common.clock.now", lambda: LATER)


def pdf(name: str = "drill.pdf", content: bytes = PDF) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/html")


def post(client: Any, **fields: Any) -> Any:
    return client.post(SECTION, {"version": "0", "drills": "yes", **fields})


def test_a_file_goes_with_its_button_and_the_answers_are_saved(cast: Any, browse: Any) -> None:
    assignment = start(cast)
    client = browse(cast.ada)
    fields = {"drills-file": pdf(), "drills-from": "9 Nov 2026", "drills-until": "9.11.2027", "attach": "drills"}
    response = post(client, **fields)
    assert (response.status_code, response.url) == (302, f"{SECTION}#drills-evidence")
    file = EvidenceFile.objects.get()
    assert (file.name, str(file.effective_on), str(file.expires_on)) == ("drill.pdf", "2026-11-09", "2027-11-09")
    assert file.content_type == "application/pdf"
    assert assignment.answers.get(question="drills").value == "yes"
    page = client.get(SECTION).content.decode()
    assert "drill.pdf" in page
    assert "true from 9 Nov 2026 until 9 Nov 2027" in page
    assert "Not scanned: no scanner is set up" in page


def test_a_file_that_was_chosen_goes_with_any_button(cast: Any, browse: Any) -> None:
    start(cast)
    response = post(browse(cast.ada), **{"drills-file": pdf()})
    assert response.status_code == 302
    assert str(EvidenceFile.objects.get().effective_on) == "2026-11-10"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"drills-file": pdf("drill.exe")}, "ends in .exe is not taken"),
        ({"drills-file": pdf(content=png())}, "not what its name says"),
        ({"attach": "drills"}, "Choose a file, then attach it."),
        ({"drills-file": pdf(), "drills-from": "soon"}, "From when is it true?"),
    ],
)
def test_what_is_refused_says_so_and_keeps_what_was_typed(cast: Any, browse: Any, fields: Any, says: str) -> None:
    assignment = start(cast)
    response = post(browse(cast.ada), **{"drills-until": "1 Jan 2027", **fields})
    page = response.content.decode()
    assert response.status_code == 422
    assert says in page
    assert 'href="#drills-evidence"' in page
    assert EvidenceFile.objects.count() == 0
    assert assignment.answers.get(question="drills").value == "yes"
    assert 'value="1 Jan 2027"' in page


def test_remove_from_the_page(cast: Any, browse: Any) -> None:
    assignment = start(cast)
    file = attach(assignment, cast.ada)
    client = browse(cast.ada)
    for number in ("x", "999999"):
        assert post(client, version="1", remove=number).status_code == 404
    assert post(client, version="1", remove=str(file.pk)).status_code == 302
    file.refresh_from_db()
    assert file.removed_by == cast.ada


def download(client: Any, file: EvidenceFile) -> Any:
    return client.get(f"/attestations/{PERIOD}/one/evidence/{file.pk}/")


def test_it_is_always_an_attachment(cast: Any, browse: Any) -> None:
    file = attach(start(cast), cast.ada)
    response = download(browse(cast.ada), file)
    assert response.content == PDF
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="drill.pdf"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    text = attach(file.assignment, cast.ada, name="note.txt", content=b"x")
    assert download(browse(cast.ada), text)["Content-Type"] == "application/octet-stream"


def test_who_may_have_it(cast: Any, browse: Any) -> None:
    file = attach(start(cast), cast.ada)
    names = ("ada", "una", "cleo", "eve", "bo", "mara", "dov", "nils", "ben")
    got = {name: download(browse(getattr(cast, name)), file).status_code for name in names}
    assert got == {"ada": 200, "una": 404, "cleo": 200, "eve": 200, "bo": 200, "mara": 200, "dov": 404, "nils": 404,
                   "ben": 404}  # fmt: skip
    actions.remove_evidence(file, actor=cast.ada, now=LATER)
    assert download(browse(cast.ada), file).status_code == 404


def test_a_locked_or_damaged_file_is_refused_and_said_so(cast: Any, browse: Any) -> None:
    file = attach(start(cast), cast.ada)
    client = browse(cast.ada)
    kept = evidence_store.path_of(file.sha256)
    kept.chmod(0o600)
    kept.write_bytes(PDF + b" ")
    response = download(client, file)
    assert response.status_code == 409
    assert "not the one that was given" in response.content.decode()
    EvidenceFile.objects.update(scan="pending")
    assert "waits to be scanned" in download(client, file).content.decode()
    actions.record_scan(file, "infected", now=LATER)
    response = download(client, file)
    assert (response.status_code, b"It is locked for everybody" in response.content) == (409, True)


def test_it_can_be_opened_after_the_signature_and_the_signature_names_it(cast: Any, browse: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    file = attach(assignment, cast.ada)
    assignment.refresh_from_db()
    payload = json.loads(sign(assignment, cast.ada).payload)
    found = [a["evidence"] for part in payload["sections"] for a in part["answers"] if a["key"] == "drills"]
    assert found == [[{"name": "drill.pdf", "sha256": file.sha256, "size": 45, "effective_on": "2026-11-10",
                       "expires_on": None}]]  # fmt: skip
    assert download(browse(cast.ada), file).content == PDF
    # Who heads the unit reviews what is signed.
    assert download(browse(cast.una), file).content == PDF


def test_expired_evidence_is_named_before_the_signature(cast: Any, browse: Any) -> None:
    assignment = answer(start(cast), cast.ada)
    attach(assignment, cast.ada, effective_on=date(2026, 1, 1), expires_on=date(2026, 11, 9))
    page = browse(cast.ada).get(f"/attestations/{PERIOD}/one/check/").content.decode()
    assert "drill.pdf expired on 9 Nov 2026" in page
    assert "Evidence: drill.pdf" in page
