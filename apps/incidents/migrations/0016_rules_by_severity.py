"""A response rule may lead from a severity on. Cards are worked out without one: nobody said yet how bad it is."""

from django.db import migrations, models

_TAKES_OLD = "p_now timestamp with time zone)"
_TAKES_NEW = "p_now timestamp with time zone, p_severity text DEFAULT ''::text)"
_OWN_OLD = "(r.scenario <> '') AS own,"
_OWN_NEW = "(r.scenario <> '') AS own, NULLIF(r.min_severity, '') AS from_severity,"
_STANDS_OLD = "WHERE r.valid_to IS NULL AND (r.unit_id IS NULL OR up.unit_id IS NOT NULL)) AS k"
_STANDS_NEW = """WHERE r.valid_to IS NULL AND (r.unit_id IS NULL OR up.unit_id IS NOT NULL)
          AND (r.min_severity = '' OR p_severity LIKE 'sev_' AND p_severity <= r.min_severity)) AS k"""
_FIRST_OLD = "ORDER BY k.id, k.scenario, k.weight DESC, k.own DESC),"
_FIRST_NEW = "ORDER BY k.id, k.scenario, k.weight DESC, k.own DESC, k.from_severity NULLS LAST),"
_PARTS = ((_TAKES_OLD, _TAKES_NEW), (_OWN_OLD, _OWN_NEW), (_STANDS_OLD, _STANDS_NEW), (_FIRST_OLD, _FIRST_NEW))
_THREE, _FOUR = "bigint[], text[], timestamptz", "bigint[], text[], timestamptz, text"


def _resolve_with(old: str, new: str, *parts: tuple[str, str]) -> str:
    """The function as it stands now, with these parts in place of those and other arguments; they have to be there."""
    steps = "\n".join(
        f"    IF position($old${before}$old$ IN body) = 0 THEN\n"
        "        RAISE EXCEPTION 'incidents_resolve is another one';\n    END IF;\n"
        f"    body := replace(body, $old${before}$old$, $new${after}$new$);"
        for before, after in parts
    )
    return f"""
DO $migration$
DECLARE
    body text := pg_get_functiondef('incidents_resolve({old})'::regprocedure);
BEGIN
{steps}
    EXECUTE body;
    DROP FUNCTION incidents_resolve({old});
END $migration$;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0015_nothing_rewritten")]

    operations = [
        migrations.RemoveConstraint("responserule", "one_response_rule_in_force"),
        migrations.AddField(
            "responserule",
            "min_severity",
            models.CharField(
                blank=True,
                choices=[
                    ("", "Any"),
                    ("sev1", "At severity 1"),
                    ("sev2", "From severity 2 on"),
                    ("sev3", "From severity 3 on"),
                ],
                max_length=4,
            ),
        ),
        migrations.AddConstraint(
            "responserule",
            models.UniqueConstraint(
                condition=models.Q(("valid_to", None)),
                fields=("scenario", "min_severity", "system", "regulatory_class", "unit"),
                name="one_response_rule_in_force",
                nulls_distinct=False,
                violation_error_message="There is a rule for this already. End it, then set the new one.",
            ),
        ),
        migrations.AddConstraint(
            "responserule",
            models.CheckConstraint(
                condition=models.Q(("min_severity__in", ["", "sev1", "sev2", "sev3"])),
                name="response_rule_known_severity",
            ),
        ),
        migrations.RunSQL(
            _resolve_with(_THREE, _FOUR, *_PARTS),
            _resolve_with(_FOUR, _THREE, *((new, old) for old, new in _PARTS)),
        ),
    ]
