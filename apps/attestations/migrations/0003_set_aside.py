"""Set the frozen facts aside, under another name: they get a key of their own, so that a row can pass on."""

from importlib import import_module

from django.db import migrations

RULES = import_module("apps.attestations.migrations.0002_campaign_rules")

# The rules are written anew once the rows are carried over.
DROP_RULES = """
DROP FUNCTION attestations_campaign_frozen(), attestations_assignment_frozen(), attestations_answer_open(),
    attestations_signature_is_submission() CASCADE;
DROP TRIGGER signature_append_only ON attestations_signature;
DROP TRIGGER snapshot_append_only ON attestations_scopesnapshot;
DROP TRIGGER snapshot_never_truncated ON attestations_scopesnapshot;
"""
RULES_AGAIN = [
    RULES.CAMPAIGN,
    RULES.ASSIGNMENT,
    RULES.ANSWER,
    """
CREATE TRIGGER signature_append_only BEFORE UPDATE OR DELETE ON attestations_signature FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A signature is for ever: it is not changed or removed. Sign a correction instead.');
ALTER TABLE attestations_signature ENABLE ALWAYS TRIGGER signature_append_only;
CREATE TRIGGER snapshot_append_only BEFORE UPDATE OR DELETE ON attestations_scopesnapshot FOR EACH ROW
    EXECUTE FUNCTION refuse_change('What was known when a campaign opened is frozen: it is not changed or removed.');
ALTER TABLE attestations_scopesnapshot ENABLE ALWAYS TRIGGER snapshot_append_only;
CREATE TRIGGER snapshot_never_truncated BEFORE TRUNCATE ON attestations_scopesnapshot FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Frozen facts are never emptied.');
ALTER TABLE attestations_scopesnapshot ENABLE ALWAYS TRIGGER snapshot_never_truncated;
""",
]
ASIDE = """
ALTER TABLE attestations_scopesnapshot DROP CONSTRAINT snapshot_hash_is_sha256;
ALTER TABLE attestations_scopesnapshot DROP CONSTRAINT snapshot_hash_is_of_facts;
ALTER TABLE attestations_scopesnapshot RENAME TO attestations_facts_aside;
ALTER TABLE attestations_facts_aside RENAME CONSTRAINT attestations_scopesnapshot_pkey TO attestations_facts_aside_pkey;
"""
BACK = """
ALTER TABLE attestations_facts_aside RENAME CONSTRAINT attestations_facts_aside_pkey TO attestations_scopesnapshot_pkey;
ALTER TABLE attestations_facts_aside RENAME TO attestations_scopesnapshot;
ALTER TABLE attestations_scopesnapshot ADD CONSTRAINT snapshot_hash_is_of_facts
    CHECK (sha256 = encode(sha256(convert_to(facts, 'UTF8')), 'hex'));
ALTER TABLE attestations_scopesnapshot ADD CONSTRAINT snapshot_hash_is_sha256
    CHECK (sha256::text ~ '^[0-9a-f]{64}$'::text);
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0002_campaign_rules")]
    operations = [
        migrations.RunSQL(DROP_RULES, RULES_AGAIN),
        migrations.RunSQL(ASIDE, BACK, state_operations=[migrations.DeleteModel("ScopeSnapshot")]),
    ]
