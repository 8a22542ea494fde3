"""What is owed to people and to the record, also by raw SQL: no reminder and no day is skipped or moved.

That calling goes on is no matter of guards: one that is wrong would stop it. Its timers are watched instead.
"""

from django.db import migrations

# The moments of the reminders, as the watchman of the clocks has them. `alerted` goes on to one that was said, in the
# order of time (of four hours the last one begins before nine tenths are over), and starts anew with the anchor.
CLOCK = """
CREATE FUNCTION incidents_reminder_at(level smallint, anchor_at timestamptz, due_at timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN level IN (50, 75, 90) THEN anchor_at + (due_at - anchor_at) * (level / 100.0)
        WHEN level = 99 AND due_at - anchor_at > interval '1 hour' THEN due_at - interval '1 hour' END
$$;
-- At the end of the transaction, when what is said of it is written. Where its clock goes before the database's, the
-- message or the newest line says what time it is.
CREATE FUNCTION incidents_clock_reminded() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest timestamptz;
    given timestamptz;
    moment timestamptz;
    anew boolean;
BEGIN
    SELECT t.at INTO newest FROM incidents_timelineentry t WHERE t.incident_id = NEW.incident_id
    ORDER BY t.at DESC, t.id DESC LIMIT 1;
    IF NEW.state = 'missed' AND OLD.state <> 'missed' AND NOT COALESCE(GREATEST(newest, now()) > NEW.due_at, false) THEN
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
    IF NEW.state IN ('not_assessed', 'assessing') AND NEW.alerted = 1 AND GREATEST(newest, now()) > NEW.assess_by THEN
        RETURN NULL;
    END IF;
    moment := incidents_reminder_at(NEW.alerted, NEW.anchor_at, NEW.due_at);
    SELECT m.created_at INTO given FROM notify_message m WHERE m.recipient_id = NEW.decides_id
      AND m.key = format('clock:%s:%s:%s:%s', NEW.id, to_char(NEW.due_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'),
                         NEW.alerted, NEW.decides_id);
    IF NEW.state <> 'running' OR NOT COALESCE(moment <= GREATEST(given, newest, now()), false) THEN
        RAISE EXCEPTION 'Who decides is reminded when the time has come.'
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


FORWARD = "\n".join([CLOCK, REVIEW, TIMELINE, *(_guard(name, *where) for name, where in GUARDS.items())])
BACKWARD = """
DROP TRIGGER clock_unreminded ON incidents_incidentclock;
DROP FUNCTION incidents_clock_reminded(), incidents_reminder_at(smallint, timestamptz, timestamptz),
    incidents_review_timed(), incidents_review_begun(), incidents_timeline_corrects()
    CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0020_timers_kept"), ("notify", "0006_what_was_said_stays")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
