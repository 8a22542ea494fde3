"""Who may stop, revoke and cap spend without asking, and who may grant that."""

from collections.abc import Sequence

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from apps.access.queries import standings_of
from apps.access.rules import Standing
from apps.people.models import Person
from apps.registry.models import Authority, AuthorityOffer, Nomination, System
from apps.registry.queries.systems import live

WHO_GRANTS = "the mandate holder, an administrator or the head of the unit or of one above it"

_HEADS_ABOVE = """
WITH RECURSIVE places(start, id, parent_id, head_id) AS (
    SELECT u.id, u.id, u.parent_id, u.head_id FROM registry_unit u WHERE u.id = ANY(%(units)s)
    UNION SELECT p.start, u.id, u.parent_id, u.head_id FROM registry_unit u JOIN places p ON u.id = p.parent_id)
SELECT count(DISTINCT start) FROM places WHERE head_id = %(person)s
"""


def may_grant_authority(person: Person, systems: Sequence[System]) -> bool:
    """Whether a person may say what the owners of all these systems may do without asking. Two queries at most."""
    if not person.is_active or person.kind != Person.Kind.HUMAN or not systems:
        return False
    if standings_of(person) & {Standing.MANDATE_HOLDER, Standing.ADMINISTRATOR}:
        return True
    units = sorted({system.unit_id for system in systems})
    with connection.cursor() as cursor:
        cursor.execute(_HEADS_ABOVE, {"units": units, "person": person.pk})
        return bool(cursor.fetchone()[0] == len(units))


def offered_powers(nomination: Nomination) -> AuthorityOffer | None:
    """What goes with a nomination; None where nothing does, or where who offered it may not grant it any more."""
    offer = AuthorityOffer.objects.filter(nomination=nomination).select_related("offered_by").first()
    if offer is None or not may_grant_authority(offer.offered_by, [nomination.system]):
        return None
    return offer


def authorities_of(systems: QuerySet[System] | Sequence[System]) -> dict[int, Authority]:
    """The authority in force by system id; a system without one is not in it. One query."""
    found = Authority.objects.filter(term__system__in=systems, term__period__upper_inf=True, ended_at=None)
    return {one.term.system_id: one for one in found.select_related("term__person", "granted_by")}


def authority_history(system: System) -> QuerySet[Authority]:
    """Every authority that was ever granted on a system, newest first."""
    return Authority.objects.filter(term__system=system).select_related("term__person", "granted_by")


def cannot_stop(systems: QuerySet[System]) -> QuerySet[System]:
    """Live systems whose owner accepted and was not granted the authority to stop them."""
    in_force = Authority.objects.filter(
        term__system=OuterRef("pk"), term__period__upper_inf=True, ended_at=None, may_stop=True
    )
    return live(systems).filter(~Exists(in_force), owner_basis=System.Basis.ACCEPTED)
