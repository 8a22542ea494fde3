"""A file of people on its way in: received with its review, then applied whole or discarded."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.people.models import Person


class PeopleFile(models.Model):
    """One file of people. Its content is forgotten once it is applied or discarded."""

    class State(models.TextChoices):
        RECEIVED = "received", "Waiting for review"
        APPLIED = "applied", "Applied"
        DISCARDED = "discarded", "Discarded"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField(null=True)
    # Whoever is not in the file has left.
    complete = models.BooleanField(default=False)
    report = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.RECEIVED)
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=(Q(state="applied") & Q(applied_at__isnull=False))
                | (~Q(state="applied") & Q(applied_at=None)),
                name="people_file_application_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="received") | Q(content=None), name="people_file_content_forgotten"
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="people_file_states",
                field="state",
                transitions=[("received", "applied"), ("received", "discarded")],
            ),
        )

    def __str__(self) -> str:
        return self.file_name
