"""The export of a sealed campaign, verified by the script that needs nothing but Python's standard library."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.attestations.actions import evidence
from apps.attestations.models import Campaign
from apps.attestations.queries.export import export_of
from apps.registry.models import System
from tests.attestations.rollup_world import LATER, of, opened, rolled_up, sealed

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "docs" / "verify_campaign.py"


def run(path: Path, *more: str) -> tuple[int, str]:
    """The script in a Python without any packages, in an empty folder."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(path), *more]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def export(cast: Any, tmp_path: Path, settings: Any) -> tuple[Campaign, Path]:
    """A sealed campaign with a file and somebody who did not attest."""
    settings.EVIDENCE_DIR = str(tmp_path / "evidence")
    running = opened(cast)
    evidence.add_evidence(
        of("one"), "kill_switch", name="drill.txt", content=b"We stopped it at 10:42.\n", effective_on=LATER.date(),
        expires_on=None, actor=cast.ada, now=LATER,
    )  # fmt: skip
    campaign = sealed(cast, silent=("two",), campaign=running)
    path = tmp_path / "2026Q4.zip"
    path.write_bytes(b"".join(export_of(campaign, cast.eve)))
    return campaign, path


def test_the_export_verifies_with_the_standard_library_alone(export: tuple[Campaign, Path]) -> None:
    campaign, path = export
    status, out = run(path, "--sha256", campaign.manifest_sha256)
    assert (status, out.split(":")[0]) == (0, "VERIFIED"), out
    assert "3 systems" in out
    assert campaign.manifest_sha256 in out
    status, out = run(path, "--sha256", "0" * 64)
    assert (status, out.splitlines()[0][:27]) == (1, "manifest: expected 00000000")


@pytest.mark.parametrize(
    ("member", "before", "after", "named"),
    [
        ("facts.jsonl", b'"ONE"', b'"ON3"', "facts of one"),
        ("answers.jsonl", b'"value":"yes"', b'"value":"no"', "answers of one"),
        ("signatures.jsonl", b"Ada Nwosu", b"Eda Nwosu", "signature "),
        ("manifest.json", b'"result":"clean"', b'"result":"qualified"', "result"),
        ("manifest.json", b'"state":"signed_qualified"', b'"state":"signed_clean"', "roll-up"),
        ("manifest.json", b'"seed":"', b'"seed":"0', "sampling, commitment"),
        ("manifest.json", b'"counts":{', b'"counts": {', "canonical JSON"),
        ("closing.json", b"Ada Nwosu", b"Una Nwosu", "closing"),
        ("questions.json", b"text", b"tixt", "questions"),
        ("evidence/", b"10:42", b"10:43", "evidence of one"),
    ],
)
def test_a_changed_copy_is_found(
    export: tuple[Campaign, Path], tmp_path: Path, member: str, before: bytes, after: bytes, named: str
) -> None:
    _, path = export
    copy, changed = tmp_path / "copy.zip", 0
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.startswith(member) and before in content:
                content, changed = content.replace(before, after, 1), changed + 1
            new.writestr(name, content)
    assert changed == 1
    status, out = run(copy)
    assert status == 1
    assert any(named in line for line in out.splitlines()[:-1]), out


def test_a_file_or_line_that_is_missing_is_found(export: tuple[Campaign, Path], tmp_path: Path) -> None:
    _, path = export
    for lost in ("signatures.jsonl", "evidence/"):
        copy = tmp_path / "less.zip"
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
            for name in old.namelist():
                if name == "signatures.jsonl" and lost == name:
                    new.writestr(name, b"".join(old.read(name).splitlines(keepends=True)[:-1]))
                elif not name.startswith(lost):
                    new.writestr(name, old.read(name))
        assert run(copy)[0] == 1
    (tmp_path / "no.zip").write_bytes(b"no")
    assert run(tmp_path / "no.zip")[1].startswith("The export can't be read")


def test_who_reads_campaigns_gets_it_once_it_is_sealed(cast: Any, browse: Callable[[Any], Client]) -> None:
    campaign = rolled_up(cast)
    address = f"/attestations/{campaign.code}/sealed.zip"
    assert browse(cast.eve).get(address).status_code == 404
    assert browse(cast.dov).get(address).status_code == 404


def test_the_download_is_the_export(export: tuple[Campaign, Path], cast: Any, browse: Callable[[Any], Client]) -> None:
    campaign, path = export
    response = browse(cast.eve).get(f"/attestations/{campaign.code}/sealed.zip")
    content = b"".join(response)  # type: ignore[arg-type]
    assert response["Content-Disposition"] == 'attachment; filename="attestation-2026Q4-sealed.zip"'
    with zipfile.ZipFile(io.BytesIO(content)) as sent, zipfile.ZipFile(path) as made:
        assert sent.namelist() == made.namelist()
        assert sent.read("manifest.json") == made.read("manifest.json")
    assert browse(cast.ada).get(f"/attestations/{campaign.code}/sealed.zip").status_code == 404
    with pytest.raises(ValueError, match="sealed"):
        next(export_of(Campaign(), cast.eve))


def test_the_export_is_only_for_who_may_see_every_system_in_it(
    cast: Any, browse: Callable[..., Client], export: tuple[Campaign, Path]
) -> None:
    campaign, _ = export
    System.objects.filter(key="one").update(restricted=True)
    address, closing = f"/attestations/{campaign.code}/sealed.zip", f"/attestations/{campaign.code}/closing/"
    for person in (cast.bo, cast.cleo):
        assert browse(person).get(address).status_code == 403
        assert b"sealed.zip" not in browse(person).get(closing).content
    for person in (cast.eve, cast.mara):
        assert browse(person).get(address).status_code == 200
        assert b"sealed.zip" in browse(person).get(closing).content
