"""Incidents of three years over a register of any size, made by a few statements: real ones, drills and tests.

The rules that guard each row as it is written are switched off meanwhile, in this database alone: what is measured is
reading. One reader sees everything, the other a third of it by taking part.
"""

import json
import os
import sys
from typing import Any

import psycopg

from benchmarks.data import HALF

YEARS = 3
TABLES = (
    "incident", "exercise", "exercise_systems", "leadterm", "leadhandover", "escalation", "cardview", "review",
    "incidentclock", "clockanchor", "incidentuserpermission", "signature",
)  # fmt: skip

_EXERCISES_SQL = """
INSERT INTO incidents_exercise (code, type, title, scenario, objectives, facilitator_id, planned_at, announced,
    state, created_by_id, created_at, started_at, ended_at, decision_at, draft_at, outcome, strengths, weaknesses,
    summary, cancelled_reason, version)
SELECT 'EX-' || lpad(n::text, 6, '0'), 'tabletop', 'Tabletop ' || n, 'data-access', ARRAY['Find the lead'], f.id,
    at, true, 'aar_draft', f.id, at, at, at + interval '2 hours', at + (10 + n %% 50) * interval '1 minute',
    at + (60 + n %% 50) * interval '1 minute', '', '', '', '', '', 1
FROM generate_series(1, %(exercises)s) AS n
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - n * (%(span)s::interval / %(exercises)s) AS at) AS t
CROSS JOIN (SELECT id FROM people_person WHERE email = 'person7@example.org') AS f;
INSERT INTO incidents_exercise_systems (exercise_id, system_id)
SELECT e.id, s.id FROM incidents_exercise e
JOIN registry_system s
    ON s.key = 'SYS-' || lpad((1 + substring(e.code FROM 4)::int * 19 %% %(systems)s)::text, 6, '0');
"""

_INCIDENTS_SQL = """
INSERT INTO incidents_incident (number, mode, code, title, description, system_id, about, scenario, severity,
    classify_by, classified_at, state, visibility, declared_by_id, declared_as, declared_at, via, dedup_key, lead_id,
    lead_accepted_at, owner_id, basis, is_fallback, card, plan, active_at, contained_at, freeze_waiver, resolved_at,
    resolution, closed_at, dismissed_at, dismissed_because, dismissal_note, reopened, exercise_id, version)
SELECT n, mode, upper(CASE mode WHEN 'real' THEN 'inc' ELSE mode END) || '-' || lpad(n::text, 6, '0'),
    'It read letters of others, for the ' || n || 'th time', repeat('What is known so far. ', 12), s.id, '',
    (ARRAY['data-access', 'harmful-decision', 'cost-spike', ''])[1 + n %% 4],
    CASE WHEN taken THEN (ARRAY['sev1', 'sev2', 'sev3', 'sev4'])[1 + n %% 4] ELSE 'unclassified' END,
    at + interval '30 minutes', CASE WHEN taken THEN at + interval '10 minutes' END, said,
    CASE WHEN n %% 50 = 7 THEN 'restricted' WHEN n %% 50 = 8 THEN 'privileged' ELSE 'open' END,
    s.owner_id, 'An employee', at, 'portal', '', s.owner_id, CASE WHEN taken THEN at + n %% 19 * minute END, s.owner_id,
    'owner', false,
    jsonb_build_object('pad', (SELECT string_agg(md5((n * k)::text), '') FROM generate_series(1, 30) AS k)),
    '[{"after": 0, "targets": [{"kind": "lead"}], "channels": 3}]', CASE WHEN taken THEN at + 20 * minute END,
    CASE WHEN over OR said = 'resolved' THEN at + (30 + n %% 97) * minute END, '',
    CASE WHEN over OR said = 'resolved' THEN at + (120 + n %% 997) * minute END,
    CASE WHEN over OR said = 'resolved' THEN 'Narrowed.' ELSE '' END,
    CASE WHEN over THEN at + interval '6 days' END, CASE WHEN said = 'dismissed' THEN at + interval '1 hour' END,
    CASE WHEN said = 'dismissed' THEN 'benign' ELSE '' END, '', 0, e.id, 1
FROM generate_series(1, %(incidents)s) AS n
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - n * (%(span)s::interval / %(incidents)s) AS at,
    interval '1 minute' AS minute,
    CASE WHEN n %% 20 = 0 THEN 'drill' WHEN n %% 200 = 1 THEN 'test' ELSE 'real' END AS mode,
    CASE WHEN n <= 60 THEN (ARRAY['reported', 'triage', 'active'])[1 + n %% 3] WHEN n <= 900 THEN 'resolved'
        WHEN n %% 12 = 5 THEN 'dismissed' ELSE 'closed' END AS said) AS one
CROSS JOIN LATERAL (SELECT said NOT IN ('reported', 'triage', 'dismissed') AS taken, said = 'closed' AS over) AS two
JOIN registry_system s ON s.key = 'SYS-' || lpad((1 + n * 7 %% %(systems)s)::text, 6, '0')
LEFT JOIN incidents_exercise e ON mode = 'drill'
    AND e.code = 'EX-' || lpad((1 + n / 20 %% %(exercises)s)::text, 6, '0');
INSERT INTO incidents_leadterm (incident_id, person_id, basis, proposed_at, accepted_at, ended_at, ended_because,
    reason)
SELECT id, lead_id, basis, declared_at, lead_accepted_at,
    CASE WHEN state IN ('closed', 'dismissed') THEN COALESCE(resolved_at, dismissed_at) END,
    CASE WHEN state IN ('closed', 'dismissed') THEN 'over' ELSE '' END, '' FROM incidents_incident;
INSERT INTO incidents_leadterm (incident_id, person_id, basis, proposed_at, ended_at, ended_because, reason)
SELECT id, owner_id, 'owner', declared_at, declared_at + interval '9 minutes', 'declined', 'On the road.'
FROM incidents_incident WHERE number %% 9 = 0;
INSERT INTO incidents_leadhandover (incident_id, outgoing_id, incoming_id, briefing, state, reason, asked_at,
    answered_at)
SELECT i.id, i.lead_id, p.id, 'All is said.', 'taken', '', i.declared_at, i.declared_at + interval '3 hours'
FROM incidents_incident i JOIN people_person p ON p.email = 'person9@example.org'
WHERE i.number %% 11 = 0 AND p.id <> i.lead_id;
INSERT INTO incidents_escalation (incident_id, state, round, lap, step, began_at, due_at, first_page_at, first_ack_at)
SELECT id, 'stopped', 1, 0, 1, declared_at, NULL, declared_at + interval '2 seconds',
    CASE WHEN number %% 5 > 0 THEN declared_at + (20 + number %% 600) * interval '1 second' END FROM incidents_incident;
INSERT INTO incidents_cardview (incident_id, person_id, at)
SELECT id, lead_id, declared_at + (1 + number %% 90) * interval '1 second' FROM incidents_incident
WHERE number %% 4 > 0;
INSERT INTO incidents_review (incident_id, required_by, facilitator_id, lead_id, due_on, state, timeline_ok, summary,
    causes, contributing_factors, what_worked, opened_at, skip_reason, version)
SELECT i.id, 'Severity 1', p.id, i.lead_id, (i.resolved_at + interval '7 days')::date, 'open', false, '', '', '', '',
    i.resolved_at, '', 1
FROM incidents_incident i JOIN people_person p ON p.email = 'person11@example.org'
WHERE i.resolved_at IS NOT NULL AND i.number %% 4 = 0 AND i.lead_id <> p.id;
INSERT INTO incidents_signature (kind, incident_id, statement, payload, payload_sha256, person_id, signer_name,
    signer_function, method, signed_at)
SELECT 'not_reportable', id, 'It is not reported.', '{}', encode(sha256('{}'), 'hex'), owner_id, 'Owner', '',
    'password', declared_at + interval '9 hours' FROM incidents_incident WHERE mode = 'real' AND number > 900;
INSERT INTO incidents_incidentclock (incident_id, rule_id, state, opened_at, assess_by, decides_id, anchor_at, due_at,
    decision, decided_by_id, decided_at, signature_id, submission_ref, submitted_at, submitted_by_id, late_reason,
    alerted)
SELECT i.id, r.id, CASE WHEN i.number <= 900 THEN 'assessing' WHEN sent THEN 'submitted' ELSE 'not_reportable' END,
    i.declared_at, i.declared_at + interval '1 day', i.owner_id, CASE WHEN sent THEN i.declared_at END,
    CASE WHEN sent THEN i.declared_at + interval '3 days' END,
    CASE WHEN i.number > 900 THEN 'It is said why.' ELSE '' END, CASE WHEN i.number > 900 THEN i.owner_id END,
    CASE WHEN i.number > 900 THEN i.declared_at + interval '9 hours' END, CASE WHEN NOT sent THEN g.id END,
    CASE WHEN sent THEN 'REF-' || i.number ELSE '' END, CASE WHEN sent THEN i.declared_at + interval '30 hours' END,
    CASE WHEN sent THEN i.owner_id END, '', 0
FROM incidents_incident i CROSS JOIN (SELECT id FROM incidents_clockrule WHERE replaced_at IS NULL
    AND anchor <> 'prev_submission' AND status = 'in_force' ORDER BY key LIMIT 2) AS r
CROSS JOIN LATERAL (SELECT i.number > 900 AND i.number %% 3 = 0 AS sent) AS t
LEFT JOIN incidents_signature g ON g.incident_id = i.id
WHERE i.mode = 'real';
INSERT INTO incidents_incidentuserpermission (permission_id, user_id, content_object_id)
SELECT p.id, u.id, i.id FROM incidents_incident i
JOIN auth_permission p ON p.codename = 'take_part_in_incident' JOIN people_person u ON u.email = %(half)s
WHERE i.number %% 3 = 0;
"""


def load(incidents: int, systems: int) -> None:
    """Fill in as the owner. The register is there already."""
    import django

    django.setup()
    from apps.common import clock

    facts: dict[str, Any] = {
        "now": clock.now(), "incidents": incidents, "systems": systems, "exercises": max(1, incidents // 60),
        "span": f"{YEARS} years", "half": HALF,
    }  # fmt: skip
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        for table in TABLES:
            owner.execute(f"ALTER TABLE incidents_{table} DISABLE TRIGGER USER".encode())
        for statements in (_EXERCISES_SQL, _INCIDENTS_SQL):
            for statement in filter(str.strip, statements.split(";\n")):
                owner.execute(statement.encode(), facts)


if __name__ == "__main__":
    load(*(int(one) for one in sys.argv[1:3]))
    print(json.dumps("done"))
