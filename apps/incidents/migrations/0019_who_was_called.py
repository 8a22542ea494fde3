"""Who was brought in beside the plan, and whom a rule asked to take over, is a fact of its own, not a matter of words.

Both stay as they were written, as all of such a row does.
"""

from django.db import migrations, models

# What is done already is over: nobody waits for it.
BROUGHT = """
UPDATE incidents_incidenttask SET called = true WHERE done_at IS NULL AND what LIKE 'Join the response: %';
"""


def _kept_with(function: str, *parts: tuple[str, str]) -> str:
    """A function as it stands now, with some parts in place of others; they have to be there."""
    steps = "\n".join(
        f"    IF position($old${before}$old$ IN body) = 0 THEN\n"
        f"        RAISE EXCEPTION '{function} is another one';\n    END IF;\n"
        f"    body := replace(body, $old${before}$old$, $new${after}$new$);"
        for before, after in parts
    )
    return f"""
DO $migration$
DECLARE
    body text := pg_get_functiondef('{function}()'::regprocedure);
BEGIN
{steps}
    EXECUTE body;
END $migration$;
"""


def _also(function: str, after: str, column: str) -> migrations.RunSQL:
    """The guard keeps one more column; back again it keeps what it kept."""
    parts = [(f"{row}.{after},", f"{row}.{after}, {row}.{column},") for row in ("NEW", "OLD")]
    back = [(new, old) for old, new in parts]
    return migrations.RunSQL(_kept_with(function, *parts), _kept_with(function, *back))


class Migration(migrations.Migration):
    dependencies = [("incidents", "0018_list_by_index")]

    operations = [
        migrations.AddField("incidenttask", "called", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("leadhandover", "by_rule", models.BooleanField(default=False, db_default=False)),
        migrations.RunSQL(BROUGHT, migrations.RunSQL.noop),
        _also("incidents_incidenttask_kept", "what", "called"),
        _also("incidents_leadhandover_kept", "briefing", "by_rule"),
    ]
