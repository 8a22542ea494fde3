"""The charter of the governance mandate: who holds it, over what, with which authority; and who signed it."""

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.people.models import Function, Person
from apps.registry.models.raci import GovernanceDomain


class Charter(models.Model):
    """One version of the charter. What was put in force is never changed: a change is the next version.

    The function that holds it is also in `Mandate`, on which the database rests that its seat is held.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_FORCE = "in_force", "In force"
        SUPERSEDED = "superseded", "Superseded"
        DISCARDED = "discarded", "Discarded"

    number = models.PositiveIntegerField(unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    holder = models.ForeignKey(Function, models.PROTECT, related_name="charters")
    authority = models.TextField("authority", max_length=4000, blank=True)
    enforcement_points: "ArrayField[list[str], list[str]]" = ArrayField(
        models.CharField(max_length=200), default=list, blank=True
    )
    created_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    in_force_from = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # What the seats sign: canonical JSON of the version and its SHA-256, frozen when it comes into force.
    text = models.TextField(blank=True)
    text_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints = (
            models.UniqueConstraint(fields=["state"], condition=Q(state="in_force"), name="one_charter_in_force"),
            models.UniqueConstraint(
                fields=["state"],
                condition=Q(state="draft"),
                name="one_charter_draft",
                violation_error_message="There is a draft of the charter already.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "in_force", "superseded", "discarded"]), name="charter_known_state"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "discarded"], in_force_from=None)
                | Q(state__in=["in_force", "superseded"], in_force_from__isnull=False),
                name="charter_force_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "in_force"], ended_at=None)
                | Q(state__in=["superseded", "discarded"], ended_at__isnull=False),
                name="charter_end_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "discarded"]) | (~Q(text="") & ~Q(authority="")),
                name="charter_in_force_says_something",
                violation_error_message="Say what the holder may decide before the charter comes into force.",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="charter_states",
                field="state",
                transitions=[("draft", "in_force"), ("draft", "discarded"), ("in_force", "superseded")],
            ),
        )

    def __str__(self) -> str:
        return f"charter {self.number}"


class CharterDomain(models.Model):
    """A domain that the charter covers, and whether its holder may enforce there."""

    charter = models.ForeignKey(Charter, models.PROTECT, related_name="covered")
    domain = models.ForeignKey(GovernanceDomain, models.PROTECT, related_name="+")
    may_enforce = models.BooleanField()

    class Meta:
        ordering: ClassVar[list[str]] = ["domain__position"]
        constraints = (models.UniqueConstraint(fields=["charter", "domain"], name="charter_domain_once"),)

    def __str__(self) -> str:
        return f"{self.domain_id} in {self.charter_id}"


class CharterSignature(models.Model):
    """A seat's signature under a version in force. Written once; it can be withdrawn once, with a reason."""

    charter = models.ForeignKey(Charter, models.PROTECT, related_name="signatures")
    function = models.ForeignKey(Function, models.PROTECT, related_name="+")
    signer = models.ForeignKey(Person, models.PROTECT, related_name="charter_signatures")
    signer_name = models.CharField(max_length=200)
    signer_title = models.CharField(max_length=200, blank=True)
    meaning = models.CharField(max_length=600)
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64, unique=True)
    auth_method = models.CharField(max_length=40)
    auth_at = models.DateTimeField()
    signed_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["signed_at"]
        constraints = (
            models.UniqueConstraint(
                fields=["charter", "function"],
                condition=Q(withdrawn_at=None),
                name="charter_signed_once",
                violation_error_message="This seat has signed the charter already.",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_reason="")
                | (Q(withdrawn_at__isnull=False) & ~Q(withdrawn_reason="")),
                name="charter_withdrawal_has_reason",
                violation_error_message="Say why you withdraw your signature.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.function_id} under {self.charter_id}"
