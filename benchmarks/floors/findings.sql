-- How many of each there are: the least that a check of who answers has to look at.
SELECT 'interim-too-long', count(*) FROM registry_system s
WHERE s.stage NOT IN ('proposed', 'retired') AND s.owner_basis = 'interim'
  AND NOT EXISTS (SELECT FROM registry_ownershipterm t WHERE t.system_id = s.id AND t.basis = 'accepted'
                  AND upper(t.period) >= %(now)s::timestamptz - interval '30 days')
  AND EXISTS (SELECT FROM registry_ownershipterm t WHERE t.system_id = s.id
              AND lower(t.period) < %(now)s::timestamptz - interval '30 days')
UNION ALL
SELECT 'nomination-overdue', count(*) FROM registry_nomination
WHERE state = 'open' AND due_on < (%(now)s::timestamptz AT TIME ZONE 'UTC')::date
UNION ALL
SELECT 'cover.no_deputy', count(DISTINCT s.owner_id) FROM registry_system s JOIN people_person p ON p.id = s.owner_id
WHERE s.stage NOT IN ('proposed', 'retired') AND p.deputy_id IS NULL
UNION ALL
SELECT 'unit-without-head', count(*) FROM registry_unit u LEFT JOIN people_person p ON p.id = u.head_id
WHERE p.is_active IS NOT TRUE AND EXISTS (
    SELECT FROM registry_system s WHERE s.unit_id = u.id AND s.stage NOT IN ('proposed', 'retired'))
