"""Where something may have to be said that was not said: so that a sweep with nothing new reads little."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.attestations.queries.recipients import OPEN_SQL, Place
from apps.people.models import Person

_DATES = "DISTINCT due, coalesce(first_opened, campaign_opened), campaign_opened"
_PLACES = "campaign, code, title, campaign_opened, first_opened, due, owner, unit"
# Owners around whom a step may be unsaid: the newest step of the owner, the deputy or the line manager is newer than
# the last digest of that person, or who hears depends on more than these three. Beside their places one place for
# each unit and date stands for all others: of those the same heads and seats hear. `step` holds the zones in which
# it is office time now.
_UNSAID_SQL = """
WITH places AS MATERIALIZED ({open}),
said AS MATERIALIZED (
    SELECT recipient_id, max(split_part(key, ':', 3)::date) AS day FROM notify_message
    WHERE created_at >= %(since)s AND state <> 'withdrawn' AND starts_with(key, %(prefix)s) GROUP BY recipient_id),
step AS MATERIALIZED (
    SELECT * FROM unnest(%(due)s::date[], %(opened)s::date[], %(began)s::date[], %(zones)s::text[], %(owner)s::date[],
        %(deputy)s::date[], %(manager)s::date[]) AS s (due, opened, began, zone, owner, deputy, manager)),
owners AS (
    SELECT DISTINCT owner, due, coalesce(first_opened, campaign_opened) AS opened, campaign_opened AS began
    FROM places),
unsaid AS (
    SELECT DISTINCT o.owner
    FROM owners o JOIN people_person p ON p.id = o.owner
    LEFT JOIN people_person d ON d.id = p.deputy_id AND d.is_active AND d.kind = 'human'
    LEFT JOIN people_person m ON m.id = p.line_manager_id AND m.is_active AND m.kind = 'human'
    LEFT JOIN said ps ON ps.recipient_id = p.id
    LEFT JOIN said ds ON ds.recipient_id = d.id
    LEFT JOIN said ms ON ms.recipient_id = m.id
    LEFT JOIN step po ON (po.due, po.opened, po.began, po.zone) = (o.due, o.opened, o.began, p.time_zone)
    LEFT JOIN step do_ ON (do_.due, do_.opened, do_.began, do_.zone) = (o.due, o.opened, o.began, d.time_zone)
    LEFT JOIN step mo ON (mo.due, mo.opened, mo.began, mo.zone) = (o.due, o.opened, o.began, m.time_zone)
    WHERE p.id = ANY(%(look)s::uuid[]) OR d.id = ANY(%(look)s::uuid[]) OR m.id = ANY(%(look)s::uuid[])
       OR m.id IS NULL OR m.email NOT LIKE '%%@%%'
       OR NOT p.is_active OR p.kind <> 'human' OR p.email NOT LIKE '%%@%%'
       OR po.owner > coalesce(ps.day, '-infinity') OR do_.deputy > coalesce(ds.day, '-infinity')
       OR mo.manager > coalesce(ms.day, '-infinity'))
SELECT {places} FROM places WHERE owner IN (SELECT owner FROM unsaid)
UNION ALL
(SELECT DISTINCT ON (campaign, campaign_opened, due, unit) {places} FROM places
 WHERE NOT owner = ANY(%(special)s::uuid[]) AND owner NOT IN (SELECT owner FROM unsaid))
LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Steps:
    """The newest steps of owner, deputy and line manager for what is due, was opened and began on three days, where
    people are in one zone. None: nothing is said on it any more, or not yet."""

    due: date
    opened: date
    began: date
    zone: str
    owner: date | None
    deputy: date | None
    manager: date | None


def open_dates(now: datetime) -> list[tuple[date, date, date]]:
    """The dates that decide on steps: due, opened for its owner, opened as a campaign. One query."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_SQL.format(columns=_DATES, which="true"), _values(now))
        rows: list[tuple[date, date, date]] = cursor.fetchall()
    return rows


def zones_of_people() -> list[str]:
    """The zones in which people are. One query."""
    return sorted(set(Person.objects.order_by().values_list("time_zone", flat=True).distinct()))


def unsaid_places(
    now: datetime, steps: Sequence[Steps], *, prefix: str, since: datetime, look: Collection[UUID],
    special: Collection[UUID], limit: int,
) -> list[Place]:  # fmt: skip
    """Places that have to be looked at to know whether anything is new, at most `limit`. One query.

    `look`: people of whom more is to be known: away, unreached, in office. `special`: owners of whom other heads and
    seats hear than of everybody else.
    """
    names = ("due", "opened", "began", "owner", "deputy", "manager")
    arrays = {name: [getattr(step, name) for step in steps] for name in names}
    values = _values(now) | arrays | {
        "zones": [step.zone for step in steps], "prefix": prefix, "since": since, "look": list(look),
        "special": list(special), "limit": limit,
    }  # fmt: skip
    with connection.cursor() as cursor:
        opened = OPEN_SQL.format(columns=f"DISTINCT {_PLACES}", which="true")
        cursor.execute(_UNSAID_SQL.format(open=opened, places=_PLACES), values)
        return [Place(*row) for row in cursor.fetchall()]


def _values(now: datetime) -> dict[str, Any]:
    return {"zone": settings.ORGANISATION_TIME_ZONE, "now": now}
