"""The runbooks that come with the portal: one for each scenario and one for "not sure", for the organisation."""

import json
from datetime import timedelta
from pathlib import Path

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

SEED = Path(__file__).resolve().parent.parent / "data" / "runbooks.json"
REVIEW_WITHIN = timedelta(days=90)


def seed_runbooks(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Nobody owns them yet: until somebody takes them, the holder of the mandate is asked to review them."""
    runbooks, versions = apps.get_model("incidents", "Runbook"), apps.get_model("incidents", "RunbookVersion")
    steps, now = apps.get_model("incidents", "RunbookStep"), timezone.now()
    for book in json.loads(SEED.read_text(encoding="utf-8")):
        if runbooks.objects.filter(key=book["key"]).exists():
            continue  # the way back leaves them where they are: incidents may point to them
        runbook = runbooks.objects.create(
            key=book["key"], title=book["title"], scenario=book["scenario"], created_at=now,
            review_due=(now + REVIEW_WITHIN).date(),
        )  # fmt: skip
        version = versions.objects.create(
            runbook=runbook, number=1, state="draft", note="Came with the portal.", written_at=now
        )
        steps.objects.bulk_create(
            steps(version=version, order=order, **step) for order, step in enumerate(book["steps"], 1)
        )
        versions.objects.filter(pk=version.pk).update(state="published", published_at=now)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0006_runbook_rules")]

    operations = [migrations.RunPython(seed_runbooks, migrations.RunPython.noop)]
