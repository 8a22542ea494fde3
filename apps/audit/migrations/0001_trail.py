"""The append-only trail: monthly partitions, triggers that refuse, the erasable side table."""

from django.db import migrations, models

TABLES = """
CREATE TABLE audit_event (
    id uuid NOT NULL DEFAULT uuidv7(),
    month date NOT NULL,
    body text NOT NULL,
    ts_us bigint NOT NULL GENERATED ALWAYS AS ((body::jsonb->>'ts')::bigint) STORED,
    at timestamptz NOT NULL GENERATED ALWAYS AS (to_timestamp((body::jsonb->>'ts')::numeric / 1000000)) STORED,
    actor text NOT NULL GENERATED ALWAYS AS (body::jsonb->>'actor') STORED,
    kind text NOT NULL GENERATED ALWAYS AS (body::jsonb->>'kind') STORED,
    subject_kind text NOT NULL GENERATED ALWAYS AS (body::jsonb->'subject'->>'kind') STORED,
    subject_id text NOT NULL GENERATED ALWAYS AS (body::jsonb->'subject'->>'id') STORED,
    cause uuid GENERATED ALWAYS AS ((body::jsonb->>'cause')::uuid) STORED,
    request_id text NOT NULL GENERATED ALWAYS AS (COALESCE(body::jsonb->>'request', '')) STORED,
    PRIMARY KEY (id, month),
    CONSTRAINT audit_event_body_size CHECK (octet_length(body) <= 65535),
    CONSTRAINT audit_event_body_id CHECK ((body::jsonb->>'id') IS NOT DISTINCT FROM id::text),
    CONSTRAINT audit_event_body_month CHECK ((body::jsonb->>'month') IS NOT DISTINCT FROM month::text),
    CONSTRAINT audit_event_body_version CHECK ((body::jsonb->>'v') IS NOT DISTINCT FROM '1'),
    CONSTRAINT audit_event_month_of_ts CHECK (
        month = date_trunc('month', to_timestamp(ts_us / 1000000) AT TIME ZONE 'UTC')::date)
) PARTITION BY RANGE (month);
CREATE INDEX audit_event_at ON audit_event (ts_us DESC, id DESC);
CREATE INDEX audit_event_subject ON audit_event (subject_kind, subject_id, ts_us DESC);
CREATE INDEX audit_event_actor ON audit_event (actor, ts_us DESC);
CREATE INDEX audit_event_kind ON audit_event (kind, ts_us DESC);
CREATE TABLE audit_private (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    event_month date NOT NULL,
    field text NOT NULL,
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    value text NOT NULL,
    UNIQUE (event_id, field),
    FOREIGN KEY (event_id, event_month) REFERENCES audit_event (id, month)
);
"""

GUARDS = """
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change('The audit trail is append-only: no event is changed or removed.');
ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_append_only;
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('The audit trail is append-only: it is never emptied.');
ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_no_truncate;
CREATE TRIGGER audit_private_no_update BEFORE UPDATE ON audit_private
    FOR EACH ROW EXECUTE FUNCTION refuse_change('What an event recorded is never changed; it can only be erased.');
ALTER TABLE audit_private ENABLE ALWAYS TRIGGER audit_private_no_update;
CREATE TRIGGER audit_private_no_truncate BEFORE TRUNCATE ON audit_private
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What events recorded is erased one by one, never all at once.');
ALTER TABLE audit_private ENABLE ALWAYS TRIGGER audit_private_no_truncate;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_event, audit_private FROM govportal_app;
"""

# Runs with the owner's rights because the application's role has no DDL. Row triggers are inherited by a
# partition that is attached; TRUNCATE triggers are not, so each partition gets its own.
PARTITIONS = """
CREATE FUNCTION audit_ensure_partition(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', wanted)::date;
    part text := 'audit_event_' || to_char(wanted, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partition'));
    IF to_regclass(part) IS NOT NULL THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE audit_event INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS)', part);
    EXECUTE format('ALTER TABLE audit_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, first, (first + interval '1 month')::date);
    EXECUTE format('CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT '
                   'EXECUTE FUNCTION refuse_change(%L)', part, 'The audit trail is append-only: it is never emptied.');
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_event_no_truncate', part);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER audit_event_append_only', part);
    EXECUTE format('REVOKE ALL ON %I FROM govportal_app', part);
    RETURN false;
END $$;
REVOKE ALL ON FUNCTION audit_ensure_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_ensure_partition(date) TO govportal_app;
SELECT audit_ensure_partition((date_trunc('month', now()) + make_interval(months => n))::date)
FROM generate_series(-1, 12) AS n;
"""

UNDO = """
DROP FUNCTION audit_ensure_partition(date);
DROP TABLE audit_private;
DROP TABLE audit_event;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("common", "0001_database")]
    operations = [
        migrations.RunSQL([TABLES, GUARDS, PARTITIONS], UNDO),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="AuditEvent",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("month", models.DateField()),
                        ("body", models.TextField()),
                        ("ts_us", models.BigIntegerField()),
                        ("at", models.DateTimeField()),
                        ("actor", models.TextField()),
                        ("kind", models.TextField()),
                        ("subject_kind", models.TextField()),
                        ("subject_id", models.TextField()),
                        ("cause", models.UUIDField(null=True)),
                        ("request_id", models.TextField()),
                    ],
                    options={"db_table": "audit_event", "managed": False},
                ),
                migrations.CreateModel(
                    name="AuditPrivate",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("event_id", models.UUIDField()),
                        ("event_month", models.DateField()),
                        ("field", models.TextField()),
                        ("salt", models.BinaryField()),
                        ("value", models.TextField()),
                    ],
                    options={"db_table": "audit_private", "managed": False},
                ),
            ]
        ),
    ]
