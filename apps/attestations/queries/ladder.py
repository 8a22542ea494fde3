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


# Rows: step, kind, key, people, systems, of them not reached. One row for each step (kind 'all'), and rows of whom it
# tells: line managers on day 1, units on day 3, owners on day 10. An owner stands on one step only once. Counted by
# person in the order of the index `assignment_standing`, which holds all that is read; names are looked up for few.
_RISE_SQL = """
WITH person AS MATERIALIZED (
    SELECT person_id,
           count(*) FILTER (WHERE state <> 'not_attested' AND due_on > %(day_1)s) AS on_0,
           count(*) FILTER (WHERE state <> 'not_attested' AND due_on <= %(day_1)s AND due_on > %(day_2)s) AS on_1,
           count(*) FILTER (WHERE state <> 'not_attested' AND due_on <= %(day_2)s AND due_on > %(day_3)s) AS on_2,
           count(*) FILTER (WHERE state <> 'not_attested' AND due_on <= %(day_3)s AND due_on > %(day_4)s) AS on_3,
           count(*) FILTER (WHERE state = 'not_attested' OR due_on <= %(day_4)s) AS on_4
    FROM attestations_assignment
    WHERE campaign_id = %(campaign)s AND state IN ('pending', 'in_progress', 'changes_requested', 'not_attested')
    GROUP BY person_id
),
manager AS MATERIALIZED (
    SELECT m.id, m.display_name, sum(person.on_1)::bigint AS systems
    FROM person JOIN people_person p ON p.id = person.person_id
    JOIN people_person m ON m.id = p.line_manager_id AND m.is_active AND m.kind = 'human'
    WHERE person.on_1 > 0 GROUP BY m.id
),
failed AS (SELECT unnest(%(failed)s::uuid[]) AS id),
whole AS (
    SELECT count(*) FILTER (WHERE on_0 > 0) AS people_0, coalesce(sum(on_0), 0)::bigint AS systems_0,
           count(*) FILTER (WHERE on_0 > 0 AND bad) AS bad_0,
           count(*) FILTER (WHERE on_1 > 0) AS people_1, coalesce(sum(on_1), 0)::bigint AS systems_1,
           count(*) FILTER (WHERE on_1 > 0 AND bad) AS bad_1,
           count(*) FILTER (WHERE on_2 > 0) AS people_2, coalesce(sum(on_2), 0)::bigint AS systems_2,
           count(*) FILTER (WHERE on_2 > 0 AND bad) AS bad_2,
           count(*) FILTER (WHERE on_3 > 0) AS people_3, coalesce(sum(on_3), 0)::bigint AS systems_3,
           count(*) FILTER (WHERE on_3 > 0 AND bad) AS bad_3,
           count(*) FILTER (WHERE on_4 > 0) AS people_4, coalesce(sum(on_4), 0)::bigint AS systems_4,
           count(*) FILTER (WHERE on_4 > 0 AND bad) AS bad_4
    FROM (SELECT *, person_id IN (SELECT id FROM failed) AS bad FROM person) AS known
)
SELECT step, 'all', NULL, people, systems, bad FROM whole CROSS JOIN LATERAL (VALUES
    (0, people_0, systems_0, bad_0),
    (1, people_1, systems_1, bad_1),
    (2, people_2, systems_2, bad_2),
    (3, people_3, systems_3, bad_3),
    (4, people_4, systems_4, bad_4)) AS v (step, people, systems, bad)
UNION ALL
SELECT 1, 'managers', NULL, count(*), coalesce(sum(systems), 0)::bigint,
       count(*) FILTER (WHERE id IN (SELECT id FROM failed)) FROM manager
UNION ALL
(SELECT 1, 'manager', id::text, 1, systems, 0 FROM manager ORDER BY systems DESC, display_name, id LIMIT %(shown)s)
UNION ALL
SELECT 2, 'unit', unit_id::text, 0, count(*), 0 FROM attestations_assignment
WHERE campaign_id = %(campaign)s AND state IN ('pending', 'in_progress', 'changes_requested')
  AND due_on <= %(day_2)s AND due_on > %(day_3)s GROUP BY unit_id
UNION ALL
(SELECT 4, 'owner', person_id::text, 1, on_4, 0
 FROM person WHERE on_4 > 0 ORDER BY on_4 DESC, person_id LIMIT %(shown)s)
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
    managers = next((systems, bad) for _, kind, _, _, systems, bad in rows if kind == "managers")
    told = _told(rows)
    steps = []
    for place, (_, day, who) in enumerate(RISE):
        people, systems, unreached = whole.get(place, (0, 0, 0))
        if place == 1:
            unreached = managers[1]
        elif place in {2, 3}:
            unreached = sum(1 for person in told[place].systems if person.pk in failed) if people else 0
        total = {1: managers[0], 4: systems}.get(place)
        names = told[place].names(total) if settings.NAME_OVERDUE_PEOPLE and people else ()
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
                **{f"day_{place}": today - timedelta(days=after) for place, (after, _, _) in enumerate(RISE) if place},
                "failed": list(failed),
                "shown": NAMES_SHOWN,
            },
        )
        rows: Sequence[Any] = cursor.fetchall()
    return rows


def _told(rows: Sequence[Any]) -> dict[int, _Told]:
    """Whom each step tells: line managers, heads, the seats, and at last those who are named. Four queries.

    Of line managers and owners only the first are read: `managers` in the rows counts them all.
    """
    told = {place: _Told() for place in range(len(RISE))}
    ids = {key for _, kind, key, *_ in rows if kind in {"manager", "owner"}}
    people = {str(person.pk): person for person in Person.objects.filter(pk__in=ids)} if ids else {}
    units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
    seats = [seat.holder for seat in Seat.objects.filter(pk__in=SEATS).select_related("holder").order_by("-pk")]
    holders = [holder for holder in seats if holder is not None and able(holder)]
    if len(set(holders)) < len(SEATS) and (mandate := mandate_holder()) not in holders and mandate is not None:
        holders.append(mandate)
    for step, kind, key, _, systems, _ in rows:
        if kind in {"manager", "owner"}:
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
