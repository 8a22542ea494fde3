"""Who responds when the portal is down: the export and its signature; and without signing in."""

import json
import shutil
import subprocess
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.management import call_command
from django.test import Client

from apps.audit.models import AuditEvent
from apps.common.errors import NotAllowed
from apps.incidents.actions.card_export import export_cards, export_nightly, signing_key
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def private_folder(settings: Any, tmp_path: Path) -> None:
    settings.CARDS_DIR = tmp_path / "private"


def test_the_export_is_whole_signed_and_checked_with_openssl(cast: Cast, tmp_path: Path, settings: Any) -> None:
    system = a_system(cast, owner=cast.ada, name="Claims <router>")
    settle()
    assert export_nightly(now=NOW) == 1
    folder = settings.CARDS_DIR / "latest"
    told = json.loads((folder / "cards.json").read_text())
    [found] = told["systems"]
    leads = {card["scenario"]: told["people"][card["lead"]]["name"] for card in found["cards"]}
    assert (told["format"], found["key"]) == ("govportal-response-cards/1", system.key)
    assert (leads[""], leads["data-access"]) == ("Ada Nwosu", "Cleo Marchetti")
    page = (folder / "cards.html").read_text()
    assert "Claims &lt;router&gt;" in page
    assert "+49 30 5550 0142" in page
    assert sorted(one.name for one in folder.iterdir()) == [
        "SHA256SUMS", "SHA256SUMS.sig", "cards.html", "cards.json", "public-key.pem",
    ]  # fmt: skip
    assert (settings.CARDS_DIR / "signing-key.pem").stat().st_mode & 0o777 == 0o600
    verify(folder)
    (folder / "cards.json").write_text("{}")
    with pytest.raises(subprocess.CalledProcessError):
        verify(folder)
    assert AuditEvent.objects.filter(kind="card.exported").count() == 1


def verify(folder: Path) -> None:
    """As docs/offline.md says it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    run = ("openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig",
           "sha256sum -c SHA256SUMS")  # fmt: skip
    for line in run:
        subprocess.run(line.split(), cwd=folder, check=True, capture_output=True)


def test_the_key_stays(tmp_path: Path) -> None:
    assert signing_key().private_bytes_raw() == signing_key().private_bytes_raw()


def test_a_register_without_systems_is_exported_too(cast: Cast, tmp_path: Path) -> None:
    call_command("export_cards", "--to", str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "cards.json").read_text())["systems"] == []


def test_the_download_is_for_those_who_read_all_and_manage(cast: Cast, browse: Any, tmp_path: Path) -> None:
    a_system(cast, owner=cast.ada)
    settle()
    answer = browse(cast.cleo).post("/incidents/rules/offline/")
    names = ZipFile(BytesIO(b"".join(answer.streaming_content))).namelist()
    assert (answer.status_code, sorted(names)[2:]) == (200, ["cards.html", "cards.json", "public-key.pem"])
    for person in (cast.dov, cast.eve):
        assert browse(person).get("/incidents/rules/offline/").status_code == 403
        assert browse(person).post("/incidents/rules/offline/").status_code == 403
    with pytest.raises(NotAllowed):
        export_cards(tmp_path / "x", actor=cast.eve, now=NOW)
    assert not (tmp_path / "x").exists()


def test_without_signing_in_it_is_off_unless_a_network_is_named(cast: Cast, settings: Any) -> None:
    a_system(cast, owner=cast.ada, key="CLM-1", name="Claims router")
    settle()
    assert Client().get("/who-answers/?q=CLM-1").status_code == 404
    settings.OPEN_LOOKUP_NETWORKS = [ip_network("10.20.0.0/16")]
    assert Client().get("/who-answers/?q=CLM-1").status_code == 404
    settings.OPEN_LOOKUP_NETWORKS = [ip_network("127.0.0.0/8")]
    text = Client().get("/who-answers/?q=clm-1").content.decode()
    assert "Ada Nwosu" in text
    assert "Ben Ortega" in text
    assert "Una Brandt" not in text
    assert "Cleo Marchetti" in Client().get("/who-answers/?q=CLM-1&scenario=data-access").content.decode()


def test_without_signing_in_restricted_systems_are_not_there(cast: Cast, settings: Any) -> None:
    settings.OPEN_LOOKUP_NETWORKS = [ip_network("127.0.0.0/8")]
    system = a_system(cast, owner=cast.ada, key="SEC-1", name="Secret scorer")
    System.objects.filter(pk=system.pk).update(restricted=True)
    settle()
    for text in ("SEC-1", "Secret", "Secret scorer"):
        page = Client().get("/who-answers/", {"q": text}).content.decode()
        assert "Ada Nwosu" not in page
        assert "Nothing called" in page


def test_without_signing_in_several_matches_are_a_list_and_many_look_ups_are_refused(cast: Cast, settings: Any) -> None:
    settings.OPEN_LOOKUP_NETWORKS = [ip_network("127.0.0.0/8")]
    settings.OPEN_LOOKUP_A_MINUTE = 2
    for n in range(2):
        a_system(cast, owner=cast.ada, name=f"Claims router {n}")
    settle()
    page = Client().get("/who-answers/?q=claims").content.decode()
    assert ("Claims router 0" in page, "Claims router 1" in page, "Ada Nwosu" in page) == (True, True, False)
    answers = [Client().get("/who-answers/?q=claims").status_code for _ in range(3)]
    assert answers[-1] == 429
