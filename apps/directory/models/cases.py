"""Somebody left: what passed to whom, and until when it needs people who accept."""

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.people.models import Person
from apps.registry.models import System


class OffboardingCase(models.Model):
    """One leaver's case, with a clock: it is done when everything they answered for has an owner who accepted."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        CAME_BACK = "came_back", "Came back"

    class Source(models.TextChoices):
        PORTAL = "portal", "A person, here"
        SCIM = "scim", "The identity provider (SCIM)"
        HR_FILE = "hr_file", "The HR file"
        COMMAND = "command", "The command line"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="offboarding_cases")
    # Whoever sees to it that each system gets an owner: the line manager, else who holds the mandate.
    responsible = models.ForeignKey(Person, models.PROTECT, related_name="+")
    source = models.CharField(max_length=8, choices=Source.choices)
    reason = models.CharField(max_length=600, blank=True)
    opened_at = models.DateTimeField()
    due_on = models.DateField()
    # What passed on, counted when it did: systems, seats, units, letters, nominations, findings, attestations.
    counts = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    closed_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-opened_at"]
        constraints = (
            models.UniqueConstraint(
                fields=["person"],
                condition=Q(state="open"),
                name="one_open_case",
                violation_error_message="There is an open case for this person already.",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="case_closing_dated",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["portal", "scim", "hr_file", "command"]), name="case_known_source"
            ),
        )
        indexes = (models.Index("due_on", condition=Q(state="open"), name="case_open"),)
        triggers = (
            pgtrigger.FSM(name="case_states", field="state", transitions=[("open", "done"), ("open", "came_back")]),
        )

    def __str__(self) -> str:
        return f"leaver {self.person_id}"

    @property
    def source_words(self) -> str:
        """Where the news came from, inside a sentence."""
        return {
            "portal": "a person in the portal",
            "scim": "the identity provider",
            "hr_file": "the HR file",
            "command": "the command line",
        }[self.source]


class HandedOver(models.Model):
    """A system that passed from a leaver to an interim owner. Done when somebody has accepted it, or it is retired."""

    case = models.ForeignKey(OffboardingCase, models.PROTECT, related_name="handed_over")
    system = models.ForeignKey(System, models.PROTECT, related_name="+")
    interim = models.ForeignKey(Person, models.PROTECT, related_name="+")
    had_accepted = models.BooleanField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["case", "system"], name="handed_over_once"),)

    def __str__(self) -> str:
        return f"{self.system_id} to {self.interim_id}"
