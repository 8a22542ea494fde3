"""Corrections: each names the newest signature of its attestation; who was silent can still state what is true."""

from django.db import migrations, models

RULE = """
CREATE FUNCTION attestations_correction_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found attestations_assignment;
    newest bigint;
BEGIN
    SELECT * INTO found FROM attestations_assignment a WHERE a.id = NEW.assignment_id FOR SHARE;
    SELECT max(s.id) INTO newest FROM attestations_signature s
    WHERE s.assignment_id = NEW.assignment_id AND s.kind IN ('attestation', 'supplement');
    IF NEW.corrects_id IS DISTINCT FROM newest THEN
        RAISE EXCEPTION 'A correction names the newest signature of its attestation.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF newest IS NULL AND found.state <> 'not_attested' THEN
        RAISE EXCEPTION 'What was never signed is signed, not corrected.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER correction_follows BEFORE INSERT ON attestations_signature
    FOR EACH ROW WHEN (NEW.kind = 'supplement') EXECUTE FUNCTION attestations_correction_follows();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER correction_follows;
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0012_question_sets")]
    operations = [
        migrations.RemoveConstraint("signature", "signature_corrects_another"),
        migrations.AddConstraint(
            "signature",
            models.CheckConstraint(
                condition=models.Q(("kind", "supplement"), ("corrects", None), _connector="OR"),
                name="signature_corrects_another",
            ),
        ),
        migrations.RunSQL(RULE, "DROP FUNCTION attestations_correction_follows() CASCADE"),
    ]
