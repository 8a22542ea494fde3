"""Open a quarter's campaign by hand."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.attestations.actions import open_campaign
from apps.attestations.queries import completion
from apps.attestations.rules import Period
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.common.errors import Refused


class Command(BaseCommand):
    """Idempotent: for a quarter that is open already it says so and changes nothing."""

    help = "Open the attestation campaign of a quarter, such as 2026Q4. Without --period, of the present quarter."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--period", help="a quarter, such as 2026Q4")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        period = options["period"] or str(Period.of(clock.local_date(now)))
        try:
            campaign, opened = open_campaign(period, actor=COMMAND, now=now)
        except (ValueError, Refused) as error:
            raise CommandError(str(error)) from error
        counts = completion(campaign, today=clock.local_date(now)).counts
        told = {
            "period": campaign.period,
            "opened": opened,
            "state": campaign.state,
            "assignments": counts.total,
            "interim": counts.interim,
            "signed": counts.signed,
            "due": {
                "critical": str(campaign.due_critical_on),
                "high": str(campaign.due_high_on),
                "rest": str(campaign.due_on),
            },
            "closes_at": campaign.closes_at.isoformat(),
            "scope_sha256": campaign.scope_hash,
        }
        self.stdout.write(json.dumps(told) if options["json"] else _sentence(told))


def _sentence(told: dict[str, Any]) -> str:
    first = "opened" if told["opened"] else f"was {told['state']} already"
    return (
        f"The campaign {told['period']} {first}: {told['assignments']} systems, {told['interim']} of them with an "
        f"interim owner, {told['signed']} signed. Due {told['due']['rest']}."
    )
