"""The rising steps of what nobody signed, for the progress page: how many, of whom, and who was told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.attestations.models import Campaign
from apps.attestations.queries.recipients import SEATS, able
from apps.attestations.rules.ladder import RISE
from apps.common.clock import organisation_zone
from apps.notify.queries import undelivered_since
from apps.people.models import Person, Seat
from apps.registry.models import Unit
from apps.registry.queries.succession import mandate_holder

NAMES_SHOWN = 3
TONES = ("", "warn", "warn", "bad", "bad")
# Whose last mail failed is looked up so far back, as for the mails themselves.
LOOK_BACK = timedelta(days=14)


@dataclass(frozen=True)
class Step:
    """One of the five steps. `people` and `systems` stand on it now; `names` says who was told, with how many.

    `not_reached` counts those among whom the step tells to whom mail does not get through.
    """

    day: str
    who: str
    people: int
    systems: int
    names: tuple[str, ...]
    tone: str
    not_reached: int


# Rows: step, kind, key, people, systems. One row for each step (kind 'all'), and rows of whom it tells: line managers
# on day 1, units on day 3, owners on day 10 and those whom mail does not reach. An owner stands on one step only once.
_RISE_SQL = """
WITH standing AS MATERIALIZED (
    SELECT a.person_id, a.unit_id, p.line_manager_id,
           CASE WHEN a.state = 'not_attested' THEN 4
                ELSE (SELECT count(*) FROM unnest(%(days)s::int[]) AS d(after) WHERE %(today)s - a.due_on >= d.after)
           END AS step
    FROM attestations_assignment a JOIN people_person p ON p.id = a.person_id
    WHERE a.campaign_id = %(campaign)s
      AND a.state IN ('pending', 'in_progress', 'changes_requested', 'not_attested')
)
SELECT step, 'all', NULL, count(DISTINCT person_id), count(*),
       count(DISTINCT person_id) FILTER (WHERE person_id = ANY(%(failed)s)) FROM standing GROUP BY step
UNION ALL
SELECT step, 'manager', line_manager_id::text, count(DISTINCT person_id), count(*), 0
FROM standing WHERE step = 1 GROUP BY step, line_manager_id
UNION ALL
SELECT step, 'unit', unit_id::text, count(DISTINCT person_id), count(*), 0
FROM standing WHERE step = 2 GROUP BY step, unit_id
UNION ALL
(SELECT step, 'owner', person_id::text, 1, count(*), 0
 FROM standing WHERE step = 4 GROUP BY step, person_id ORDER BY count(*) DESC, person_id LIMIT %(shown)s)
"""


class _Told:
    """How many systems each told person hears of, most first."""

    def __init__(self) -> None:
        self.systems: dict[Person, int] = {}

    def add(self, person: Person | None, systems: int) -> None:
        if person is not None:
            self.systems[person] = self.systems.get(person, 0) + systems

    def names(self, total: int | None = None) -> tuple[str, ...]:
        """The first names with their numbers, and how many others there are."""
        ranked = sorted(self.systems.items(), key=lambda row: (-row[1], row[0].display_name))
        shown = [f"{person.display_name} {systems:,}" for person, systems in ranked[:NAMES_SHOWN]]
        others = (sum(self.systems.values()) if total is None else total) - sum(n for _, n in ranked[:NAMES_SHOWN])
        return (*shown, f"others {others:,}") if others > 0 else tuple(shown)


def ladder(campaign: Campaign, today: date) -> list[Step]:
    """The five rising steps of a campaign. A fixed number of queries, whatever the number of systems."""
    failed = _failed(today)
    rows = _rows(campaign, today, failed)
    whole = {step: (people, systems, bad) for step, kind, _, people, systems, bad in rows if kind == "all"}
    told = _told(rows)
    steps = []
    for place, (_, day, who) in enumerate(RISE):
        people, systems, unreached = whole.get(place, (0, 0, 0))
        if place in {1, 2, 3}:
            unreached = sum(1 for person in told[place].systems if person.pk in failed) if people else 0
        names = told[place].names(systems if place == 4 else None) if settings.NAME_OVERDUE_PEOPLE and people else ()
        if place == 3:
            names = tuple(name.rsplit(" ", 1)[0] for name in names)
        steps.append(Step(day, who, people, systems, names, TONES[place], unreached))
    return steps


def _failed(today: date) -> set[UUID]:
    since = datetime.combine(today - LOOK_BACK, time(), organisation_zone())
    return set(undelivered_since(since).values_list("recipient", flat=True))


def _rows(campaign: Campaign, today: date, failed: Iterable[UUID]) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            _RISE_SQL,
            {
                "campaign": campaign.pk,
                "today": today,
                "days": [after for after, _, _ in RISE[1:]],
                "failed": list(failed),
                "shown": NAMES_SHOWN,
            },
        )
        rows: Sequence[Any] = cursor.fetchall()
    return rows


def _told(rows: Sequence[Any]) -> dict[int, _Told]:
    """Whom each step tells: line managers, heads, the seats, and at last those who are named. Four queries."""
    told = {place: _Told() for place in range(len(RISE))}
    ids = {key for _, kind, key, *_ in rows if kind in {"manager", "owner"} and key}
    people = {str(person.pk): person for person in Person.objects.filter(pk__in=ids)} if ids else {}
    units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
    seats = [seat.holder for seat in Seat.objects.filter(pk__in=SEATS).select_related("holder").order_by("-pk")]
    holders = [holder for holder in seats if holder is not None and able(holder)]
    if len(set(holders)) < len(SEATS) and (mandate := mandate_holder()) not in holders and mandate is not None:
        holders.append(mandate)
    for step, kind, key, _, systems, _ in rows:
        if (kind == "manager" and key and able(people[key])) or kind == "owner":
            told[step].add(people[key], systems)
        elif kind == "unit":
            told[step].add(_head_above(units, int(key)), systems)
        elif kind == "all" and step == 3:
            for holder in dict.fromkeys(holders):
                told[step].add(holder, systems)
    return told


def _head_above(units: dict[int, Unit], unit_id: int) -> Person | None:
    """The head of a unit, or of the first above it that has one."""
    unit = units.get(unit_id)
    while unit is not None:
        if unit.head is not None and able(unit.head):
            return unit.head
        unit = units.get(unit.parent_id or 0)
    return None
