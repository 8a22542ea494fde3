"""The questions of a campaign, frozen at its opening."""

from typing import Any

from apps.attestations.models import CampaignTemplate
from apps.attestations.questions import DEFAULT_SET, VERSION, frozen


def frozen_questions(template: CampaignTemplate) -> dict[str, Any]:
    """The newest published version of each of the template's question sets, as a campaign keeps it."""
    base = frozen(DEFAULT_SET)
    part = {"key": "base", "name": "All systems", "version": 1, "when": {}, "sections": base["sections"]}
    return {"version": VERSION, "sets": [part]}
