"""The registry's rules in the database: the owner, the terms, the mandate, the unit tree, the search text."""

import csv
from pathlib import Path

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MATRIX = Path(__file__).with_name("default_matrix.csv")


def seed_domains(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    domain = apps.get_model("registry", "GovernanceDomain")
    with MATRIX.open(encoding="utf-8", newline="") as file:
        for position, row in enumerate(csv.DictReader(file)):
            # The way back leaves the rows where they are: others may point to them.
            domain.objects.get_or_create(
                key=row["key"],
                defaults={"name": row["name"], "layer": row["layer"], "scope": row["scope"], "position": position},
            )


# That the owner of a live system is active is a foreign key, because two triggers would let one transaction
# appoint a person while another deactivates them.
OWNER = """
ALTER TABLE registry_system
    ADD CONSTRAINT system_owner_active FOREIGN KEY (owner_id, owner_must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT system_owner_human FOREIGN KEY (owner_id, owner_must_be) REFERENCES people_person (id, kind);
CREATE FUNCTION registry_check_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint;
BEGIN
    IF TG_TABLE_NAME = 'registry_system' THEN
        checked := NEW.id;
    ELSIF TG_OP = 'DELETE' THEN
        checked := OLD.system_id;
    ELSE
        checked := NEW.system_id;
    END IF;
    IF EXISTS (
        SELECT FROM registry_system s
        LEFT JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
        WHERE s.id = checked
          AND (t.person_id IS DISTINCT FROM s.owner_id OR t.basis IS DISTINCT FROM s.owner_basis)
    ) THEN
        RAISE EXCEPTION 'The owner of system % is not the person of its current term.', checked
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER system_owner_is_term AFTER INSERT OR UPDATE OF owner_id, owner_basis ON registry_system
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_check_owner();
CREATE CONSTRAINT TRIGGER term_is_system_owner AFTER INSERT OR UPDATE OR DELETE ON registry_ownershipterm
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_check_owner();
ALTER TABLE registry_system ENABLE ALWAYS TRIGGER system_owner_is_term;
ALTER TABLE registry_ownershipterm ENABLE ALWAYS TRIGGER term_is_system_owner;
"""

HISTORY = """
CREATE FUNCTION registry_term_only_closes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT upper_inf(OLD.period) OR upper_inf(NEW.period) OR lower(NEW.period) <> lower(OLD.period)
       OR (NEW.id, NEW.system_id, NEW.person_id, NEW.basis, NEW.derivation)
          IS DISTINCT FROM (OLD.id, OLD.system_id, OLD.person_id, OLD.basis, OLD.derivation) THEN
        RAISE EXCEPTION 'A term of ownership is history: it can be closed once, not changed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER term_only_closes BEFORE UPDATE ON registry_ownershipterm
    FOR EACH ROW EXECUTE FUNCTION registry_term_only_closes();
ALTER TABLE registry_ownershipterm ENABLE ALWAYS TRIGGER term_only_closes;
CREATE TRIGGER term_never_deleted BEFORE DELETE ON registry_ownershipterm FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A term of ownership is history: it is never deleted.');
ALTER TABLE registry_ownershipterm ENABLE ALWAYS TRIGGER term_never_deleted;
CREATE TRIGGER term_never_truncated BEFORE TRUNCATE ON registry_ownershipterm FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Terms of ownership are history: they are never deleted.');
ALTER TABLE registry_ownershipterm ENABLE ALWAYS TRIGGER term_never_truncated;
CREATE TRIGGER system_never_deleted BEFORE DELETE ON registry_system FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A system is never deleted. Retire it instead.');
ALTER TABLE registry_system ENABLE ALWAYS TRIGGER system_never_deleted;
CREATE TRIGGER system_never_truncated BEFORE TRUNCATE ON registry_system FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Systems are never deleted. Retire them instead.');
ALTER TABLE registry_system ENABLE ALWAYS TRIGGER system_never_truncated;
CREATE TRIGGER system_key_is_stable BEFORE UPDATE OF key ON registry_system FOR EACH ROW
    WHEN (OLD.key IS DISTINCT FROM NEW.key)
    EXECUTE FUNCTION refuse_change('The key of a system is stable: it never changes.');
"""

MANDATE = """
ALTER TABLE registry_mandate ADD CONSTRAINT mandate_seat_is_held FOREIGN KEY (holder_id, must_be_held)
    REFERENCES people_seat (function_id, is_held);
"""

# The lock makes two concurrent moves wait for each other: each alone could be fine and both together a circle.
UNITS = """
CREATE FUNCTION registry_unit_no_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.parent_id IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('registry_unit_no_circle'));
    IF EXISTS (
        WITH RECURSIVE up(id, parent_id) AS (
            SELECT id, parent_id FROM registry_unit WHERE id = NEW.parent_id
            UNION SELECT u.id, u.parent_id FROM registry_unit u JOIN up ON u.id = up.parent_id)
        SELECT FROM up WHERE id = NEW.id
    ) THEN
        RAISE EXCEPTION 'A unit can''t be above itself: choose a parent outside its own tree.'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER unit_no_circle BEFORE INSERT OR UPDATE OF parent_id ON registry_unit
    FOR EACH ROW EXECUTE FUNCTION registry_unit_no_circle();
"""

SEARCH = """
CREATE FUNCTION registry_search_text(system_id bigint, key text, name text, vendor text, unit bigint) RETURNS text
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up(id, parent_id, words) AS (
        SELECT u.id, u.parent_id, u.name || ' ' || u.code FROM registry_unit u WHERE u.id = unit
        UNION SELECT u.id, u.parent_id, u.name FROM registry_unit u JOIN up ON u.id = up.parent_id)
    SELECT lower(unaccent(concat_ws(' ', key, name, vendor,
        (SELECT string_agg(words, ' ') FROM up),
        (SELECT string_agg(i.value, ' ') FROM registry_systemidentity i WHERE i.system_id = $1))))
$$;
CREATE FUNCTION registry_system_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_text := registry_search_text(NEW.id, NEW.key, NEW.name, NEW.vendor, NEW.unit_id);
    RETURN NEW;
END $$;
CREATE TRIGGER system_search BEFORE INSERT OR UPDATE OF key, name, vendor, unit_id ON registry_system
    FOR EACH ROW EXECUTE FUNCTION registry_system_search();
CREATE FUNCTION registry_identity_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_system s SET search_text = registry_search_text(s.id, s.key, s.name, s.vendor, s.unit_id)
    WHERE s.id = COALESCE(NEW.system_id, OLD.system_id);
    RETURN NULL;
END $$;
CREATE TRIGGER identity_search AFTER INSERT OR UPDATE OR DELETE ON registry_systemidentity
    FOR EACH ROW EXECUTE FUNCTION registry_identity_search();
CREATE FUNCTION registry_unit_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_system s SET search_text = registry_search_text(s.id, s.key, s.name, s.vendor, s.unit_id)
    WHERE s.unit_id IN (
        WITH RECURSIVE down(id) AS (
            SELECT NEW.id UNION SELECT u.id FROM registry_unit u JOIN down ON u.parent_id = down.id)
        SELECT id FROM down);
    RETURN NULL;
END $$;
CREATE TRIGGER unit_search AFTER UPDATE OF name, code, parent_id ON registry_unit
    FOR EACH ROW EXECUTE FUNCTION registry_unit_search();
CREATE INDEX system_search_words ON registry_system USING gin (to_tsvector('simple', search_text));
CREATE INDEX system_search_trigrams ON registry_system USING gin (search_text gin_trgm_ops);
"""

UNDO = """
DROP INDEX system_search_trigrams, system_search_words;
DROP FUNCTION registry_unit_search(), registry_identity_search(), registry_system_search() CASCADE;
DROP FUNCTION registry_search_text(bigint, text, text, text, bigint);
DROP FUNCTION registry_unit_no_circle() CASCADE;
ALTER TABLE registry_mandate DROP CONSTRAINT mandate_seat_is_held;
DROP TRIGGER system_key_is_stable ON registry_system;
DROP TRIGGER system_never_truncated ON registry_system;
DROP TRIGGER system_never_deleted ON registry_system;
DROP TRIGGER term_never_truncated ON registry_ownershipterm;
DROP TRIGGER term_never_deleted ON registry_ownershipterm;
DROP FUNCTION registry_term_only_closes(), registry_check_owner() CASCADE;
ALTER TABLE registry_system DROP CONSTRAINT system_owner_human, DROP CONSTRAINT system_owner_active;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_registry"), ("people", "0002_people_rules")]
    operations = [
        migrations.RunPython(seed_domains, migrations.RunPython.noop),
        migrations.RunSQL([OWNER, HISTORY, MANDATE, UNITS, SEARCH], UNDO),
    ]
