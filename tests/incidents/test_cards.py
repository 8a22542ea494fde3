"""The card of a system and scenario: who leads, and all that a responder has to know, in one statement."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from apps.incidents.models import (
    ClockRule,
    Incident,
    ResponseCard,
    ResponseProfile,
    Runbook,
    RunbookStep,
    RunbookVersion,
)
from apps.incidents.queries import cards
from apps.incidents.queries.clocks import candidates
from apps.notify.models import Channel
from apps.people import actions as people
from apps.people.models import Absence
from tests.cast import Cast
from tests.factories import NOW, a_system, set_letters
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
DATA = "data-access"


def card(system: Any, scenario: str = DATA, now: Any = NOW) -> cards.Card:
    found = cards.card_of(system, scenario, now)
    assert found is not None
    return found


def test_the_seat_of_the_scenario_leads_and_the_owner_stands_beside(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    found = card(system)
    assert (found.lead.name, found.owner.name, found.basis, found.is_fallback, found.source) == (
        "Cleo Marchetti", "Ada Nwosu", "matrix", False, "card",
    )  # fmt: skip
    assert found.lead.email == "cleo@example.org"
    assert card(system, "").lead.name == "Ada Nwosu"
    assert card(system, "").basis == "owner"


def test_an_optional_scenario_without_a_rule_is_answered_as_not_sure(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    settle()
    found = card(system, "complaint")
    assert (found.lead.name, found.scenario, found.answered_as) == ("Ada Nwosu", "complaint", "")


@pytest.mark.parametrize("regulatory_class", ["unknown", "minimal", "high_risk"])
@pytest.mark.parametrize("scenario", ["", DATA, "cost-spike", "complaint"])
def test_the_card_names_the_duties_that_an_incident_would_open(
    cast: Cast, scenario: str, regulatory_class: str
) -> None:
    system = a_system(cast, owner=cast.ada, regulatory_class=regulatory_class)
    settle()
    incident = Incident(system=system, scenario=scenario, declared_at=NOW)
    assert {clock.key for clock in card(system, scenario).clocks} == {rule.key for rule in candidates(incident)}


def test_one_statement_reads_it_all(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada, operating_model="vendor_saas", vendor="Acme AI")
    ResponseProfile.objects.create(
        system=system, stop_how="Switch the flag off", stop_link="https://flags.example.org/claims",
        stop_tested_on=NOW.date(), stop_holder=cast.ben, vendor_channel="incident@acme.example",
        vendor_reference="C-17", changed_by=cast.mara, changed_at=NOW,
    )  # fmt: skip
    a_runbook(cast, "The organisation's", steps=2)
    a_runbook(cast, "For services of a vendor", steps=5, operating_model="vendor_saas")
    Channel.objects.create(
        person=cast.cleo, kind="email", address="cleo@example.org", created_at=NOW, verified_at=NOW,
        tested_at=NOW - timedelta(days=2),
    )  # fmt: skip
    ClockRule.objects.update(applies=False, applies_reason="Only those of this test bind.", applies_at=NOW)
    a_clock("DATA", scenarios=[DATA], amount=72, unit="h")
    a_clock("PROPOSED", status="proposed")
    a_clock("NOT-US", applies=False, applies_reason="We are no bank.", applies_at=NOW)
    a_clock("COST", scenarios=["cost-spike"])
    a_clock("HIGH", regulatory_classes=["high_risk"])
    settle()
    with CaptureQueriesContext(connection) as captured:
        found = card(system)
    assert len([one for one in captured.captured_queries if "SAVEPOINT" not in one["sql"]]) == 1
    assert found.runbook is not None
    assert (found.runbook.title, found.runbook.scope, found.runbook.all) == (
        "For services of a vendor", "operating_model", 5,
    )  # fmt: skip
    assert [step.title for step in found.runbook.steps] == ["Step 1", "Step 2", "Step 3"]
    # Nobody has said of which class it is: that excludes nothing.
    assert [clock.key for clock in found.clocks] == ["DATA", "HIGH"]
    assert found.clocks[0].time_words == "72 hours"
    assert [person.name for person in found.stop.holders] == ["Ben Ortega"]
    assert (found.stop.how, found.stop.link, found.stop.tested_on) == (
        "Switch the flag off", "https://flags.example.org/claims", NOW.date(),
    )  # fmt: skip
    assert (found.vendor.name, found.vendor.channel, found.vendor.reference) == (
        "Acme AI", "incident@acme.example", "C-17",
    )  # fmt: skip
    assert found.lead.tested_at == NOW - timedelta(days=2)
    assert (found.lead.tested_at is not None, found.respond_within) == (True, 5)


def test_an_absence_that_begins_at_midnight_changes_the_name_at_midnight(cast: Cast) -> None:
    """NOW is in Europe; Ada's day is that of UTC: nothing was written since, the card alone would still say Ada."""
    system = a_system(cast, owner=cast.ada)
    first = NOW.date() + timedelta(days=2)
    Absence.objects.create(person=cast.ada, starts_on=first, ends_on=first, created_at=NOW)
    settle()
    before = NOW.replace(hour=23, minute=59, second=59) + timedelta(days=1)
    after = before + timedelta(seconds=1)
    assert card(system, "", before).lead.name == "Ada Nwosu"
    found = card(system, "", after)
    assert (found.lead.name, found.acts_for and found.acts_for.name, found.basis) == (
        "Ben Ortega", "Ada Nwosu", "acting",
    )  # fmt: skip
    assert ResponseCard.objects.get(system=system, scenario="").lead == cast.ada, "kept by the next sweep"
    assert card(system, "", after + timedelta(days=1)).lead.name == "Ada Nwosu"


def test_a_missing_card_is_worked_out_and_one_that_cannot_be_names_the_acting_owner(
    cast: Cast, as_owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = a_system(cast, owner=cast.ada)
    found = card(system)
    assert (found.lead.name, found.source) == ("Cleo Marchetti", "worked_out"), "the transaction goes on"

    def fails(*_: object) -> None:
        raise DatabaseError("no")

    monkeypatch.setattr(cards, "_read", fails)
    found = card(system)
    assert (found.lead.name, found.source, found.is_fallback, found.problems) == (
        "Ada Nwosu", "fallback", True, ("no_card",),
    )  # fmt: skip


def test_a_retired_system_has_none(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    type(system).objects.filter(pk=system.pk).update(stage="retired", retired_at=NOW)
    system.refresh_from_db()
    settle()
    assert cards.card_of(system, DATA, NOW) is None
    assert not ResponseCard.objects.filter(system=system).exists()


def test_a_vacant_seat_is_a_named_fallback(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    set_letters("incident-cost-spike", {"finance": "A", "owner": "R"})
    settle()
    found = card(system, "cost-spike")
    assert (found.lead.name, found.is_fallback, found.problems) == ("Ada Nwosu", True, ("matrix_vacant",))
    people.seat_person("finance", cast.nils, actor=cast.mara, now=NOW)
    settle()
    assert card(system, "cost-spike").lead.name == "Nils Okafor"


def a_runbook(cast: Cast, title: str, *, steps: int, **scope: Any) -> Runbook:
    Runbook.objects.filter(scenario=DATA, system=None, operating_model="", unit=None).update(retired_at=NOW)
    book = Runbook.objects.create(
        key=title.lower().replace(" ", "-").replace("'", ""), title=title, scenario=DATA, created_at=NOW, **scope
    )
    version = RunbookVersion.objects.create(runbook=book, number=1, written_at=NOW)
    for order in range(1, steps + 1):
        RunbookStep.objects.create(
            version=version, order=order, phase="contain", title=f"Step {order}", instruction="Do it.",
            does={1: "containment", 2: "evidence_freeze"}.get(order, ""),
        )  # fmt: skip
    RunbookVersion.objects.filter(pk=version.pk).update(state="published", published_at=NOW)
    return book


def a_clock(key: str, **fields: Any) -> ClockRule:
    values: dict[str, Any] = {
        "instrument": "A law", "article": "Art. 1", "title": key, "bound_role": "any", "trigger": "Is it so?",
        "trigger_type": "x", "anchor": "aware", "recipient": "An authority", "status": "in_force",
        "decides_id": "legal", "set_at": NOW,
    }  # fmt: skip
    return ClockRule.objects.create(key=key, version=99, **{**values, **fields})
