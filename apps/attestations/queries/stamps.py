"""How attestations came about: times, patterns and what a reviewer should look at. Set-based, by SQL."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.attestations.models import Assignment, Campaign
from apps.attestations.rules.stamps import (
    ENOUGH_ANSWERS,
    FAST_SECONDS,
    MANY_AT_ONCE,
    ONE_MINUTE,
    SAME_COMMENT,
    Flag,
    Measured,
    flags_from,
)

PEOPLE_SHOWN = 20

# Signatures of the people asked about, in the campaigns asked about; who signed what counts, not who was asked.
_OF_SIGNERS = """
    SELECT s.id, s.assignment_id, a.campaign_id, s.signer_id, s.signed_at, s.batch_size, a.state
    FROM attestations_signature s JOIN attestations_assignment a ON a.id = s.assignment_id
    WHERE s.kind = 'attestation' AND s.round = a.round AND a.state IN ('submitted', 'accepted', 'sealed')
"""

_FLAGS_SQL = f"""
WITH wanted AS (
    SELECT * FROM ({_OF_SIGNERS}) AS signed WHERE assignment_id = ANY(%(ids)s)),
around AS (
    SELECT * FROM ({_OF_SIGNERS}) AS signed
    WHERE signer_id IN (SELECT signer_id FROM wanted) AND campaign_id IN (SELECT campaign_id FROM wanted)),
person AS (
    SELECT campaign_id, signer_id, count(*) AS signed,
           floor(extract(epoch FROM max(signed_at) - min(signed_at)))::int AS span
    FROM around GROUP BY campaign_id, signer_id),
said AS (
    SELECT r.campaign_id, r.signer_id, n.question, lower(btrim(n.comment)) AS words,
           count(DISTINCT n.assignment_id) AS systems
    FROM around r JOIN attestations_answer n ON n.assignment_id = r.assignment_id
    WHERE btrim(n.comment) <> '' GROUP BY 1, 2, 3, 4),
answered AS (
    SELECT w.assignment_id, count(*) AS answers, count(n.seconds) AS timed, sum(n.seconds) AS seconds,
           bool_and(n.value IN ('yes', 'given')) AND bool_or(n.value = 'yes') AS all_yes,
           coalesce(max(said.systems), 0) AS same
    FROM wanted w JOIN attestations_answer n ON n.assignment_id = w.assignment_id AND n.value <> ''
    LEFT JOIN said ON said.campaign_id = w.campaign_id AND said.signer_id = w.signer_id
        AND said.question = n.question AND said.words = lower(btrim(n.comment))
    GROUP BY w.assignment_id)
SELECT w.assignment_id, n.answers, n.timed, n.seconds, n.all_yes, n.same, w.batch_size, p.signed, p.span
FROM wanted w JOIN answered n USING (assignment_id) JOIN person p USING (campaign_id, signer_id)
"""


def measured(assignments: Iterable[Assignment]) -> dict[int, Measured]:
    """How each of these signed attestations came about. One query; what is not signed is not in the answer."""
    ids = [assignment.pk for assignment in assignments]
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FLAGS_SQL, {"ids": ids})
        return {row[0]: Measured(*row[1:]) for row in cursor.fetchall()}


def flags_of(assignments: Iterable[Assignment]) -> dict[int, list[Flag]]:
    """What a reviewer of each of these attestations is told, by the assignment's id. One query."""
    return {pk: flags for pk, found in measured(assignments).items() if (flags := flags_from(found))}


@dataclass(frozen=True)
class PersonPace:
    """How one person's attestations came about. `pace` is the median of seconds a question."""

    person: str
    name: str
    signed: int
    flagged: int
    fast: int
    all_yes: int
    same_comment: int
    pace: float | None
    span: int
    in_one_minute: bool
    largest_batch: int


@dataclass(frozen=True)
class Pace:
    """How the signed attestations of a campaign came about."""

    signed: int = 0
    timed: int = 0
    median: float | None = None
    fast: int = 0
    all_yes: int = 0
    same_comment: int = 0
    one_minute: int = 0
    in_batches: int = 0
    largest_batch: int = 0
    flagged: int = 0
    people: tuple[PersonPace, ...] = ()

    @property
    def not_measured(self) -> int:
        """Signed without any time: unknown, never counted as slow or fast."""
        return self.signed - self.timed

    def share(self, count: int) -> int | None:
        """In whole percent of what was signed; None where nothing was."""
        return 100 * count // self.signed if self.signed else None


# One row a person, and one of all (signer null). Every attestation is judged as `flags_from` judges it.
_PACE_SQL = f"""
WITH around AS MATERIALIZED (
    SELECT * FROM ({_OF_SIGNERS} AND a.campaign_id = %(campaign)s) AS signed),
said AS (
    SELECT r.signer_id, n.question, lower(btrim(n.comment)) AS words, array_agg(DISTINCT n.assignment_id) AS systems
    FROM around r JOIN attestations_answer n ON n.assignment_id = r.assignment_id
    WHERE n.comment <> '' AND btrim(n.comment) <> '' GROUP BY 1, 2, 3
    HAVING count(DISTINCT n.assignment_id) >= %(same)s),
same AS (SELECT DISTINCT unnest(systems) AS assignment_id FROM said),
answered AS (
    SELECT n.assignment_id, count(*) AS answers, sum(n.seconds)::float / nullif(count(n.seconds), 0) AS pace,
           bool_and(n.value IN ('yes', 'given')) AND bool_or(n.value = 'yes') AND count(*) >= %(enough)s AS all_yes
    FROM attestations_answer n
    WHERE n.value <> '' AND n.assignment_id IN (SELECT assignment_id FROM around) GROUP BY 1),
person AS (
    SELECT signer_id, floor(extract(epoch FROM max(signed_at) - min(signed_at)))::int AS span,
           count(*) >= %(many)s AND floor(extract(epoch FROM max(signed_at) - min(signed_at))) < %(minute)s AS at_once
    FROM around GROUP BY signer_id),
judged AS (
    SELECT r.signer_id, r.batch_size, n.pace, coalesce(n.pace < %(fast)s, false) AS fast,
           coalesce(n.all_yes, false) AS all_yes,
           same.assignment_id IS NOT NULL AS same, p.at_once AND r.batch_size = 1 AS at_once, p.span
    FROM around r JOIN person p USING (signer_id) LEFT JOIN answered n USING (assignment_id)
    LEFT JOIN same USING (assignment_id))
SELECT signer_id, count(*), count(pace), percentile_cont(0.5) WITHIN GROUP (ORDER BY pace),
       count(*) FILTER (WHERE fast), count(*) FILTER (WHERE all_yes), count(*) FILTER (WHERE same),
       count(*) FILTER (WHERE at_once), count(*) FILTER (WHERE batch_size > 1), max(batch_size),
       count(*) FILTER (WHERE fast OR all_yes OR same OR at_once OR batch_size > 1), max(span)
FROM judged GROUP BY GROUPING SETS ((), (signer_id))
ORDER BY signer_id IS NOT NULL, 11 DESC, 2 DESC, signer_id
LIMIT %(shown)s + 1
"""


def pace(campaign: Campaign) -> Pace:
    """Medians, shares and who has most to look at, over everything signed in a campaign. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_PACE_SQL, _thresholds() | {"campaign": campaign.pk, "shown": PEOPLE_SHOWN})
        rows = cursor.fetchall()
    if not rows or not rows[0][1]:
        return Pace()
    total, people = rows[0], [row for row in rows[1:] if row[10]]
    names = _names([row[0] for row in people])
    return Pace(
        signed=total[1], timed=total[2], median=total[3], fast=total[4], all_yes=total[5], same_comment=total[6],
        one_minute=total[7], in_batches=total[8], largest_batch=total[9], flagged=total[10],
        people=tuple(
            PersonPace(str(row[0]), names[row[0]], row[1], row[10], row[4], row[5], row[6], row[3], row[11],
                       row[7] > 0, row[9])
            for row in people
        ),
    )  # fmt: skip


def _thresholds() -> dict[str, Any]:
    return {
        "fast": FAST_SECONDS,
        "many": MANY_AT_ONCE,
        "minute": ONE_MINUTE,
        "same": SAME_COMMENT,
        "enough": ENOUGH_ANSWERS,
    }


def _names(people: list[Any]) -> dict[Any, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, display_name FROM people_person WHERE id = ANY(%s::uuid[])", [people])
        return dict(cursor.fetchall())
