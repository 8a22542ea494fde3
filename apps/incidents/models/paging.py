"""Calling people: escalation plans, the one that runs for an incident, and each call to each person."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.incidents.models.cards import SCENARIOS
from apps.incidents.models.incidents import Incident, values
from apps.incidents.rules import PageState
from apps.people.models import Person
from apps.registry.models import System, Unit


class EscalationPlan(models.Model):
    """Who is called when, until somebody says "I take it". A change is a new row; what runs keeps its snapshot.

    `steps`: [{"after": minutes since the first page, "targets": [{"kind", "seat"?, "person"?}], "channels": n}].
    The most specific scope stands: system, unit with all below it, organisation; a scenario's plan over one for any.
    """

    name = models.CharField(max_length=100)
    scenario = models.CharField(max_length=20, choices=[("", "Any"), *SCENARIOS], blank=True)
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="escalation_plans")
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="escalation_plans")
    steps = models.JSONField()
    # How often it begins again from its first step when nobody answered; three at most.
    repeat = models.PositiveSmallIntegerField(default=1)
    reason = models.CharField(max_length=600, blank=True)
    # None: it came with the portal.
    set_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=["scenario", "system", "unit"],
                condition=Q(valid_to=None),
                nulls_distinct=False,
                name="one_plan_in_force",
            ),
            models.CheckConstraint(condition=Q(system=None) | Q(unit=None), name="plan_one_scope"),
            models.CheckConstraint(condition=Q(repeat__lte=3), name="plan_repeats_three_times_at_most"),
            models.CheckConstraint(condition=~Q(steps=[]), name="plan_has_steps"),
        )

    def __str__(self) -> str:
        return self.name


class Escalation(models.Model):
    """The calling that runs for one incident: which step is next, and when. The row is the timer.

    `round` counts how often calling began (again): a page of an older round never fires. `due_at` is empty while
    somebody holds it. Whoever advances it locks the row; times are the database's.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Calling"
        ACKED = "acked", "Somebody has it"
        EXHAUSTED = "exhausted", "Nobody answered"
        STOPPED = "stopped", "Stopped"

    incident = models.OneToOneField(Incident, models.PROTECT, primary_key=True, related_name="escalation")
    state = models.CharField(max_length=9, choices=State.choices, default=State.RUNNING)
    round = models.PositiveSmallIntegerField(default=1)
    # How often the plan began from its first step within this round.
    lap = models.PositiveSmallIntegerField(default=0)
    step = models.PositiveSmallIntegerField(default=0)
    began_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    acked_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    acked_at = models.DateTimeField(null=True, blank=True)
    # Until when the acknowledgement holds; then calling begins again.
    ack_until = models.DateTimeField(null=True, blank=True)
    # The first page that went out and the first human who answered: what the response time is measured by.
    first_page_at = models.DateTimeField(null=True, blank=True)
    first_ack_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="running", due_at__isnull=False) | ~Q(state="running") & Q(due_at=None),
                name="escalation_running_is_timed",
            ),
            models.CheckConstraint(
                condition=~Q(state="acked") | Q(acked_by__isnull=False, acked_at__isnull=False),
                name="escalation_acked_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["running", "acked", "exhausted", "stopped"]), name="escalation_known_state"
            ),
        )
        indexes = (
            models.Index("due_at", condition=Q(state="running"), name="escalation_due"),
            models.Index("ack_until", condition=Q(state="acked"), name="escalation_ack_until"),
        )

    def __str__(self) -> str:
        return f"calling for {self.incident_id}"


class Page(models.Model):
    """One person is called in one step. The unique key makes a second call of the same step impossible."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="pages")
    round = models.PositiveSmallIntegerField()
    lap = models.PositiveSmallIntegerField(default=0)
    step = models.PositiveSmallIntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="pages")
    # lead | deputy | owner | manager | function_head | seat | person
    target = models.CharField(max_length=13)
    state = models.CharField(
        max_length=9, choices=[(s.value, s.value.capitalize()) for s in PageState], default=PageState.QUEUED.value
    )
    # [{"channel": id or null, "kind", "address" masked}]: where it went.
    channels = models.JSONField(default=list)
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    # link | app | behalf | api
    answered_by_way = models.CharField(max_length=6, blank=True)
    answered_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("queued_at", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["incident", "round", "lap", "step", "person"], name="one_page_a_step_and_person"
            ),
            models.CheckConstraint(condition=Q(state__in=values(PageState)), name="page_known_state"),
            models.CheckConstraint(
                condition=~Q(state__in=["acked", "declined"])
                | Q(answered_at__isnull=False, answered_by__isnull=False)
                & Q(answered_by_way__in=["link", "app", "behalf", "api"]),
                name="page_answer_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(reason=""),
                name="page_decline_says_why",
                violation_error_message="Say why you can't take it.",
            ),
            models.CheckConstraint(
                condition=Q(answered_at=None) | Q(answered_at__gte=F("queued_at")), name="page_answered_after_call"
            ),
        )
        indexes = (
            models.Index("person", "queued_at", name="page_person"),
            models.Index("queued_at", condition=Q(state="queued"), name="page_queued"),
        )
        triggers = (
            pgtrigger.FSM(
                name="page_states",
                field="state",
                transitions=[
                    ("queued", "sent"),
                    ("queued", "acked"),
                    ("queued", "declined"),
                    ("queued", "expired"),
                    ("queued", "cancelled"),
                    ("queued", "failed"),
                    ("sent", "delivered"),
                    ("sent", "acked"),
                    ("sent", "declined"),
                    ("sent", "expired"),
                    ("sent", "cancelled"),
                    ("sent", "failed"),
                    ("delivered", "acked"),
                    ("delivered", "declined"),
                    ("delivered", "expired"),
                    ("delivered", "cancelled"),
                    # A call that is answered late still counts for the record.
                    ("expired", "acked"),
                    ("expired", "declined"),
                    ("failed", "acked"),
                    ("failed", "declined"),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"page {self.pk}"


class Preflight(models.Model):
    """What the nightly look found about whether calling would work for one system and scenario."""

    system = models.ForeignKey(System, models.PROTECT, related_name="+")
    scenario = models.CharField(max_length=20, blank=True)
    # [{"code", "text", "person"}]
    faults = models.JSONField(default=list)
    checked_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["system", "scenario"], name="one_preflight"),)

    def __str__(self) -> str:
        return f"preflight of {self.system_id}"
