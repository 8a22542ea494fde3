-- A campaign's progress, counted bare: one row a unit and tier. Parameters: campaign, today.
SELECT unit_id, tier, count(*) AS total,
       sum((state IN ('submitted', 'accepted', 'sealed'))::int) AS signed,
       sum((state IN ('in_progress', 'changes_requested') AND due_on >= %(today)s)::int) AS in_progress,
       sum((state = 'pending' AND due_on >= %(today)s)::int) AS not_started,
       sum((state IN ('pending', 'in_progress', 'changes_requested') AND due_on < %(today)s)::int) AS overdue,
       sum((state = 'not_attested')::int) AS not_attested,
       sum((owner_basis = 'interim')::int) AS interim,
       sum((result = 'clean')::int) AS clean, sum((result = 'qualified')::int) AS qualified,
       sum(coalesce(late_days > 0, false)::int) AS late,
       sum((state IN ('accepted', 'sealed'))::int) AS accepted,
       sum((state = 'changes_requested')::int) AS sent_back
FROM attestations_assignment
WHERE campaign_id = %(campaign)s AND state <> 'reassigned'
GROUP BY unit_id, tier ORDER BY unit_id, tier
