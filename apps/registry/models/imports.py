"""Imports: the file as received, the review, what came of it."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.people.models import Person


class ImportRun(models.Model):
    """One file on its way into the registry: received, then applied or discarded; an applied one can be undone."""

    class State(models.TextChoices):
        RECEIVED = "received", "Waiting for review"
        APPLIED = "applied", "Applied"
        DISCARDED = "discarded", "Discarded"
        UNDONE = "undone", "Undone"

    class Format(models.TextChoices):
        FEDERAL_2025 = "federal-2025", "US federal AI use case inventory 2025"
        CSV = "csv", "Govportal CSV"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(max_length=255)
    format = models.CharField(max_length=12, choices=Format.choices)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField(null=True)
    report = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["received", "discarded"], applied_at=None)
                | Q(state__in=["applied", "undone"], applied_at__isnull=False),
                name="import_application_dated",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="import_states",
                field="state",
                transitions=[("received", "applied"), ("received", "discarded"), ("applied", "undone")],
            ),
        )

    def __str__(self) -> str:
        return self.file_name
