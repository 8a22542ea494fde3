"""What is said to each kind of program, sign for sign."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.notify.rules.webhooks import Outgoing, delivery_id, new_secret, request_of, secret_bytes, signature
from tests.notify.receiver import Taken, verifies

NOW = datetime(2026, 11, 20, 9, 0, 0, 500_000, tzinfo=UTC)
SITE = "https://govportal.example.org"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PAGE = {
    "type": "incident.page",
    "title": "INC-0042: Claims bot gives wrong sums",
    "text": "You lead the response. <!channel> & more",
    "mode": "real",
    "severity": "sev1",
    "link": "/incidents/INC-0042/",
    "facts": [["System", "Claims bot"], ["Declared by", ""]],
    "thread": "incident:42",
    "to": "+493055500142",
    "by": "sms",
}


def said(kind: str, secret: str = SECRET, url: str = "https://hooks.example.org/in", **changes: Any) -> Any:
    return request_of(kind, Outgoing("page:42:1#7", {**PAGE, **changes}, url, secret, SITE, NOW))


def test_generic_is_signed_as_standard_webhooks_say() -> None:
    request = said("generic")
    assert request.url == "https://hooks.example.org/in"
    assert json.loads(request.body) == {
        "type": "incident.page",
        "timestamp": "2026-11-20T09:00:00Z",
        "data": {
            "mode": "real",
            "severity": "sev1",
            "facts": [["System", "Claims bot"], ["Declared by", ""]],
            "thread": "incident:42",
            "to": "+493055500142",
            "by": "sms",
            "title": "INC-0042: Claims bot gives wrong sums",
            "text": "You lead the response. <!channel> & more",
            "link": "https://govportal.example.org/incidents/INC-0042/",
            "action": "trigger",
        },
    }
    assert request.headers["webhook-id"] == delivery_id("page:42:1#7")
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    taken = Taken("/", request.headers, request.body)
    assert verifies(SECRET, taken)
    assert not verifies(new_secret(b"x" * 32), taken)
    assert not verifies(SECRET, Taken("/", request.headers, request.body + b" "))
    assert not verifies(SECRET, Taken("/", {**request.headers, "webhook-timestamp": "1"}, request.body))


def test_the_example_of_the_specification() -> None:
    """The vector in the Standard Webhooks reference libraries' tests."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    given = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_has_its_length() -> None:
    assert secret_bytes(new_secret(b"x" * 32)) == b"x" * 32
    for bad in ("whsec_", "whsec_c2hvcnQ=", "whsec_###", new_secret(b"x" * 65)):
        with pytest.raises(ValueError, match=r"24 to 64 bytes|base64|data"):
            secret_bytes(bad)


def test_slack() -> None:
    request = said("slack", secret="https://hooks.slack.com/services/T0/B0/xyz")
    assert request.url == "https://hooks.slack.com/services/T0/B0/xyz"
    assert request.headers == {"Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "text": "+493055500142: INC-0042: Claims bot gives wrong sums",
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": "INC-0042: Claims bot gives wrong sums", "emoji": False},
            },
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "+493055500142: You lead the response. &lt;!channel&gt; &amp; more",
                },
            },
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*System*\nClaims bot"}]},
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "<https://govportal.example.org/incidents/INC-0042/|Open in Govportal>",
                },
            },
        ],
        "unfurl_links": False,
    }


def test_slack_calls_a_member_by_the_id_and_nobody_by_a_trick() -> None:
    assert json.loads(said("slack", to="U012AB3CD").body)["text"].startswith("<@U012AB3CD> INC-0042")
    assert json.loads(said("slack", to="<!everyone>").body)["text"].startswith("&lt;!everyone&gt;: INC-0042")
    link = json.loads(said("slack", link="https://x.example.org/>|<!here>").body)["blocks"][-1]["text"]["text"]
    assert link == "<https://x.example.org/%3E%7C%3C!here%3E|Open in Govportal>"


def test_teams() -> None:
    request = said("teams", secret="https://prod-1.westeurope.logic.azure.com/workflows/1?sig=x")
    assert request.url == "https://prod-1.westeurope.logic.azure.com/workflows/1?sig=x"
    assert json.loads(request.body) == {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "fallbackText": "INC-0042: Claims bot gives wrong sums",
                    "body": [
                        {
                            "type": "TextBlock",
                            "text": "INC-0042: Claims bot gives wrong sums",
                            "weight": "Bolder",
                            "size": "Large",
                            "wrap": True,
                        },
                        {"type": "TextBlock", "text": "You lead the response. <!channel> & more", "wrap": True},
                        {
                            "type": "FactSet",
                            "facts": [
                                {"title": "For", "value": "+493055500142"},
                                {"title": "System", "value": "Claims bot"},
                            ],
                        },
                    ],
                    "actions": [
                        {
                            "type": "Action.OpenUrl",
                            "title": "Open in Govportal",
                            "url": "https://govportal.example.org/incidents/INC-0042/",
                        }
                    ],
                },
            }
        ],
    }


ROUTING = "R0UT1NGKEY0000000000000000000000"


def test_pagerduty() -> None:
    request = said("pagerduty", ROUTING, "https://events.pagerduty.com/v2/enqueue")
    assert json.loads(request.body) == {
        "routing_key": ROUTING,
        "event_action": "trigger",
        "dedup_key": "incident:42",
        "payload": {
            "summary": "INC-0042: Claims bot gives wrong sums",
            "source": "Govportal",
            "severity": "critical",
            "timestamp": "2026-11-20T09:00:00Z",
            "custom_details": {
                "text": "You lead the response. <!channel> & more",
                "System": "Claims bot",
                "to": "+493055500142",
            },
        },
        "client": "Govportal",
        "client_url": "https://govportal.example.org/incidents/INC-0042/",
        "links": [{"href": "https://govportal.example.org/incidents/INC-0042/", "text": "Open in Govportal"}],
    }


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_pagerduty_is_told_of_the_end_by_the_same_key(action: str) -> None:
    request = said("pagerduty", ROUTING, action=action)
    assert json.loads(request.body) == {
        "routing_key": ROUTING, "event_action": action, "dedup_key": "incident:42",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "pagerduty", "opsgenie"),
    [("sev1", "critical", "P1"), ("sev2", "error", "P2"), ("sev3", "warning", "P3"), ("sev4", "info", "P4"),
     ("", "error", "P2"), ("unclassified", "error", "P2")],
)  # fmt: skip
def test_severities(severity: str, pagerduty: str, opsgenie: str) -> None:
    assert json.loads(said("pagerduty", severity=severity).body)["payload"]["severity"] == pagerduty
    assert json.loads(said("opsgenie", severity=severity).body)["priority"] == opsgenie


def test_opsgenie() -> None:
    request = said("opsgenie", "a-key-of-opsgenie", "https://api.opsgenie.com/v2/alerts")
    assert request.url == "https://api.opsgenie.com/v2/alerts"
    assert request.headers == {"Content-Type": "application/json", "Authorization": "GenieKey a-key-of-opsgenie"}
    assert json.loads(request.body) == {
        "message": "INC-0042: Claims bot gives wrong sums",
        "alias": "incident:42",
        "description": "You lead the response. <!channel> & more\n\nhttps://govportal.example.org/incidents/INC-0042/",
        "priority": "P1",
        "source": "Govportal",
        "details": {"System": "Claims bot", "to": "+493055500142"},
    }


@pytest.mark.parametrize(("action", "verb"), [("acknowledge", "acknowledge"), ("resolve", "close")])
def test_opsgenie_is_told_of_the_end_by_the_alias(action: str, verb: str) -> None:
    request = said("opsgenie", "a-key-of-opsgenie", "https://api.opsgenie.com/v2/alerts/", action=action)
    assert request.url == f"https://api.opsgenie.com/v2/alerts/incident%3A42/{verb}?identifierType=alias"
    assert json.loads(request.body) == {"source": "Govportal", "note": "INC-0042: Claims bot gives wrong sums"}


def test_the_opsgenie_of_a_drill_has_its_tag() -> None:
    assert json.loads(said("opsgenie", mode="drill").body)["tags"] == ["drill"]


@pytest.mark.parametrize(("mode", "prefix"), [("drill", "DRILL: "), ("test", "TEST: ")])
def test_a_drill_and_a_test_say_so_in_every_text(mode: str, prefix: str) -> None:
    title, text = f"{prefix}INC-0042: Claims bot gives wrong sums", f"{prefix}You lead the response. <!channel> & more"
    data = json.loads(said("generic", mode=mode).body)["data"]
    assert (data["title"], data["text"], data["thread"]) == (title, text, f"{mode}:incident:42")
    card = json.loads(said("teams", mode=mode).body)["attachments"][0]["content"]
    assert (card["fallbackText"], card["body"][0]["text"], card["body"][1]["text"]) == (title, title, text)
    blocks = json.loads(said("slack", mode=mode, to="").body)
    assert blocks["text"] == title
    assert blocks["blocks"][0]["text"]["text"] == title
    assert blocks["blocks"][1]["text"]["text"].startswith(prefix)
    event = json.loads(said("pagerduty", mode=mode).body)
    assert (event["payload"]["summary"], event["payload"]["custom_details"]["text"]) == (title, text)
    assert event["dedup_key"] == f"{mode}:incident:42"
    alert = json.loads(said("opsgenie", mode=mode).body)
    assert alert["message"] == title
    assert alert["description"].startswith(prefix)
    # Said once, also where the caller said it already.
    assert json.loads(said("generic", mode=mode, title=title).body)["data"]["title"] == title


def test_what_is_too_long_is_cut_and_two_keys_never_become_one() -> None:
    long = {"title": "t" * 5000, "text": "x" * 50_000, "thread": "k" * 600}
    event = json.loads(said("pagerduty", **long).body)
    assert len(event["payload"]["summary"]) == 1024
    assert len(event["dedup_key"]) == 64
    assert event["dedup_key"] != json.loads(said("pagerduty", **{**long, "thread": "k" * 599}).body)["dedup_key"]
    alert = json.loads(said("opsgenie", **long).body)
    assert (len(alert["message"]), len(alert["description"])) == (130, 15000)
    blocks = json.loads(said("slack", **long).body)["blocks"]
    assert (len(blocks[0]["text"]["text"]), len(blocks[1]["text"]["text"])) == (150, 3000)


def test_little_content_is_enough() -> None:
    for kind in ("generic", "slack", "teams", "pagerduty", "opsgenie"):
        request = request_of(kind, Outgoing("k", {"title": "T"}, "https://h.example.org/", SECRET, SITE, NOW))
        assert b"T" in request.body
