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
    # Somebody is called: it goes before everything else that waits.
    urgent = models.BooleanField(default=False, db_default=False)
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
            models.Index("not_before", condition=Q(state="queued", urgent=True), name="message_urgent"),
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


class Endpoint(models.Model):
    """Where the portal speaks to another program: a chat, a paging service, a gateway for texts and calls.

    The secret is kept encrypted (`secrets.py`); it is never shown again.
    """

    class Kind(models.TextChoices):
        GENERIC = "generic", "Webhook (Standard Webhooks)"
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Microsoft Teams"
        PAGERDUTY = "pagerduty", "PagerDuty Events v2"
        OPSGENIE = "opsgenie", "Opsgenie-compatible"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    url = models.URLField(max_length=600)
    secret = models.BinaryField(null=True, blank=True)
    # Every live incident is told here too, beside the people who are called.
    announces = models.BooleanField(default=False)
    created_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    tested_at = models.DateTimeField(null=True, blank=True)
    test_error = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["generic", "slack", "teams", "pagerduty", "opsgenie"]), name="endpoint_known_kind"
            ),
            models.CheckConstraint(
                condition=Q(url__startswith="https://") | Q(url__startswith="http://"), name="endpoint_is_http"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Channel(models.Model):
    """One way to reach one person. Verified once by a code that came through it; tested again and again.

    E-mail goes through the outbox; the others through an endpoint, with the number or name as its address.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        SMS = "sms", "Text message"
        VOICE = "voice", "Call"
        CHAT = "chat", "Chat"

    person = models.ForeignKey(Person, models.PROTECT, related_name="channels")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    address = models.CharField(max_length=300)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, null=True, blank=True, related_name="channels")
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    # The code that was sent, as SHA-256, and until when it counts.
    code_digest = models.BinaryField(max_length=32, null=True, blank=True)
    code_until = models.DateTimeField(null=True, blank=True)
    code_tries = models.PositiveSmallIntegerField(default=0)
    verified_at = models.DateTimeField(null=True, blank=True)
    # The last test that the person confirmed, and the last that was sent.
    tested_at = models.DateTimeField(null=True, blank=True)
    test_sent_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("position", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["person", "kind", "address"],
                condition=Q(removed_at=None),
                name="channel_once",
                violation_error_message="This way to reach you is here already.",
            ),
            models.CheckConstraint(
                condition=Q(kind="email", endpoint=None) | ~Q(kind="email") & Q(endpoint__isnull=False),
                name="channel_has_endpoint",
                violation_error_message="Choose the endpoint that carries it.",
            ),
            models.CheckConstraint(condition=Q(kind__in=["email", "sms", "voice", "chat"]), name="channel_known_kind"),
            models.CheckConstraint(condition=~Q(address=""), name="channel_has_address"),
            models.CheckConstraint(
                condition=Q(tested_at=None) | Q(verified_at__isnull=False), name="channel_tested_is_verified"
            ),
            models.CheckConstraint(condition=Q(code_tries__lte=5), name="channel_five_tries"),
            models.CheckConstraint(
                condition=Q(code_digest=None, code_until=None) | Q(code_digest__isnull=False, code_until__isnull=False),
                name="channel_code_ends",
            ),
        )
        indexes = (models.Index("person", condition=Q(removed_at=None), name="channel_in_use"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.person_id}"


class Delivery(models.Model):
    """One request to one endpoint: the outbox of webhooks. Claimed, sent, confirmed like a mail.

    `key` makes it unique and travels as the message's id, so that a receiver can drop a double.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        CLAIMED = "claimed", "Being sent"
        SENT = "sent", "Taken"
        FAILED = "failed", "Not delivered"
        UNCERTAIN = "uncertain", "Uncertain: may have been taken"
        WITHDRAWN = "withdrawn", "Not needed any more"

    key = models.CharField(max_length=200, unique=True)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="deliveries")
    channel = models.ForeignKey(Channel, models.PROTECT, null=True, blank=True, related_name="deliveries")
    # What is said, independent of the endpoint's kind: {"type", "title", "text", "link", "severity", ...}.
    content = models.JSONField()
    # Somebody is called: it goes before everything else that waits.
    urgent = models.BooleanField(default=False, db_default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    created_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
                name="delivery_sent_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["claimed", "uncertain"]) | Q(claimed_at__isnull=False),
                name="delivery_claim_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="withdrawn") & ~Q(state="queued")
                | Q(state="withdrawn", withdrawn_at__isnull=False) & ~Q(error="")
                | Q(state="queued", withdrawn_at=None),
                name="delivery_withdrawn_dated",
            ),
        )
        indexes = (
            models.Index("not_before", condition=Q(state="queued"), name="delivery_queue"),
            models.Index("endpoint", "created_at", name="delivery_endpoint"),
            models.Index("channel", "created_at", condition=Q(channel__isnull=False), name="delivery_channel"),
            models.Index("claimed_at", condition=Q(state="claimed"), name="delivery_claims"),
            models.Index("created_at", condition=Q(state__in=["failed", "uncertain"]), name="delivery_undone"),
        )
        triggers = (
            pgtrigger.FSM(
                name="delivery_states",
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
