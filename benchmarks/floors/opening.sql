-- The rows of an opening, written bare: frozen facts, one assignment a system, one mail a person. Parameters: campaign,
-- now, at, critical, high, rest, seed, percent, code.
WITH leads AS (
    SELECT '{' || string_agg('"' || scenario || '":' || CASE WHEN r.is_owner THEN chr(1) ELSE concat(
        '{"id":', coalesce(to_json(h.id)::text, 'null'), ',"name":', coalesce(to_json(h.display_name)::text, 'null'),
        ',"party":', to_json(f.seat_title), '}') END, ',' ORDER BY scenario COLLATE "C") || '}' AS text
    FROM (VALUES ('data-access', 'incident-data-access'), ('harmful-decision', 'incident-harmful-decision'), ('cost-spike', 'incident-cost-spike'))
        AS wanted (scenario, domain)
    JOIN registry_raciassignment r ON r.domain_id = wanted.domain AND r.letter = 'A' AND r.valid_to IS NULL
    LEFT JOIN people_function f ON f.code = r.function_id
    LEFT JOIN people_seat seat ON seat.function_id = r.function_id
    LEFT JOIN people_person h ON h.id = seat.holder_id),
known AS (
    SELECT s.id, s.key, s.owner_id, s.owner_basis, s.tier, s.unit_id, d.id AS deputy,
        to_jsonb(coalesce(i.found, '{}')) AS identities, s.stage, s.regulatory_class, s.operating_model, s.vendor,
        s.model, s.purpose, concat('{"at":', to_json(%(at)s::text), ',"deputy":', CASE WHEN d.id IS NULL THEN 'null' ELSE
        concat('{"id":', to_json(d.id), ',"name":', to_json(d.display_name), '}') END,
        ',"exceptions":{"open":0,"overdue":0},"gaps":[],"identities":', coalesce(
            '[' || array_to_string(ARRAY(SELECT to_json(one)::text FROM unnest(i.found) AS one), ',') || ']', '[]'),
        ',"key":', to_json(s.key), ',"last":null,"leads":', replace(leads.text, chr(1), concat(
            '{"id":', to_json(s.owner_id), ',"name":', to_json(o.display_name), ',"party":"System owner"}')),
        ',"model":', to_json(s.model), ',"name":', to_json(s.name), ',"operating_model":',
        to_json(s.operating_model), ',"owner":{"basis":',
        to_json(s.owner_basis), ',"id":', to_json(s.owner_id), ',"name":', to_json(o.display_name), ',"since":',
        to_json(to_char(lower(t.period) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')), '},"purpose":',
        to_json(s.purpose), ',"regulatory_class":', to_json(s.regulatory_class), ',"response":{"drilled_on":null,"incidents":0,"open":0,"stop_tested_on":null},"stage":', to_json(s.stage),
        ',"tier":', to_json(s.tier), ',"unit":{"id":', s.unit_id, ',"name":', to_json(u.name),
        '},"v":"3","vendor":', to_json(s.vendor), '}') AS facts
    FROM registry_system s
    CROSS JOIN leads
    JOIN registry_unit u ON u.id = s.unit_id
    JOIN people_person o ON o.id = s.owner_id
    LEFT JOIN people_person d ON d.id = o.deputy_id AND d.is_active
    LEFT JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
    LEFT JOIN (SELECT system_id, array_agg(kind || ': ' || value ORDER BY kind, value) AS found
               FROM registry_systemidentity GROUP BY system_id) AS i ON i.system_id = s.id
    WHERE s.stage NOT IN ('proposed', 'retired')),
frozen AS (
    INSERT INTO floor_snapshot (campaign_id, system_id, number, is_supplement, facts, sha256, material, delta, changes,
        taken_at)
    SELECT %(campaign)s, id, 1, false, facts, encode(sha256(convert_to(facts, 'UTF8')), 'hex'), jsonb_build_object(
        'owner', owner_id, 'basis', owner_basis, 'unit', unit_id, 'tier', tier, 'stage', stage,
        'regulatory_class', regulatory_class, 'operating_model', operating_model, 'vendor', vendor,
        'model', model, 'purpose', purpose, 'deputy', deputy, 'identities', identities), 'new', '[]', %(now)s
    FROM known ORDER BY key COLLATE "C" RETURNING id, system_id),
asked AS (
    INSERT INTO floor_assignment (campaign_id, system_id, snapshot_id, person_id, owner_basis, tier, unit_id, due_on,
        delta, sampled, because, state, result, round, opened_at, stale_because, version)
    SELECT %(campaign)s, k.id, frozen.id, k.owner_id, k.owner_basis, k.tier, k.unit_id,
        CASE k.tier WHEN 'critical' THEN %(critical)s::date WHEN 'high' THEN %(high)s ELSE %(rest)s END, 'new',
        CASE WHEN k.tier = 'critical' THEN 'critical' WHEN row_number() OVER (
            PARTITION BY k.tier = 'critical' ORDER BY sha256(convert_to(%(seed)s || ':' || k.key, 'UTF8')))
            <= ceil(count(*) OVER (PARTITION BY k.tier = 'critical') * %(percent)s / 100.0) THEN 'random' ELSE '' END,
        '', 'pending', '', 1, %(now)s, '[]', 0
    FROM known k JOIN frozen ON frozen.system_id = k.id RETURNING person_id)
INSERT INTO floor_message (key, recipient_id, subject, body, path, state, attempts, not_before, created_at, error)
SELECT 'campaign:' || %(code)s || ':' || person_id || ':opened', person_id,
    %(code)s || ': state and sign what is true for ' || count(*) || ' systems', repeat('x', 700), '/attestations/',
    'queued', 0, %(now)s, %(now)s, ''
FROM asked GROUP BY person_id
