"""What became of each system in two campaigns. Set-based, by SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.attestations.models import Campaign
from apps.attestations.rules.report import OUTCOME_WORDS


@dataclass(frozen=True)
class Difference:
    """A system with another outcome than before; "" is not in scope."""

    key: str
    name: str
    before: str
    after: str

    @property
    def before_words(self) -> str:
        return OUTCOME_WORDS[self.before]

    @property
    def after_words(self) -> str:
        return OUTCOME_WORDS[self.after]


# Where a campaign of changes asked for a system again, what it said last.
_BOTH = """
WITH seen AS (
    SELECT DISTINCT ON (campaign_id, system_id) campaign_id, system_id,
           CASE WHEN state IN ('submitted', 'accepted', 'sealed') THEN result
                WHEN state = 'not_attested' THEN 'not_attested' ELSE 'open' END AS outcome
    FROM attestations_assignment
    WHERE campaign_id IN (%(campaign)s, %(other)s) AND state <> 'reassigned'
    ORDER BY campaign_id, system_id, snapshot_id DESC),
pair AS (
    SELECT system_id, coalesce(max(outcome) FILTER (WHERE campaign_id = %(other)s), '') AS before,
           coalesce(max(outcome) FILTER (WHERE campaign_id = %(campaign)s), '') AS after
    FROM seen GROUP BY system_id)
"""
_MATRIX_SQL = f"{_BOTH} SELECT before, after, count(*) FROM pair GROUP BY before, after ORDER BY before, after"
_ROWS_SQL = f"""{_BOTH}
SELECT s.key, s.name, pair.before, pair.after FROM pair JOIN registry_system s ON s.id = pair.system_id
WHERE before <> after AND NOT s.id = ANY(%(hidden)s::bigint[])
ORDER BY array_position(ARRAY['not_attested', 'qualified', 'open', 'clean', ''], after), s.key
LIMIT %(limit)s OFFSET %(offset)s
"""


def matrix(campaign: Campaign, other: Campaign) -> dict[tuple[str, str], int]:
    """How many systems went from which outcome in the other campaign to which in this one. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_MATRIX_SQL, {"campaign": campaign.pk, "other": other.pk})
        return {(before, after): count for before, after, count in cursor.fetchall()}


def differences(
    campaign: Campaign, other: Campaign, *, hidden: Sequence[int], limit: int | None, offset: int = 0
) -> list[Difference]:
    """Systems with another outcome than in the other campaign, the gravest first. One query."""
    values: dict[str, Any] = {
        "campaign": campaign.pk, "other": other.pk, "hidden": list(hidden), "limit": limit, "offset": offset,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ROWS_SQL, values)
        return [Difference(*row) for row in cursor.fetchall()]


def changed(found: dict[tuple[str, str], int]) -> int:
    """How many systems have another outcome."""
    return sum(count for (before, after), count in found.items() if before != after)
