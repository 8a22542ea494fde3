"""What should not be so, who puts it right by when, what they do about it, and risks that somebody accepted."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Case, F, Q, Value, When

from apps.findings.rules import SEVERITIES, SEVERITY_WORDS
from apps.people.models import Function, Person
from apps.registry.models import GovernanceDomain, System, Unit

_SEVERITY = [(severity.value, SEVERITY_WORDS[severity]) for severity in SEVERITIES]
_SEVERITY_VALUES = [severity.value for severity in SEVERITIES]


def _active_while(condition: Q) -> Any:
    """A column that is true while the condition holds, for a foreign key to (id, is_active) of a person."""
    return models.GeneratedField(
        expression=Case(When(condition, then=Value(True))),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )


class Finding(models.Model):
    """Something that should not be so, with one active person who puts it right and a date.

    `code` and `subject` name the same breach from one night to the next; one finding of both is open at a time.
    That the person is an active human until it is closed is a foreign key from the generated column (migration
    0002). `step` is how far up the ladder an overdue finding has come.
    """

    class Scope(models.TextChoices):
        ORGANISATION = "organisation", "Organisation"
        UNIT = "unit", "Unit"
        SYSTEM = "system", "System"

    class Level(models.TextChoices):
        BLOCK = "block", "Block"
        WARN = "warn", "Warn"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_PROGRESS = "in_progress", "In progress"
        TO_VERIFY = "to_verify", "To verify"
        ACCEPTED = "accepted", "Risk accepted"
        CLOSED = "closed", "Closed"

    class Source(models.TextChoices):
        SWEEP = "sweep", "Found by a check"
        PERSON = "person", "Reported by a person"

    class Because(models.TextChoices):
        GONE = "gone", "It is so no longer"
        VERIFIED = "verified", "Put right and verified"

    code = models.CharField("check", max_length=40)
    subject = models.CharField(max_length=200)
    # Which source found it: where that one can't be read, nothing of it is closed.
    origin = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=6, choices=Source.choices)
    level = models.CharField(max_length=5, choices=Level.choices)
    severity = models.CharField(max_length=8, choices=_SEVERITY)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="findings")
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="findings")
    domain = models.ForeignKey(GovernanceDomain, models.PROTECT, null=True, blank=True, related_name="findings")
    title = models.CharField(max_length=600)
    remedy = models.TextField()
    path = models.CharField(max_length=300, blank=True)
    person = models.ForeignKey(Person, models.PROTECT, related_name="findings")
    # Chosen by somebody: then the next sweep leaves the person as they are.
    is_assigned = models.BooleanField(default=False)
    raised_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="findings_raised")
    raised_at = models.DateTimeField()
    due_on = models.DateField()
    step = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=11, choices=State.choices, default=State.OPEN)
    accepted_until = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.CharField(max_length=8, choices=Because.choices, blank=True)
    closing_reason = models.CharField(max_length=600, blank=True)
    # The last time that it turned out not to be put right: what was verified before closes it no more.
    reopened_at = models.DateTimeField(null=True, blank=True)
    person_must_be_active = _active_while(~Q(state="closed"))
    person_must_be = models.GeneratedField(
        expression=Value("human"), output_field=models.CharField(max_length=10), db_persist=True
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["code", "subject"],
                condition=~Q(state="closed"),
                name="one_open_finding",
                violation_error_message="There is an open finding of this already.",
            ),
            models.CheckConstraint(
                condition=Q(scope="organisation", unit=None, system=None)
                | Q(scope="unit", unit__isnull=False, system=None)
                | Q(scope="system", unit=None, system__isnull=False),
                name="finding_one_scope",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "in_progress", "to_verify", "accepted", "closed"]),
                name="finding_known_state",
            ),
            models.CheckConstraint(condition=Q(severity__in=_SEVERITY_VALUES), name="finding_known_severity"),
            models.CheckConstraint(condition=Q(level__in=["block", "warn"]), name="finding_known_level"),
            models.CheckConstraint(
                condition=Q(source="sweep", raised_by=None) & ~Q(origin="")
                | Q(source="person", raised_by__isnull=False, origin=""),
                name="finding_raised_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(state="closed", closed_at__isnull=False, closed_because__in=["gone", "verified"])
                | ~Q(state="closed") & Q(closed_at=None, closed_because="", closing_reason=""),
                name="finding_closing_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", accepted_until__isnull=False)
                | ~Q(state="accepted") & Q(accepted_until=None),
                name="finding_acceptance_dated",
            ),
            models.CheckConstraint(
                condition=~Q(title="") & ~Q(remedy="") & ~Q(subject="") & ~Q(code=""), name="finding_complete"
            ),
            models.CheckConstraint(condition=Q(step__lte=5), name="finding_known_step"),
        )
        indexes = (
            models.Index("due_on", "id", condition=~Q(state="closed"), name="finding_open_due"),
            models.Index("person", "due_on", condition=~Q(state="closed"), name="finding_open_person"),
            models.Index("system", condition=~Q(state="closed"), name="finding_open_system"),
            models.Index("closed_at", "id", condition=Q(state="closed"), name="finding_closed"),
        )
        triggers = (
            pgtrigger.FSM(
                name="finding_states",
                field="state",
                transitions=[
                    ("open", "in_progress"),
                    ("open", "to_verify"),
                    ("open", "accepted"),
                    ("open", "closed"),
                    ("in_progress", "open"),
                    ("in_progress", "to_verify"),
                    ("in_progress", "accepted"),
                    ("in_progress", "closed"),
                    ("to_verify", "in_progress"),
                    ("to_verify", "accepted"),
                    ("to_verify", "closed"),
                    ("accepted", "open"),
                    ("accepted", "in_progress"),
                    ("accepted", "to_verify"),
                    ("accepted", "closed"),
                    ("closed", "open"),
                ],
            ),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody: neither closed nor accepted."""
        return self.state in WAITING

    def is_closed_by(self, action: "CorrectiveAction") -> bool:
        """Whether somebody verified the action, and not before the finding was opened again."""
        if action.verified_at is None or action.state != CorrectiveAction.State.VERIFIED:
            return False
        return self.reopened_at is None or action.verified_at > self.reopened_at

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.system is not None:
            return self.system.name
        return self.unit.name if self.unit is not None else "Organisation"


WAITING = (Finding.State.OPEN, Finding.State.IN_PROGRESS, Finding.State.TO_VERIFY)


class CorrectiveAction(models.Model):
    """What one person does about a finding by a day; somebody else verifies it.

    Its person is an active human while it is planned, its verifier while it waits for them (migration 0002).
    """

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        DONE = "done", "Done, to verify"
        VERIFIED = "verified", "Verified"
        REJECTED = "rejected", "Rejected"
        DROPPED = "dropped", "Not needed any more"

    finding = models.ForeignKey(Finding, models.PROTECT, related_name="actions")
    what = models.TextField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="corrective_actions")
    due_on = models.DateField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)
    planned_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    planned_at = models.DateTimeField()
    done_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    done_at = models.DateTimeField(null=True, blank=True)
    evidence = models.TextField(blank=True)
    # Who is asked to verify; somebody else with the right to may do it.
    verifier = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="verifications")
    verified_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=600, blank=True)
    person_must_be_active = _active_while(Q(state="planned"))
    verifier_must_be_active = _active_while(Q(state="done"))

    class Meta:
        ordering = ("planned_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["planned", "done", "verified", "rejected", "dropped"]),
                name="action_known_state",
            ),
            models.CheckConstraint(condition=~Q(what=""), name="action_says_what"),
            models.CheckConstraint(
                condition=Q(state="dropped")
                | Q(state="planned", done_by=None, done_at=None, evidence="", verifier=None)
                | Q(state__in=["done", "verified", "rejected"], done_by__isnull=False, done_at__isnull=False)
                & ~Q(evidence=""),
                name="action_doing_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["verified", "rejected"], verified_by__isnull=False, verified_at__isnull=False)
                | Q(state__in=["planned", "done", "dropped"], verified_by=None, verified_at=None, verdict=""),
                name="action_verdict_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | ~Q(verdict=""),
                name="action_rejection_has_reason",
                violation_error_message="Say why it is not put right.",
            ),
            models.CheckConstraint(
                condition=Q(verified_by=None) | ~Q(verified_by=F("done_by")) & ~Q(verified_by=F("person")),
                name="action_verified_by_another",
                violation_error_message="Who did it can't verify it. Somebody else has to look.",
            ),
            models.CheckConstraint(
                condition=Q(verifier=None) | ~Q(verifier=F("done_by")) & ~Q(verifier=F("person")),
                name="action_verifier_is_another",
            ),
        )
        indexes = (
            models.Index("person", "due_on", condition=Q(state="planned"), name="action_planned"),
            models.Index("verifier", "done_at", condition=Q(state="done"), name="action_to_verify"),
        )
        triggers = (
            pgtrigger.FSM(
                name="action_states",
                field="state",
                transitions=[
                    ("planned", "done"),
                    ("planned", "dropped"),
                    ("done", "verified"),
                    ("done", "rejected"),
                    ("done", "dropped"),
                ],
            ),
        )

    def __str__(self) -> str:
        return self.what[:80]


class RiskAcceptance(models.Model):
    """Somebody with the authority lives with a finding until a day. It never makes the finding good.

    Severity and the person who should put it right are copied: the longest time and "not by that person" are
    check constraints. At most one is in force for a finding.
    """

    class Ended(models.TextChoices):
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"
        CLOSED = "closed", "The finding was closed"
        WORSE = "worse", "The finding became graver"

    finding = models.ForeignKey(Finding, models.PROTECT, related_name="acceptances")
    severity = models.CharField(max_length=8, choices=_SEVERITY)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    accepted_by = models.ForeignKey(Person, models.PROTECT, related_name="risk_acceptances")
    accepted_at = models.DateTimeField()
    accepted_on = models.DateField()
    # The seat that has the authority, where it comes from one, and the words for it.
    function = models.ForeignKey(Function, models.PROTECT, null=True, blank=True, related_name="+")
    authority = models.CharField(max_length=200)
    reason = models.CharField(max_length=600)
    until = models.DateField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=9, choices=Ended.choices, blank=True)
    ended_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    ending_reason = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("-accepted_at", "-pk")
        constraints = (
            models.UniqueConstraint(fields=["finding"], condition=Q(ended_at=None), name="one_acceptance_in_force"),
            models.CheckConstraint(condition=Q(severity__in=_SEVERITY_VALUES), name="acceptance_known_severity"),
            models.CheckConstraint(
                condition=~Q(accepted_by=F("person")),
                name="acceptance_by_another",
                violation_error_message="Who should put it right can't accept the risk alone.",
            ),
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(authority=""),
                name="acceptance_has_reason",
                violation_error_message="Say why the risk is accepted.",
            ),
            models.CheckConstraint(condition=Q(until__gt=F("accepted_on")), name="acceptance_ends_later"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_because="", ended_by=None, ending_reason="")
                | Q(ended_at__isnull=False, ended_because__in=["withdrawn", "expired", "closed", "worse"]),
                name="acceptance_ending_dated",
            ),
            models.CheckConstraint(
                condition=~Q(ended_because="withdrawn") | Q(ended_by__isnull=False),
                name="acceptance_withdrawn_by_somebody",
            ),
        )
        indexes = (models.Index("until", condition=Q(ended_at=None), name="acceptance_in_force"),)

    def __str__(self) -> str:
        return f"accepted until {self.until}"
