"""Pages: how you are reached, endpoints, what was not delivered."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from apps.common import clock
from apps.notify.actions.channels import add_channel
from apps.notify.actions.deliveries import enqueue_delivery
from apps.notify.models import Channel, Delivery, Endpoint, Message
from apps.notify.webhooks import deliver_webhooks
from apps.portal.tasks import ask_for_tests
from tests.cast import Cast
from tests.factories import a_system
from tests.notify.receiver import Receiver, listening, verifies
from tests.notify.webhooks_world import ROUTING, a_channel, an_endpoint, code_of

URL = "https://93.184.215.14/in"
NUMBER = "+493055500142"
CHANNELS = "/profile/channels/"
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    return str(response.content.decode())


def test_who_has_nothing_tests_the_address_of_the_profile(cast: Cast, browse: Browse) -> None:
    ada = browse(cast.ada)
    page = text(ada.get(CHANNELS))
    assert "ada@example.org" in page
    assert "Never tested" in page
    assert "Those who manage incidents add it." in page
    assert ada.post(CHANNELS, {"do": "email"}).status_code == 302
    channel = Channel.objects.get(person=cast.ada)
    code = code_of(channel)
    page = text(ada.get(f"{CHANNELS}?channel={channel.pk}&code={code}"))
    assert f'value="{code}"' in page
    assert channel.tested_at is None, "looking at the page confirms nothing"
    response = ada.post(CHANNELS, {"do": "confirm", "channel": channel.pk, "code": code}, follow=True)
    assert "It arrived: e-mail ada@example.org is tested." in text(response)
    assert "Tested " in text(response)


def test_a_number_is_added_and_confirmed(cast: Cast, browse: Browse) -> None:
    endpoint, ada = an_endpoint(cast.mara, URL).endpoint, browse(cast.ada)
    form = {"do": "add", "kind": "sms", "address": "+49 30 5550 0142", "endpoint": endpoint.pk}
    bad = ada.post(CHANNELS, {**form, "address": "0142"})
    assert (bad.status_code, Channel.objects.count()) == (422, 0)
    assert "Write the number with its country" in text(bad)
    assert ada.post(CHANNELS, form).status_code == 302
    channel = Channel.objects.get()
    page = text(ada.get(CHANNELS))
    assert "Not confirmed: nothing is sent here yet" in page
    wrong = ada.post(CHANNELS, {"do": "confirm", "channel": channel.pk, "code": "12345"})
    assert wrong.status_code == 422
    assert "The code has six digits." in text(wrong)
    bad_code = f"{(int(code_of(channel)) + 1) % 1_000_000:06d}"
    wrong = ada.post(CHANNELS, {"do": "confirm", "channel": channel.pk, "code": bad_code})
    assert wrong.status_code == 422
    assert "This is not the code that was sent. 4 tries left." in text(wrong)
    channel.refresh_from_db()
    assert channel.code_tries == 1
    ada.post(CHANNELS, {"do": "confirm", "channel": channel.pk, "code": code_of(channel)})
    channel.refresh_from_db()
    assert channel.verified_at is not None
    again = ada.post(CHANNELS, form)
    assert again.status_code == 422
    assert "This way to reach you is here already." in text(again)
    assert ada.post(CHANNELS, {"do": "send", "channel": channel.pk}).status_code == 422
    assert ada.post(CHANNELS, {"do": "remove", "channel": channel.pk}).status_code == 302
    assert ada.post(CHANNELS, {"do": "remove", "channel": channel.pk}).status_code == 404


def test_the_order_is_changed(cast: Cast, browse: Browse) -> None:
    sms = a_channel(cast.ada, an_endpoint(cast.mara, URL).endpoint)
    mail = a_channel(cast.ada, None, kind="email", address="")
    ada = browse(cast.ada)
    ada.post(CHANNELS, {"do": "move", "way": "up", "channel": mail.pk})
    page = text(ada.get(CHANNELS))
    assert page.index("ada@example.org</span>") < page.index(NUMBER)
    ada.post(CHANNELS, {"do": "move", "way": "down", "channel": mail.pk})
    page = text(ada.get(CHANNELS))
    assert page.index(NUMBER) < page.index("ada@example.org</span>")
    assert ada.post(CHANNELS, {"do": "move", "way": "up", "channel": sms.pk}).status_code == 422


@pytest.mark.parametrize("do", ["send", "confirm", "move", "remove"])
def test_somebody_elses_channel_is_not_there(cast: Cast, browse: Browse, do: str) -> None:
    channel = a_channel(cast.ada, an_endpoint(cast.mara, URL).endpoint)
    for number in (channel.pk, "x", "9" * 30, ""):
        response = browse(cast.mara).post(CHANNELS, {"do": do, "channel": number, "code": "123456"})
        assert response.status_code == 404
    channel.refresh_from_db()
    assert (channel.removed_at, channel.code_tries, Delivery.objects.count()) == (None, 0, 1)


def test_a_code_that_did_not_get_through_is_told(cast: Cast, browse: Browse) -> None:
    endpoint = an_endpoint(cast.mara, URL).endpoint
    channel = add_channel(cast.ada, kind="sms", address=NUMBER, endpoint=endpoint, actor=cast.ada, now=clock.now())
    Delivery.objects.update(state="claimed", claimed_at=clock.now())
    Delivery.objects.update(state="failed", error="The other side answered 500")
    assert "The last code did not get through: The other side answered 500" in text(browse(cast.ada).get(CHANNELS))
    assert channel.verified_at is None


def test_an_endpoint_is_added_and_its_secret_is_shown_once(cast: Cast, browse: Browse, settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    mara = browse(cast.mara)
    with listening(Receiver()) as receiver:
        form = {"name": "Gateway", "kind": "generic", "url": receiver.url(), "announces": "on"}
        response = mara.post("/endpoints/new/", form)
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        secret = text(response).split('class="well mono break-anywhere">')[1].split("<")[0]
        endpoint = Endpoint.objects.get()
        assert (endpoint.announces, endpoint.created_by) == (True, cast.mara)
        here = f"/endpoints/{endpoint.pk}/"
        assert secret not in text(mara.get(here))
        assert "Never tested as it is now" in text(mara.get(here))
        assert "A test is on its way" in text(mara.post(here, {"do": "test"}, follow=True))
        assert deliver_webhooks().sent == 1
        page = text(mara.get(here))
        assert "The last test arrived on" in page
        assert verifies(secret, receiver.taken[0])
        assert receiver.taken[0].json["data"]["title"] == "TEST: Govportal reaches Gateway"
    assert "Arrived" in text(mara.get("/endpoints/"))


def test_a_refused_address_is_told_with_the_reason(cast: Cast, browse: Browse) -> None:
    form = {"name": "Gateway", "kind": "generic", "url": "https://169.254.169.254/latest/meta-data/"}
    response = browse(cast.cleo).post("/endpoints/new/", form)
    assert (response.status_code, Endpoint.objects.count()) == (422, 0)
    assert "The portal does not send there: 169.254.169.254 is a link-local address." in text(response)


def test_an_endpoint_is_changed_and_ended(cast: Cast, browse: Browse) -> None:
    pager, cleo = an_endpoint(cast.mara, URL, kind="pagerduty", name="Pager").endpoint, browse(cast.cleo)
    here = f"/endpoints/{pager.pk}/"
    assert ROUTING not in text(cleo.get(here))
    response = cleo.post(here, {"do": "change", "name": "Duty", "url": "https://93.184.215.15/x"})
    assert response.status_code == 422
    assert "Enter the key again" in text(response)
    assert cleo.post(here, {"do": "change", "name": "Duty"}).status_code == 302
    pager.refresh_from_db()
    assert (pager.name, pager.url) == ("Duty", URL)
    assert "End Duty" in text(cleo.get(f"{here}?do=end"))
    assert cleo.post(here, {"do": "end"}).status_code == 302
    assert "Ended on" in text(cleo.get(here))
    assert cleo.post(here, {"do": "test"}).status_code == 422
    assert cleo.post(here, {"do": "nothing"}).status_code == 422


def test_endpoints_are_for_those_who_manage_incidents(cast: Cast, browse: Browse) -> None:
    pager = an_endpoint(cast.mara, URL).endpoint
    for person in (cast.dov, cast.ada, cast.eve, cast.bo):
        client = browse(person)
        for path in ("/endpoints/", "/endpoints/new/", f"/endpoints/{pager.pk}/"):
            assert client.get(path).status_code == 403
            assert client.post(path, {"do": "end"}).status_code in {403, 405}
        assert "/endpoints/" not in text(client.get("/"))
    assert 'href="/endpoints/"' in text(browse(cast.cleo).get("/"))
    assert browse(cast.mara).get("/endpoints/999999/").status_code == 404
    assert Endpoint.objects.filter(ended_at=None).count() == 1


def test_requests_that_were_not_taken_are_listed_beside_the_mail(cast: Cast, browse: Browse) -> None:
    endpoint = an_endpoint(cast.mara, URL, name="Duty gateway").endpoint
    channel = a_channel(cast.ada, endpoint)
    enqueue_delivery(
        key="x", endpoint=endpoint, content={"type": "incident.page", "title": "Secret title"}, channel=channel,
        now=clock.now(),
    )  # fmt: skip
    Delivery.objects.filter(key="x").update(state="claimed", claimed_at=clock.now(), attempts=6)
    Delivery.objects.filter(key="x").update(state="failed", error="The other side answered 500")
    mara = browse(cast.mara)
    assert "Every mail was delivered" in text(mara.get("/mail/"))
    page = text(mara.get("/mail/?show=webhooks"))
    for said in ("Ada Nwosu", "Text message through Duty gateway", "incident.page", "answered 500", "tried 6 times"):
        assert said in page
    assert "Secret title" not in page


def test_pages_cost_the_same_however_many_there_are(
    cast: Cast, browse: Browse, django_assert_max_num_queries: Any
) -> None:
    endpoint = an_endpoint(cast.mara, URL).endpoint
    for number in range(3):
        an_endpoint(cast.mara, URL, name=f"Gateway {number}")
        enqueue_delivery(key=f"k{number}", endpoint=endpoint, content={"title": "T"}, now=clock.now())
    a_channel(cast.mara, endpoint)
    a_channel(cast.mara, endpoint, kind="chat", address="#duty")
    mara = browse(cast.mara)
    for path in ("/endpoints/", f"/endpoints/{endpoint.pk}/", CHANNELS, "/mail/?show=webhooks"):
        mara.get(path)
        with django_assert_max_num_queries(24):
            mara.get(path)


def test_once_a_quarter_those_who_are_called_are_asked_for_a_test(cast: Cast, time_machine: Any) -> None:
    """Mara, Cleo and Lea hold seats, Ada owns a live system; Ben was tested, Dov is not called."""
    a_system(cast, owner=cast.ada)
    time_machine.move_to("2026-11-20T09:00:00+00:00", tick=False)
    assert ask_for_tests() == 4
    assert ask_for_tests() == 0
    asked = Message.objects.filter(key__startswith="channel:ask:2026Q4:").select_related("recipient")
    assert {one.recipient for one in asked} == {cast.mara, cast.cleo, cast.lea, cast.ada}
    assert {(one.subject, one.path) for one in asked} == {("Show that you can be reached", CHANNELS)}
    channel = a_channel(cast.ada, None, kind="email", address="")
    tested = channel.tested_at
    assert tested is not None
    time_machine.move_to(tested + timedelta(days=60), tick=False)
    assert ask_for_tests() == 3, "a new quarter; Ada was tested within 90 days"
    time_machine.move_to(tested + timedelta(days=91), tick=False)
    assert ask_for_tests() == 1, "Ada, in the same quarter as the others before"


def test_an_endpoint_carries_what_it_can(cast: Cast, browse: Browse) -> None:
    chat = an_endpoint(cast.mara, "https://93.184.215.14/x", kind="slack", name="A chat").endpoint
    an_endpoint(cast.mara, URL)
    ada = browse(cast.ada)
    page = text(ada.get(CHANNELS))
    assert page.index("Gateway: texts, calls, chats") < page.index("A chat: chats")
    response = ada.post(CHANNELS, {"do": "add", "kind": "sms", "address": NUMBER, "endpoint": chat.pk})
    assert (response.status_code, Channel.objects.count()) == (422, 0)
    assert "A chat carries chats. Choose another." in text(response)
