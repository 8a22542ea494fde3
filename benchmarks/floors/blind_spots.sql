-- The least that PostgreSQL has to do for the map of blind spots: no reader, no Django, nothing but the numbers.
-- Everything is counted as the organisation's matrix has it, then units and systems that differ are moved over.
-- Returns the same rows as apps.registry.queries.blind_spots.counts_by_domain for somebody who sees every system.
WITH RECURSIVE a AS MATERIALIZED (
    SELECT r.domain_id, r.unit_id, r.system_id,
        coalesce(max(CASE
            WHEN r.letter <> 'A' THEN NULL
            WHEN r.is_owner THEN 'owners'
            WHEN seat.holder_id IS NOT NULL THEN r.function_id
            WHEN p.is_active AND p.kind = 'human' THEN coalesce((
                SELECT f.code FROM people_person_functions m JOIN people_function f ON f.code = m.function_id
                WHERE m.person_id = p.id ORDER BY f.position LIMIT 1), 'people')
        END), 'nobody') AS party,
        coalesce(max(CASE WHEN r.letter = 'A' THEN coalesce('vacant:' || r.function_id,
            CASE WHEN r.person_id IS NOT NULL THEN 'inactive' END) END), 'none') AS cause
    FROM registry_raciassignment r
    LEFT JOIN people_seat seat ON seat.function_id = r.function_id
    LEFT JOIN people_person p ON p.id = r.person_id
    WHERE r.valid_to IS NULL
    GROUP BY r.domain_id, r.unit_id, r.system_id),
n AS MATERIALIZED (
    SELECT unit_id, owner_basis, count(*) AS n FROM registry_system
    WHERE stage NOT IN ('proposed', 'retired') GROUP BY unit_id, owner_basis),
up(unit_id, above, height) AS (
    SELECT id, id, 0 FROM registry_unit
    UNION ALL SELECT up.unit_id, u.parent_id, up.height + 1 FROM up JOIN registry_unit u ON u.id = up.above
    WHERE u.parent_id IS NOT NULL),
org AS MATERIALIZED (
    SELECT d.key AS domain_id, coalesce(a.party, 'nobody') AS party, coalesce(a.cause, 'none') AS cause
    FROM registry_governancedomain d
    LEFT JOIN a ON a.domain_id = d.key AND a.unit_id IS NULL AND a.system_id IS NULL),
differs AS MATERIALIZED (
    SELECT DISTINCT ON (up.unit_id, a.domain_id) up.unit_id, a.domain_id, a.party, a.cause
    FROM a JOIN up ON up.above = a.unit_id ORDER BY up.unit_id, a.domain_id, up.height),
own AS MATERIALIZED (
    SELECT a.domain_id, a.party, a.cause, s.owner_basis, s.unit_id, count(*) AS n
    FROM a JOIN registry_system s ON s.id = a.system_id
    WHERE s.stage NOT IN ('proposed', 'retired') GROUP BY 1, 2, 3, 4, 5),
moved AS (
    SELECT domain_id, party, cause, owner_basis, n FROM org CROSS JOIN n
    UNION ALL SELECT domain_id, party, cause, owner_basis, n FROM differs JOIN n USING (unit_id)
    UNION ALL SELECT domain_id, org.party, org.cause, owner_basis, -n
        FROM differs JOIN n USING (unit_id) JOIN org USING (domain_id)
    UNION ALL SELECT domain_id, party, cause, owner_basis, n FROM own
    UNION ALL SELECT own.domain_id, coalesce(d.party, org.party), coalesce(d.cause, org.cause), own.owner_basis, -own.n
        FROM own JOIN org USING (domain_id)
        LEFT JOIN differs d ON d.unit_id = own.unit_id AND d.domain_id = own.domain_id)
SELECT domain_id,
    CASE WHEN party = 'owners' AND owner_basis <> 'accepted' THEN 'nobody' ELSE party END AS holder,
    CASE WHEN party = 'owners' AND owner_basis <> 'accepted' THEN 'owner'
         WHEN party = 'nobody' THEN cause ELSE '' END AS why,
    sum(n)::bigint
FROM moved GROUP BY 1, 2, 3 HAVING sum(n) > 0 ORDER BY 1, 2, 3
