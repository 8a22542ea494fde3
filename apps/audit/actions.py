"""Writing to the trail. Every verb of every app ends here, inside its own transaction."""

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from apps.audit.rules import Actor, Kind, Subject, canonical, commitment, microseconds
from apps.common.requests import current_request_id

_months_known: set[date] = set()


@dataclass(frozen=True)
class Entry:
    """One event to be. `private` holds values that may name a person: only commitments enter the body."""

    kind: Kind
    subject: Subject
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    reason: str = ""
    private: Mapping[str, str] = field(default_factory=dict)


def record(
    kind: Kind,
    *,
    actor: Actor,
    subject: Subject,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    private: Mapping[str, str] | None = None,
    cause: uuid.UUID | None = None,
) -> uuid.UUID:
    """Write one event in the transaction that is open and return its id.

    `before` and `after` hold values of ours and opaque ids, never names or addresses: those go into `private`.
    Raises TransactionManagementError outside a transaction: an act and its line stand or fall together.
    """
    entry = Entry(kind, subject, before, after, reason, private or {})
    return record_many([entry], actor=actor, now=now, cause=cause)[0]


def record_many(
    entries: Iterable[Entry], *, actor: Actor, now: datetime, cause: uuid.UUID | None = None
) -> list[uuid.UUID]:
    """Write many events at once; `cause` names the primary event of the verb that they belong to."""
    connection.validate_no_broken_transaction()
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An audit event is written inside the verb's transaction.")
    month = now.astimezone(UTC).date().replace(day=1)
    _ensure_month(month)
    rows = [_row(entry, actor, now, month, cause) for entry in entries]
    if rows:
        _insert(rows)
    return [row[0] for row in rows]


_Row = tuple[uuid.UUID, date, str, list[tuple[str, bytes, str]]]


def _row(entry: Entry, actor: Actor, now: datetime, month: date, cause: uuid.UUID | None) -> _Row:
    event_id = _uuid7(now)
    private = [(name, os.urandom(32), value) for name, value in _private_values(entry, actor).items() if value]
    body: dict[str, Any] = {
        "v": "1",
        "id": str(event_id),
        "month": month.isoformat(),
        "ts": str(microseconds(now)),
        "actor": actor.audit_id,
        "kind": str(entry.kind),
        "subject": {"kind": entry.subject.kind, "id": entry.subject.id},
        "commitments": {name: commitment(salt, value) for name, salt, value in private},
        "request": current_request_id(),
    }
    if entry.before is not None:
        body["before"] = dict(entry.before)
    if entry.after is not None:
        body["after"] = dict(entry.after)
    if cause is not None:
        body["cause"] = str(cause)
    return event_id, month, canonical(body), private


def _private_values(entry: Entry, actor: Actor) -> dict[str, str]:
    return {
        "actor_name": actor.audit_name,
        "actor_function": actor.audit_function,
        "subject_label": entry.subject.label,
        "reason": entry.reason,
        **entry.private,
    }


def _uuid7(now: datetime) -> uuid.UUID:
    """A time-ordered id (RFC 9562, version 7): 48 bits of milliseconds, then random bits."""
    milliseconds = microseconds(now) // 1000
    random = int.from_bytes(os.urandom(10)) & ((1 << 76) - 1)
    high, low = random >> 64, random & ((1 << 62) - 1)
    return uuid.UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0x2 << 62) | low)


# Texts travel as one JSON array: an array of the driver's takes longer to write than the rows take to insert.
_EVENTS_SQL = """
INSERT INTO audit_event (id, month, body)
SELECT * FROM ROWS FROM (unnest(%s::uuid[]), unnest(%s::date[]), json_array_elements_text(%s::json))
"""
_PRIVATE_SQL = """
INSERT INTO audit_private (event_id, event_month, field, salt, value)
SELECT p.event_id, p.event_month, p.field, decode(p.salt, 'hex'), p.value
FROM json_to_recordset(%s::json) AS p(event_id uuid, event_month date, field text, salt text, value text)
"""


def _insert(rows: list[_Row]) -> None:
    private = [
        {"event_id": str(event), "event_month": str(month), "field": field, "salt": salt.hex(), "value": value}
        for event, month, _, values in rows
        for field, salt, value in values
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            _EVENTS_SQL, [[row[0] for row in rows], [row[1] for row in rows], _json([row[2] for row in rows])]
        )
        cursor.execute(_PRIVATE_SQL, [_json(private)])


def _json(found: list[Any]) -> str:
    return json.dumps(found, ensure_ascii=False)


def _ensure_month(month: date) -> None:
    """Create the month's partition where the sweep has not; remembered only once it is committed."""
    if month in _months_known:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partition(%s)", [month])
        existed: bool = cursor.fetchone()[0]
    if existed:  # also true for one that this transaction made and may still roll back
        transaction.on_commit(partial(_months_known.add, month))


def prepare_partitions(*, now: datetime, months: int = 12) -> None:
    """Create the partitions of the months ahead, so that no write has to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_ensure_partition((date_trunc('month', %s::timestamptz AT TIME ZONE 'UTC')"
            " + make_interval(months => n))::date) FROM generate_series(0, %s) AS n",
            [now, months],
        )
