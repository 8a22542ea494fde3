"""The outbox: what is to be said to whom, and what is known about its delivery."""

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.people.models import Person


class Message(models.Model):
    """One mail to one person. `key` makes it unique: the same thing is never said twice.

    A worker claims the row, then sends, then confirms. A claim that a crash left unconfirmed becomes
    `uncertain`: it may have been sent, so it is shown and never sent again by itself. What is not needed any more
    before it was sent is `withdrawn`; `withdrawn_at` on a claimed row says that it must not be tried again.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        CLAIMED = "claimed", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Not delivered"
        UNCERTAIN = "uncertain", "Uncertain: may have been sent"
        WITHDRAWN = "withdrawn", "Not needed any more"

    key = models.CharField(max_length=200, unique=True)
    recipient = models.ForeignKey(Person, models.PROTECT, related_name="messages")
    subject = models.CharField(max_length=600)
    body = models.TextField()
    path = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    created_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    # Why it was not delivered, or why it was withdrawn.
    error = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
                name="message_sent_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["claimed", "uncertain"]) | Q(claimed_at__isnull=False),
                name="message_claim_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="withdrawn") & ~Q(state="queued")
                | Q(state="withdrawn", withdrawn_at__isnull=False) & ~Q(error="")
                | Q(state="queued", withdrawn_at=None),
                name="message_withdrawn_dated",
            ),
        )
        indexes = (
            models.Index("not_before", condition=Q(state="queued"), name="message_queue"),
            models.Index("claimed_at", condition=Q(state="claimed"), name="message_claims"),
            models.Index("recipient", "created_at", name="message_recipient"),
            models.Index("created_at", condition=Q(state__in=["failed", "uncertain"]), name="message_undone"),
        )
        triggers = (
            pgtrigger.FSM(
                name="message_states",
                field="state",
                transitions=[
                    ("queued", "claimed"),
                    ("queued", "failed"),
                    ("queued", "withdrawn"),
                    ("claimed", "sent"),
                    ("claimed", "queued"),
                    ("claimed", "failed"),
                    ("claimed", "uncertain"),
                    ("claimed", "withdrawn"),
                ],
            ),
        )

    def __str__(self) -> str:
        return self.key
