"""`manage.py unlink_identity`: forget by which account an identity provider knows a person."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused
from apps.people.models import Person
from apps.portal.actions import unlink_identity


class Command(BaseCommand):
    """For a person who got a new account at the provider; their next sign-in links anew."""

    help = "Forget by which account an identity provider knows a person."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the person's address")
        parser.add_argument("provider", help="the id of the provider in IDENTITY_PROVIDERS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError for an unknown address, and for a person who is not linked to that provider."""
        person = Person.objects.filter(email=options["email"].strip().lower()).first()
        if person is None:
            raise CommandError(f"Nobody here has the address {options['email']}.")
        try:
            unlink_identity(person, provider=options["provider"], actor=COMMAND, now=clock.now())
        except Refused as error:
            known = ", ".join(provider.id for provider in settings.IDENTITY_PROVIDERS) or "none"
            raise CommandError(f"{error} Configured providers: {known}.") from error
        self.stdout.write(f"{person.display_name} is linked anew at the next sign-in.")
