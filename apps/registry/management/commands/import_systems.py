"""Read a file of systems, say what importing it would do, and do it with --commit."""

import json
import os
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.audit.rules import COMMAND, Actor
from apps.common import clock
from apps.common.errors import NotAllowed, Refused
from apps.people.models import Person
from apps.registry import actions
from apps.registry.actions.imports import ImportRefused, refuse_too_large, review_content
from apps.registry.models import ImportRun
from apps.registry.queries.imports import report_of

PROBLEMS_SHOWN = 50
CONTACTS = {
    "none": "no contact",
    "not_an_address": "not an address",
    "several": "several addresses",
    "shared": "a shared address",
    "unknown": "an unknown address",
    "person": "a known person",
}


class Command(BaseCommand):
    """`import_systems FILE` shows the effect; nothing is written without --commit."""

    help = "Import systems from a CSV file. Without --commit nothing is written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--format", choices=ImportRun.Format.values, default="", help="told from the header if not given"
        )
        parser.add_argument("--commit", action="store_true", help="apply, all or nothing")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--actor", metavar="EMAIL", help="the person who imports; else the command line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = self._import(options)
        except ImportRefused as error:
            self._say_problems(error, as_json=options["json"])
            raise SystemExit(1) from error
        except (Refused, NotAllowed) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(report) if options["json"] else _in_words(report))

    def _import(self, options: dict[str, Any]) -> dict[str, Any]:
        actor, now = _actor(options["actor"]), clock.now()
        content = _read(options["file"])
        if not options["commit"]:
            return _told(report_of(review_content(content, options["format"])), None)
        return _committed(options["file"].name, content, options["format"], actor, now)

    def _say_problems(self, error: ImportRefused, *, as_json: bool) -> None:
        if as_json:
            problems = [problem.as_json() for problem in error.problems]
            self.stdout.write(json.dumps({"applied": False, "error": str(error), "problems": problems}))
            return
        for problem in error.problems[:PROBLEMS_SHOWN]:
            self.stderr.write(str(problem))
        self.stderr.write(f"{len(error.problems)} problems. Nothing was imported.")


def _actor(email: str | None) -> Actor:
    if not email:
        return COMMAND
    person = Person.objects.filter(email=email.strip().lower(), is_active=True).first()
    if person is None:
        raise CommandError(f"Nobody active has the address {email}.")
    return person


def _read(path: Path) -> bytes:
    """The file's bytes. A file that is too large is refused before a byte of it is read."""
    try:
        refuse_too_large(os.stat(path).st_size)
        with path.open("rb") as file:
            # A pipe or a growing file has no size to go by; one byte over the limit is enough to refuse it.
            return file.read(settings.IMPORT_MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from error


def _committed(name: str, content: bytes, format_name: str, actor: Actor, now: datetime) -> dict[str, Any]:
    """Receive and apply. What was received is discarded again where it can't be applied."""
    run = actions.receive_import(file_name=name, content=content, format_name=format_name, actor=actor, now=now)
    try:
        run = actions.apply_import(run, actor=actor, now=now)
    except Refused:
        actions.discard_import(run, actor=actor, now=now)
        raise
    return _told(run.report, run)


def _told(report: dict[str, Any], run: ImportRun | None) -> dict[str, Any]:
    """The report without its long lists, and whether it was applied."""
    short = {name: value for name, value in report.items() if name not in ("rows", "fingerprint")}
    return {"applied": run is not None, "import": str(run.pk) if run else None, **short}


def _in_words(report: dict[str, Any]) -> str:
    skipped = report["skipped"]
    lines = [
        f"{report['rows_read']} rows read: {report['created']} created, {report['updated']} updated, "
        f"{report['unchanged']} unchanged, {len(skipped)} skipped.",
        *(f"Row {row['row']} is skipped: {row['reason']}" for row in skipped),
        "Contacts: " + ", ".join(f"{words} {report['contacts'][name]}" for name, words in CONTACTS.items()) + ".",
        *(f"{entry['systems']:>6}  {entry['address']}" for entry in report["shared_addresses"][:10]),
        f"{report['systems_live']} live systems, {report['nominations']} nominations to {report['nominees']} people, "
        f"{report['units_created']} new units.",
        "Imported." if report["applied"] else "Nothing is written. Add --commit to import.",
    ]
    return "\n".join(lines)
