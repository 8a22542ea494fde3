"""Declaring in two steps, and by API."""

import re
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from apps.access.actions import issue_token
from apps.audit.models import AuditEvent
from apps.common import clock
from apps.common.errors import Refused
from apps.incidents.actions.declare import declare
from apps.incidents.models import Incident
from apps.notify.models import Message
from tests.factories import NOW, a_system
from tests.incidents.world import settle

pytestmark = pytest.mark.django_db
STEP_1, STEP_2 = "/incidents/declare/", "/incidents/declare/what/"


def a_claims_agent(cast: Any, **more: Any) -> Any:
    """A system of Ada's with its cards."""
    system = a_system(cast, key="SYS-0117", name="Claims Adjudication Agent", owner=cast.ada, **more)
    settle()
    return system


def test_step_1_finds_by_name_key_and_says_when_nothing_fits(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    client = browse(cast.dov)
    for text in ("claims", "sys-0117", "Adjudication"):
        assert 'value="SYS-0117"' in client.get(STEP_1, {"q": text}).content.decode(), text
    assert "No system is called “zebra”." in client.get(STEP_1, {"q": "zebra"}).content.decode()


def test_step_1_keeps_what_was_said(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    said = {"q": "claims", "system": "unknown", "about": "A bot in the portal", "scenario": "cost-spike", "do": "find"}
    page = browse(cast.dov).get(STEP_1, said).content.decode()
    assert 'value="A bot in the portal"' in page
    assert re.search(r'value="cost-spike"[^>]* checked', page)
    assert re.search(r'value="unknown"[^>]* checked', page)


def test_step_1_prefilled(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    page = browse(cast.dov).get(STEP_1, {"system": "SYS-0117"}).content.decode()
    assert "Choose another" in page
    answer = browse(cast.dov).get(STEP_1, {"system": "SYS-0117", "scenario": "data-access", "do": "next"})
    assert answer["Location"] == f"{STEP_2}?system=SYS-0117&scenario=data-access"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "Choose the system, or say that you don&#x27;t know which one it is."),
        ({"system": "unknown"}, "Say in a few words what it is about."),
        ({"q": "zebra"}, "No system is called zebra."),
        ({"system": "SYS-9999"}, "Choose the system"),
    ],
)
def test_step_1_says_what_is_missing(cast: Any, browse: Any, said: dict[str, str], words: str) -> None:
    answer = browse(cast.dov).get(STEP_1, {**said, "do": "next"})
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_a_restricted_system_is_not_found(cast: Any, browse: Any) -> None:
    a_claims_agent(cast, restricted=True)
    assert "SYS-0117" not in browse(cast.dov).get(STEP_1, {"q": "Adjudication"}).content.decode()
    assert browse(cast.dov).get(STEP_2, {"system": "SYS-0117"})["Location"] == STEP_1


def test_step_2_names_who_is_called_before_it_is_declared(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    page = browse(cast.dov).get(STEP_2, {"system": "SYS-0117", "scenario": "data-access"}).content.decode()
    assert re.search(r'called__name">Cleo Marchetti<', page)
    assert "is called by e-mail. Without an answer in 5 min others are called too." in " ".join(page.split())
    assert Incident.objects.count() == 0


def test_declared_once_however_often_it_is_sent(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    client, where = browse(cast.dov), f"{STEP_2}?system=SYS-0117&scenario=data-access"
    token = re.search(r'name="form_token" value="([^"]+)"', client.get(where).content.decode())
    assert token is not None
    sent = {"title": "It read letters of others", "form_token": token[1], "severity": "sev2"}

    answers = [client.post(where, sent) for _ in range(2)]

    incident = Incident.objects.get()
    assert [answer["Location"] for answer in answers] == [incident.path] * 2
    assert (incident.title, incident.lead, incident.declared_by) == (sent["title"], cast.cleo, cast.dov)
    assert (incident.severity, incident.scenario, incident.via) == ("sev2", "data-access", "portal")
    assert AuditEvent.objects.filter(kind="incident.declared").count() == 1
    page = client.get(incident.path).content.decode()
    assert f"{incident.code} is declared. Cleo Marchetti is called now." in page


def test_another_persons_form_is_refused(cast: Any) -> None:
    system, token = a_claims_agent(cast), uuid.uuid4()
    declare(title="One", system=system, actor=cast.dov, now=NOW, form_token=token)
    with pytest.raises(Refused, match="used already"):
        declare(title="Two", system=system, actor=cast.nils, now=NOW, form_token=token)
    assert Incident.objects.count() == 1


def test_the_database_keeps_the_token_once(cast: Any) -> None:
    system, token = a_claims_agent(cast), uuid.uuid4()
    first = declare(title="One", system=system, actor=cast.dov, now=NOW, form_token=token)
    other = declare(title="Two", system=system, actor=cast.dov, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE incidents_incident SET form_token = %s, version = version + 1 WHERE id = %s",
                       [first.form_token, other.pk])  # fmt: skip


def test_without_a_system_words_are_enough(cast: Any, browse: Any) -> None:
    where = f"{STEP_2}?system=unknown&about=An+agent+mails+customers"
    assert "Mara Lindt" in browse(cast.dov).get(where).content.decode()
    browse(cast.dov).post(where, {"title": "It mails customers", "form_token": uuid.uuid4()})
    incident = Incident.objects.get()
    assert (incident.system, incident.about, incident.lead) == (None, "An agent mails customers", cast.mara)


def test_a_form_that_fails_keeps_what_was_typed_and_declares_nothing(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    before = Message.objects.count(), AuditEvent.objects.count()
    sent = {"title": " ", "description": "Since 08:20", "severity": "sev1", "form_token": uuid.uuid4()}
    answer = browse(cast.dov).post(f"{STEP_2}?system=SYS-0117", sent)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Say in one sentence what happened." in page
    assert "Since 08:20" in page
    assert re.search(r'value="sev1"[^>]* checked', page)
    assert str(sent["form_token"]) in page
    assert Incident.objects.count() == 0
    assert (Message.objects.count(), AuditEvent.objects.count()) == before


def test_only_who_manages_incidents_restricts_or_tests(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    where = f"{STEP_2}?system=SYS-0117"
    sent = {"title": "X", "visibility": "privileged", "mode": "test"}
    browse(cast.dov).post(where, sent)
    assert Incident.objects.values_list("visibility", "mode").get() == ("open", "real")
    browse(cast.cleo).post(where, sent)
    assert Incident.objects.values_list("visibility", "mode").latest("pk") == ("privileged", "test")
    assert 'name="mode"' not in browse(cast.dov).get(where).content.decode()


def test_the_alarm_leads_to_it_from_everywhere(cast: Any, browse: Any) -> None:
    a_claims_agent(cast)
    client = browse(cast.ada)
    assert f'href="{STEP_1}"' in client.get("/").content.decode()
    assert f'href="{STEP_1}?system=SYS-0117"' in client.get("/systems/SYS-0117/").content.decode()
    assert f'href="{STEP_1}"' in client.get("/not/there/").content.decode()
    assert f"{STEP_1}?system=SYS-0117" in client.get("/who/?system=SYS-0117").content.decode()


def test_what_is_live_there_is_said_first(cast: Any, browse: Any) -> None:
    incident = declare(title="One", system=a_claims_agent(cast), actor=cast.dov, now=NOW)
    page = browse(cast.dov).get(f"{STEP_2}?system=SYS-0117").content.decode()
    assert f"{incident.code} is live on this system." in page


def program(person: Any, *scopes: str) -> Client:
    """A program with a token of somebody."""
    _, secret = issue_token(person, name="P", scopes=list(scopes), actor=person, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_by_api(cast: Any) -> None:
    a_claims_agent(cast)
    client, token = program(cast.dov, "read", "write"), str(uuid.uuid4())
    sent = {"title": "It read letters", "system": "SYS-0117", "scenario": "data-access", "form_token": token}

    answers = [client.post("/api/v1/incidents/", sent, content_type="application/json") for _ in range(2)]

    incident = Incident.objects.get()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0]["Location"] == f"/api/v1/incidents/{incident.code}/"
    body = answers[0].json()
    assert (body["code"], body["lead"]["name"], body["live"]) == (incident.code, "Cleo Marchetti", True)
    assert incident.via == "api"
    one = client.get(f"/api/v1/incidents/{incident.code}/").json()
    assert one["timeline"][-1]["kind"] == "alarm"
    assert [row["code"] for row in client.get("/api/v1/incidents/?live=true").json()["results"]] == [incident.code]
    assert client.get("/api/v1/incidents/?open=false").json()["results"] == []
    assert program(cast.nils, "read").get(f"/api/v1/incidents/{incident.code}/").status_code == 404


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"title": "X"}, 400, "about"),
        ({"title": "X", "system": "SYS-9"}, 400, "system"),
        ({"title": " ", "about": "x"}, 400, "title"),
        ({"title": "X", "about": "x", "mode": "drill"}, 400, "mode"),
        ({"title": "X", "about": "x", "wrong": 1}, 400, "wrong"),
        ({"title": "X", "about": "x", "mode": "test"}, 403, ""),
        ({"title": "X", "about": "x", "visibility": "privileged"}, 403, ""),
    ],
)
def test_the_api_refuses(cast: Any, sent: dict[str, Any], status: int, field: str) -> None:
    answer = program(cast.dov, "read", "write").post("/api/v1/incidents/", sent, content_type="application/json")
    assert answer.status_code == status
    assert not field or field in answer.json()["errors"]
    assert Incident.objects.count() == 0


def test_the_api_wants_the_scope(cast: Any) -> None:
    sent = {"title": "X", "about": "x"}
    assert (
        program(cast.dov, "read").post("/api/v1/incidents/", sent, content_type="application/json").status_code == 403
    )
