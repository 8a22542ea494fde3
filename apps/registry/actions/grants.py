"""Object grants on systems: a projection of who answers, who deputises, who is asked and who has a letter."""

from collections.abc import Sequence

from apps.access.actions import replace_grants
from apps.registry.models import SystemUserPermission

_WANTED = """
SELECT s.id, s.owner_id FROM registry_system s WHERE s.id = ANY(%(ids)s)
UNION SELECT s.id, p.deputy_id FROM registry_system s JOIN people_person p ON p.id = s.owner_id
    WHERE s.id = ANY(%(ids)s) AND p.deputy_id IS NOT NULL
UNION SELECT n.system_id, n.nominee_id FROM registry_nomination n
    WHERE n.system_id = ANY(%(ids)s) AND n.state = 'open'
UNION SELECT r.system_id, r.person_id FROM registry_raciassignment r
    WHERE r.system_id = ANY(%(ids)s) AND r.person_id IS NOT NULL AND r.valid_to IS NULL
"""


def sync_grants(system_ids: Sequence[int]) -> None:
    """Bring the grants on these systems in line with the facts. Two statements for any number of systems."""
    if system_ids:
        replace_grants(SystemUserPermission, "answer_for_system", _WANTED, system_ids)
