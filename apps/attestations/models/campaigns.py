"""What is asked how often of whom, and each round of it."""

from datetime import date, timedelta
from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.attestations import rules
from apps.common.clock import local_date


class QuestionSet(models.Model):
    """Questions for some systems: the base set for all, others by tier, regulatory class or operating model.

    An empty list means: any. What applies to a system is decided on its frozen facts.
    """

    key = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    tiers = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    regulatory_classes = ArrayField(models.CharField(max_length=14), default=list, blank=True)
    operating_models = ArrayField(models.CharField(max_length=16), default=list, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "key"]

    def __str__(self) -> str:
        return self.name


class QuestionSetVersion(models.Model):
    """One wording of a question set. Once published it never changes (trigger in the migration)."""

    question_set = models.ForeignKey(QuestionSet, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    sections = models.JSONField()
    note = models.CharField(max_length=600, blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["question_set", "-number"]
        constraints = (
            models.UniqueConstraint(fields=["question_set", "number"], name="one_version_of_each_number"),
            models.UniqueConstraint(
                fields=["question_set"],
                condition=Q(published_at=None),
                name="one_draft_per_question_set",
                violation_error_message="There is a draft of these questions already.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.question_set_id} v{self.number}"


class CampaignTemplate(models.Model):
    """A campaign as it comes again: how often, for which systems, with which questions, and what silence costs.

    `scope` is a saved query over the systems list; empty means every live system. Days that are not set are
    those of the settings.
    """

    class Cadence(models.TextChoices):
        MONTH = "month", "Every month"
        QUARTER = "quarter", "Every quarter"
        HALF_YEAR = "half_year", "Every half-year"
        YEAR = "year", "Every year"
        EVENT = "event", "When something changes"

    class Consequence(models.TextChoices):
        READINESS = "readiness", "Readiness falls"
        PERMISSION = "permission", "Readiness falls, and permission to run lapses where that is enforced"

    key = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    cadence = models.CharField(max_length=9, choices=Cadence.choices)
    scope = models.JSONField(default=dict, blank=True)
    question_sets = models.ManyToManyField(QuestionSet, related_name="templates")
    due_month = models.PositiveSmallIntegerField(null=True, blank=True)
    opens_days_before = models.PositiveSmallIntegerField(null=True, blank=True)
    closes_days_after = models.PositiveSmallIntegerField(null=True, blank=True)
    sampling_percent = models.PositiveSmallIntegerField(default=5)
    consequence = models.CharField(max_length=10, choices=Consequence.choices, default=Consequence.READINESS)
    # Whose signatures the top of the roll-up needs: one seat, or two where the regime asks (23 NYCRR 500.17(b)).
    top_seats = ArrayField(models.CharField(max_length=20))
    items_per_person = models.PositiveSmallIntegerField(default=25)
    is_active = models.BooleanField(default=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        constraints = (
            models.CheckConstraint(
                condition=Q(cadence__in=["month", "quarter", "half_year", "year", "event"]),
                name="template_known_cadence",
            ),
            models.CheckConstraint(
                condition=Q(sampling_percent__gte=5, sampling_percent__lte=100),
                name="template_samples_enough",
                violation_error_message="Sample at least 5 percent.",
            ),
            models.CheckConstraint(
                condition=Q(consequence__in=["readiness", "permission"]), name="template_known_consequence"
            ),
            models.CheckConstraint(condition=Q(top_seats__len__gte=1), name="template_top_is_signed"),
            models.CheckConstraint(condition=Q(items_per_person__gte=1), name="template_items_per_person"),
        )

    def __str__(self) -> str:
        return self.name


class Campaign(models.Model):
    """One round: every system in scope has its owner state and sign what is true.

    Scope, dates and questions are frozen at the opening; states follow one another in the order of `State`
    (triggers in the migrations).
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        SNAPSHOTTING = "snapshotting", "Being opened"
        OPEN = "open", "Open"
        GRACE = "grace", "Past its due date"
        ROLLUP = "rollup", "Being rolled up"
        PENDING_ACTIONS = "pending_actions", "Waiting for decisions"
        CLOSED = "closed", "Closed"
        SEALED = "sealed", "Sealed"
        CANCELLED = "cancelled", "Cancelled"

    template = models.ForeignKey(CampaignTemplate, models.PROTECT, related_name="campaigns")
    period = models.CharField(max_length=8)
    # How addresses and files name it: the period, and which template where it is not the quarterly one.
    code = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=160)
    state = models.CharField(max_length=15, choices=State.choices, default=State.DRAFT)
    is_event = models.BooleanField(default=False)
    opens_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    opened_by = models.CharField(max_length=200, blank=True)
    due_critical_on = models.DateField()
    due_high_on = models.DateField()
    due_on = models.DateField()
    # The end of the grace period: after it nobody signs, except what was sent back to them.
    closes_at = models.DateTimeField()
    rollup_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=600, blank=True)
    # SHA-256 over one line "key hash-of-facts" per system, in order of the key's code points.
    scope_hash = models.CharField(max_length=64, blank=True)
    # What was frozen from the template: scope, sampling, consequence, top seats, items per person.
    terms = models.JSONField(default=dict)
    question_set = models.JSONField(default=dict)
    # Which systems are sampled follows from this secret, whose hash is shown from the start: nobody can know
    # beforehand, and everybody can check afterwards.
    sampling_seed = models.CharField(max_length=64, blank=True)
    sampling_commitment = models.CharField(max_length=64, blank=True)
    reminded_on = models.DateField(null=True, blank=True)
    manifest_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-opens_at", "-pk"]
        constraints = (
            models.UniqueConstraint(fields=["template", "period"], name="one_campaign_per_period"),
            models.CheckConstraint(condition=Q(period__regex=rules.PERIOD_PATTERN), name="campaign_known_period"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in rules.CampaignState]), name="campaign_known_state"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "scheduled", "cancelled"])
                | Q(opened_at__isnull=False, cancelled_at=None) & ~Q(opened_by="") & ~Q(question_set={}),
                name="campaign_opening_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["rollup", "pending_actions", "closed", "sealed"], rollup_at__isnull=False)
                | ~Q(state__in=["rollup", "pending_actions", "closed", "sealed"]) & Q(rollup_at=None),
                name="campaign_rollup_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["closed", "sealed"], closed_at__isnull=False)
                | ~Q(state__in=["closed", "sealed"]) & Q(closed_at=None),
                name="campaign_closing_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="sealed", sealed_at__isnull=False, manifest_sha256__regex=r"^[0-9a-f]{64}$")
                | ~Q(state="sealed") & Q(sealed_at=None, manifest_sha256=""),
                name="campaign_sealing_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="cancelled", cancelled_at__isnull=False) & ~Q(cancel_reason="")
                | ~Q(state="cancelled") & Q(cancelled_at=None, cancel_reason=""),
                name="campaign_cancelled_with_reason",
                violation_error_message="Say why the campaign is cancelled.",
            ),
            models.CheckConstraint(
                condition=Q(due_critical_on__lte=F("due_high_on"), due_high_on__lte=F("due_on"))
                & Q(opens_at__lt=F("closes_at"))
                & (Q(opened_at=None) | Q(opened_at__lt=F("closes_at"))),
                name="campaign_dates_in_order",
            ),
        )
        indexes = (models.Index("state", "closes_at", name="campaign_by_state"),)
        triggers = (pgtrigger.FSM(name="campaign_states", field="state", transitions=list(rules.CAMPAIGN_TRANSITIONS)),)

    def __str__(self) -> str:
        return self.code

    @property
    def quarter(self) -> rules.Period:
        """The period that it is about."""
        return rules.Period.parse(self.period)

    @property
    def label(self) -> str:
        """Q4 2026; with the template's name where it is not the quarterly campaign of all systems."""
        return self.title

    @property
    def last_day(self) -> date:
        """The last local day on which owners can sign: the grace period ends with it."""
        return local_date(self.closes_at - timedelta(seconds=1))

    def due_for(self, tier: str) -> date:
        """The due date of a tier: the graver the tier, the earlier."""
        return {"critical": self.due_critical_on, "high": self.due_high_on}.get(tier, self.due_on)

    @property
    def takes_answers(self) -> bool:
        """Whether owners still answer and sign, late ones included."""
        return self.state in rules.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether silence has become "not attested"."""
        return self.state in rules.OVER

    def term(self, name: str) -> Any:
        """A term as it was frozen: scope, sampling_percent, consequence, top_seats, items_per_person."""
        return self.terms[name]
