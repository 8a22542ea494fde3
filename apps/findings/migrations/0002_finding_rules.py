"""The rules of findings in the database: who puts it right is active, a state says what is true, nothing goes."""

from django.db import migrations

# As for the owner of a system: a foreign key, because two triggers would let one transaction name a person while
# another deactivates them.
PEOPLE = """
ALTER TABLE findings_finding
    ADD CONSTRAINT finding_person_active FOREIGN KEY (person_id, person_must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT finding_person_human FOREIGN KEY (person_id, person_must_be) REFERENCES people_person (id, kind);
ALTER TABLE findings_correctiveaction
    ADD CONSTRAINT action_person_active FOREIGN KEY (person_id, person_must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT action_verifier_active FOREIGN KEY (verifier_id, verifier_must_be_active)
        REFERENCES people_person (id, is_active);
"""

# The longest time for which a risk is accepted, by severity: 3, 3, 6 and 12 months.
ACCEPTANCE = """
ALTER TABLE findings_riskacceptance ADD CONSTRAINT acceptance_not_too_long CHECK (
    until <= (accepted_on + CASE severity WHEN 'critical' THEN interval '3 months' WHEN 'high' THEN interval '3 months'
                                          WHEN 'medium' THEN interval '6 months' ELSE interval '12 months' END)::date);
CREATE FUNCTION findings_acceptance_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM findings_finding f WHERE f.id = NEW.finding_id
                       AND f.severity = NEW.severity AND f.person_id = NEW.person_id) THEN
            RAISE EXCEPTION 'A risk is accepted with the severity and the person of its finding.'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.ended_at IS NOT NULL
       OR (NEW.id, NEW.finding_id, NEW.severity, NEW.person_id, NEW.accepted_by_id, NEW.accepted_at, NEW.accepted_on,
           NEW.function_id, NEW.authority, NEW.reason, NEW.until)
          IS DISTINCT FROM
          (OLD.id, OLD.finding_id, OLD.severity, OLD.person_id, OLD.accepted_by_id, OLD.accepted_at, OLD.accepted_on,
           OLD.function_id, OLD.authority, OLD.reason, OLD.until) THEN
        RAISE EXCEPTION 'The acceptance of a risk is history: it can be ended once, not changed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER acceptance_fits BEFORE INSERT OR UPDATE ON findings_riskacceptance
    FOR EACH ROW EXECUTE FUNCTION findings_acceptance_fits();
ALTER TABLE findings_riskacceptance ENABLE ALWAYS TRIGGER acceptance_fits;
"""

# A state and the rows that it stands on can't disagree when a transaction ends.
STATES = """
CREATE FUNCTION findings_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
    checked bigint;
BEGIN
    IF TG_TABLE_NAME = 'findings_finding' THEN
        checked := NEW.id;
    ELSE
        checked := NEW.finding_id;
    END IF;
    SELECT f.state, f.closed_because, f.accepted_until INTO found FROM findings_finding f WHERE f.id = checked;
    IF (found.state = 'accepted') <> EXISTS (
        SELECT FROM findings_riskacceptance a WHERE a.finding_id = checked AND a.ended_at IS NULL) THEN
        RAISE EXCEPTION 'A finding is accepted while an acceptance of its risk is in force, and only then.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF found.state = 'accepted' AND NOT EXISTS (
        SELECT FROM findings_riskacceptance a
        WHERE a.finding_id = checked AND a.ended_at IS NULL AND a.until = found.accepted_until) THEN
        RAISE EXCEPTION 'A finding is accepted until the day of its acceptance.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF found.state = 'to_verify' AND NOT EXISTS (
        SELECT FROM findings_correctiveaction a WHERE a.finding_id = checked AND a.state = 'done') THEN
        RAISE EXCEPTION 'A finding waits to be verified while an action is done and not verified.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF found.state = 'closed' AND EXISTS (
        SELECT FROM findings_correctiveaction a WHERE a.finding_id = checked AND a.state IN ('planned', 'done')) THEN
        RAISE EXCEPTION 'A closed finding has no open action.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF found.state = 'closed' AND found.closed_because = 'verified' AND NOT EXISTS (
        SELECT FROM findings_correctiveaction a WHERE a.finding_id = checked AND a.state = 'verified') THEN
        RAISE EXCEPTION 'A finding is closed as put right where somebody verified it.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER finding_state_is_true AFTER UPDATE OF state, accepted_until, closed_because
    ON findings_finding DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION findings_check_state();
CREATE CONSTRAINT TRIGGER finding_begins_true AFTER INSERT ON findings_finding
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state <> 'open') EXECUTE FUNCTION findings_check_state();
CREATE CONSTRAINT TRIGGER action_state_is_true AFTER INSERT OR UPDATE OF state ON findings_correctiveaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION findings_check_state();
CREATE CONSTRAINT TRIGGER acceptance_is_true AFTER INSERT OR UPDATE OF ended_at ON findings_riskacceptance
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION findings_check_state();
ALTER TABLE findings_finding ENABLE ALWAYS TRIGGER finding_state_is_true;
ALTER TABLE findings_finding ENABLE ALWAYS TRIGGER finding_begins_true;
ALTER TABLE findings_correctiveaction ENABLE ALWAYS TRIGGER action_state_is_true;
ALTER TABLE findings_riskacceptance ENABLE ALWAYS TRIGGER acceptance_is_true;
CREATE FUNCTION findings_action_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('verified', 'rejected', 'dropped')
       OR (NEW.id, NEW.finding_id, NEW.planned_by_id, NEW.planned_at)
          IS DISTINCT FROM (OLD.id, OLD.finding_id, OLD.planned_by_id, OLD.planned_at)
       OR OLD.state = 'done' AND (NEW.what, NEW.person_id, NEW.due_on, NEW.done_by_id, NEW.done_at, NEW.evidence)
          IS DISTINCT FROM (OLD.what, OLD.person_id, OLD.due_on, OLD.done_by_id, OLD.done_at, OLD.evidence) THEN
        RAISE EXCEPTION 'What was done and decided about a finding is history: it does not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER action_decided BEFORE UPDATE ON findings_correctiveaction
    FOR EACH ROW EXECUTE FUNCTION findings_action_decided();
ALTER TABLE findings_correctiveaction ENABLE ALWAYS TRIGGER action_decided;
CREATE TRIGGER finding_stays_itself BEFORE UPDATE OF code, subject, source, raised_at, raised_by_id ON findings_finding
    FOR EACH ROW WHEN ((OLD.code, OLD.subject, OLD.source, OLD.raised_at, OLD.raised_by_id)
        IS DISTINCT FROM (NEW.code, NEW.subject, NEW.source, NEW.raised_at, NEW.raised_by_id))
    EXECUTE FUNCTION refuse_change('A finding stays what it is about: raise another one instead.');
ALTER TABLE findings_finding ENABLE ALWAYS TRIGGER finding_stays_itself;
"""


def _never_removed(table: str, name: str, message: str) -> str:
    """Refuse DELETE and TRUNCATE."""
    return f"""
CREATE TRIGGER {name}_never_deleted BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change('{message}');
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_never_deleted;
CREATE TRIGGER {name}_never_truncated BEFORE TRUNCATE ON {table} FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('{message}');
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_never_truncated;
"""


REMOVALS = "".join(
    [
        _never_removed("findings_finding", "finding", "A finding is never deleted. It is closed."),
        _never_removed("findings_correctiveaction", "action", "An action on a finding is never deleted."),
        _never_removed("findings_riskacceptance", "acceptance", "The acceptance of a risk is never deleted."),
    ]
)

UNDO = """
DROP TRIGGER finding_never_deleted ON findings_finding;
DROP TRIGGER finding_never_truncated ON findings_finding;
DROP TRIGGER action_never_deleted ON findings_correctiveaction;
DROP TRIGGER action_never_truncated ON findings_correctiveaction;
DROP TRIGGER acceptance_never_deleted ON findings_riskacceptance;
DROP TRIGGER acceptance_never_truncated ON findings_riskacceptance;
DROP TRIGGER finding_stays_itself ON findings_finding;
DROP FUNCTION findings_action_decided(), findings_check_state(), findings_acceptance_fits() CASCADE;
ALTER TABLE findings_riskacceptance DROP CONSTRAINT acceptance_not_too_long;
ALTER TABLE findings_correctiveaction DROP CONSTRAINT action_verifier_active, DROP CONSTRAINT action_person_active;
ALTER TABLE findings_finding DROP CONSTRAINT finding_person_human, DROP CONSTRAINT finding_person_active;
"""


class Migration(migrations.Migration):
    dependencies = [("findings", "0001_findings"), ("people", "0002_people_rules"), ("common", "0001_database")]
    operations = [migrations.RunSQL([PEOPLE, ACCEPTANCE, STATES, REMOVALS], UNDO)]
