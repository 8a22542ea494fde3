"""The numbers about incidents: what happened and what was rehearsed apart, in a fixed number of statements."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from django.conf import settings
from django.db import connection

from apps.common.clock import local_date, organisation_zone
from apps.incidents.rules import MANDATORY
from apps.incidents.rules.drills import counts_since
from apps.incidents.rules.metrics import (
    DRILL_SPANS,
    REPEAT_WITHIN,
    SERIES,
    SPANS,
    WRONG_LEAD_WITHIN,
    Share,
    Spread,
    period_start,
)
from apps.registry.rules import NOT_LIVE

# Only what is counted: the rows are wide, their cards and plans lie in them.
_IN = """
WITH i AS (SELECT i.id, i.mode, i.system_id, i.scenario, i.declared_at, i.lead_accepted_at, i.contained_at,
    i.resolved_at FROM incidents_incident i
WHERE i.mode IN ('real', 'drill') AND i.declared_at >= %(since)s AND i.declared_at <= %(now)s)"""
# A page that somebody answered before it went out tells nothing about answering.
_SPANS_SQL = """<in>,
m AS (
    SELECT i.mode, extract(epoch FROM v.at - i.declared_at)::float8 AS viewed,
        CASE WHEN e.first_ack_at >= e.first_page_at
             THEN extract(epoch FROM e.first_ack_at - e.first_page_at)::float8 END AS acked,
        extract(epoch FROM i.lead_accepted_at - i.declared_at)::float8 AS accepted,
        extract(epoch FROM i.contained_at - i.declared_at)::float8 AS contained,
        extract(epoch FROM i.resolved_at - i.declared_at)::float8 AS resolved
    FROM i
    LEFT JOIN incidents_cardview v ON v.incident_id = i.id
    LEFT JOIN incidents_escalation e ON e.incident_id = i.id),
g AS (
    SELECT m.mode, count(viewed) AS n1, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY viewed) AS p1,
        count(acked) AS n2, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY acked) AS p2,
        count(accepted) AS n3, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY accepted) AS p3,
        count(contained) AS n4, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY contained) AS p4,
        count(resolved) AS n5, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY resolved) AS p5
    FROM m GROUP BY m.mode)
SELECT g.mode, s.key, s.n, s.p[1], s.p[2] FROM g CROSS JOIN LATERAL (VALUES
    ('owner_answer', n1, p1), ('acknowledge', n2, p2), ('accepted', n3, p3), ('contain', n4, p4),
    ('resolve', n5, p5)) AS s(key, n, p)
WHERE s.n > 0
UNION ALL
SELECT 'drill', m.key, count(m.seconds),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY m.seconds), percentile_cont(0.9) WITHIN GROUP (ORDER BY m.seconds)
FROM incidents_exercise x CROSS JOIN LATERAL (VALUES
    ('decision', extract(epoch FROM x.decision_at - x.started_at)),
    ('draft', extract(epoch FROM x.draft_at - x.started_at))) AS m(key, seconds)
WHERE x.started_at >= %(since)s AND x.started_at <= %(now)s AND m.seconds IS NOT NULL
GROUP BY m.key
""".replace("<in>", _IN)
_COUNTS_SQL = """<in>,
changed AS (
    SELECT DISTINCT t.incident_id FROM incidents_leadterm t JOIN i ON i.id = t.incident_id
    WHERE t.ended_because IN ('handed_over', 'relieved', 'declined') AND t.ended_at <= i.declared_at + %(wrong)s),
handed AS (
    SELECT h.incident_id, count(*) AS n FROM incidents_leadhandover h JOIN i ON i.id = h.incident_id
    WHERE h.state = 'taken' GROUP BY h.incident_id),
again AS (
    SELECT i.id FROM i WHERE EXISTS (
        SELECT FROM incidents_incident b WHERE b.system_id = i.system_id AND b.scenario = i.scenario
          AND b.mode = i.mode AND b.id <> i.id AND b.declared_at < i.declared_at
          AND b.declared_at >= i.declared_at - %(repeat)s AND b.state <> 'merged'
          AND b.declared_at >= %(since)s::timestamptz - %(repeat)s))
SELECT i.mode, count(*), coalesce(sum(handed.n), 0),
    count(changed.incident_id), count(*) FILTER (WHERE i.declared_at <= %(now)s::timestamptz - %(wrong)s),
    count(again.id), count(*) FILTER (WHERE i.system_id IS NOT NULL)
FROM i LEFT JOIN changed ON changed.incident_id = i.id LEFT JOIN handed ON handed.incident_id = i.id
LEFT JOIN again ON again.id = i.id
GROUP BY i.mode
""".replace("<in>", _IN)
_LEARNT_SQL = """
WITH r AS (
    SELECT r.state <> 'open' AS decided, r.due_on < %(today)s AS past,
        r.state <> 'open' AND (r.done_at AT TIME ZONE %(zone)s)::date <= r.due_on AS in_time
    FROM incidents_review r JOIN incidents_incident i ON i.id = r.incident_id
    WHERE i.mode = 'real' AND i.declared_at >= %(since)s AND i.declared_at <= %(now)s)
SELECT 'reviews', '', count(*) FILTER (WHERE in_time), count(*) FILTER (WHERE decided OR past) FROM r
UNION ALL
SELECT 'actions', CASE WHEN a.exercise_id IS NULL THEN 'real' ELSE 'drill' END,
    count(*) FILTER (WHERE f.due_on < %(today)s), count(*)
FROM incidents_reviewaction a JOIN findings_finding f ON f.id = a.finding_id
LEFT JOIN incidents_incident i ON i.id = a.incident_id
WHERE f.state NOT IN ('closed', 'accepted') AND (a.incident_id IS NULL OR i.mode = 'real')
GROUP BY 2
UNION ALL
SELECT 'coverage', '', (
    SELECT count(*) FROM (
        SELECT DISTINCT d.system_id, d.scenario FROM incidents_incident d
        JOIN incidents_exercise x ON x.id = d.exercise_id AND x.ended_at >= %(counts)s AND x.ended_at <= %(now)s
        JOIN registry_system s ON s.id = d.system_id AND s.stage <> ALL(%(not_live)s)
        WHERE d.mode = 'drill' AND d.scenario = ANY(%(mandatory)s)) AS drilled),
    (SELECT count(*) FROM registry_system s WHERE s.stage <> ALL(%(not_live)s)) * %(scenarios)s
"""
_CLOCKS_SQL = """
SELECT k.instrument, count(*) FILTER (WHERE c.state = 'submitted'),
    count(*) FILTER (WHERE c.state IN ('submitted', 'submitted_late', 'missed')),
    count(*) FILTER (WHERE c.state = 'submitted_late'), count(*) FILTER (WHERE c.state = 'missed'),
    count(*) FILTER (WHERE c.state = 'not_reportable'),
    count(*) FILTER (WHERE c.state = 'running' OR (c.state IN ('not_assessed', 'assessing')
        AND i.state NOT IN ('dismissed', 'merged'))),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.due_at - c.submitted_at))
        FILTER (WHERE c.state = 'submitted' AND c.due_at IS NOT NULL)
FROM incidents_incidentclock c JOIN incidents_clockrule k ON k.id = c.rule_id
JOIN incidents_incident i ON i.id = c.incident_id
WHERE i.mode = 'real' AND i.declared_at >= %(since)s AND i.declared_at <= %(now)s
GROUP BY k.instrument ORDER BY k.instrument
"""

NONE = Share()


@dataclass(frozen=True)
class Series:
    """The numbers of what happened, or of what was rehearsed."""

    incidents: int = 0
    spans: dict[str, Spread] = field(default_factory=dict)
    handovers: int = 0
    wrong_lead: Share = NONE
    repeat: Share = NONE
    actions_overdue: Share = NONE

    def span(self, key: str) -> Spread:
        """One of the times; unknown where there is none."""
        return self.spans.get(key, Spread())


@dataclass(frozen=True)
class ClockLine:
    """How one regime's deadlines were kept. `slack`: seconds that were left at the median, where in time."""

    instrument: str
    on_time: int
    of: int
    late: int
    missed: int
    not_reportable: int
    open: int
    slack: float | None


@dataclass(frozen=True)
class Metrics:
    """Everything on the page of numbers."""

    since: date | None
    now: datetime
    real: Series
    drill: Series
    reviews_on_time: Share
    coverage: Share
    clocks: tuple[ClockLine, ...]


def metrics(*, now: datetime, period: str = "365") -> Metrics:
    """All numbers over the incidents declared in a period. Four statements, whatever the number of incidents.

    Numbers are over all incidents, restricted ones too, so that they are the same for every reader.
    """
    since = period_start(period, local_date(now))
    params = _params(since, now)
    spans: dict[str, dict[str, Spread]] = {mode: {} for mode in SERIES}
    for mode, key, n, median, p90 in _rows(_SPANS_SQL, params):
        spans[mode][key] = Spread(n, round(float(median), 3), round(float(p90), 3))
    counted = {row[0]: row[1:] for row in _rows(_COUNTS_SQL, params)}
    learnt = {(what, mode): Share(n, of) for what, mode, n, of in _rows(_LEARNT_SQL, params)}
    real, drill = (_series(spans[mode], counted.get(mode), learnt.get(("actions", mode))) for mode in SERIES)
    return Metrics(
        since,
        now,
        real,
        drill,
        learnt[("reviews", "")],
        learnt[("coverage", "")],
        tuple(ClockLine(*row) for row in _rows(_CLOCKS_SQL, params)),
    )


def _params(since: date | None, now: datetime) -> dict[str, Any]:
    zone = organisation_zone()
    begin = datetime.combine(since, time.min, zone) if since else datetime(1970, 1, 1, tzinfo=UTC)
    return {
        "since": begin,
        "now": now,
        "today": local_date(now),
        "zone": settings.ORGANISATION_TIME_ZONE,
        "wrong": WRONG_LEAD_WITHIN,
        "repeat": REPEAT_WITHIN,
        "counts": datetime.combine(counts_since(local_date(now)), time.min, zone),
        "not_live": [stage.value for stage in NOT_LIVE],
        "mandatory": [scenario.value for scenario in MANDATORY],
        "scenarios": len(MANDATORY),
    }


def _rows(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _series(spans: dict[str, Spread], counted: tuple[Any, ...] | None, actions: Share | None) -> Series:
    if counted is None:
        return Series(spans=spans, actions_overdue=actions or Share())
    incidents, handovers, wrong, old, again, placed = (int(value) for value in counted)
    return Series(incidents, spans, handovers, Share(wrong, old), Share(again, placed), actions or Share())


def drill_coverage(now: datetime) -> Share:
    """How many mandatory scenarios of live systems were drilled within twelve months. One statement."""
    rows = _rows(_LEARNT_SQL, _params(None, now))
    return next(Share(n, of) for what, _, n, of in rows if what == "coverage")


def as_json(page: Metrics) -> dict[str, Any]:
    """The same numbers for programs; null is not known."""
    return {
        "since": page.since.isoformat() if page.since else None,
        "as_of": page.now.isoformat(),
        "real": _series_json(page.real, ()),
        "drill": _series_json(page.drill, DRILL_SPANS),
        "reviews_on_time": _share_json(page.reviews_on_time),
        "drill_coverage": _share_json(page.coverage),
        "clocks": [vars(one) for one in page.clocks],
    }


def _series_json(series: Series, more: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "incidents": series.incidents,
        "seconds": {
            one.key: {"n": series.span(one.key).n, "median": series.span(one.key).median,
                      "p90": series.span(one.key).p90}
            for one in (*SPANS, *more)
        },
        "handovers": series.handovers if series.incidents else None,
        "wrong_lead": _share_json(series.wrong_lead),
        "repeat": _share_json(series.repeat),
        "actions_overdue": _share_json(series.actions_overdue),
    }  # fmt: skip


def _share_json(share: Share) -> dict[str, int] | None:
    return {"n": share.n, "of": share.of} if share.known else None
