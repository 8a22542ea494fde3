"""Nominating, answering and withdrawing, through the pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.attestations.actions import open_campaign
from apps.audit.rules import COMMAND
from apps.notify.models import Message
from apps.people.actions import deactivate_person
from apps.registry import actions
from apps.registry.models import Nomination, System
from tests.cast import Cast
from tests.factories import NOW, a_system

Browse = Callable[[Any], Client]


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.fixture
def system(cast: Cast) -> System:
    return a_system(cast, key="SYS-1", name="Claims agent")


@pytest.fixture
def nomination(cast: Cast, system: System) -> Nomination:
    return actions.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW, reason="Knows it best")


def test_nominate_says_who_answers_until_then_and_offers_undo(cast: Cast, browse: Browse, system: System) -> None:
    client = browse(cast.mara)
    page = client.get("/systems/SYS-1/nominate/").content.decode()
    assert "Una Brandt" in page
    assert "goes up to the head of the unit" in page
    response = client.post("/systems/SYS-1/nominate/", {"nominee": "ada@example.org", "reason": "Knows it"})
    nomination = Nomination.objects.get()
    assert (response.status_code, response["Location"]) == (302, "/systems/SYS-1/")
    assert f'name="nominations" value="{nomination.pk}"' in said(response)
    assert ">Undo</button>" in said(response)
    assert "Una Brandt answers" in said(response)
    system.refresh_from_db()
    assert system.owner == cast.una
    assert Message.objects.get().recipient == cast.ada
    again = client.get("/systems/SYS-1/nominate/").content.decode()
    assert "A nomination is waiting" in again
    assert "Knows it" in again


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Choose a person."),
        ("claims-team@example.org", "is a mailbox. Choose a person."),
        ("robot@example.org", "is a service account. Choose a person."),
        ("ivan@example.org", "is deactivated. Choose an active person."),
        ("Nobody Known", "Nobody here is called Nobody Known."),
    ],
)
def test_only_a_person_can_be_nominated(cast: Cast, browse: Browse, system: System, typed: str, sentence: str) -> None:
    response = browse(cast.mara).post("/systems/SYS-1/nominate/", {"nominee": typed})
    page = response.content.decode()
    assert response.status_code == 422
    assert "Error: " in page
    assert page.count(sentence) == 2
    assert not Nomination.objects.exists()


def test_a_rule_that_refuses_is_said_above_the_form(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-2", owner=cast.ada)
    response = browse(cast.cleo).post("/systems/SYS-2/nominate/", {"nominee": "ada@example.org"})
    assert response.status_code == 422
    assert "Ada Nwosu answers for" in response.content.decode()


def test_who_may_nominate(cast: Cast, browse: Browse) -> None:
    a_system(cast, key="SYS-2", owner=cast.ada)
    a_system(cast, key="SYS-3", restricted=True)
    expected = {"dov": 404, "ada": 200, "ben": 403, "cleo": 200, "bo": 403, "eve": 403, "mara": 200}
    assert {
        name: browse(getattr(cast, name)).get("/systems/SYS-2/nominate/").status_code for name in expected
    } == expected
    assert browse(cast.cleo).get("/systems/SYS-3/nominate/").status_code == 404
    assert browse(cast.mara).get("/systems/NOPE/nominate/").status_code == 404
    assert browse(cast.bo).post("/systems/SYS-2/nominate/", {"nominee": "bo@example.org"}).status_code == 403
    assert Nomination.objects.filter(state="open").count() == 0


def test_nobody_is_nominated_for_a_retired_system(cast: Cast, browse: Browse, system: System) -> None:
    actions.retire_system(system, actor=cast.mara, now=NOW, reason="Gone")
    assert b"This system is retired." in browse(cast.mara).get("/systems/SYS-1/nominate/").content
    assert browse(cast.mara).post("/systems/SYS-1/nominate/", {"nominee": "ada@example.org"}).status_code == 422


def test_the_nominee_reads_what_it_means(cast: Cast, browse: Browse, nomination: Nomination) -> None:
    page = browse(cast.ada).get(f"/nominations/{nomination.pk}/").content.decode()
    for words in ("Do you answer for Claims agent?", "Mara Lindt", "Knows it best", "23 Nov 2026", "Claims"):
        assert words in page
    assert "Authority to stop: not granted" in page
    assert "Answers as interim owner" in page
    assert "Due " in page
    for other in (cast.mara, cast.dov, cast.eve, cast.una):
        assert browse(other).get(f"/nominations/{nomination.pk}/").status_code == 404
        assert browse(other).post(f"/nominations/{nomination.pk}/", {"answer": "accept"}).status_code == 404
    assert browse(cast.ada).get("/nominations/999999/").status_code == 404


def test_the_next_attestation_is_that_of_the_running_campaign(cast: Cast, browse: Browse, system: System) -> None:
    campaign, _ = open_campaign("2026Q4", actor=COMMAND, now=NOW - timedelta(days=7))
    nomination = actions.nominate_owner(system, cast.ada, actor=cast.mara, now=NOW)
    due = campaign.assignments.get(system=system).due_on
    assert f"Due {due:%-d %b %Y}" in browse(cast.ada).get(f"/nominations/{nomination.pk}/").content.decode()


def test_accepting(cast: Cast, browse: Browse, nomination: Nomination, system: System) -> None:
    response = browse(cast.ada).post(f"/nominations/{nomination.pk}/", {"answer": "accept"})
    assert (response.status_code, response["Location"]) == (302, "/systems/SYS-1/")
    assert said(response) == "You answer for Claims agent from now on."
    system.refresh_from_db()
    assert (system.owner, system.owner_basis) == (cast.ada, "accepted")
    page = browse(cast.ada).get(f"/nominations/{nomination.pk}/").content.decode()
    assert "You accepted" in page
    assert "I answer for this system" not in page
    twice = browse(cast.ada).post(f"/nominations/{nomination.pk}/", {"answer": "decline", "reason": "Changed my mind"})
    assert twice.status_code == 422
    assert "was accepted already" in twice.content.decode()


def test_declining_needs_a_reason_and_takes_the_system_away(cast: Cast, browse: Browse, nomination: Nomination) -> None:
    client, path = browse(cast.ada), f"/nominations/{nomination.pk}/"
    empty = client.post(path, {"answer": "decline", "reason": " "})
    assert empty.status_code == 422
    assert empty.content.decode().count("Say why you decline.") == 2
    assert client.post(path, {"reason": "Hm"}).status_code == 422
    response = client.post(path, {"answer": "decline", "reason": "I moved to another team"})
    assert (response.status_code, response["Location"]) == (302, "/")
    page = client.get(path).content.decode()
    assert "You declined." in page
    assert "I moved to another team" in page
    assert "SYS-1/" not in page, "the nominee does not see the system any more"
    assert Message.objects.filter(recipient=cast.una, subject__startswith="Declined").exists()


def test_withdrawing(cast: Cast, browse: Browse, nomination: Nomination) -> None:
    path = f"/nominations/{nomination.pk}/withdraw/"
    expected = {"dov": 404, "ada": 404, "una": 404, "bo": 404, "eve": 404, "cleo": 200, "mara": 200}
    assert {name: browse(getattr(cast, name)).get(path).status_code for name in expected} == expected
    assert browse(cast.una).post(path).status_code == 404
    response = browse(cast.cleo).post(path, {"reason": "Mistaken"})
    assert (response.status_code, response["Location"]) == (302, "/systems/SYS-1/")
    nomination.refresh_from_db()
    assert (nomination.state, nomination.answer_reason) == ("withdrawn", "Mistaken")
    assert "not open any more" in browse(cast.mara).get(path).content.decode()
    assert browse(cast.mara).post(path).status_code == 422
    assert "This nomination was withdrawn." in browse(cast.ada).get(f"/nominations/{nomination.pk}/").content.decode()


def test_whoever_nominated_may_withdraw_without_seeing_the_system(cast: Cast, browse: Browse) -> None:
    """An owner nominates a successor, the successor's nomination outlives the owner's own grant."""
    system = a_system(cast, key="SYS-4", owner=cast.ada)
    nomination = actions.nominate_owner(system, cast.nils, actor=cast.ada, now=NOW + timedelta(hours=1))
    response = browse(cast.ada).post(f"/nominations/{nomination.pk}/withdraw/")
    assert response.status_code == 302


def bulk(client: Client, *keys: str, **fields: str) -> Any:
    return client.post("/systems/nominate/", {"system": list(keys), **fields})


def test_many_are_checked_first_then_nominated_in_one_mail(cast: Cast, browse: Browse, system: System) -> None:
    a_system(cast, key="SYS-2")
    a_system(cast, key="SYS-3")
    client = browse(cast.mara)
    check = bulk(client, "SYS-1", "SYS-2", "SYS-3").content.decode()
    assert "Nominate one owner for 3 systems" in check
    assert not Nomination.objects.exists()
    wrong = bulk(client, "SYS-1", "SYS-2", confirm="1", nominee="")
    assert wrong.status_code == 422
    response = bulk(client, "SYS-1", "SYS-2", confirm="1", nominee="ada@example.org", reason="Team change")
    assert (response.status_code, response["Location"]) == (302, "/systems/")
    assert Nomination.objects.filter(nominee=cast.ada, reason="Team change").count() == 2
    message = Message.objects.get()
    assert message.recipient == cast.ada
    assert "2 systems" in message.subject
    assert "Claims agent (SYS-1)" in message.body
    left = bulk(client, "SYS-1", "SYS-3").content.decode()
    assert "Ada Nwosu is nominated already" in left
    assert "Nominate one owner for 1 system<" in left


def test_many_are_all_or_nothing(cast: Cast, browse: Browse, system: System) -> None:
    a_system(cast, key="SYS-2", owner=cast.ada)
    before = Message.objects.count()
    response = bulk(browse(cast.mara), "SYS-1", "SYS-2", confirm="1", nominee="ada@example.org")
    assert response.status_code == 422
    assert "answers for" in response.content.decode()
    assert not Nomination.objects.filter(state="open").exists()
    assert Message.objects.count() == before


def test_many_by_those_who_may(cast: Cast, browse: Browse, system: System) -> None:
    a_system(cast, key="SYS-2", owner=cast.ada)
    assert bulk(browse(cast.mara)).status_code == 422
    assert bulk(browse(cast.mara), *(f"K{n}" for n in range(201))).status_code == 422
    assert bulk(browse(cast.mara), "NOPE").status_code == 404
    assert bulk(browse(cast.dov), "SYS-1").status_code == 404
    assert bulk(browse(cast.bo), "SYS-1").status_code == 403
    assert bulk(browse(cast.ada), "SYS-2").status_code == 200
    assert "Nominate one owner for 1 system<" in bulk(browse(cast.ada), "SYS-1", "SYS-2").content.decode()
    assert browse(cast.mara).get("/systems/nominate/").status_code == 405


def test_the_cap_is_a_warning(cast: Cast, browse: Browse, system: System, settings: Any) -> None:
    settings.WORKLOAD_CAP = 1
    a_system(cast, key="SYS-2", owner=cast.nils)
    response = browse(cast.mara).post("/systems/SYS-1/nominate/", {"nominee": "nils@example.org"})
    assert "Nils Okafor would answer for 2 systems" in said(response)


def test_a_nominee_who_left_meanwhile_cannot_be_nominated(cast: Cast, browse: Browse, system: System) -> None:
    deactivate_person(cast.nils, actor=cast.mara, now=NOW)
    assert browse(cast.mara).post("/systems/SYS-1/nominate/", {"nominee": "nils@example.org"}).status_code == 422


def test_after_nominating_for_many_the_list_is_as_it_was_filtered(cast: Cast, browse: Browse, system: System) -> None:
    fields = {"system": system.key, "back": "basis=interim&tier=high"}
    page = browse(cast.mara).post("/systems/nominate/", fields).content.decode()
    assert 'name="back" value="basis=interim&amp;tier=high"' in page
    assert 'href="/systems/?basis=interim&amp;tier=high"' in page
    fields |= {"confirm": "1", "nominee": "ada@example.org"}
    assert browse(cast.mara).post("/systems/nominate/", fields)["Location"] == "/systems/?basis=interim&tier=high"
    system_two = a_system(cast, key="SYS-2", name="Second")
    senseless = {"system": system_two.key, "confirm": "1", "nominee": "ada@example.org", "back": "//elsewhere.example"}
    assert browse(cast.mara).post("/systems/nominate/", senseless)["Location"].startswith("/systems/?")
