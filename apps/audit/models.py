"""The trail's tables. Rows are written by `actions.record` alone and never change."""

from django.db import models


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
