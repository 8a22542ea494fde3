"""The import pages and the command, as people and scripts use them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.people.actions import provision_person
from apps.registry import actions
from apps.registry.models import ImportRun, Nomination, System
from tests.cast import Cast
from tests.factories import NOW
from tests.registry.test_import import INVENTORY, own

Browse = Callable[[Any], Client]


def upload(client: Client, content: bytes, name: str = "systems.csv") -> Any:
    return client.post("/systems/import/", {"file": SimpleUploadedFile(name, content), "format": ""})


def test_from_file_to_register_and_back(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    assert b"Import systems" in client.get("/systems/import/").content
    response = upload(client, own({"owner_email": "ada@example.org"}, {}))
    run = ImportRun.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/systems/import/{run.pk}/")
    page = client.get(response["Location"]).content.decode()
    assert "Import: 2 systems, 1 with a person" in page
    assert "Register 2 systems" in page
    assert not System.objects.exists()
    answer = client.post(response["Location"], {"do": "apply", "reviewed": run.report["fingerprint"]}, follow=True)
    assert "2 systems are registered" in answer.content.decode()
    answer = client.post(response["Location"], {"do": "undo"}, follow=True)
    assert "2 systems are retired" in answer.content.decode()
    assert "What was undone" in answer.content.decode()


def test_discarding(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    path = upload(client, own({}))["Location"]
    answer = client.post(path, {"do": "discard"}, follow=True)
    assert "Nothing was registered" in answer.content.decode()
    assert client.get(path).status_code == 200
    assert client.post(path, {"do": "apply"}).status_code == 422


def test_a_bad_file_says_where_and_keeps_nothing(cast: Cast, browse: Browse) -> None:
    response = upload(browse(cast.mara), own({"stage": "x"}, {"tier": "y"}))
    page = response.content.decode()
    assert response.status_code == 422
    assert "There is a problem" in page
    assert "Row 2, column stage" in page
    assert page.count("is none of:") >= 2
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "The file is empty"), (b"a;b\n1;2\n", "not separated by commas"), (b"a\x00b", "NUL character")],
)
def test_what_is_no_file_of_systems(cast: Cast, browse: Browse, content: bytes, words: str) -> None:
    response = upload(browse(cast.mara), content)
    assert response.status_code == 422
    assert words in response.content.decode()


def test_no_file(cast: Cast, browse: Browse) -> None:
    response = browse(cast.mara).post("/systems/import/", {})
    assert response.status_code == 422
    assert "Choose a CSV file." in response.content.decode()


def test_a_file_over_the_limit_is_refused_unread(cast: Cast, browse: Browse, settings: Any, monkeypatch: Any) -> None:
    settings.IMPORT_MAX_BYTES = 1000
    monkeypatch.setattr("apps.registry.actions.imports.read_rows", lambda *a: pytest.fail("read"))
    response = upload(browse(cast.mara), b"x" * 1001)
    assert response.status_code == 422
    assert "Split it." in response.content.decode()


def test_a_register_that_changed_shows_the_new_effect(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    path = upload(client, own({"owner_email": "new@example.org"}))["Location"]
    reviewed = ImportRun.objects.get().report["fingerprint"]
    provision_person(email="new@example.org", display_name="New Person", actor=cast.mara, now=NOW)
    response = client.post(path, {"do": "apply", "reviewed": reviewed})
    assert response.status_code == 422
    assert "The register changed since this review" in response.content.decode()
    assert "1 with a person" in response.content.decode()
    assert not System.objects.exists()
    client.post(path, {"do": "apply", "reviewed": ImportRun.objects.get().report["fingerprint"]})
    assert Nomination.objects.count() == 1


def test_a_very_large_effect_is_left_to_the_command(cast: Cast, browse: Browse, monkeypatch: Any) -> None:
    monkeypatch.setattr("apps.portal.queries.imports.MOST_BY_PAGE", 1)
    client = browse(cast.mara)
    path = upload(client, own({}, {}))["Location"]
    assert "Run ./manage.py import_systems" in client.get(path).content.decode()
    assert client.post(path, {"do": "apply"}).status_code == 422
    assert not System.objects.exists()


def test_rows_by_what_becomes_of_them(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    actions.apply_import(
        actions.receive_import(file_name="a.csv", content=own({}, {}), actor=cast.mara, now=NOW),
        actor=cast.mara,
        now=NOW,
    )
    path = upload(client, own({}, {"vendor": "V"}, {}))["Location"]
    for show, key in (("created", "K-3"), ("updated", "K-2"), ("unchanged", "K-1")):
        page = client.get(path, {"show": show}).content.decode()
        assert [k for k in ("K-1", "K-2", "K-3") if f">{k}<" in page] == [key]
    assert client.get(path, {"show": "nonsense"}).status_code == 404


def test_the_pages_cost_the_same_for_any_file(cast: Cast, browse: Browse) -> None:
    from django.db import connection

    client = browse(cast.mara)
    counts = []
    for content in (own({}), INVENTORY.read_bytes()):
        path = upload(client, content)["Location"]
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_only_who_may_import_sees_any_of_it(cast: Cast, browse: Browse) -> None:
    run = actions.receive_import(file_name="a.csv", content=own({}), actor=cast.mara, now=NOW)
    for person in (cast.dov, cast.ada, cast.eve, cast.bo, cast.cleo):
        client = browse(person)
        for path in ("/systems/import/", f"/systems/import/{run.pk}/", "/systems/import/template.csv"):
            assert client.get(path).status_code == 403
        assert upload(client, own({})).status_code == 403
        assert client.post(f"/systems/import/{run.pk}/", {"do": "apply"}).status_code == 403
    assert not System.objects.exists()


def test_an_import_that_is_not_there(cast: Cast, browse: Browse) -> None:
    assert browse(cast.mara).get("/systems/import/00000000-0000-0000-0000-000000000000/").status_code == 404


def test_the_template_can_be_imported_once_its_unit_is_there(cast: Cast, browse: Browse) -> None:
    client = browse(cast.mara)
    response = client.get("/systems/import/template.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    assert upload(client, response.content).status_code == 302


def command(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_systems", *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_the_command_shows_then_commits(cast: Cast) -> None:
    events = AuditEvent.objects.count()
    report = command(str(INVENTORY))
    assert (report["applied"], report["rows_read"], report["created"], report["systems_live"]) == (
        False,
        3611,
        3610,
        3296,
    )
    assert not ImportRun.objects.exists()
    assert AuditEvent.objects.count() == events
    report = command(str(INVENTORY), "--commit", "--actor", "Mara@example.org", "--format", "federal-2025")
    assert report["applied"]
    assert report["skipped"] == [{"row": 839, "reason": "The row has no name (use_case_name).", "label": "DOI-0015"}]
    assert System.objects.count() == report["created"] == 3610
    assert ImportRun.objects.get().created_by == cast.mara
    assert command(str(INVENTORY), "--commit")["unchanged"] == 3610


def test_the_command_lists_problems_and_fails(cast: Cast, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(own({"stage": "x"}, {"tier": "y"}))
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("import_systems", str(path), "--commit", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert [(problem["row"], problem["column"]) for problem in told["problems"]] == [(2, "stage"), (3, "tier")]
    err = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("import_systems", str(path), stderr=err)
    assert "2 problems. Nothing was imported." in err.getvalue()
    assert not ImportRun.objects.exists()


def test_the_command_refuses_a_large_file_unread(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    err = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("import_systems", str(path), stderr=err)
    assert "it has 200 MB; 50 MB are read" in err.getvalue()


def test_the_command_asks_for_an_actor_who_may(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "systems.csv"
    path.write_bytes(own({}))
    for address in ("nobody@example.org", "ivan@example.org", "dov@example.org"):
        with pytest.raises(CommandError):
            call_command("import_systems", str(path), "--commit", "--actor", address)
    with pytest.raises(CommandError, match="can't be read"):
        call_command("import_systems", str(tmp_path / "none.csv"))
    assert not System.objects.exists()
