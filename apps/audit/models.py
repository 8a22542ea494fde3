"""The trail's tables, whose rows never change, and one row for each sweep that says when it last ran."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q

# After so many failures in a row a sweep is called poisoned. It is still tried each time.
POISONED_AFTER = 5
# A sweep is late after this many of its intervals without an end that was good.
LATE_AFTER_INTERVALS = 3
# However often it runs: one that comes every 15 seconds may take a minute.
LATE_AFTER_AT_LEAST = timedelta(minutes=3)
# A run that began longer ago and has not ended never will: the worker's time limit is as long.
LONGEST_RUN = timedelta(minutes=10)


class AuditEvent(models.Model):
    """One act. `body` is the canonical JSON as it was written; the other columns are generated from it.

    `body` holds opaque ids and commitments only. What could name a person is in AuditPrivate.
    """

    id = models.UUIDField(primary_key=True)
    month = models.DateField()
    body = models.TextField()
    ts_us = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.TextField()
    kind = models.TextField()
    subject_kind = models.TextField()
    subject_id = models.TextField()
    cause = models.UUIDField(null=True)
    request_id = models.TextField()

    class Meta:
        managed = False
        db_table = "audit_event"

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_kind}:{self.subject_id}"


class AuditPrivate(models.Model):
    """A value that an event committed to: names, reasons, addresses. Erasing the row keeps the event valid."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    event_month = models.DateField()
    field = models.TextField()
    salt = models.BinaryField()
    value = models.TextField()

    class Meta:
        managed = False
        db_table = "audit_private"

    def __str__(self) -> str:
        return f"{self.field} of {self.event_id}"


class SweepRun(models.Model):
    """When a sweep of the static schedule last began and ended. Written around each run, not in its transaction.

    No history and no event: it would flood the trail. `last_error` names no person.
    """

    name = models.CharField(primary_key=True, max_length=80)
    every_seconds = models.PositiveIntegerField()
    registered_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    last_result = models.BigIntegerField(null=True, blank=True)
    runs = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveBigIntegerField(default=0)
    failures_in_a_row = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(condition=Q(every_seconds__gt=0), name="sweep_has_an_interval"),
            models.CheckConstraint(
                condition=Q(failures_in_a_row__lte=F("failures")) & Q(failures__lte=F("runs")),
                name="sweep_counts_agree",
            ),
            models.CheckConstraint(
                condition=Q(failures=0, failed_at=None, last_error="")
                | Q(failures__gt=0, failed_at__isnull=False) & ~Q(last_error=""),
                name="sweep_failure_told",
            ),
            models.CheckConstraint(
                condition=Q(runs=0, started_at=None, finished_at=None) | Q(runs__gt=0, started_at__isnull=False),
                name="sweep_run_dated",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def every(self) -> timedelta:
        """Its interval; the longest one where they differ."""
        return timedelta(seconds=self.every_seconds)

    @property
    def due_within(self) -> timedelta:
        """How long it may be without an end that was good."""
        return max(LATE_AFTER_INTERVALS * self.every, LATE_AFTER_AT_LEAST)

    @property
    def is_poisoned(self) -> bool:
        """Whether it failed again and again."""
        return self.failures_in_a_row >= POISONED_AFTER

    def is_late(self, now: datetime) -> bool:
        """Whether it should have ended well by now and did not; a new one has the same time from its first day."""
        return now - (self.succeeded_at or self.registered_at) > self.due_within

    def is_running(self, now: datetime) -> bool:
        """Whether a run has begun and may still end."""
        if self.started_at is None or now - self.started_at > LONGEST_RUN:
            return False
        return self.finished_at is None or self.finished_at < self.started_at
