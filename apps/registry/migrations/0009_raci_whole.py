"""A row of the matrix is whole at every moment: quick for thousands of systems, without gaps, in every domain."""

from django.db import migrations

# One branch for each sort of scope, so that an index answers: IS NOT DISTINCT FROM reads every letter of the domain.
QUICK = """
CREATE OR REPLACE FUNCTION registry_raci_row_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    a integer;
    r integer;
    held integer;
BEGIN
    IF NEW.system_id IS NOT NULL THEN
        SELECT count(*) FILTER (WHERE letter = 'A'), count(*) FILTER (WHERE letter = 'R'), count(*)
        INTO a, r, held FROM registry_raciassignment x
        WHERE x.valid_to IS NULL AND x.system_id = NEW.system_id AND x.domain_id = NEW.domain_id;
    ELSIF NEW.unit_id IS NOT NULL THEN
        SELECT count(*) FILTER (WHERE letter = 'A'), count(*) FILTER (WHERE letter = 'R'), count(*)
        INTO a, r, held FROM registry_raciassignment x
        WHERE x.valid_to IS NULL AND x.unit_id = NEW.unit_id AND x.domain_id = NEW.domain_id;
    ELSE
        SELECT count(*) FILTER (WHERE letter = 'A'), count(*) FILTER (WHERE letter = 'R'), count(*)
        INTO a, r, held FROM registry_raciassignment x
        WHERE x.valid_to IS NULL AND x.unit_id IS NULL AND x.system_id IS NULL AND x.domain_id = NEW.domain_id;
    END IF;
    IF held > 0 AND (a <> 1 OR r = 0) THEN
        RAISE EXCEPTION 'The row % has % A and % R. It needs exactly one A and at least one R.', NEW.domain_id, a, r
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF held = 0 AND NEW.unit_id IS NULL AND NEW.system_id IS NULL THEN
        RAISE EXCEPTION 'The row % of the organisation can''t be empty: units and systems inherit it.', NEW.domain_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""

# Never two with the A of a row at one time, in the past either.
SPANS = """
ALTER TABLE registry_raciassignment ADD CONSTRAINT raci_one_accountable_at_a_time EXCLUDE USING gist (
    domain_id WITH =, (COALESCE(unit_id, 0)) WITH =, (COALESCE(system_id, 0)) WITH =,
    tstzrange(valid_from, valid_to) WITH &&) WHERE (letter = 'A');
CREATE INDEX raci_organisation ON registry_raciassignment (domain_id)
    WHERE valid_to IS NULL AND unit_id IS NULL AND system_id IS NULL;
"""

# A letter ends with a version of its own scope, and begins with one.
VERSIONS = """
CREATE FUNCTION registry_raci_version_of_scope() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM registry_raciversion v WHERE v.id IN (NEW.version_id, NEW.ended_by_id)
          AND (v.unit_id IS DISTINCT FROM NEW.unit_id OR v.system_id IS DISTINCT FROM NEW.system_id)
    ) THEN
        RAISE EXCEPTION 'A letter begins and ends with a version of its own matrix.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER raci_version_of_scope BEFORE INSERT OR UPDATE ON registry_raciassignment
    FOR EACH ROW EXECUTE FUNCTION registry_raci_version_of_scope();
ALTER TABLE registry_raciassignment ENABLE ALWAYS TRIGGER raci_version_of_scope;
"""

# From the first start on, every row has letters of the organisation: a portal without them does not start.
STARTED = """
CREATE FUNCTION registry_raci_started() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing text;
BEGIN
    IF NOT EXISTS (SELECT FROM registry_mandate) THEN
        RETURN NULL;
    END IF;
    SELECT d.key INTO missing FROM registry_governancedomain d WHERE NOT EXISTS (
        SELECT FROM registry_raciassignment r WHERE r.domain_id = d.key AND r.valid_to IS NULL
          AND r.unit_id IS NULL AND r.system_id IS NULL) LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'The row % of the organisation is empty. Every domain needs letters from the start.', missing
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER mandate_has_matrix AFTER INSERT ON registry_mandate
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_raci_started();
CREATE CONSTRAINT TRIGGER domain_has_letters AFTER INSERT ON registry_governancedomain
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_raci_started();
ALTER TABLE registry_mandate ENABLE ALWAYS TRIGGER mandate_has_matrix;
ALTER TABLE registry_governancedomain ENABLE ALWAYS TRIGGER domain_has_letters;
"""

UNDO = """
DROP FUNCTION registry_raci_started() CASCADE;
DROP FUNCTION registry_raci_version_of_scope() CASCADE;
DROP INDEX raci_organisation;
ALTER TABLE registry_raciassignment DROP CONSTRAINT raci_one_accountable_at_a_time;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_raci_versions")]
    operations = [migrations.RunSQL([QUICK, SPANS, VERSIONS, STARTED], UNDO)]
