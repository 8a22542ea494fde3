"""`manage.py setup`: the first start on the command line."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused
from apps.people.rules import FUNCTIONS
from apps.registry.actions import start_portal


class Command(BaseCommand):
    help = "Create the first person, give her a seat and make it the holder of the AI governance mandate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--function", choices=list(FUNCTIONS), default="platform")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="Read the password from standard input. Without it the person sets one by 'Forgot your password?'.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing. Raises CommandError where the portal is started already or a value is no good."""
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else None
        try:
            person = start_portal(
                email=options["email"],
                display_name=options["name"],
                function=options["function"],
                password=password,
                actor=COMMAND,
                now=clock.now(),
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError("Somebody else started Govportal at the same moment.") from error
        seat = FUNCTIONS[options["function"]][1]
        self.stdout.write(f"{person.display_name} holds the seat {seat}, which holds the AI governance mandate.")
