"""What is learnt: what the database refuses about reviews and drills, and gaps in who answers on the response cards."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# As in 0004, but what is rehearsed or tried out ends with its drill: the report of the drill is its review.
STATES = """
CREATE OR REPLACE FUNCTION incidents_incident_may_go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.mode = 'real' AND ((OLD.state IN ('active', 'contained') AND NEW.state = 'dismissed')
                              OR (OLD.state = 'resolved' AND NEW.state = 'closed')) THEN
        RAISE EXCEPTION 'Only what is rehearsed or tried out ends wherever it stands.'
            USING ERRCODE = 'restrict_violation';
    END IF;
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
    IF NEW.mode = 'real' AND NEW.state = 'closed' AND OLD.state <> 'closed' THEN
        IF NOT EXISTS (SELECT FROM incidents_review r LEFT JOIN incidents_signature s ON s.id = r.signature_id
                       WHERE r.incident_id = NEW.id
                         AND (r.state = 'done' OR (r.state = 'skipped' AND s.person_id <> r.lead_id))) THEN
            RAISE EXCEPTION 'Closed is what was reviewed, or what somebody other than the lead signed needs no review.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF EXISTS (SELECT FROM incidents_incidentclock c WHERE c.incident_id = NEW.id
                   AND c.state NOT IN ('submitted', 'submitted_late', 'not_reportable')) THEN
            RAISE EXCEPTION 'Every legal clock is decided before an incident is closed.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""

REVIEWS = """
CREATE FUNCTION incidents_review_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'skipped' AND EXISTS (SELECT FROM incidents_leadterm t WHERE t.incident_id = NEW.incident_id
            AND t.person_id = NEW.facilitator_id AND t.accepted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'Who led does not facilitate the review. Choose somebody else.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'skipped' AND EXISTS (SELECT FROM incidents_signature s JOIN incidents_leadterm t
            ON t.person_id = s.person_id AND t.incident_id = NEW.incident_id AND t.accepted_at IS NOT NULL
            WHERE s.id = NEW.signature_id) THEN
        RAISE EXCEPTION 'Who led does not say that no review is needed.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'done' AND NOT EXISTS (SELECT FROM incidents_signature s WHERE s.id = NEW.signature_id
            AND s.kind = 'review' AND s.incident_id = NEW.incident_id AND s.person_id = NEW.facilitator_id)
       OR NEW.state = 'skipped' AND NOT EXISTS (SELECT FROM incidents_signature s WHERE s.id = NEW.signature_id
            AND s.kind = 'skipped_review' AND s.incident_id = NEW.incident_id) THEN
        RAISE EXCEPTION 'A review is signed by who facilitates it, under its own words.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state <> 'open' AND NEW.state <> 'open' THEN
        RAISE EXCEPTION 'A signed review does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_kept BEFORE INSERT OR UPDATE ON incidents_review
    FOR EACH ROW EXECUTE FUNCTION incidents_review_kept();
ALTER TABLE incidents_review ENABLE ALWAYS TRIGGER review_kept;
"""

DRILLS = """
CREATE FUNCTION incidents_facilitator_leads_not() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.accepted_at IS NOT NULL AND EXISTS (SELECT FROM incidents_incident i
            JOIN incidents_exercise e ON e.id = i.exercise_id
            WHERE i.id = NEW.incident_id AND e.facilitator_id = NEW.person_id) THEN
        RAISE EXCEPTION 'Who facilitates a drill does not lead its response.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER facilitator_leads_not BEFORE INSERT OR UPDATE ON incidents_leadterm
    FOR EACH ROW EXECUTE FUNCTION incidents_facilitator_leads_not();
ALTER TABLE incidents_leadterm ENABLE ALWAYS TRIGGER facilitator_leads_not;
CREATE FUNCTION incidents_exercise_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version <= OLD.version THEN
        RAISE EXCEPTION 'Each change of a drill counts its version up.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.started_at IS NOT NULL AND (NEW.code, NEW.type, NEW.scenario, NEW.facilitator_id, NEW.objectives,
            NEW.started_at, NEW.announced)
        IS DISTINCT FROM (OLD.code, OLD.type, OLD.scenario, OLD.facilitator_id, OLD.objectives,
            OLD.started_at, OLD.announced) THEN
        RAISE EXCEPTION 'What a drill set out to do does not change once it started.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('aar_signed', 'closed') AND (NEW.outcome, NEW.strengths, NEW.weaknesses, NEW.summary,
            NEW.signature_id, NEW.ended_at, NEW.decision_at, NEW.draft_at)
        IS DISTINCT FROM (OLD.outcome, OLD.strengths, OLD.weaknesses, OLD.summary,
            OLD.signature_id, OLD.ended_at, OLD.decision_at, OLD.draft_at) THEN
        RAISE EXCEPTION 'A signed report does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'aar_signed' AND OLD.state <> 'aar_signed' AND NOT EXISTS (SELECT FROM incidents_signature s
            WHERE s.id = NEW.signature_id AND s.kind = 'report' AND s.exercise_id = NEW.id
              AND s.person_id = NEW.facilitator_id) THEN
        RAISE EXCEPTION 'The report is signed by who facilitated the drill.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'closed' AND OLD.state <> 'closed' THEN
        IF (NEW.outcome = 'failed' OR EXISTS (SELECT FROM incidents_observation o
                WHERE o.exercise_id = NEW.id AND o.kind = 'improvement'))
           AND NOT EXISTS (SELECT FROM incidents_reviewaction a WHERE a.exercise_id = NEW.id) THEN
            RAISE EXCEPTION 'A drill is closed once somebody does by a day what it showed.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF EXISTS (SELECT FROM incidents_reviewaction a JOIN findings_finding f ON f.id = a.finding_id
                   WHERE a.exercise_id = NEW.id AND f.state <> 'closed'
                     AND NOT EXISTS (SELECT FROM findings_correctiveaction c WHERE c.finding_id = f.id
                                     AND c.state IN ('planned', 'done', 'verified'))) THEN
            RAISE EXCEPTION 'Each improvement has a person and a day before a drill is closed.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER exercise_kept BEFORE UPDATE ON incidents_exercise
    FOR EACH ROW EXECUTE FUNCTION incidents_exercise_kept();
ALTER TABLE incidents_exercise ENABLE ALWAYS TRIGGER exercise_kept;
CREATE FUNCTION incidents_observation_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (SELECT FROM incidents_exercise e WHERE e.id = NEW.exercise_id
            AND e.state NOT IN ('running', 'hotwash', 'aar_draft')) THEN
        RAISE EXCEPTION 'What was observed stays, and is written down while the drill is looked at.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER observation_kept BEFORE INSERT OR UPDATE ON incidents_observation
    FOR EACH ROW EXECUTE FUNCTION incidents_observation_kept();
ALTER TABLE incidents_observation ENABLE ALWAYS TRIGGER observation_kept;
"""

# An open finding that it was not clear who answers is a problem of each card of its system. One set for all systems.
_LAST = "CASE WHEN b.deputy_id IS NULL THEN 'no_deputy' END], NULL)"
_AND_GAPS = """CASE WHEN b.deputy_id IS NULL THEN 'no_deputy' END,
        CASE WHEN b.id IN (SELECT f.system_id FROM findings_finding f WHERE f.code = 'ownership-gap'
             AND f.state <> 'closed' AND f.system_id IS NOT NULL) THEN 'ownership_gap' END], NULL)"""


def _resolve_with(new: str, old: str) -> str:
    """The function as it stands now, with one part in place of another; it has to be there."""
    return f"""
DO $migration$
DECLARE
    body text := pg_get_functiondef('incidents_resolve(bigint[], text[], timestamptz)'::regprocedure);
BEGIN
    IF position($old${old}$old$ IN body) = 0 THEN RAISE EXCEPTION 'incidents_resolve is another one'; END IF;
    EXECUTE replace(body, $old${old}$old$, $new${new}$new$);
END $migration$;
"""


GAPS = """
CREATE FUNCTION incidents_gap_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('system', ARRAY(SELECT DISTINCT n.system_id::text FROM new_rows n
        WHERE n.code = 'ownership-gap' AND n.system_id IS NOT NULL));
    RETURN NULL;
END $$;
CREATE TRIGGER cards_gap_found AFTER INSERT ON findings_finding REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION incidents_gap_changed();
CREATE TRIGGER cards_gap_changed AFTER UPDATE ON findings_finding REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION incidents_gap_changed();
"""

UNDO = """
DROP FUNCTION incidents_gap_changed(), incidents_observation_kept(), incidents_exercise_kept(),
    incidents_facilitator_leads_not(), incidents_review_kept() CASCADE;
"""


_FOLLOWS = (
    'SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{'
    "reported:triage,reported:dismissed,reported:merged,triage:active,triage:dismissed,triage:merged,active:contained,"
    "active:merged,contained:active,contained:resolved,contained:merged,resolved:active,resolved:in_review,"
    "resolved:merged,in_review:active,in_review:closed,in_review:merged,closed:active,dismissed:triage,"
    "active:dismissed,contained:dismissed,resolved:closed}'::text[]) INTO _is_valid_transition; "
    'IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION '
    '\'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', '
    'OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;'
)


class Migration(migrations.Migration):
    dependencies = [("findings", "0003_reopened"), ("incidents", "0010_declared_once")]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="incident",
            name="incident_states",
        ),
        migrations.AlterField(
            model_name="incident",
            name="dismissed_because",
            field=models.CharField(
                blank=True,
                choices=[
                    ("benign", "Benign"),
                    ("duplicate", "Duplicate"),
                    ("false_positive", "False positive"),
                    ("acknowledged_by_user", "Acknowledged by user"),
                    ("other", "Other"),
                    ("drill_over", "Drill over"),
                ],
                max_length=20,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="incident",
            trigger=pgtrigger.compiler.Trigger(
                name="incident_states",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func=_FOLLOWS,
                    hash="6688c1f5da1e809cdc3713c73e87a5eaf8245216",
                    operation="UPDATE",
                    pgid="pgtrigger_incident_states_7de88",
                    table="incidents_incident",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(STATES, migrations.RunSQL.noop),
        migrations.RunSQL(
            "\n".join([REVIEWS, DRILLS, _resolve_with(_AND_GAPS, _LAST), GAPS]),
            "\n".join([UNDO, _resolve_with(_LAST, _AND_GAPS)]),
        ),
    ]
