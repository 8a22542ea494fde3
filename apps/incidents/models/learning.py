"""What is learnt: signatures, the review of an incident, its actions; drills and their report."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.findings.models import Finding
from apps.incidents.models.cards import SCENARIOS
from apps.incidents.models.incidents import Incident, values
from apps.incidents.rules import ExerciseState
from apps.people.models import Person
from apps.registry.models import System


class Signature(models.Model):
    """What somebody signed about an incident or a drill, as canonical JSON with its hash. For ever."""

    class Kind(models.TextChoices):
        NOT_REPORTABLE = "not_reportable", "Decision not to report"
        REVIEW = "review", "Review of an incident"
        SKIPPED_REVIEW = "skipped_review", "No review needed"
        REPORT = "report", "After-action report"

    kind = models.CharField(max_length=14, choices=Kind.choices)
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, blank=True, related_name="signatures")
    exercise = models.ForeignKey("incidents.Exercise", models.PROTECT, null=True, blank=True, related_name="signatures")
    statement = models.TextField()
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64)
    person = models.ForeignKey(Person, models.PROTECT, related_name="incident_signatures")
    signer_name = models.CharField(max_length=200)
    signer_function = models.CharField(max_length=300, blank=True)
    method = models.CharField(max_length=60)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ("signed_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(incident__isnull=False, exercise=None) | Q(incident=None, exercise__isnull=False),
                name="incident_signature_of_one_thing",
            ),
            models.CheckConstraint(condition=~Q(statement="") & ~Q(method=""), name="incident_signature_whole"),
        )

    def __str__(self) -> str:
        return f"{self.kind} by {self.signer_name}"


class Review(models.Model):
    """What happened and why, looked at together after it was resolved. The facilitator did not lead."""

    class State(models.TextChoices):
        OPEN = "open", "To do"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Not needed"

    incident = models.OneToOneField(Incident, models.PROTECT, related_name="review")
    # Which rule asks for it, in words.
    required_by = models.CharField(max_length=200)
    facilitator = models.ForeignKey(Person, models.PROTECT, related_name="reviews_facilitated")
    # Copied, so that the rule below holds in the row.
    lead = models.ForeignKey(Person, models.PROTECT, related_name="+")
    due_on = models.DateField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    timeline_ok = models.BooleanField(default=False)
    summary = models.TextField(blank=True)
    causes = models.TextField(blank=True)
    contributing_factors = models.TextField(blank=True)
    what_worked = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=600, blank=True)
    signature = models.ForeignKey(Signature, models.PROTECT, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(facilitator=F("lead")),
                name="review_facilitator_did_not_lead",
                violation_error_message="Who led does not facilitate the review. Choose somebody else.",
            ),
            models.CheckConstraint(
                condition=Q(state="open", done_at=None, signature=None)
                | Q(state="done", done_at__isnull=False, signature__isnull=False, timeline_ok=True)
                & ~Q(summary="")
                & ~Q(causes="")
                | Q(state="skipped", done_at__isnull=False, signature__isnull=False) & ~Q(skip_reason=""),
                name="review_done_is_signed",
            ),
        )

    def __str__(self) -> str:
        return f"review of {self.incident_id}"


class ReviewAction(models.Model):
    """What one person does by a day so that it does not happen again. The finding holds its state and verification.

    The finding is corrected, verified by another and escalated like any other (see findings).
    """

    class Type(models.TextChoices):
        FIX = "fix", "Put right"
        DETECT = "detect", "Notice sooner"
        PROCESS = "process", "Work differently"
        OWNERSHIP = "ownership", "Say who answers"
        TRAINING = "training", "Train"

    class Gap(models.TextChoices):
        """What was wrong with who answered; only for ownership."""

        NONE = "", "None"
        WRONG_LEAD = "wrong_lead", "The wrong person was called"
        UNREACHABLE = "unreachable", "Nobody could be reached"
        DISPUTED = "disputed", "It was disputed who leads"
        NO_AUTHORITY = "no_authority", "Nobody had the authority"

    incident = models.ForeignKey(Incident, models.PROTECT, null=True, blank=True, related_name="actions")
    exercise = models.ForeignKey("incidents.Exercise", models.PROTECT, null=True, blank=True, related_name="actions")
    type = models.CharField(max_length=9, choices=Type.choices)
    gap = models.CharField(max_length=12, choices=Gap.choices, blank=True)
    finding = models.OneToOneField(Finding, models.PROTECT, related_name="incident_action")
    added_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ("added_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(incident__isnull=False, exercise=None) | Q(incident=None, exercise__isnull=False),
                name="action_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(type="ownership") & ~Q(gap="") | ~Q(type="ownership") & Q(gap=""),
                name="ownership_action_names_gap",
                violation_error_message="Say what was wrong with who answered.",
            ),
        )

    def __str__(self) -> str:
        return f"action {self.pk}"


class Exercise(models.Model):
    """A rehearsal: the same resolver, the same plan, marked as a drill on every channel. It starts no legal clock."""

    class Type(models.TextChoices):
        TABLETOP = "tabletop", "Tabletop"
        CALL_TREE = "call_tree", "Call tree"
        KILL_SWITCH = "kill_switch", "Live stop"
        BLIND_PAGE = "blind_page", "Page by surprise"

    code = models.CharField(max_length=12, unique=True)
    type = models.CharField(max_length=11, choices=Type.choices)
    title = models.CharField(max_length=200)
    scenario = models.CharField(max_length=20, choices=SCENARIOS)
    systems: "models.ManyToManyField[System, models.Model]" = models.ManyToManyField(System, related_name="exercises")
    objectives: "ArrayField[list[str], list[str]]" = ArrayField(models.CharField(max_length=300), default=list)
    facilitator = models.ForeignKey(Person, models.PROTECT, related_name="exercises")
    planned_at = models.DateTimeField()
    announced = models.BooleanField(default=True)
    state = models.CharField(
        max_length=10,
        choices=[(s.value, s.value.replace("_", " ").capitalize()) for s in ExerciseState],
        default=ExerciseState.PLANNED.value,
    )
    created_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Minutes to the decision whether to report, and to a draft that could be handed in.
    decision_at = models.DateTimeField(null=True, blank=True)
    draft_at = models.DateTimeField(null=True, blank=True)
    # passed | failed, said by the facilitator in the report.
    outcome = models.CharField(max_length=6, blank=True)
    strengths = models.TextField(blank=True)
    weaknesses = models.TextField(blank=True)
    summary = models.TextField(blank=True)
    signature = models.ForeignKey(Signature, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    cancelled_reason = models.CharField(max_length=600, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("-planned_at", "-pk")
        constraints = (
            models.CheckConstraint(condition=Q(state__in=values(ExerciseState)), name="exercise_known_state"),
            models.CheckConstraint(
                condition=~Q(state__in=["aar_signed", "closed"])
                | Q(signature__isnull=False, outcome__in=["passed", "failed"]) & ~Q(summary=""),
                name="exercise_report_signed",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["running", "hotwash", "aar_draft", "aar_signed", "closed"])
                | Q(started_at__isnull=False),
                name="exercise_start_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | ~Q(cancelled_reason=""), name="exercise_cancelled_says_why"
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="exercise_states",
                field="state",
                transitions=[
                    ("planned", "ready"),
                    ("ready", "planned"),
                    ("ready", "running"),
                    ("running", "hotwash"),
                    ("hotwash", "aar_draft"),
                    ("aar_draft", "aar_signed"),
                    ("aar_signed", "closed"),
                    ("planned", "cancelled"),
                    ("ready", "cancelled"),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/incidents/drills/{self.code}/"


class Inject(models.Model):
    """Something that the facilitator tells during a tabletop, and what is expected then of whom."""

    exercise = models.ForeignKey(Exercise, models.PROTECT, related_name="injects")
    order = models.PositiveSmallIntegerField()
    offset_minutes = models.PositiveSmallIntegerField()
    text = models.TextField()
    expected_action = models.TextField()
    expected_person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    given_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ("order",)
        constraints = (
            models.UniqueConstraint(fields=["exercise", "order"], name="inject_once"),
            models.CheckConstraint(
                condition=Q(answered_at=None) | Q(given_at__isnull=False) & ~Q(answer=""), name="inject_answer_dated"
            ),
        )

    def __str__(self) -> str:
        return self.text[:80]


class Observation(models.Model):
    """What the facilitator saw about one objective. Ratings of HSEEP (FEMA, 2020): P, S, M, U."""

    class Rating(models.TextChoices):
        PERFORMED = "P", "Performed without challenges"
        SOME = "S", "Performed with some challenges"
        MAJOR = "M", "Performed with major challenges"
        UNABLE = "U", "Unable to be performed"
        NOT_OBSERVED = "N", "Not observed"

    exercise = models.ForeignKey(Exercise, models.PROTECT, related_name="observations")
    objective = models.PositiveSmallIntegerField()
    rating = models.CharField(max_length=1, choices=Rating.choices)
    # strength | improvement
    kind = models.CharField(
        max_length=11, choices=[("strength", "Strength"), ("improvement", "To improve")], default="strength"
    )
    text = models.TextField()
    evidence = models.TextField(blank=True)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ("objective", "pk")
        constraints = (
            models.CheckConstraint(condition=Q(rating__in=["P", "S", "M", "U", "N"]), name="observation_known_rating"),
            models.CheckConstraint(condition=~Q(text=""), name="observation_says_something"),
        )

    def __str__(self) -> str:
        return f"{self.rating} {self.text[:60]}"
