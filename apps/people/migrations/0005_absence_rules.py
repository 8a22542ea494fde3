"""Absences are history: a row is only cancelled; those named in it are people; a calendar entry is there once."""

from django.db import migrations, models

# The longest that somebody can be away in one entry; a longer one is a slip in the year.
GUARDS = """
ALTER TABLE people_absence
    ADD COLUMN must_be varchar(10) GENERATED ALWAYS AS ('human') STORED,
    ADD CONSTRAINT absence_of_human FOREIGN KEY (person_id, must_be) REFERENCES people_person (id, kind),
    ADD CONSTRAINT absence_delegate_human FOREIGN KEY (delegate_id, must_be) REFERENCES people_person (id, kind),
    ADD CONSTRAINT absence_not_endless CHECK (ends_on - starts_on <= 1100);
CREATE FUNCTION people_absence_only_cancels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.cancelled_at IS NOT NULL AND NEW IS DISTINCT FROM OLD)
       OR (NEW.id, NEW.person_id, NEW.kind, NEW.starts_on, NEW.ends_on, NEW.delegate_id, NEW.source, NEW.uid,
           NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.person_id, OLD.kind, OLD.starts_on, OLD.ends_on, OLD.delegate_id,
           OLD.source, OLD.uid, OLD.created_at) THEN
        RAISE EXCEPTION 'An absence is history: it can be cancelled once, not changed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER absence_only_cancels BEFORE UPDATE ON people_absence
    FOR EACH ROW EXECUTE FUNCTION people_absence_only_cancels();
ALTER TABLE people_absence ENABLE ALWAYS TRIGGER absence_only_cancels;
CREATE TRIGGER absence_never_deleted BEFORE DELETE ON people_absence FOR EACH ROW
    EXECUTE FUNCTION refuse_change('An absence is history: it is cancelled, never deleted.');
ALTER TABLE people_absence ENABLE ALWAYS TRIGGER absence_never_deleted;
CREATE TRIGGER absence_never_truncated BEFORE TRUNCATE ON people_absence FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Absences are history: they are cancelled, never deleted.');
ALTER TABLE people_absence ENABLE ALWAYS TRIGGER absence_never_truncated;
"""

UNDO = """
DROP TRIGGER absence_never_truncated ON people_absence;
DROP TRIGGER absence_never_deleted ON people_absence;
DROP FUNCTION people_absence_only_cancels() CASCADE;
ALTER TABLE people_absence DROP CONSTRAINT absence_not_endless, DROP CONSTRAINT absence_delegate_human,
    DROP CONSTRAINT absence_of_human, DROP COLUMN must_be;
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0004_session_round")]
    operations = [
        migrations.AddField(
            model_name="absence",
            name="in_force",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="absence",
            constraint=models.CheckConstraint(
                condition=models.Q(cancelled_at=None) | models.Q(in_force=False), name="absence_cancelled_is_over"
            ),
        ),
        migrations.AddConstraint(
            model_name="absence",
            constraint=models.UniqueConstraint(
                fields=["person", "uid"],
                condition=models.Q(cancelled_at=None) & ~models.Q(uid=""),
                name="absence_entry_once",
                violation_error_message="This calendar entry is here already.",
            ),
        ),
        migrations.AddIndex(
            model_name="absence",
            index=models.Index("id", condition=models.Q(in_force=True), name="absence_now"),
        ),
        migrations.RunSQL(GUARDS, UNDO),
    ]
