"""`manage.py deliver_webhooks`: one sweep over the outbox of webhooks, by hand."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.notify.webhooks import deliver_webhooks


class Command(BaseCommand):
    """Sends what is due and says what came of it."""

    help = "Send the webhooks that wait in the outbox."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one sweep and tell what it did."""
        sweep = deliver_webhooks()
        self.stdout.write(
            f"{sweep.sent} taken, {sweep.postponed} to try again, {sweep.failed} failed, {sweep.uncertain} uncertain, "
            f"{sweep.withdrawn} taken back"
        )
