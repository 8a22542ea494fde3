"""Emptying the outbox: claim a row and commit, then send, then confirm.

The rows are the truth. A crash leaves at most one claim for each worker; it becomes `uncertain`, is shown, and
is never sent again by itself. Redis, Celery or the mail server can go without a second mail to anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, TextField, Value, When

from apps.common import clock
from apps.notify.models import Message
from apps.notify.rules import CLAIM_EXPIRES, message_id, text_of, wait_after, why_not
from apps.notify.smtp import NotSentError, Outgoing, PerhapsSentError, UnreachableError
from apps.people.models import Person

# A sweep ends after this time, so that the next one begins with a fresh connection.
LONGEST_SWEEP = timedelta(seconds=60)

log = structlog.get_logger(__name__)


@dataclass
class Sweep:
    """What one sweep did."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0
    uncertain: int = 0


def deliver_pending(
    *,
    clock_now: Callable[[], datetime] = clock.now,
    limit: int | None = None,
    longest: timedelta = LONGEST_SWEEP,
) -> Sweep:
    """Send what is due, over one connection. Safe to run in any number of workers at once.

    A mail that certainly was not taken waits and is tried again, five times; then it has failed. Ends early
    where the mail server can't be reached or broke off in the middle.
    """
    begun, done = clock_now(), 0
    sweep = Sweep(uncertain=give_up_old_claims(now=begun))
    with Outgoing() as outgoing:
        while (limit is None or done < limit) and clock_now() - begun < longest:
            message = claim_next(now=clock_now())
            if message is None:
                break
            done += 1
            if not _deliver(message, outgoing, sweep, clock_now):
                break
    if done or sweep.uncertain:
        log.info("outbox.swept", **vars(sweep))
    return sweep


def give_up_old_claims(*, now: datetime) -> int:
    """Mark claims that nobody confirmed as uncertain: whoever held them is gone."""
    return Message.objects.filter(state=Message.State.CLAIMED, claimed_at__lt=now - CLAIM_EXPIRES).update(
        state=Message.State.UNCERTAIN,
        error="A worker stopped between sending and confirming. The mail may have been sent.",
    )


def claim_next(*, now: datetime) -> Message | None:
    """Take the message that waits longest, urgent ones first, and commit that before anything is sent.

    One at a time: a crash then leaves one message in doubt and not a batch. Raises RuntimeError in an open
    transaction, where the claim would not be committed.
    """
    with transaction.atomic(durable=True):
        waiting = Message.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state=Message.State.QUEUED, not_before__lte=now
        )
        message = waiting.select_related("recipient").order_by("-urgent", "not_before", "pk").first()
        if message is None:
            return None
        message.state, message.claimed_at = Message.State.CLAIMED, now
        message.attempts += 1
        message.save(update_fields=["state", "claimed_at", "attempts"])
    return message


def mail_of(message: Message) -> EmailMessage:
    """The mail for a message. Raises ValueError for a header with a line break in it."""
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = settings.DEFAULT_FROM_EMAIL
    mail["To"] = message.recipient.email
    mail["Date"] = format_datetime(message.claimed_at or message.created_at)
    mail["Message-ID"] = message_id(message.key, settings.SITE_URL)
    mail["Auto-Submitted"] = "auto-generated"
    link = f"{settings.SITE_URL}{message.path}" if message.path else ""
    text = text_of(message.body, link, settings.ORGANISATION_NAME, demo=settings.DEMO)
    mail.set_content(text, charset="utf-8", cte="quoted-printable")
    return mail


def _deliver(message: Message, outgoing: Outgoing, sweep: Sweep, clock_now: Callable[[], datetime]) -> bool:
    """Send one claimed message and write down what came of it. False where the sweep had better end."""
    to = message.recipient
    if was_withdrawn(message):
        _settle(message, Message.State.WITHDRAWN)
        return True
    if reason := why_not(to.email, is_active=to.is_active, is_human=to.kind == Person.Kind.HUMAN):
        sweep.failed += _settle(message, Message.State.FAILED, error=reason)
        return True
    try:
        mail = mail_of(message)
    except Exception as error:  # nothing of it is sent; whatever can't be written keeps no other mail waiting
        sweep.failed += _settle(message, Message.State.FAILED, error=f"The mail can't be written: {error}")
        return True
    try:
        outgoing.send(mail)
    except ValueError as error:
        sweep.failed += _settle(message, Message.State.FAILED, error=f"The mail can't be written: {error}")
    except PerhapsSentError as error:
        sweep.uncertain += _settle(message, Message.State.UNCERTAIN, error=str(error))
        return False
    except NotSentError as error:
        _postpone(message, str(error), sweep, clock_now())
        return not isinstance(error, UnreachableError)
    else:
        sweep.sent += _settle(message, Message.State.SENT, sent_at=clock_now(), error="")
    return True


def was_withdrawn(message: Message) -> bool:
    """Whether it was taken back between the claim and now: nobody is called after somebody said "I have it"."""
    return Message.objects.filter(pk=message.pk, withdrawn_at__isnull=False).exists()


def _postpone(message: Message, error: str, sweep: Sweep, now: datetime) -> None:
    wait = wait_after(message.attempts, urgent=message.urgent)
    if wait is None:
        sweep.failed += _settle(message, Message.State.FAILED, error=error)
    else:
        sweep.postponed += _wait_again(message, error, now + wait)


def _wait_again(message: Message, error: str, not_before: datetime) -> int:
    """Back to waiting; what was withdrawn while it was being sent stays withdrawn, with the reason for that."""
    wanted = When(withdrawn_at=None, then=Value(Message.State.QUEUED.value))
    return _settle(
        message,
        Case(wanted, default=Value(Message.State.WITHDRAWN.value)),
        error=Case(When(withdrawn_at=None, then=Value(error)), default=F("error"), output_field=TextField()),
        not_before=not_before,
    )


def _settle(message: Message, state: Message.State | Case, **fields: object) -> int:
    """Leave the claimed state, if the claim is still this worker's: what was settled stays."""
    mine = Message.objects.filter(
        pk=message.pk, state=Message.State.CLAIMED, claimed_at=message.claimed_at, attempts=message.attempts
    )
    return mine.update(state=state, **fields)
