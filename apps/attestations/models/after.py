"""What happens after the owner signed: reviews, exceptions, the roll-up."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.attestations import rules
from apps.attestations.models.campaigns import Campaign
from apps.attestations.models.scope import Assignment
from apps.attestations.models.signatures import Signature
from apps.findings.models import Finding
from apps.people.models import Person
from apps.registry.models import Unit


class Review(models.Model):
    """Somebody independent looked at one signed attestation: accepted it, or asked for changes.

    `sample` means that they answered the questions again themselves (`checks`: question -> agree or disagree
    with a note). Never the signer, also not by raw SQL.
    """

    class Kind(models.TextChoices):
        ACCEPTANCE = "acceptance", "Acceptance"
        SAMPLE = "sample", "Sample"

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        CHANGES = "changes", "Changes requested"

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="reviews")
    signature = models.ForeignKey(Signature, models.PROTECT, related_name="reviews_of")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    checks = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    signer = models.ForeignKey(Person, models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(Person, models.PROTECT, related_name="attestation_reviews")
    reviewed_at = models.DateTimeField()
    # The reviewer's own signature; one may stand for many acceptances at once, a request for changes needs none.
    signed = models.ForeignKey(Signature, models.PROTECT, null=True, blank=True, related_name="reviews_in")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["signature", "kind"], name="one_review_per_signature"),
            models.CheckConstraint(
                condition=~Q(reviewer=F("signer")),
                name="review_by_another",
                violation_error_message="Who signed can't accept it. Somebody else has to look.",
            ),
            models.CheckConstraint(condition=Q(kind__in=["acceptance", "sample"]), name="review_known_kind"),
            models.CheckConstraint(
                condition=Q(verdict="accepted", signed__isnull=False) | Q(verdict="changes") & ~Q(note=""),
                name="review_says_why",
                violation_error_message="Say what has to change.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.verdict} by {self.reviewer_id}"


class RollupNode(models.Model):
    """One step of the roll-up: a unit's head, the AI lead, the CISO, the top. Signed when all below is done.

    A qualified, declined or missing child forbids a clean signature (trigger in the migration).
    """

    class Level(models.TextChoices):
        UNIT = "unit", "Unit"
        AI_LEAD = "ai_lead", "Head of AI"
        CISO = "ciso", "CISO"
        TOP = "top", "Top"

    class State(models.TextChoices):
        NOT_READY = "not_ready", "Not ready"
        READY = "ready", "Ready to sign"
        SIGNED_CLEAN = "signed_clean", "Signed clean"
        SIGNED_QUALIFIED = "signed_qualified", "Signed with exceptions"
        DECLINED = "declined", "Declined"

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="nodes")
    level = models.CharField(max_length=7, choices=Level.choices)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+")
    # The units whose systems are below it, as the tree was: it only grows, until somebody signs.
    units = ArrayField(models.BigIntegerField(), default=list, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    state = models.CharField(max_length=16, choices=State.choices, default=State.NOT_READY)
    ready_at = models.DateTimeField(null=True, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=600, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["campaign", "level", "unit"], nulls_distinct=False, name="one_node_per_place"
            ),
            models.CheckConstraint(
                condition=Q(level="unit", unit__isnull=False) | Q(level__in=["ai_lead", "ciso", "top"], unit=None),
                name="node_known_level",
            ),
            models.CheckConstraint(
                condition=Q(level="top", parent=None) | ~Q(level="top") & Q(parent__isnull=False),
                name="node_below_another",
            ),
            models.CheckConstraint(
                condition=Q(state="not_ready", ready_at=None, signed_at=None)
                | Q(state="ready", ready_at__isnull=False, signed_at=None)
                | Q(state__in=["signed_clean", "signed_qualified", "declined"], ready_at__isnull=False,
                    signed_at__isnull=False),
                name="node_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(reason=""),
                name="node_declined_for_a_reason",
                violation_error_message="Say why you decline.",
            ),
        )  # fmt: skip
        triggers = (pgtrigger.FSM(name="node_states", field="state", transitions=list(rules.NODE_TRANSITIONS)),)

    def __str__(self) -> str:
        return f"{self.level} of {self.campaign_id}"


class AttestationException(models.Model):
    """Something that is not in order, as its owner declared it: how grave, what protects meanwhile, a plan, a day.

    Somebody other than who carries the plan out decides about it. What is done about it is the finding that it
    raised (its actions, their verification by another, a risk acceptance that ends). Accepting never makes it good.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Waiting for a decision"
        APPROVED = "approved", "Plan approved"
        REFUSED = "refused", "Plan refused"
        RISK_ACCEPTED = "risk_accepted", "Risk accepted"
        VERIFIED = "verified", "Put right and verified"
        SUPERSEDED = "superseded", "Replaced by a new signature"

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="exceptions")
    # Declared under an attestation, or added by who signed a node of the roll-up.
    assignment = models.ForeignKey(Assignment, models.PROTECT, null=True, blank=True, related_name="exceptions")
    node = models.ForeignKey(RollupNode, models.PROTECT, null=True, blank=True, related_name="exceptions")
    signature = models.ForeignKey(Signature, models.PROTECT, related_name="declares")
    question = models.CharField(max_length=40, blank=True)
    severity = models.CharField(max_length=8)
    description = models.TextField()
    control = models.TextField(blank=True)
    plan = models.TextField()
    owner = models.ForeignKey(Person, models.PROTECT, related_name="exceptions_owned")
    declared_on = models.DateField()
    # At most the cap of its severity after the declaration (check in the migration); later only by an extension.
    first_due_on = models.DateField()
    due_on = models.DateField()
    state = models.CharField(max_length=13, choices=State.choices, default=State.REQUESTED)
    approver = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.CharField(max_length=600, blank=True)
    # A risk is accepted until a day; afterwards it is open again by itself.
    accepted_until = models.DateField(null=True, blank=True)
    finding = models.OneToOneField(Finding, models.PROTECT, null=True, blank=True, related_name="attestation_exception")
    # Not done when the campaign closed: goes on as a finding, named in the report.
    carried_over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(assignment__isnull=False, node=None) & ~Q(question="")
                | Q(assignment=None, node__isnull=False, question=""),
                name="exception_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["critical", "high", "medium", "low"]), name="exception_known_severity"
            ),
            models.CheckConstraint(
                condition=~Q(description="") & ~Q(plan=""),
                name="exception_has_plan",
                violation_error_message="Say what is wrong and what is done about it.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "superseded"])
                | Q(approver__isnull=False, decided_at__isnull=False),
                name="exception_decision_dated",
            ),
            models.CheckConstraint(
                condition=Q(approver=None) | ~Q(approver=F("owner")),
                name="exception_approved_by_another",
                violation_error_message="Who carries the plan out can't approve it.",
            ),
            models.CheckConstraint(
                condition=~Q(state="refused") | ~Q(decision_note=""),
                name="exception_refused_for_a_reason",
                violation_error_message="Say why the plan is refused.",
            ),
            models.CheckConstraint(
                condition=Q(state="risk_accepted", accepted_until__isnull=False)
                | ~Q(state="risk_accepted") & Q(accepted_until=None),
                name="exception_acceptance_ends",
            ),
            models.UniqueConstraint(
                fields=["signature", "question"], condition=Q(node=None), name="one_exception_per_answer"
            ),
        )  # fmt: skip
        indexes = (
            models.Index("campaign", "state", name="exception_by_state"),
            models.Index("assignment", name="exception_of_assignment"),
        )
        triggers = (
            pgtrigger.FSM(name="exception_states", field="state", transitions=list(rules.EXCEPTION_TRANSITIONS)),
        )

    def __str__(self) -> str:
        return self.description[:80]


class Extension(models.Model):
    """A later day for an exception, asked for with a reason and decided by another. They are counted."""

    exception = models.ForeignKey(AttestationException, models.PROTECT, related_name="extensions")
    number = models.PositiveSmallIntegerField()
    from_day = models.DateField()
    to_day = models.DateField()
    reason = models.CharField(max_length=600)
    requested_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    owner = models.ForeignKey(Person, models.PROTECT, related_name="+")
    approver = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    is_granted = models.BooleanField(null=True, blank=True)
    note = models.CharField(max_length=600, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["exception", "number"], name="one_extension_of_each_number"),
            models.UniqueConstraint(
                fields=["exception"], condition=Q(is_granted=None), name="one_open_extension",
                violation_error_message="A later day was asked for already.",
            ),
            models.CheckConstraint(condition=Q(to_day__gt=F("from_day")), name="extension_is_later"),
            models.CheckConstraint(
                condition=~Q(reason=""), name="extension_has_reason", violation_error_message="Say why."
            ),
            models.CheckConstraint(
                condition=Q(approver=None, is_granted=None, decided_at=None)
                | Q(approver__isnull=False, is_granted__isnull=False, decided_at__isnull=False)
                & ~Q(approver=F("owner")) & ~Q(approver=F("requested_by")),
                name="extension_by_another",
                violation_error_message="Who asked can't grant it.",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.exception_id} to {self.to_day}"
