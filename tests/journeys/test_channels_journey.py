"""In a real browser: a gateway is set up and tested, and a person proves that it reaches them, at phone width too."""

import email
import email.policy
import re
import signal
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.notify.delivery import deliver_pending
from apps.notify.models import Channel
from apps.notify.webhooks import deliver_webhooks
from tests.cast import Cast
from tests.journeys.conftest import Site, free_port, start_web
from tests.journeys.looks import barriers, barriers_in_every_look
from tests.notify.receiver import Receiver, listening, verifies
from tests.notify.server import Box, mail_server

pytestmark = [pytest.mark.journey, pytest.mark.committed]


@pytest.fixture
def site(committed_db: str) -> Iterator[Site]:
    """A portal that may speak to receivers on this machine."""
    port = free_port()
    allowed = {"WEBHOOK_ALLOW_HTTP": "true", "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
    process = start_web(committed_db, port, **allowed)
    yield Site(f"http://localhost:{port}", committed_db)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with listening(Receiver()) as found:
        yield found


@pytest.mark.parametrize(
    "look", [{}, {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False}], ids=["desk", "phone"]
)
def test_from_an_endpoint_to_a_confirmed_number(
    visit: Any, receiver: Receiver, settings: Any, look: dict[str, Any]
) -> None:
    cleo, ada = visit(), visit(**look)
    cleo.sign_in("cleo")
    page = cleo.go("/endpoints/")
    expect(page.get_by_role("heading", name="No endpoint")).to_be_visible()
    page.get_by_role("link", name="Add an endpoint").click()
    page.get_by_label("Name").fill("Text gateway")
    page.get_by_label("Address").fill("https://10.0.0.5/hook")
    page.get_by_role("button", name="Add the endpoint").click()
    expect(page.get_by_text("10.0.0.5 is a private address").first).to_be_visible()
    assert barriers(cleo) == []
    page.get_by_label("Address").fill(receiver.url())
    page.get_by_role("button", name="Add the endpoint").click()
    secret = page.locator(".well").inner_text()
    assert barriers(cleo) == []
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("A test is on its way").first).to_be_visible()
    deliver_webhooks()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("The last test arrived on")).to_be_visible()
    assert barriers_in_every_look(cleo) == []
    assert verifies(secret, receiver.taken[0])

    ada.sign_in("ada")
    page = ada.go("/profile/channels/")
    page.get_by_label("Text message").check()
    page.get_by_label("Number or name").fill("+49 30 5550 0142")
    page.get_by_role("button", name="Add it and send a code").click()
    expect(page.get_by_text("Not confirmed: nothing is sent here yet")).to_be_visible()
    deliver_webhooks()
    said = receiver.taken[1].json["data"]
    assert (said["to"], said["by"]) == ("+493055500142", "sms")
    page = ada.go(said["link"].removeprefix(settings.SITE_URL))
    # Without script axe can't run.
    assert look or barriers_in_every_look(ada) == []
    expect(page.get_by_label("Code")).to_have_value(said["title"][:6])
    page.get_by_label("Code").fill("000000" if said["title"][:6] != "000000" else "000001")
    page.get_by_role("button", name="It arrived").click()
    expect(page.get_by_text("This is not the code that was sent. 4 tries left.").first).to_be_visible()
    assert look or barriers(ada) == []
    page.get_by_label("Code").fill(said["title"][:6])
    page.get_by_role("button", name="It arrived").click()
    expect(page.get_by_text(re.compile("Tested [0-9]"))).to_be_visible()
    assert look or barriers(ada) == []
    assert Channel.objects.get().person == Cast().ada
    assert ada.complaints == cleo.complaints == []


def test_a_mail_is_proved_by_its_link(visit: Any, settings: Any) -> None:
    ada, box = visit(), Box()
    ada.sign_in("ada")
    page = ada.go("/profile/channels/")
    assert barriers_in_every_look(ada) == []
    page.get_by_role("button", name="Send a test").click()
    with mail_server(box) as port:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.SITE_URL = "127.0.0.1", port, ada.site.url
        deliver_pending()
    mail: Any = email.message_from_bytes(box.mails[0], policy=email.policy.default)
    link = re.findall(r"http://localhost:\d+(/profile/channels/\S+)", mail.get_content())[0]
    page = ada.go(link)
    page.get_by_role("button", name="It arrived").click()
    expect(page.get_by_text(re.compile("Tested [0-9]"))).to_be_visible()
    assert ada.complaints == []
