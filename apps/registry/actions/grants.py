"""Object grants on systems: a projection of who answers, who deputises, who stands in while the owner is away (the
delegate, the line manager, the head of the unit), who is asked and who has a letter."""

from collections.abc import Sequence

from django.db import connection

from apps.access.actions import replace_grants
from apps.registry.models import SystemUserPermission

# Who answers for them keeps the deputy that the grants are made from until this transaction ends.
_HOLD_OWNERS = """
SELECT FROM people_person WHERE id IN (SELECT owner_id FROM registry_system WHERE id = ANY(%s)) ORDER BY id FOR SHARE
"""
_WANTED = """
SELECT s.id, s.owner_id FROM registry_system s WHERE s.id = ANY(%(ids)s)
UNION SELECT s.id, p.deputy_id FROM registry_system s JOIN people_person p ON p.id = s.owner_id
    WHERE s.id = ANY(%(ids)s) AND p.deputy_id IS NOT NULL
UNION SELECT s.id, c.person_id FROM registry_system s
    JOIN people_person p ON p.id = s.owner_id
    JOIN people_absence a ON a.person_id = p.id AND a.in_force
    JOIN registry_unit u ON u.id = s.unit_id
    CROSS JOIN LATERAL (VALUES (a.delegate_id), (CASE WHEN a.kind = 'away' THEN p.line_manager_id END),
        (CASE WHEN a.kind = 'away' THEN u.head_id END)) AS c(person_id)
    JOIN people_person standing ON standing.id = c.person_id AND standing.is_active
    WHERE s.id = ANY(%(ids)s)
UNION SELECT n.system_id, n.nominee_id FROM registry_nomination n
    WHERE n.system_id = ANY(%(ids)s) AND n.state = 'open'
UNION SELECT h.system_id, h.incoming_id FROM registry_handover h
    WHERE h.system_id = ANY(%(ids)s) AND h.state IN ('open', 'signed')
UNION SELECT r.system_id, r.person_id FROM registry_raciassignment r
    WHERE r.system_id = ANY(%(ids)s) AND r.person_id IS NOT NULL AND r.valid_to IS NULL
"""


def sync_grants(system_ids: Sequence[int]) -> None:
    """Bring the grants on these systems in line with the facts. Three statements for any number of systems."""
    if system_ids:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD_OWNERS, [list(system_ids)])
        replace_grants(SystemUserPermission, "answer_for_system", _WANTED, system_ids)
