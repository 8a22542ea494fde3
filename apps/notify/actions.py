"""Saying things once: rows go into the outbox with the change that causes them; a sweep sends them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.notify.models import Message
from apps.people.models import Person


@dataclass(frozen=True)
class Note:
    """A message to be. `key` names the occasion: one key is said once, however often it is enqueued."""

    key: str
    recipient: Person
    subject: str
    body: str
    path: str = ""


def enqueue(
    *,
    key: str,
    recipient: Person,
    subject: str,
    body: str,
    now: datetime,
    path: str = "",
    not_before: datetime | None = None,
) -> int:
    """Put one message into the outbox, in the caller's transaction. Returns 0 where its key is there already."""
    return enqueue_many([Note(key, recipient, subject, body, path)], now=now, not_before=not_before)


def enqueue_many(notes: Iterable[Note], *, now: datetime, not_before: datetime | None = None) -> int:
    """Put many messages into the outbox in one statement; returns how many were new.

    Nobody who is deactivated and no service account is written to: such a note is dropped here, and whoever
    waits for its effect sees the person as the finding.
    """
    fresh = [
        Message(
            key=note.key,
            recipient=note.recipient,
            subject=" ".join(note.subject.split())[:600],
            body=note.body,
            path=note.path,
            created_at=now,
            not_before=not_before or now,
        )
        for note in notes
        if note.recipient.is_active and note.recipient.kind == Person.Kind.HUMAN
    ]
    before = Message.objects.filter(key__in=[message.key for message in fresh]).count()
    Message.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=2000)
    return len(fresh) - before
