"""A hand-over from an owner who accepted to a successor who accepted, and its two signatures."""

import uuid
from datetime import datetime
from functools import cached_property

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.people.models import Person
from apps.registry.models.ownership import Nomination
from apps.registry.models.systems import System

RUNNING = ("open", "signed")


class Handover(models.Model):
    """Between the successor's yes and both signatures. Until it is complete the outgoing owner answers.

    The database keeps it so: no other accepted owner while it runs, none after another accepted owner without a
    complete one, complete with both signatures only, both people active humans while it runs.
    """

    class State(models.TextChoices):
        OPEN = "open", "Waiting for the outgoing owner"
        SIGNED = "signed", "Waiting for the successor"
        COMPLETE = "complete", "Complete"
        CANCELLED = "cancelled", "Cancelled"
        LEFT = "left", "The outgoing owner left"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="handovers")
    nomination = models.OneToOneField(Nomination, models.PROTECT, related_name="handover")
    outgoing = models.ForeignKey(Person, models.PROTECT, related_name="hands_over")
    incoming = models.ForeignKey(Person, models.PROTECT, related_name="takes_over")
    # Foreign keys to (id, is_active) of Person while the hand-over runs; see the migration.
    people_must_be_active = models.GeneratedField(
        expression=models.Case(models.When(Q(state__in=RUNNING), then=models.Value(True))),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )
    opened_at = models.DateTimeField()
    due_on = models.DateField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    vendor_contacts = models.TextField(blank=True, max_length=4000)
    judgement = models.TextField(blank=True, max_length=10_000)
    # What was handed over, as the outgoing owner signed it: canonical JSON and its SHA-256.
    pack = models.TextField(blank=True)
    pack_sha256 = models.CharField(max_length=64, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    end_reason = models.CharField(max_length=600, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["system"],
                condition=Q(state__in=RUNNING),
                name="one_running_handover",
                violation_error_message="A hand-over of this system runs already.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "signed", "complete", "cancelled", "left"]),
                name="handover_known_state",
            ),
            models.CheckConstraint(condition=~Q(outgoing=models.F("incoming")), name="handover_to_another"),
            models.CheckConstraint(
                condition=Q(state__in=RUNNING, ended_at=None) | (~Q(state__in=RUNNING) & Q(ended_at__isnull=False)),
                name="handover_end_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["signed", "complete"]) | (~Q(pack="") & ~Q(judgement="")),
                name="handover_signed_has_pack",
                violation_error_message="Write your judgement before you sign.",
            ),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | ~Q(end_reason=""),
                name="handover_cancel_has_reason",
                violation_error_message="Say why the hand-over is cancelled.",
            ),
        )
        indexes = (
            models.Index("outgoing", condition=Q(state__in=RUNNING), name="handover_from"),
            models.Index("incoming", condition=Q(state__in=RUNNING), name="handover_to"),
            models.Index("system", "outgoing", "incoming", name="handover_of"),
        )
        triggers = (
            pgtrigger.FSM(
                name="handover_states",
                field="state",
                transitions=[
                    ("open", "signed"), ("open", "cancelled"), ("open", "left"),
                    ("signed", "complete"), ("signed", "cancelled"), ("signed", "left"),
                ],
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.system_id} from {self.outgoing_id} to {self.incoming_id}"

    @property
    def is_running(self) -> bool:
        return self.state in RUNNING

    @cached_property
    def signed_at(self) -> datetime:
        """Since when the successor's signature is missing; the opening where nobody has signed. One query."""
        signed = self.signatures.order_by("signed_at").values_list("signed_at", flat=True).first()
        return signed or self.opened_at

    @property
    def waits_for(self) -> Person | None:
        """Whose signature is missing next."""
        return {"open": self.outgoing, "signed": self.incoming}.get(self.state)


class HandoverSignature(models.Model):
    """One side's signature under the frozen pack. Written once, for ever."""

    class Side(models.TextChoices):
        OUTGOING = "outgoing", "Outgoing owner"
        INCOMING = "incoming", "Successor"

    handover = models.ForeignKey(Handover, models.PROTECT, related_name="signatures")
    side = models.CharField(max_length=8, choices=Side.choices)
    signer = models.ForeignKey(Person, models.PROTECT, related_name="+")
    signer_name = models.CharField(max_length=200)
    signer_title = models.CharField(max_length=200, blank=True)
    statement = models.TextField()
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64)
    auth_method = models.CharField(max_length=60)
    auth_at = models.DateTimeField()
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ("signed_at", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["handover", "side"],
                name="handover_signed_once_a_side",
                violation_error_message="This side has signed already.",
            ),
            models.CheckConstraint(condition=Q(side__in=["outgoing", "incoming"]), name="handover_known_side"),
        )

    def __str__(self) -> str:
        return f"{self.side} of {self.handover_id}"
