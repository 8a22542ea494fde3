"""Calling, held by the database: nobody is called once somebody has it; what ran is not run again; plans stay as set.

With the plan that comes with the portal, as the organisation's.
"""

import json

from django.db import migrations, models

GUARDS = """
CREATE FUNCTION incidents_page_may_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    -- Shared with whoever answers: a page that comes after "I take it" sees that, and one before it is withdrawn.
    SELECT e.state, e.round INTO found FROM incidents_escalation e WHERE e.incident_id = NEW.incident_id FOR SHARE;
    IF found.state IS DISTINCT FROM 'running' OR found.round IS DISTINCT FROM NEW.round::int THEN
        RAISE EXCEPTION 'Nobody is called while somebody has it, once it is over, or by a round that is past.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER page_may_call BEFORE INSERT ON incidents_page
    FOR EACH ROW EXECUTE FUNCTION incidents_page_may_call();
ALTER TABLE incidents_page ENABLE ALWAYS TRIGGER page_may_call;

CREATE FUNCTION incidents_page_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.incident_id, NEW.round, NEW.lap, NEW.step, NEW.person_id, NEW.target, NEW.queued_at)
       IS DISTINCT FROM (OLD.incident_id, OLD.round, OLD.lap, OLD.step, OLD.person_id, OLD.target, OLD.queued_at)
       OR (OLD.sent_at IS NOT NULL AND NEW.sent_at IS DISTINCT FROM OLD.sent_at)
       OR (OLD.channels <> '[]'::jsonb AND NEW.channels IS DISTINCT FROM OLD.channels)
       OR (OLD.answered_at IS NOT NULL AND (NEW.answered_at, NEW.answered_by_id, NEW.answered_by_way, NEW.reason)
           IS DISTINCT FROM (OLD.answered_at, OLD.answered_by_id, OLD.answered_by_way, OLD.reason)) THEN
        RAISE EXCEPTION 'Who was called, when, and what they answered does not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER page_frozen BEFORE UPDATE ON incidents_page
    FOR EACH ROW EXECUTE FUNCTION incidents_page_frozen();
ALTER TABLE incidents_page ENABLE ALWAYS TRIGGER page_frozen;

CREATE FUNCTION incidents_escalation_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.began_at IS DISTINCT FROM OLD.began_at OR NEW.round < OLD.round
       OR (NEW.round = OLD.round AND (NEW.lap, NEW.step) < (OLD.lap, OLD.step)) THEN
        RAISE EXCEPTION 'Calling goes on or begins again in a new round. It never goes back.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.first_ack_at IS NOT NULL AND NEW.first_ack_at IS DISTINCT FROM OLD.first_ack_at)
       OR (OLD.first_page_at IS NOT NULL AND NEW.first_page_at IS DISTINCT FROM OLD.first_page_at) THEN
        RAISE EXCEPTION 'The first call and the first answer stay on record: times are measured by them.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'acked' AND NOT EXISTS (SELECT FROM people_person p WHERE p.id = NEW.acked_by_id
                                           AND p.kind = 'human') THEN
        RAISE EXCEPTION 'A human has it, or nobody.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER escalation_goes_on BEFORE UPDATE ON incidents_escalation
    FOR EACH ROW EXECUTE FUNCTION incidents_escalation_goes_on();
ALTER TABLE incidents_escalation ENABLE ALWAYS TRIGGER escalation_goes_on;

CREATE FUNCTION incidents_plan_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.valid_to IS NOT NULL
       OR (to_jsonb(NEW) - 'valid_to') IS DISTINCT FROM (to_jsonb(OLD) - 'valid_to') THEN
        RAISE EXCEPTION 'A plan does not change. End it and set another one.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER escalationplan_frozen BEFORE UPDATE ON incidents_escalationplan
    FOR EACH ROW EXECUTE FUNCTION incidents_plan_frozen();
ALTER TABLE incidents_escalationplan ENABLE ALWAYS TRIGGER escalationplan_frozen;
"""
UNDO = """
DROP FUNCTION incidents_page_may_call(), incidents_page_frozen(), incidents_escalation_goes_on(),
    incidents_plan_frozen() CASCADE;
"""

# As it was when the portal came: what the code proposes later is not what this organisation began with.
FIRST_PLAN = (
    {"after": 0, "targets": [{"kind": "lead"}], "channels": 2},
    {"after": 5, "targets": [{"kind": "deputy"}], "channels": 2},
    {"after": 10, "targets": [{"kind": "lead"}, {"kind": "deputy"}], "channels": 0},
    {"after": 15, "targets": [{"kind": "function_head"}], "channels": 2},
    {"after": 30, "targets": [{"kind": "seat", "seat": "ciso"}, {"kind": "seat", "seat": "ai_lead"}], "channels": 2},
    {"after": 60, "targets": [{"kind": "seat", "seat": "legal"}], "channels": 2},
)
SEED = """
INSERT INTO incidents_escalationplan (name, scenario, system_id, unit_id, steps, repeat, reason, set_by_id, valid_from)
SELECT 'Default plan', '', NULL, NULL, %s::jsonb, 1, 'It came with the portal.', NULL,
    '2026-01-01T00:00:00Z'
WHERE NOT EXISTS (SELECT FROM incidents_escalationplan p
                  WHERE p.valid_to IS NULL AND p.scenario = '' AND p.system_id IS NULL AND p.unit_id IS NULL)
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0011_learning_rules")]

    operations = [
        migrations.AddIndex(
            "page",
            models.Index("queued_at", condition=models.Q(("state", "queued")), name="page_queued"),
        ),
        migrations.RunSQL(GUARDS, UNDO),
        migrations.RunSQL([(SEED, [json.dumps(FIRST_PLAN)])], migrations.RunSQL.noop),
    ]
