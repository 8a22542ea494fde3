"""Write who responds into a folder, signed, for when the portal is down."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.incidents.actions.card_export import export_cards


class Command(BaseCommand):
    """The same files as the nightly export; put the folder where it is read when the portal is not there."""

    help = "Export the response cards as signed JSON and as a page to print (docs/offline.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, type=Path, help="the folder; its former export is replaced")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = export_cards(options["to"], actor=COMMAND, now=clock.now())
        except OSError as error:
            raise CommandError(f"{options['to']} can't be written: {error.strerror}.") from error
        self.stdout.write(f"{count:,} systems in {options['to']}.")
