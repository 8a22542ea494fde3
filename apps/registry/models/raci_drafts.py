"""How the matrix changes: versions of a scope, drafts of the next one, and who has to accept an A."""

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.people.models import Person
from apps.registry.models.raci import GovernanceDomain, RaciVersion
from apps.registry.models.systems import System, Unit

OPEN = ("draft", "sent")


class RaciDraft(models.Model):
    """The next version of a scope's matrix while somebody writes it. It may be wrong; what is in force may not.

    Only rows that differ are kept. `revision` counts saves, so that two windows notice each other.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SENT = "sent", "Waiting for acceptance"
        IN_FORCE = "in_force", "In force"
        DECLINED = "declined", "Declined"
        DISCARDED = "discarded", "Discarded"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="raci_drafts")
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="raci_drafts")
    author = models.ForeignKey(Person, models.PROTECT, related_name="raci_drafts")
    # What the author saw in force when starting; None where the scope had nothing of its own.
    based_on = models.ForeignKey(RaciVersion, models.PROTECT, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=600, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["author", "unit", "system"],
                condition=Q(state="draft"),
                nulls_distinct=False,
                name="one_raci_draft_of_an_author",
                violation_error_message="You have a draft here already.",
            ),
            models.UniqueConstraint(
                fields=["unit", "system"],
                condition=Q(state="sent"),
                nulls_distinct=False,
                name="one_raci_draft_sent",
                violation_error_message="Another change of this matrix waits for acceptance. Wait, or withdraw it.",
            ),
            models.CheckConstraint(condition=Q(unit=None) | Q(system=None), name="raci_draft_one_scope"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "sent", "in_force", "declined", "discarded"]),
                name="raci_draft_known_state",
            ),
            models.CheckConstraint(condition=~Q(state="sent") | Q(sent_at__isnull=False), name="raci_draft_sent_dated"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, closed_at=None) | (~Q(state__in=OPEN) & Q(closed_at__isnull=False)),
                name="raci_draft_closing_dated",
            ),
        )
        indexes = (models.Index("author", condition=Q(state="draft"), name="raci_draft_of_author"),)
        triggers = (
            pgtrigger.FSM(
                name="raci_draft_states",
                field="state",
                transitions=[
                    ("draft", "sent"), ("draft", "in_force"), ("draft", "discarded"),
                    ("sent", "in_force"), ("sent", "declined"), ("sent", "draft"),
                ],
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"draft by {self.author_id}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class RaciDraftRow(models.Model):
    """One domain as the draft wants it: who has which letters, or that the row is inherited again.

    `cells` maps a party to letters ("A", "R", "AR", "C", "I"). A party is a function's code, "owner", or the id of a
    person.
    """

    draft = models.ForeignKey(RaciDraft, models.CASCADE, related_name="rows")
    domain = models.ForeignKey(GovernanceDomain, models.PROTECT, related_name="+")
    inherits = models.BooleanField(default=False)
    cells = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["domain__position"]
        constraints = (
            models.UniqueConstraint(fields=["draft", "domain"], name="raci_draft_row_once"),
            models.CheckConstraint(condition=Q(inherits=False) | Q(cells={}), name="raci_draft_row_inherits_nothing"),
        )

    def __str__(self) -> str:
        return f"{self.domain_id} in {self.draft_id}"


class RaciAcceptance(models.Model):
    """A person who would get an A is asked. The draft comes into force when everybody has said yes."""

    class State(models.TextChoices):
        OPEN = "open", "Waiting"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"
        CLOSED = "closed", "Not needed any more"

    draft = models.ForeignKey(RaciDraft, models.PROTECT, related_name="acceptances")
    person = models.ForeignKey(Person, models.PROTECT, related_name="raci_acceptances")
    domains: "ArrayField[list[str], list[str]]" = ArrayField(models.CharField(max_length=60))
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    asked_at = models.DateTimeField()
    due_on = models.DateField()
    answered_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=600, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["draft", "person"], condition=Q(state="open"), name="raci_acceptance_asked_once"
            ),
            models.CheckConstraint(
                condition=Q(state="open", answered_at=None) | (~Q(state="open") & Q(answered_at__isnull=False)),
                name="raci_acceptance_answer_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(reason=""),
                name="raci_acceptance_decline_has_reason",
                violation_error_message="Say why you decline.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "accepted", "declined", "closed"]), name="raci_acceptance_known_state"
            ),
        )
        indexes = (models.Index("person", condition=Q(state="open"), name="raci_acceptance_open"),)
        triggers = (
            pgtrigger.FSM(
                name="raci_acceptance_states",
                field="state",
                transitions=[("open", "accepted"), ("open", "declined"), ("open", "closed")],
            ),
        )

    def __str__(self) -> str:
        return f"{self.person_id} for {self.draft_id}"
