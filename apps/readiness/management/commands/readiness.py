"""Print the numbers of the board's page."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.common import clock
from apps.readiness.queries import Board, as_json, board


class Command(BaseCommand):
    """`manage.py readiness [--json]`"""

    help = "Print the numbers of the board's page, as the page would show them now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --json."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the page."""
        page = board(now=clock.now())
        if options["json"]:
            self.stdout.write(json.dumps(as_json(page), ensure_ascii=False))
        else:
            self.stdout.write("\n".join(_lines(page)))


def _lines(page: Board) -> list[str]:
    lines = [f"{page.organisation}, {page.as_of:%d %b %Y %H:%M} UTC", str(page.headline), page.lead, ""]
    for one in page.indicators:
        count = (
            "not known" if one.count is None else f"{one.count:,}" + (f" of {one.of:,}" if one.of is not None else "")
        )
        lines.append(f"{one.label}: {count}" + (f" ({one.note})" if one.note else ""))
    lines.append("")
    lines += [f"{failure.title}: not known yet" for failure in page.failures]
    for line in page.exceptions:
        person = line.person.display_name if line.person else "not named"
        lines.append(f"{line.system.name}: {line.text}, {person}, {line.on:%d %b %Y}")
    return lines
