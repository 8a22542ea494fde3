"""What should not be so with who responds, as breaches: one for each cause, whatever the number of systems."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.incidents.rules import MANDATORY
from apps.people.models import Person
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules import NOT_LIVE, Scenario
from apps.registry.rules.breaches import Breach, Level, Severity

NO_CARD = "response.no_card"
FALLBACK = "response.fallback_lead"
NO_DEPUTY = "response.no_deputy"
UNREACHABLE = "response.no_tested_channel"

SCENARIO_WORDS = {
    "": "any scenario",
    Scenario.DATA_ACCESS.value: "data access",
    Scenario.HARMFUL_DECISION.value: "a harmful decision",
    Scenario.COST_SPIKE.value: "a cost spike",
}

_NO_CARD_SQL = """
SELECT count(*), min(s.name) FROM registry_system s
WHERE s.stage <> ALL(%(not_live)s::text[]) AND (
    SELECT count(*) FROM incidents_responsecard c
    WHERE c.system_id = s.id AND c.scenario = ANY(%(scenarios)s::text[])) < cardinality(%(scenarios)s::text[])
"""
# The first claim of each fallback card that nobody could meet, and who leads meanwhile in most of the systems.
_FALLBACK_SQL = """
WITH claim AS (
    SELECT c.scenario, c.system_id, c.lead_id, step ->> 'step' AS step, step ->> 'party' AS party,
        step ->> 'person' AS person, step ->> 'outcome' AS outcome
    FROM incidents_responsecard c CROSS JOIN LATERAL (
        SELECT s.step FROM jsonb_array_elements(c.derivation) WITH ORDINALITY AS s(step, place)
        WHERE s.step ->> 'step' IN ('rule', 'matrix') AND s.step ->> 'outcome' <> 'chosen' ORDER BY s.place LIMIT 1
    ) AS first
    WHERE c.is_fallback AND c.scenario = ANY(%(scenarios)s::text[])),
meanwhile AS (
    SELECT DISTINCT ON (scenario, step, party, person, outcome) scenario, step, party, person, outcome, lead_id
    FROM (SELECT scenario, step, party, person, outcome, lead_id, count(*) AS n FROM claim GROUP BY 1, 2, 3, 4, 5, 6) t
    ORDER BY scenario, step, party, person, outcome, n DESC, lead_id)
SELECT c.scenario, c.step, c.party, f.seat_title, c.person, p.display_name, c.outcome, count(*),
    count(DISTINCT c.lead_id), l.display_name
FROM claim c JOIN meanwhile m ON (m.scenario, m.step, m.outcome) = (c.scenario, c.step, c.outcome)
    AND m.party IS NOT DISTINCT FROM c.party AND m.person IS NOT DISTINCT FROM c.person
JOIN people_person l ON l.id = m.lead_id
LEFT JOIN people_function f ON f.code = c.party LEFT JOIN people_person p ON p.id = c.person::uuid
GROUP BY 1, 2, 3, 4, 5, 6, 7, l.display_name ORDER BY 1, 2, 3, 5, 7
"""
_LEADS_SQL = """
SELECT p.id, p.display_name, count(DISTINCT c.system_id),
    count(DISTINCT c.system_id) FILTER (WHERE c.deputy_id IS NULL),
    EXISTS (SELECT FROM notify_channel n WHERE n.person_id = p.id AND n.removed_at IS NULL
            AND n.verified_at IS NOT NULL),
    bool_or(s.tier IN ('critical', 'high'))
FROM incidents_responsecard c JOIN people_person p ON p.id = c.lead_id JOIN registry_system s ON s.id = c.system_id
WHERE c.scenario = ANY(%(scenarios)s::text[])
GROUP BY p.id, p.display_name ORDER BY p.display_name, p.id
"""


@dataclass(frozen=True)
class _Cause:
    """Why a fallback leads, and in how many systems."""

    scenario: str
    step: str
    party: str | None
    seat: str | None
    person: str | None
    name: str | None
    outcome: str
    systems: int
    leads: int
    lead: str

    @property
    def words(self) -> str:
        """The fact: "The seat Head of Finance is vacant"."""
        where = "A rule" if self.step == "rule" else "The matrix"
        if self.outcome == "vacant":
            return f"The seat {self.seat} is vacant"
        if self.outcome == "nobody":
            return f"{where} makes nobody accountable"
        gone = "was deactivated" if self.outcome == "inactive" else "is away, and nobody stands in"
        return f"{where} names {self.name}, who {gone}" if self.name else f"{where} names nobody who can act"


def response_breaches(now: datetime) -> list[Breach]:
    """What should not be so with who responds. Four statements for any number of systems.

    A live system without its cards, a fallback that leads (by cause), a lead with nobody behind them, a lead whom no
    tested channel reaches (both by person).
    """
    holder = mandate_holder()
    if holder is None:
        return []
    values = {
        "not_live": [stage.value for stage in NOT_LIVE],
        "scenarios": ["", *(scenario.value for scenario in MANDATORY)],
    }
    return [*_without_card(holder, values), *_fallbacks(holder, values), *_by_lead(holder, values)]


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _systems(n: int) -> str:
    return f"{n:,} live system{'' if n == 1 else 's'}"


def _without_card(holder: Person, values: dict[str, Any]) -> Iterator[Breach]:
    [(n, name)] = _rows(_NO_CARD_SQL, values)
    if n:
        yield Breach(
            check=NO_CARD, level=Level.BLOCK, severity=Severity.CRITICAL, subject="organisation",
            title=f"Who responds was not worked out for {_systems(n)}, {name} among them; until then the acting "
            "owner leads.",
            remedy="Look at the sweeps on the status page: the cards are worked out again each five minutes.",
            person_id=holder.pk, path="/status/",
        )  # fmt: skip


def _fallbacks(holder: Person, values: dict[str, Any]) -> Iterator[Breach]:
    for row in _rows(_FALLBACK_SQL, values):
        cause = _Cause(*row)
        others = f" and {cause.leads - 1:,} other{'' if cause.leads == 2 else 's'}" if cause.leads > 1 else ""
        leads = "lead" if others else "leads"
        about = SCENARIO_WORDS.get(cause.scenario, cause.scenario)
        yield Breach(
            check=FALLBACK,
            level=Level.BLOCK,
            severity=Severity.HIGH,
            subject=":".join((cause.scenario or "any", cause.step, cause.party or cause.person or "-", cause.outcome)),
            title=f"{cause.words}: for {about}, {cause.lead}{others} {leads} the response in {_systems(cause.systems)} "
            "until it is put right.",
            remedy="Seat somebody, or make another person accountable for this scenario.",
            person_id=holder.pk,
            path="/ownership/",
        )


def _by_lead(holder: Person, values: dict[str, Any]) -> Iterator[Breach]:
    for pk, name, systems, alone, reachable, grave in _rows(_LEADS_SQL, values):
        if alone:
            yield _of_person(
                NO_DEPUTY, pk, Severity.HIGH if grave else Severity.MEDIUM,
                f"{name} leads the response in {_systems(alone)}, and there is nobody to call after.",
                "Name a deputy in the profile.",
            )  # fmt: skip
        if not reachable:
            yield _of_person(
                UNREACHABLE, pk, Severity.HIGH if grave else Severity.MEDIUM,
                f"{name} leads the response in {_systems(systems)}, and no way to reach them was ever tested.",
                "Verify a channel in the profile: a code is sent, and typed in.",
            )  # fmt: skip


def _of_person(check: str, person: UUID, severity: Severity, title: str, remedy: str) -> Breach:
    return Breach(
        check=check, level=Level.WARN, severity=severity, subject=f"person:{person}", title=title, remedy=remedy,
        person_id=person, path="/profile/",
    )  # fmt: skip
