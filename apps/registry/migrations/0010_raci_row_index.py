"""The letters of one row of one scope by an index of their own: thousands of rows change in one transaction."""

from django.db import migrations

INDEXES = """
CREATE INDEX raci_row_of_system ON registry_raciassignment (system_id, domain_id)
    WHERE valid_to IS NULL AND system_id IS NOT NULL;
CREATE INDEX raci_row_of_unit ON registry_raciassignment (unit_id, domain_id)
    WHERE valid_to IS NULL AND unit_id IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0009_raci_whole")]
    operations = [migrations.RunSQL(INDEXES, "DROP INDEX raci_row_of_unit, raci_row_of_system")]
