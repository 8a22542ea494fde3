"""Who answered for a system, when and on what basis; who was asked to."""

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import Q

from apps.people.models import Person
from apps.registry.models.systems import System


class OwnershipTerm(models.Model):
    """One person's time as owner of one system. Terms never overlap; the current one has no end.

    The history of ownership: "who answered on 3 March" is one query. A term is only ever closed.
    """

    system = models.ForeignKey(System, models.PROTECT, related_name="terms")
    person = models.ForeignKey(Person, models.PROTECT, related_name="terms")
    basis = models.CharField(max_length=8, choices=System.Basis.choices)
    period = DateTimeRangeField()
    # Why this person: the steps of the interim order, or the nomination that was accepted.
    derivation = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar[list[str]] = ["-period"]
        constraints = (
            ExclusionConstraint(
                name="one_owner_at_a_time",
                expressions=[("system", RangeOperators.EQUAL), ("period", RangeOperators.OVERLAPS)],
                violation_error_message="Two people can't own a system at the same time.",
            ),
            models.CheckConstraint(condition=Q(period__isempty=False), name="term_not_empty"),
            models.CheckConstraint(condition=Q(period__lower_inf=False), name="term_has_start"),
            models.CheckConstraint(condition=Q(basis__in=["accepted", "interim"]), name="term_known_basis"),
        )
        indexes = (
            models.Index("system", condition=Q(period__upper_inf=True), name="term_current"),
            models.Index("person", name="term_person"),
        )

    def __str__(self) -> str:
        return f"{self.person_id} for {self.system_id}"


class Nomination(models.Model):
    """A person was asked to answer for a system. Until they accept, the interim owner answers."""

    class State(models.TextChoices):
        OPEN = "open", "Waiting"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class Source(models.TextChoices):
        PERSON = "person", "A person"
        IMPORT = "import", "An import"

    system = models.ForeignKey(System, models.PROTECT, related_name="nominations")
    nominee = models.ForeignKey(Person, models.PROTECT, related_name="nominations")
    nominated_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.PERSON)
    reason = models.CharField(max_length=600, blank=True)
    created_at = models.DateTimeField()
    due_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    answered_at = models.DateTimeField(null=True, blank=True)
    answer_reason = models.CharField(max_length=600, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["system"],
                condition=Q(state="open"),
                name="one_open_nomination",
                violation_error_message="Somebody is nominated for this system already.",
            ),
            models.CheckConstraint(
                condition=Q(state="open", answered_at=None) | (~Q(state="open") & Q(answered_at__isnull=False)),
                name="nomination_answer_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(answer_reason=""),
                name="nomination_decline_has_reason",
                violation_error_message="Say why you decline.",
            ),
        )
        indexes = (models.Index("nominee", condition=Q(state="open"), name="nomination_open"),)
        triggers = (
            pgtrigger.FSM(
                name="nomination_states",
                field="state",
                transitions=[("open", "accepted"), ("open", "declined"), ("open", "withdrawn")],
            ),
        )

    def __str__(self) -> str:
        return f"{self.nominee_id} for {self.system_id}"
