"""Runbooks: what is done first, in which order, by whom. Versions are kept; an incident pins the one it began with."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.incidents.models.cards import SCENARIOS
from apps.people.models import Person
from apps.registry.models import System, Unit
from apps.registry.rules import Scenario

_PHASES = Q(phase__in=["contain", "preserve", "assess", "tell", "recover"])
_DOES = Q(does__in=["", "containment", "evidence_freeze", "changes_system"])


class Runbook(models.Model):
    """What to do in one scenario, for one scope: a system, an operating model, a unit, or the organisation.

    The most specific one that is published stands. Its owner keeps it current: the review date is a duty.
    """

    key = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=200)
    # The empty one is for "not sure", and for what has no runbook of its own.
    scenario = models.CharField(max_length=20, choices=[("", "Not sure"), *SCENARIOS], blank=True)
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="runbooks")
    operating_model = models.CharField(max_length=16, choices=System.OperatingModel.choices, blank=True)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="runbooks")
    # None for a seeded one that nobody took yet: then the holder of the mandate is asked.
    owner = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="runbooks")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    review_due = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("scenario", "title")
        constraints = (
            models.UniqueConstraint(
                fields=["scenario", "system", "operating_model", "unit"],
                condition=Q(retired_at=None),
                nulls_distinct=False,
                name="one_runbook_per_scope",
                violation_error_message="There is a runbook for this scenario and scope already. Change that one.",
            ),
            models.CheckConstraint(
                condition=Q(system=None, operating_model="")
                | Q(system=None, unit=None)
                | Q(operating_model="", unit=None),
                name="runbook_one_scope",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_at=None, reviewed_by=None)
                | Q(reviewed_at__isnull=False, review_due__isnull=False),
                name="runbook_review_dated",
            ),
            models.CheckConstraint(
                condition=Q(scenario__in=["", *(s.value for s in Scenario)]), name="runbook_known_scenario"
            ),
            models.CheckConstraint(condition=~Q(title=""), name="runbook_has_title"),
        )

    def __str__(self) -> str:
        return self.title


class RunbookVersion(models.Model):
    """One state of a runbook. A draft changes; what was published never does."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "In use"
        REPLACED = "replaced", "Replaced"

    runbook = models.ForeignKey(Runbook, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    note = models.CharField("what changed", max_length=600, blank=True)
    # None: it came with the portal.
    written_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    written_at = models.DateTimeField()
    published_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["runbook", "number"], name="runbook_version_once"),
            models.UniqueConstraint(fields=["runbook"], condition=Q(state="published"), name="one_version_in_use"),
            models.UniqueConstraint(
                fields=["runbook"],
                condition=Q(state="draft"),
                name="one_runbook_draft",
                violation_error_message="There is a draft already. Go on with that one, or discard it.",
            ),
            models.CheckConstraint(
                condition=Q(state="draft", published_at=None)
                | Q(state__in=["published", "replaced"], published_at__isnull=False),
                name="runbook_version_publishing_dated",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="runbook_version_states",
                field="state",
                transitions=[("draft", "published"), ("published", "replaced")],
            ),
        )

    def __str__(self) -> str:
        return f"version {self.number} of {self.runbook_id}"


class StepFields(models.Model):
    """What one step says, in a runbook and pinned in an incident."""

    class Phase(models.TextChoices):
        CONTAIN = "contain", "Contain"
        PRESERVE = "preserve", "Keep the evidence"
        ASSESS = "assess", "Find out"
        TELL = "tell", "Tell"
        RECOVER = "recover", "Put right"

    class Does(models.TextChoices):
        """What the step means to the rules; most mean nothing to them."""

        NOTHING = "", "Nothing special"
        CONTAINMENT = "containment", "Contains the incident"
        EVIDENCE_FREEZE = "evidence_freeze", "Freezes the evidence"
        CHANGES_SYSTEM = "changes_system", "Changes the system"

    order = models.PositiveSmallIntegerField()
    phase = models.CharField(max_length=8, choices=Phase.choices)
    does = models.CharField(max_length=15, choices=Does.choices, blank=True, default="")
    title = models.CharField(max_length=200)
    instruction = models.TextField()
    expected_result = models.TextField(blank=True)
    if_not = models.TextField("if that does not happen", blank=True)
    # lead | deputy | owner | the code of a function
    role = models.CharField(max_length=20, default="lead")
    required = models.BooleanField(default=True)
    evidence_required = models.BooleanField(default=False)
    target_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    # The General Counsel has to agree before it is done.
    legal_gate = models.BooleanField(default=False)

    class Meta:
        abstract = True


class RunbookStep(StepFields):
    """One step of one version. Written while the version is a draft, frozen after."""

    version = models.ForeignKey(RunbookVersion, models.PROTECT, related_name="steps")

    class Meta:
        ordering = ("order",)
        constraints = (
            models.UniqueConstraint(
                fields=["version", "order"], name="runbook_step_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=~Q(title="") & ~Q(instruction=""), name="runbook_step_says_what"),
            models.CheckConstraint(condition=_PHASES & _DOES, name="runbook_step_known_words"),
        )

    def __str__(self) -> str:
        return self.title


class IncidentStep(StepFields):
    """A step that was copied when the incident was declared, and what came of it."""

    class State(models.TextChoices):
        TODO = "todo", "To do"
        DOING = "doing", "Under way"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"
        BLOCKED = "blocked", "Blocked"

    incident = models.ForeignKey("incidents.Incident", models.PROTECT, related_name="steps")
    version = models.ForeignKey(RunbookVersion, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=7, choices=State.choices, default=State.TODO)
    started_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    done_at = models.DateTimeField(null=True, blank=True)
    # What shows that it was done; why it was skipped or is blocked.
    evidence = models.TextField(blank=True)
    reason = models.CharField(max_length=600, blank=True)
    # The General Counsel's yes, where the step has a legal gate.
    agreed_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    agreed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("order",)
        constraints = (
            models.UniqueConstraint(fields=["incident", "order"], name="incident_step_once"),
            models.CheckConstraint(
                condition=Q(state__in=["todo", "doing", "done", "skipped", "blocked"]), name="incident_step_known_state"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["done", "skipped"], done_by__isnull=False, done_at__isnull=False)
                | Q(state__in=["todo", "doing", "blocked"], done_by=None, done_at=None),
                name="incident_step_done_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["skipped", "blocked"]) | ~Q(reason=""),
                name="incident_step_says_why",
                violation_error_message="Say why the step is skipped or blocked.",
            ),
            models.CheckConstraint(
                condition=~Q(state="done", evidence_required=True) | ~Q(evidence=""),
                name="incident_step_has_evidence",
                violation_error_message="Say what shows that it was done.",
            ),
            models.CheckConstraint(
                condition=~Q(state="done", legal_gate=True) | Q(agreed_by__isnull=False),
                name="incident_step_legal_gate",
                violation_error_message="The General Counsel has to agree before this step is done.",
            ),
            models.CheckConstraint(
                condition=Q(agreed_by=None, agreed_at=None) | Q(agreed_by__isnull=False, agreed_at__isnull=False),
                name="incident_step_agreement_dated",
            ),
            models.CheckConstraint(
                condition=Q(started_by=None) | Q(done_at=None) | Q(done_at__gte=F("started_at")),
                name="incident_step_ends_after_start",
            ),
            models.CheckConstraint(condition=_PHASES & _DOES, name="incident_step_known_words"),
            models.CheckConstraint(
                condition=~Q(state="done", phase="recover", does="changes_system")
                | Q(started_by__isnull=False) & ~Q(started_by=F("done_by")),
                name="incident_step_two_people",
                violation_error_message="One person starts it again, another looks and confirms.",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="incident_step_states",
                field="state",
                transitions=[
                    ("todo", "doing"),
                    ("todo", "done"),
                    ("todo", "skipped"),
                    ("todo", "blocked"),
                    ("doing", "done"),
                    ("doing", "todo"),
                    ("doing", "skipped"),
                    ("doing", "blocked"),
                    ("blocked", "doing"),
                    ("blocked", "todo"),
                    ("blocked", "done"),
                    ("blocked", "skipped"),
                ],
            ),
        )

    def __str__(self) -> str:
        return self.title
