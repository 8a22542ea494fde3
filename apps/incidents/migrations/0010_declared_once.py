"""A form or a call that is sent twice declares one incident."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0009_clock_guards")]

    operations = [
        migrations.AddField("incident", "form_token", models.UUIDField(blank=True, null=True, unique=True)),
    ]
