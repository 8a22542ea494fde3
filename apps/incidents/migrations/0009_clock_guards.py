"""Legal clocks in the database: what may start one, that a version of a rule stays, and the rules to begin with."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import migrations

RULES = Path(__file__).parent.parent / "data" / "clock_rules.json"
VERIFIED_ON = "2026-11-22"

# The day of the incident in UTC, one day either way: the organisation's day is decided by the verb.
MAY_RUN = """
CREATE OR REPLACE FUNCTION incidents_clock_may_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found incidents_incident;
    rule incidents_clockrule;
    day date;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.incident_id, NEW.rule_id, NEW.opened_at) IS DISTINCT FROM (OLD.incident_id, OLD.rule_id, OLD.opened_at)
           OR OLD.state IN ('submitted', 'submitted_late') THEN
            RAISE EXCEPTION 'A clock keeps its incident and its rule, and what was submitted stays so.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.state = OLD.state AND NEW.due_at IS NOT DISTINCT FROM OLD.due_at
           AND NEW.anchor_at IS NOT DISTINCT FROM OLD.anchor_at AND NEW.signature_id IS NOT DISTINCT FROM OLD.signature_id
        THEN
            RETURN NEW;
        END IF;
    END IF;
    SELECT * INTO found FROM incidents_incident WHERE id = NEW.incident_id;
    SELECT * INTO rule FROM incidents_clockrule WHERE id = NEW.rule_id;
    IF NEW.state NOT IN ('not_assessed', 'assessing') AND found.mode <> 'real' THEN
        RAISE EXCEPTION 'A drill or a test starts no legal clock.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'not_reportable' AND NOT EXISTS (SELECT FROM incidents_signature s
            WHERE s.id = NEW.signature_id AND s.kind = 'not_reportable' AND s.incident_id = NEW.incident_id) THEN
        RAISE EXCEPTION 'A decision not to report is signed for this incident.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state IN ('running', 'missed', 'submitted', 'submitted_late')
       AND (rule.amount IS NULL) <> (NEW.due_at IS NULL) THEN
        RAISE EXCEPTION 'A rule that gives a number has a deadline, and one that gives none has none.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'running' OR (TG_OP = 'INSERT' AND NEW.state IN ('missed', 'submitted', 'submitted_late')) THEN
        day := (found.declared_at AT TIME ZONE 'UTC')::date;
        IF rule.status NOT IN ('in_force', 'contested') OR rule.applies IS FALSE AND (TG_OP = 'INSERT' OR
                OLD.state <> 'running') OR rule.valid_from > day + 1 OR rule.valid_to < day - 1 THEN
            RAISE EXCEPTION 'A rule that is not in force here starts no clock.' USING ERRCODE = 'restrict_violation';
        END IF;
        IF rule.anchor = 'prev_submission' AND NOT EXISTS (SELECT FROM incidents_incidentclock c
                JOIN incidents_clockrule r ON r.id = c.rule_id
                WHERE c.incident_id = NEW.incident_id AND c.state IN ('submitted', 'submitted_late')
                  AND r.key = ANY(string_to_array(rule.after, ' '))) THEN
            RAISE EXCEPTION 'This stage starts with the submission before it.' USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
"""

# At the end of the transaction: the deadline stands on the newest moment that somebody answered for.
HAS_ANCHOR = """
CREATE FUNCTION incidents_clock_has_anchor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM incidents_incidentclock c JOIN incidents_clockrule r ON r.id = c.rule_id
               WHERE c.id = NEW.id AND c.anchor_at IS NOT NULL AND c.anchor_at IS DISTINCT FROM (
                   SELECT a.at FROM incidents_clockanchor a WHERE a.clock_id = c.id AND a.anchor = r.anchor
                   ORDER BY a.id DESC LIMIT 1)) THEN
        RAISE EXCEPTION 'A clock starts at a moment that is on record: say when, and why.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER clock_has_anchor AFTER INSERT OR UPDATE OF anchor_at, state ON incidents_incidentclock
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_clock_has_anchor();
ALTER TABLE incidents_incidentclock ENABLE ALWAYS TRIGGER clock_has_anchor;
"""

# Whether it binds the organisation is said of a version; everything else about it is a new version.
FROZEN = """
CREATE FUNCTION incidents_clock_rule_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - '{applies,applies_reason,applies_by_id,applies_at,replaced_at}'::text[]
       IS DISTINCT FROM to_jsonb(OLD) - '{applies,applies_reason,applies_by_id,applies_at,replaced_at}'::text[]
       OR OLD.replaced_at IS NOT NULL THEN
        RAISE EXCEPTION 'A version of a rule does not change. Write a new version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER clock_rule_frozen BEFORE UPDATE ON incidents_clockrule
    FOR EACH ROW EXECUTE FUNCTION incidents_clock_rule_frozen();
ALTER TABLE incidents_clockrule ENABLE ALWAYS TRIGGER clock_rule_frozen;
"""

BEFORE = """
CREATE OR REPLACE FUNCTION incidents_clock_may_run() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP FUNCTION incidents_clock_has_anchor(), incidents_clock_rule_frozen() CASCADE;
"""


def load_rules(apps: Any, schema_editor: Any) -> None:
    """The rules that a portal begins with. Nobody has said yet which of them bind this organisation."""
    rule, function = apps.get_model("incidents", "ClockRule"), apps.get_model("people", "Function")
    if not function.objects.exists():
        return
    now = datetime.now(UTC)
    given = json.loads(RULES.read_text(encoding="utf-8"))
    rule.objects.bulk_create(
        rule(
            **{name: value for name, value in row.items() if name != "decides"}, decides_id=row["decides"],
            verified_on=VERIFIED_ON, verified_by="The portal's own list", set_at=now,
        )  # fmt: skip
        for row in given
    )


class Migration(migrations.Migration):
    dependencies = [("incidents", "0008_clock_rules"), ("people", "0002_people_rules")]

    operations = [
        migrations.RunSQL("\n".join([MAY_RUN, HAS_ANCHOR, FROZEN]), BEFORE),
        migrations.RunPython(load_rules, migrations.RunPython.noop),
    ]
