"""Indexes for the progress page: the ladder by person, and how much was signed by a day."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("attestations", "0013_corrections"),
        ("registry", "0011_system_model"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                models.F("campaign"),
                models.F("person"),
                models.F("state"),
                models.F("due_on"),
                condition=models.Q(("state__in", ["pending", "in_progress", "changes_requested", "not_attested"])),
                name="assignment_standing",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                models.F("campaign"),
                models.F("submitted_at"),
                condition=models.Q(("submitted_at__isnull", False)),
                name="assignment_signed_at",
            ),
        ),
    ]
