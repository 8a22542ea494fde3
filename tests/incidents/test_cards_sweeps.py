"""What a commit left behind is done by a sweep; what should not be so with who responds is a finding a cause."""

import pytest
from django.db import DatabaseError, connection, transaction

from apps.incidents.actions.cards import recompute_cards, settle_cards
from apps.incidents.models import ResponseCard, StaleCard
from apps.incidents.queries.card_findings import response_breaches
from apps.notify.models import Channel
from apps.people import actions as people
from apps.people.models import Person
from tests.cast import Cast
from tests.factories import NOW, a_system, set_letters
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def told(check: str) -> list[tuple[str, str, str]]:
    return [
        (breach.subject, breach.title, Person.objects.get(pk=breach.person_id).display_name)
        for breach in response_breaches(NOW)
        if breach.check == f"response.{check}"
    ]


def test_the_app_may_not_write_a_card(cast: Cast) -> None:
    a_system(cast, owner=cast.ada)
    settle()
    for statement in ("UPDATE incidents_responsecard SET is_fallback = true", "DELETE FROM incidents_stalecard"):
        refused = pytest.raises(DatabaseError, match="permission denied")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert not ResponseCard.objects.filter(scenario="", is_fallback=True).exists()


def test_what_a_commit_left_behind_is_done_by_the_sweep(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    assert StaleCard.objects.exists()
    assert not ResponseCard.objects.filter(system=system).exists()
    assert settle_cards(now=NOW) == 4
    assert not StaleCard.objects.exists()
    assert ResponseCard.objects.get(system=system, scenario="").lead == cast.ada
    assert settle_cards(now=NOW) == 0
    assert recompute_cards(now=NOW) == 0


def test_the_nightly_sweep_makes_cards_that_nobody_noted(cast: Cast) -> None:
    system = a_system(cast, owner=cast.ada)
    assert recompute_cards(now=NOW) == 4
    assert sorted(ResponseCard.objects.filter(system=system).values_list("scenario", flat=True)) == [
        "", "cost-spike", "data-access", "harmful-decision",
    ]  # fmt: skip


def test_a_system_without_cards_is_one_finding(cast: Cast) -> None:
    a_system(cast, owner=cast.ada, name="Claims router")
    a_system(cast, owner=cast.ada, name="Fraud scorer")
    assert told("no_card") == [
        ("organisation", "Who responds was not worked out for 2 live systems, Claims router among them; until then the "
         "acting owner leads.", "Mara Lindt"),
    ]  # fmt: skip
    settle()
    assert told("no_card") == []


def test_a_vacant_seat_is_one_finding_that_names_who_leads_meanwhile(cast: Cast) -> None:
    set_letters("incident-cost-spike", {"finance": "A", "owner": "R"})
    for _ in range(3):
        a_system(cast, owner=cast.ada)
    a_system(cast, owner=cast.ben)
    settle()
    people.seat_person("ai_lead", cast.eve, actor=cast.mara, now=NOW)
    settle()
    assert told("fallback_lead") == [
        ("cost-spike:matrix:finance:vacant", "The seat Head of Finance is vacant: for a cost spike, Ada Nwosu and 1 "
         "other lead the response in 4 live systems until it is put right.", "Mara Lindt"),
    ]  # fmt: skip
    people.seat_person("finance", cast.nils, actor=cast.mara, now=NOW)
    settle()
    assert told("fallback_lead") == []


def test_a_lead_whom_no_tested_channel_reaches_is_one_finding_a_person(cast: Cast) -> None:
    for _ in range(3):
        a_system(cast, owner=cast.ada)
    settle()
    before = [name for _, _, name in told("no_tested_channel")]
    assert "Ada Nwosu" in before
    assert len(before) == len(set(before))
    [title] = [title for _, title, name in told("no_tested_channel") if name == "Ada Nwosu"]
    assert title == "Ada Nwosu leads the response in 3 live systems, and no way to reach them was ever tested."
    Channel.objects.create(person=cast.ada, kind="email", address="ada@example.org", created_at=NOW, verified_at=NOW)
    assert "Ada Nwosu" not in [name for _, _, name in told("no_tested_channel")]


def test_nobody_behind_a_lead_is_one_finding_a_person(cast: Cast) -> None:
    a_system(cast, owner=cast.nils)
    settle()
    assert [title for _, title, name in told("no_deputy") if name == "Nils Okafor"] == [
        "Nils Okafor leads the response in 1 live system, and there is nobody to call after."
    ]
