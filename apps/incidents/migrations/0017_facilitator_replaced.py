"""Who facilitates a drill that runs and has left the organisation is replaced, by somebody who does not lead in it."""

from django.db import migrations

_NEW_OLD, _NEW_NEW = "NEW.facilitator_id, NEW.objectives,", "NEW.objectives,"
_OLD_OLD, _OLD_NEW = "OLD.facilitator_id, OLD.objectives,", "OLD.objectives,"
_SIGNED = "    IF OLD.state IN ('aar_signed', 'closed') AND (NEW.outcome,"
_CHANGED = """    IF OLD.started_at IS NOT NULL AND NEW.facilitator_id <> OLD.facilitator_id AND (
           OLD.state NOT IN ('running', 'hotwash', 'aar_draft')
           OR EXISTS (SELECT FROM people_person p WHERE p.id = OLD.facilitator_id AND p.is_active)
           OR NOT EXISTS (SELECT FROM people_person p WHERE p.id = NEW.facilitator_id AND p.is_active
                          AND p.kind = 'human')
           OR EXISTS (SELECT FROM incidents_leadterm t JOIN incidents_incident i ON i.id = t.incident_id
                      WHERE i.exercise_id = NEW.id AND t.person_id = NEW.facilitator_id)) THEN
        RAISE EXCEPTION 'Who facilitates a drill that runs stays, unless they left; then somebody who did not lead.'
            USING ERRCODE = 'restrict_violation';
    END IF;
"""
_REPLACED = _CHANGED + _SIGNED
_PARTS = ((_NEW_OLD, _NEW_NEW), (_OLD_OLD, _OLD_NEW), (_SIGNED, _REPLACED))


def _kept_with(*parts: tuple[str, str]) -> str:
    """The function as it stands now, with these parts in place of those; they have to be there."""
    steps = "\n".join(
        f"    IF position($old${before}$old$ IN body) = 0 THEN\n"
        "        RAISE EXCEPTION 'incidents_exercise_kept is another one';\n    END IF;\n"
        f"    body := replace(body, $old${before}$old$, $new${after}$new$);"
        for before, after in parts
    )
    return f"""
DO $migration$
DECLARE
    body text := pg_get_functiondef('incidents_exercise_kept()'::regprocedure);
BEGIN
{steps}
    EXECUTE body;
END $migration$;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0016_rules_by_severity")]

    operations = [
        migrations.RunSQL(
            _kept_with(*_PARTS),
            _kept_with(
                (_REPLACED, _SIGNED),
                ("NEW.scenario, NEW.objectives,", "NEW.scenario, NEW.facilitator_id, NEW.objectives,"),
                ("OLD.scenario, OLD.objectives,", "OLD.scenario, OLD.facilitator_id, OLD.objectives,"),
            ),
        )
    ]
