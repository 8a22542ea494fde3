"""Governance domains, the letters of the matrix, the mandate."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.people.models import Function, Person
from apps.registry.models.systems import System, Unit


class GovernanceDomain(models.Model):
    """One row of the matrix: a thing that somebody must be accountable for."""

    class Scope(models.TextChoices):
        ORGANISATION = "organisation", "Organisation"
        SYSTEM = "system", "System"

    key = models.CharField(primary_key=True, max_length=60)
    name = models.CharField(max_length=120)
    layer = models.CharField(max_length=20)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    position = models.PositiveSmallIntegerField(unique=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]

    def __str__(self) -> str:
        return self.name


class RaciVersion(models.Model):
    """One change of a scope's matrix that came into force: what, when, by whom. No letter changes without one.

    The accountability framework is documented, with its versions (AI Act Art. 17(1)(m)).
    """

    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="raci_versions")
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="raci_versions")
    number = models.PositiveIntegerField()
    applied_at = models.DateTimeField()
    # None for the seed and for what a rule did.
    applied_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=600, blank=True)
    # Domain -> {"before": {party: letters}, "after": {party: letters}}; null where the scope said nothing itself.
    changes = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints = (
            models.UniqueConstraint(
                fields=["unit", "system", "number"], nulls_distinct=False, name="raci_version_number_once"
            ),
            models.CheckConstraint(condition=Q(unit=None) | Q(system=None), name="raci_version_one_scope"),
        )

    def __str__(self) -> str:
        return f"version {self.number}"


class RaciAssignment(models.Model):
    """One letter in force: this party is accountable, responsible, consulted or informed in this scope.

    Scope is the organisation (no unit, no system), a unit, or a system; the most specific scope that says
    anything about a domain stands for it. Exactly one party: a function, a person, or the system's owner.
    """

    class Letter(models.TextChoices):
        ACCOUNTABLE = "A", "Accountable"
        RESPONSIBLE = "R", "Responsible"
        CONSULTED = "C", "Consulted"
        INFORMED = "I", "Informed"

    domain = models.ForeignKey(GovernanceDomain, models.PROTECT, related_name="assignments")
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="raci")
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="raci")
    letter = models.CharField(max_length=1, choices=Letter.choices)
    function = models.ForeignKey(Function, models.PROTECT, null=True, blank=True, related_name="raci")
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="raci")
    is_owner = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    version = models.ForeignKey(RaciVersion, models.PROTECT, related_name="letters")
    ended_by = models.ForeignKey(RaciVersion, models.PROTECT, null=True, blank=True, related_name="ended")
    # A letter in force that names a person demands an active human: foreign keys in the migration.
    person_must_be_active = models.GeneratedField(
        expression=models.Case(models.When(Q(person__isnull=False, valid_to=None), then=models.Value(True))),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )
    person_must_be = models.GeneratedField(
        expression=models.Value("human"), output_field=models.CharField(max_length=10), db_persist=True
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["domain", "unit", "system"],
                condition=Q(letter="A", valid_to=None),
                nulls_distinct=False,
                name="one_accountable_per_domain",
                violation_error_message="This domain has an A here already. There is exactly one.",
            ),
            models.UniqueConstraint(
                fields=["domain", "unit", "system", "letter", "function", "person", "is_owner"],
                condition=Q(valid_to=None),
                nulls_distinct=False,
                name="raci_letter_once",
            ),
            models.CheckConstraint(
                condition=Q(unit=None) | Q(system=None),
                name="raci_one_scope",
                violation_error_message="A letter is set for a unit or for a system, not for both.",
            ),
            models.CheckConstraint(
                condition=Q(function__isnull=False, person=None, is_owner=False)
                | Q(function=None, person__isnull=False, is_owner=False)
                | Q(function=None, person=None, is_owner=True),
                name="raci_one_party",
                violation_error_message="A letter goes to a function, to a person, or to the system's owner.",
            ),
            models.CheckConstraint(condition=Q(letter__in=["A", "R", "C", "I"]), name="raci_known_letter"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=models.F("valid_from")),
                name="raci_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None, ended_by=None) | Q(valid_to__isnull=False, ended_by__isnull=False),
                name="raci_ends_with_a_version",
            ),
            models.CheckConstraint(
                condition=~Q(domain="operate-monitor", letter="A", is_owner=False),
                name="raci_owner_operates",
                violation_error_message="Who answers for the system is accountable for operating it.",
            ),
            models.CheckConstraint(
                condition=~Q(domain="independent-review", letter__in=["A", "R"], is_owner=True),
                name="raci_owner_does_not_review",
                violation_error_message="The owner neither reviews their own system nor answers for the review.",
            ),
        )
        indexes = (
            models.Index("unit", condition=Q(valid_to=None), name="raci_unit"),
            models.Index("system", condition=Q(valid_to=None), name="raci_system"),
        )

    def __str__(self) -> str:
        return f"{self.letter} {self.domain_id}"


class Mandate(models.Model):
    """Which function holds AI governance. One row; the database demands that its seat is held."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    holder = models.ForeignKey(Function, models.PROTECT, related_name="mandates")
    must_be_held = models.GeneratedField(
        expression=models.Value(True), output_field=models.BooleanField(), db_persist=True
    )
    since = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="one_mandate"),)

    def __str__(self) -> str:
        return f"mandate held by {self.holder_id}"
