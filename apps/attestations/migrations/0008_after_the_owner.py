"""The rules of reviews, samples, exceptions and later days in the database."""

from django.db import migrations

# Who signed, who owns the system by now and who reviews are three questions about at least two people.
REVIEW = """
CREATE FUNCTION attestations_review_independent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    signed attestations_signature;
    found attestations_assignment;
    own attestations_signature;
BEGIN
    SELECT * INTO signed FROM attestations_signature s WHERE s.id = NEW.signature_id;
    SELECT * INTO found FROM attestations_assignment a WHERE a.id = NEW.assignment_id;
    IF signed.kind <> 'attestation' OR signed.assignment_id <> found.id OR signed.round <> found.round
       OR signed.signer_id <> NEW.signer_id THEN
        RAISE EXCEPTION 'A review is of the signature that stands under an attestation now.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM registry_system s WHERE s.id = found.system_id AND s.owner_id = NEW.reviewer_id)
       OR EXISTS (SELECT FROM attestations_signature s WHERE s.assignment_id = found.id
                  AND s.signer_id = NEW.reviewer_id) THEN
        RAISE EXCEPTION 'Who signed or answers for a system can''t accept its attestation. Somebody else has to look.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM attestations_campaign c WHERE c.id = found.campaign_id
                   AND c.state IN ('open', 'grace', 'rollup', 'pending_actions')) THEN
        RAISE EXCEPTION 'A campaign that is closed takes no more reviews.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.signed_id IS NOT NULL THEN
        SELECT * INTO own FROM attestations_signature s WHERE s.id = NEW.signed_id;
        IF own.kind <> NEW.kind OR own.signer_id <> NEW.reviewer_id THEN
            RAISE EXCEPTION 'A review is signed by who reviewed.' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    IF NEW.kind = 'sample' AND NEW.signed_id IS NULL THEN
        RAISE EXCEPTION 'A sample is signed by who re-performed it.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.kind = 'sample'
       AND (NEW.verdict = 'accepted') = jsonb_path_exists(NEW.checks, '$.* ? (@.agree == false)') THEN
        RAISE EXCEPTION 'One disagreement is a request for changes, and there is none without one.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_independent BEFORE INSERT ON attestations_review
    FOR EACH ROW EXECUTE FUNCTION attestations_review_independent();
ALTER TABLE attestations_review ENABLE ALWAYS TRIGGER review_independent;
CREATE FUNCTION attestations_sample_performed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM attestations_review r JOIN attestations_signature s ON s.id = r.signature_id
                   WHERE r.assignment_id = NEW.id AND r.kind = 'sample' AND r.verdict = 'accepted'
                     AND s.round = NEW.round) THEN
        RAISE EXCEPTION 'A sample is accepted by somebody who answered its questions again, not without.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sample_performed BEFORE UPDATE OF state ON attestations_assignment FOR EACH ROW
    WHEN (NEW.state = 'accepted' AND OLD.state <> 'accepted' AND NEW.sampled <> '')
    EXECUTE FUNCTION attestations_sample_performed();
ALTER TABLE attestations_assignment ENABLE ALWAYS TRIGGER sample_performed;
"""

# The longest time to put an exception right: 30, 60, 90 and 180 days, as EXCEPTION_DAYS.
EXCEPTION = """
ALTER TABLE attestations_attestationexception ADD CONSTRAINT exception_not_too_long CHECK (
    first_due_on <= declared_on + CASE severity WHEN 'critical' THEN 30 WHEN 'high' THEN 60 WHEN 'medium' THEN 90
                                                ELSE 180 END
    AND first_due_on >= declared_on AND due_on >= first_due_on);
CREATE FUNCTION attestations_exception_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    under attestations_signature;
    campaign text;
    found findings_finding;
BEGIN
    SELECT c.state INTO campaign FROM attestations_campaign c WHERE c.id = NEW.campaign_id;
    SELECT * INTO under FROM attestations_signature s WHERE s.id = NEW.signature_id;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'requested' OR NEW.due_on <> NEW.first_due_on OR NEW.approver_id IS NOT NULL THEN
            RAISE EXCEPTION 'An exception begins undecided, with its first day.' USING ERRCODE = 'restrict_violation';
        END IF;
        IF campaign IN ('closed', 'sealed', 'cancelled') THEN
            RAISE EXCEPTION 'A campaign that is closed takes no more exceptions.' USING ERRCODE = 'restrict_violation';
        END IF;
        IF (under.assignment_id, under.node_id) IS DISTINCT FROM (NEW.assignment_id, NEW.node_id)
           OR under.meaning NOT IN ('acknowledge', 'decline') THEN
            RAISE EXCEPTION 'An exception is declared under the signature that acknowledges it.'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.campaign_id, NEW.assignment_id, NEW.node_id, NEW.signature_id, NEW.question, NEW.severity,
        NEW.description, NEW.declared_on, NEW.first_due_on)
       IS DISTINCT FROM
       (OLD.id, OLD.campaign_id, OLD.assignment_id, OLD.node_id, OLD.signature_id, OLD.question, OLD.severity,
        OLD.description, OLD.declared_on, OLD.first_due_on) THEN
        RAISE EXCEPTION 'What was declared under a signature does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF campaign IN ('sealed', 'cancelled') AND (NEW.state = 'superseded' AND OLD.state <> 'superseded'
       OR NEW.state = 'refused' AND OLD.state <> 'refused'
       OR (NEW.plan, NEW.control, NEW.carried_over_at)
          IS DISTINCT FROM (OLD.plan, OLD.control, OLD.carried_over_at)) THEN
        RAISE EXCEPTION 'A sealed campaign keeps its exceptions as they are; only what is done about them goes on.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.plan, NEW.control) IS DISTINCT FROM (OLD.plan, OLD.control)
       AND NOT (OLD.state = 'refused' AND NEW.state = 'requested') THEN
        RAISE EXCEPTION 'A plan changes when it was refused and another one is proposed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.due_on <> OLD.due_on AND NOT EXISTS (
       SELECT FROM attestations_extension e WHERE e.exception_id = NEW.id AND e.is_granted
         AND e.from_day = OLD.due_on AND e.to_day = NEW.due_on) THEN
        RAISE EXCEPTION 'The day of an exception moves when somebody else grants a later one, and only then.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state IN ('approved', 'refused', 'risk_accepted') AND (
       NEW.state <> OLD.state OR NEW.approver_id IS DISTINCT FROM OLD.approver_id
       OR NEW.decided_at IS DISTINCT FROM OLD.decided_at
       OR NEW.accepted_until IS DISTINCT FROM OLD.accepted_until) THEN
        IF NEW.approver_id = under.signer_id THEN
            RAISE EXCEPTION 'Who declared an exception can''t decide about it. Somebody else has to.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT EXISTS (SELECT FROM attestations_signature s WHERE s.kind = 'exception' AND s.exception_id = NEW.id
           AND s.signer_id = NEW.approver_id AND s.signed_at = NEW.decided_at
           AND s.meaning = CASE NEW.state WHEN 'approved' THEN 'approve' WHEN 'refused' THEN 'refuse'
                                          ELSE 'accept_risk' END) THEN
            RAISE EXCEPTION 'A decision about an exception is signed by who decides.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    IF NEW.state = 'verified' AND OLD.state <> 'verified' THEN
        SELECT * INTO found FROM findings_finding f WHERE f.id = NEW.finding_id;
        IF found.state IS DISTINCT FROM 'closed' OR found.closed_because <> 'verified' THEN
            RAISE EXCEPTION 'An exception is put right when somebody else verified it at its finding.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER exception_fits BEFORE INSERT OR UPDATE ON attestations_attestationexception
    FOR EACH ROW EXECUTE FUNCTION attestations_exception_fits();
ALTER TABLE attestations_attestationexception ENABLE ALWAYS TRIGGER exception_fits;
CREATE TRIGGER exception_never_deleted BEFORE DELETE ON attestations_attestationexception FOR EACH ROW
    EXECUTE FUNCTION refuse_change('An exception is never deleted. It is put right, or a new signature replaces it.');
ALTER TABLE attestations_attestationexception ENABLE ALWAYS TRIGGER exception_never_deleted;
CREATE TRIGGER exception_never_truncated BEFORE TRUNCATE ON attestations_attestationexception FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Exceptions are never emptied.');
ALTER TABLE attestations_attestationexception ENABLE ALWAYS TRIGGER exception_never_truncated;
"""

EXTENSION = """
CREATE FUNCTION attestations_extension_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found attestations_attestationexception;
BEGIN
    SELECT * INTO found FROM attestations_attestationexception e WHERE e.id = NEW.exception_id;
    IF TG_OP = 'INSERT' THEN
        IF NEW.is_granted IS NOT NULL OR NEW.from_day <> found.due_on OR NEW.owner_id <> found.owner_id
           OR NEW.number <> 1 + (SELECT count(*) FROM attestations_extension e WHERE e.exception_id = NEW.exception_id)
           THEN
            RAISE EXCEPTION 'A later day is asked for from the present one, and counted.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.is_granted IS NOT NULL
       OR (NEW.id, NEW.exception_id, NEW.number, NEW.from_day, NEW.to_day, NEW.reason, NEW.requested_by_id,
           NEW.requested_at, NEW.owner_id)
          IS DISTINCT FROM
          (OLD.id, OLD.exception_id, OLD.number, OLD.from_day, OLD.to_day, OLD.reason, OLD.requested_by_id,
           OLD.requested_at, OLD.owner_id) THEN
        RAISE EXCEPTION 'A later day is decided about once.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.approver_id IN (SELECT s.signer_id FROM attestations_signature s WHERE s.id = found.signature_id) THEN
        RAISE EXCEPTION 'Who declared an exception can''t grant it a later day.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER extension_fits BEFORE INSERT OR UPDATE ON attestations_extension
    FOR EACH ROW EXECUTE FUNCTION attestations_extension_fits();
ALTER TABLE attestations_extension ENABLE ALWAYS TRIGGER extension_fits;
CREATE TRIGGER extension_never_deleted BEFORE DELETE ON attestations_extension FOR EACH ROW
    EXECUTE FUNCTION refuse_change('That a later day was asked for is never deleted.');
ALTER TABLE attestations_extension ENABLE ALWAYS TRIGGER extension_never_deleted;
CREATE TRIGGER extension_never_truncated BEFORE TRUNCATE ON attestations_extension FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Later days are never emptied.');
ALTER TABLE attestations_extension ENABLE ALWAYS TRIGGER extension_never_truncated;
REVOKE DELETE, TRUNCATE ON attestations_attestationexception, attestations_extension FROM govportal_app;
"""

UNDO = """
ALTER TABLE attestations_attestationexception DROP CONSTRAINT exception_not_too_long;
DROP FUNCTION attestations_review_independent(), attestations_sample_performed(), attestations_exception_fits(),
    attestations_extension_fits() CASCADE;
DROP TRIGGER exception_never_deleted ON attestations_attestationexception;
DROP TRIGGER exception_never_truncated ON attestations_attestationexception;
DROP TRIGGER extension_never_deleted ON attestations_extension;
DROP TRIGGER extension_never_truncated ON attestations_extension;
GRANT DELETE ON attestations_attestationexception, attestations_extension TO govportal_app;
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0007_certification_rules"), ("findings", "0002_finding_rules")]
    operations = [migrations.RunSQL([REVIEW, EXCEPTION, EXTENSION], UNDO)]
