"""Every card for when the portal is down: read in two statements, row by row, whatever their number."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.db import connection

_PEOPLE_SQL = """
WITH named AS (
    SELECT DISTINCT w.id FROM incidents_responsecard c CROSS JOIN LATERAL (
        VALUES (c.lead_id), (c.owner_id), (c.deputy_id), (c.next_in_line_id)) AS w(id) WHERE w.id IS NOT NULL
    UNION SELECT stop_holder_id FROM incidents_responseprofile WHERE stop_holder_id IS NOT NULL)
SELECT p.id::text, jsonb_build_object('name', p.display_name, 'title', p.title, 'phone', p.phone, 'email', p.email,
    'time_zone', p.time_zone, 'channels', COALESCE((
        SELECT jsonb_agg(jsonb_build_object('kind', n.kind, 'address', n.address) ORDER BY n.position, n.id)
        FROM notify_channel n WHERE n.person_id = p.id AND n.removed_at IS NULL AND n.verified_at IS NOT NULL),
        '[]'::jsonb))
FROM named JOIN people_person p ON p.id = named.id ORDER BY p.display_name, p.id
"""
_SYSTEMS_SQL = """
SELECT jsonb_build_object('key', s.key, 'name', s.name, 'unit', u.name, 'operating_model', s.operating_model,
    'vendor', s.vendor, 'owner', s.owner_id, 'cards', k.cards, 'stop', jsonb_build_object(
        'how', COALESCE(p.stop_how, ''), 'link', COALESCE(p.stop_link, ''), 'tested_on', p.stop_tested_on,
        'holder', p.stop_holder_id, 'owner_may', COALESCE(a.may_stop, false)),
    'evidence_how', COALESCE(p.evidence_how, ''), 'vendor_channel', COALESCE(p.vendor_channel, ''),
    'vendor_reference', COALESCE(p.vendor_reference, ''))
FROM registry_system s JOIN registry_unit u ON u.id = s.unit_id
JOIN (SELECT c.system_id, jsonb_agg(jsonb_build_object('scenario', c.scenario, 'lead', c.lead_id,
            'acts_for', c.acts_for_id, 'deputy', c.deputy_id, 'next_in_line', c.next_in_line_id, 'basis', c.basis,
            'is_fallback', c.is_fallback) ORDER BY c.scenario) AS cards
      FROM incidents_responsecard c GROUP BY c.system_id) AS k ON k.system_id = s.id
LEFT JOIN incidents_responseprofile p ON p.system_id = s.id
LEFT JOIN registry_ownershipterm t ON t.system_id = s.id AND upper_inf(t.period)
LEFT JOIN registry_authority a ON a.term_id = t.id AND a.ended_at IS NULL
ORDER BY s.name, s.id
"""
_RUNBOOKS_SQL = """
SELECT jsonb_build_object('scenario', r.scenario, 'title', r.title, 'version', v.number, 'system', s.key,
    'operating_model', r.operating_model, 'unit', u.name, 'steps', (
        SELECT jsonb_agg(jsonb_build_object('order', t."order", 'title', t.title, 'instruction', t.instruction)
            ORDER BY t."order") FROM incidents_runbookstep t WHERE t.version_id = v.id))
FROM incidents_runbook r JOIN incidents_runbookversion v ON v.runbook_id = r.id AND v.state = 'published'
LEFT JOIN registry_system s ON s.id = r.system_id LEFT JOIN registry_unit u ON u.id = r.unit_id
WHERE r.retired_at IS NULL ORDER BY r.scenario, r.title, r.id
"""


def people_on_cards() -> dict[str, dict[str, Any]]:
    """Everybody on any card, by id, with how they are reached."""
    return {pk: _json(told) for pk, told in _rows(_PEOPLE_SQL)}


def systems_with_cards() -> Iterator[dict[str, Any]]:
    """Each live system by name with its cards, how it is stopped and its vendor. Part of a transaction."""
    for (told,) in _rows(_SYSTEMS_SQL):
        yield _json(told)


def runbooks_in_use() -> list[dict[str, Any]]:
    """Each runbook in use with all its steps."""
    return [_json(told) for (told,) in _rows(_RUNBOOKS_SQL)]


def _rows(statement: str) -> Iterator[tuple[Any, ...]]:
    """Row by row from the server: a large register does not fill the memory."""
    with closing(connection.chunked_cursor()) as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1000):
            yield from rows


def _json(told: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told) if isinstance(told, str) else told
    return found
