"""Emptying the outbox of webhooks: claim a row and commit, then send, then confirm.

What certainly was not taken is tried again, sooner where somebody is called. Where nobody knows, it depends on the
receiver: those that drop a double (generic by `webhook-id`, PagerDuty by `dedup_key`, Opsgenie by `alias`) get the same
request again; to a chat, which would show it twice, it stays `uncertain`, is shown and never sent again by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, TextField, Value, When

from apps.common import clock
from apps.common.errors import Refused
from apps.notify.models import Delivery, Endpoint
from apps.notify.rules import CHANNEL_REMOVED, DEACTIVATED, ENDPOINT_ENDED, wait_after
from apps.notify.rules.webhooks import ADDRESS_IS_SECRET, DROPS_DOUBLES, Outgoing, Request, request_of
from apps.notify.safe_http import NotTakenError, OutOfReachError, PerhapsTakenError, RefusedTargetError, post
from apps.notify.secrets import unseal

# A sweep ends after this time, so that the next one begins with fresh connections.
LONGEST_SWEEP = timedelta(seconds=60)
# A claim this old was left behind by a crash: connecting, sending and reading take less than a minute together.
CLAIM_EXPIRES = timedelta(minutes=2)
# An answer "try again in …" is heard up to this.
LONGEST_WAIT = timedelta(hours=1)
LEFT_BEHIND = "A worker stopped between sending and confirming. It may have been taken."
TEST = "endpoint.test"

log = structlog.get_logger(__name__)


@dataclass
class Sweep:
    """What one sweep did."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0
    uncertain: int = 0
    withdrawn: int = 0
    # Endpoints that did not answer: in this sweep nothing else is tried there, so that one never holds up the others.
    silent: set[int] = field(default_factory=set)


def deliver_webhooks(
    *,
    clock_now: Callable[[], datetime] = clock.now,
    limit: int | None = None,
    longest: timedelta = LONGEST_SWEEP,
) -> Sweep:
    """Send what is due, urgent ones first. Safe to run in any number of workers at once."""
    begun, done, sweep = clock_now(), 0, Sweep()
    take_up_old_claims(sweep, now=begun)
    while (limit is None or done < limit) and clock_now() - begun < longest:
        delivery = claim_next(now=clock_now(), without=sweep.silent)
        if delivery is None:
            break
        done += 1
        _deliver(delivery, sweep, clock_now)
    if done or sweep.uncertain or sweep.postponed:
        log.info("webhooks.swept", sent=sweep.sent, postponed=sweep.postponed, failed=sweep.failed,
                 uncertain=sweep.uncertain, withdrawn=sweep.withdrawn)  # fmt: skip
    return sweep


def take_up_old_claims(sweep: Sweep, *, now: datetime) -> None:
    """Claims that nobody confirmed: sent again where the receiver drops a double, uncertain where it does not."""
    old = Delivery.objects.filter(state=Delivery.State.CLAIMED, claimed_at__lt=now - CLAIM_EXPIRES)
    for delivery in old.select_related("endpoint").order_by("pk")[:1000]:
        _doubt(delivery, LEFT_BEHIND, sweep, now)


def claim_next(*, now: datetime, without: set[int] | None = None) -> Delivery | None:
    """Take what waits longest, urgent ones first, and commit that before anything is sent.

    Raises RuntimeError in an open transaction, where the claim would not be committed.
    """
    with transaction.atomic(durable=True):
        waiting = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state=Delivery.State.QUEUED, not_before__lte=now
        )
        if without:
            waiting = waiting.exclude(endpoint__in=without)
        waiting = waiting.select_related("endpoint", "channel__person").order_by("not_before", "pk")
        delivery = waiting.filter(urgent=True).first() or waiting.first()
        if delivery is None:
            return None
        delivery.state, delivery.claimed_at = Delivery.State.CLAIMED, now
        delivery.attempts += 1
        delivery.save(update_fields=["state", "claimed_at", "attempts"])
    return delivery


def request_for(delivery: Delivery, *, now: datetime) -> Request:
    """The request for a delivery. Raises Refused where the secret can't be read or is missing, ValueError where it is
    no good."""
    endpoint = delivery.endpoint
    secret = unseal(endpoint.secret, row=endpoint.pk) if endpoint.secret else ""
    if not secret:
        raise Refused("The endpoint has no secret.")
    url = secret if endpoint.kind in ADDRESS_IS_SECRET else endpoint.url
    return request_of(endpoint.kind, Outgoing(delivery.key, delivery.content, url, secret, settings.SITE_URL, now))


def why_not_sent(delivery: Delivery) -> str:
    """Why nothing can be sent; empty where it can."""
    if delivery.endpoint.ended_at:
        return ENDPOINT_ENDED
    if delivery.channel is None:
        return ""
    if delivery.channel.removed_at:
        return CHANNEL_REMOVED
    return "" if delivery.channel.person.is_active else DEACTIVATED


def _deliver(delivery: Delivery, sweep: Sweep, clock_now: Callable[[], datetime]) -> None:
    """Send one claimed delivery and write down what came of it."""
    if reason := why_not_sent(delivery):
        sweep.failed += _settle(delivery, Delivery.State.FAILED, clock_now(), error=reason)
        return
    try:
        request = request_for(delivery, now=clock_now())
    except (Refused, ValueError) as error:
        sweep.failed += _settle(delivery, Delivery.State.FAILED, clock_now(), error=str(error))
        return
    except Exception as error:  # nothing of it is sent; whatever can't be written keeps no other waiting
        log.exception("webhooks.not_written", delivery=delivery.pk)
        words = f"The request can't be written: {type(error).__name__}."
        sweep.failed += _settle(delivery, Delivery.State.FAILED, clock_now(), error=words)
        return
    if not _is_still_wanted(delivery):
        sweep.withdrawn += _settle(delivery, Delivery.State.WITHDRAWN, clock_now())
        return
    _send(delivery, request, sweep, clock_now)


def _send(delivery: Delivery, request: Request, sweep: Sweep, clock_now: Callable[[], datetime]) -> None:
    try:
        answer = post(request.url, request.headers, request.body, hide=request.hide)
    except RefusedTargetError as error:
        sweep.failed += _settle(delivery, Delivery.State.FAILED, clock_now(), error=str(error))
    except PerhapsTakenError as error:
        sweep.silent.add(delivery.endpoint_id)
        _doubt(delivery, str(error), sweep, clock_now(), status=error.status)
    except NotTakenError as error:
        if isinstance(error, OutOfReachError):
            sweep.silent.add(delivery.endpoint_id)
        _postpone(delivery, error, sweep, clock_now())
    else:
        now = clock_now()
        sweep.sent += _settle(delivery, Delivery.State.SENT, now, sent_at=now, status=answer.status, error="")


def _is_still_wanted(delivery: Delivery) -> bool:
    """The last look before sending: still this worker's, and not taken back by somebody who said "I have it"."""
    return Delivery.objects.filter(_mine(delivery), withdrawn_at=None).exists()


def _postpone(delivery: Delivery, error: NotTakenError, sweep: Sweep, now: datetime) -> None:
    wait = wait_after(delivery.attempts, urgent=delivery.urgent)
    if wait is None:
        sweep.failed += _settle(delivery, Delivery.State.FAILED, now, error=str(error), status=error.status)
        return
    asked = min(timedelta(seconds=error.retry_after), LONGEST_WAIT)
    sweep.postponed += _wait_again(delivery, str(error), now, now + max(wait, asked), error.status)


def _doubt(delivery: Delivery, words: str, sweep: Sweep, now: datetime, *, status: int | None = None) -> None:
    """Nobody knows whether it was taken: again where a double is dropped, otherwise it is shown and left."""
    wait = wait_after(delivery.attempts, urgent=delivery.urgent)
    if wait is None or delivery.endpoint.kind not in DROPS_DOUBLES:
        sweep.uncertain += _settle(delivery, Delivery.State.UNCERTAIN, now, error=words, status=status)
        return
    sweep.postponed += _wait_again(delivery, words, now, now + wait, status)


def _wait_again(delivery: Delivery, words: str, now: datetime, not_before: datetime, status: int | None) -> int:
    """Back to waiting; what was taken back while it was being sent stays so, with the reason for that."""
    wanted = When(withdrawn_at=None, then=Value(Delivery.State.QUEUED.value))
    _note_test(delivery, words, now)
    return Delivery.objects.filter(_mine(delivery)).update(
        state=Case(wanted, default=Value(Delivery.State.WITHDRAWN.value)),
        error=Case(When(withdrawn_at=None, then=Value(words)), default=F("error"), output_field=TextField()),
        not_before=not_before,
        status=status,
    )


def _settle(delivery: Delivery, state: Delivery.State, now: datetime, **fields: object) -> int:
    """Leave the claimed state, if the claim is still this worker's: what was settled stays."""
    if state != Delivery.State.WITHDRAWN:
        _note_test(delivery, str(fields.get("error", "")), now)
    return Delivery.objects.filter(_mine(delivery)).update(state=state, **fields)


def _mine(delivery: Delivery) -> Q:
    return Q(pk=delivery.pk, state=Delivery.State.CLAIMED, claimed_at=delivery.claimed_at, attempts=delivery.attempts)


def _note_test(delivery: Delivery, error: str, now: datetime) -> None:
    """What came of an endpoint's test stands beside the endpoint."""
    if delivery.content.get("type") == TEST and delivery.content.get("action") != "resolve":
        Endpoint.objects.filter(pk=delivery.endpoint_id).update(tested_at=now, test_error=error[:300])
