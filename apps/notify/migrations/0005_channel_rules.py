"""The rules of channels in the database: what was verified stays what it is, what was to be said stays as it was."""

from django.db import migrations

REMOVE = "What carried calls stays on record: end it instead."

GUARDS = f"""
CREATE FUNCTION notify_channel_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.person_id, NEW.kind, NEW.address, NEW.endpoint_id, NEW.created_at)
       IS DISTINCT FROM (OLD.person_id, OLD.kind, OLD.address, OLD.endpoint_id, OLD.created_at) THEN
        RAISE EXCEPTION 'A channel keeps its person and its address. Remove it and add another.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.removed_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'A removed channel is not used again. Add another.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER channel_frozen BEFORE UPDATE ON notify_channel
    FOR EACH ROW EXECUTE FUNCTION notify_channel_frozen();
ALTER TABLE notify_channel ENABLE ALWAYS TRIGGER channel_frozen;

CREATE FUNCTION notify_endpoint_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind <> OLD.kind OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at) THEN
        RAISE EXCEPTION 'An endpoint keeps its kind, and what was ended stays ended. Add another.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER endpoint_frozen BEFORE UPDATE ON notify_endpoint
    FOR EACH ROW EXECUTE FUNCTION notify_endpoint_frozen();
ALTER TABLE notify_endpoint ENABLE ALWAYS TRIGGER endpoint_frozen;

CREATE FUNCTION notify_delivery_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.key, NEW.endpoint_id, NEW.channel_id, NEW.content, NEW.urgent, NEW.created_at)
       IS DISTINCT FROM (OLD.key, OLD.endpoint_id, OLD.channel_id, OLD.content, OLD.urgent, OLD.created_at) THEN
        RAISE EXCEPTION 'What was to be said stays as it was written.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_frozen BEFORE UPDATE ON notify_delivery
    FOR EACH ROW EXECUTE FUNCTION notify_delivery_frozen();
ALTER TABLE notify_delivery ENABLE ALWAYS TRIGGER delivery_frozen;

CREATE TRIGGER channel_never_deleted BEFORE DELETE ON notify_channel
    FOR EACH ROW EXECUTE FUNCTION refuse_change('{REMOVE}');
ALTER TABLE notify_channel ENABLE ALWAYS TRIGGER channel_never_deleted;
CREATE TRIGGER channel_never_truncated BEFORE TRUNCATE ON notify_channel
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{REMOVE}');
ALTER TABLE notify_channel ENABLE ALWAYS TRIGGER channel_never_truncated;
CREATE TRIGGER endpoint_never_deleted BEFORE DELETE ON notify_endpoint
    FOR EACH ROW EXECUTE FUNCTION refuse_change('{REMOVE}');
ALTER TABLE notify_endpoint ENABLE ALWAYS TRIGGER endpoint_never_deleted;
CREATE TRIGGER endpoint_never_truncated BEFORE TRUNCATE ON notify_endpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{REMOVE}');
ALTER TABLE notify_endpoint ENABLE ALWAYS TRIGGER endpoint_never_truncated;
"""

NO_GUARDS = """
DROP TRIGGER endpoint_never_truncated ON notify_endpoint;
DROP TRIGGER endpoint_never_deleted ON notify_endpoint;
DROP TRIGGER channel_never_truncated ON notify_channel;
DROP TRIGGER channel_never_deleted ON notify_channel;
DROP TRIGGER delivery_frozen ON notify_delivery;
DROP FUNCTION notify_delivery_frozen();
DROP TRIGGER endpoint_frozen ON notify_endpoint;
DROP FUNCTION notify_endpoint_frozen();
DROP TRIGGER channel_frozen ON notify_channel;
DROP FUNCTION notify_channel_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("notify", "0004_delivery_urgent"), ("common", "0001_database")]

    operations = [migrations.RunSQL(GUARDS, NO_GUARDS)]
