"""What is owed to people and to the record, also by raw SQL: no reminder, call or day is skipped or moved."""

from django.db import migrations

# The moments of the reminders, as the watchman of the clocks has them. `alerted` goes on to one that was said, in the
# order of time (of four hours the last one begins before nine tenths are over), and starts anew with the anchor.
CLOCK = """
CREATE FUNCTION incidents_reminder_at(level smallint, anchor_at timestamptz, due_at timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN level IN (50, 75, 90) THEN anchor_at + (due_at - anchor_at) * (level / 100.0)
        WHEN level = 99 AND due_at - anchor_at > interval '1 hour' THEN due_at - interval '1 hour' END
$$;
-- At the end of the transaction, when what is said of it is written: a message to who decides, or a line.
CREATE FUNCTION incidents_clock_reminded() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest timestamptz;
    given timestamptz;
    moment timestamptz;
    anew boolean;
BEGIN
    SELECT t.at INTO newest FROM incidents_timelineentry t WHERE t.incident_id = NEW.incident_id
    ORDER BY t.at DESC, t.id DESC LIMIT 1;
    IF NEW.state = 'missed' AND OLD.state <> 'missed' AND NOT COALESCE(newest > NEW.due_at, false) THEN
        RAISE EXCEPTION 'A deadline is missed once it has passed.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    anew := (NEW.anchor_at, NEW.due_at) IS DISTINCT FROM (OLD.anchor_at, OLD.due_at);
    IF NEW.alerted = OLD.alerted AND (NEW.alerted = 0 OR NOT anew) OR NEW.state = 'missed' AND NEW.alerted = 100 THEN
        RETURN NULL;
    END IF;
    IF NEW.alerted = 0 OR NEW.state = 'running' AND NOT anew
           AND (incidents_reminder_at(NEW.alerted, NEW.anchor_at, NEW.due_at), NEW.alerted)
             < (incidents_reminder_at(OLD.alerted, OLD.anchor_at, OLD.due_at), OLD.alerted) THEN
        IF EXISTS (SELECT FROM incidents_clockanchor a
                   WHERE a.clock_id = NEW.id AND age(a.xmin) <= age(pg_current_xact_id()::xid)) THEN
            RETURN NULL;
        END IF;
        RAISE EXCEPTION 'A reminder that was given stays given, unless the deadline starts anew.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state IN ('not_assessed', 'assessing') AND NEW.alerted = 1 AND newest > NEW.assess_by THEN
        RETURN NULL;
    END IF;
    moment := incidents_reminder_at(NEW.alerted, NEW.anchor_at, NEW.due_at);
    SELECT m.created_at INTO given FROM notify_message m WHERE m.recipient_id = NEW.decides_id
      AND m.key = format('clock:%s:%s:%s:%s', NEW.id, to_char(NEW.due_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'),
                         NEW.alerted, NEW.decides_id);
    IF NEW.state <> 'running' OR given IS NULL OR NOT COALESCE(moment <= GREATEST(given, newest, now()), false) THEN
        RAISE EXCEPTION 'Who decides is reminded when the time has come, and only what was said was said.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER clock_reminded AFTER UPDATE ON incidents_incidentclock
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (
        (NEW.alerted, NEW.state, NEW.anchor_at, NEW.due_at) IS DISTINCT FROM
        (OLD.alerted, OLD.state, OLD.anchor_at, OLD.due_at))
    EXECUTE FUNCTION incidents_clock_reminded();
ALTER TABLE incidents_incidentclock ENABLE ALWAYS TRIGGER clock_reminded;
CREATE TRIGGER clock_unreminded BEFORE INSERT ON incidents_incidentclock FOR EACH ROW WHEN (NEW.alerted <> 0)
    EXECUTE FUNCTION refuse_change('Nobody was reminded of a clock before it was there.');
ALTER TABLE incidents_incidentclock ENABLE ALWAYS TRIGGER clock_unreminded;
"""

# Step after step is called, or calls nobody, as often as the plan begins again. At its end it is after the last one, or
# where since the last call no step at all calls anybody; then the holder of the mandate is called. A plan that can't be
# read runs as the portal's own, and is not counted here.
CALLING = """
CREATE FUNCTION incidents_calling_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    calling incidents_escalation;
    plan jsonb;
    steps integer;
    laps integer;
    last_call timestamptz;
BEGIN
    SELECT * INTO calling FROM incidents_escalation e WHERE e.incident_id = NEW.incident_id;
    IF calling.state = 'exhausted'
       AND EXISTS (SELECT FROM people_seat s JOIN registry_mandate m ON m.holder_id = s.function_id
                   WHERE s.holder_id IS NOT NULL)
       AND NOT EXISTS (SELECT FROM incidents_page p WHERE p.incident_id = calling.incident_id
                       AND (p.round, p.lap, p.step) = (calling.round, calling.lap, calling.step)) THEN
        RAISE EXCEPTION 'Where nobody answered, who holds the mandate is called.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT i.plan INTO plan FROM incidents_incident i WHERE i.id = calling.incident_id;
    IF NOT COALESCE(plan ?& '{plan,name,scope,steps,repeat}' AND plan ->> 'repeat' ~ '^[0-9]{1,4}$'
                    AND incidents_steps_call(plan -> 'steps') AND plan -> 'steps' <> '[]', false) THEN
        RETURN NULL;
    END IF;
    steps := jsonb_array_length(plan -> 'steps');
    laps := LEAST((plan ->> 'repeat')::integer, 3) + 1;
    SELECT max(p.queued_at) INTO last_call FROM incidents_page p
    WHERE p.incident_id = calling.incident_id AND p.round = calling.round
      AND (p.lap, p.step) < (calling.lap, calling.step);
    IF calling.step >= steps OR calling.lap > laps OR EXISTS (
        SELECT FROM generate_series(0, laps - 1) AS l(lap), generate_series(0, steps - 1) AS s(step),
            LATERAL (SELECT (l.lap, s.step) < (calling.lap, calling.step) AS past) AS place
        WHERE (place.past OR calling.state = 'exhausted')
          AND NOT (place.past AND EXISTS (SELECT FROM incidents_page p WHERE p.incident_id = calling.incident_id
                   AND (p.round, p.lap, p.step) = (calling.round, l.lap, s.step)))
          AND NOT EXISTS (SELECT FROM incidents_timelineentry t WHERE t.incident_id = calling.incident_id
                AND t.person_id IS NULL
                AND t.text = format('Step %s of the plan was skipped: nobody can be called.', s.step + 1)
                AND (place.past OR last_call IS NULL OR t.at >= last_call))) THEN
        RAISE EXCEPTION 'Nobody is passed over: each step of the plan is called before the next one, to its end.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER calling_steps AFTER UPDATE ON incidents_escalation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (
        NEW.state = 'exhausted' AND OLD.state <> 'exhausted'
        OR (NEW.round, NEW.lap, NEW.step) <> (OLD.round, OLD.lap, OLD.step))
    EXECUTE FUNCTION incidents_calling_steps();
ALTER TABLE incidents_escalation ENABLE ALWAYS TRIGGER calling_steps;
"""

# Five working days, the holidays and weekends beside them. Nobody moves it: it begins anew where the incident was
# opened again and resolved again.
REVIEW = """
CREATE FUNCTION incidents_review_timed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.due_on, NEW.opened_at) IS NOT DISTINCT FROM (OLD.due_on, OLD.opened_at) THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.opened_at < OLD.opened_at OR NOT EXISTS (
           SELECT FROM incidents_incident i WHERE i.id = NEW.incident_id AND i.state = 'resolved')) THEN
        RAISE EXCEPTION 'The day of a review stays, unless its incident was opened again and resolved.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.due_on NOT BETWEEN (NEW.opened_at AT TIME ZONE 'UTC')::date
                      AND (NEW.opened_at AT TIME ZONE 'UTC')::date + 25 THEN
        RAISE EXCEPTION 'A review is due five working days after it began.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- At the end of the transaction: it begins at a moment of its incident.
CREATE FUNCTION incidents_review_begun() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM incidents_timelineentry t
                   WHERE t.incident_id = NEW.incident_id AND t.at >= NEW.opened_at) THEN
        RAISE EXCEPTION 'A review begins when the timeline says so.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER review_begun AFTER INSERT OR UPDATE OF opened_at ON incidents_review
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_review_begun();
ALTER TABLE incidents_review ENABLE ALWAYS TRIGGER review_begun;
"""

TIMELINE = """
CREATE FUNCTION incidents_timeline_corrects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.corrects_id IS NOT NULL AND NOT EXISTS (SELECT FROM incidents_timelineentry t
            WHERE t.id = NEW.corrects_id AND t.incident_id = NEW.incident_id) THEN
        RAISE EXCEPTION 'A line corrects an earlier one of the same incident.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

GUARDS = {
    "review_timed": ("review", "INSERT OR UPDATE"),
    "timeline_corrects": ("timelineentry", "INSERT"),
}


def _guard(name: str, table: str, events: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {events} ON incidents_{table}\n"
        f"    FOR EACH ROW EXECUTE FUNCTION incidents_{name}();\n"
        f"ALTER TABLE incidents_{table} ENABLE ALWAYS TRIGGER {name};"
    )


FORWARD = "\n".join([CLOCK, CALLING, REVIEW, TIMELINE, *(_guard(name, *where) for name, where in GUARDS.items())])
BACKWARD = """
DROP TRIGGER clock_unreminded ON incidents_incidentclock;
DROP FUNCTION incidents_clock_reminded(), incidents_reminder_at(smallint, timestamptz, timestamptz),
    incidents_calling_steps(), incidents_review_timed(), incidents_review_begun(), incidents_timeline_corrects()
    CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0020_timers_kept"), ("notify", "0006_what_was_said_stays")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
