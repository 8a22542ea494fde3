"""Saying things once: rows go into the outbox with the change that causes them; a sweep sends them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.notify.models import Message
from apps.notify.rules import why_not
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
    """Put one message into the outbox, in the caller's transaction. Returns 0 where its key is there already, and
    where no mail can be sent to this person: see enqueue_many."""
    return enqueue_many([Note(key, recipient, subject, body, path)], now=now, not_before=not_before)


def enqueue_many(notes: Iterable[Note], *, now: datetime, not_before: datetime | None = None) -> int:
    """Put many messages into the outbox in one statement; returns how many new ones will be sent.

    Who is deactivated, a service account or without an address gets no mail. Such a note is kept as not delivered,
    with the reason: it is listed, and a finding asks somebody who can act to see to it.
    """
    fresh = [_message(note, now, not_before or now) for note in notes]
    to_send = [message.key for message in fresh if message.state == Message.State.QUEUED]
    before = Message.objects.filter(key__in=to_send).count()
    Message.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=2000)
    return len(to_send) - before


def _message(note: Note, now: datetime, not_before: datetime) -> Message:
    to = note.recipient
    reason = why_not(to.email, is_active=to.is_active, is_human=to.kind == Person.Kind.HUMAN)
    return Message(
        key=note.key,
        recipient=to,
        subject=" ".join(note.subject.split())[:600],
        body=note.body,
        path=note.path,
        state=Message.State.FAILED if reason else Message.State.QUEUED,
        error=reason,
        created_at=now,
        not_before=not_before,
    )
