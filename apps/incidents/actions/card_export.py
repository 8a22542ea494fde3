"""Every card as signed JSON and as a page to print, for when the portal is down.

`SHA256SUMS` names both files and is signed (Ed25519) with a key of this installation's own; docs/offline.md says how
that is checked with openssl. The files are put in place whole: a copy that runs meanwhile gets the old or the new ones.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from zipfile import ZIP_DEFLATED, ZipFile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction
from django.utils.html import escape

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Actor, Kind, Subject
from apps.common.clock import day_words, local_date
from apps.common.errors import NotAllowed
from apps.incidents.queries.card_export import people_on_cards, runbooks_in_use, systems_with_cards
from apps.incidents.queries.runbooks import SCENARIO_WORDS
from apps.people.models import Person

FORMAT = "govportal-response-cards/1"
JSON, PAGE, SUMS, SIGNATURE, KEY = "cards.json", "cards.html", "SHA256SUMS", "SHA256SUMS.sig", "public-key.pem"
_PRIVATE = "signing-key.pem"


def export_nightly(*, now: datetime) -> int:
    """Put the cards into the private folder of this installation. Returns for how many systems."""
    return export_cards(Path(settings.CARDS_DIR) / "latest", actor=SCHEDULER, now=now)


@transaction.atomic
def export_cards(folder: Path, *, actor: Actor, now: datetime) -> int:
    """Write every card into a folder, signed; returns for how many systems. The former files are replaced.

    Raises NotAllowed for somebody who does not both read all systems and manage incidents, OSError for a folder that
    can't be written.
    """
    if isinstance(actor, Person) and not may_export(actor):
        raise NotAllowed("Only those who read every system and manage incidents export who responds.")
    folder.mkdir(parents=True, exist_ok=True)
    people = people_on_cards()
    with TemporaryDirectory(dir=folder, prefix=".new-") as place:
        new = Path(place)
        count = _write(new, people, now)
        _sign(new)
        for name in (JSON, PAGE, KEY, SUMS, SIGNATURE):
            os.replace(new / name, folder / name)
    subject = Subject("response_cards", local_date(now).isoformat(), "response cards")
    record(Kind.CARD_EXPORTED, actor=actor, subject=subject, now=now, after={"systems": count, "people": len(people)})
    return count


def may_export(person: Person) -> bool:
    """Those who read every system and manage incidents: restricted systems are in it too."""
    return may(person, Permission.SYSTEMS_READ_ALL) and may(person, Permission.INCIDENTS_MANAGE)


def zip_of(folder: Path, to: Path) -> None:
    """The exported files as one file to download."""
    with ZipFile(to, "w", ZIP_DEFLATED) as archive:
        for name in (JSON, PAGE, KEY, SUMS, SIGNATURE):
            archive.write(folder / name, name)


def _write(new: Path, people: dict[str, dict[str, Any]], now: datetime) -> int:
    """Both files in one pass over the systems."""
    head = {"format": FORMAT, "organisation": settings.ORGANISATION_NAME, "made_at": now.isoformat(), "people": people,
            "runbooks": runbooks_in_use()}  # fmt: skip
    count = 0
    with (new / JSON).open("w", encoding="utf-8") as told, (new / PAGE).open("w", encoding="utf-8") as page:
        told.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "systems": [\n')
        page.write(_page_head(now))
        for count, system in enumerate(systems_with_cards(), 1):
            told.write((",\n" if count > 1 else "") + json.dumps(system, ensure_ascii=False))
            _print(page, system, people)
        told.write("\n]}\n")
        page.write("</tbody></table>" + "".join(_printed_runbooks(head["runbooks"])) + "</body></html>\n")
    return count


def _page_head(now: datetime) -> str:
    made = f"{day_words(local_date(now))}, {now:%H:%M} UTC"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Who responds</title><style>'
        "body{font:9pt/12pt sans-serif;margin:12mm}table{border-collapse:collapse;width:100%}"
        "thead{display:table-header-group}"
        "tr{break-inside:avoid}th,td{border:1px solid #888;padding:2pt 4pt;text-align:left;vertical-align:top}"
        "@page{size:A4 landscape;margin:10mm}</style></head><body>"
        f"<h1>Who responds: {escape(settings.ORGANISATION_NAME)}</h1>"
        f"<p>As of {made}. Who leads changes with absences: where somebody can't be reached, call the next one.</p>"
        '<table><thead><tr><th scope="col">System</th><th scope="col">What went wrong</th><th scope="col">Call</th>'
        '<th scope="col">Else</th><th scope="col">Then</th><th scope="col">How it is stopped</th></tr></thead><tbody>'
    )


def _print(page: TextIO, system: dict[str, Any], people: dict[str, dict[str, Any]]) -> None:
    """A system's rows; scenarios with the same people share one."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for card in system["cards"]:
        words = SCENARIO_WORDS[card["scenario"]] if card["scenario"] else "Not sure"
        groups.setdefault((card["lead"], card["deputy"], card["next_in_line"]), []).append(words)
    stop, span = _stop(system, people), len(groups)
    for place, (called, scenarios) in enumerate(groups.items()):
        first = f'<th scope="row" rowspan="{span}">{escape(system["name"])}<br>{escape(system["key"])}</th>'
        last = f'<td rowspan="{span}">{stop}</td>'
        cells = "".join(f"<td>{_reach(people.get(pk or ''))}</td>" for pk in called)
        about = escape("; ".join(scenarios))
        page.write(f"<tr>{'' if place else first}<td>{about}</td>{cells}{'' if place else last}</tr>\n")


def _reach(person: dict[str, Any] | None) -> str:
    if person is None:
        return "Nobody"
    addresses = dict.fromkeys([*(one["address"] for one in person["channels"]), person["phone"], person["email"]])
    lines = [person["name"], person["title"], *addresses]
    return "<br>".join(escape(line) for line in lines if line)


def _stop(system: dict[str, Any], people: dict[str, dict[str, Any]]) -> str:
    stop = system["stop"]
    ids = [system["owner"] if stop["owner_may"] else None, stop["holder"]]
    names = dict.fromkeys(people[pk]["name"] for pk in ids if pk in people)
    vendor = " ".join(part for part in (system["vendor"], system["vendor_channel"], system["vendor_reference"]) if part)
    parts = [", ".join(names), stop["how"], stop["link"], f"Vendor: {vendor}" if vendor else ""]
    return "<br>".join(escape(part) for part in parts if part)


def _printed_runbooks(books: Any) -> Iterator[str]:
    for book in books:
        scope = book["system"] or book["unit"] or book["operating_model"] or "the whole organisation"
        steps = "".join(f"<li><b>{escape(s['title'])}</b> {escape(s['instruction'])}</li>" for s in book["steps"] or [])
        yield f"<h2>{escape(book['title'])}</h2><p>For {escape(scope)}</p><ol>{steps}</ol>"


def _sign(new: Path) -> None:
    """The sums of both files, and the signature of the sums."""
    sums = "".join(f"{_digest(new / name)}  {name}\n" for name in (JSON, PAGE))
    (new / SUMS).write_text(sums, encoding="ascii")
    key = signing_key()
    (new / SIGNATURE).write_bytes(key.sign(sums.encode("ascii")))
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (new / KEY).write_bytes(public.public_bytes(serialization.Encoding.PEM, form))


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def signing_key() -> Ed25519PrivateKey:
    """The key of this installation, made at its first use; only its own process may read it."""
    path = Path(settings.CARDS_DIR) / _PRIVATE
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make_key(path)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} is no Ed25519 key.")
    return key


def _make_key(path: Path) -> None:
    """Whoever is first makes it: the file appears whole, and a second one is thrown away."""
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with TemporaryDirectory(dir=path.parent, prefix=".key-") as place:
        new = Path(place) / path.name
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        try:
            os.link(new, path)
        except FileExistsError:
            return
