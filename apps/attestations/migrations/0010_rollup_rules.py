"""The rules of the roll-up, the closing and the sealing in the database."""

from django.db import migrations

# What a node stands on. A unit's systems are those of its `units`; above, the nodes that name it as their parent.
# Passed on is not a state of the end: the row that follows counts.
CHILDREN = """
CREATE FUNCTION attestations_node_seats(node attestations_rollupnode) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT CASE node.level WHEN 'unit' THEN ARRAY['']
        WHEN 'top' THEN (SELECT ARRAY(SELECT jsonb_array_elements_text(c.terms->'top_seats'))
                         FROM attestations_campaign c WHERE c.id = node.campaign_id)
        ELSE ARRAY[node.level::text] END
$$;
CREATE FUNCTION attestations_node_complete(node attestations_rollupnode) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN node.level = 'unit' THEN NOT EXISTS (
            SELECT FROM attestations_assignment a
            WHERE a.campaign_id = node.campaign_id AND a.unit_id = ANY(node.units)
              AND a.state NOT IN ('accepted', 'sealed', 'not_attested', 'reassigned'))
        ELSE EXISTS (SELECT FROM attestations_rollupnode n WHERE n.parent_id = node.id) AND NOT EXISTS (
            SELECT FROM attestations_rollupnode n WHERE n.parent_id = node.id
              AND n.state NOT IN ('signed_clean', 'signed_qualified', 'declined')) END
$$;
-- A clean attestation that was corrected into one with exceptions is not clean any more.
CREATE FUNCTION attestations_node_clean(node attestations_rollupnode) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT attestations_node_complete(node)
        AND NOT EXISTS (SELECT FROM attestations_attestationexception e WHERE e.node_id = node.id)
        AND CASE WHEN node.level = 'unit' THEN NOT EXISTS (
            SELECT FROM attestations_assignment a
            WHERE a.campaign_id = node.campaign_id AND a.unit_id = ANY(node.units) AND a.state <> 'reassigned'
              AND (a.state = 'not_attested' OR a.result <> 'clean' OR EXISTS (
                SELECT FROM attestations_signature s WHERE s.assignment_id = a.id AND s.kind = 'supplement'
                  AND s.meaning = 'acknowledge')))
        ELSE NOT EXISTS (
            SELECT FROM attestations_rollupnode n WHERE n.parent_id = node.id AND n.state <> 'signed_clean') END
$$;
CREATE FUNCTION attestations_uncovered(campaign bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM attestations_assignment a WHERE a.campaign_id = campaign AND a.state <> 'reassigned'
          AND a.unit_id <> ALL (ARRAY(SELECT unnest(n.units) FROM attestations_rollupnode n
                                      WHERE n.campaign_id = campaign AND n.level = 'unit')))
$$;
"""

NODE = """
CREATE FUNCTION attestations_node_rules() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    campaign attestations_campaign;
    signed text[];
    meanings text[];
BEGIN
    SELECT * INTO campaign FROM attestations_campaign c WHERE c.id = NEW.campaign_id;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'not_ready' OR campaign.is_event
           OR campaign.state NOT IN ('snapshotting', 'open', 'grace', 'rollup') THEN
            RAISE EXCEPTION 'A node of the roll-up begins as not ready, in a campaign that is not over.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.level <> 'top' AND NOT EXISTS (
           SELECT FROM attestations_rollupnode p WHERE p.id = NEW.parent_id AND p.campaign_id = NEW.campaign_id
             AND p.state = 'not_ready' AND (NEW.level, p.level) IN
                 (('unit', 'ai_lead'), ('ai_lead', 'ciso'), ('ciso', 'top'))) THEN
            RAISE EXCEPTION 'A unit is below the head of AI, who is below the CISO, who is below the top.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state IN ('signed_clean', 'signed_qualified', 'declined') THEN
        RAISE EXCEPTION 'A signed node of the roll-up does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.campaign_id, NEW.level, NEW.unit_id, NEW.parent_id)
       IS DISTINCT FROM (OLD.id, OLD.campaign_id, OLD.level, OLD.unit_id, OLD.parent_id)
       OR NOT NEW.units @> OLD.units OR NEW.units <> OLD.units AND OLD.state <> 'not_ready' THEN
        RAISE EXCEPTION 'A node of the roll-up keeps its place and its units.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF campaign.state <> 'rollup' THEN
        RAISE EXCEPTION 'A campaign is rolled up after its grace period and before it waits for decisions.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT coalesce(array_agg(s.seat), '{}'), coalesce(array_agg(s.meaning), '{}') INTO signed, meanings
    FROM attestations_signature s WHERE s.node_id = NEW.id;
    IF NEW.state = 'not_ready' AND cardinality(signed) > 0 THEN
        RAISE EXCEPTION 'What somebody signed stays ready.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> 'not_ready' AND NOT attestations_node_complete(NEW) THEN
        RAISE EXCEPTION 'A node of the roll-up is ready when everything below it is accepted, not attested, signed'
            ' or declined.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'ready' AND NEW.level = 'ai_lead' AND attestations_uncovered(NEW.campaign_id) THEN
        RAISE EXCEPTION 'Every system is below a unit of the roll-up.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state IN ('signed_clean', 'signed_qualified') AND (
       NOT signed @> attestations_node_seats(NEW) OR 'decline' = ANY(meanings)) THEN
        RAISE EXCEPTION 'A node of the roll-up is signed by the signature of each seat, not without one.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'signed_clean' AND NOT (attestations_node_clean(NEW) AND 'certify' = ALL(meanings)) THEN
        RAISE EXCEPTION 'Something below that is qualified, declined or missing forbids a clean signature.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'signed_qualified' AND NOT 'acknowledge' = ANY(meanings) THEN
        RAISE EXCEPTION 'A qualified node of the roll-up has a signature that says so.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'declined' AND NOT 'decline' = ANY(meanings) THEN
        RAISE EXCEPTION 'Who declines says so under a signature.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER node_rules BEFORE INSERT OR UPDATE ON attestations_rollupnode
    FOR EACH ROW EXECUTE FUNCTION attestations_node_rules();
ALTER TABLE attestations_rollupnode ENABLE ALWAYS TRIGGER node_rules;
CREATE TRIGGER node_never_deleted BEFORE DELETE ON attestations_rollupnode FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A node of the roll-up is never deleted.');
ALTER TABLE attestations_rollupnode ENABLE ALWAYS TRIGGER node_never_deleted;
CREATE TRIGGER node_never_truncated BEFORE TRUNCATE ON attestations_rollupnode FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('The roll-up is never emptied.');
ALTER TABLE attestations_rollupnode ENABLE ALWAYS TRIGGER node_never_truncated;
CREATE FUNCTION attestations_node_signature_needs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    node attestations_rollupnode;
BEGIN
    SELECT * INTO node FROM attestations_rollupnode n WHERE n.id = NEW.node_id FOR UPDATE;
    IF node.state <> 'ready' OR NEW.seat <> ALL (attestations_node_seats(node)) THEN
        RAISE EXCEPTION 'A node of the roll-up is signed when it is ready, for a seat that signs it.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.meaning = 'certify' AND NOT attestations_node_clean(node) THEN
        RAISE EXCEPTION 'Something below that is qualified, declined or missing forbids a clean signature.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER node_signature_needs BEFORE INSERT ON attestations_signature
    FOR EACH ROW WHEN (NEW.node_id IS NOT NULL) EXECUTE FUNCTION attestations_node_signature_needs();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER node_signature_needs;
CREATE FUNCTION attestations_node_signature_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM attestations_rollupnode n WHERE n.id = NEW.node_id AND n.state = 'ready'
        AND (NEW.meaning = 'decline' OR attestations_node_seats(n) <@
             ARRAY(SELECT s.seat::text FROM attestations_signature s WHERE s.node_id = n.id))) THEN
        RAISE EXCEPTION 'The last signature signs its node in the same transaction.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER node_signature_counts AFTER INSERT ON attestations_signature
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.node_id IS NOT NULL)
    EXECUTE FUNCTION attestations_node_signature_counts();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER node_signature_counts;
"""

# The lock waits for a signature above that is under way in another transaction, and then sees it.
BELOW = """
CREATE FUNCTION attestations_below_a_signature() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    node text;
BEGIN
    IF OLD.state = 'accepted' AND NEW.state = 'sealed' AND (NEW.result, NEW.round, NEW.late_days, NEW.submitted_at)
       IS NOT DISTINCT FROM (OLD.result, OLD.round, OLD.late_days, OLD.submitted_at)
       OR (SELECT c.state FROM attestations_campaign c WHERE c.id = NEW.campaign_id)
          NOT IN ('rollup', 'pending_actions', 'closed', 'sealed') THEN
        RETURN NEW;
    END IF;
    SELECT n.state INTO node FROM attestations_rollupnode n
    WHERE n.campaign_id = NEW.campaign_id AND n.level = 'unit' AND NEW.unit_id = ANY(n.units) FOR SHARE;
    IF node IN ('signed_clean', 'signed_qualified', 'declined') THEN
        RAISE EXCEPTION 'The roll-up above this attestation is signed: what is below it does not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER below_a_signature BEFORE UPDATE OF state, result, round, late_days, submitted_at
    ON attestations_assignment FOR EACH ROW
    WHEN ((NEW.state, NEW.result, NEW.round, NEW.late_days, NEW.submitted_at)
          IS DISTINCT FROM (OLD.state, OLD.result, OLD.round, OLD.late_days, OLD.submitted_at))
    EXECUTE FUNCTION attestations_below_a_signature();
ALTER TABLE attestations_assignment ENABLE ALWAYS TRIGGER below_a_signature;
"""

RECORD = """
ALTER TABLE attestations_campaignrecord ADD CONSTRAINT record_hash_is_of_body
    CHECK (sha256 = encode(sha256(convert_to(body, 'UTF8')), 'hex'));
CREATE FUNCTION attestations_record_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM attestations_campaign c WHERE c.id = NEW.campaign_id AND c.state =
        CASE NEW.kind WHEN 'closing' THEN 'pending_actions' ELSE 'closed' END) THEN
        RAISE EXCEPTION 'The closing is written when a campaign closes, the manifest when it is sealed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER record_in_time BEFORE INSERT ON attestations_campaignrecord
    FOR EACH ROW EXECUTE FUNCTION attestations_record_in_time();
ALTER TABLE attestations_campaignrecord ENABLE ALWAYS TRIGGER record_in_time;
CREATE TRIGGER record_append_only BEFORE UPDATE OR DELETE ON attestations_campaignrecord FOR EACH ROW
    EXECUTE FUNCTION refuse_change('The closing and the manifest of a campaign stand as they were written.');
ALTER TABLE attestations_campaignrecord ENABLE ALWAYS TRIGGER record_append_only;
CREATE TRIGGER record_never_truncated BEFORE TRUNCATE ON attestations_campaignrecord FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Closings and manifests are never emptied.');
ALTER TABLE attestations_campaignrecord ENABLE ALWAYS TRIGGER record_never_truncated;
REVOKE UPDATE, DELETE, TRUNCATE ON attestations_campaignrecord FROM govportal_app;
REVOKE DELETE, TRUNCATE ON attestations_rollupnode FROM govportal_app;
"""

ENDS = """
CREATE FUNCTION attestations_campaign_ends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closing jsonb;
BEGIN
    IF NEW.state IN ('pending_actions', 'closed') AND EXISTS (
       SELECT FROM attestations_assignment a WHERE a.campaign_id = NEW.id
         AND a.state NOT IN ('accepted', 'not_attested', 'reassigned')) THEN
        RAISE EXCEPTION 'A campaign is rolled up when every attestation is accepted or named as not attested.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state IN ('pending_actions', 'closed') AND (EXISTS (
       SELECT FROM attestations_rollupnode n WHERE n.campaign_id = NEW.id
         AND n.state NOT IN ('signed_clean', 'signed_qualified', 'declined'))
       OR NOT NEW.is_event AND (attestations_uncovered(NEW.id) OR NOT EXISTS (
         SELECT FROM attestations_rollupnode n WHERE n.campaign_id = NEW.id AND n.level = 'top'))) THEN
        RAISE EXCEPTION 'A campaign is rolled up when every part of it is signed or declined.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'closed' THEN
        IF EXISTS (SELECT FROM attestations_attestationexception e WHERE e.campaign_id = NEW.id
             AND NOT (e.state IN ('verified', 'risk_accepted', 'superseded')
                      OR e.state = 'approved' AND e.carried_over_at IS NOT NULL))
           OR EXISTS (SELECT FROM attestations_extension x
             JOIN attestations_attestationexception e ON e.id = x.exception_id
             WHERE e.campaign_id = NEW.id AND e.state <> 'superseded' AND x.is_granted IS NULL) THEN
            RAISE EXCEPTION 'A campaign closes when every exception is decided, and what is not finished is named and'
                ' carried over.' USING ERRCODE = 'restrict_violation';
        END IF;
        SELECT r.body::jsonb INTO closing FROM attestations_campaignrecord r
        WHERE r.campaign_id = NEW.id AND r.kind = 'closing';
        IF closing IS NULL OR EXISTS (
           SELECT s.key FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
           WHERE a.campaign_id = NEW.id AND a.state = 'not_attested'
           EXCEPT
           SELECT named->>'key' FROM jsonb_array_elements(closing->'not_attested') AS named
           WHERE coalesce(named->>'person', '') <> '') THEN
            RAISE EXCEPTION 'A campaign closes with the name of everybody who did not attest.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    IF NEW.state = 'sealed' AND (NOT EXISTS (
       SELECT FROM attestations_campaignrecord r WHERE r.campaign_id = NEW.id AND r.kind = 'manifest'
         AND r.sha256 = NEW.manifest_sha256) OR EXISTS (
       SELECT FROM attestations_assignment a WHERE a.campaign_id = NEW.id
         AND a.state NOT IN ('sealed', 'not_attested', 'reassigned'))) THEN
        RAISE EXCEPTION 'A campaign is sealed with its manifest, and everything accepted in it with it.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_ends BEFORE UPDATE OF state ON attestations_campaign
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION attestations_campaign_ends();
ALTER TABLE attestations_campaign ENABLE ALWAYS TRIGGER campaign_ends;
"""

UNDO = """
DROP FUNCTION attestations_campaign_ends(), attestations_record_in_time(), attestations_below_a_signature(),
    attestations_node_signature_counts(), attestations_node_signature_needs(), attestations_node_rules() CASCADE;
DROP FUNCTION attestations_uncovered(bigint), attestations_node_clean(attestations_rollupnode),
    attestations_node_complete(attestations_rollupnode), attestations_node_seats(attestations_rollupnode);
DROP TRIGGER node_never_deleted ON attestations_rollupnode;
DROP TRIGGER node_never_truncated ON attestations_rollupnode;
DROP TRIGGER record_append_only ON attestations_campaignrecord;
DROP TRIGGER record_never_truncated ON attestations_campaignrecord;
ALTER TABLE attestations_campaignrecord DROP CONSTRAINT record_hash_is_of_body;
GRANT UPDATE, DELETE ON attestations_campaignrecord TO govportal_app;
GRANT DELETE ON attestations_rollupnode TO govportal_app;
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0009_rollup_rows"), ("common", "0001_database")]
    operations = [migrations.RunSQL([CHILDREN, NODE, BELOW, RECORD, ENDS], UNDO)]
