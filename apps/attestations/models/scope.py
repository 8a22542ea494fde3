"""The frozen scope: what was known about each system, and who has to answer for it."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.attestations import rules
from apps.attestations.models.campaigns import Campaign
from apps.attestations.models.signatures import Signature
from apps.people.models import Person
from apps.registry.models import System, Unit
from apps.registry.rules import Tier


class ScopeSnapshot(models.Model):
    """What the portal knew about a system when it was asked for, as canonical JSON. Never changes.

    One a system in a campaign of a period; a campaign of changes may ask for a system again (`number`).
    `material` holds what makes an attestation stale when it changes.
    """

    class Delta(models.TextChoices):
        NEW = "new", "New"
        CHANGED = "changed", "Changed"
        UNCHANGED = "unchanged", "Unchanged"

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="snapshots", db_index=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="snapshots", db_index=False)
    number = models.PositiveSmallIntegerField(default=1)
    # Asked for after the opening: a grave system that went live since, or a change.
    is_supplement = models.BooleanField(default=False)
    facts = models.TextField()
    sha256 = models.CharField(max_length=64)
    material = models.JSONField(default=dict)
    delta = models.CharField(max_length=9, choices=Delta.choices, default=Delta.NEW)
    # Names of the material facts that differ from the last campaign's.
    changes = models.JSONField(default=list, blank=True)
    taken_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["campaign", "system", "number"], name="one_snapshot_of_each_number"),
            # For the composite foreign key of Assignment (migration).
            models.UniqueConstraint(fields=["id", "campaign", "system"], name="snapshot_of_campaign_and_system"),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="snapshot_hash_is_sha256"),
            models.CheckConstraint(condition=Q(delta__in=["new", "changed", "unchanged"]), name="snapshot_known_delta"),
        )
        indexes = (models.Index("system", "campaign", name="snapshot_of_system"),)

    def __str__(self) -> str:
        return self.sha256


class RetiredSystem(models.Model):
    """A system of the last campaign that is not live any more when this one opens: named, so that none vanishes."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="retired")
    system = models.ForeignKey(System, models.PROTECT, related_name="+")
    previous = models.ForeignKey(ScopeSnapshot, models.PROTECT, related_name="+")
    stage = models.CharField(max_length=12)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["campaign", "system"], name="one_retirement_per_campaign"),)

    def __str__(self) -> str:
        return f"{self.system_id} left before {self.campaign_id}"


class Assignment(models.Model):
    """One person has to answer for one system in one campaign.

    Everything but the state is frozen. Where accountability passes on, the row becomes `reassigned` and a new one
    with the same facts and the same due date follows it (`predecessor`). `round` counts how often it was signed
    or is to be signed: it rises when changes are requested.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Not started"
        IN_PROGRESS = "in_progress", "In progress"
        SUBMITTED = "submitted", "Signed"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        ACCEPTED = "accepted", "Accepted"
        SEALED = "sealed", "Sealed"
        REASSIGNED = "reassigned", "Passed on"
        NOT_ATTESTED = "not_attested", "Not attested"

    class Result(models.TextChoices):
        NONE = "", "None yet"
        CLEAN = "clean", "Clean"
        QUALIFIED = "qualified", "With exceptions"

    class Sampled(models.TextChoices):
        NO = "", "Not sampled"
        CRITICAL = "critical", "Every critical system"
        RANDOM = "random", "Drawn"

    class Because(models.TextChoices):
        NONE = "", "First"
        OWNER_CHANGED = "owner_changed", "The owner changed"
        REASSIGNED = "reassigned", "Passed on by agreement"
        LEAVER = "leaver", "The owner left"

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="assignments", db_index=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="attestations", db_index=False)
    snapshot = models.ForeignKey(ScopeSnapshot, models.PROTECT, related_name="assignments", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="attestations", db_index=False)
    owner_basis = models.CharField(max_length=8, choices=System.Basis.choices)
    tier = models.CharField(max_length=10)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", db_index=False)
    due_on = models.DateField()
    delta = models.CharField(max_length=9, choices=ScopeSnapshot.Delta.choices, default=ScopeSnapshot.Delta.NEW)
    sampled = models.CharField(max_length=8, choices=Sampled.choices, blank=True, default="")
    predecessor = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="successor", db_index=False
    )
    because = models.CharField(max_length=13, choices=Because.choices, blank=True, default="")
    state = models.CharField(max_length=17, choices=State.choices, default=State.PENDING)
    result = models.CharField(max_length=9, choices=Result.choices, blank=True, default="")
    round = models.PositiveSmallIntegerField(default=1)
    opened_at = models.DateTimeField()
    first_viewed_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    # Days after the due date at the last signature; 0 is in time.
    late_days = models.PositiveSmallIntegerField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    # Sent back: until then it is taken even after the grace period.
    reopened_until = models.DateTimeField(null=True, blank=True)
    # A material fact changed after the signature; what, in `stale_because`.
    stale_at = models.DateTimeField(null=True, blank=True)
    stale_because = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["campaign", "system", "snapshot"],
                condition=~Q(state="reassigned"),
                name="one_assignment_per_system",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in rules.State]), name="assignment_known_state"
            ),
            models.CheckConstraint(condition=Q(owner_basis__in=["accepted", "interim"]), name="assignment_known_basis"),
            models.CheckConstraint(condition=Q(tier__in=[t.value for t in Tier]), name="assignment_known_tier"),
            models.CheckConstraint(
                condition=Q(state__in=["submitted", "accepted", "sealed"], submitted_at__isnull=False,
                            late_days__isnull=False, result__in=["clean", "qualified"])
                | ~Q(state__in=["submitted", "accepted", "sealed"]) & Q(submitted_at=None, late_days=None, result=""),
                name="assignment_submission_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["accepted", "sealed"], accepted_at__isnull=False)
                | ~Q(state__in=["accepted", "sealed"]) & Q(accepted_at=None),
                name="assignment_acceptance_dated",
            ),
            models.CheckConstraint(
                condition=Q(predecessor=None, because="") | Q(predecessor__isnull=False) & ~Q(because=""),
                name="assignment_follows_for_a_reason",
            ),
            models.CheckConstraint(condition=Q(round__gte=1), name="assignment_round"),
        )  # fmt: skip
        indexes = (
            # Everything that a progress page counts, so that it never reads the rows themselves.
            models.Index(
                "campaign", "state", "due_on", "tier", "unit", "owner_basis", "result", "late_days",
                name="assignment_progress",
            ),
            # What the ladder counts by person, and how much was signed by a day: neither reads the rows.
            models.Index(
                "campaign", "person", "state", "due_on",
                condition=Q(state__in=["pending", "in_progress", "changes_requested", "not_attested"]),
                name="assignment_standing",
            ),
            models.Index(
                "campaign", "submitted_at", condition=Q(submitted_at__isnull=False), name="assignment_signed_at",
            ),
            models.Index("system", "campaign", name="assignment_of_system"),
            models.Index(
                "campaign", "due_on", "id",
                condition=Q(state__in=["pending", "in_progress", "changes_requested"]),
                name="assignment_open",
            ),
            models.Index(
                "campaign", "unit", "id", condition=Q(state="submitted"), name="assignment_to_accept",
            ),
        )  # fmt: skip
        triggers = (
            pgtrigger.FSM(name="assignment_states", field="state", transitions=list(rules.ASSIGNMENT_TRANSITIONS)),
        )

    def __str__(self) -> str:
        return f"{self.system_id} in {self.campaign_id}"

    @property
    def is_open(self) -> bool:
        return self.state in rules.OPEN_STATES

    def may_be_signed(self, now: datetime) -> bool:
        """Whether it still takes answers and a signature: open, in a campaign that is neither over nor cancelled."""
        lasts = self.reopened_until or self.campaign.closes_at
        return self.is_open and self.campaign.state in (*rules.RUNNING, rules.CampaignState.ROLLUP) and now < lasts

    @property
    def is_signed(self) -> bool:
        return self.state in rules.SIGNED_STATES

    @property
    def signature(self) -> Signature | None:
        """The newest signature under the answers, corrections included. One query, unless prefetched."""
        kinds = (Signature.Kind.ATTESTATION, Signature.Kind.SUPPLEMENT)
        own = [signature for signature in self.signatures.all() if signature.kind in kinds]
        return max(own, key=lambda signature: signature.pk, default=None)
