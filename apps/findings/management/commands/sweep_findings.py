"""Check everything now that is else checked at night."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.rules import COMMAND
from apps.common import clock
from apps.findings.actions import sweep_registry


class Command(BaseCommand):
    """manage.py sweep_findings"""

    help = "Bring the findings in line with what is so, now. Safe to run at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep once. Raises CommandError where a check could not be read."""
        swept = sweep_registry(now=clock.now(), actor=COMMAND)
        self.stdout.write(
            f"{swept.raised:,} raised, {swept.changed:,} changed, {swept.closed:,} closed, {swept.reopened:,} reopened"
        )
        if swept.failed:
            raise CommandError(f"These checks could not be read, their findings stay as they are: {swept.failed}")
