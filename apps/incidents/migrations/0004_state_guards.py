"""What has to be so before an incident is contained or closed, also by raw SQL."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION incidents_incident_may_go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'contained' AND OLD.state <> 'contained' THEN
        IF EXISTS (SELECT FROM incidents_incidentstep s WHERE s.incident_id = NEW.id AND s.does = 'containment')
           AND NOT EXISTS (SELECT FROM incidents_incidentstep s WHERE s.incident_id = NEW.id
                           AND s.does = 'containment' AND s.state = 'done') THEN
            RAISE EXCEPTION 'Contained is what somebody contained: do the step of the runbook first.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.freeze_waiver = ''
           AND EXISTS (SELECT FROM incidents_incidentstep s WHERE s.incident_id = NEW.id AND s.does = 'evidence_freeze')
           AND NOT EXISTS (SELECT FROM incidents_incidentstep s WHERE s.incident_id = NEW.id
                           AND s.does = 'evidence_freeze' AND s.state = 'done') THEN
            RAISE EXCEPTION 'Freeze the evidence before it is contained, or have that waived with a reason.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    IF NEW.state = 'closed' AND OLD.state <> 'closed' THEN
        IF NOT EXISTS (SELECT FROM incidents_review r LEFT JOIN incidents_signature s ON s.id = r.signature_id
                       WHERE r.incident_id = NEW.id
                         AND (r.state = 'done' OR (r.state = 'skipped' AND s.person_id <> r.lead_id))) THEN
            RAISE EXCEPTION 'Closed is what was reviewed, or what somebody other than the lead signed needs no review.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.mode = 'real' AND EXISTS (SELECT FROM incidents_incidentclock c WHERE c.incident_id = NEW.id
                AND c.state NOT IN ('submitted', 'submitted_late', 'not_reportable')) THEN
            RAISE EXCEPTION 'Every legal clock is decided before an incident is closed.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incident_may_go_on BEFORE UPDATE OF state ON incidents_incident
    FOR EACH ROW EXECUTE FUNCTION incidents_incident_may_go_on();
ALTER TABLE incidents_incident ENABLE ALWAYS TRIGGER incident_may_go_on;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0003_response_cards")]

    operations = [migrations.RunSQL(GUARDS, "DROP FUNCTION incidents_incident_may_go_on() CASCADE")]
