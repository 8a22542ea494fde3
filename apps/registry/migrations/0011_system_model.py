"""What a system runs on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0010_raci_row_index")]
    operations = [
        migrations.AddField(
            model_name="system",
            name="model",
            field=models.CharField(blank=True, db_default="", default="", max_length=300),
        ),
    ]
