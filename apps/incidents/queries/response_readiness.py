"""How ready the organisation is to respond: who would answer, who can be reached, what was rehearsed, how fast."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.incidents.queries.metrics import Series, metrics
from apps.incidents.rules import MANDATORY
from apps.incidents.rules.metrics import Share, Spread
from apps.notify.queries.channels import TEST_HOLDS
from apps.registry.rules import NOT_LIVE

# Answerable: a card for each mandatory scenario, none of them a fallback, each with a deputy and with a lead who
# confirmed a test of a channel within 90 days.
_SQL = """
WITH reach AS MATERIALIZED (
    SELECT DISTINCT c.person_id FROM notify_channel c
    WHERE c.removed_at IS NULL AND c.verified_at IS NOT NULL AND c.tested_at >= %(tested)s),
cards AS MATERIALIZED (
    SELECT c.system_id, c.lead_id, r.person_id IS NOT NULL AS reachable,
        NOT c.is_fallback AND c.deputy_id IS NOT NULL AND r.person_id IS NOT NULL AS good
    FROM incidents_responsecard c JOIN registry_system s ON s.id = c.system_id AND s.stage <> ALL(%(not_live)s)
    LEFT JOIN reach r ON r.person_id = c.lead_id
    WHERE c.scenario = ANY(%(mandatory)s))
SELECT (SELECT count(*) FROM (SELECT system_id FROM cards GROUP BY system_id
                              HAVING count(*) FILTER (WHERE good) = %(scenarios)s) AS answerable),
    (SELECT count(*) FROM registry_system s WHERE s.stage <> ALL(%(not_live)s)),
    (SELECT count(DISTINCT lead_id) FROM cards WHERE reachable), (SELECT count(DISTINCT lead_id) FROM cards)
"""


@dataclass(frozen=True)
class Readiness:
    """What stands on the board's page about responding. What is not known says so, and is never counted as good."""

    answerable: Share
    reachable: Share
    drilled: Share
    real: Series
    drill: Series

    def spans(self) -> tuple[tuple[str, Spread, Spread], ...]:
        """The two times that the board asks for: (label, what happened, drills)."""
        keys = (("Time to acknowledge", "acknowledge"), ("Time to accepted lead", "accepted"))
        return tuple((label, self.real.span(key), self.drill.span(key)) for label, key in keys)


def response_readiness(now: datetime) -> Readiness:
    """The numbers over all live systems. Five statements, whatever their number."""
    params: dict[str, Any] = {
        "tested": now - TEST_HOLDS,
        "not_live": [stage.value for stage in NOT_LIVE],
        "mandatory": [scenario.value for scenario in MANDATORY],
        "scenarios": len(MANDATORY),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, params)
        answerable, live, reachable, leads = cursor.fetchone()
    measured = metrics(now=now)
    return Readiness(Share(answerable, live), Share(reachable, leads), measured.coverage, measured.real, measured.drill)


def as_json(page: Readiness) -> dict[str, Any]:
    """The same numbers for programs; null is not known."""
    shares = {"answerable": page.answerable, "reachable": page.reachable, "drilled": page.drilled}
    found: dict[str, Any] = {
        name: {"count": share.n, "of": share.of} if share.known else None for name, share in shares.items()
    }
    for mode, series in (("real", page.real), ("drill", page.drill)):
        found[mode] = {
            "incidents": series.incidents,
            "acknowledge": _span(series.span("acknowledge")),
            "accepted": _span(series.span("accepted")),
        }
    return found


def _span(spread: Spread) -> dict[str, float | int] | None:
    """Seconds; None where nothing was measured."""
    if spread.median is None or spread.p90 is None:
        return None
    return {"n": spread.n, "median": spread.median, "p90": spread.p90}
