"""What arrives over HTTP: samples of the public formats, and what is wrong with others."""

import json
import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.audit.models import AuditEvent
from apps.incidents.actions.inbound import revoke_source
from apps.incidents.models import Incident, TimelineEntry
from tests.factories import a_system
from tests.incidents.inbound_world import BASE, NOW, a_source, mail, sample, send

pytestmark = pytest.mark.django_db
KINDS = ("alertmanager", "pagerduty", "webhook", "email")
SAMPLE_OF = {"alertmanager": "alertmanager_firing", "pagerduty": "pagerduty_trigger", "webhook": "generic"}


@pytest.fixture(autouse=True)
def no_calls_before() -> None:
    cache.clear()


def body_of(kind: str, token: str) -> Any:
    return mail("mail_person", token) if kind == "email" else sample(SAMPLE_OF[kind])


def nothing_happened() -> bool:
    return not Incident.objects.exists() and not TimelineEntry.objects.exists()


def test_alertmanager_fires_again_and_resolves(cast: Any) -> None:
    system = a_system(cast, key="claims-agent", owner=cast.ada)
    _, token = a_source(cast)

    first = send("alertmanager", sample("alertmanager_firing"), token)
    again = send("alertmanager", sample("alertmanager_firing"), token)
    resolved = send("alertmanager", sample("alertmanager_resolved"), token)

    incident = Incident.objects.get()
    address = f"http://localhost/incidents/{incident.code}/"
    assert incident.system == system
    assert first.status_code == 201
    assert first.json()["incident"] == incident.code
    assert first.json()["url"].endswith(f"/incidents/{incident.code}/"), address
    assert [answer.json()["is_new"] for answer in (first, again, resolved)] == [True, False, False]
    assert (again.status_code, resolved.status_code) == (200, 200)
    assert list(incident.timeline.order_by("pk").values_list("text", flat=True))[-2:] == [
        "Reported again: Claims agent read records outside its case (2 alerts)",
        "Alertmanager of the tests says resolved. Somebody here decides whether it is.",
    ]
    assert incident.state == "reported"


def test_pagerduty_answers_as_pagerduty(cast: Any) -> None:
    _, token = a_source(cast, kind="pagerduty")

    for name in ("trigger", "acknowledge", "resolve"):
        response = send("pagerduty", sample(f"pagerduty_{name}"), token)
        assert response.status_code == 202
        assert response.json() == {
            "status": "success",
            "message": "Event processed",
            "dedup_key": "budget/doc-assist/2026-11-20",
        }
    assert list(Incident.objects.get().timeline.order_by("pk").values_list("text", flat=True))[-2:] == [
        "Pagerduty of the tests says that somebody has it there. Nobody here took it by that.",
        "Pagerduty of the tests says resolved. Somebody here decides whether it is.",
    ]


def test_the_routing_key_of_pagerduty_may_be_the_token(cast: Any) -> None:
    _, token = a_source(cast, kind="pagerduty")

    assert send("pagerduty", sample("pagerduty_trigger", routing_key=token)).status_code == 202
    assert send("pagerduty", sample("pagerduty_trigger", routing_key="R" * 32)).status_code == 401
    assert send("pagerduty", sample("pagerduty_trigger", routing_key=[token])).status_code == 401
    assert send("pagerduty", [1]).status_code == 401


def test_a_trigger_without_a_key_is_told_the_one_it_got(cast: Any) -> None:
    _, token = a_source(cast, kind="pagerduty")
    event = sample("pagerduty_trigger")
    del event["dedup_key"]

    response = send("pagerduty", event, token)

    assert response.json()["dedup_key"] == Incident.objects.get().dedup_key


def test_our_own_json(cast: Any) -> None:
    system = a_system(cast, key="SYS-REFUND", owner=cast.ada)
    _, token = a_source(cast, kind="webhook")

    response = send("webhook", sample("generic"), token)

    incident = Incident.objects.get()
    assert response.status_code == 201
    assert (incident.system, incident.scenario, incident.via) == (system, "harmful-decision", "webhook")
    assert send("webhook", {"status": "resolved", "dedup_key": "refunds-2026-11-20"}, token).status_code == 200
    assert send("webhook", {"status": "resolved", "dedup_key": "other"}, token).json() == {
        "incident": None, "url": None, "is_new": False,
    }  # fmt: skip


def test_without_a_key_each_is_an_incident(cast: Any) -> None:
    _, token = a_source(cast, kind="webhook")

    for _ in range(2):
        assert send("webhook", {"title": "It mails customers"}, token).status_code == 201
    assert Incident.objects.count() == 2


def test_a_mail(cast: Any) -> None:
    _, token = a_source(cast, kind="email")

    assert send("email", mail("mail_person", token), token).status_code == 201
    assert send("email", mail("mail_person", token), token).status_code == 200
    assert Incident.objects.get().title == "[SYS-ADA] Prüfagent liest fremde Akten – bitte sofort ansehen"
    loop = send("email", mail("mail_away", token), token)
    assert (loop.status_code, loop.json()["type"]) == (422, "urn:govportal:problem:refused")
    assert send("email", b"", token).status_code == 400


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_may_stand_in_the_address(cast: Any, kind: str) -> None:
    _, token = a_source(cast, kind=kind)

    response = send(kind, body_of(kind, token), path=f"{BASE}/{token}/{kind}/")

    assert response.status_code in (201, 202)
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_slash_may_be_left_out(cast: Any, kind: str) -> None:
    _, token = a_source(cast, kind=kind)

    assert send(kind, body_of(kind, token), token, path=f"{BASE}/{kind}").status_code in (201, 202)


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_no_entry(cast: Any, kind: str, browse: Any) -> None:
    source, token = a_source(cast, kind=kind)
    body = body_of(kind, token)
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")

    for secret in ("", wrong, token[13:], "gov_x", "x" * 5000):
        response = send(kind, body, secret)
        assert response.status_code == 401
        assert response["Content-Type"].startswith("application/problem+json")
        assert response["WWW-Authenticate"] == 'Bearer realm="Govportal sources"'
    assert browse(cast.mara).post(f"{BASE}/{kind}/", body, content_type="application/json").status_code == 401
    assert Client().get(f"{BASE}/{kind}/").status_code == 401
    revoke_source(source, actor=cast.mara, now=NOW)
    assert send(kind, body, token).status_code == 401
    assert nothing_happened()


def test_a_token_of_another_kind(cast: Any) -> None:
    for kind in KINDS:
        _, token = a_source(cast, kind=kind, name=kind)
        for other in set(KINDS) - {kind}:
            response = send(other, body_of(other, token), token)
            assert response.status_code == 403
            assert response.json()["detail"].endswith(f"send to …/inbound/{kind}/.")
    assert nothing_happened()


def test_only_post(cast: Any) -> None:
    _, token = a_source(cast)

    for method in ("get", "put", "patch", "delete"):
        client = Client(headers={"Authorization": f"Bearer {token}"})
        assert getattr(client, method)(f"{BASE}/alertmanager/").status_code == 405


WRONG: list[tuple[str, Any, str]] = [
    ("alertmanager", {"version": "3"}, "version"),
    ("alertmanager", {"groupKey": ""}, "groupKey"),
    ("alertmanager", {"groupKey": None}, "groupKey"),
    ("alertmanager", {"status": "burning"}, "status"),
    ("alertmanager", {"alerts": []}, "alerts"),
    ("alertmanager", {"alerts": "all"}, "alerts"),
    ("alertmanager", {"alerts": [{"status": "firing"}]}, "alerts.0.labels"),
    ("alertmanager", {"alerts": [{"status": "firing", "labels": {"a": ["b"]}}]}, "alerts.0.labels.a"),
    ("alertmanager", {"commonLabels": {"a": "b\0"}}, "commonLabels.a"),
    ("alertmanager", {"commonLabels": {"a": "\ud800"}}, "commonLabels.a"),
    ("alertmanager", {"truncatedAlerts": -1}, "truncatedAlerts"),
    ("pagerduty", {"event_action": "explode"}, "event_action"),
    ("pagerduty", {"payload": None}, "payload"),
    ("pagerduty", {"payload": {"summary": "x", "source": "y"}}, "payload.severity"),
    ("pagerduty", {"payload": {"summary": "x", "source": "y", "severity": "purple"}}, "payload.severity"),
    ("pagerduty", {"event_action": "resolve", "dedup_key": ""}, "dedup_key"),
    ("webhook", {"title": ""}, "title"),
    ("webhook", {"title": {"x": 1}}, "title"),
    ("webhook", {"titel": "x"}, "titel"),
    ("webhook", {"scenario": "flood"}, "scenario"),
    ("webhook", {"status": "resolved", "dedup_key": ""}, "dedup_key"),
    ("webhook", {"severity": "sev1"}, "severity"),
]


@pytest.mark.parametrize(("kind", "other", "field"), WRONG)
def test_what_is_wrong_is_named(cast: Any, kind: str, other: dict[str, Any], field: str) -> None:
    _, token = a_source(cast, kind=kind)

    response = send(kind, sample(SAMPLE_OF[kind], **other), token)

    assert response.status_code == 400
    body = response.json()
    assert body["type"] == "urn:govportal:problem:invalid"
    assert field in body["errors"]
    assert nothing_happened()


@pytest.mark.parametrize("kind", ["alertmanager", "pagerduty", "webhook"])
@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"a": NaN}', "[" * 100_000, '{"title": "\udcff"}'])
def test_what_is_no_json(cast: Any, kind: str, text: str) -> None:
    _, token = a_source(cast, kind=kind)

    response = Client(headers={"Authorization": f"Bearer {token}"}).post(
        f"{BASE}/{kind}/", text.encode("utf-8", "surrogateescape"), content_type="application/json"
    )

    assert response.status_code == 400
    assert response["Content-Type"].startswith("application/problem+json")
    assert nothing_happened()


def test_another_type_is_told(cast: Any) -> None:
    _, token = a_source(cast)
    client = Client(headers={"Authorization": f"Bearer {token}"})

    assert client.post(f"{BASE}/alertmanager/", {"a": "b"}).status_code == 415
    assert nothing_happened()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_huge_is_not_read(cast: Any, kind: str) -> None:
    _, token = a_source(cast, kind=kind)
    body = (
        mail("mail_html", token) + b"x" * (5 * 1024 * 1024)
        if kind == "email"
        else sample(SAMPLE_OF[kind], client="x" * (1024 * 1024))
    )

    response = send(kind, body, token)

    assert response.status_code == 413
    assert response.json()["detail"].startswith("The body is too large: ")
    assert nothing_happened()


def test_many_alerts_are_one_incident_with_its_beginning(cast: Any) -> None:
    _, token = a_source(cast)
    one = sample("alertmanager_firing")["alerts"][0]

    response = send("alertmanager", sample("alertmanager_firing", alerts=[one] * 1200), token)

    assert response.status_code == 201
    incident = Incident.objects.get()
    assert incident.title.endswith("(1200 alerts)")
    assert "1180 more." in incident.description
    assert len(incident.description) < 21_000


def test_too_many_in_a_minute(cast: Any, settings: Any) -> None:
    settings.INBOUND_REQUESTS_A_MINUTE = 2
    for kind, status in (("alertmanager", 503), ("webhook", 429)):
        _, token = a_source(cast, kind=kind, name=kind)
        got = [send(kind, body_of(kind, token), token) for _ in range(3)]
        assert [response.status_code for response in got] == [201, 200, status]
        assert got[-1]["Retry-After"] == "60"
        assert got[-1]["Content-Type"].startswith("application/problem+json")


def test_who_guesses_is_slowed_and_nobody_else(cast: Any) -> None:
    _, token = a_source(cast)

    got = [send("alertmanager", {}, f"inb_{number:08x}_{'a' * 40}").status_code for number in range(32)]

    assert got == [401] * 30 + [429] * 2
    assert send("alertmanager", sample("alertmanager_firing"), token).status_code == 201


def test_no_token_in_a_log(cast: Any, caplog: pytest.LogCaptureFixture) -> None:
    source, token = a_source(cast)
    caplog.set_level(logging.DEBUG)

    for path in (
        f"{BASE}/{token}/alertmanager/",
        f"{BASE}/{token}/pagerduty/",
        f"{BASE}/{token}/x/y",
        f"{BASE}/{token}",
    ):
        send("", {"commonLabels": token}, path=path)
    send("alertmanager", sample("alertmanager_firing", receiver=token), token)
    send("alertmanager", {"version": "4"}, token)
    revoke_source(source, actor=cast.mara, now=NOW)
    send("alertmanager", sample("alertmanager_firing"), path=f"{BASE}/{token}/alertmanager/")

    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert token not in said
    assert "inbound.received" in said


def test_no_token_in_the_trail_or_the_incident(cast: Any) -> None:
    _, token = a_source(cast, kind="webhook")

    send("webhook", {"title": f"Key {token} leaked", "description": f"see {token}", "system": token}, token)

    incident = Incident.objects.get()
    kept = json.dumps([incident.title, incident.description, incident.about, *incident.timeline.values_list("text")])
    assert token not in kept
    assert "inb_…" in incident.title
    assert all(token not in event.body for event in AuditEvent.objects.all())


def test_the_answer_names_no_system_and_nobody(cast: Any) -> None:
    a_system(cast, key="SYS-REFUND", name="Secret project", owner=cast.ada, restricted=True)
    _, token = a_source(cast, kind="webhook")

    known = send("webhook", sample("generic"), token).json()
    unknown = send("webhook", sample("generic", system="SYS-NONE", dedup_key="2"), token).json()

    assert set(known) == set(unknown) == {"incident", "url", "is_new"}
    assert Incident.objects.get(code=known["incident"]).visibility == "restricted"


def test_nothing_else_is_there() -> None:
    response = send("pigeon", {})

    assert response.status_code == 404
    assert "/api/v1/inbound/alertmanager/" in response.json()["detail"]


def test_the_number_of_statements_does_not_grow(cast: Any, django_assert_max_num_queries: Any) -> None:
    _, token = a_source(cast)
    one = sample("alertmanager_firing")["alerts"][0]
    send("alertmanager", sample("alertmanager_firing"), token)

    with django_assert_max_num_queries(30):
        send("alertmanager", sample("alertmanager_firing", alerts=[one] * 1200), token)
