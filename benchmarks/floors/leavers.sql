-- The least that has to be written when somebody with accepted systems leaves and their deputy stands in: the terms
-- end, the next ones begin, systems and grants point at the deputy, each change has its line in the trail.
SELECT id FROM registry_system WHERE owner_id = (SELECT id FROM people_person WHERE email = %(email)s)
ORDER BY id FOR NO KEY UPDATE;
CREATE TEMPORARY TABLE passed ON COMMIT DROP AS
SELECT s.id AS system, p.id AS person, p.deputy_id AS heir, now() AS at, gen_random_uuid() AS event
FROM people_person p JOIN registry_system s ON s.owner_id = p.id WHERE p.email = %(email)s;
UPDATE registry_ownershipterm t SET period = tstzrange(lower(t.period), passed.at)
FROM passed WHERE t.system_id = passed.system AND upper_inf(t.period);
INSERT INTO registry_ownershipterm (system_id, person_id, basis, period, derivation)
SELECT system, heir, 'interim', tstzrange(at, NULL), jsonb_build_array(jsonb_build_object('source', 'deputy',
    'label', 'Deputy', 'person', heir::text, 'outcome', 'chosen'))
FROM passed;
UPDATE registry_system s SET owner_id = passed.heir, owner_basis = 'interim', updated_at = passed.at
FROM passed WHERE s.id = passed.system;
DELETE FROM registry_systemuserpermission g USING passed
WHERE g.content_object_id = passed.system AND g.user_id = passed.person;
INSERT INTO registry_systemuserpermission (content_object_id, user_id, permission_id)
SELECT system, heir, (SELECT id FROM auth_permission WHERE codename = 'answer_for_system') FROM passed
ON CONFLICT DO NOTHING;
INSERT INTO audit_event (id, month, body)
SELECT event, date_trunc('month', at AT TIME ZONE 'UTC')::date, jsonb_build_object('v', '1',
    'id', event::text, 'month', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-01'),
    'ts', (extract(epoch FROM at) * 1000000)::bigint::text, 'actor', 's:bench', 'kind', 'system.owner.interim',
    'subject', jsonb_build_object('kind', 'system', 'id', system::text), 'before', jsonb_build_object('owner', person),
    'after', jsonb_build_object('owner', heir, 'basis', 'interim'), 'commitments', '{}'::jsonb, 'request', '')::text
FROM passed
