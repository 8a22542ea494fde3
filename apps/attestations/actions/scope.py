"""Freezing the scope: every live system with what is known about it, in one statement."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from apps.attestations.models import Campaign
from apps.attestations.queries.scope import scope_sql
from apps.attestations.rules import canonical_facts
from apps.common.clock import local_date
from apps.common.workdays import add_working_days
from apps.registry.models import System, Unit
from apps.registry.rules import NOT_LIVE, SCENARIO_DOMAIN, Cell, most_specific

# Stands for the owner in the text of the leads. JSON escapes control characters, so it occurs nowhere else.
OWNER = "\x01"

# What makes an attestation stale, and what else tells a changed system from an unchanged one, as one JSON object.
MATERIAL = """jsonb_build_object(
    'owner', s.owner_id, 'basis', s.owner_basis, 'unit', s.unit_id, 'tier', s.tier, 'stage', s.stage,
    'regulatory_class', s.regulatory_class, 'operating_model', s.operating_model, 'vendor', s.vendor,
    'model', s.model, 'purpose', s.purpose, 'deputy', d.id, 'identities', to_jsonb(coalesce(i.found, '{}')))"""

# The facts in canonical form (RFC 8785), put together in the statement: keys in order, no blanks, and texts escaped
# as to_json does, which is as the standard wants it (a test compares with the canonical form of a library).
_FACTS = f"""concat('{{"at":', to_json(%(at)s::text), ',"deputy":', CASE WHEN d.id IS NULL THEN 'null' ELSE
    concat('{{"id":', to_json(d.id), ',"name":', to_json(d.display_name), '}}') END,
    ',"exceptions":{{"open":', coalesce(e.open, 0), ',"overdue":', coalesce(e.overdue, 0),
    '}},"gaps":', coalesce('[' || array_to_string(ARRAY(SELECT to_json(one)::text FROM unnest(w.found) AS one), ',')
    || ']', '[]'),
    ',"identities":', coalesce('[' || array_to_string(ARRAY(SELECT to_json(one)::text FROM unnest(i.found) AS one),
    ',') || ']', '[]'),
    ',"key":', to_json(s.key), ',"last":', coalesce(p.last, 'null'), ',"leads":', replace(
        coalesce(own.leads, general.leads), '{OWNER}',
        concat('"id":', to_json(s.owner_id), ',"name":', to_json(o.display_name), ',"party":"System owner"')),
    ',"model":', to_json(s.model), ',"name":', to_json(s.name), ',"operating_model":', to_json(s.operating_model),
    ',"owner":{{"basis":', to_json(s.owner_basis), ',"id":', to_json(s.owner_id), ',"name":', to_json(o.display_name),
    ',"since":', coalesce(to_json(to_char(lower(t.period) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'))::text,
    'null'), '}},"purpose":', to_json(s.purpose), ',"regulatory_class":', to_json(s.regulatory_class),
    ',"response":{{"drilled_on":', coalesce(to_json(r.drilled_on)::text, 'null'),
    ',"incidents":', coalesce(r.incidents, 0), ',"open":', coalesce(r.open, 0),
    ',"stop_tested_on":', coalesce(to_json(r.stop_tested_on)::text, 'null'),
    '}},"stage":', to_json(s.stage), ',"tier":', to_json(s.tier),
    ',"unit":{{"id":', s.unit_id, ',"name":', to_json(u.name), '}},"v":"3","vendor":', to_json(s.vendor), '}}')"""

# One statement, so one moment. `before` is what the campaign before froze and what became of it.
_SNAPSHOT_SQL = f"""
WITH general AS (SELECT * FROM unnest(%(units)s::bigint[], %(unit_leads)s::text[]) AS g (unit_id, leads)),
own AS (SELECT * FROM unnest(%(systems)s::bigint[], %(system_leads)s::text[]) AS g (system_id, leads)),
identities AS (
    SELECT system_id, array_agg(kind || ': ' || value ORDER BY kind, value) AS found
    FROM registry_systemidentity GROUP BY system_id),
undone AS (
    SELECT a.system_id, count(*) AS open, count(*) FILTER (WHERE x.due_on < %(today)s) AS overdue
    FROM attestations_attestationexception x JOIN attestations_assignment a ON a.id = x.assignment_id
    WHERE x.state IN ('requested', 'approved', 'refused') GROUP BY a.system_id),
-- What happened, what was rehearsed: real incidents of this quarter, the last drill that ended, the stop's last test.
response AS (
    SELECT x.system_id, sum(x.incidents) AS incidents, sum(x.open) AS open, max(x.drilled_on) AS drilled_on,
        max(x.stop_tested_on) AS stop_tested_on
    FROM (
        SELECT n.system_id, count(*) FILTER (WHERE n.declared_at >= date_trunc('quarter', %(now)s AT TIME ZONE %(zone)s)
                AT TIME ZONE %(zone)s) AS incidents,
            count(*) FILTER (WHERE n.state <> 'closed') AS open, NULL::date AS drilled_on, NULL::date AS stop_tested_on
        FROM incidents_incident n
        WHERE n.mode = 'real' AND n.state NOT IN ('dismissed', 'merged') AND n.system_id IS NOT NULL
          AND n.visibility <> 'privileged'
        GROUP BY n.system_id
        UNION ALL
        SELECT es.system_id, 0, 0, max((e.ended_at AT TIME ZONE %(zone)s)::date), NULL
        FROM incidents_exercise e JOIN incidents_exercise_systems es ON es.exercise_id = e.id
        WHERE e.ended_at IS NOT NULL GROUP BY es.system_id
        UNION ALL
        SELECT f.system_id, 0, 0, NULL, f.stop_tested_on FROM incidents_responseprofile f
        WHERE f.stop_tested_on IS NOT NULL) AS x
    GROUP BY x.system_id),
-- What reviews found about who answers, and what is not put right.
wrong AS (
    SELECT g.system_id, array_agg(g.title ORDER BY g.id) AS found FROM findings_finding g
    WHERE g.code = 'ownership-gap' AND g.state <> 'closed' AND g.system_id IS NOT NULL GROUP BY g.system_id),
before AS (
    SELECT DISTINCT ON (b.system_id) b.system_id, b.material, CASE WHEN a.submitted_at IS NOT NULL THEN concat(
        '{{"campaign":', to_json(c.code), ',"on":',
        to_json(to_char(a.submitted_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD')),
        ',"result":', to_json(a.result), '}}') WHEN a.state = 'not_attested' THEN concat(
        '{{"campaign":', to_json(c.code), ',"on":null,"result":"not_attested"}}') END AS last
    FROM attestations_scopesnapshot b
    JOIN attestations_campaign c ON c.id = b.campaign_id
    LEFT JOIN attestations_assignment a ON a.snapshot_id = b.id AND a.state <> 'reassigned'
    WHERE <before> ORDER BY b.system_id, b.taken_at DESC, b.number DESC)
INSERT INTO attestations_scopesnapshot
    (campaign_id, system_id, number, is_supplement, facts, sha256, material, delta, changes, taken_at)
SELECT %(campaign)s, s.id, <number>, %(supplement)s, f.text, encode(sha256(convert_to(f.text, 'UTF8')), 'hex'),
    m.now, CASE WHEN p.system_id IS NULL THEN 'new' WHEN jsonb_array_length(m.changes) > 0 THEN 'changed'
    ELSE 'unchanged' END, m.changes, %(now)s
FROM registry_system s
JOIN registry_unit u ON u.id = s.unit_id
JOIN people_person o ON o.id = s.owner_id
LEFT JOIN people_person d ON d.id = o.deputy_id AND d.is_active
LEFT JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
LEFT JOIN identities i ON i.system_id = s.id
LEFT JOIN undone e ON e.system_id = s.id
LEFT JOIN wrong w ON w.system_id = s.id
LEFT JOIN response r ON r.system_id = s.id
LEFT JOIN before p ON p.system_id = s.id
LEFT JOIN own ON own.system_id = s.id
JOIN general ON general.unit_id = s.unit_id
CROSS JOIN LATERAL (SELECT {_FACTS} AS text) AS f
CROSS JOIN LATERAL (SELECT {MATERIAL} AS now) AS mat
CROSS JOIN LATERAL (SELECT mat.now, CASE WHEN p.material = mat.now OR p.material IS NULL THEN '[]'::jsonb ELSE
    coalesce((SELECT jsonb_agg(k.key ORDER BY k.key) FROM jsonb_each(p.material) AS k
              WHERE mat.now ? k.key AND mat.now->k.key <> k.value), '[]') END AS changes) AS m
WHERE s.stage <> ALL(%(not_live)s) AND (<condition>)
ORDER BY s.key COLLATE "C"
"""

# What was frozen is what is asked: owner, tier and unit are those of the same statement. Every critical system is
# sampled; of the others the share with the lowest hash of secret and key.
_ASSIGNMENT_SQL = """
INSERT INTO attestations_assignment (campaign_id, system_id, snapshot_id, person_id, owner_basis, tier, unit_id, due_on,
    delta, sampled, because, state, result, round, opened_at, stale_because, version)
SELECT n.campaign_id, n.system_id, n.id, (n.material->>'owner')::uuid, n.material->>'basis', n.material->>'tier',
    (n.material->>'unit')::bigint, greatest(%(earliest)s, CASE n.material->>'tier' WHEN 'critical' THEN %(critical)s
    WHEN 'high' THEN %(high)s ELSE %(rest)s END), n.delta, CASE WHEN n.material->>'tier' = 'critical' THEN 'critical'
    WHEN n.place <= ceil(n.others * %(percent)s / 100.0) THEN 'random' ELSE '' END,
    '', 'pending', '', 1, %(now)s, '[]', 0
FROM (
    SELECT x.*, count(*) OVER tier AS others,
        row_number() OVER (tier ORDER BY sha256(convert_to(%(seed)s || ':' || y.key, 'UTF8'))) AS place
    FROM attestations_scopesnapshot x JOIN registry_system y ON y.id = x.system_id
    WHERE x.campaign_id = %(campaign)s AND NOT EXISTS (
        SELECT FROM attestations_assignment a WHERE a.snapshot_id = x.id)
    WINDOW tier AS (PARTITION BY x.material->>'tier' = 'critical')) AS n
ORDER BY n.id
"""
_RETIRED_SQL = """
INSERT INTO attestations_retiredsystem (campaign_id, system_id, previous_id, stage)
SELECT DISTINCT ON (s.id) %(campaign)s, s.id, b.id, s.stage
FROM attestations_scopesnapshot b JOIN registry_system s ON s.id = b.system_id
WHERE b.campaign_id = %(before)s AND s.stage = ANY(%(not_live)s) ORDER BY s.id, b.number DESC
"""
_FROZEN_SQL = """
SELECT count(*), count(*) FILTER (WHERE n.material->>'basis' = 'interim'), coalesce(encode(sha256(convert_to(
    string_agg(s.key || ' ' || n.sha256 || E'\\n', '' ORDER BY s.key COLLATE "C"), 'UTF8')), 'hex'), '')
FROM attestations_scopesnapshot n JOIN registry_system s ON s.id = n.system_id
WHERE n.campaign_id = %(campaign)s AND NOT n.is_supplement
"""

# The letters in force for what can go wrong, wherever they are set.
_LEADS_SQL = """
SELECT r.domain_id, r.letter, r.unit_id, r.system_id, r.is_owner, COALESCE(f.seat_title, ''),
       COALESCE(r.person_id, seat.holder_id)::text, COALESCE(p.display_name, holder.display_name)
FROM registry_raciassignment r
LEFT JOIN people_function f ON f.code = r.function_id
LEFT JOIN people_seat seat ON seat.function_id = r.function_id
LEFT JOIN people_person holder ON holder.id = seat.holder_id
LEFT JOIN people_person p ON p.id = r.person_id
WHERE r.valid_to IS NULL AND r.domain_id = ANY(%s)
ORDER BY r.id
"""

Row = tuple[Any, ...]
# What is asked for late is due this many working days later.
SUPPLEMENT_DAYS = 10
NOT_LIVE_VALUES = [stage.value for stage in NOT_LIVE]


class Leads:
    """Who leads each scenario for a system: the most specific scope that says anything. Read once for all."""

    def __init__(self) -> None:
        self.parents = dict(Unit.objects.values_list("pk", "parent_id"))
        self.by_scope: dict[tuple[str, int | None], list[Row]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_LEADS_SQL, [list(SCENARIO_DOMAIN.values())])
            for row in cursor.fetchall():
                scope = ("system", row[3]) if row[3] else ("unit", row[2]) if row[2] else ("organisation", None)
                self.by_scope.setdefault(scope, []).append(row)
        own = [system for kind, system in self.by_scope if kind == "system" and system]
        self._unit_of: dict[int, int] = dict(System.objects.filter(pk__in=own).values_list("pk", "unit_id"))

    def texts(self) -> dict[str, list[Any]]:
        """The leads as canonical JSON for the statement: by unit, and by system where it has letters of its own."""
        own = [(system, self._unit_of[system]) for kind, system in self.by_scope if kind == "system" and system]
        return {
            "units": list(self.parents),
            "unit_leads": [self._text(_accountable(self._above(unit))) for unit in self.parents],
            "systems": [system for system, _ in own],
            "system_leads": [self._text(_accountable(self._with_own(system, unit))) for system, unit in own],
        }

    def _with_own(self, system: int, unit: int) -> list[tuple[int, Row]]:
        return [*self._above(unit), *((1_000_000, row) for row in self.by_scope[("system", system)])]

    def _text(self, accountable: dict[str, Row]) -> str:
        parts = []
        for scenario, domain in sorted((scenario.value, domain) for scenario, domain in SCENARIO_DOMAIN.items()):
            row = accountable.get(domain)
            text = "null" if row is None else f"{{{OWNER}}}" if row[4] else canonical_facts(_party(row))
            parts.append(f'"{scenario}":{text}')
        return f"{{{','.join(parts)}}}"

    def _above(self, unit: int) -> list[tuple[int, Row]]:
        """Letters of the unit and of everything above it, with their depth."""
        found = [(0, row) for row in self.by_scope.get(("organisation", None), [])]
        at: int | None = unit
        depth = 1000
        while at is not None:
            found += [(depth, row) for row in self.by_scope.get(("unit", at), [])]
            at, depth = self.parents[at], depth - 1
        return found


def _accountable(rows: list[tuple[int, Row]]) -> dict[str, Row]:
    """Domain -> the letter A in the most specific scope that says anything about it."""
    kept = most_specific([Cell(row[0], row[1], "", depth) for depth, row in rows])
    deepest = {cell.domain: cell.depth for cell in kept}
    return {row[0]: row for depth, row in rows if row[1] == "A" and depth == deepest[row[0]]}


def _party(row: Row) -> dict[str, Any]:
    return {"party": row[5], "id": row[6], "name": row[7]}


@dataclass
class Frozen:
    """What was frozen: how many systems, how many with an interim owner, how many left, and the hash of it all."""

    systems: int
    interim: int
    retired: int
    scope_hash: str


def freeze(campaign: Campaign, *, now: datetime) -> Frozen:
    """Freeze every live system in scope and ask its owner, in the caller's transaction. The work is done in
    PostgreSQL, so memory does not grow with the register."""
    # What is asked when something changes begins with nothing.
    condition, params = ("FALSE", {}) if campaign.is_event else scope_sql(campaign.term("scope"))
    take_snapshots(campaign, condition, params, supplement=False, now=now)
    ask_owners(campaign, now=now)
    with connection.cursor() as cursor:
        values = {"campaign": campaign.pk, "before": before(campaign), "not_live": NOT_LIVE_VALUES}
        cursor.execute(_RETIRED_SQL, values)
        retired = cursor.rowcount
        cursor.execute(_FROZEN_SQL, values)
        systems, interim, scope_hash = cursor.fetchone()
    return Frozen(systems, interim, retired, scope_hash)


def take_snapshots(
    campaign: Campaign,
    condition: str,
    params: dict[str, Any],
    *,
    supplement: bool,
    now: datetime,
    compared: str = "b.campaign_id = %(before)s",
) -> int:
    """Freeze what is known about the live systems `s` that meet a condition. Returns how many.

    A supplement is asked for after the opening: a grave system that went live since, or a change. `compared` says
    with which snapshots `b` (of assignments `a`) they are compared: those of the campaign before.
    """
    number = (
        "1 + coalesce((SELECT max(z.number) FROM attestations_scopesnapshot z"
        " WHERE z.campaign_id = %(campaign)s AND z.system_id = s.id), 0)"
    )
    values = {
        **Leads().texts(), **params, "campaign": campaign.pk, "before": before(campaign), "now": now,
        "at": now.isoformat(), "today": local_date(now), "zone": settings.ORGANISATION_TIME_ZONE,
        "supplement": supplement, "not_live": NOT_LIVE_VALUES,
    }  # fmt: skip
    sql = _SNAPSHOT_SQL.replace("<condition>", condition).replace("<number>", number if supplement else "1")
    sql = sql.replace("<before>", compared)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def ask_owners(campaign: Campaign, *, now: datetime, earliest: date | None = None, due: date | None = None) -> int:
    """Ask the owner of each system that was frozen and not asked for yet. Returns how many.

    `earliest` is the first day that may be a due date: what is asked for late gets its time. With `due` all are
    due on that day.
    """
    values = {
        "campaign": campaign.pk, "now": now, "earliest": due or earliest or campaign.due_critical_on,
        "critical": due or campaign.due_critical_on, "high": due or campaign.due_high_on,
        "rest": due or campaign.due_on,
        "percent": campaign.term("sampling_percent"), "seed": campaign.sampling_seed,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGNMENT_SQL, values)
        return int(cursor.rowcount)


def before(campaign: Campaign) -> int | None:
    """The campaign of the same template before this one."""
    earlier = Campaign.objects.filter(template=campaign.template, opened_at__lt=campaign.opened_at)
    known = earlier.exclude(state=Campaign.State.CANCELLED).order_by("-opened_at", "-pk")
    return known.values_list("pk", flat=True).first()


# Graver systems that went live after the opening and are in none of the campaign's rows.
_LATE = """s.tier IN ('critical', 'high') AND (<scope>) AND NOT EXISTS (
    SELECT FROM attestations_scopesnapshot y WHERE y.campaign_id = %(campaign)s AND y.system_id = s.id)"""


def supplement(campaign: Campaign, *, now: datetime) -> int:
    """Ask for the grave systems that came into scope after the opening, with ten working days. Returns how many.

    The scope's hash stays as it was: supplements are named apart. The caller holds the campaign.
    """
    scope, params = scope_sql(campaign.term("scope"))
    due = add_working_days(local_date(now), SUPPLEMENT_DAYS)
    if due > campaign.last_day or not take_snapshots(
        campaign, _LATE.replace("<scope>", scope), params, supplement=True, now=now
    ):
        return 0
    return ask_owners(campaign, now=now, earliest=due)
