"""Response cards are worked out by the database, in sets, at the end of each transaction that changed what they say.

Triggers note what changed (`incidents_stalecard`); a deferred trigger works the cards out again before the commit.
Two transactions never do so at once (an advisory lock), so that the second one sees what the first one changed. Where
working out fails, the note stays, the transaction goes on, and the sweep does it again.
"""

from django.db import migrations

# The day of a person, whatever stands in their profile.
DAY = """
CREATE FUNCTION incidents_day(moment timestamptz, zone text) RETURNS date LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (moment AT TIME ZONE zone)::date;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN (moment AT TIME ZONE 'UTC')::date;
END $$;
CREATE FUNCTION incidents_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT COALESCE(NULLIF(current_setting('govportal.now', true), '')::timestamptz, statement_timestamp())
$$;
"""

# Who leads each of these systems in each of these scenarios: a rule, else the A of the scenario's row in the effective
# matrix, else whoever acts for the owner, else the mandate. The first who is an active person and here.
RESOLVE = """
CREATE FUNCTION incidents_resolve(p_systems bigint[], p_scenarios text[], p_now timestamptz)
RETURNS TABLE (system_id bigint, scenario text, owner_id uuid, lead_id uuid, acts_for_id uuid, deputy_id uuid,
    next_in_line_id uuid, basis text, rule_id bigint, is_fallback boolean, derivation jsonb, problems text[])
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
WITH RECURSIVE sys AS MATERIALIZED (
    SELECT s.id, s.unit_id, s.owner_id, s.owner_basis, s.regulatory_class
    FROM unnest(p_systems) AS w(id) JOIN registry_system s ON s.id = w.id
    WHERE s.stage NOT IN ('proposed', 'retired')),
scen(scenario, domain) AS MATERIALIZED (
    SELECT v.scenario, v.domain FROM (VALUES ('', NULL), ('data-access', 'incident-data-access'),
        ('harmful-decision', 'incident-harmful-decision'), ('cost-spike', 'incident-cost-spike')) AS v(scenario, domain)
    WHERE v.scenario = ANY(p_scenarios)
    UNION
    SELECT r.scenario, NULL FROM incidents_responserule r
    WHERE r.valid_to IS NULL AND r.scenario = ANY(p_scenarios)
      AND r.scenario NOT IN ('', 'data-access', 'harmful-decision', 'cost-spike')),
absent AS MATERIALIZED (
    SELECT DISTINCT ON (a.person_id) a.person_id, a.kind, a.delegate_id
    FROM people_absence a JOIN people_person p ON p.id = a.person_id
    WHERE a.cancelled_at IS NULL
      AND a.starts_on <= (p_now AT TIME ZONE 'UTC')::date + 1 AND a.ends_on >= (p_now AT TIME ZONE 'UTC')::date - 1
      AND incidents_day(p_now, p.time_zone) BETWEEN a.starts_on AND a.ends_on
    ORDER BY a.person_id, a.created_at DESC, a.id DESC),
away AS MATERIALIZED (SELECT person_id FROM absent WHERE kind = 'away'),
-- Who acts for each who is away or has delegated: delegate, deputy, line manager; nobody passes on what was passed on.
tried AS MATERIALIZED (
    SELECT a.person_id, a.kind, t.place, t.source, t.candidate_id,
        CASE WHEN c.id IS NULL THEN 'nobody' WHEN NOT c.is_active OR c.kind <> 'human' THEN 'inactive'
             WHEN EXISTS (SELECT FROM away w WHERE w.person_id = c.id) THEN 'absent' ELSE 'chosen' END AS outcome
    FROM absent a JOIN people_person p ON p.id = a.person_id
    CROSS JOIN LATERAL (VALUES (1, 'delegate', a.delegate_id), (2, 'deputy', p.deputy_id),
        (3, 'manager', p.line_manager_id)) AS t(place, source, candidate_id)
    LEFT JOIN people_person c ON c.id = t.candidate_id
    WHERE (t.source = 'delegate' AND a.delegate_id IS NOT NULL) OR (t.source <> 'delegate' AND a.kind = 'away')),
stand AS MATERIALIZED (
    SELECT a.person_id, a.kind, first.candidate_id AS acts_id, a.kind = 'away' AND first.candidate_id IS NULL AS gone,
        COALESCE(said.steps, '[]'::jsonb) AS steps
    FROM absent a
    LEFT JOIN LATERAL (SELECT t.candidate_id, t.place FROM tried t
        WHERE t.person_id = a.person_id AND t.outcome = 'chosen' ORDER BY t.place LIMIT 1) AS first ON true
    LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('step', t.source, 'person', t.candidate_id,
            'outcome', t.outcome) ORDER BY t.place) AS steps
        FROM tried t WHERE t.person_id = a.person_id AND t.place <= COALESCE(first.place, 3)) AS said ON true),
up(origin, unit_id, parent_id, name, head_id, height) AS (
    SELECT u.id, u.id, u.parent_id, u.name, u.head_id, 0 FROM registry_unit u
    WHERE u.id IN (SELECT DISTINCT unit_id FROM sys)
    UNION ALL
    SELECT up.origin, u.id, u.parent_id, u.name, u.head_id, up.height + 1
    FROM up JOIN registry_unit u ON u.id = up.parent_id),
head AS MATERIALIZED (
    SELECT DISTINCT ON (up.origin) up.origin, up.head_id, up.name
    FROM up JOIN people_person p ON p.id = up.head_id AND p.is_active AND p.kind = 'human'
    WHERE NOT EXISTS (SELECT FROM away w WHERE w.person_id = p.id) ORDER BY up.origin, up.height),
mandate AS MATERIALIZED (
    SELECT m.holder_id AS person_id, COALESCE(st.acts_id, m.holder_id) AS acts_id, COALESCE(st.gone, false) AS gone
    FROM (SELECT seat.holder_id FROM registry_mandate g JOIN people_seat seat ON seat.function_id = g.holder_id
          JOIN people_person p ON p.id = seat.holder_id AND p.is_active AND p.kind = 'human' LIMIT 1) AS m
    LEFT JOIN stand st ON st.person_id = m.holder_id),
-- The owner, or who acts for them; with nobody of their own, the heads of the units upward and the mandate.
owner AS MATERIALIZED (
    SELECT sys.id, sys.unit_id, sys.owner_id, sys.owner_basis, sys.regulatory_class,
        COALESCE(st.acts_id, CASE WHEN st.gone THEN COALESCE(head.head_id, CASE WHEN m.acts_id IS NOT NULL
            AND NOT m.gone THEN m.acts_id END) END, sys.owner_id) AS acts_id,
        COALESCE(st.gone, false) AND head.head_id IS NULL AND (m.acts_id IS NULL OR m.gone) AS alone,
        CASE WHEN st.person_id IS NULL THEN '[]'::jsonb ELSE
            jsonb_build_array(jsonb_build_object('step', 'absence', 'person', sys.owner_id, 'outcome', st.kind))
            || st.steps
            || CASE WHEN NOT st.gone THEN '[]'::jsonb
                    WHEN head.head_id IS NOT NULL THEN jsonb_build_array(jsonb_build_object('step', 'unit_head',
                        'label', head.name, 'person', head.head_id, 'outcome', 'chosen'))
                    WHEN m.acts_id IS NOT NULL AND NOT m.gone THEN jsonb_build_array(jsonb_build_object(
                        'step', 'mandate', 'person', m.acts_id, 'outcome', 'chosen'))
                    ELSE jsonb_build_array(jsonb_build_object('step', 'mandate', 'person', m.person_id,
                        'outcome', 'absent')) END
        END AS steps
    FROM sys LEFT JOIN stand st ON st.person_id = sys.owner_id
    LEFT JOIN head ON head.origin = sys.unit_id LEFT JOIN mandate m ON true),
-- The effective matrix: the most specific scope that says anything about the domain, and its A.
letter AS MATERIALIZED (
    SELECT r.system_id, NULL::bigint AS origin, r.domain_id, 1000000 AS depth, 'set on this system' AS source, r.letter,
        r.function_id, r.person_id, r.is_owner
    FROM registry_raciassignment r
    WHERE r.valid_to IS NULL AND r.system_id = ANY(p_systems) AND r.domain_id IN (SELECT domain FROM scen)
    UNION ALL
    SELECT NULL, up.origin, r.domain_id, 1000 - up.height, up.name, r.letter, r.function_id, r.person_id, r.is_owner
    FROM up JOIN registry_raciassignment r ON r.unit_id = up.unit_id AND r.system_id IS NULL
    WHERE r.valid_to IS NULL AND r.domain_id IN (SELECT domain FROM scen)
    UNION ALL
    SELECT NULL, NULL, r.domain_id, 0, 'organisation', r.letter, r.function_id, r.person_id, r.is_owner
    FROM scen JOIN registry_raciassignment r ON r.domain_id = scen.domain AND r.unit_id IS NULL AND r.system_id IS NULL
    WHERE r.valid_to IS NULL),
cell AS MATERIALIZED (
    SELECT DISTINCT ON (l.system_id, l.origin, l.domain_id) l.system_id, l.origin, l.domain_id, l.source,
        l.letter = 'A' AS has_a, CASE WHEN l.letter = 'A' THEN l.function_id END AS function_id,
        l.letter = 'A' AND l.is_owner AS is_owner,
        CASE WHEN l.letter = 'A' THEN COALESCE(l.person_id, seat.holder_id) END AS person_id
    FROM letter l LEFT JOIN people_seat seat ON seat.function_id = l.function_id
    ORDER BY l.system_id, l.origin, l.domain_id, l.depth DESC, (l.letter = 'A') DESC),
-- The most specific rule in force: system, class, unit upward, organisation; its own scenario before any.
rule AS MATERIALIZED (
    SELECT DISTINCT ON (k.id, k.scenario) k.id, k.scenario, k.rule_id, k.person_id, k.function_id, k.deputy_id, k.place
    FROM (
        SELECT sys.id, scen.scenario, r.id AS rule_id, COALESCE(r.lead_person_id, seat.holder_id) AS person_id,
            r.lead_function_id AS function_id, r.deputy_id, (r.scenario <> '') AS own,
            CASE WHEN r.system_id IS NOT NULL THEN 3000000 WHEN r.regulatory_class <> '' THEN 2000000
                 WHEN r.unit_id IS NOT NULL THEN 1000000 - up.height ELSE 0 END AS weight,
            CASE WHEN r.system_id IS NOT NULL THEN 'system' WHEN r.regulatory_class <> '' THEN 'class'
                 WHEN r.unit_id IS NOT NULL THEN 'unit' ELSE 'organisation' END AS place
        FROM incidents_responserule r
        JOIN scen ON r.scenario IN ('', scen.scenario)
        JOIN sys ON (r.system_id IS NULL OR r.system_id = sys.id)
            AND (r.regulatory_class = '' OR r.regulatory_class = sys.regulatory_class)
        LEFT JOIN up ON up.origin = sys.unit_id AND up.unit_id = r.unit_id
        LEFT JOIN people_seat seat ON seat.function_id = r.lead_function_id
        WHERE r.valid_to IS NULL AND (r.unit_id IS NULL OR up.unit_id IS NOT NULL)) AS k
    ORDER BY k.id, k.scenario, k.weight DESC, k.own DESC),
-- Each claim with whether its person can act: "" can, else why not.
claim AS MATERIALIZED (
    SELECT o.id, o.unit_id, o.owner_id, o.owner_basis, o.acts_id AS owner_acts_id, o.alone, o.steps AS owner_steps,
        scen.scenario, scen.domain, rule.rule_id, rule.place AS rule_place, rule.function_id AS rule_function,
        rule.person_id AS rule_person, rule.deputy_id AS rule_deputy,
        CASE WHEN rule.rule_id IS NULL THEN 'none' WHEN rule.person_id IS NULL THEN 'vacant'
             WHEN NOT rp.is_active OR rp.kind <> 'human' THEN 'inactive' WHEN COALESCE(rs.gone, false) THEN 'absent'
             ELSE 'chosen' END AS rule_outcome,
        COALESCE(rs.acts_id, rule.person_id) AS rule_acts, COALESCE(rs.steps, '[]'::jsonb) AS rule_steps,
        c.source AS cell_source, c.function_id AS cell_function, c.person_id AS cell_person,
        CASE WHEN scen.domain IS NULL THEN 'none' WHEN c.has_a IS NOT TRUE THEN 'nobody' WHEN c.is_owner THEN 'owner'
             WHEN c.person_id IS NULL THEN 'vacant' WHEN NOT cp.is_active OR cp.kind <> 'human' THEN 'inactive'
             WHEN COALESCE(cs.gone, false) THEN 'absent' ELSE 'chosen' END AS cell_outcome,
        COALESCE(cs.acts_id, c.person_id) AS cell_acts, COALESCE(cs.steps, '[]'::jsonb) AS cell_steps
    FROM owner o CROSS JOIN scen
    LEFT JOIN rule ON rule.id = o.id AND rule.scenario = scen.scenario
    LEFT JOIN people_person rp ON rp.id = rule.person_id
    LEFT JOIN stand rs ON rs.person_id = rule.person_id
    LEFT JOIN cell cs1 ON cs1.system_id = o.id AND cs1.domain_id = scen.domain
    LEFT JOIN cell cs2 ON cs2.origin = o.unit_id AND cs2.domain_id = scen.domain AND cs1.domain_id IS NULL
    LEFT JOIN cell cs3 ON cs3.system_id IS NULL AND cs3.origin IS NULL AND cs3.domain_id = scen.domain
        AND cs1.domain_id IS NULL AND cs2.domain_id IS NULL
    CROSS JOIN LATERAL (SELECT COALESCE(cs1.source, cs2.source, cs3.source) AS source,
        COALESCE(cs1.has_a, cs2.has_a, cs3.has_a) AS has_a,
        CASE WHEN cs1.domain_id IS NOT NULL THEN cs1.is_owner WHEN cs2.domain_id IS NOT NULL THEN cs2.is_owner
             ELSE cs3.is_owner END AS is_owner,
        CASE WHEN cs1.domain_id IS NOT NULL THEN cs1.function_id WHEN cs2.domain_id IS NOT NULL THEN cs2.function_id
             ELSE cs3.function_id END AS function_id,
        CASE WHEN cs1.domain_id IS NOT NULL THEN cs1.person_id WHEN cs2.domain_id IS NOT NULL THEN cs2.person_id
             ELSE cs3.person_id END AS person_id) AS c
    LEFT JOIN people_person cp ON cp.id = c.person_id
    LEFT JOIN stand cs ON cs.person_id = c.person_id),
lead AS MATERIALIZED (
    SELECT k.*,
        CASE WHEN k.rule_outcome = 'chosen' THEN k.rule_acts WHEN k.cell_outcome = 'chosen' THEN k.cell_acts
             ELSE k.owner_acts_id END AS lead_id,
        CASE WHEN k.rule_outcome = 'chosen' THEN NULLIF(k.rule_person, k.rule_acts)
             WHEN k.cell_outcome = 'chosen' THEN NULLIF(k.cell_person, k.cell_acts)
             ELSE NULLIF(k.owner_id, k.owner_acts_id) END AS acts_for_id,
        CASE WHEN k.rule_outcome = 'chosen' THEN 'rule' WHEN k.cell_outcome = 'chosen' THEN 'matrix'
             WHEN k.owner_acts_id <> k.owner_id THEN 'acting'
             WHEN k.owner_basis = 'accepted' THEN 'owner' ELSE 'interim' END AS basis,
        k.rule_outcome NOT IN ('none', 'chosen') OR (k.rule_outcome <> 'chosen'
            AND k.cell_outcome NOT IN ('none', 'owner', 'chosen')) AS is_fallback
    FROM claim k),
behind AS (
    SELECT l.*, d.id AS deputy_id, n.id AS next_id
    FROM lead l
    LEFT JOIN people_person lp ON lp.id = l.lead_id
    LEFT JOIN people_person ap ON ap.id = l.acts_for_id
    LEFT JOIN LATERAL (
        SELECT c.id FROM (VALUES (1, CASE WHEN l.rule_outcome = 'chosen' THEN l.rule_deputy END), (2, ap.deputy_id),
            (3, lp.deputy_id), (4, lp.line_manager_id), (5, ap.line_manager_id)) AS w(place, id)
        JOIN people_person c ON c.id = w.id AND c.is_active AND c.kind = 'human'
        WHERE c.id <> l.lead_id AND NOT EXISTS (SELECT FROM away a WHERE a.person_id = c.id)
        ORDER BY w.place LIMIT 1) AS d ON true
    LEFT JOIN head ON head.origin = l.unit_id
    LEFT JOIN mandate m ON true
    LEFT JOIN LATERAL (
        SELECT c.id FROM (VALUES (1, lp.line_manager_id), (2, head.head_id), (3, m.acts_id)) AS w(place, id)
        JOIN people_person c ON c.id = w.id AND c.is_active AND c.kind = 'human'
        WHERE c.id <> l.lead_id AND c.id IS DISTINCT FROM d.id
          AND NOT EXISTS (SELECT FROM away a WHERE a.person_id = c.id)
        ORDER BY w.place LIMIT 1) AS n ON true)
SELECT b.id, b.scenario, b.owner_id, b.lead_id, b.acts_for_id, b.deputy_id, b.next_id, b.basis,
    CASE WHEN b.basis = 'rule' THEN b.rule_id END, b.is_fallback,
    CASE WHEN b.rule_outcome = 'none' THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object('step', 'rule',
        'label', b.rule_place, 'party', b.rule_function, 'person', b.rule_person, 'rule', b.rule_id,
        'outcome', b.rule_outcome)) || b.rule_steps END
    || CASE WHEN b.basis = 'rule' OR b.cell_outcome = 'none' THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
        'step', 'matrix', 'label', b.cell_source, 'party', b.cell_function, 'person', b.cell_person,
        'outcome', b.cell_outcome)) || b.cell_steps END
    || CASE WHEN b.basis IN ('rule', 'matrix') THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
        'step', 'owner', 'label', b.owner_basis, 'person', b.owner_id,
        'outcome', CASE WHEN b.basis = 'acting' THEN 'passed' ELSE 'chosen' END)) || b.owner_steps END,
    array_remove(ARRAY[
        CASE WHEN b.owner_basis = 'interim' THEN 'interim' END,
        CASE WHEN b.rule_outcome IN ('vacant', 'inactive', 'absent') THEN 'rule_' || b.rule_outcome END,
        CASE WHEN b.basis <> 'rule' AND b.cell_outcome IN ('vacant', 'inactive', 'absent', 'nobody')
             THEN 'matrix_' || b.cell_outcome END,
        CASE WHEN b.basis NOT IN ('rule', 'matrix') AND b.alone THEN 'nobody_here' END,
        CASE WHEN b.deputy_id IS NULL THEN 'no_deputy' END], NULL)
FROM behind b
$$;
"""

# Written only where it says something else; `touch` also notes that it was looked at.
REFRESH = """
CREATE FUNCTION incidents_refresh_cards(p_systems bigint[], p_scenarios text[], p_now timestamptz, touch boolean)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    written integer;
BEGIN
    DELETE FROM incidents_responsecard c USING registry_system s
    WHERE c.system_id = ANY(p_systems) AND s.id = c.system_id AND s.stage IN ('proposed', 'retired');
    INSERT INTO incidents_responsecard AS c (system_id, scenario, owner_id, lead_id, acts_for_id, deputy_id,
        next_in_line_id, basis, rule_id, is_fallback, derivation, problems, computed_at)
    SELECT r.system_id, r.scenario, r.owner_id, r.lead_id, r.acts_for_id, r.deputy_id, r.next_in_line_id, r.basis,
        r.rule_id, r.is_fallback, r.derivation, r.problems, p_now
    FROM incidents_resolve(p_systems, p_scenarios, p_now) r ORDER BY r.system_id, r.scenario
    ON CONFLICT (system_id, scenario) DO UPDATE SET owner_id = EXCLUDED.owner_id, lead_id = EXCLUDED.lead_id,
        acts_for_id = EXCLUDED.acts_for_id, deputy_id = EXCLUDED.deputy_id,
        next_in_line_id = EXCLUDED.next_in_line_id, basis = EXCLUDED.basis, rule_id = EXCLUDED.rule_id,
        is_fallback = EXCLUDED.is_fallback, derivation = EXCLUDED.derivation, problems = EXCLUDED.problems,
        computed_at = EXCLUDED.computed_at
    WHERE touch OR (c.owner_id, c.lead_id, c.acts_for_id, c.deputy_id, c.next_in_line_id, c.basis, c.rule_id,
            c.is_fallback, c.derivation, c.problems)
        IS DISTINCT FROM (EXCLUDED.owner_id, EXCLUDED.lead_id, EXCLUDED.acts_for_id, EXCLUDED.deputy_id,
            EXCLUDED.next_in_line_id, EXCLUDED.basis, EXCLUDED.rule_id, EXCLUDED.is_fallback, EXCLUDED.derivation,
            EXCLUDED.problems);
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;
"""

# What a note means: which systems, and which scenarios of them.
SETTLE = """
CREATE FUNCTION incidents_all_scenarios() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['', 'data-access', 'harmful-decision', 'cost-spike', 'unsafe-action', 'quality-regression',
                 'provider-outage', 'complaint']
$$;
CREATE FUNCTION incidents_systems_under(p_units bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE down(id) AS (
        SELECT unnest(p_units) UNION SELECT u.id FROM registry_unit u JOIN down ON u.parent_id = down.id)
    SELECT s.id FROM registry_system s JOIN down ON s.unit_id = down.id
$$;
-- Systems on whose cards a person stands, or could: as owner, deputy, manager, head, by a letter, a rule or a seat.
CREATE FUNCTION incidents_systems_of(p_people uuid[]) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    WITH near AS MATERIALIZED (
        SELECT unnest(p_people) AS id
        UNION SELECT p.id FROM people_person p WHERE p.deputy_id = ANY(p_people) OR p.line_manager_id = ANY(p_people)
        UNION SELECT a.person_id FROM people_absence a WHERE a.cancelled_at IS NULL AND a.delegate_id = ANY(p_people)),
    everywhere AS (
        SELECT EXISTS (SELECT FROM near JOIN people_seat seat ON seat.holder_id = near.id
                JOIN registry_mandate m ON m.holder_id = seat.function_id)
            OR EXISTS (SELECT FROM near JOIN people_seat seat ON seat.holder_id = near.id
                JOIN registry_raciassignment r ON r.function_id = seat.function_id AND r.letter = 'A'
                    AND r.valid_to IS NULL
                    AND r.domain_id IN ('incident-data-access', 'incident-harmful-decision', 'incident-cost-spike'))
            OR EXISTS (SELECT FROM near JOIN incidents_responserule r ON r.valid_to IS NULL AND r.system_id IS NULL
                LEFT JOIN people_seat seat ON seat.function_id = r.lead_function_id
                WHERE near.id IN (r.lead_person_id, r.deputy_id, seat.holder_id))
            OR EXISTS (SELECT FROM near JOIN registry_raciassignment r ON r.person_id = near.id AND r.letter = 'A'
                AND r.valid_to IS NULL AND r.system_id IS NULL AND r.unit_id IS NULL
                AND r.domain_id IN ('incident-data-access', 'incident-harmful-decision', 'incident-cost-spike')) AS yes)
    SELECT s.id FROM registry_system s, everywhere e WHERE e.yes
    UNION SELECT s.id FROM near JOIN registry_system s ON s.owner_id = near.id
    UNION SELECT c.system_id FROM near JOIN incidents_responsecard c ON c.lead_id = near.id
    UNION SELECT r.system_id FROM near JOIN registry_raciassignment r ON r.person_id = near.id AND r.valid_to IS NULL
        AND r.system_id IS NOT NULL
    UNION SELECT r.system_id FROM incidents_responserule r LEFT JOIN people_seat seat
            ON seat.function_id = r.lead_function_id
        WHERE r.valid_to IS NULL AND r.system_id IS NOT NULL
          AND EXISTS (SELECT FROM near WHERE near.id IN (r.lead_person_id, r.deputy_id, seat.holder_id))
    UNION SELECT incidents_systems_under(ARRAY(
        SELECT u.id FROM near JOIN registry_unit u ON u.head_id = near.id
        UNION SELECT r.unit_id FROM near JOIN registry_raciassignment r ON r.person_id = near.id
            AND r.valid_to IS NULL AND r.unit_id IS NOT NULL))
$$;
CREATE FUNCTION incidents_settle_rows(p_transaction bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    kinds text[];
    systems bigint[];
    scenarios text[];
    everything boolean;
    written integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('incidents_response_cards'));
    WITH taken AS (DELETE FROM incidents_stalecard s WHERE p_transaction IS NULL OR s.transaction = p_transaction
                   RETURNING s.kind, s.keys),
    named AS (SELECT t.kind, k.key FROM taken t LEFT JOIN LATERAL unnest(t.keys) AS k(key) ON true)
    SELECT array_agg(DISTINCT kind),
        COALESCE(array_agg(DISTINCT key) FILTER (WHERE kind = 'scenario'), '{}'),
        COALESCE(bool_or(kind = 'all'), false),
        ARRAY(SELECT key::bigint FROM named WHERE kind = 'system' AND key IS NOT NULL
              UNION SELECT incidents_systems_of(ARRAY(SELECT key::uuid FROM named WHERE kind = 'person'))
                  WHERE EXISTS (SELECT FROM named WHERE kind = 'person')
              UNION SELECT incidents_systems_under(ARRAY(SELECT key::bigint FROM named WHERE kind = 'unit')))
    INTO kinds, scenarios, everything, systems FROM named;
    IF kinds IS NULL THEN RETURN 0; END IF;
    IF everything THEN
        RETURN incidents_refresh_cards(ARRAY(SELECT s.id FROM registry_system s), incidents_all_scenarios(),
                                       incidents_now(), false);
    END IF;
    IF cardinality(scenarios) > 0 THEN
        written := incidents_refresh_cards(ARRAY(SELECT s.id FROM registry_system s), scenarios, incidents_now(), false);
    END IF;
    IF cardinality(systems) > 0 THEN
        written := written + incidents_refresh_cards(systems, incidents_all_scenarios(), incidents_now(), false);
    END IF;
    RETURN written;
END $$;
CREATE FUNCTION incidents_settle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM incidents_stalecard s WHERE s.transaction = NEW.transaction) THEN
        PERFORM incidents_settle_rows(NEW.transaction);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    -- Nobody is kept from leaving, and nothing from being declared, because a card can't be worked out.
    RAISE WARNING 'response cards wait for the sweep: % (%)', SQLERRM, SQLSTATE;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER stale_cards_settle AFTER INSERT ON incidents_stalecard
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incidents_settle();
CREATE FUNCTION incidents_note(p_kind text, p_keys text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO incidents_stalecard (kind, keys, transaction)
    SELECT p_kind, p_keys, txid_current() WHERE p_kind = 'all' OR cardinality(p_keys) > 0
$$;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON incidents_responsecard, incidents_stalecard FROM govportal_app;
"""

# One note for each statement, whatever the number of rows.
NOTES = """
CREATE FUNCTION incidents_person_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('person', ARRAY(SELECT n.id::text FROM new_rows n JOIN old_rows o ON o.id = n.id
        WHERE (n.is_active, n.kind, n.deputy_id, n.line_manager_id, n.time_zone)
            IS DISTINCT FROM (o.is_active, o.kind, o.deputy_id, o.line_manager_id, o.time_zone)));
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_absence_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('person', ARRAY(SELECT DISTINCT n.person_id::text FROM new_rows n));
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_seat_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text[];
BEGIN
    SELECT array_agg(n.function_id) INTO changed FROM new_rows n JOIN old_rows o ON o.function_id = n.function_id
    WHERE n.holder_id IS DISTINCT FROM o.holder_id;
    IF changed IS NULL THEN RETURN NULL; END IF;
    IF EXISTS (SELECT FROM registry_mandate m WHERE m.holder_id = ANY(changed))
       OR EXISTS (SELECT FROM incidents_responserule r WHERE r.valid_to IS NULL AND r.lead_function_id = ANY(changed))
    THEN
        PERFORM incidents_note('all', '{}');
    ELSE
        PERFORM incidents_note('scenario', ARRAY(SELECT DISTINCT replace(r.domain_id, 'incident-', '')
            FROM registry_raciassignment r WHERE r.function_id = ANY(changed) AND r.letter = 'A' AND r.valid_to IS NULL
              AND r.domain_id IN ('incident-data-access', 'incident-harmful-decision', 'incident-cost-spike')));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_system_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('system', ARRAY(SELECT n.id::text FROM new_rows n));
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_system_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('system', ARRAY(SELECT n.id::text FROM new_rows n JOIN old_rows o ON o.id = n.id
        WHERE (n.stage, n.unit_id, n.owner_id, n.owner_basis, n.regulatory_class)
            IS DISTINCT FROM (o.stage, o.unit_id, o.owner_id, o.owner_basis, o.regulatory_class)));
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_unit_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('unit', ARRAY(SELECT n.id::text FROM new_rows n JOIN old_rows o ON o.id = n.id
        WHERE (n.head_id, n.parent_id) IS DISTINCT FROM (o.head_id, o.parent_id)));
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_letter_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('system', ARRAY(SELECT DISTINCT n.system_id::text FROM new_rows n
        WHERE n.system_id IS NOT NULL
          AND n.domain_id IN ('incident-data-access', 'incident-harmful-decision', 'incident-cost-spike')));
    PERFORM incidents_note('unit', ARRAY(SELECT DISTINCT n.unit_id::text FROM new_rows n
        WHERE n.unit_id IS NOT NULL
          AND n.domain_id IN ('incident-data-access', 'incident-harmful-decision', 'incident-cost-spike')));
    PERFORM incidents_note('scenario', ARRAY(SELECT DISTINCT replace(n.domain_id, 'incident-', '') FROM new_rows n
        WHERE n.unit_id IS NULL AND n.system_id IS NULL
          AND n.domain_id IN ('incident-data-access', 'incident-harmful-decision', 'incident-cost-spike')));
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_mandate_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('all', '{}');
    RETURN NULL;
END $$;
CREATE FUNCTION incidents_rule_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM incidents_note('system', ARRAY(SELECT n.system_id::text FROM new_rows n WHERE n.system_id IS NOT NULL));
    PERFORM incidents_note('unit', ARRAY(SELECT n.unit_id::text FROM new_rows n WHERE n.unit_id IS NOT NULL));
    IF EXISTS (SELECT FROM new_rows n WHERE n.system_id IS NULL AND n.unit_id IS NULL) THEN
        PERFORM incidents_note('all', '{}');
    END IF;
    RETURN NULL;
END $$;
"""

# Table, events, function.
_WATCHED = [
    ("people_person", "UPDATE", "person_changed"),
    ("people_absence", "INSERT", "absence_changed"),
    ("people_absence", "UPDATE", "absence_changed"),
    ("people_seat", "UPDATE", "seat_changed"),
    ("registry_system", "INSERT", "system_added"),
    ("registry_system", "UPDATE", "system_changed"),
    ("registry_unit", "UPDATE", "unit_changed"),
    ("registry_raciassignment", "INSERT", "letter_changed"),
    ("registry_raciassignment", "UPDATE", "letter_changed"),
    ("registry_mandate", "INSERT", "mandate_changed"),
    ("registry_mandate", "UPDATE", "mandate_changed"),
    ("incidents_responserule", "INSERT", "rule_changed"),
    ("incidents_responserule", "UPDATE", "rule_changed"),
]


def _watch(table: str, event: str, function: str) -> str:
    rows = "NEW TABLE AS new_rows" + (" OLD TABLE AS old_rows" if event == "UPDATE" else "")
    return (
        f"CREATE TRIGGER cards_{function}_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION incidents_{function}();"
    )


# The systems that are here already.
FILL = "SELECT incidents_note('all', '{}'); SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"

UNDO = """
DROP FUNCTION incidents_person_changed(), incidents_absence_changed(), incidents_seat_changed(),
    incidents_system_added(), incidents_system_changed(), incidents_unit_changed(), incidents_letter_changed(),
    incidents_mandate_changed(), incidents_rule_changed() CASCADE;
DROP FUNCTION incidents_settle() CASCADE;
DROP FUNCTION incidents_settle_rows(bigint), incidents_note(text, text[]), incidents_systems_of(uuid[]),
    incidents_systems_under(bigint[]), incidents_all_scenarios(),
    incidents_refresh_cards(bigint[], text[], timestamptz, boolean),
    incidents_resolve(bigint[], text[], timestamptz), incidents_now(), incidents_day(timestamptz, text);
GRANT INSERT, UPDATE, DELETE ON incidents_responsecard, incidents_stalecard TO govportal_app;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0002_incident_rules")]

    operations = [
        migrations.RunSQL(
            "\n".join([DAY, RESOLVE, REFRESH, SETTLE, NOTES, *(_watch(*one) for one in _WATCHED)]), UNDO
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
