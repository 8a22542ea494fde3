"""Random worlds: after each change that is committed, the cards say what is worked out anew, and what the page says.

Absences, delegations, vacant seats, rules of every scope, leavers, heads of units and the mandate change in an order
that a seed decides. Each system has exactly one active person for each scenario, and a deputy is another person.
"""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.common import clock
from apps.common.errors import Refused
from apps.directory.actions import offboard
from apps.incidents.models import ResponseCard, ResponseRule, StaleCard
from apps.incidents.rules import MANDATORY
from apps.people import actions as people
from apps.people.models import Absence, Function, Person, Seat
from apps.portal.queries.answers import answers_for
from apps.registry import actions as registry
from apps.registry.models import Mandate, System, Unit
from apps.registry.queries import live, on_record
from apps.registry.rules import Scenario
from tests.cast import Cast
from tests.factories import a_system, set_letters

CHANGES = 45
FIELDS = (
    "system_id, scenario, owner_id, lead_id, acts_for_id, deputy_id, next_in_line_id, basis, rule_id, is_fallback, "
    "derivation::text, problems"
)


class World:
    """A small organisation in which anything can change."""

    def __init__(self, cast: Cast, seed: int) -> None:
        self.cast, self.pick = cast, random.Random(seed)  # noqa: S311
        self.now: datetime = clock.now()
        self.today: date = self.now.date()
        self.people = [
            people.provision_person(
                email=f"p{n}@example.org", display_name=f"Person {n}", actor=cast.mara, now=self.now,
                time_zone=("UTC", "Pacific/Auckland", "America/Los_Angeles")[n % 3],
            )
            for n in range(12)
        ]  # fmt: skip
        self.below = registry.create_unit(
            name="Below", code="below", parent=cast.claims, head=self.anybody(), actor=cast.mara, now=self.now
        )
        self.units = [cast.claims, cast.devtools, self.below]
        for n in range(8):
            a_system(
                cast, owner=self.anybody() if n % 3 else None, unit=self.units[n % 3], now=self.now,
                regulatory_class="high_risk" if n % 2 else "minimal",
            )  # fmt: skip

    def anybody(self) -> Person:
        return Person.objects.get(pk=self.pick.choice(self.people).pk)

    def anyone_of(self, rows: Any) -> Any:
        return self.pick.choice(list(rows.order_by("pk")))

    def change(self) -> None:
        """One change; what the portal refuses changes nothing, and that is checked as well."""
        what: Callable[[], Any] = self.pick.choice(
            [self.absent, self.absent, self.back, self.deputy, self.manager, self.head, self.move_unit, self.seat,
             self.seat, self.vacate, self.letters, self.letters, self.rule, self.rule, self.end_rule, self.mandate,
             self.leaves, self.own, self.facts, self.zone]
        )  # fmt: skip
        try:
            with transaction.atomic():
                what()
        except (Refused, DatabaseError, IndexError):
            pass

    def absent(self) -> None:
        kind = self.pick.choice(["away", "away", "delegated"])
        delegate = self.anybody() if kind == "delegated" or self.pick.random() < 0.3 else None
        begins = self.today + timedelta(days=self.pick.choice([-1, 0, 0, 1, 5]))
        Absence.objects.create(
            person=self.pick.choice([self.anybody(), self.cast.mara, self.cast.cleo]), kind=kind, delegate=delegate,
            starts_on=begins, ends_on=begins + timedelta(days=self.pick.choice([0, 3])), created_at=self.now,
        )  # fmt: skip

    def back(self) -> None:
        Absence.objects.filter(pk=self.anyone_of(Absence.objects.filter(cancelled_at=None)).pk).update(
            cancelled_at=self.now
        )

    def deputy(self) -> None:
        one = self.pick.choice([self.anybody(), self.cast.mara, self.cast.cleo])
        Person.objects.filter(pk=one.pk).update(deputy=self.pick.choice([None, self.anybody()]))

    def manager(self) -> None:
        Person.objects.filter(pk=self.anybody().pk).update(line_manager=self.pick.choice([None, self.anybody()]))

    def head(self) -> None:
        unit = self.pick.choice(self.units)
        Unit.objects.filter(pk=unit.pk).update(head=self.pick.choice([None, self.anybody()]))

    def move_unit(self) -> None:
        Unit.objects.filter(pk=self.below.pk).update(
            parent=self.pick.choice([None, self.cast.claims, self.cast.devtools])
        )

    def seat(self) -> None:
        seat = self.pick.choice(["ciso", "finance", "legal", "platform", "ai_lead", "cto"])
        people.seat_person(seat, self.anybody(), actor=self.cast.mara, now=self.now)

    def vacate(self) -> None:
        people.vacate_seat(self.pick.choice(["ciso", "finance", "legal"]), actor=self.cast.mara, now=self.now)

    def letters(self) -> None:
        scope: dict[str, Any] = self.pick.choice(
            [{}, {"unit": self.pick.choice(self.units)}, {"system": self.a_live_system()}]
        )
        leads: Any = self.pick.choice(["ciso", "finance", "legal", "owner", str(self.anybody().pk), None])
        cells = None if leads is None else {leads: "A", "engineering": "R"}
        domain = self.pick.choice(["incident-data-access", "incident-harmful-decision", "incident-cost-spike"])
        set_letters(domain, cells, now=self.now, **scope)

    def rule(self) -> None:
        scope: dict[str, Any] = self.pick.choice(
            [{}, {"unit": self.pick.choice(self.units)}, {"system": self.a_live_system()},
             {"regulatory_class": "high_risk"}]
        )  # fmt: skip
        lead: dict[str, Any] = self.pick.choice([{"lead_person": self.anybody()}, {"lead_function": self.a_function()}])
        scenario = self.pick.choice(["", "", *Scenario])
        deputy = self.pick.choice([None, self.anybody()])
        ResponseRule.objects.create(
            scenario=scenario, deputy=deputy, min_severity=self.pick.choice(["", "", "sev1", "sev2", "sev3"]),
            reason="So it was agreed.", set_by=self.cast.mara, valid_from=self.now, **scope, **lead,
        )  # fmt: skip

    def a_function(self) -> Function:
        return Function.objects.get(pk=self.pick.choice(["ciso", "finance", "legal"]))

    def end_rule(self) -> None:
        rule = self.anyone_of(ResponseRule.objects.filter(valid_to=None))
        ResponseRule.objects.filter(pk=rule.pk).update(valid_to=self.now, ended_by=self.cast.mara)

    def mandate(self) -> None:
        held = self.anyone_of(Seat.objects.filter(holder__isnull=False))
        Mandate.objects.update(holder_id=held.function_id)

    def leaves(self) -> None:
        if Person.objects.filter(pk__in=[p.pk for p in self.people], is_active=True).count() > 6:
            offboard(self.anybody(), actor=self.cast.mara, now=self.now)

    def a_live_system(self) -> System:
        system: System = self.anyone_of(live(System.objects.all()))
        return system

    def own(self) -> None:
        system, nominee = self.a_live_system(), self.anybody()
        nomination = registry.nominate_owner(system, nominee, actor=self.cast.mara, now=self.now)
        registry.accept_ownership(nomination, actor=nominee, now=self.now)

    def facts(self) -> None:
        system = self.anyone_of(System.objects.all())
        new: dict[str, Any] = self.pick.choice([{"regulatory_class": "minimal"}, {"regulatory_class": "high_risk"},
                                {"unit": self.pick.choice(self.units)}, {"stage": "pilot"},
                                {"stage": "retired", "retired_at": self.now}])  # fmt: skip
        System.objects.filter(pk=system.pk, stage__in=["production", "pilot"]).update(**new)

    def zone(self) -> None:
        Person.objects.filter(pk=self.anybody().pk).update(
            time_zone=self.pick.choice(["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
        )


def kept() -> set[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {FIELDS} FROM incidents_responsecard")
        return {(*row[:-1], tuple(row[-1])) for row in cursor.fetchall()}


def worked_out(now: datetime) -> set[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FIELDS} FROM incidents_resolve(ARRAY(SELECT id FROM registry_system), "
            "incidents_all_scenarios(), %s)",
            [now],
        )
        return {(*row[:-1], tuple(row[-1])) for row in cursor.fetchall()}


def leads_at(severity: str, now: datetime) -> dict[tuple[int, str], Any]:
    """By system and scenario: who leads at a severity, as the database works it out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT system_id, scenario, lead_id FROM incidents_resolve(ARRAY(SELECT id FROM registry_system), "
            "incidents_all_scenarios(), %s, %s)",
            [now, severity],
        )
        return {(system, scenario): lead for system, scenario, lead in cursor.fetchall()}


def check_severities(systems: list[System], step: int) -> None:
    """At each severity the database and the page name the same active person."""
    for severity in ("sev1", "sev2", "sev3", "sev4"):
        leads = leads_at(severity, clock.now())
        for scenario in (None, *Scenario):
            for answer in answers_for(systems, scenario, severity=severity):
                system = answer.system.pk
                lead = leads.get((system, scenario or "")) or leads[system, ""]
                assert lead == answer.person.pk, (step, answer.system.key, scenario, severity)


def check(world: World, step: int) -> None:
    """The cards are whole, one active person leads by each, and they say what the page says."""
    assert StaleCard.objects.count() == 0, step
    assert kept() == worked_out(clock.now()), step
    cards = {(card.system_id, card.scenario): card for card in ResponseCard.objects.select_related("lead", "owner")}
    systems = list(on_record(live(System.objects.all())))
    assert {pk for pk, _ in cards} == {system.pk for system in systems}
    if step % 9 == 8:
        check_severities(systems, step)
    for scenario in (None, *Scenario):
        for answer in answers_for(systems, scenario):
            card = cards.get((answer.system.pk, scenario or "")) or cards[(answer.system.pk, "")]
            assert scenario not in (None, *MANDATORY) or card.scenario == (scenario or "")
            where = (step, answer.system.key, scenario, card.basis, card.derivation)
            assert card.lead == answer.person, where
            assert (card.owner, card.acts_for_id) == (answer.owner, answer.acts_for.pk if answer.acts_for else None), (
                where
            )
            assert card.lead.is_active, where
            assert card.lead.kind == Person.Kind.HUMAN, where
            assert card.deputy_id != card.lead_id, where
            assert card.next_in_line_id not in {card.lead_id, card.deputy_id} - {None}, where


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("committed_db")
def test_the_cards_follow_every_change(seed: int, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        world = World(Cast(), seed)
        check(world, -1)
        for step in range(CHANGES):
            world.change()
            check(world, step)
