"""The one statement that reads a response card with all that a responder has to know."""

# The card as it stands; an optional scenario without a rule of its own is answered as "not sure".
STORED = """
SELECT c.system_id, c.scenario, c.owner_id, c.lead_id, c.acts_for_id, c.deputy_id, c.next_in_line_id, c.basis,
    c.rule_id, c.is_fallback, c.derivation, c.problems, c.computed_at
FROM incidents_responsecard c
WHERE c.system_id = %(system)s AND c.scenario IN (%(scenario)s, '')
ORDER BY c.scenario = %(scenario)s DESC LIMIT 1
"""
# The same, worked out now and not written down.
WORKED_OUT = """
SELECT r.system_id, r.scenario, r.owner_id, r.lead_id, r.acts_for_id, r.deputy_id, r.next_in_line_id, r.basis,
    r.rule_id, r.is_fallback, r.derivation, r.problems, %(now)s::timestamptz AS computed_at
FROM incidents_resolve(ARRAY[%(system)s]::bigint[], ARRAY[%(scenario)s, '']::text[], %(now)s) r
ORDER BY r.scenario = %(scenario)s DESC LIMIT 1
"""

# `stale`: the day of somebody who could stand on the card began or ended since it was worked out.
CARD = """
WITH RECURSIVE sys AS MATERIALIZED (
    SELECT s.id, s.key, s.name, s.unit_id, s.stage, s.tier, s.regulatory_class, s.operating_model, s.vendor,
        s.chat_channel, s.restricted, u.name AS unit
    FROM registry_system s JOIN registry_unit u ON u.id = s.unit_id WHERE s.id = %(system)s),
card AS MATERIALIZED ({card}),
up(unit_id, parent_id, head_id, height) AS (
    SELECT u.id, u.parent_id, u.head_id, 0 FROM sys JOIN registry_unit u ON u.id = sys.unit_id
    UNION ALL
    SELECT u.id, u.parent_id, u.head_id, up.height + 1 FROM up JOIN registry_unit u ON u.id = up.parent_id),
profile AS MATERIALIZED (
    SELECT p.stop_how, p.stop_link, p.stop_tested_on, p.stop_holder_id, p.evidence_how, p.vendor_channel,
        p.vendor_reference, p.vendor_must
    FROM incidents_responseprofile p WHERE p.system_id = %(system)s),
powers AS MATERIALIZED (
    SELECT t.person_id, a.may_stop, a.may_revoke, a.spend_cap, a.currency
    FROM registry_ownershipterm t JOIN registry_authority a ON a.term_id = t.id AND a.ended_at IS NULL
    WHERE t.system_id = %(system)s AND upper_inf(t.period)),
named AS MATERIALIZED (
    SELECT DISTINCT w.id FROM card c CROSS JOIN LATERAL (
        VALUES (c.owner_id), (c.lead_id), (c.acts_for_id), (c.deputy_id), (c.next_in_line_id)) AS w(id)
    WHERE w.id IS NOT NULL
    UNION SELECT (step ->> 'person')::uuid FROM card c, jsonb_array_elements(c.derivation) AS step
        WHERE step ->> 'person' IS NOT NULL
    UNION SELECT stop_holder_id FROM profile WHERE stop_holder_id IS NOT NULL
    UNION SELECT person_id FROM powers),
near AS MATERIALIZED (
    SELECT id FROM named
    UNION SELECT w.id FROM named n JOIN people_person p ON p.id = n.id
        CROSS JOIN LATERAL (VALUES (p.deputy_id), (p.line_manager_id)) AS w(id) WHERE w.id IS NOT NULL
    UNION SELECT head_id FROM up WHERE head_id IS NOT NULL
    UNION SELECT r.deputy_id FROM card c JOIN incidents_responserule r ON r.id = c.rule_id
        WHERE r.deputy_id IS NOT NULL
    UNION SELECT w.id FROM registry_mandate m JOIN people_seat seat ON seat.function_id = m.holder_id
        JOIN people_person p ON p.id = seat.holder_id
        CROSS JOIN LATERAL (VALUES (p.id), (p.deputy_id), (p.line_manager_id)) AS w(id) WHERE w.id IS NOT NULL),
runbook AS MATERIALIZED (
    SELECT r.key, r.title, r.review_due, v.id AS version_id, v.number,
        CASE WHEN r.system_id IS NOT NULL THEN 'system' WHEN r.operating_model <> '' THEN 'operating_model'
             WHEN r.unit_id IS NOT NULL THEN 'unit' ELSE 'organisation' END AS scope
    FROM sys JOIN incidents_runbook r ON r.scenario = %(scenario)s AND r.retired_at IS NULL
        AND (r.system_id IS NULL OR r.system_id = sys.id)
        AND (r.operating_model = '' OR r.operating_model = sys.operating_model)
    JOIN incidents_runbookversion v ON v.runbook_id = r.id AND v.state = 'published'
    LEFT JOIN up ON up.unit_id = r.unit_id
    WHERE r.unit_id IS NULL OR up.unit_id IS NOT NULL
    ORDER BY r.system_id IS NOT NULL DESC, r.operating_model <> '' DESC, up.height NULLS LAST LIMIT 1),
plan AS MATERIALIZED (
    SELECT p.steps FROM sys JOIN incidents_escalationplan p ON p.valid_to IS NULL AND p.scenario IN (%(scenario)s, '')
        AND (p.system_id IS NULL OR p.system_id = sys.id)
    LEFT JOIN up ON up.unit_id = p.unit_id
    WHERE p.unit_id IS NULL OR up.unit_id IS NOT NULL
    ORDER BY p.system_id IS NOT NULL DESC, up.height NULLS LAST, p.scenario <> '' DESC LIMIT 1)
SELECT to_jsonb(sys), to_jsonb(card),
    (SELECT jsonb_object_agg(p.id, jsonb_build_object('name', p.display_name, 'title', p.title, 'phone', p.phone,
        'email', p.email, 'time_zone', p.time_zone, 'active', p.is_active AND p.kind = 'human', 'channels', COALESCE((
            SELECT jsonb_agg(jsonb_build_object('kind', c.kind, 'address', c.address, 'tested_at',
                COALESCE(c.tested_at, c.verified_at)) ORDER BY c.position, c.id)
            FROM notify_channel c WHERE c.person_id = p.id AND c.removed_at IS NULL AND c.verified_at IS NOT NULL),
        '[]'::jsonb)))
     FROM named n JOIN people_person p ON p.id = n.id),
    (SELECT to_jsonb(profile) FROM profile), (SELECT to_jsonb(powers) FROM powers),
    (SELECT to_jsonb(runbook) || jsonb_build_object('steps', COALESCE((SELECT jsonb_agg(jsonb_build_object(
            'order', s."order", 'phase', s.phase, 'title', s.title, 'instruction', s.instruction, 'role', s.role)
            ORDER BY s."order")
        FROM (SELECT * FROM incidents_runbookstep t WHERE t.version_id = runbook.version_id
              ORDER BY t."order" LIMIT 3) AS s), '[]'::jsonb),
        'all', (SELECT count(*) FROM incidents_runbookstep t WHERE t.version_id = runbook.version_id)) FROM runbook),
    (SELECT jsonb_agg(jsonb_build_object('key', k.key, 'instrument', k.instrument, 'article', k.article,
            'title', k.title, 'trigger', k.trigger, 'amount', k.amount, 'unit', k.unit, 'immediate', k.immediate,
            'status', k.status, 'recipient', k.recipient, 'verified_on', k.verified_on)
        ORDER BY k.applies IS NOT TRUE, k.instrument, k.key)
     FROM incidents_clockrule k
     WHERE k.replaced_at IS NULL AND k.applies IS NOT FALSE AND k.status IN ('in_force', 'contested') AND k.after = ''
       AND k.stage NOT IN ('record', 'template', 'waiver')
       AND (k.scenarios = '[]'::jsonb OR %(scenario)s = '' OR k.scenarios ? %(scenario)s)
       AND (k.regulatory_classes = '[]'::jsonb OR sys.regulatory_class IN ('', 'unknown')
            OR k.regulatory_classes ? sys.regulatory_class)),
    (SELECT jsonb_build_object('code', i.code, 'at', i.declared_at, 'answered_at', i.lead_accepted_at)
     FROM incidents_incident i
     WHERE i.system_id = sys.id AND i.mode = 'drill' AND i.scenario = %(scenario)s
     ORDER BY i.declared_at DESC LIMIT 1),
    (SELECT jsonb_build_object('code', i.code, 'state', i.state, 'severity', i.severity, 'at', i.declared_at,
            'lead', i.lead_id, 'scenario', i.scenario)
     FROM incidents_incident i
     WHERE i.system_id = sys.id AND i.mode = 'real' AND i.visibility = 'open'
       AND i.state IN ('reported', 'triage', 'active', 'contained')
     ORDER BY i.declared_at DESC LIMIT 1),
    (SELECT plan.steps FROM plan),
    EXISTS (SELECT FROM people_absence a JOIN people_person p ON p.id = a.person_id CROSS JOIN card c
        WHERE a.person_id IN (SELECT id FROM near) AND a.cancelled_at IS NULL
          AND a.ends_on >= (LEAST(c.computed_at, %(now)s) AT TIME ZONE 'UTC')::date - 2
          AND (incidents_day(c.computed_at, p.time_zone) BETWEEN a.starts_on AND a.ends_on)
            <> (incidents_day(%(now)s, p.time_zone) BETWEEN a.starts_on AND a.ends_on)),
    (SELECT jsonb_agg(jsonb_build_object('severity', q.severity, 'person', p.id, 'name', p.display_name,
            'phone', p.phone, 'email', p.email) ORDER BY q.severity)
     FROM (SELECT DISTINCT x.min_severity AS severity FROM incidents_responserule x
           LEFT JOIN up ON up.unit_id = x.unit_id
           WHERE x.valid_to IS NULL AND x.min_severity <> '' AND x.scenario IN (%(scenario)s, '')
             AND (x.system_id IS NULL OR x.system_id = sys.id)
             AND (x.regulatory_class = '' OR x.regulatory_class = sys.regulatory_class)
             AND (x.unit_id IS NULL OR up.unit_id IS NOT NULL)) AS q
     CROSS JOIN LATERAL (
        SELECT w.lead_id
        FROM incidents_resolve(ARRAY[%(system)s]::bigint[], ARRAY[%(scenario)s, '']::text[], %(now)s, q.severity) w
        ORDER BY w.scenario = %(scenario)s DESC LIMIT 1) AS r
     JOIN people_person p ON p.id = r.lead_id)
FROM sys LEFT JOIN card ON true
"""
