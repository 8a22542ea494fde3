"""`manage.py demo_check`: try a running demo as each role; JSON lines, exit code 1 where something is wrong."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.portal.demo.check import Check


class Command(BaseCommand):
    """Prints one JSON object a finding; the last one says whether all is well."""

    help = "Check a running demo: figures, pages of each role, API, one mail. Prints JSON lines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default=settings.SITE_URL, help="where the demo runs (default: SITE_URL)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the check. Raises CommandError where it is not the demo; exits with 1 on any problem."""
        if not settings.DEMO:
            raise CommandError("This checks the demo. Set DEMO=true.")
        check = Check(options["base_url"], settings.SITE_URL)
        for line in check.lines():
            self.stdout.write(json.dumps(line, ensure_ascii=False))
            self.stdout.flush()
        if check.problems:
            raise SystemExit(1)
