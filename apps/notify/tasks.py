"""The sweeps that empty the outbox."""

from celery import shared_task

from apps.notify import delivery, webhooks


@shared_task(name="notify.deliver_pending")
def deliver_pending() -> int:
    """Send what is due. Rows decide, so that it can run twice, late or not at all. Returns how many were sent."""
    return delivery.deliver_pending().sent


@shared_task(name="notify.deliver_webhooks")
def deliver_webhooks() -> int:
    """Send the webhooks that are due. Rows decide. Returns how many were taken."""
    return webhooks.deliver_webhooks().sent
