"""Reading the outbox: what was not said, and to whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from apps.notify.models import Delivery, Endpoint, Message
from apps.notify.rules import CHANNEL_REMOVED, CLAIM_EXPIRES, DEACTIVATED
from apps.people.models import Person

# A mail that waits longer than this is worth a look: sweeps run every 15 seconds.
LATE_AFTER = timedelta(hours=1)


def undelivered(*, now: datetime) -> QuerySet[Message]:
    """Messages that failed, that may or may not have been sent, and that wait too long; newest first."""
    states = [Message.State.FAILED, Message.State.UNCERTAIN]
    late = Q(state=Message.State.QUEUED, created_at__lt=now - LATE_AFTER, not_before__lt=now)
    retried = Q(state=Message.State.QUEUED, attempts__gt=0)
    # The next sweep calls it uncertain; where no worker runs, there is no next sweep.
    left = Q(state=Message.State.CLAIMED, claimed_at__lt=now - CLAIM_EXPIRES)
    return (
        Message.objects.filter(Q(state__in=states) | late | retried | left)
        .select_related("recipient")
        .order_by("-created_at", "-pk")
    )


def undelivered_calls(*, now: datetime) -> QuerySet[Delivery]:
    """The same for webhooks: failed, uncertain, waiting too long or being tried again; newest first."""
    states = [Delivery.State.FAILED, Delivery.State.UNCERTAIN]
    late = Q(state=Delivery.State.QUEUED, created_at__lt=now - LATE_AFTER, not_before__lt=now)
    retried = Q(state=Delivery.State.QUEUED, attempts__gt=0)
    left = Q(state=Delivery.State.CLAIMED, claimed_at__lt=now - CLAIM_EXPIRES)
    return (
        Delivery.objects.filter(Q(state__in=states) | late | retried | left)
        .select_related("endpoint", "channel__person")
        .order_by("-created_at", "-pk")
    )


@dataclass(frozen=True)
class Silent:
    """An endpoint to which the last requests did not get through."""

    endpoint: Endpoint
    calls: int
    reason: str


def silent_endpoints(*, since: datetime) -> list[Silent]:
    """Every endpoint in use with a request that failed or is in doubt since then and none that was taken later, by
    name. One query; the reason is that of the last one."""
    lost = Delivery.objects.filter(
        state__in=[Delivery.State.FAILED, Delivery.State.UNCERTAIN], created_at__gte=since, endpoint__ended_at=None
    )
    later = Delivery.objects.filter(
        endpoint=OuterRef("endpoint"), state=Delivery.State.SENT, sent_at__gte=OuterRef("created_at")
    )
    rows = lost.exclude(Exists(later)).exclude(error__in=[CHANNEL_REMOVED, DEACTIVATED]).select_related("endpoint")
    by_endpoint: dict[Endpoint, Silent] = {}
    for row in rows.order_by("created_at", "pk").defer("content").iterator(chunk_size=2000):
        before = by_endpoint.get(row.endpoint)
        by_endpoint[row.endpoint] = Silent(row.endpoint, before.calls + 1 if before else 1, row.error)
    return sorted(by_endpoint.values(), key=lambda one: one.endpoint.name)


@dataclass(frozen=True)
class Unreached:
    """Somebody to whom the last mails did not get through."""

    person: Person
    mails: int
    reason: str


def unreached(*, since: datetime) -> list[Unreached]:
    """Everybody with a mail that failed since then and none that was taken later, by name. One query.

    The reason is that of the last one. A mail that may have been sent is not counted: it is listed on its page.
    """
    failed = Message.objects.filter(state=Message.State.FAILED, created_at__gte=since)
    later = Message.objects.filter(
        recipient=OuterRef("recipient"), state=Message.State.SENT, created_at__gte=OuterRef("created_at")
    )
    rows = failed.exclude(Exists(later)).select_related("recipient").order_by("created_at", "pk")
    by_person: dict[Person, Unreached] = {}
    for message in rows.defer("body", "subject").iterator(chunk_size=2000):
        before = by_person.get(message.recipient)
        by_person[message.recipient] = Unreached(message.recipient, before.mails + 1 if before else 1, message.error)
    return sorted(by_person.values(), key=lambda one: (one.person.display_name, one.person.email))


def outbox_counts() -> dict[str, int]:
    """How many messages are in each state; every state is named. One query."""
    counted = dict(Message.objects.order_by().values_list("state").annotate(n=Count("pk")))
    return {state: counted.get(state, 0) for state in Message.State.values}


def undelivered_since(since: datetime) -> QuerySet[Message]:
    """The last mail of everybody whose last one did not get through: no address, refused, deactivated.

    One row a person, of what was written since then. `.values("recipient")` in a subquery gives the people,
    `error` says why. What waits, was withdrawn or may have been sent decides nothing.
    """
    ended = Message.objects.filter(created_at__gte=since, state__in=[Message.State.SENT, Message.State.FAILED])
    later = ended.filter(recipient=OuterRef("recipient")).filter(
        Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), pk__gt=OuterRef("pk"))
    )
    return ended.filter(~Exists(later), state=Message.State.FAILED).select_related("recipient").order_by("recipient")
