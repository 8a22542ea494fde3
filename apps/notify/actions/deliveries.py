"""The outbox of webhooks: rows go in with the change that causes them; a sweep sends them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.notify.actions import BATCH
from apps.notify.models import Channel, Delivery, Endpoint
from apps.notify.rules import CHANNEL_REMOVED, ENDPOINT_ENDED


@dataclass(frozen=True)
class Call:
    """A delivery to be. `key` names the occasion: one key is said once, however often it is enqueued.

    `content` is what is said, independent of the endpoint's kind; `rules/webhooks.py` names its fields.
    """

    key: str
    endpoint: Endpoint
    content: Mapping[str, Any]
    channel: Channel | None = None
    not_before: datetime | None = None
    urgent: bool = False


def enqueue_delivery(
    *,
    key: str,
    endpoint: Endpoint,
    content: Mapping[str, Any],
    now: datetime,
    channel: Channel | None = None,
    urgent: bool = False,
) -> int:
    """Put one request into the outbox, in the caller's transaction. Returns 0 where its key is there already, and
    where nothing can be sent to this endpoint: see enqueue_deliveries."""
    return enqueue_deliveries([Call(key, endpoint, content, channel, urgent=urgent)], now=now)


def enqueue_deliveries(calls: Iterable[Call], *, now: datetime) -> int:
    """Put many requests into the outbox, some thousands a statement; returns how many new ones will be sent.

    What goes to an ended endpoint or a removed channel is kept as not delivered, with the reason. In the order of
    their keys, so that two who say the same at once never wait for each other.
    """
    rows = sorted((_row(call, now) for call in calls), key=lambda row: row["key"])
    with connection.cursor() as cursor:
        return sum(_insert(cursor, rows[start : start + BATCH], now) for start in range(0, len(rows), BATCH))


def _row(call: Call, now: datetime) -> dict[str, Any]:
    reason = ENDPOINT_ENDED if call.endpoint.ended_at else ""
    if call.channel is not None and call.channel.removed_at:
        reason = CHANNEL_REMOVED
    return {
        "key": call.key,
        "endpoint": call.endpoint.pk,
        "channel": call.channel.pk if call.channel else None,
        "content": dict(call.content),
        "urgent": call.urgent,
        "state": Delivery.State.FAILED if reason else Delivery.State.QUEUED,
        "error": reason,
        "not_before": (call.not_before or now).isoformat(),
    }


_INSERT_SQL = """
WITH fresh AS (
    INSERT INTO notify_delivery (key, endpoint_id, channel_id, content, urgent, state, attempts, not_before, created_at,
        error)
    SELECT n.key, n.endpoint, n.channel, n.content, n.urgent, n.state, 0, n.not_before, %(now)s, n.error
    FROM jsonb_to_recordset(%(calls)s::jsonb) AS n(key text, endpoint bigint, channel bigint, content jsonb,
        urgent boolean, state text, not_before timestamptz, error text)
    ON CONFLICT (key) DO NOTHING RETURNING state
)
SELECT count(*) FROM fresh WHERE state = 'queued'
"""


def _insert(cursor: CursorWrapper, rows: list[dict[str, Any]], now: datetime) -> int:
    cursor.execute(_INSERT_SQL, {"calls": json.dumps(rows, ensure_ascii=False), "now": now})
    count: int = cursor.fetchone()[0]
    return count
