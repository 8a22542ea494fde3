"""The rules of incidents in the database: one active person leads, what was written stays, nothing is emptied."""

from django.db import migrations

NUMBERS = """
CREATE SEQUENCE incidents_real_number;
CREATE SEQUENCE incidents_drill_number;
CREATE SEQUENCE incidents_test_number;
CREATE SEQUENCE incidents_exercise_number;
"""

# Two plain triggers would let one transaction appoint while another deactivates; a foreign key does not.
PEOPLE = """
ALTER TABLE incidents_incident
    ADD CONSTRAINT incident_lead_active FOREIGN KEY (lead_id, lead_must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT incident_lead_human FOREIGN KEY (lead_id, lead_must_be) REFERENCES people_person (id, kind);
ALTER TABLE incidents_responserule
    ADD CONSTRAINT response_rule_lead_active FOREIGN KEY (lead_person_id, must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT response_rule_lead_human FOREIGN KEY (lead_person_id, must_be)
        REFERENCES people_person (id, kind),
    ADD CONSTRAINT response_rule_deputy_active FOREIGN KEY (deputy_id, must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT response_rule_deputy_human FOREIGN KEY (deputy_id, must_be) REFERENCES people_person (id, kind);
"""

LEAD = """
CREATE FUNCTION incidents_check_lead() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint;
    open_lead uuid;
    named uuid;
    found text;
BEGIN
    IF TG_TABLE_NAME = 'incidents_incident' THEN checked := NEW.id; ELSE checked := NEW.incident_id; END IF;
    SELECT i.lead_id, i.state INTO named, found FROM incidents_incident i WHERE i.id = checked;
    SELECT t.person_id INTO open_lead FROM incidents_leadterm t WHERE t.incident_id = checked AND t.ended_at IS NULL;
    IF found NOT IN ('closed', 'dismissed', 'merged') AND open_lead IS DISTINCT FROM named THEN
        RAISE EXCEPTION 'An open incident has exactly one lead, and its running term names that person.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER incident_has_its_lead AFTER INSERT OR UPDATE ON incidents_incident
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_check_lead();
CREATE CONSTRAINT TRIGGER lead_term_is_the_lead AFTER INSERT OR UPDATE ON incidents_leadterm
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_check_lead();
"""

FROZEN = """
CREATE FUNCTION incidents_incident_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.number, NEW.mode, NEW.code, NEW.declared_by_id, NEW.declared_as, NEW.declared_at, NEW.via, NEW.source_id,
        NEW.card, NEW.exercise_id)
       IS DISTINCT FROM
       (OLD.number, OLD.mode, OLD.code, OLD.declared_by_id, OLD.declared_as, OLD.declared_at, OLD.via, OLD.source_id,
        OLD.card, OLD.exercise_id)
       OR (NEW.plan IS DISTINCT FROM OLD.plan AND NOT (OLD.state IN ('closed', 'dismissed') AND NEW.state <> OLD.state))
    THEN
        RAISE EXCEPTION 'Who declared an incident, when, and the plan that it began with do not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.version <= OLD.version THEN
        RAISE EXCEPTION 'Each change of an incident counts its version up.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incident_frozen BEFORE UPDATE ON incidents_incident
    FOR EACH ROW EXECUTE FUNCTION incidents_incident_frozen();
ALTER TABLE incidents_incident ENABLE ALWAYS TRIGGER incident_frozen;
CREATE FUNCTION incidents_runbook_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT v.state INTO found FROM incidents_runbookversion v
    WHERE v.id = COALESCE(NEW.version_id, OLD.version_id) FOR SHARE;
    IF found <> 'draft' THEN
        RAISE EXCEPTION 'A published runbook does not change. Write a new version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER runbook_step_frozen BEFORE INSERT OR UPDATE OR DELETE ON incidents_runbookstep
    FOR EACH ROW EXECUTE FUNCTION incidents_runbook_frozen();
ALTER TABLE incidents_runbookstep ENABLE ALWAYS TRIGGER runbook_step_frozen;
CREATE FUNCTION incidents_step_pinned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.incident_id, NEW.version_id, NEW."order", NEW.phase, NEW.does, NEW.title, NEW.instruction, NEW.required,
        NEW.evidence_required, NEW.legal_gate)
       IS DISTINCT FROM
       (OLD.incident_id, OLD.version_id, OLD."order", OLD.phase, OLD.does, OLD.title, OLD.instruction, OLD.required,
        OLD.evidence_required, OLD.legal_gate) OR OLD.state IN ('done', 'skipped') THEN
        RAISE EXCEPTION 'A runbook is pinned when the incident is declared, and what was done stays done.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- Article 73(6) of Regulation (EU) 2024/1689: nothing alters the system before the evidence is safe.
    IF NEW.state IN ('doing', 'done') AND NEW.does = 'changes_system' AND EXISTS (
        SELECT FROM incidents_incident i JOIN registry_system s ON s.id = i.system_id
        WHERE i.id = NEW.incident_id AND s.regulatory_class = 'high_risk' AND i.freeze_waiver = '')
       AND NOT EXISTS (SELECT FROM incidents_incidentstep f WHERE f.incident_id = NEW.incident_id
                       AND f.does = 'evidence_freeze' AND f.state = 'done') THEN
        RAISE EXCEPTION 'Freeze the evidence first: on a high-risk system nothing is changed before (AI Act Art. 73(6)).'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incident_step_pinned BEFORE UPDATE ON incidents_incidentstep
    FOR EACH ROW EXECUTE FUNCTION incidents_step_pinned();
ALTER TABLE incidents_incidentstep ENABLE ALWAYS TRIGGER incident_step_pinned;
ALTER TABLE incidents_signature ADD CONSTRAINT incident_signature_hash_is_of_payload
    CHECK (payload_sha256 = encode(sha256(convert_to(payload, 'UTF8')), 'hex'));
"""

# A rehearsal starts no clock, also not by raw SQL; a rule that is proposed or repealed never runs.
CLOCKS = """
CREATE FUNCTION incidents_clock_may_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state IN ('running', 'missed', 'submitted', 'submitted_late') THEN
        IF EXISTS (SELECT FROM incidents_incident i WHERE i.id = NEW.incident_id AND i.mode <> 'real') THEN
            RAISE EXCEPTION 'A drill or a test starts no legal clock.' USING ERRCODE = 'restrict_violation';
        END IF;
        IF EXISTS (SELECT FROM incidents_clockrule r WHERE r.id = NEW.rule_id
                   AND (r.status NOT IN ('in_force', 'contested') OR r.applies IS FALSE)) THEN
            RAISE EXCEPTION 'A rule that is not in force here starts no clock.' USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER clock_may_run BEFORE INSERT OR UPDATE ON incidents_incidentclock
    FOR EACH ROW EXECUTE FUNCTION incidents_clock_may_run();
ALTER TABLE incidents_incidentclock ENABLE ALWAYS TRIGGER clock_may_run;
"""

# Table -> what is said; append-only rows also refuse UPDATE.
ADDED_ONLY = {
    "timelineentry": "The timeline is only added to. Write another line that corrects it.",
    "severitychange": "Who said how bad it is stays on record.",
    "clockanchor": "When a clock started stays on record. Add a correction.",
    "signature": "A signature is for ever: it is not changed or removed.",
}
NEVER_REMOVED = {
    "incident": "An incident is never deleted. Dismiss or merge it.",
    "leadterm": "Who led stays on record.",
    "leadhandover": "A hand-over stays on record.",
    "incidentstep": "The steps of an incident stay on record.",
    "incidenttask": "The tasks of an incident stay on record.",
    "incidentfile": "The files of an incident stay on record.",
    "page": "Who was called stays on record.",
    "escalation": "How people were called stays on record.",
    "escalationplan": "A plan is ended, never deleted.",
    "responserule": "A rule is ended, never deleted.",
    "clockrule": "A version of a rule is replaced, never deleted.",
    "incidentclock": "The clocks of an incident stay on record.",
    "review": "A review stays on record.",
    "reviewaction": "What was learnt stays on record.",
    "exercise": "A drill is cancelled, never deleted.",
    "observation": "What was observed stays on record.",
    "runbook": "A runbook is retired, never deleted.",
    "inboundsource": "A source is revoked, never deleted.",
}
NEVER_EMPTIED = {
    "runbookversion": "Versions of a runbook are never emptied.",
    "runbookstep": "Steps of a runbook are never emptied.",
    "inject": "Injects are never emptied.",
}


def _refuse(table: str, events: str, level: str, message: str, name: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {events} ON incidents_{table} FOR EACH {level} "
        f"EXECUTE FUNCTION refuse_change('{message}');\n"
        f"ALTER TABLE incidents_{table} ENABLE ALWAYS TRIGGER {name};"
    )


def _guards() -> str:
    lines = []
    for table, message in (ADDED_ONLY | NEVER_REMOVED | NEVER_EMPTIED).items():
        lines.append(_refuse(table, "TRUNCATE", "STATEMENT", message, f"{table}_never_truncated"))
    for table, message in NEVER_REMOVED.items():
        lines.append(_refuse(table, "DELETE", "ROW", message, f"{table}_never_deleted"))
    for table, message in ADDED_ONLY.items():
        lines.append(_refuse(table, "UPDATE OR DELETE", "ROW", message, f"{table}_append_only"))
    return "\n".join(lines)


def _no_guards() -> str:
    lines = [
        f"DROP TRIGGER {table}_never_truncated ON incidents_{table};"
        for table in ADDED_ONLY | NEVER_REMOVED | NEVER_EMPTIED
    ]
    lines += [f"DROP TRIGGER {table}_never_deleted ON incidents_{table};" for table in NEVER_REMOVED]
    lines += [f"DROP TRIGGER {table}_append_only ON incidents_{table};" for table in ADDED_ONLY]
    return "\n".join(lines)


UNDO = """
DROP FUNCTION incidents_clock_may_run(), incidents_step_pinned(), incidents_runbook_frozen(),
    incidents_incident_frozen(), incidents_check_lead() CASCADE;
ALTER TABLE incidents_signature DROP CONSTRAINT incident_signature_hash_is_of_payload;
ALTER TABLE incidents_responserule DROP CONSTRAINT response_rule_lead_active,
    DROP CONSTRAINT response_rule_lead_human, DROP CONSTRAINT response_rule_deputy_active,
    DROP CONSTRAINT response_rule_deputy_human;
ALTER TABLE incidents_incident DROP CONSTRAINT incident_lead_active, DROP CONSTRAINT incident_lead_human;
DROP SEQUENCE incidents_real_number, incidents_drill_number, incidents_test_number, incidents_exercise_number;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_incidents")]

    operations = [
        migrations.RunSQL(
            "\n".join([NUMBERS, PEOPLE, LEAD, FROZEN, CLOCKS, _guards()]), "\n".join([_no_guards(), UNDO])
        ),
    ]
