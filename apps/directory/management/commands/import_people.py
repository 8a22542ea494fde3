"""Read a file of people, say what it would do, and do it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused
from apps.directory.actions import people_file as verbs

SHOWN = 50


class Command(BaseCommand):
    """`import_people FILE` applies the file; with --dry-run nothing is written."""

    help = "Apply a CSV file of people: joiners, movers, leavers. All of it, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--complete", action="store_true", help="who is not in the file has left")
        parser.add_argument("--leavers", type=int, help="how many people leave; has to be the number of the review")

    def handle(self, *args: Any, **options: Any) -> None:
        content, now = _read(options["file"]), clock.now()
        complete = options["complete"]
        try:
            plan = verbs.review_people(content, complete=complete, actor=COMMAND, now=now)
            self._say(plan.report())
            if plan.problems:
                raise verbs.PeopleFileRefused(plan.problems)
            if options["dry_run"]:
                self.stdout.write("Nothing is written. Leave --dry-run out to apply the file.")
                return
            self._apply(options, content)
        except verbs.PeopleFileRefused as error:
            for problem in error.problems[:SHOWN]:
                self.stderr.write(str(problem))
            raise CommandError(f"{len(error.problems)} problems. Nothing changed.") from error
        except Refused as error:
            raise CommandError(str(error)) from error

    def _apply(self, options: dict[str, Any], content: bytes) -> None:
        now = clock.now()
        name, complete = options["file"].name, options["complete"]
        file = verbs.receive_people_file(file_name=name, content=content, complete=complete, actor=COMMAND, now=now)
        try:
            verbs.apply_people_file(file, actor=COMMAND, now=now, leavers=options["leavers"])
        except Refused:
            verbs.discard_people_file(file, actor=COMMAND, now=now)
            raise
        self.stdout.write("Applied.")

    def _say(self, report: dict[str, Any]) -> None:
        counts = report["counts"]
        self.stdout.write(
            f"{report['rows_read']} rows read: {counts['joiner']} join, {counts['returning']} return, "
            f"{counts['mover']} change, {report['leavers']} leave, {counts['unchanged']} stay as they are."
        )
        self.stdout.write(f"{report['missing']} active people are not in the file.")
        for circle in report["circles"][:SHOWN]:
            self.stdout.write(f"Line managers in a circle: {circle}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(settings.IMPORT_MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from error
