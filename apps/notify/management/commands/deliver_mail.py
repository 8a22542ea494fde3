"""`manage.py deliver_mail`: one sweep over the outbox, by hand."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.common import clock
from apps.notify.delivery import deliver_pending
from apps.notify.queries import outbox_counts, undelivered


class Command(BaseCommand):
    """Sends what is due and shows what was not delivered."""

    help = "Send the mails that wait in the outbox, and list those that were not delivered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one sweep and tell what it did."""
        sweep = deliver_pending()
        stuck = [
            {
                "to": m.recipient.email,
                "subject": m.subject,
                "state": m.state,
                "attempts": m.attempts,
                "error": m.error,
            }
            for m in undelivered(now=clock.now())[:100]
        ]
        if options["json"]:
            self.stdout.write(json.dumps({**vars(sweep), "outbox": outbox_counts(), "undelivered": stuck}))
            return
        self.stdout.write(
            f"{sweep.sent} sent, {sweep.postponed} to try again, {sweep.failed} failed, {sweep.uncertain} uncertain"
        )
        for line in stuck:
            self.stdout.write(f"  {line['state']:10} {line['to']}: {line['subject']} ({line['error']})")
