"""The rules of campaigns in the database: what is frozen stays frozen, a signature is for ever."""

from django.db import migrations

CAMPAIGN = """
CREATE FUNCTION attestations_campaign_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.period, NEW.opens_at, NEW.opened_at, NEW.opened_by, NEW.due_critical_on, NEW.due_high_on, NEW.due_on,
        NEW.closes_at, NEW.question_set)
       IS DISTINCT FROM
       (OLD.period, OLD.opens_at, OLD.opened_at, OLD.opened_by, OLD.due_critical_on, OLD.due_high_on, OLD.due_on,
        OLD.closes_at, OLD.question_set)
       OR (OLD.scope_hash <> '' AND NEW.scope_hash <> OLD.scope_hash) THEN
        RAISE EXCEPTION 'A campaign is frozen when it opens: its dates, questions and scope do not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_frozen BEFORE UPDATE ON attestations_campaign
    FOR EACH ROW EXECUTE FUNCTION attestations_campaign_frozen();
ALTER TABLE attestations_campaign ENABLE ALWAYS TRIGGER campaign_frozen;
"""

ASSIGNMENT = """
CREATE FUNCTION attestations_assignment_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.campaign_id, NEW.system_id, NEW.person_id, NEW.owner_basis, NEW.tier, NEW.unit_id, NEW.due_on)
       IS DISTINCT FROM
       (OLD.campaign_id, OLD.system_id, OLD.person_id, OLD.owner_basis, OLD.tier, OLD.unit_id, OLD.due_on) THEN
        RAISE EXCEPTION 'The scope of a campaign is frozen: an assignment keeps its system, person and due date.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'submitted' AND NEW.version <> OLD.version THEN
        RAISE EXCEPTION 'A signed attestation does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'submitted' AND OLD.state <> 'submitted'
       AND NOT EXISTS (SELECT FROM attestations_signature s WHERE s.assignment_id = NEW.id) THEN
        RAISE EXCEPTION 'An attestation is submitted by a signature, not without one.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER assignment_frozen BEFORE UPDATE ON attestations_assignment
    FOR EACH ROW EXECUTE FUNCTION attestations_assignment_frozen();
ALTER TABLE attestations_assignment ENABLE ALWAYS TRIGGER assignment_frozen;
CREATE FUNCTION attestations_signature_is_submission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM attestations_assignment a WHERE a.id = NEW.assignment_id AND a.state = 'submitted') THEN
        RAISE EXCEPTION 'A signature submits its attestation in the same transaction.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER signature_is_submission AFTER INSERT ON attestations_signature
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attestations_signature_is_submission();
"""

# The lock waits for a signature or a closing that is under way in another transaction, and then sees it.
ANSWER = """
CREATE FUNCTION attestations_answer_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT a.state INTO found FROM attestations_assignment a
    WHERE a.id = COALESCE(NEW.assignment_id, OLD.assignment_id) FOR SHARE;
    IF found IN ('submitted', 'not_attested')
       OR (TG_OP = 'UPDATE' AND (NEW.assignment_id, NEW.question) IS DISTINCT FROM (OLD.assignment_id, OLD.question)) THEN
        RAISE EXCEPTION 'The answers of a signed or closed attestation do not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER answer_open BEFORE INSERT OR UPDATE OR DELETE ON attestations_answer
    FOR EACH ROW EXECUTE FUNCTION attestations_answer_open();
ALTER TABLE attestations_answer ENABLE ALWAYS TRIGGER answer_open;
"""

SIGNATURE = """
ALTER TABLE attestations_signature ADD CONSTRAINT signature_hash_is_of_payload
    CHECK (payload_sha256 = encode(sha256(convert_to(payload, 'UTF8')), 'hex'));
ALTER TABLE attestations_scopesnapshot ADD CONSTRAINT snapshot_hash_is_of_facts
    CHECK (sha256 = encode(sha256(convert_to(facts, 'UTF8')), 'hex'));
CREATE FUNCTION attestations_signature_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attestations_signature_chain'));
    IF NEW.prev_hash <> COALESCE(
        (SELECT s.payload_sha256 FROM attestations_signature s ORDER BY s.id DESC LIMIT 1), repeat('0', 64)) THEN
        RAISE EXCEPTION 'A signature names the hash of the signature before it.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signature_follows BEFORE INSERT ON attestations_signature
    FOR EACH ROW EXECUTE FUNCTION attestations_signature_follows();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_follows;
CREATE TRIGGER signature_append_only BEFORE UPDATE OR DELETE ON attestations_signature FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A signature is for ever: it is not changed or removed. Sign a correction instead.');
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_append_only;
CREATE TRIGGER snapshot_append_only BEFORE UPDATE OR DELETE ON attestations_scopesnapshot FOR EACH ROW
    EXECUTE FUNCTION refuse_change('What was known when a campaign opened is frozen: it is not changed or removed.');
ALTER TABLE attestations_scopesnapshot ENABLE ALWAYS TRIGGER snapshot_append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON attestations_signature, attestations_scopesnapshot FROM govportal_app;
"""


def _never_removed(table: str, name: str, message: str, *, rows: bool = True) -> str:
    """Refuse TRUNCATE, and DELETE where nothing else does."""
    statements = [
        f"CREATE TRIGGER {name}_never_truncated BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
        f"EXECUTE FUNCTION refuse_change('{message}')",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_never_truncated",
    ]
    if rows:
        statements += [
            f"CREATE TRIGGER {name}_never_deleted BEFORE DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION refuse_change('{message}')",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_never_deleted",
        ]
    return ";\n".join(statements)


REMOVALS = ";\n".join(
    [
        _never_removed("attestations_campaign", "campaign", "A campaign is never deleted."),
        _never_removed("attestations_assignment", "assignment", "An assignment is never deleted."),
        _never_removed("attestations_answer", "answer", "Answers are never emptied.", rows=False),
        _never_removed("attestations_signature", "signature", "Signatures are never emptied.", rows=False),
        _never_removed("attestations_scopesnapshot", "snapshot", "Frozen facts are never emptied.", rows=False),
    ]
)

UNDO = """
ALTER TABLE attestations_scopesnapshot DROP CONSTRAINT snapshot_hash_is_of_facts;
ALTER TABLE attestations_signature DROP CONSTRAINT signature_hash_is_of_payload;
DROP FUNCTION attestations_campaign_frozen(), attestations_assignment_frozen(), attestations_answer_open(),
    attestations_signature_follows(), attestations_signature_is_submission() CASCADE;
DROP TRIGGER signature_append_only ON attestations_signature;
DROP TRIGGER snapshot_append_only ON attestations_scopesnapshot;
DROP TRIGGER campaign_never_truncated ON attestations_campaign;
DROP TRIGGER campaign_never_deleted ON attestations_campaign;
DROP TRIGGER assignment_never_truncated ON attestations_assignment;
DROP TRIGGER assignment_never_deleted ON attestations_assignment;
DROP TRIGGER answer_never_truncated ON attestations_answer;
DROP TRIGGER signature_never_truncated ON attestations_signature;
DROP TRIGGER snapshot_never_truncated ON attestations_scopesnapshot;
GRANT UPDATE, DELETE ON attestations_signature, attestations_scopesnapshot TO govportal_app;
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0001_campaigns"), ("common", "0001_database")]
    operations = [migrations.RunSQL([CAMPAIGN, ASSIGNMENT, ANSWER, SIGNATURE, REMOVALS], UNDO)]
