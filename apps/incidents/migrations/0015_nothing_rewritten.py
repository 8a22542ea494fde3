"""How a row of incidents begins and what of it never changes, also by raw SQL; who may call what runs as the owner."""

from django.db import migrations


def _guard(table: str, name: str, events: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {events} ON incidents_{table}\n"
        f"    FOR EACH ROW EXECUTE FUNCTION incidents_{name}();\n"
        f"ALTER TABLE incidents_{table} ENABLE ALWAYS TRIGGER {name};"
    )


# Whatever is declared begins at the beginning; what it began with stays, and what is over does not change.
INCIDENT = """
CREATE FUNCTION incidents_incident_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.state, NEW.version, NEW.reopened) IS DISTINCT FROM ('reported'::varchar, 1, 0::smallint)
       OR num_nonnulls(NEW.lead_accepted_at, NEW.active_at, NEW.contained_at, NEW.resolved_at, NEW.closed_at,
           NEW.dismissed_at, NEW.merged_into_id, NEW.merged_at, NEW.freeze_waived_by_id) > 0
       OR (NEW.resolution, NEW.freeze_waiver, NEW.dismissed_because, NEW.dismissal_note) IS DISTINCT FROM
           (''::text, ''::varchar, ''::varchar, ''::varchar)
       OR NEW.classified_at IS DISTINCT FROM NEW.declared_at AND NEW.classified_at IS NOT NULL
       OR NEW.classify_by < NEW.declared_at THEN
        RAISE EXCEPTION 'An incident begins as reported, by who declares it. All else follows.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_incident_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.form_token, NEW.dedup_key, NEW.owner_id, NEW.basis, NEW.is_fallback, NEW.rule_id, NEW.description,
        NEW.about) IS DISTINCT FROM (OLD.form_token, OLD.dedup_key, OLD.owner_id, OLD.basis, OLD.is_fallback,
        OLD.rule_id, OLD.description, OLD.about) THEN
        RAISE EXCEPTION 'What was said when an incident was declared, and who led by which rule, does not change.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('closed', 'dismissed', 'merged') AND NEW.state = OLD.state
       AND to_jsonb(NEW) - '{version,lead_must_be_active,lead_must_be,restricted}'::text[]
       IS DISTINCT FROM to_jsonb(OLD) - '{version,lead_must_be_active,lead_must_be,restricted}'::text[] THEN
        RAISE EXCEPTION 'What is over does not change. Open it again first.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.state IN ('contained', 'resolved', 'in_review', 'closed') AND NEW.state = 'active'
        OR OLD.state = 'dismissed' AND NEW.state = 'triage') AND NEW.reopened <> OLD.reopened + 1
       OR NEW.reopened < OLD.reopened THEN
        RAISE EXCEPTION 'How often an incident was opened again is counted.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- At the end of the transaction: how bad it is was said by somebody, or by the time that was over.
CREATE FUNCTION incidents_severity_is_said() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stands text;
BEGIN
    SELECT i.severity INTO stands FROM incidents_incident i WHERE i.id = NEW.id;
    IF stands IS DISTINCT FROM COALESCE((SELECT c.after FROM incidents_severitychange c WHERE c.incident_id = NEW.id
                                         ORDER BY c.id DESC LIMIT 1), 'unclassified') THEN
        RAISE EXCEPTION 'How bad it is stands on record, with who said so and why.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER severity_is_said AFTER INSERT OR UPDATE OF severity ON incidents_incident
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_severity_is_said();
ALTER TABLE incidents_incident ENABLE ALWAYS TRIGGER severity_is_said;
"""

# Who led, who was asked, who does what: answered once.
PEOPLE = """
CREATE FUNCTION incidents_leadterm_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'Who leads begins to, before it ends.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.incident_id, NEW.person_id, NEW.basis, NEW.proposed_at) IS DISTINCT FROM
       (OLD.incident_id, OLD.person_id, OLD.basis, OLD.proposed_at)
       OR (OLD.accepted_at IS NOT NULL AND (NEW.accepted_at, NEW.accepted_by_id) IS DISTINCT FROM
           (OLD.accepted_at, OLD.accepted_by_id))
       OR (OLD.ended_at IS NOT NULL AND NEW IS DISTINCT FROM OLD) THEN
        RAISE EXCEPTION 'Who led, from when to when and why, stays on record.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_leadhandover_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'asked' THEN
            RAISE EXCEPTION 'Somebody is asked before they answer.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.incident_id, NEW.outgoing_id, NEW.incoming_id, NEW.briefing, NEW.asked_at) IS DISTINCT FROM
       (OLD.incident_id, OLD.outgoing_id, OLD.incoming_id, OLD.briefing, OLD.asked_at)
       OR (OLD.state <> 'asked' AND NEW IS DISTINCT FROM OLD) THEN
        RAISE EXCEPTION 'Who was asked to take over, and what they answered, stays on record.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_incidenttask_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.done_at IS NOT NULL THEN
            RAISE EXCEPTION 'A task is set before it is done.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.incident_id, NEW.what, NEW.set_by_id, NEW.set_at) IS DISTINCT FROM
       (OLD.incident_id, OLD.what, OLD.set_by_id, OLD.set_at)
       OR (OLD.done_at IS NOT NULL AND NEW IS DISTINCT FROM OLD) THEN
        RAISE EXCEPTION 'What was asked of somebody, and what came of it, stays on record.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# Calling begins by calling; it stops only with the incident.
CALLING = """
CREATE FUNCTION incidents_escalation_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND ((NEW.state, NEW.round, NEW.lap, NEW.step) IS DISTINCT FROM
           ('running'::varchar, 1::smallint, 0::smallint, 0::smallint)
           OR num_nonnulls(NEW.acked_by_id, NEW.acked_at, NEW.ack_until, NEW.first_page_at, NEW.first_ack_at) > 0) THEN
        RAISE EXCEPTION 'Calling begins with the first step.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.incident_id <> OLD.incident_id THEN
        RAISE EXCEPTION 'How people were called stays on record.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'stopped' AND (TG_OP = 'INSERT' OR OLD.state <> 'stopped') AND EXISTS (
           SELECT FROM incidents_incident i WHERE i.id = NEW.incident_id
             AND i.state IN ('reported', 'triage', 'active', 'contained')) THEN
        RAISE EXCEPTION 'Calling stops when the incident is over, or when somebody takes it.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'stopped' AND NEW.state <> 'stopped' AND NEW.round = OLD.round THEN
        RAISE EXCEPTION 'Calling that was stopped begins again in a new round.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_page_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'queued' OR NEW.answered_by_way <> '' OR NEW.reason <> ''
       OR num_nonnulls(NEW.sent_at, NEW.answered_at, NEW.answered_by_id) > 0 THEN
        RAISE EXCEPTION 'A call goes out before it is answered.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_step_starts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'todo' OR NEW.evidence <> ''
       OR num_nonnulls(NEW.started_by_id, NEW.started_at, NEW.done_by_id, NEW.done_at, NEW.agreed_by_id) > 0 THEN
        RAISE EXCEPTION 'A step is to do before it is done.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

CLOCK = """
CREATE FUNCTION incidents_clock_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'not_assessed' OR num_nonnulls(NEW.anchor_at, NEW.due_at, NEW.decided_by_id, NEW.decided_at,
               NEW.signature_id, NEW.submitted_at, NEW.submitted_by_id) > 0 THEN
            RAISE EXCEPTION 'Whether a rule applies is assessed before anything is said of it.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state = 'not_reportable' AND OLD.state = 'not_reportable'
       AND (NEW.decision, NEW.decided_by_id, NEW.decided_at, NEW.signature_id) IS DISTINCT FROM
           (OLD.decision, OLD.decided_by_id, OLD.decided_at, OLD.signature_id) THEN
        RAISE EXCEPTION 'A signed decision not to report does not change. Later facts start the clock.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'not_reportable' AND NOT EXISTS (
           SELECT FROM incidents_signature s JOIN incidents_clockrule r ON r.id = NEW.rule_id
           WHERE s.id = NEW.signature_id AND s.person_id = NEW.decided_by_id
             AND s.payload::jsonb @? format('$.rules[*] ? (@.key == %s && @.version == %s)',
                                            to_json(r.key), r.version)::jsonpath) THEN
        RAISE EXCEPTION 'A decision not to report is signed for this incident and this rule, by who decided.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# What is signed names who signed, as which kind, under which words, and about what; only an active human signs.
SIGNED = """
CREATE FUNCTION incidents_signature_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said jsonb;
    code text;
BEGIN
    IF NOT EXISTS (SELECT FROM people_person p WHERE p.id = NEW.person_id AND p.is_active AND p.kind = 'human') THEN
        RAISE EXCEPTION 'An active person signs, and nobody else.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT NEW.payload IS JSON OBJECT THEN
        RAISE EXCEPTION 'What is signed can be read on its own.' USING ERRCODE = 'restrict_violation';
    END IF;
    said := NEW.payload::jsonb;
    SELECT i.code INTO code FROM incidents_incident i WHERE i.id = NEW.incident_id;
    IF NEW.exercise_id IS NOT NULL THEN
        SELECT e.code INTO code FROM incidents_exercise e WHERE e.id = NEW.exercise_id;
    END IF;
    IF (said ->> 'kind', said ->> 'statement', said #>> '{signer,id}', said #>> '{signer,name}',
        said #>> '{auth,method}', COALESCE(said ->> 'about', said #>> '{incident,code}')) IS DISTINCT FROM
       (NEW.kind::text, NEW.statement, NEW.person_id::text, NEW.signer_name::text, NEW.method::text, code) THEN
        RAISE EXCEPTION 'A signature says itself who signed what, under which words.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_review_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.incident_id <> OLD.incident_id THEN
        RAISE EXCEPTION 'A review stays with its incident.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'open' AND NEW.state = 'open' AND NOT EXISTS (
           SELECT FROM incidents_incident i WHERE i.id = NEW.incident_id AND i.state = 'resolved') THEN
        RAISE EXCEPTION 'A review begins anew once its incident was opened again and resolved.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- The signature of an earlier review of the same incident does not stand for this one.
    IF NEW.state <> 'open' AND OLD.state = 'open' AND NOT EXISTS (
           SELECT FROM incidents_signature s JOIN incidents_incident i ON i.id = NEW.incident_id
           WHERE s.id = NEW.signature_id AND (s.payload::jsonb #>> '{incident,version}') = i.version::text) THEN
        RAISE EXCEPTION 'A review is signed as its incident stands now.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

DRILLS = """
CREATE FUNCTION incidents_exercise_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.state, NEW.version, NEW.outcome) IS DISTINCT FROM ('planned'::varchar, 1, ''::varchar)
       OR num_nonnulls(NEW.started_at, NEW.ended_at, NEW.decision_at, NEW.draft_at, NEW.signature_id,
           NEW.closed_at) > 0 THEN
        RAISE EXCEPTION 'A drill is planned before it runs.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_exercise_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('closed', 'cancelled')
       AND to_jsonb(NEW) - 'version' IS DISTINCT FROM to_jsonb(OLD) - 'version' THEN
        RAISE EXCEPTION 'A drill that is over does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION incidents_exercise_systems_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (SELECT FROM incidents_exercise e
            WHERE e.id = COALESCE(NEW.exercise_id, OLD.exercise_id) AND e.state NOT IN ('planned', 'ready')) THEN
        RAISE EXCEPTION 'Which systems a drill is about does not change once it started.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE FUNCTION incidents_inject_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.given_at IS NOT NULL OR EXISTS (SELECT FROM incidents_exercise e WHERE e.id = OLD.exercise_id
                                               AND e.state NOT IN ('planned', 'ready')) THEN
            RAISE EXCEPTION 'What a drill told stays on record.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF num_nonnulls(NEW.given_at, NEW.answered_at) > 0 OR EXISTS (SELECT FROM incidents_exercise e
                WHERE e.id = NEW.exercise_id AND e.state NOT IN ('planned', 'ready', 'running')) THEN
            RAISE EXCEPTION 'What a drill tells is written before it is told.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.exercise_id, NEW."order", NEW.offset_minutes, NEW.text, NEW.expected_action, NEW.expected_person_id)
       IS DISTINCT FROM
       (OLD.exercise_id, OLD."order", OLD.offset_minutes, OLD.text, OLD.expected_action, OLD.expected_person_id)
       OR (OLD.given_at IS NOT NULL AND NEW.given_at IS DISTINCT FROM OLD.given_at)
       OR (OLD.answered_at IS NOT NULL AND NEW IS DISTINCT FROM OLD) THEN
        RAISE EXCEPTION 'What a drill told, and the first answer, stays on record.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# Generated columns are worked out after this.
RULES = """
CREATE FUNCTION incidents_response_rule_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.valid_to IS NOT NULL
       OR to_jsonb(NEW) - '{valid_to,ended_by_id,must_be_active,must_be}'::text[]
       IS DISTINCT FROM to_jsonb(OLD) - '{valid_to,ended_by_id,must_be_active,must_be}'::text[] THEN
        RAISE EXCEPTION 'A rule does not change. End it, then set another one.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

# Name of the trigger and of its function -> table and events. Of those of one table and event the first by name fires
# first: what an older one says of the same fault stays what is said.
GUARDS = {
    "incident_begins": ("incident", "INSERT"),
    "incident_stays": ("incident", "UPDATE"),
    "leadterm_kept": ("leadterm", "INSERT OR UPDATE"),
    "leadhandover_kept": ("leadhandover", "INSERT OR UPDATE"),
    "incidenttask_kept": ("incidenttask", "INSERT OR UPDATE"),
    "escalation_kept": ("escalation", "INSERT OR UPDATE"),
    "page_waits": ("page", "INSERT"),
    "step_starts": ("incidentstep", "INSERT"),
    "clock_stays": ("incidentclock", "INSERT OR UPDATE"),
    "signature_whole": ("signature", "INSERT"),
    "review_stays": ("review", "UPDATE"),
    "exercise_begins": ("exercise", "INSERT"),
    "exercise_over": ("exercise", "UPDATE"),
    "exercise_systems_kept": ("exercise_systems", "INSERT OR UPDATE OR DELETE"),
    "inject_kept": ("inject", "INSERT OR UPDATE OR DELETE"),
    "response_rule_kept": ("responserule", "UPDATE"),
}
APPEND_ONLY = {
    "incidentfile": ("UPDATE", "The files of an incident stay as they were added."),
    "reviewaction": ("UPDATE", "What was learnt stays on record."),
    "cardview": ("UPDATE OR DELETE", "Who looked first stays on record."),
    "authority": ("DELETE", "Where reports go stays on record. Change it instead."),
    "responseprofile": ("DELETE", "How a system is stopped stays on record. Change it instead."),
}
NEVER_EMPTIED = {
    "cardview": "Who looked first stays on record.",
    "authority": "Where reports go is never emptied.",
    "responseprofile": "How systems are stopped is never emptied.",
    "exercise_systems": "Which systems drills were about is never emptied.",
}


def _refuse(table: str, name: str, events: str, level: str, message: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {events} ON incidents_{table} FOR EACH {level}\n"
        f"    EXECUTE FUNCTION refuse_change('{message}');\n"
        f"ALTER TABLE incidents_{table} ENABLE ALWAYS TRIGGER {name};"
    )


# Only a running term of an open incident names the lead; what is over has none that runs.
LEAD_OLD = "IF found NOT IN ('closed', 'dismissed', 'merged') AND open_lead IS DISTINCT FROM named THEN"
LEAD_NEW = """IF found IN ('closed', 'dismissed', 'merged') THEN
        named := NULL;
    END IF;
    IF open_lead IS DISTINCT FROM named THEN"""


def _check_lead_with(old: str, new: str) -> str:
    """The function as it stands now, with a part in place of another; it has to be there."""
    return f"""
DO $migration$
DECLARE
    body text := pg_get_functiondef('incidents_check_lead()'::regprocedure);
BEGIN
    IF position($old${old}$old$ IN body) = 0 THEN
        RAISE EXCEPTION 'incidents_check_lead is another one';
    END IF;
    EXECUTE replace(body, $old${old}$old$, $new${new}$new$);
END $migration$;
"""


# They write what the application may only read, so nobody else calls them.
AS_OWNER = (
    "incidents_note(text, text[])",
    "incidents_settle_rows(bigint)",
    "incidents_settle()",
    "incidents_refresh_cards(bigint[], text[], timestamptz, boolean)",
)
PRIVILEGES = "\n".join(
    f"REVOKE ALL ON FUNCTION {one} FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION {one} TO govportal_app;" for one in AS_OWNER
)
NO_PRIVILEGES = "\n".join(
    f"GRANT EXECUTE ON FUNCTION {one} TO PUBLIC;\nREVOKE ALL ON FUNCTION {one} FROM govportal_app;" for one in AS_OWNER
)

FORWARD = "\n".join(
    [
        INCIDENT, PEOPLE, CALLING, CLOCK, SIGNED, DRILLS, RULES,
        *(_guard(table, name, events) for name, (table, events) in GUARDS.items()),
        *(_refuse(table, f"{table}_stays_as_it_is", events, "ROW", message)
          for table, (events, message) in APPEND_ONLY.items()),
        *(_refuse(table, f"{table}_never_truncated", "TRUNCATE", "STATEMENT", message)
          for table, message in NEVER_EMPTIED.items()),
        _check_lead_with(LEAD_OLD, LEAD_NEW), PRIVILEGES,
    ]
)  # fmt: skip
BACKWARD = "\n".join(
    [
        NO_PRIVILEGES, _check_lead_with(LEAD_NEW, LEAD_OLD),
        *(f"DROP TRIGGER {table}_never_truncated ON incidents_{table};" for table in NEVER_EMPTIED),
        *(f"DROP TRIGGER {table}_stays_as_it_is ON incidents_{table};" for table in APPEND_ONLY),
        *(f"DROP FUNCTION incidents_{name}() CASCADE;" for name in GUARDS),
        "DROP FUNCTION incidents_severity_is_said() CASCADE;",
    ]
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("incidents", "0014_deputies_once")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
