"""Who answers, as a page, as JSON and as text: everywhere the name on the card."""

from typing import Any

import pytest
from django.test import Client

from apps.access.actions import issue_token
from apps.incidents.actions.declare import declare
from apps.incidents.actions.profiles import set_response_profile
from apps.incidents.actions.rules import set_response_rule
from apps.incidents.models import Incident
from apps.incidents.queries.cards import card_of
from apps.incidents.queries.rules import RuleText
from apps.notify.models import Channel
from apps.registry.models import System
from tests.cast import Cast
from tests.factories import NOW, a_system
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db


def api(person: Any, path: str) -> Any:
    _, secret = issue_token(person, name="t", scopes=["read"], actor=person, now=NOW)
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def system(cast: Cast) -> System:
    made = a_system(cast, owner=cast.ada, key="CLM-1", name="Claims router", vendor="Acme AI")
    set_response_profile(
        made, {"stop_how": "Switch the flag off", "stop_holder": cast.ben, "vendor_channel": "soc@acme.example"},
        actor=cast.ada, now=NOW,
    )  # fmt: skip
    set_response_rule(
        RuleText("Agreed.", scenario="data-access", system=made, lead_person=cast.nils, deputy=cast.una),
        actor=cast.mara, now=NOW,
    )  # fmt: skip
    Channel.objects.create(
        person=cast.nils, kind="email", address="nils@example.org", created_at=NOW, verified_at=NOW, tested_at=NOW
    )
    settle()
    return made


def test_the_page_shows_the_card(cast: Cast, browse: Any, system: System) -> None:
    text = browse(cast.dov).get("/who/?system=CLM-1&scenario=data-access").content.decode()
    for words in (
        "Nils Okafor", "Rule on this system: Nils Okafor leads", "Email, tested 16 Nov 2026", "5 min",
        "Switch the flag off", "Never tested", "Ben Ortega", "Una Brandt", "soc@acme.example", "First steps",
        "Legal clocks that may matter", "/incidents/declare/?system=CLM-1&amp;scenario=data-access",
    ):  # fmt: skip
        assert words in text, words
    assert text.index("Not sure") < text.index("More")


def test_an_optional_scenario_is_under_more_until_it_is_chosen(cast: Cast, browse: Any, system: System) -> None:
    text = browse(cast.dov).get("/who/?system=CLM-1&scenario=complaint").content.decode()
    assert text.count("Somebody complained") == 1
    assert "Ada Nwosu" in text


def test_the_api_gives_the_card_of_a_live_system(cast: Cast, system: System) -> None:
    answer = api(cast.dov, "systems/CLM-1/card/?scenario=data-access")
    told = answer.json()
    assert (told["lead"]["name"], told["deputy"]["name"], told["basis"], told["owner"]["name"]) == (
        "Nils Okafor", "Una Brandt", "rule", "Ada Nwosu",
    )  # fmt: skip
    assert told["lead"]["channels"][0] == {
        "kind": "email", "address": "nils@example.org", "tested_at": NOW.isoformat(),
    }  # fmt: skip
    assert [one["name"] for one in told["stop"]["holders"]] == ["Ben Ortega"]
    assert len(told["runbook"]["first_steps"]) == 3
    assert api(cast.dov, "systems/NONE/card/").status_code == 404
    assert api(cast.dov, "systems/CLM-1/card/?scenario=fire").status_code == 400
    System.objects.filter(pk=system.pk).update(restricted=True)
    assert api(cast.dov, "systems/CLM-1/card/").status_code == 404
    assert api(cast.ada, "systems/CLM-1/card/").json()["lead"]["name"] == "Ada Nwosu"


def test_the_text_is_short_enough_for_a_chat(cast: Cast, system: System) -> None:
    answer = api(cast.dov, "who/?q=claims router&scenario=data-access")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    lines = answer.content.decode().splitlines()
    assert lines[:4] == [
        "Claims router (CLM-1): data access",
        "Nils Okafor answers. Named by a rule, leads the response.",
        "Reach: nils@example.org",
        "After 5 min: Una Brandt (una@example.org), then Mara Lindt (mara@example.org)",
    ]
    assert lines[4] == "Stop: Ben Ortega may."
    assert lines[-1].endswith("/who/?system=CLM-1&scenario=data-access")
    a_system(cast, owner=cast.ben, name="Claims scorer", key="CLM-2")
    settle()
    assert api(cast.dov, "who/?q=claims").content.decode().splitlines()[:3] == [
        "Several fit “claims”. Say which:",
        "Claims router (CLM-1): Ada Nwosu, +49 30 5550 0142",
        "Claims scorer (CLM-2): Ben Ortega, +49 30 5550 0143",
    ]
    assert "Nothing called “zzzz”" in api(cast.dov, "who/?q=zzzz").content.decode()


def test_a_live_incident_stands_first_for_those_who_may_open_it(cast: Cast, browse: Any, system: System) -> None:
    incident = declare(title="It reads letters", system=system, scenario="data-access", actor=cast.mara, now=NOW)
    settle()
    found = card_of(system, "data-access", NOW)
    assert found is not None
    assert found.live is not None
    assert (found.live.code, found.live.state) == (incident.code, "reported")
    assert f"/incidents/{incident.code}/" in browse(cast.ada).get("/who/?system=CLM-1").content.decode()
    assert incident.code not in browse(cast.dov).get("/who/?system=CLM-1").content.decode()
    Incident.objects.filter(pk=incident.pk).update(visibility="restricted", version=2)
    found = card_of(system, "data-access", NOW)
    assert found is not None
    assert found.live is None
