"""A source stays what it was added as: another token, or another life after revoking, is another source."""

from django.conf import settings
from django.db import migrations, models

STAYS = """
CREATE FUNCTION incidents_source_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.name, NEW.kind, NEW.prefix, NEW.digest, NEW.mode, NEW.owner_id, NEW.created_at)
       IS DISTINCT FROM (OLD.name, OLD.kind, OLD.prefix, OLD.digest, OLD.mode, OLD.owner_id, OLD.created_at) THEN
        RAISE EXCEPTION 'A source stays what it was added as. Add another one.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'A source that is revoked stays revoked. Add another one.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER inbound_source_frozen BEFORE UPDATE ON incidents_inboundsource
    FOR EACH ROW EXECUTE FUNCTION incidents_source_frozen();
ALTER TABLE incidents_inboundsource ENABLE ALWAYS TRIGGER inbound_source_frozen;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0012_paging_rules"),
        ("registry", "0011_system_model"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="inboundsource",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at", None)),
                fields=("name",),
                name="inbound_source_name_once",
                violation_error_message=(
                    "There is a source of this name. Choose another name, or revoke that one first."
                ),
            ),
        ),
        migrations.RunSQL(STAYS, "DROP FUNCTION incidents_source_frozen() CASCADE"),
    ]
