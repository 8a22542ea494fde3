"""`manage.py offboard ADDRESS --reason TEXT`: somebody leaves, by the same verb as everywhere."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused
from apps.directory.actions import offboard
from apps.directory.models import OffboardingCase
from apps.people.models import Person


class Command(BaseCommand):
    """Hands over what a person holds, and deactivates them."""

    help = "Hand over everything that a person holds, open a case, and deactivate them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="the person's email address")
        parser.add_argument("--reason", required=True, help="kept in the trail")

    def handle(self, *args: Any, **options: Any) -> None:
        person = Person.objects.filter(email=options["address"].strip().lower()).first()
        if person is None:
            raise CommandError(f"Nobody has the address {options['address']}.")
        try:
            case = offboard(
                person,
                actor=COMMAND,
                now=clock.now(),
                reason=options["reason"],
                source=OffboardingCase.Source.COMMAND,
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        said = f"{person.display_name} is deactivated. {case.counts['systems']} systems passed on"
        self.stdout.write(f"{said}; owners are due by {case.due_on.isoformat()}.")
