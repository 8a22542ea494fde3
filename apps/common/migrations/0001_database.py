"""Extensions, the application's role, the cache table and the function that refuses a change."""

from django.db import migrations

ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'govportal_app') THEN
        CREATE ROLE govportal_app NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO govportal_app', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO govportal_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO govportal_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO govportal_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO govportal_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO govportal_app;
"""

UNROLE = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM govportal_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM govportal_app;
"""

CACHE = """
CREATE TABLE common_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX common_cache_expires ON common_cache (expires);
"""

# The message reaches the person or program that tried: it names the rule and what to do instead.
REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.RunSQL(
            "CREATE EXTENSION IF NOT EXISTS btree_gist;"
            "CREATE EXTENSION IF NOT EXISTS pg_trgm;"
            "CREATE EXTENSION IF NOT EXISTS unaccent;",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(ROLE, UNROLE),
        migrations.RunSQL(CACHE, "DROP TABLE common_cache"),
        migrations.RunSQL(REFUSE, "DROP FUNCTION refuse_change()"),
    ]
