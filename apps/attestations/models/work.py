"""What owners do before they sign: answers, help, passing on."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.attestations import rules
from apps.attestations.models.campaigns import Campaign
from apps.attestations.models.scope import Assignment
from apps.people.models import Person
from apps.registry.models import Nomination


class Answer(models.Model):
    """What was answered to one question, as typed: it is checked when the person signs.

    Cannot change once the assignment is signed or closed (trigger in the migration). Which fields count follows
    from the question's type; `contradiction` says in words what the frozen facts say against it.
    """

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="answers", db_index=False)
    question = models.CharField(max_length=40)
    value = models.CharField(max_length=20, blank=True)
    comment = models.TextField(blank=True)
    plan = models.TextField(blank=True)
    plan_date = models.CharField(max_length=40, blank=True)
    # Of an exception: how grave, what protects meanwhile, and who carries the plan out where it is not the owner.
    severity = models.CharField(max_length=8, blank=True)
    control = models.TextField(blank=True)
    plan_owner = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    # Of other types of question: free text or a correction, a person, a day as typed.
    text = models.TextField(blank=True)
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    day = models.CharField(max_length=40, blank=True)
    # What the portal knew about it, in words, when the answer was saved; and why it is so all the same.
    fact = models.TextField(blank=True)
    contradiction = models.CharField(max_length=300, blank=True)
    explanation = models.TextField(blank=True)
    answered_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    saved_at = models.DateTimeField()
    # From the last look at the section to this answer, shared among what was answered at once; null: not measured.
    seconds = models.PositiveIntegerField(null=True, blank=True)
    # The assignment's version that this answer was saved with: tells two tabs apart.
    version = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["assignment", "question"], name="one_answer_per_question"),
            models.CheckConstraint(
                condition=Q(
                    value__in=["", "yes", "yes_with_exception", "no", "not_applicable", "cannot_attest", "given"]
                ),
                name="answer_known_value",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["", "critical", "high", "medium", "low"]), name="answer_known_severity"
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.question}: {self.value}"

    @property
    def given(self) -> rules.Given:
        return rules.Given(
            self.value, self.comment, self.plan, self.plan_date, self.severity, self.control,
            str(self.plan_owner_id or ""), self.text, str(self.person_id or ""), self.day, self.explanation,
        )  # fmt: skip


class SectionView(models.Model):
    """When a person last opened a section: decision times are measured from it."""

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="views", db_index=False)
    section = models.SlugField(max_length=40)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+", db_index=False)
    viewed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["assignment", "section", "person"], name="one_view_per_section"),
        )

    def __str__(self) -> str:
        return f"{self.section} of {self.assignment_id}"


class Delegation(models.Model):
    """Somebody prepares the answers for the person who signs. Never the signature; with an end."""

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="delegations")
    preparer = models.ForeignKey(Person, models.PROTECT, related_name="prepares")
    # Slugs of the sections that they may fill in; empty means all.
    sections = ArrayField(models.SlugField(max_length=40), default=list, blank=True)
    reason = models.CharField(max_length=600)
    until = models.DateField()
    given_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    given_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["assignment", "preparer"],
                condition=Q(ended_at=None),
                name="one_delegation_per_preparer",
                violation_error_message="This person prepares it already.",
            ),
            models.CheckConstraint(condition=~Q(preparer=F("given_by")), name="delegation_to_another"),
            models.CheckConstraint(
                condition=~Q(reason=""), name="delegation_has_reason", violation_error_message="Say why."
            ),
        )
        indexes = (models.Index("preparer", condition=Q(ended_at=None), name="delegation_running"),)

    def __str__(self) -> str:
        return f"{self.preparer_id} prepares {self.assignment_id}"


class Reassignment(models.Model):
    """Accountability is to pass on: somebody else is asked, or ("not mine") nobody is known yet.

    It is carried by a nomination: until the other accepts, who has it keeps it. The due date never moves.
    """

    class State(models.TextChoices):
        OPEN = "open", "Waiting"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"
        RETURNED = "returned", "Answered: it stays"
        WITHDRAWN = "withdrawn", "Withdrawn"

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="reassignments")
    from_person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    # Null while nobody is known: then `asked` has to find somebody.
    to_person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    asked = models.ForeignKey(Person, models.PROTECT, related_name="reassignments_to_answer")
    nomination = models.OneToOneField(Nomination, models.PROTECT, null=True, blank=True, related_name="reassignment")
    reason = models.CharField(max_length=600)
    requested_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    answer_by = models.DateField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    answered_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=600, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["assignment"],
                condition=Q(state="open"),
                name="one_open_reassignment",
                violation_error_message="Somebody was asked to take it over already.",
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="reassignment_has_reason", violation_error_message="Say why."
            ),
            models.CheckConstraint(
                condition=Q(state="open", answered_at=None) | ~Q(state="open") & Q(answered_at__isnull=False),
                name="reassignment_answer_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["declined", "returned"]) | ~Q(answer=""),
                name="reassignment_answer_has_reason",
                violation_error_message="Say why.",
            ),
            models.CheckConstraint(
                condition=Q(to_person=None) | ~Q(to_person=F("from_person")), name="reassignment_to_another"
            ),
        )
        indexes = (models.Index("asked", condition=Q(state="open"), name="reassignment_open"),)
        triggers = (
            pgtrigger.FSM(
                name="reassignment_states",
                field="state",
                transitions=[("open", state) for state in ("accepted", "declined", "returned", "withdrawn")],
            ),
        )

    def __str__(self) -> str:
        return f"{self.assignment_id} from {self.from_person_id}"


class Snooze(models.Model):
    """No reminders of a campaign for some days: once a person and campaign, three days at most."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="snoozes", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+", db_index=False)
    from_day = models.DateField()
    until = models.DateField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["campaign", "person"],
                name="one_snooze",
                violation_error_message="Reminders can be put off once in a campaign.",
            ),
            models.CheckConstraint(
                condition=Q(until__gte=F("from_day")) & Q(until__lte=F("from_day") + 3),
                name="snooze_three_days",
                violation_error_message="Reminders can be put off for 3 days at most.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person_id} until {self.until}"
