"""`manage.py load_demo`: the demo's data, once."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.common import clock
from apps.common.errors import Refused
from apps.portal.demo.load import load


class Command(BaseCommand):
    """Fills an empty portal with the public inventory and invented people."""

    help = "Load the demo: the public inventory, invented people, a campaign in mid-course. Only with DEMO=true."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load what is missing. Raises CommandError where the demo may not be loaded."""
        try:
            loaded = load(now=clock.now())
        except Refused as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(loaded.as_json(), ensure_ascii=False))
            return
        self.stdout.write("Loaded." if loaded.changed else "The demo is loaded already. Nothing changed.")
        for line in loaded.as_json()["sign_ins"]:
            self.stdout.write(f"  {line['role']:20} {line['email']:40} {line['password']}")
