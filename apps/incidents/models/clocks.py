"""Legal clocks: rules as versioned data, and the clocks that run for one incident. The portal never files anything."""

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.incidents.models.incidents import Incident, IncidentFile, values
from apps.incidents.rules import CLOCK_OVER, ClockState
from apps.incidents.rules.clocks import Term
from apps.people.models import Function, Person

# How well a rule is known.
CONFIDENCE_WORDS = {
    "primary": "Read in the law itself",
    "secondary": "Read in sources about it",
    "conflicting": "Sources disagree",
    "unverified": "Not verified",
    "own": "Your own",
}


class ClockRule(models.Model):
    """One duty to report, in one version. A change of law is a new version; an incident keeps the one it began with.

    A rule that is silent about an amount has none: nothing is guessed, "without undue delay" stays in words.
    """

    class Anchor(models.TextChoices):
        AWARE = "aware", "Became aware"
        DETERMINED = "determined", "Determined"
        CLASSIFIED = "classified", "Classified"
        PREV_SUBMISSION = "prev_submission", "Earlier submission"
        MEASURE_AVAILABLE = "measure_available", "Measure available"

    class UnitOfTime(models.TextChoices):
        NONE = "", "No number"
        HOURS = "h", "Hours"
        DAYS = "cal_day", "Calendar days"
        BUSINESS_DAYS = "bus_day", "Business days"
        MONTHS = "month", "Months"

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Proposed, not law"
        ENACTED = "enacted", "Enacted, not in force yet"
        IN_FORCE = "in_force", "In force"
        CONTESTED = "contested", "In force, contested"
        REPEALED = "repealed", "Repealed"

    key = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField(default=1)
    instrument = models.CharField(max_length=200)
    article = models.CharField(max_length=100)
    title = models.CharField(max_length=200)
    # provider | deployer | controller | processor | financial_entity | manufacturer | registrant | ... | any
    bound_role = models.CharField(max_length=40)
    # What has to be true before it runs, as a question to the one who decides.
    trigger = models.TextField()
    trigger_type = models.CharField(max_length=40)
    anchor = models.CharField(max_length=17, choices=Anchor.choices)
    amount = models.PositiveSmallIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=8, choices=UnitOfTime.choices, blank=True)
    # A second limit, whichever ends first: DORA's 24 hours after becoming aware.
    cap_anchor = models.CharField(max_length=17, choices=Anchor.choices, blank=True)
    cap_amount = models.PositiveSmallIntegerField(null=True, blank=True)
    cap_unit = models.CharField(max_length=8, choices=UnitOfTime.choices, blank=True)
    # "Immediately", "without undue delay": due at once, the number is only the latest.
    immediate = models.BooleanField(default=False)
    # What is no working day: see rules.clocks; or a country of the holidays library. Empty: every day counts, and
    # business days leave out weekends alone.
    calendar = models.CharField(max_length=10, blank=True)
    # A deadline on a weekend or holiday moves to noon of the next working day (DORA, Del. Reg. 2025/301 Art. 5).
    rolls_to_noon = models.BooleanField(default=False)
    recipient = models.CharField(max_length=300)
    stage = models.CharField(max_length=20, default="notification")
    # Keys, with spaces between: any of them starts it.
    after = models.CharField("the rules whose submission starts it", max_length=40, blank=True)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices)
    source_url = models.URLField(max_length=600, blank=True)
    quote = models.TextField(blank=True)
    note = models.TextField(blank=True)
    verified_on = models.DateField(null=True, blank=True)
    verified_by = models.CharField(max_length=200, blank=True)
    # primary | secondary | conflicting | unverified | own
    confidence = models.CharField(max_length=12, default="unverified")
    # Where it may matter: scenarios and regulatory classes; empty: everywhere.
    scenarios = models.JSONField(default=list, blank=True)
    regulatory_classes = models.JSONField(default=list, blank=True)
    # Which seat decides; the deputy stands in.
    decides = models.ForeignKey(Function, models.PROTECT, related_name="+")
    # Whether this organisation is bound at all: said once, by the legal seat. None: nobody has said.
    applies = models.BooleanField(null=True, blank=True)
    applies_reason = models.TextField(blank=True)
    applies_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    applies_at = models.DateTimeField(null=True, blank=True)
    set_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    set_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("instrument", "key", "-version")
        constraints = (
            models.UniqueConstraint(fields=["key", "version"], name="clock_rule_version_once"),
            models.UniqueConstraint(fields=["key"], condition=Q(replaced_at=None), name="one_clock_rule_in_use"),
            models.CheckConstraint(
                condition=Q(amount=None, unit="") | Q(amount__isnull=False) & ~Q(unit=""),
                name="clock_rule_amount_has_unit",
            ),
            models.CheckConstraint(
                condition=Q(cap_amount=None, cap_unit="", cap_anchor="")
                | Q(cap_amount__isnull=False) & ~Q(cap_unit="") & ~Q(cap_anchor=""),
                name="clock_rule_cap_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(anchor="prev_submission") | ~Q(after=""), name="clock_rule_stage_follows_another"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["proposed", "enacted", "in_force", "contested", "repealed"]),
                name="clock_rule_known_status",
            ),
            models.CheckConstraint(
                condition=Q(applies=None, applies_at=None)
                | Q(applies__isnull=False, applies_at__isnull=False) & ~Q(applies_reason=""),
                name="clock_rule_applies_says_why",
                violation_error_message="Say why it binds this organisation, or why not.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.key} v{self.version}"

    @property
    def law(self) -> str:
        """The law's short name with the article, as a title: GDPR Art. 33(1)."""
        return f"{self.instrument.split(',')[0]} {self.article}"

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/incidents/clocks/{self.key}/"

    @property
    def bound_words(self) -> str:
        """Who is bound, as people say it."""
        return self.bound_role.replace("_", " ").replace("gpai", "GPAI").replace("uk ", "UK ").replace("us ", "US ")

    @property
    def confidence_words(self) -> str:
        """How sure it is."""
        return CONFIDENCE_WORDS.get(self.confidence, self.confidence)

    @property
    def term(self) -> Term:
        """What it says about time."""
        return Term(
            self.anchor,
            self.amount,
            self.unit,
            self.cap_anchor,
            self.cap_amount,
            self.cap_unit,
            self.calendar,
            self.rolls_to_noon,
        )


class IncidentClock(models.Model):
    """One rule for one incident: assessed, running, or decided. Each regime starts on its own trigger.

    `due_at` is kept with the anchor that it was computed from; the anchors are rows that are only added.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="clocks")
    rule = models.ForeignKey(ClockRule, models.PROTECT, related_name="clocks")
    state = models.CharField(
        max_length=14,
        choices=[(s.value, s.value.replace("_", " ").capitalize()) for s in ClockState],
        default=ClockState.NOT_ASSESSED.value,
    )
    opened_at = models.DateTimeField()
    # When it should have been said whether the rule applies.
    assess_by = models.DateTimeField(null=True, blank=True)
    decides = models.ForeignKey(Person, models.PROTECT, related_name="clocks_to_decide")
    deputy = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    anchor_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    # The decision and why: "reportable because ...", "not reportable because ...".
    decision = models.TextField(blank=True)
    decided_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    # The signed record of a decision not to report.
    signature = models.ForeignKey("incidents.Signature", models.PROTECT, null=True, blank=True, related_name="+")
    submission_ref = models.CharField(max_length=300, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    submitted_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    late_reason = models.TextField(blank=True)
    file = models.ForeignKey(IncidentFile, models.PROTECT, null=True, blank=True, related_name="+")
    # How far the alerts have come: 0, 50, 75, 90, 99 (an hour before), 100 (missed).
    alerted = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("due_at", "rule__instrument", "pk")
        constraints = (
            models.UniqueConstraint(fields=["incident", "rule"], name="one_clock_a_rule"),
            models.CheckConstraint(condition=Q(state__in=values(ClockState)), name="clock_known_state"),
            models.CheckConstraint(
                condition=~Q(state__in=["running", "missed", "submitted", "submitted_late"])
                | Q(anchor_at__isnull=False),
                name="clock_runs_from_an_anchor",
                violation_error_message="No clock runs without its own trigger.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["submitted", "submitted_late"])
                | Q(submitted_at__isnull=False, submitted_by__isnull=False) & ~Q(submission_ref=""),
                name="clock_submission_has_reference",
                violation_error_message="Give the reference that the authority gave you.",
            ),
            models.CheckConstraint(
                condition=~Q(state="submitted_late") | ~Q(late_reason=""),
                name="clock_late_says_why",
                violation_error_message="Say why it is late (GDPR Art. 33(1)).",
            ),
            models.CheckConstraint(
                condition=~Q(state="not_reportable")
                | Q(decided_by__isnull=False, decided_at__isnull=False, signature__isnull=False) & ~Q(decision=""),
                name="clock_not_reportable_is_signed",
                violation_error_message="Say why it is not reportable, and sign it (GDPR Art. 33(5)).",
            ),
            models.CheckConstraint(condition=~Q(state="missed") | Q(due_at__isnull=False), name="clock_missed_was_due"),
            models.CheckConstraint(
                condition=~Q(state="submitted") | Q(due_at=None) | Q(submitted_at__lte=models.F("due_at")),
                name="clock_submitted_in_time",
                violation_error_message="It was submitted after its deadline: say why it is late.",
            ),
        )
        indexes = (
            models.Index("due_at", condition=~Q(state__in=[s.value for s in CLOCK_OVER]), name="incident_clock_due"),
        )
        triggers = (
            pgtrigger.FSM(
                name="clock_states",
                field="state",
                transitions=[
                    ("not_assessed", "assessing"),
                    ("not_assessed", "running"),
                    ("not_assessed", "not_reportable"),
                    ("assessing", "running"),
                    ("assessing", "not_reportable"),
                    ("running", "submitted"),
                    ("running", "not_reportable"),
                    ("running", "missed"),
                    ("missed", "submitted_late"),
                    # Submitted in time, written down after it.
                    ("missed", "submitted"),
                    ("missed", "not_reportable"),
                    # A later fact can make it reportable after all.
                    ("not_reportable", "running"),
                    # A corrected anchor can move the deadline.
                    ("missed", "running"),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"{self.rule_id} for {self.incident_id}"

    @property
    def is_over(self) -> bool:
        """Whether it is submitted, or signed that it is not reportable."""
        return self.state in CLOCK_OVER


class ClockAnchor(models.Model):
    """When the trigger of one clock came true, who said so and why. Only added; the newest stands."""

    clock = models.ForeignKey(IncidentClock, models.PROTECT, related_name="anchors")
    # Which of the two limits it is for.
    anchor = models.CharField(max_length=17, choices=ClockRule.Anchor.choices)
    at = models.DateTimeField()
    reason = models.TextField()
    said_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    said_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="anchor_says_why"),
            models.CheckConstraint(
                condition=Q(at__lte=models.F("said_at")),
                name="anchor_not_ahead",
                violation_error_message="A clock starts with what happened already.",
            ),
        )

    def __str__(self) -> str:
        return f"anchor of {self.clock_id}"


class Authority(models.Model):
    """Where a report goes: filled in before it is needed."""

    rule_key = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    portal = models.URLField("address of its form", max_length=600, blank=True)
    contact = models.CharField(max_length=300, blank=True)
    note = models.TextField(blank=True)
    set_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        ordering = ("rule_key", "name")
        constraints = (models.UniqueConstraint(fields=["rule_key", "name"], name="authority_once"),)

    def __str__(self) -> str:
        return self.name
