"""Deputy and next in line are looked for once for each lead and unit, not once for each card."""

from django.db import migrations

EACH = """behind AS (
    SELECT l.*, d.id AS deputy_id, n.id AS next_id
    FROM lead l
    LEFT JOIN people_person lp ON lp.id = l.lead_id
    LEFT JOIN people_person ap ON ap.id = l.acts_for_id
    LEFT JOIN LATERAL (
        SELECT c.id FROM (VALUES (1, CASE WHEN l.rule_outcome = 'chosen' THEN l.rule_deputy END), (2, ap.deputy_id),"""

# A register of 100,000 systems has some thousands of these.
ONCE = """asked AS MATERIALIZED (
    SELECT DISTINCT l.lead_id, l.acts_for_id, l.unit_id,
        CASE WHEN l.rule_outcome = 'chosen' THEN l.rule_deputy END AS named_id FROM lead l),
answered AS MATERIALIZED (
    SELECT l.*, d.id AS deputy_id, n.id AS next_id
    FROM asked l
    LEFT JOIN people_person lp ON lp.id = l.lead_id
    LEFT JOIN people_person ap ON ap.id = l.acts_for_id
    LEFT JOIN LATERAL (
        SELECT c.id FROM (VALUES (1, l.named_id), (2, ap.deputy_id),"""

EACH_END = """          AND NOT EXISTS (SELECT FROM away a WHERE a.person_id = c.id)
        ORDER BY w.place LIMIT 1) AS n ON true)
SELECT b.id, b.scenario"""
ONCE_END = """          AND NOT EXISTS (SELECT FROM away a WHERE a.person_id = c.id)
        ORDER BY w.place LIMIT 1) AS n ON true),
behind AS (
    SELECT l.*, a.deputy_id, a.next_id
    FROM (SELECT k.*, CASE WHEN k.rule_outcome = 'chosen' THEN k.rule_deputy END AS named_id FROM lead k) AS l
    JOIN answered a ON a.lead_id = l.lead_id AND a.unit_id = l.unit_id
        AND concat(a.acts_for_id, '/', a.named_id) = concat(l.acts_for_id, '/', l.named_id))
SELECT b.id, b.scenario"""


def _resolve_with(*parts: tuple[str, str]) -> str:
    """The function as it stands now, with some parts in place of others; they have to be there."""
    steps = "\n".join(
        f"    IF position($old${old}$old$ IN body) = 0 THEN\n"
        "        RAISE EXCEPTION 'incidents_resolve is another one';\n    END IF;\n"
        f"    body := replace(body, $old${old}$old$, $new${new}$new$);"
        for old, new in parts
    )
    return f"""
DO $migration$
DECLARE
    body text := pg_get_functiondef('incidents_resolve(bigint[], text[], timestamptz)'::regprocedure);
BEGIN
{steps}
    EXECUTE body;
END $migration$;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0013_sources_stay")]

    operations = [
        migrations.RunSQL(
            _resolve_with((EACH, ONCE), (EACH_END, ONCE_END)), _resolve_with((ONCE, EACH), (ONCE_END, EACH_END))
        ),
    ]
