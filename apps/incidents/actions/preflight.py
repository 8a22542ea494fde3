"""The nightly look whether calling would work: for every live system and mandatory scenario, in one statement."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.audit.actions import record
from apps.audit.rules import SCHEDULER, Kind, Subject
from apps.common.clock import local_date
from apps.incidents.rules import MANDATORY
from apps.incidents.rules.plans import BUILT_IN
from apps.notify.queries.channels import TEST_HOLDS
from apps.people.queries import Presence
from apps.people.rules import LEAVING_SOON
from apps.registry.rules import NOT_LIVE

# Systems with the same people, unit and plan have the same faults: those are worked out once (`combo`). Who is meant by
# each target, and who is called for them, follows queries.paging.Roster; a test compares the two.
_PREFLIGHT_SQL = """
WITH RECURSIVE sys AS MATERIALIZED (
    SELECT s.id, s.unit_id, s.owner_id FROM registry_system s WHERE s.stage <> ALL(%(not_live)s::text[])),
up AS (
    SELECT u.id AS origin, u.id, u.parent_id, u.head_id, 0 AS height FROM registry_unit u
    UNION ALL
    SELECT up.origin, u.id, u.parent_id, u.head_id, up.height + 1 FROM up JOIN registry_unit u ON u.id = up.parent_id),
away AS MATERIALIZED (SELECT a.person, a.acts FROM jsonb_to_recordset(%(away)s::jsonb) AS a(person uuid, acts uuid)),
reached AS MATERIALIZED (
    SELECT DISTINCT c.person_id FROM notify_channel c LEFT JOIN notify_endpoint e ON e.id = c.endpoint_id
    WHERE c.removed_at IS NULL AND c.verified_at IS NOT NULL AND c.tested_at >= %(tested_since)s
      AND e.ended_at IS NULL),
mandate AS MATERIALIZED (
    SELECT seat.holder_id FROM registry_mandate g JOIN people_seat seat ON seat.function_id = g.holder_id
    JOIN people_person p ON p.id = seat.holder_id AND p.is_active LIMIT 1),
heads AS MATERIALIZED (
    SELECT h.origin, h.head_id, row_number() OVER (PARTITION BY h.origin ORDER BY h.height) AS place
    FROM (SELECT origin, head_id, min(height) AS height FROM (
              SELECT up.origin, up.head_id, up.height FROM up WHERE up.head_id IS NOT NULL
              UNION ALL SELECT u.id, m.holder_id, 1000000 FROM registry_unit u CROSS JOIN mandate m) AS every
          GROUP BY origin, head_id) AS h
    JOIN people_person p ON p.id = h.head_id AND p.is_active AND p.kind = 'human'
        AND (p.leaving_on IS NULL OR p.leaving_on > %(today)s::date + %(leaves)s::int)
    WHERE NOT EXISTS (SELECT FROM away a WHERE a.person = h.head_id)),
scen AS (SELECT unnest(%(scenarios)s::text[]) AS scenario),
plan AS MATERIALIZED (
    SELECT p.id, p.scenario, p.system_id, p.unit_id, p.steps FROM incidents_escalationplan p WHERE p.valid_to IS NULL
    UNION ALL SELECT 0, '-', NULL, NULL, %(built_in)s::jsonb),
unit_plan AS MATERIALIZED (
    SELECT DISTINCT ON (up.origin, scen.scenario) up.origin, scen.scenario, p.id
    FROM up CROSS JOIN scen JOIN plan p ON p.unit_id = up.id AND p.scenario IN ('', scen.scenario)
    ORDER BY up.origin, scen.scenario, up.height, p.scenario = ''),
wide_plan AS MATERIALIZED (
    SELECT DISTINCT ON (scen.scenario) scen.scenario, p.id FROM scen
    JOIN plan p ON p.unit_id IS NULL AND p.system_id IS NULL AND p.scenario IN ('', scen.scenario)
    ORDER BY scen.scenario, p.scenario = ''),
own_plan AS MATERIALIZED (
    SELECT DISTINCT ON (p.system_id, scen.scenario) p.system_id, scen.scenario, p.id FROM scen
    JOIN plan p ON p.system_id IS NOT NULL AND p.scenario IN ('', scen.scenario)
    ORDER BY p.system_id, scen.scenario, p.scenario = ''),
asked AS MATERIALIZED (
    SELECT s.id AS system_id, scen.scenario, s.unit_id, s.owner_id, c.lead_id,
        COALESCE(c.deputy_id, lead.deputy_id) AS deputy_id, lead.line_manager_id AS manager_id,
        COALESCE(own.id, unit.id, wide.id, 0) AS plan_id
    FROM sys s CROSS JOIN scen
    LEFT JOIN incidents_responsecard c ON c.system_id = s.id AND c.scenario = scen.scenario
    LEFT JOIN people_person lead ON lead.id = c.lead_id
    LEFT JOIN own_plan own ON own.system_id = s.id AND own.scenario = scen.scenario
    LEFT JOIN unit_plan unit ON unit.origin = s.unit_id AND unit.scenario = scen.scenario
    LEFT JOIN wide_plan wide ON wide.scenario = scen.scenario),
combo AS MATERIALIZED (
    SELECT row_number() OVER () AS id, k.* FROM (
        SELECT DISTINCT unit_id, owner_id, lead_id, deputy_id, manager_id, plan_id FROM asked
        WHERE lead_id IS NOT NULL) AS k),
aim AS MATERIALIZED (
    SELECT p.id AS plan_id, s.place - 1 AS step, t.aim ->> 'kind' AS kind, t.aim ->> 'seat' AS seat,
        (t.aim ->> 'person')::uuid AS person_id
    FROM plan p CROSS JOIN LATERAL jsonb_array_elements(p.steps) WITH ORDINALITY AS s(step, place)
    CROSS JOIN LATERAL jsonb_array_elements(s.step -> 'targets') AS t(aim)),
meant AS MATERIALIZED (
    SELECT k.id, k.lead_id, k.plan_id, a.step, a.kind, a.seat, CASE a.kind
            WHEN 'lead' THEN k.lead_id WHEN 'deputy' THEN k.deputy_id WHEN 'owner' THEN k.owner_id
            WHEN 'manager' THEN k.manager_id WHEN 'seat' THEN seat.holder_id WHEN 'person' THEN a.person_id
            ELSE CASE WHEN first.head_id IS DISTINCT FROM k.lead_id THEN first.head_id ELSE second.head_id END
        END AS person_id
    FROM combo k JOIN aim a ON a.plan_id = k.plan_id
    LEFT JOIN people_seat seat ON a.kind = 'seat' AND seat.function_id = a.seat
    LEFT JOIN heads first ON a.kind = 'function_head' AND first.origin = k.unit_id AND first.place = 1
    LEFT JOIN heads second ON a.kind = 'function_head' AND second.origin = k.unit_id AND second.place = 2),
found AS MATERIALIZED (
    SELECT m.*, p.is_active AND p.kind = 'human' AS active, a.person IS NOT NULL AS is_away,
        CASE WHEN NOT (p.is_active AND p.kind = 'human') THEN NULL
             WHEN a.person IS NULL THEN p.id ELSE a.acts END AS acts
    FROM meant m LEFT JOIN people_person p ON p.id = m.person_id LEFT JOIN away a ON a.person = m.person_id),
called AS MATERIALIZED (
    SELECT f.*, CASE WHEN f.kind IN ('deputy', 'manager', 'function_head') AND f.acts = f.lead_id THEN NULL
                     ELSE f.acts END AS who
    FROM found f),
fault AS (
    SELECT id, jsonb_build_object('code', 'empty_step', 'step', step + 1, 'plan', plan_id) AS one
    FROM called GROUP BY id, plan_id, step HAVING count(who) = 0
    UNION
    SELECT id, jsonb_build_object('code', 'vacant', 'seat', seat) FROM called
    WHERE kind = 'seat' AND person_id IS NULL
    UNION
    SELECT id, jsonb_build_object('code', 'inactive', 'person', person_id) FROM called
    WHERE kind IN ('seat', 'person') AND active IS FALSE
    UNION
    SELECT id, jsonb_build_object('code', 'uncovered', 'person', person_id) FROM called
    WHERE active AND is_away AND acts IS NULL
    UNION
    SELECT id, jsonb_build_object('code', 'untested', 'person', c.who) FROM called c
    WHERE c.who IS NOT NULL AND NOT EXISTS (SELECT FROM reached r WHERE r.person_id = c.who)),
by_combo AS MATERIALIZED (SELECT id, jsonb_agg(one ORDER BY one) AS faults FROM fault GROUP BY id),
looked AS (
    SELECT a.system_id, a.scenario, CASE WHEN a.lead_id IS NULL THEN '[{"code": "no_card"}]'::jsonb
        ELSE COALESCE(b.faults, '[]'::jsonb) END AS faults
    FROM asked a
    LEFT JOIN combo k ON (k.unit_id, k.owner_id, k.lead_id, k.plan_id) = (a.unit_id, a.owner_id, a.lead_id, a.plan_id)
        AND k.deputy_id IS NOT DISTINCT FROM a.deputy_id AND k.manager_id IS NOT DISTINCT FROM a.manager_id
    LEFT JOIN by_combo b ON b.id = k.id),
gone AS (
    DELETE FROM incidents_preflight p WHERE NOT EXISTS (
        SELECT FROM looked l WHERE l.system_id = p.system_id AND l.scenario = p.scenario)),
kept AS (
    INSERT INTO incidents_preflight (system_id, scenario, faults, checked_at)
    SELECT l.system_id, l.scenario, l.faults, %(now)s FROM looked l ORDER BY l.system_id, l.scenario
    ON CONFLICT (system_id, scenario) DO UPDATE SET faults = EXCLUDED.faults, checked_at = EXCLUDED.checked_at
    RETURNING system_id, faults)
SELECT count(DISTINCT system_id), count(DISTINCT system_id) FILTER (WHERE faults <> '[]'::jsonb) FROM kept
"""


@transaction.atomic
def run_preflight(*, now: datetime) -> int:
    """Look for every live system and mandatory scenario whether calling would work; the rows are replaced.

    Every target active, here or stood in for, reached by a verified channel that was tested within 90 days, and no step
    that calls nobody. Returns for how many systems something is wrong. Safe to run twice.
    """
    with connection.cursor() as cursor:
        # A guess at the rows of so many parts makes the planner compile for longer than the statement takes.
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_PREFLIGHT_SQL, _facts(now))
        checked, failing = cursor.fetchone()
    record(
        Kind.PREFLIGHT_RUN, actor=SCHEDULER, subject=Subject("preflight", "all", "Preflight of calling"), now=now,
        after={"systems": checked, "failing": failing},
    )  # fmt: skip
    return int(failing)


def _facts(now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "today": local_date(now),
        "leaves": LEAVING_SOON,
        "not_live": [stage.value for stage in NOT_LIVE],
        "scenarios": [scenario.value for scenario in MANDATORY],
        "tested_since": now - TEST_HOLDS,
        "built_in": json.dumps([step.as_json() for step in BUILT_IN.steps]),
        "away": json.dumps(list(_away(now))),
    }


def _away(now: datetime) -> Iterator[dict[str, str | None]]:
    """Who is away, and who is called in their place; nobody where nobody stands in. One query."""
    presence = Presence(now)
    for pk, absence in presence.absences.items():
        if presence.is_away(absence.person):
            acts = presence.acting(absence.person).acts
            yield {"person": str(pk), "acts": str(acts.pk) if presence.can_act(acts) else None}
