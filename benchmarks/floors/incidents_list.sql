-- The first page of real incidents for somebody who sees all: live, then open, then over, the newest first in each.
SELECT code FROM incidents_incident
WHERE mode = 'real'
ORDER BY CASE WHEN state IN ('reported', 'triage', 'active', 'contained') THEN 0
    WHEN state IN ('resolved', 'in_review') THEN 1 ELSE 2 END, declared_at DESC, id DESC
LIMIT 25
