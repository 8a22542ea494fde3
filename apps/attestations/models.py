"""Campaigns, their frozen scope, who has to answer, what they answered and signed."""

from datetime import date, timedelta
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.attestations import rules
from apps.common.clock import local_date
from apps.people.models import Person
from apps.registry.models import System, Unit
from apps.registry.rules import Tier


class Campaign(models.Model):
    """One quarter's round: every live system's owner states and signs what is true.

    Scope, dates and questions are frozen at the opening (triggers in the migration).
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    period = models.CharField(max_length=6, unique=True)
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    opens_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=200)
    due_critical_on = models.DateField()
    due_high_on = models.DateField()
    due_on = models.DateField()
    closes_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    # SHA-256 over one line "key hash-of-facts" per system, in order of the key's code points.
    scope_hash = models.CharField(max_length=64, blank=True)
    question_set = models.JSONField()
    reminded_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-period"]
        constraints = (
            models.CheckConstraint(condition=Q(period__regex=r"^\d{4}Q[1-4]$"), name="campaign_known_period"),
            models.CheckConstraint(condition=Q(state__in=["open", "closed"]), name="campaign_known_state"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None) | Q(state="closed", closed_at__isnull=False),
                name="campaign_closing_dated",
            ),
            models.CheckConstraint(
                condition=Q(due_critical_on__lte=F("due_high_on"), due_high_on__lte=F("due_on"))
                & Q(opens_at__lt=F("closes_at"), opened_at__lt=F("closes_at")),
                name="campaign_dates_in_order",
            ),
        )
        triggers = (pgtrigger.FSM(name="campaign_states", field="state", transitions=[("open", "closed")]),)

    def __str__(self) -> str:
        return self.period

    @property
    def quarter(self) -> rules.Period:
        return rules.Period.parse(self.period)

    @property
    def last_day(self) -> date:
        """The last local day on which owners can sign: the campaign closes at its end."""
        return local_date(self.closes_at - timedelta(seconds=1))


class Assignment(models.Model):
    """One system's place in one campaign. Everything but the state is frozen at the opening.

    `person` is who owned the system when the campaign opened. Who may answer is always the system's owner today.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Not started"
        IN_PROGRESS = "in_progress", "In progress"
        SUBMITTED = "submitted", "Signed"
        NOT_ATTESTED = "not_attested", "Not attested"

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="assignments", db_index=False)
    system = models.ForeignKey(System, models.PROTECT, related_name="attestations", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="attestations", db_index=False)
    owner_basis = models.CharField(max_length=8, choices=System.Basis.choices)
    tier = models.CharField(max_length=10)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", db_index=False)
    due_on = models.DateField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    first_viewed_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["campaign", "system"], name="one_assignment_per_system"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "in_progress", "submitted", "not_attested"]),
                name="assignment_known_state",
            ),
            models.CheckConstraint(condition=Q(owner_basis__in=["accepted", "interim"]), name="assignment_known_basis"),
            models.CheckConstraint(condition=Q(tier__in=[t.value for t in Tier]), name="assignment_known_tier"),
            models.CheckConstraint(
                condition=Q(state="submitted", submitted_at__isnull=False)
                | (~Q(state="submitted") & Q(submitted_at=None)),
                name="assignment_submission_dated",
            ),
        )
        indexes = (
            # Everything that a progress page counts, so that it never reads the rows themselves.
            models.Index("campaign", "state", "due_on", "tier", "unit", "owner_basis", name="assignment_progress"),
            models.Index("system", "campaign", name="assignment_of_system"),
            models.Index(
                "campaign",
                "due_on",
                "id",
                condition=Q(state__in=["pending", "in_progress"]),
                name="assignment_open",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="assignment_states",
                field="state",
                transitions=[
                    ("pending", "in_progress"),
                    ("in_progress", "submitted"),
                    ("pending", "not_attested"),
                    ("in_progress", "not_attested"),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"{self.system_id} in {self.campaign_id}"

    @property
    def is_open(self) -> bool:
        return self.state in rules.OPEN_STATES


class ScopeSnapshot(models.Model):
    """What the portal knew about a system when the campaign opened, as canonical JSON. Never changes."""

    assignment = models.OneToOneField(Assignment, models.PROTECT, primary_key=True, related_name="snapshot")
    facts = models.TextField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="snapshot_hash_is_sha256"),
        )

    def __str__(self) -> str:
        return self.sha256


class Answer(models.Model):
    """What was answered to one question, as typed: it is checked when the person signs.

    Cannot change once the assignment is signed or closed (trigger in the migration).
    """

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="answers", db_index=False)
    question = models.CharField(max_length=40)
    value = models.CharField(max_length=20, blank=True)
    comment = models.TextField(blank=True)
    plan = models.TextField(blank=True)
    plan_date = models.CharField(max_length=40, blank=True)
    saved_at = models.DateTimeField()
    # The assignment's version that this answer was saved with: tells two tabs apart.
    version = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["assignment", "question"], name="one_answer_per_question"),
            models.CheckConstraint(
                condition=Q(value__in=["", "yes", "yes_with_exception", "no", "not_applicable", "cannot_attest"]),
                name="answer_known_value",
            ),
        )

    def __str__(self) -> str:
        return f"{self.question}: {self.value}"

    @property
    def given(self) -> rules.Given:
        return rules.Given(self.value, self.comment, self.plan, self.plan_date)


class Signature(models.Model):
    """A person's signature under their answers. Append-only, and a chain: each names the hash of the one before.

    Name, title and function are copied as they were, so that every rendering can show who signed, when and
    with what meaning (21 CFR 11.50); the payload binds it to the answers and to the frozen facts (11.70).
    """

    class Meaning(models.TextChoices):
        CERTIFY = "certify", "I certify the answers"
        ACKNOWLEDGE = "acknowledge", "I acknowledge exceptions and what I do about them"

    assignment = models.OneToOneField(Assignment, models.PROTECT, related_name="signature")
    signer = models.ForeignKey(Person, models.PROTECT, related_name="signatures")
    signer_name = models.CharField(max_length=200)
    signer_title = models.CharField(max_length=200, blank=True)
    signer_function = models.CharField(max_length=400, blank=True)
    signer_basis = models.CharField(max_length=8, choices=System.Basis.choices)
    # Who owned the system at the opening; another name than the signer's where it changed hands since.
    assigned_name = models.CharField(max_length=200)
    meaning = models.CharField(max_length=12, choices=Meaning.choices)
    statement = models.TextField()
    exceptions = models.PositiveSmallIntegerField()
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64, unique=True)
    prev_hash = models.CharField(max_length=64, unique=True)
    auth_method = models.CharField(max_length=40)
    auth_at = models.DateTimeField()
    signed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(meaning="certify", exceptions=0) | Q(meaning="acknowledge", exceptions__gt=0),
                name="signature_clean_without_exceptions",
            ),
            models.CheckConstraint(condition=Q(signer_basis__in=["accepted", "interim"]), name="signature_known_basis"),
            models.CheckConstraint(
                condition=~Q(signer_name="") & ~Q(statement="") & ~Q(auth_method=""), name="signature_complete"
            ),
            models.CheckConstraint(condition=Q(auth_at__lte=F("signed_at")), name="signature_after_auth"),
        )

    def __str__(self) -> str:
        return self.receipt

    @property
    def receipt(self) -> str:
        """The number on the receipt."""
        return rules.receipt_number(self.payload_sha256)
