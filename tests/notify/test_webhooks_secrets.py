"""What the other side says back does not bring a secret into a list; what somebody wrote is no link in a chat."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest

from apps.notify.actions.deliveries import enqueue_delivery
from apps.notify.models import Delivery
from apps.notify.rules.webhooks import Outgoing, request_of
from apps.notify.secrets import unseal
from apps.notify.webhooks import deliver_webhooks
from tests.notify.receiver import Receiver, listening
from tests.notify.webhooks_world import an_endpoint

NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A server on this machine, to which the portal may speak without TLS."""
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with listening(Receiver()) as found:
        yield found


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["generic", "slack", "teams", "pagerduty", "opsgenie"])
@pytest.mark.parametrize("status", [400, 502])
def test_an_answer_that_says_the_secret_back_is_kept_without_it(
    cast: Any, receiver: Receiver, kind: str, status: int
) -> None:
    endpoint = an_endpoint(cast.mara, receiver.url("/services/T/B/very-secret"), kind=kind).endpoint
    assert endpoint.secret is not None
    secret = unseal(endpoint.secret, row=endpoint.pk)
    receiver.status, receiver.text = status, f"no: {secret} /services/T/B/very-secret {secret.removeprefix('whsec_')}"
    enqueue_delivery(key="k", endpoint=endpoint, content={"title": "T"}, now=NOW)

    deliver_webhooks(clock_now=lambda: NOW, limit=1)

    error = Delivery.objects.get(key="k").error
    assert str(status) in error
    assert secret not in error
    assert secret.removeprefix("whsec_") not in error
    if kind in {"slack", "teams"}:
        assert "very-secret" not in error


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_what_somebody_wrote_is_no_link_and_calls_nobody_in_a_chat(kind: str) -> None:
    words = "<!channel> [sign in](https://evil.example) <https://evil.example|here>"
    content = {"title": words, "text": words, "facts": [["Where", words]]}
    one = Outgoing("k", content, "https://hooks.example.org/x", "https://hooks.example.org/x", "https://p.example", NOW)
    body = json.loads(request_of(kind, one).body)
    said = json.dumps({name: part for name, part in body.items() if name != "blocks"}, ensure_ascii=False)
    if kind == "teams":
        assert "](" not in said
    for block in body.get("blocks", []):
        for text in [block.get("text"), *block.get("fields", [])]:
            if text and text["type"] == "mrkdwn":
                assert "<!" not in text["text"]
                assert "<https://evil" not in text["text"]
