"""Reading the outbox: what was not said, and to whom."""

from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from apps.notify.models import Message
from apps.notify.rules import CLAIM_EXPIRES

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


def outbox_counts() -> dict[str, int]:
    """How many messages are in each state; every state is named. One query."""
    counted = dict(Message.objects.order_by().values_list("state").annotate(n=Count("pk")))
    return {state: counted.get(state, 0) for state in Message.State.values}
