"""The rules of certification in the database: the order of states, what a signature needs, what never changes."""

from django.db import migrations

CAMPAIGN = """
CREATE FUNCTION attestations_campaign_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'A campaign begins as a draft.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state IN ('sealed', 'cancelled') THEN
        RAISE EXCEPTION 'A sealed or cancelled campaign does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state NOT IN ('draft', 'scheduled') AND (
       (NEW.template_id, NEW.period, NEW.code, NEW.title, NEW.is_event, NEW.opens_at, NEW.opened_at, NEW.opened_by,
        NEW.due_critical_on, NEW.due_high_on, NEW.due_on, NEW.closes_at, NEW.question_set, NEW.terms,
        NEW.sampling_seed, NEW.sampling_commitment)
       IS DISTINCT FROM
       (OLD.template_id, OLD.period, OLD.code, OLD.title, OLD.is_event, OLD.opens_at, OLD.opened_at, OLD.opened_by,
        OLD.due_critical_on, OLD.due_high_on, OLD.due_on, OLD.closes_at, OLD.question_set, OLD.terms,
        OLD.sampling_seed, OLD.sampling_commitment)
       OR (OLD.scope_hash <> '' AND NEW.scope_hash <> OLD.scope_hash)) THEN
        RAISE EXCEPTION 'A campaign is frozen when it opens: its dates, questions and scope do not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'open' AND OLD.state <> 'open' AND (NEW.scope_hash = '' OR NOT NEW.is_event AND NOT EXISTS (
       SELECT FROM attestations_assignment a WHERE a.campaign_id = NEW.id)) THEN
        RAISE EXCEPTION 'A campaign opens with a frozen scope and somebody asked for every system.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'rollup' AND OLD.state <> 'rollup' AND EXISTS (
       SELECT FROM attestations_assignment a WHERE a.campaign_id = NEW.id
         AND a.state IN ('pending', 'in_progress', 'changes_requested')
         AND (a.reopened_until IS NULL OR a.reopened_until <= NEW.rollup_at)) THEN
        RAISE EXCEPTION 'Before the roll-up, what nobody signed is named as not attested.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_frozen BEFORE INSERT OR UPDATE ON attestations_campaign
    FOR EACH ROW EXECUTE FUNCTION attestations_campaign_frozen();
ALTER TABLE attestations_campaign ENABLE ALWAYS TRIGGER campaign_frozen;
"""

# Which questions of the frozen set apply to a system and wait for an answer: the same decision as `missing` in
# rules.py, made again here, so that no path signs without answers.
UNANSWERED = """
CREATE FUNCTION attestations_unanswered(assignment bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT asked->>'key'
    FROM attestations_assignment a
    JOIN attestations_campaign c ON c.id = a.campaign_id
    JOIN attestations_scopesnapshot s ON s.id = a.snapshot_id
    CROSS JOIN LATERAL jsonb_array_elements(
        coalesce(c.question_set->'sets', jsonb_build_array(c.question_set))) AS part
    CROSS JOIN LATERAL jsonb_array_elements(part->'sections') AS section
    CROSS JOIN LATERAL jsonb_array_elements(section->'questions') AS asked
    WHERE a.id = assignment
      AND NOT EXISTS (
        SELECT FROM jsonb_each(coalesce(nullif(part->'when', 'null'::jsonb), '{}'::jsonb)) AS w
        WHERE jsonb_array_length(w.value) > 0 AND NOT w.value ? (s.facts::jsonb->>w.key))
      AND coalesce((asked->>'required')::boolean, true)
      AND (coalesce(asked->'when', 'null'::jsonb) = 'null'::jsonb OR EXISTS (
        SELECT FROM attestations_answer d
        WHERE d.assignment_id = a.id AND d.question = (asked->'when'->>'question')
          AND (asked->'when'->'in') ? d.value))
      AND NOT EXISTS (
        SELECT FROM attestations_answer n
        WHERE n.assignment_id = a.id AND n.question = (asked->>'key') AND n.value <> '')
$$;
"""

ASSIGNMENT = """
ALTER TABLE attestations_assignment ADD CONSTRAINT assignment_of_its_snapshot
    FOREIGN KEY (snapshot_id, campaign_id, system_id)
    REFERENCES attestations_scopesnapshot (id, campaign_id, system_id) DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION attestations_assignment_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    campaign attestations_campaign;
    before attestations_assignment;
    supplement boolean;
BEGIN
    SELECT * INTO campaign FROM attestations_campaign c WHERE c.id = NEW.campaign_id;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'pending' AND NOT (NEW.state IN ('in_progress', 'changes_requested')
           AND NEW.predecessor_id IS NOT NULL) THEN
            RAISE EXCEPTION 'An assignment begins as not started.' USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.predecessor_id IS NOT NULL THEN
            SELECT * INTO before FROM attestations_assignment a WHERE a.id = NEW.predecessor_id;
            IF before.state <> 'reassigned' OR (before.campaign_id, before.system_id, before.snapshot_id, before.due_on,
               before.tier, before.unit_id, before.delta, before.sampled, before.round) IS DISTINCT FROM
               (NEW.campaign_id, NEW.system_id, NEW.snapshot_id, NEW.due_on, NEW.tier, NEW.unit_id, NEW.delta,
                NEW.sampled, NEW.round) THEN
                RAISE EXCEPTION 'What passes on keeps its system, facts and due date.'
                    USING ERRCODE = 'restrict_violation';
            END IF;
        ELSIF campaign.state <> 'snapshotting' THEN
            SELECT s.is_supplement INTO supplement FROM attestations_scopesnapshot s WHERE s.id = NEW.snapshot_id;
            IF campaign.state NOT IN ('open', 'grace') OR NOT coalesce(supplement, false) THEN
                RAISE EXCEPTION 'The scope of a campaign is frozen at its opening; what comes later is a supplement.'
                    USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.campaign_id, NEW.system_id, NEW.snapshot_id, NEW.person_id, NEW.owner_basis, NEW.tier, NEW.unit_id,
        NEW.due_on, NEW.delta, NEW.sampled, NEW.predecessor_id, NEW.because, NEW.opened_at)
       IS DISTINCT FROM
       (OLD.campaign_id, OLD.system_id, OLD.snapshot_id, OLD.person_id, OLD.owner_basis, OLD.tier, OLD.unit_id,
        OLD.due_on, OLD.delta, OLD.sampled, OLD.predecessor_id, OLD.because, OLD.opened_at) THEN
        RAISE EXCEPTION 'The scope of a campaign is frozen: an assignment keeps its system, person and due date.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- Only that it became stale may still be written when the campaign is sealed.
    IF campaign.state IN ('sealed', 'cancelled') AND (NEW.state, NEW.result, NEW.round, NEW.submitted_at, NEW.late_days,
       NEW.accepted_at, NEW.version) IS DISTINCT FROM (OLD.state, OLD.result, OLD.round, OLD.submitted_at,
       OLD.late_days, OLD.accepted_at, OLD.version) THEN
        RAISE EXCEPTION 'A sealed or cancelled campaign does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('submitted', 'accepted', 'sealed') AND NEW.version <> OLD.version THEN
        RAISE EXCEPTION 'A signed attestation does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.round <> OLD.round AND NOT (NEW.state = 'changes_requested' AND OLD.state <> 'changes_requested'
       AND NEW.round = OLD.round + 1) OR NEW.state = 'changes_requested' AND OLD.state <> 'changes_requested'
       AND NEW.round = OLD.round THEN
        RAISE EXCEPTION 'A round is added when changes are requested, and only then.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'submitted' AND OLD.state <> 'submitted' AND NOT EXISTS (
       SELECT FROM attestations_signature s WHERE s.assignment_id = NEW.id AND s.kind = 'attestation'
         AND s.round = NEW.round AND (s.meaning = 'certify') = (NEW.result = 'clean')) THEN
        RAISE EXCEPTION 'An attestation is submitted by a signature, not without one.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'accepted' AND OLD.state <> 'accepted' AND NOT EXISTS (
       SELECT FROM attestations_review r JOIN attestations_signature s ON s.id = r.signature_id
       WHERE r.assignment_id = NEW.id AND r.verdict = 'accepted' AND s.round = NEW.round) THEN
        RAISE EXCEPTION 'An attestation is accepted by the review of somebody else, not without one.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'changes_requested' AND OLD.state <> 'changes_requested' AND NOT EXISTS (
       SELECT FROM attestations_review r JOIN attestations_signature s ON s.id = r.signature_id
       WHERE r.assignment_id = NEW.id AND r.verdict = 'changes' AND s.round = OLD.round) THEN
        RAISE EXCEPTION 'Changes are requested by the review of somebody else, with what has to change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'sealed' AND OLD.state <> 'sealed' AND campaign.state <> 'closed' THEN
        RAISE EXCEPTION 'An attestation is sealed with its closed campaign.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER assignment_frozen BEFORE INSERT OR UPDATE ON attestations_assignment
    FOR EACH ROW EXECUTE FUNCTION attestations_assignment_frozen();
ALTER TABLE attestations_assignment ENABLE ALWAYS TRIGGER assignment_frozen;
CREATE FUNCTION attestations_reassigned_has_successor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM attestations_assignment a WHERE a.predecessor_id = NEW.id) THEN
        RAISE EXCEPTION 'An assignment passes on to somebody; it does not vanish.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER reassigned_has_successor AFTER UPDATE OF state ON attestations_assignment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'reassigned')
    EXECUTE FUNCTION attestations_reassigned_has_successor();
ALTER TABLE attestations_assignment ENABLE ALWAYS TRIGGER reassigned_has_successor;
"""

# The lock waits for a signature or a closing that is under way in another transaction, and then sees it.
ANSWER = """
CREATE FUNCTION attestations_answer_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT a.state INTO found FROM attestations_assignment a
    WHERE a.id = COALESCE(NEW.assignment_id, OLD.assignment_id) FOR SHARE;
    IF found NOT IN ('pending', 'in_progress', 'changes_requested')
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
CREATE FUNCTION attestations_signature_needs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found attestations_assignment;
BEGIN
    IF NEW.assignment_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT * INTO found FROM attestations_assignment a WHERE a.id = NEW.assignment_id;
    IF NEW.kind = 'attestation' THEN
        IF found.state <> 'in_progress' OR found.round <> NEW.round OR found.person_id <> NEW.signer_id THEN
            RAISE EXCEPTION 'An attestation is signed once a round, by the person who was asked.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF EXISTS (SELECT FROM attestations_unanswered(NEW.assignment_id)) THEN
            RAISE EXCEPTION 'An attestation is signed when every question is answered.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF EXISTS (SELECT FROM attestations_answer n WHERE n.assignment_id = NEW.assignment_id
                   AND n.contradiction <> '' AND btrim(n.explanation) = '') THEN
            RAISE EXCEPTION 'An answer that contradicts what is known needs an explanation before it is signed.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.meaning = 'certify' AND EXISTS (SELECT FROM attestations_answer n
           WHERE n.assignment_id = NEW.assignment_id AND n.value IN ('yes_with_exception', 'no', 'cannot_attest')) THEN
            RAISE EXCEPTION 'An exception forbids the clean statement.' USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF found.state NOT IN ('submitted', 'accepted', 'sealed', 'not_attested') THEN
        RAISE EXCEPTION 'A correction follows a signature or a closed campaign.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signature_needs BEFORE INSERT ON attestations_signature
    FOR EACH ROW EXECUTE FUNCTION attestations_signature_needs();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_needs;
CREATE FUNCTION attestations_signature_is_submission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'attestation' AND NOT EXISTS (SELECT FROM attestations_assignment a
       WHERE a.id = NEW.assignment_id AND (a.state IN ('submitted', 'accepted', 'sealed') OR a.round > NEW.round)) THEN
        RAISE EXCEPTION 'A signature submits its attestation in the same transaction.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER signature_is_submission AFTER INSERT ON attestations_signature
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attestations_signature_is_submission();
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_is_submission;
CREATE TRIGGER signature_append_only BEFORE UPDATE OR DELETE ON attestations_signature FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A signature is for ever: it is not changed or removed. Sign a correction instead.');
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_append_only;
"""

FACTS = """
ALTER TABLE attestations_scopesnapshot ADD CONSTRAINT snapshot_hash_is_of_facts
    CHECK (sha256 = encode(sha256(convert_to(facts, 'UTF8')), 'hex'));
CREATE TRIGGER snapshot_append_only BEFORE UPDATE OR DELETE ON attestations_scopesnapshot FOR EACH ROW
    EXECUTE FUNCTION refuse_change('What was known when a campaign opened is frozen: it is not changed or removed.');
ALTER TABLE attestations_scopesnapshot ENABLE ALWAYS TRIGGER snapshot_append_only;
CREATE TRIGGER snapshot_never_truncated BEFORE TRUNCATE ON attestations_scopesnapshot FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Frozen facts are never emptied.');
ALTER TABLE attestations_scopesnapshot ENABLE ALWAYS TRIGGER snapshot_never_truncated;
CREATE TRIGGER review_append_only BEFORE UPDATE OR DELETE ON attestations_review FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A review stands as it was given.');
ALTER TABLE attestations_review ENABLE ALWAYS TRIGGER review_append_only;
CREATE TRIGGER review_never_truncated BEFORE TRUNCATE ON attestations_review FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Reviews are never emptied.');
ALTER TABLE attestations_review ENABLE ALWAYS TRIGGER review_never_truncated;
CREATE FUNCTION attestations_published_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'A published version of questions does not change. Make a new version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER published_stays BEFORE UPDATE OR DELETE ON attestations_questionsetversion
    FOR EACH ROW EXECUTE FUNCTION attestations_published_stays();
ALTER TABLE attestations_questionsetversion ENABLE ALWAYS TRIGGER published_stays;
REVOKE UPDATE, DELETE, TRUNCATE ON attestations_scopesnapshot, attestations_review FROM govportal_app;
"""

UNDO = """
ALTER TABLE attestations_assignment DROP CONSTRAINT assignment_of_its_snapshot;
DROP FUNCTION attestations_campaign_frozen(), attestations_unanswered(bigint), attestations_assignment_frozen(),
    attestations_reassigned_has_successor(), attestations_answer_open(), attestations_signature_needs(),
    attestations_signature_is_submission(), attestations_published_stays() CASCADE;
DROP TRIGGER signature_append_only ON attestations_signature;
DROP TRIGGER snapshot_append_only ON attestations_scopesnapshot;
DROP TRIGGER snapshot_never_truncated ON attestations_scopesnapshot;
DROP TRIGGER review_append_only ON attestations_review;
DROP TRIGGER review_never_truncated ON attestations_review;
ALTER TABLE attestations_scopesnapshot DROP CONSTRAINT snapshot_hash_is_of_facts;
GRANT UPDATE, DELETE ON attestations_scopesnapshot, attestations_review TO govportal_app;
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0006_certified_rows"), ("common", "0001_database")]
    operations = [migrations.RunSQL([CAMPAIGN, UNANSWERED, ASSIGNMENT, ANSWER, SIGNATURE, FACTS], UNDO)]
