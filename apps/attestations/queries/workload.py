"""Who has more to attest in a campaign than a person can look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.attestations.models import Campaign

# People with more open items than the campaign's terms allow, the fullest first.
_SQL = """
SELECT p.id, p.display_name, count(*) AS items
FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id JOIN people_person p ON p.id = s.owner_id
WHERE a.campaign_id = %(campaign)s AND a.state IN ('pending', 'in_progress', 'changes_requested')
GROUP BY p.id, p.display_name HAVING count(*) > %(limit)s
ORDER BY items DESC, p.display_name, p.id
"""


@dataclass(frozen=True)
class Load:
    """One person and how many items they have open."""

    person_id: UUID
    name: str
    items: int


def overloaded(campaign: Campaign) -> list[Load]:
    """Everybody with more open items than the campaign's terms allow for one person. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"campaign": campaign.pk, "limit": campaign.term("items_per_person")})
        rows: Iterable[tuple[UUID, str, int]] = cursor.fetchall()
    return [Load(*row) for row in rows]
