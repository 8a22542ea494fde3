"""Who responds, worked out before anything happens: rules, facts about the response, and the card itself."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, Value, When

from apps.incidents.rules import FROM_SEVERITY
from apps.people.models import Function, Person
from apps.registry.models import System, Unit
from apps.registry.rules import Scenario

SCENARIOS = [(scenario.value, scenario.value.replace("-", " ").capitalize()) for scenario in Scenario]
_KNOWN = Q(scenario__in=["", *(scenario.value for scenario in Scenario)])


class ResponseRule(models.Model):
    """Who leads the response, where the matrix alone does not say it well enough.

    Scope is a system, a regulatory class, a unit with all below it, or the organisation; the most specific stands. In
    one scope a rule for the scenario stands over one for any, and of these the one for the higher severity, where it
    is as bad as that. A card is worked out as for an incident of which nobody said how bad it is. The lead is a
    person, or whoever holds a seat. That a person who is named is an active human is a foreign key while the rule is
    in force.
    """

    scenario = models.CharField(max_length=20, choices=[("", "Any"), *SCENARIOS], blank=True)
    # Leads from this severity on; empty: at every severity, also while nobody said how bad it is.
    min_severity = models.CharField(
        max_length=4, choices=[("", "Any"), *((one.value, said) for one, said in FROM_SEVERITY.items())], blank=True
    )
    system = models.ForeignKey(System, models.PROTECT, null=True, blank=True, related_name="response_rules")
    regulatory_class = models.CharField(max_length=14, choices=System.RegulatoryClass.choices, blank=True)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="response_rules")
    lead_person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="response_rules")
    lead_function = models.ForeignKey(Function, models.PROTECT, null=True, blank=True, related_name="response_rules")
    deputy = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="response_rules_as_deputy")
    reason = models.CharField(max_length=600)
    set_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="+")
    must_be_active = models.GeneratedField(
        expression=Case(When(Q(valid_to=None), then=Value(True))),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )
    must_be = models.GeneratedField(
        expression=Value("human"), output_field=models.CharField(max_length=10), db_persist=True
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["scenario", "min_severity", "system", "regulatory_class", "unit"],
                condition=Q(valid_to=None),
                nulls_distinct=False,
                name="one_response_rule_in_force",
                violation_error_message="There is a rule for this already. End it, then set the new one.",
            ),
            models.CheckConstraint(
                condition=Q(system=None, unit=None)
                | Q(system=None, regulatory_class="")
                | Q(unit=None, regulatory_class=""),
                name="response_rule_one_scope",
                violation_error_message="A rule is for a system, a class, a unit or the organisation: for one of them.",
            ),
            models.CheckConstraint(
                condition=Q(lead_person=None, lead_function__isnull=False)
                | Q(lead_person__isnull=False, lead_function=None),
                name="response_rule_one_lead",
                violation_error_message="Name one person or one seat that leads.",
            ),
            models.CheckConstraint(
                condition=Q(deputy=None) | Q(lead_person=None) | ~Q(deputy=F("lead_person")),
                name="response_rule_deputy_is_another",
                violation_error_message="The deputy is somebody other than the lead.",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="response_rule_says_why"),
            models.CheckConstraint(condition=_KNOWN, name="response_rule_known_scenario"),
            models.CheckConstraint(
                condition=Q(min_severity__in=["", *(one.value for one in FROM_SEVERITY)]),
                name="response_rule_known_severity",
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None, ended_by=None) | Q(valid_to__gte=F("valid_from")),
                name="response_rule_ends_after_start",
            ),
        )

    def __str__(self) -> str:
        return f"rule {self.pk} for {self.scenario or 'any scenario'}"


class ResponseProfile(models.Model):
    """What a responder has to know of one system: how it is stopped, and where its vendor is reached."""

    system = models.OneToOneField(System, models.PROTECT, primary_key=True, related_name="response_profile")
    stop_how = models.TextField("how it is stopped", blank=True)
    stop_link = models.URLField("link to the switch", max_length=600, blank=True)
    stop_tested_on = models.DateField("stop tested on", null=True, blank=True)
    # Who does it where the owner can't be asked; the owner with the authority to stop comes first.
    stop_holder = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="stops")
    evidence_how = models.TextField("how evidence is kept", blank=True)
    vendor_channel = models.CharField("the vendor's incident channel", max_length=600, blank=True)
    vendor_reference = models.CharField("contract or customer number", max_length=300, blank=True)
    vendor_must = models.TextField("what the vendor owes us in an incident", blank=True)
    changed_by = models.ForeignKey(Person, models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"response profile of {self.system_id}"


class ResponseCard(models.Model):
    """Who leads the response for one live system in one scenario, now. The empty scenario is "not sure".

    Derived, and written by the database alone: `incidents_refresh_cards` (migration 0002), at the end of every
    transaction that changed something under it. People stand here without a foreign key: a card holds nothing that
    is not elsewhere, and a key would let two transactions wait for each other at their very end.
    """

    system = models.ForeignKey(System, models.DO_NOTHING, related_name="cards", db_constraint=False)
    scenario = models.CharField(max_length=20, blank=True)
    owner = models.ForeignKey(Person, models.DO_NOTHING, related_name="+", db_constraint=False)
    # The one who leads; in whose place, where somebody stands in.
    lead = models.ForeignKey(Person, models.DO_NOTHING, related_name="cards", db_constraint=False)
    acts_for = models.ForeignKey(Person, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    deputy = models.ForeignKey(Person, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    # Whom to call after the deputy: the line manager of the one who leads, else the head of the unit.
    next_in_line = models.ForeignKey(Person, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    # rule | matrix | owner | interim | acting | mandate
    basis = models.CharField(max_length=8)
    rule = models.ForeignKey(ResponseRule, models.DO_NOTHING, null=True, related_name="+", db_constraint=False)
    # Nobody whom a rule or the matrix names can act: a named fallback leads, and that is a gap.
    is_fallback = models.BooleanField()
    # [{"step", "label", "person", "outcome"}]: what was tried, in order.
    derivation = models.JSONField()
    problems: "ArrayField[list[str], list[str]]" = ArrayField(models.CharField(max_length=40), default=list)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["system", "scenario"], include=["lead", "is_fallback"], name="one_card_per_scenario"
            ),
            models.CheckConstraint(condition=_KNOWN, name="card_known_scenario"),
        )
        indexes = (
            models.Index("lead", name="card_lead"),
            models.Index("scenario", "system", condition=Q(is_fallback=True), name="card_fallbacks"),
        )

    def __str__(self) -> str:
        return f"card of {self.system_id} for {self.scenario or 'not sure'}"


class StaleCard(models.Model):
    """That the cards of a system, a person, a unit or all of them have to be worked out again.

    Put here by triggers on what lies under a card, taken away at the end of the same transaction.
    """

    kind = models.CharField(max_length=8)  # system | person | unit | scenario | all
    keys: "ArrayField[list[str], list[str]]" = ArrayField(models.TextField(), default=list)
    transaction = models.BigIntegerField()

    class Meta:
        indexes = (models.Index("transaction", name="stale_by_transaction"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.keys}"


class CardView(models.Model):
    """The first look at who answers after an incident was declared: the product's own promise, measured."""

    incident = models.OneToOneField("incidents.Incident", models.PROTECT, primary_key=True, related_name="first_view")
    person = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"first view of {self.incident_id}"


__all__ = ["SCENARIOS", "CardView", "ResponseCard", "ResponseProfile", "ResponseRule", "StaleCard"]
