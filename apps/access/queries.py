"""The one door: what may this actor do, and which rows may they see. Unknown means none."""

from datetime import datetime
from typing import TypeVar

from django.db import connection
from django.db.models import Model, Q, QuerySet

from apps.access.rules import Permission, Standing, permissions_of
from apps.common import clock
from apps.common.errors import NotAllowed
from apps.people.models import Person
from apps.people.rules import RoleName

M = TypeVar("M", bound=Model)

_STANDING_OF_ROLE = {
    RoleName.ADMINISTRATOR: Standing.ADMINISTRATOR,
    RoleName.AUDITOR: Standing.AUDITOR,
    RoleName.BOARD: Standing.BOARD,
}

# One query for everything: granted roles, held seats, and whether one of the seats holds the mandate.
_STANDINGS_SQL = """
SELECT role, '' FROM people_rolegrant
WHERE person_id = %(person)s AND revoked_at IS NULL AND (until IS NULL OR until > %(now)s)
UNION ALL
SELECT 'seat', s.function_id FROM people_seat s WHERE s.holder_id = %(person)s
UNION ALL
SELECT 'mandate', s.function_id FROM people_seat s
JOIN registry_mandate m ON m.holder_id = s.function_id WHERE s.holder_id = %(person)s
"""


def standings_of(person: Person, *, now: datetime | None = None) -> frozenset[Standing]:
    """What a person is in the portal. One query, kept on the person object for the request."""
    kept: frozenset[Standing] | None = person.__dict__.get("_standings")
    if kept is not None:
        return kept
    found = {Standing.EMPLOYEE}
    if person.is_active:
        with connection.cursor() as cursor:
            cursor.execute(_STANDINGS_SQL, {"person": person.pk, "now": now or clock.now()})
            for what, function in cursor.fetchall():
                found.add(_standing(what, function))
    person.__dict__["_standings"] = frozenset(found)
    return frozenset(found)


def _standing(what: str, function: str) -> Standing:
    if what == "mandate":
        return Standing.MANDATE_HOLDER
    if what == "seat":
        return Standing.BOARD if function == "board" else Standing.SEAT_HOLDER
    return _STANDING_OF_ROLE[RoleName(what)]


def may(person: Person, permission: Permission) -> bool:
    """Whether a person may do something regardless of a single object."""
    return person.is_active and permission in permissions_of(standings_of(person))


def require(person: Person, permission: Permission, who: str = "the person who holds the mandate") -> None:
    """Raise NotAllowed with who may, where the person may not."""
    if not may(person, permission):
        raise NotAllowed(f"You may see this, but only {who} may do it.")


def visible(person: Person, rows: QuerySet[M], *, grants: type[Model]) -> QuerySet[M]:
    """The rows of a guarded model that a person may see.

    Those who read everything see every row that is not restricted; else a row is seen by a grant on it. A
    restricted row is seen by grant, and by the mandate holder and auditors.
    """
    if not person.is_active:
        return rows.none()
    standings = standings_of(person)
    if standings & {Standing.MANDATE_HOLDER, Standing.ADMINISTRATOR, Standing.AUDITOR}:
        return rows
    granted = grants._base_manager.filter(user=person).values("content_object")
    if Permission.SYSTEMS_READ_ALL in permissions_of(standings):
        return rows.filter(Q(restricted=False) | Q(pk__in=granted))
    return rows.filter(pk__in=granted)
