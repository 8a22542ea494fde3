"""What was verified before a finding was opened again closes it no more."""

from django.db import migrations, models

RULES = """
CREATE TRIGGER finding_reopened_dated BEFORE UPDATE OF state, reopened_at ON findings_finding
    FOR EACH ROW WHEN (
        (OLD.state = 'closed' AND NEW.state <> 'closed') <> (NEW.reopened_at IS DISTINCT FROM OLD.reopened_at)
        OR NEW.reopened_at < OLD.reopened_at
        OR OLD.reopened_at IS NOT NULL AND NEW.reopened_at IS NULL)
    EXECUTE FUNCTION refuse_change('A closed finding is opened again at a moment, and that stays.');
ALTER TABLE findings_finding ENABLE ALWAYS TRIGGER finding_reopened_dated;
CREATE FUNCTION findings_verified_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM findings_correctiveaction a WHERE a.finding_id = NEW.id AND a.state = 'verified'
                   AND a.verified_at > NEW.reopened_at) THEN
        RAISE EXCEPTION 'A finding that was opened again is closed where somebody verified it since.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER finding_verified_anew AFTER UPDATE OF state, closed_because ON findings_finding
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state = 'closed' AND NEW.closed_because = 'verified' AND NEW.reopened_at IS NOT NULL)
    EXECUTE FUNCTION findings_verified_anew();
ALTER TABLE findings_finding ENABLE ALWAYS TRIGGER finding_verified_anew;
"""

UNDO = """
DROP FUNCTION findings_verified_anew() CASCADE;
DROP TRIGGER finding_reopened_dated ON findings_finding;
"""


class Migration(migrations.Migration):
    dependencies = [("findings", "0002_finding_rules")]
    operations = [
        migrations.AddField("finding", "reopened_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(RULES, UNDO),
    ]
