"""What the database keeps of evidence, and of who works on an attestation for whom."""

from django.db import migrations

EVIDENCE = """
CREATE FUNCTION attestations_evidence_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.assignment_id, NEW.question, NEW.name, NEW.content_type, NEW.size, NEW.sha256, NEW.effective_on,
            NEW.expires_on, NEW.uploaded_by_id, NEW.recorded_at) IS DISTINCT FROM
           (OLD.id, OLD.assignment_id, OLD.question, OLD.name, OLD.content_type, OLD.size, OLD.sha256, OLD.effective_on,
            OLD.expires_on, OLD.uploaded_by_id, OLD.recorded_at) THEN
            RAISE EXCEPTION 'What was noted about a file does not change. Remove it and attach another.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF (NEW.removed_at, NEW.removed_by_id) IS NOT DISTINCT FROM (OLD.removed_at, OLD.removed_by_id) THEN
            RETURN NEW;
        END IF;
        IF OLD.removed_at IS NOT NULL THEN
            RAISE EXCEPTION 'A file that was removed stays so. Attach it again.' USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    -- The lock waits for a signature or a closing that is under way in another transaction, and then sees it.
    SELECT a.state INTO found FROM attestations_assignment a WHERE a.id = NEW.assignment_id FOR SHARE;
    IF found NOT IN ('pending', 'in_progress', 'changes_requested') THEN
        RAISE EXCEPTION 'The evidence of a signed or closed attestation does not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_stays BEFORE INSERT OR UPDATE ON attestations_evidencefile
    FOR EACH ROW EXECUTE FUNCTION attestations_evidence_stays();
ALTER TABLE attestations_evidencefile ENABLE ALWAYS TRIGGER evidence_stays;
CREATE TRIGGER evidence_never_deleted BEFORE DELETE ON attestations_evidencefile FOR EACH ROW
    EXECUTE FUNCTION refuse_change('Evidence is never deleted. It is removed from an answer that is not signed yet.');
ALTER TABLE attestations_evidencefile ENABLE ALWAYS TRIGGER evidence_never_deleted;
CREATE TRIGGER evidence_never_truncated BEFORE TRUNCATE ON attestations_evidencefile FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Evidence is never emptied.');
ALTER TABLE attestations_evidencefile ENABLE ALWAYS TRIGGER evidence_never_truncated;
REVOKE DELETE, TRUNCATE ON attestations_evidencefile FROM govportal_app;
CREATE FUNCTION attestations_signature_without_infected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM attestations_evidencefile e WHERE e.assignment_id = NEW.assignment_id
               AND e.removed_at IS NULL AND e.scan = 'infected') THEN
        RAISE EXCEPTION 'An infected file is removed before the attestation is signed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signature_without_infected BEFORE INSERT ON attestations_signature
    FOR EACH ROW WHEN (NEW.kind = 'attestation') EXECUTE FUNCTION attestations_signature_without_infected();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_without_infected;
"""

# Who was let in, and who was asked to take over, is part of what a signature rests on.
PASSED_ON = """
CREATE FUNCTION attestations_delegation_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR to_jsonb(NEW) - 'ended_at' <> to_jsonb(OLD) - 'ended_at' THEN
        RAISE EXCEPTION 'A delegation is ended, not changed.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delegation_stays BEFORE UPDATE ON attestations_delegation
    FOR EACH ROW EXECUTE FUNCTION attestations_delegation_stays();
ALTER TABLE attestations_delegation ENABLE ALWAYS TRIGGER delegation_stays;
CREATE FUNCTION attestations_delegation_of_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found attestations_assignment;
BEGIN
    SELECT * INTO found FROM attestations_assignment a WHERE a.id = NEW.assignment_id FOR SHARE;
    IF found.state NOT IN ('pending', 'in_progress', 'changes_requested') OR found.person_id = NEW.preparer_id THEN
        RAISE EXCEPTION 'Only the work on an open attestation is passed on, and only to somebody else.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delegation_of_open BEFORE INSERT ON attestations_delegation
    FOR EACH ROW EXECUTE FUNCTION attestations_delegation_of_open();
ALTER TABLE attestations_delegation ENABLE ALWAYS TRIGGER delegation_of_open;
CREATE FUNCTION attestations_reassignment_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_move text[] := ARRAY['state', 'answered_by_id', 'answered_at', 'answer', 'escalated_at', 'asked_id',
        'to_person_id', 'nomination_id'];
BEGIN
    IF OLD.state <> 'open' OR to_jsonb(NEW) - may_move <> to_jsonb(OLD) - may_move
       OR OLD.nomination_id IS NOT NULL AND NEW.nomination_id IS DISTINCT FROM OLD.nomination_id
       OR OLD.to_person_id IS NOT NULL AND NEW.to_person_id IS DISTINCT FROM OLD.to_person_id THEN
        RAISE EXCEPTION 'Who was asked to take over, by whom and why, does not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reassignment_stays BEFORE UPDATE ON attestations_reassignment
    FOR EACH ROW EXECUTE FUNCTION attestations_reassignment_stays();
ALTER TABLE attestations_reassignment ENABLE ALWAYS TRIGGER reassignment_stays;
CREATE FUNCTION attestations_reassignment_of_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT a.state INTO found FROM attestations_assignment a WHERE a.id = NEW.assignment_id FOR SHARE;
    IF found NOT IN ('pending', 'in_progress', 'changes_requested') THEN
        RAISE EXCEPTION 'What is signed or closed is not passed on.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reassignment_of_open BEFORE INSERT ON attestations_reassignment
    FOR EACH ROW EXECUTE FUNCTION attestations_reassignment_of_open();
ALTER TABLE attestations_reassignment ENABLE ALWAYS TRIGGER reassignment_of_open;
"""
_GUARDED = (
    ("delegation", "Who prepared what is never deleted."),
    ("reassignment", "Who was asked to take over is never deleted."),
)
PASSED_ON += "".join(
    f"CREATE TRIGGER {name}_never_deleted BEFORE DELETE ON attestations_{name} FOR EACH ROW "
    f"EXECUTE FUNCTION refuse_change('{says}');\n"
    f"ALTER TABLE attestations_{name} ENABLE ALWAYS TRIGGER {name}_never_deleted;\n"
    f"CREATE TRIGGER {name}_never_truncated BEFORE TRUNCATE ON attestations_{name} FOR EACH STATEMENT "
    f"EXECUTE FUNCTION refuse_change('{says}');\n"
    f"ALTER TABLE attestations_{name} ENABLE ALWAYS TRIGGER {name}_never_truncated;\n"
    f"REVOKE DELETE, TRUNCATE ON attestations_{name} FROM govportal_app;\n"
    for name, says in _GUARDED
)

UNDO = """
DROP FUNCTION attestations_evidence_stays(), attestations_signature_without_infected(),
    attestations_delegation_stays(), attestations_delegation_of_open(), attestations_reassignment_stays(),
    attestations_reassignment_of_open() CASCADE;
""" + "".join(
    f"DROP TRIGGER {name}_never_deleted ON attestations_{table};\n"
    f"DROP TRIGGER {name}_never_truncated ON attestations_{table};\n"
    f"GRANT DELETE ON attestations_{table} TO govportal_app;\n"
    for name, table in (("evidence", "evidencefile"), ("delegation", "delegation"), ("reassignment", "reassignment"))
)


class Migration(migrations.Migration):
    dependencies = [("attestations", "0010_rollup_rules"), ("common", "0001_database")]
    operations = [migrations.RunSQL([EVIDENCE, PASSED_ON], UNDO)]
