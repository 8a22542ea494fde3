"""`manage.py seal_secrets`: after a new SECRET_KEY, seal the secrets of endpoints with it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.notify.actions.endpoints import seal_again


class Command(BaseCommand):
    """Opens each secret with the key that it was sealed with and seals it with today's."""

    help = "Seal the secrets of endpoints with today's SECRET_KEY. The old key has to stand in SECRET_KEY_FALLBACKS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal all that open. Raises CommandError with the names of endpoints whose secret no key opens."""
        done, lost = seal_again()
        self.stdout.write(f"{done} sealed again.")
        if lost:
            raise CommandError(f"No key opens the secrets of: {', '.join(lost)}. Enter them again.")
