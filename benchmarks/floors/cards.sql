-- The least that has to be written when another person takes the seat that leads one scenario everywhere: each card of
-- the scenario names them, their deputy, and whoever comes after. Nobody is away, and the units stand side by side.
UPDATE incidents_responsecard c
SET lead_id = p.id, deputy_id = p.deputy_id,
    next_in_line_id = CASE WHEN u.head_id IS NOT NULL AND u.head_id NOT IN (p.id, p.deputy_id) THEN u.head_id
        WHEN m.holder_id NOT IN (p.id, p.deputy_id) THEN m.holder_id END,
    derivation = jsonb_build_array(jsonb_build_object('step', 'matrix', 'label', 'organisation', 'party', 'ciso',
        'person', p.id, 'outcome', 'chosen')),
    computed_at = now()
FROM registry_system s JOIN registry_unit u ON u.id = s.unit_id
CROSS JOIN people_person p
CROSS JOIN (SELECT seat.holder_id FROM registry_mandate g JOIN people_seat seat ON seat.function_id = g.holder_id) m
WHERE c.scenario = 'data-access' AND s.id = c.system_id AND p.email = %(email)s
