"""Verify a campaign: every hash is counted anew, every answer compared with its signature."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.attestations.models import Campaign
from apps.attestations.queries.verify import Verification
from apps.attestations.queries.verify_end import verify
from apps.common import clock


class Command(BaseCommand):
    """Reads only. Exit code 1 and a line for each fault where anything is not as it was signed."""

    help = "Verify a campaign, such as 2026Q4, before or after it is sealed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", help="the campaign, such as 2026Q4")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = Campaign.objects.select_related("template").get(code=options["code"])
        except Campaign.DoesNotExist as error:
            raise CommandError(f"There is no campaign {options['code']}.") from error
        look = verify(campaign, at=clock.now())
        self.stdout.write(json.dumps(_told(look)) if options["json"] else _words(look))
        if look.faults:
            raise SystemExit(1)


def _told(look: Verification) -> dict[str, Any]:
    return {
        "campaign": look.campaign.code,
        "state": look.campaign.state,
        "verified": not look.faults,
        "compared": dict(sorted(look.figures.items())),
        "scope_sha256": look.campaign.scope_hash,
        "manifest_sha256": look.campaign.manifest_sha256,
        "faults": [
            {"what": one.what, "where": one.where, "expected": one.expected, "found": one.found}
            for one in look.faults
        ],
    }  # fmt: skip


def _words(look: Verification) -> str:
    compared = sum(look.figures.values())
    if not look.faults:
        return f"{look.campaign.code} is verified: {compared} comparisons, no fault."
    lines = [str(fault) for fault in look.faults]
    return "\n".join([*lines, f"{look.campaign.code}: {len(lines)} of {compared} comparisons failed."])
