"""What was said to whom, and what came of it, stays: a message or a request is neither rewritten nor removed."""

from django.db import migrations

# FSM of the states allows no way out of the last ones; here nothing else of such a row changes either. What changes
# its state is left to that, so that it says what is wrong.
GUARD = """
CREATE FUNCTION notify_said_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('queued', 'failed') OR num_nonnulls(NEW.claimed_at, NEW.sent_at, NEW.withdrawn_at) > 0 THEN
            RAISE EXCEPTION 'What is to be said waits before it is sent.'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - TG_ARGV[0]::text[] IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV[0]::text[] THEN
        RAISE EXCEPTION 'What was to be said stays as it was written.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state = OLD.state AND OLD.state IN ('sent', 'failed', 'uncertain', 'withdrawn')
       AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'What came of it stays on record.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
MAY_CHANGE = "state,attempts,not_before,claimed_at,sent_at,withdrawn_at,error"
SAID = {"message": MAY_CHANGE, "delivery": f"{MAY_CHANGE},status"}
REMOVE = "What was said stays on record."


def _guards(table: str, may_change: str) -> str:
    return f"""
CREATE TRIGGER {table}_said_kept BEFORE INSERT OR UPDATE ON notify_{table}
    FOR EACH ROW EXECUTE FUNCTION notify_said_kept('{{{may_change}}}');
CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON notify_{table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change('{REMOVE}');
CREATE TRIGGER {table}_never_truncated BEFORE TRUNCATE ON notify_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{REMOVE}');
ALTER TABLE notify_{table} ENABLE ALWAYS TRIGGER {table}_said_kept, ENABLE ALWAYS TRIGGER {table}_never_deleted,
    ENABLE ALWAYS TRIGGER {table}_never_truncated;
"""


def _no_guards(table: str) -> str:
    names = (f"{table}_never_truncated", f"{table}_never_deleted", f"{table}_said_kept")
    return "\n".join(f"DROP TRIGGER {name} ON notify_{table};" for name in names)


class Migration(migrations.Migration):
    dependencies = [("notify", "0005_channel_rules")]

    operations = [
        migrations.RunSQL(
            GUARD + "\n".join(_guards(table, may_change) for table, may_change in SAID.items()),
            "\n".join(_no_guards(table) for table in SAID) + "\nDROP FUNCTION notify_said_kept();",
        ),
    ]
