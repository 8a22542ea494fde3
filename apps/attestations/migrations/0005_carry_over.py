"""Carry the rows over: the quarterly template, frozen facts with a key of their own, how late and with what result."""

from django.db import migrations

FORWARD = """
INSERT INTO attestations_campaigntemplate (key, name, cadence, scope, sampling_percent, consequence, top_seats,
    items_per_person, is_active, created_by, created_at)
VALUES ('quarterly', 'Quarterly attestation', 'quarter', '{}', 5, 'readiness', ARRAY['legal'], 25, true, 'Govportal',
    now());
UPDATE attestations_campaign SET
    template_id = (SELECT id FROM attestations_campaigntemplate WHERE key = 'quarterly'),
    code = period,
    title = 'Q' || right(period, 1) || ' ' || left(period, 4),
    rollup_at = closed_at,
    terms = jsonb_build_object('scope', '{}'::jsonb, 'sampling_percent', 5, 'consequence', 'readiness',
        'top_seats', jsonb_build_array('legal'), 'items_per_person', 25);
INSERT INTO attestations_scopesnapshot (campaign_id, system_id, number, is_supplement, facts, sha256, material, delta,
    changes, taken_at)
SELECT a.campaign_id, a.system_id, 1, false, f.facts, f.sha256, jsonb_build_object(
    'owner', f.facts::jsonb->'owner'->'id', 'basis', f.facts::jsonb->'owner'->'basis',
    'unit', f.facts::jsonb->'unit'->'id', 'deputy', f.facts::jsonb->'deputy'->'id', 'tier', f.facts::jsonb->'tier',
    'stage', f.facts::jsonb->'stage', 'regulatory_class', f.facts::jsonb->'regulatory_class',
    'operating_model', f.facts::jsonb->'operating_model', 'vendor', f.facts::jsonb->'vendor',
    'purpose', f.facts::jsonb->'purpose', 'identities', f.facts::jsonb->'identities'), 'new', '[]', c.opened_at
FROM attestations_facts_aside f
JOIN attestations_assignment a ON a.id = f.assignment_id
JOIN attestations_campaign c ON c.id = a.campaign_id;
UPDATE attestations_assignment a SET
    snapshot_id = s.id,
    opened_at = s.taken_at
FROM attestations_scopesnapshot s WHERE s.campaign_id = a.campaign_id AND s.system_id = a.system_id;
UPDATE attestations_assignment a SET
    late_days = greatest(0, (a.submitted_at AT TIME ZONE 'UTC')::date - a.due_on),
    result = CASE WHEN g.exceptions = 0 THEN 'clean' ELSE 'qualified' END
FROM attestations_signature g WHERE g.assignment_id = a.id AND a.state = 'submitted';
UPDATE attestations_answer n SET answered_by_id = a.person_id
FROM attestations_assignment a WHERE a.id = n.assignment_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""
BACK = """
INSERT INTO attestations_facts_aside (assignment_id, facts, sha256)
SELECT a.id, s.facts, s.sha256 FROM attestations_assignment a JOIN attestations_scopesnapshot s ON s.id = a.snapshot_id;
UPDATE attestations_assignment SET snapshot_id = NULL;
DELETE FROM attestations_scopesnapshot;
UPDATE attestations_campaign SET template_id = NULL;
DELETE FROM attestations_campaigntemplate WHERE key = 'quarterly';
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("attestations", "0004_certification")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
