"""Who answers: one person, a list with a name on each row, or nothing. Never a guess."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.people import actions as people
from apps.people.models import Person
from apps.portal.queries.who import Many, Nothing, One, resolve, resolve_key
from apps.registry import actions as registry
from apps.registry.models import System
from apps.registry.rules import Scenario
from tests.cast import BEGINNING
from tests.factories import set_letters
from tests.incidents.world import settle

LATER = BEGINNING + timedelta(days=1)


def register(cast: Any, key: str, name: str, **fields: Any) -> System:
    facts = {"unit": cast.claims, "stage": "production", "tier": "high"} | fields
    return registry.register_system(key=key, name=name, actor=cast.mara, now=LATER, **facts)


def owned(cast: Any, key: str, name: str, **fields: Any) -> System:
    system = register(cast, key, name, **fields)
    nomination = registry.nominate_owner(system, cast.ada, actor=cast.una, now=LATER)
    registry.accept_ownership(nomination, actor=cast.ada, now=LATER + timedelta(hours=1))
    return System.objects.get(pk=system.pk)


def words(answer: Any) -> list[str]:
    return [str(step) for step in answer.derivation]


def test_the_owner_who_accepted_answers(cast: Any) -> None:
    owned(cast, "SYS-1", "Claims Agent", chat_channel="#claims")
    result = resolve(cast.dov, "sys-1")
    assert isinstance(result, One)
    answer = result.answer
    assert (answer.person, answer.basis, answer.deputy) == (cast.ada, "accepted", cast.ben)
    assert [channel.value for channel in answer.channels] == ["+49 30 5550 0142", "ada@example.org", "#claims"]
    assert [n.person for n in answer.then] == [cast.ben, cast.una, cast.mara]
    assert words(answer) == ["Ada Nwosu accepted to answer for it on 3 Nov 2026"]


def test_the_interim_owner_answers_and_each_step_is_told(cast: Any) -> None:
    register(cast, "SYS-2", "Approval Agent", unit=cast.devtools, contact_given="ai-team@example.org")
    result = resolve(cast.dov, "Approval Agent")
    assert isinstance(result, One)
    assert (result.answer.person, result.answer.basis) == (cast.mara, "interim")
    assert words(result.answer) == [
        "Owner: nobody was ever nominated",
        "Head of Developer Tools: nobody named",
        "Holder of the governance mandate: Mara Lindt answers in the interim",
        "Passed over ai-team@example.org: a mailbox is not a person",
    ]
    assert "Nobody has accepted this system" in result.answer.problems


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("The team", "not the address of a person"),
        ("a@example.org; b@example.org", "several addresses are not one person"),
        ("stranger@example.org", "nobody known here has this address"),
        ("nils@example.org", "a person answers only after accepting"),
        ("ivan@example.org", "Ivan Kolar can't answer any more"),
    ],
)
def test_a_contact_is_passed_over_with_its_reason(cast: Any, given: str, why: str) -> None:
    register(cast, "SYS-3", "Triage", contact_given=given)
    result = resolve(cast.dov, "SYS-3")
    assert isinstance(result, One)
    assert words(result.answer)[-1] == f"Passed over {given}: {why}"


@pytest.mark.parametrize(
    ("scenario", "person", "basis"),
    [
        (Scenario.DATA_ACCESS, "cleo", "lead"),
        (Scenario.COST_SPIKE, "mara", "lead"),
        (Scenario.HARMFUL_DECISION, "ada", "accepted"),  # the seat of the Head of AI is vacant
    ],
)
def test_a_scenario_is_led_by_its_accountable_person(cast: Any, scenario: Scenario, person: str, basis: str) -> None:
    owned(cast, "SYS-4", "Scorer")
    result = resolve(cast.dov, "SYS-4", scenario)
    assert isinstance(result, One)
    assert (result.answer.person, result.answer.basis) == (getattr(cast, person), basis)
    assert result.answer.owner == cast.ada


def test_the_most_specific_scope_names_the_lead(cast: Any) -> None:
    system = owned(cast, "SYS-5", "Scorer")
    other = owned(cast, "SYS-6", "Ranker")
    set_letters("incident-data-access", {str(cast.nils.pk): "AR"}, unit=cast.claims, now=LATER)
    set_letters("incident-data-access", {"owner": "AR"}, system=other, now=LATER)
    by_unit = resolve(cast.dov, system.key, Scenario.DATA_ACCESS)
    by_system = resolve(cast.dov, other.key, Scenario.DATA_ACCESS)
    assert isinstance(by_unit, One)
    assert isinstance(by_system, One)
    assert (by_unit.answer.person, by_unit.answer.role) == (cast.nils, "Nils Okafor, leads the response")
    assert (by_system.answer.person, by_system.answer.basis) == (cast.ada, "accepted")


def test_several_matches_are_a_list_with_a_name_on_each(cast: Any) -> None:
    owned(cast, "SYS-7", "Letter Writer")
    register(cast, "SYS-8", "Letter Reader")
    result = resolve(cast.dov, "letter", Scenario.DATA_ACCESS)
    assert isinstance(result, Many)
    assert [a.system.key for a in result.answers] == ["SYS-8", "SYS-7"]
    assert {a.person for a in result.answers} == {cast.cleo}


def test_two_systems_of_one_name_are_never_guessed(cast: Any) -> None:
    register(cast, "SYS-9", "Chat Bot")
    register(cast, "SYS-10", "Chat Bot")
    result = resolve(cast.dov, "chat bot")
    assert isinstance(result, Many)
    assert len(result.answers) == 2


def test_an_identity_gives_its_system(cast: Any) -> None:
    system = register(cast, "SYS-11", "Router", identities=[("spiffe_id", "spiffe://acme/router")])
    register(cast, "SYS-12", "Router spiffe://acme/router copy")
    result = resolve(cast.dov, "spiffe://acme/router")
    assert isinstance(result, One)
    assert result.answer.system == system


def test_a_restricted_system_is_not_there_for_others(cast: Any) -> None:
    owned(cast, "SYS-13", "Secret Agent", restricted=True)
    assert isinstance(resolve(cast.dov, "Secret Agent"), Nothing)
    assert isinstance(resolve_key(cast.dov, "SYS-13"), Nothing)
    assert isinstance(resolve(cast.ada, "Secret Agent"), One)
    assert isinstance(resolve(cast.mara, "SYS-13"), One)


def test_a_retired_system_says_so_to_those_who_may_open_it(cast: Any) -> None:
    system = owned(cast, "SYS-14", "Old Bot")
    registry.retire_system(system, actor=cast.mara, now=LATER, reason="Replaced.")
    result = resolve(cast.mara, "SYS-14")
    assert isinstance(result, One)
    assert not result.answer.live
    assert result.answer.owner == cast.ada
    assert isinstance(resolve(cast.dov, "SYS-14"), Nothing)


def test_a_persons_name_lists_what_they_answer_for(cast: Any) -> None:
    owned(cast, "SYS-15", "Payer")
    result = resolve(cast.dov, "ada nwosu")
    assert isinstance(result, Many)
    assert result.person == cast.ada
    assert [a.system.key for a in result.answers] == ["SYS-15"]


def test_every_live_system_has_exactly_one_active_person(cast: Any) -> None:
    owned(cast, "SYS-16", "Alpha")
    register(cast, "SYS-17", "Beta", unit=cast.devtools, stage="unknown")
    for key in ("SYS-16", "SYS-17"):
        for scenario in (*Scenario, None):
            result = resolve(cast.dov, key, scenario)
            assert isinstance(result, One)
            assert isinstance(result.answer.person, Person)
            assert result.answer.person.is_active


def test_an_owner_who_left_is_told(cast: Any) -> None:
    system = owned(cast, "SYS-18", "Gamma")
    nomination = registry.nominate_owner(system, cast.nils, actor=cast.mara, now=LATER + timedelta(days=3))
    registry.decline_ownership(nomination, actor=cast.nils, now=LATER + timedelta(days=4), reason="No time.")
    assert words(resolve_key(cast.dov, "SYS-18").answer)[0].startswith("Ada Nwosu accepted")  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["?q=scorer", "?q=SYS-4", "?q=SYS-4&scenario=data-access", "?q=zzzz"])
def test_the_number_of_queries_does_not_grow(cast: Any, browse: Any, path: str) -> None:
    client = browse(cast.dov)
    owned(cast, "SYS-4", "Scorer")
    register(cast, "SYS-4b", "Scorer two")
    settle()  # the cards are there after a commit
    url = reverse("portal:who") + path
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for n in range(12):
        register(cast, f"SYS-4-{n}", f"Scorer {n}")
    settle()
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)
    assert len(many) < 20


def test_the_page_shows_the_name_first(cast: Any, browse: Any) -> None:
    owned(cast, "SYS-4", "Scorer")
    page = browse(cast.dov).get(reverse("portal:who"), {"q": "SYS-4", "scenario": "data-access"})
    text = page.content.decode()
    assert page.status_code == 200
    assert "Cleo Marchetti answers for Scorer" in text
    assert "accessed data it should not have" in text
    assert "Ada Nwosu" in text
    assert reverse("portal:system", args=["SYS-4"]) not in text  # dov may ask, and not open it


def test_the_page_of_an_interim_owner_has_the_strip(cast: Any, browse: Any) -> None:
    register(cast, "SYS-2", "Approval Agent")
    text = browse(cast.una).get(reverse("portal:who"), {"q": "SYS-2"}).content.decode()
    assert "Nobody has accepted Approval Agent" in text
    assert reverse("portal:system_nominate", args=["SYS-2"]) in text


def test_nothing_names_the_duty_lead(cast: Any, browse: Any) -> None:
    page = browse(cast.dov).get(reverse("portal:who"), {"q": "klaims"})
    assert page.status_code == 200
    assert "Nothing called “klaims”" in page.content.decode()
    assert "Mara Lindt" in page.content.decode()
    assert browse(cast.dov).get(reverse("portal:who"), {"system": "SYS-0"}).status_code == 404


@pytest.mark.parametrize("path", ["?q=%27+OR+1%3D1", "?person=x", "?scenario=x&q=a", "?q=" + "x" * 5000, "?q=%25_"])
def test_odd_questions_get_a_page(cast: Any, browse: Any, path: str) -> None:
    assert browse(cast.dov).get(reverse("portal:who") + path).status_code == 200


def test_a_question_that_no_text_can_hold_is_refused(cast: Any, browse: Any) -> None:
    assert browse(cast.dov).get(reverse("portal:who") + "?q=%00").status_code == 400


def test_the_palette_gets_names(cast: Any, browse: Any) -> None:
    owned(cast, "SYS-4", "Scorer")
    text = browse(cast.dov).get(reverse("portal:who_suggest"), {"q": "sco"}).content.decode()
    assert 'role="option"' in text
    assert "Ada Nwosu" in text
    assert "?system=SYS-4" in text
    assert 'data-count="1"' in text


def test_the_command_prints_one_answer(cast: Any) -> None:
    owned(cast, "SYS-4", "Scorer")
    out = StringIO()
    call_command("who", "SYS-4", scenario="data-access", json=True, stdout=out)
    told = json.loads(out.getvalue())
    assert (told["outcome"], told["answer"]["person"]["name"]) == ("one", "Cleo Marchetti")
    assert told["answer"]["owner"]["name"] == "Ada Nwosu"


def test_the_command_says_several_and_none_by_its_exit_code(cast: Any) -> None:
    register(cast, "SYS-7", "Letter Writer")
    register(cast, "SYS-8", "Letter Reader")
    for text, code in (("letter", 1), ("nope", 2)):
        with pytest.raises(SystemExit) as ended:
            call_command("who", text, stdout=StringIO())
        assert ended.value.code == code


def test_a_deactivated_person_is_not_offered(cast: Any) -> None:
    people.deactivate_person(cast.nils, actor=cast.mara, now=LATER)
    assert isinstance(resolve(cast.dov, "Nils Okafor"), Nothing)
