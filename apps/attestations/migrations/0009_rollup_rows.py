"""The units below a node, and the records of a campaign's end."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("attestations", "0008_after_the_owner"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CampaignRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("closing", "Closing"), ("manifest", "Manifest")], max_length=8)),
                ("body", models.TextField()),
                ("sha256", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="campaign",
            name="campaign_sealing_dated",
        ),
        migrations.RemoveField(
            model_name="campaign",
            name="manifest",
        ),
        migrations.AddField(
            model_name="rollupnode",
            name="units",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, default=list, size=None
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("manifest_sha256__regex", "^[0-9a-f]{64}$"), ("sealed_at__isnull", False), ("state", "sealed")
                    ),
                    models.Q(
                        models.Q(("state", "sealed"), _negated=True), ("manifest_sha256", ""), ("sealed_at", None)
                    ),
                    _connector="OR",
                ),
                name="campaign_sealing_dated",
            ),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.UniqueConstraint(
                condition=models.Q(("node__isnull", False)),
                fields=("node", "signer"),
                name="one_signature_per_person",
                violation_error_message="You signed this already. The other signature is somebody else's.",
            ),
        ),
        migrations.AddField(
            model_name="campaignrecord",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="records",
                to="attestations.campaign",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaignrecord",
            constraint=models.UniqueConstraint(fields=("campaign", "kind"), name="one_record_of_each_kind"),
        ),
        migrations.AddConstraint(
            model_name="campaignrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["closing", "manifest"])), name="record_known_kind"
            ),
        ),
    ]
