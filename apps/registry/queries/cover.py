"""Who answers for live systems without somebody who could stand in, or for too many: as breaches."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count

from apps.common.clock import day_words, local_date
from apps.people.models import Person
from apps.people.queries import Presence
from apps.people.rules import LEAVING_SOON
from apps.registry.models import System
from apps.registry.queries.systems import live
from apps.registry.rules import NOT_LIVE
from apps.registry.rules.breaches import Breach, Level, Severity

NO_DEPUTY = "cover.no_deputy"
DEPUTY_CANNOT_ACT = "cover.deputy_cannot_act"
UNCOVERED = "cover.away_uncovered"
OVER_CAP = "cover.over_cap"

# Only people for whom something is not as it should be; the counts are over live systems.
_SQL = """
WITH load AS (
    SELECT owner_id, count(*) AS total, count(*) FILTER (WHERE owner_basis = 'accepted') AS accepted
    FROM registry_system WHERE stage <> ALL(%(not_live)s) GROUP BY owner_id)
SELECT p.id, p.display_name, l.total, l.accepted, d.display_name, d.is_active, d.leaving_on
FROM load l JOIN people_person p ON p.id = l.owner_id LEFT JOIN people_person d ON d.id = p.deputy_id
WHERE d.id IS NULL OR NOT d.is_active OR d.leaving_on <= %(soon)s OR l.accepted > %(cap)s
ORDER BY p.display_name, p.id
"""


@dataclass(frozen=True)
class _Row:
    """One accountable person and their deputy."""

    person_id: UUID
    name: str
    total: int
    accepted: int
    deputy: str | None
    deputy_active: bool | None
    deputy_leaves: date | None


def cover_breaches(now: datetime) -> list[Breach]:
    """What should not be so with those who answer: no deputy, a deputy who can't act, away with nobody near to
    act, above the workload cap (one per person). Five statements for any number of people."""
    values: dict[str, Any] = {
        "not_live": [stage.value for stage in NOT_LIVE],
        "soon": local_date(now) + timedelta(days=LEAVING_SOON),
        "cap": settings.WORKLOAD_CAP,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        rows = [_Row(*row) for row in cursor.fetchall()]
    found = [breach for row in rows for breach in _of_person(row, values["soon"])]
    return found + list(_uncovered(now))


def _of_person(row: _Row, soon: date) -> Iterator[Breach]:
    if row.deputy is None:
        yield _breach(
            NO_DEPUTY, row, Severity.MEDIUM, f"{_answers(row)} and has no deputy.", "Name a deputy in the profile."
        )
    elif not row.deputy_active:
        yield _breach(
            DEPUTY_CANNOT_ACT,
            row,
            Severity.HIGH,
            f"{_answers(row)}; the deputy {row.deputy} is deactivated.",
            "Name another deputy in the profile.",
        )
    elif row.deputy_leaves is not None and row.deputy_leaves <= soon:
        yield _breach(
            DEPUTY_CANNOT_ACT,
            row,
            Severity.MEDIUM,
            f"{_answers(row)}; the deputy {row.deputy} leaves on {day_words(row.deputy_leaves)}.",
            "Name another deputy in the profile before that day.",
        )
    if row.accepted > settings.WORKLOAD_CAP:
        yield _breach(
            OVER_CAP,
            row,
            Severity.MEDIUM,
            f"{row.name} accepted {row.accepted} live systems; {settings.WORKLOAD_CAP} are the most.",
            "Nominate others for some of them.",
            path=f"/systems/?owner={row.person_id}",
        )


def _answers(row: _Row) -> str:
    return f"{row.name} answers for {row.total} live system{'' if row.total == 1 else 's'}"


def _breach(check: str, row: _Row, severity: Severity, title: str, remedy: str, *, path: str = "/profile/") -> Breach:
    return Breach(
        check=check,
        level=Level.WARN,
        severity=severity,
        subject=f"person:{row.person_id}",
        title=title,
        remedy=remedy,
        person_id=row.person_id,
        path=path,
    )


def _uncovered(now: datetime) -> Iterator[Breach]:
    """Owners of live systems who are away while delegate, deputy and line manager are not here either."""
    presence = Presence(now)
    away = {row.person_id: row.person for row in presence.absences.values() if presence.is_away(row.person)}
    owned = live(System.objects.filter(owner__in=list(away))).order_by()
    counts = dict(owned.values_list("owner").annotate(n=Count("pk")))
    mandate = Person.objects.filter(seats__function__mandates__isnull=False).first()
    for person_id in sorted(counts, key=lambda one: (away[one].display_name, one)):
        person = away[person_id]
        acting = presence.acting(person)
        if not acting.uncovered or acting.absence is None:
            continue
        remedies = (person.line_manager, mandate)
        right = next((one for one in remedies if one is not None and presence.can_act(one)), mandate or person)
        n = counts[person_id]
        yield Breach(
            check=UNCOVERED,
            level=Level.BLOCK,
            severity=Severity.HIGH,
            subject=f"person:{person_id}",
            title=(
                f"{person.display_name} answers for {n} live system{'' if n == 1 else 's'}, is away until "
                f"{day_words(acting.absence.ends_on)}, and neither deputy nor line manager is here."
            ),
            remedy="Name somebody who acts on these days.",
            person_id=right.pk,
            path=f"/people/{person_id}/availability/",
        )
