"""The questions that every portal begins with, in their first version, and the campaign that asks after a change."""

import json
from pathlib import Path
from typing import Any

from django.db import migrations
from django.utils import timezone

# A delivered file stays as it is: other words are another file, and a version that a later migration publishes.
DATA = Path(__file__).resolve().parent.parent / "data" / "questions"
QUARTERLY = ("base", "grave", "high-risk", "vendor", "agents")
CHANGES = "changes"
AUTHOR = "Govportal"


def seed(apps: Any, schema_editor: Any) -> None:
    """Sets, their first version as published, and which template asks which."""
    templates = apps.get_model("attestations", "CampaignTemplate")
    now = timezone.now()
    for key in QUARTERLY:
        templates.objects.get(key="quarterly").question_sets.add(_set(apps, key, now))
    event = templates.objects.create(
        key=CHANGES, name="After a change", cadence="event", scope={}, sampling_percent=5, consequence="readiness",
        top_seats=["legal"], items_per_person=25, created_by=AUTHOR, created_at=now,
    )  # fmt: skip
    event.question_sets.add(_set(apps, CHANGES, now))


def _set(apps: Any, key: str, now: Any) -> Any:
    data = json.loads((DATA / f"{key}.json").read_text("utf-8"))
    made = apps.get_model("attestations", "QuestionSet").objects.create(
        key=key, name=data["name"], position=data["position"], tiers=data["tiers"],
        regulatory_classes=data["regulatory_classes"], operating_models=data["operating_models"],
    )  # fmt: skip
    apps.get_model("attestations", "QuestionSetVersion").objects.create(
        question_set=made, number=1, sections=data["sections"], note="As delivered.", created_by=AUTHOR,
        created_at=now, published_at=now,
    )  # fmt: skip
    return made


UNSEED = """
ALTER TABLE attestations_questionsetversion DISABLE TRIGGER published_stays;
DELETE FROM attestations_questionsetversion;
ALTER TABLE attestations_questionsetversion ENABLE ALWAYS TRIGGER published_stays;
DELETE FROM attestations_campaigntemplate_question_sets;
DELETE FROM attestations_questionset;
DELETE FROM attestations_campaigntemplate WHERE key = 'changes';
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0011_evidence_rules")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunSQL(migrations.RunSQL.noop, UNSEED),
    ]
