"""Saying things once: rows go into the outbox with the change that causes them; a sweep sends them."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.notify.models import Message
from apps.notify.rules import why_not
from apps.people.models import Person

# Messages in one statement.
BATCH = 5000


@dataclass(frozen=True)
class Note:
    """A message to be. `key` names the occasion: one key is said once, however often it is enqueued.

    It leaves at `not_before` at the earliest; without one at the time that is given for all of them, or now. An
    urgent one calls somebody: it leaves before all others that wait, and is tried again sooner.
    """

    key: str
    recipient: Person
    subject: str
    body: str
    path: str = ""
    not_before: datetime | None = None
    urgent: bool = False


def enqueue(
    *,
    key: str,
    recipient: Person,
    subject: str,
    body: str,
    now: datetime,
    path: str = "",
    not_before: datetime | None = None,
    urgent: bool = False,
) -> int:
    """Put one message into the outbox, in the caller's transaction. Returns 0 where its key is there already, and
    where no mail can be sent to this person: see enqueue_many."""
    return enqueue_many([Note(key, recipient, subject, body, path, not_before, urgent)], now=now)


def enqueue_many(notes: Iterable[Note], *, now: datetime, not_before: datetime | None = None) -> int:
    """Put many messages into the outbox, some thousands a statement; returns how many new ones will be sent.

    A note's own `not_before` wins over the one for all. Who is deactivated, a service account or without an address
    gets no mail. Such a note is kept as not delivered, with the reason: it is listed, and a finding asks somebody
    who can act to see to it. In the order of their keys, so that two who say the same at once never wait for each
    other.
    """
    rows = sorted((_row(note, note.not_before or not_before or now) for note in notes), key=lambda row: row["key"])
    with connection.cursor() as cursor:
        return sum(_insert(cursor, rows[start : start + BATCH], now) for start in range(0, len(rows), BATCH))


def _row(note: Note, not_before: datetime) -> dict[str, str | bool]:
    to = note.recipient
    reason = why_not(to.email, is_active=to.is_active, is_human=to.kind == Person.Kind.HUMAN)
    return {
        "key": note.key,
        "recipient": str(to.pk),
        "subject": " ".join(note.subject.split())[:600],
        "body": note.body,
        "path": note.path,
        "urgent": note.urgent,
        "state": Message.State.FAILED if reason else Message.State.QUEUED,
        "error": reason,
        "not_before": not_before.isoformat(),
    }


# The unique key decides what is there already, also against somebody who says the same at this moment.
_INSERT_SQL = """
WITH fresh AS (
    INSERT INTO notify_message (key, recipient_id, subject, body, path, urgent, state, attempts, not_before,
        created_at, error)
    SELECT n.key, n.recipient, n.subject, n.body, n.path, n.urgent, n.state, 0, n.not_before, %(now)s, n.error
    FROM json_to_recordset(%(notes)s::json) AS n(key text, recipient uuid, subject text, body text, path text,
        urgent boolean, state text, not_before timestamptz, error text)
    ON CONFLICT (key) DO NOTHING RETURNING state
)
SELECT count(*) FROM fresh WHERE state = 'queued'
"""


def _insert(cursor: CursorWrapper, rows: list[dict[str, str | bool]], now: datetime) -> int:
    cursor.execute(_INSERT_SQL, {"notes": json.dumps(rows, ensure_ascii=False), "now": now})
    count: int = cursor.fetchone()[0]
    return count


# One statement for each table: between two, a row could go from waiting to being sent, or back, unseen.
_WITHDRAW_SQL = """
WITH gone AS (
    UPDATE {table} m SET withdrawn_at = %(now)s, error = %(reason)s,
        state = CASE WHEN m.state = 'queued' THEN 'withdrawn' ELSE m.state END
    WHERE m.id IN (SELECT one.id FROM {table} one
        WHERE one.state IN ('queued', 'claimed') AND ({meant}) ORDER BY one.id FOR NO KEY UPDATE)
    RETURNING m.state
)
SELECT count(*) FROM gone WHERE state = 'withdrawn'
"""
# What one note became on each channel of a person has the note's key, this sign and the channel.
ON_CHANNEL = "#"
_SAME_KEY = {
    "notify_message": "one.key = ANY(%(keys)s)",
    "notify_delivery": f"split_part(one.key, '{ON_CHANNEL}', 1) = ANY(%(keys)s)",
}


def withdraw(*, now: datetime, reason: str, keys: Collection[str] = (), prefix: str = "") -> int:
    """Take back what waits and is not needed any more: these keys, and all that begin with the prefix.

    Mails and webhooks alike. Part of the caller's transaction and of its verb: with the signature the reminder is
    gone, and where the signature is rolled back it waits again. Returns how many will not be sent. What a worker is
    sending at this moment is not counted; it looks once more before it sends, and where the other side refuses it,
    it is not tried again. Raises ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("Say why the messages are not needed any more.")
    if not keys and not prefix:
        return 0
    like = connection.ops.prep_for_like_query(prefix) + "%"
    params: dict[str, Any] = {"now": now, "reason": reason.strip()[:600], "keys": list(keys), "like": like}
    with connection.cursor() as cursor:
        return sum(_withdraw_from(cursor, table, params, bool(prefix)) for table in _SAME_KEY)


def _withdraw_from(cursor: CursorWrapper, table: str, params: dict[str, Any], by_prefix: bool) -> int:
    meant = [_SAME_KEY[table]] if params["keys"] else []
    meant += ["one.key LIKE %(like)s"] if by_prefix else []
    cursor.execute(_WITHDRAW_SQL.format(table=table, meant=" OR ".join(meant)), params)
    count: int = cursor.fetchone()[0]
    return count
