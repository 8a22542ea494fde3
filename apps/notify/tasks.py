"""The sweep that empties the outbox."""

from celery import shared_task

from apps.notify import delivery


@shared_task(name="notify.deliver_pending")
def deliver_pending() -> int:
    """Send what is due. Rows decide, so that it can run twice, late or not at all. Returns how many were sent."""
    return delivery.deliver_pending().sent
