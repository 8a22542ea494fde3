"""Issue a token for an identity provider from the shell."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused
from apps.directory.actions import issue_scim_token


class Command(BaseCommand):
    """`scim_token NAME` prints the secret once; it is kept nowhere."""

    help = "Issue a token with which an identity provider opens /scim/v2/. The secret is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what comes with it, such as Okta")
        parser.add_argument("--days", type=int, default=365)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            token, secret = issue_scim_token(
                name=options["name"], lifetime=timedelta(days=options["days"]), actor=COMMAND, now=clock.now()
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"The token {token.name} ends on {token.expires_at:%d %b %Y}. It is shown this once:")
        self.stdout.write(secret)
