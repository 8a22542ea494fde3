"""The timers of incidents, also by raw SQL: no deadline is moved, no calling falls silent, no duty gets lost."""

from django.db import migrations

# Half an hour to say how bad it is, four hours at most before somebody says again that they have it, a day between
# two steps of a plan: the longest that the verbs set.
INCIDENT = """
CREATE FUNCTION incidents_incident_timed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.classify_by > NEW.declared_at + interval '30 minutes' THEN
            RAISE EXCEPTION 'How bad it is is said within 30 minutes.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.classify_by <> OLD.classify_by AND NEW.reopened = OLD.reopened THEN
        RAISE EXCEPTION 'The time for saying how bad it is stays, unless the incident is opened again.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.classified_at IS NOT NULL AND NEW.classified_at IS DISTINCT FROM OLD.classified_at
       OR OLD.lead_accepted_at IS NOT NULL AND NEW.lead_accepted_at IS DISTINCT FROM OLD.lead_accepted_at
       OR OLD.active_at IS NOT NULL AND NEW.active_at IS DISTINCT FROM OLD.active_at
       OR OLD.contained_at IS NOT NULL AND NEW.contained_at IS DISTINCT FROM OLD.contained_at
       OR (NEW.resolved_at, NEW.resolution) IS DISTINCT FROM (OLD.resolved_at, OLD.resolution)
           AND NOT (NEW.state = 'resolved' AND OLD.state <> 'resolved') THEN
        RAISE EXCEPTION 'When it was taken, classified, contained and resolved stays on record.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'merged' AND OLD.state <> 'merged' AND NOT EXISTS (
           SELECT FROM incidents_incident i WHERE i.id = NEW.merged_into_id AND i.mode = NEW.mode
             AND i.state NOT IN ('closed', 'dismissed', 'merged')) THEN
        RAISE EXCEPTION 'An incident is merged into one of its kind that goes on.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

CALLING = """
CREATE FUNCTION incidents_escalation_timed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'running' AND NEW.state = 'running'
       AND (NEW.round, NEW.lap, NEW.step) = (OLD.round, OLD.lap, OLD.step) AND NEW.due_at > OLD.due_at THEN
        RAISE EXCEPTION 'Whoever is next is not called later than they were to be.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- At the end of the transaction, however it came about.
CREATE FUNCTION incidents_calling_holds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint;
    calling incidents_escalation;
    stands record;
    newest timestamptz;
BEGIN
    IF TG_TABLE_NAME = 'incidents_incident' THEN checked := NEW.id; ELSE checked := NEW.incident_id; END IF;
    SELECT * INTO calling FROM incidents_escalation e WHERE e.incident_id = checked;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT i.state IN ('reported', 'triage', 'active', 'contained') AS live, i.severity, i.lead_id, t.accepted_at
    INTO stands FROM incidents_incident i
    LEFT JOIN incidents_leadterm t ON t.incident_id = i.id AND t.ended_at IS NULL WHERE i.id = checked;
    IF stands.live = (calling.state = 'stopped') THEN
        RAISE EXCEPTION 'People are called while an incident goes on, and nobody is once it is over.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF calling.state = 'acked' AND (calling.acked_by_id <> stands.lead_id OR stands.accepted_at IS NULL) THEN
        RAISE EXCEPTION 'Nobody is called any more where the one who leads took it, and nowhere else.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT t.at INTO newest FROM incidents_timelineentry t WHERE t.incident_id = checked
    ORDER BY t.at DESC, t.id DESC LIMIT 1;
    IF calling.state = 'acked' AND (
           calling.ack_until IS NULL AND stands.severity IN ('unclassified', 'sev1', 'sev2')
           OR calling.ack_until > GREATEST(calling.acked_at, newest) + interval '4 hours')
       OR calling.state = 'running' AND calling.due_at > GREATEST(calling.began_at, newest) + interval '1 day' THEN
        RAISE EXCEPTION 'Who has it is asked again, and who is next is called: neither is put off for longer.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER calling_holds AFTER INSERT OR UPDATE ON incidents_escalation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_calling_holds();
CREATE CONSTRAINT TRIGGER incident_calls AFTER UPDATE OF state, severity, lead_id ON incidents_incident
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_calling_holds();
CREATE CONSTRAINT TRIGGER lead_term_calls AFTER INSERT OR UPDATE ON incidents_leadterm
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_calling_holds();
ALTER TABLE incidents_escalation ENABLE ALWAYS TRIGGER calling_holds;
ALTER TABLE incidents_incident ENABLE ALWAYS TRIGGER incident_calls;
ALTER TABLE incidents_leadterm ENABLE ALWAYS TRIGGER lead_term_calls;
"""

# A number of days is never later than so many days, the holidays beside them, and the way to the next working day.
# What a transaction added itself is younger than it: a savepoint has a later number than its transaction.
CLOCK = """
CREATE FUNCTION incidents_clock_timed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rule incidents_clockrule;
    longest interval;
BEGIN
    IF NEW.assess_by IS DISTINCT FROM OLD.assess_by THEN
        RAISE EXCEPTION 'Until when a duty is assessed stays.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.anchor_at IS NULL
       OR (NEW.anchor_at, NEW.due_at) IS NOT DISTINCT FROM (OLD.anchor_at, OLD.due_at) THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT FROM incidents_clockanchor a
                   WHERE a.clock_id = NEW.id AND age(a.xmin) <= age(pg_current_xact_id()::xid)) THEN
        RAISE EXCEPTION 'A deadline starts at a moment that is on record: say when, and why.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT * INTO rule FROM incidents_clockrule r WHERE r.id = NEW.rule_id;
    longest := CASE rule.unit WHEN 'h' THEN make_interval(hours => rule.amount)
        WHEN 'cal_day' THEN make_interval(days => rule.amount + 15)
        WHEN 'bus_day' THEN make_interval(days => 2 * rule.amount + 15)
        WHEN 'month' THEN make_interval(days => 31 * rule.amount + 15) END;
    IF NEW.due_at < NEW.anchor_at OR NEW.due_at > NEW.anchor_at + longest THEN
        RAISE EXCEPTION 'A deadline is no later than the rule has it.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_clock_rule_followed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM incidents_clockrule r WHERE r.key = NEW.key AND r.version = NEW.version + 1) THEN
        RAISE EXCEPTION 'A rule is replaced by its next version, and never by nothing.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER clock_rule_followed AFTER INSERT OR UPDATE ON incidents_clockrule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.replaced_at IS NOT NULL)
    EXECUTE FUNCTION incidents_clock_rule_followed();
ALTER TABLE incidents_clockrule ENABLE ALWAYS TRIGGER clock_rule_followed;
"""

# Whatever is pinned to an incident from here can be read, and each of its steps calls somebody.
PLAN = """
CREATE FUNCTION incidents_steps_call(steps jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_typeof(steps) = 'array' AND NOT EXISTS (
        SELECT FROM jsonb_path_query(steps, '$[*]') AS s(step)
        WHERE NOT COALESCE(step @@ '$.after >= 0 && $.after <= 1440', false)
           OR NOT COALESCE(step @@ '$.targets.type() == "array" && $.targets.size() > 0', false)
           OR EXISTS (SELECT FROM jsonb_path_query(step, '$.targets[*]') AS t(aim) WHERE NOT COALESCE(
               CASE aim ->> 'kind' WHEN 'person' THEN aim ->> 'person' ~ '^[0-9a-fA-F-]{32,36}$'
                   WHEN 'seat' THEN aim ->> 'seat' <> ''
                   ELSE aim ->> 'kind' IN ('lead', 'deputy', 'owner', 'manager', 'function_head') END, false)))
$$;
ALTER TABLE incidents_escalationplan ADD CONSTRAINT plan_can_be_called CHECK (incidents_steps_call(steps));
"""

GUARDS = {
    "incident_timed": ("incident", "INSERT OR UPDATE"),
    "escalation_timed": ("escalation", "UPDATE"),
    "clock_timed": ("incidentclock", "UPDATE"),
}


def _guard(name: str, table: str, events: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {events} ON incidents_{table}\n"
        f"    FOR EACH ROW EXECUTE FUNCTION incidents_{name}();\n"
        f"ALTER TABLE incidents_{table} ENABLE ALWAYS TRIGGER {name};"
    )


FORWARD = "\n".join([INCIDENT, CALLING, CLOCK, PLAN, *(_guard(name, *where) for name, where in GUARDS.items())])
BACKWARD = """
ALTER TABLE incidents_escalationplan DROP CONSTRAINT plan_can_be_called;
DROP FUNCTION incidents_incident_timed(), incidents_escalation_timed(), incidents_calling_holds(),
    incidents_clock_timed(), incidents_clock_rule_followed(), incidents_steps_call(jsonb) CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0019_who_was_called")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
