"""Endpoints and channels for the tests, made by the verbs that people use."""

import re
from datetime import timedelta
from typing import Any

from apps.notify.actions.channels import add_channel, verify_channel
from apps.notify.actions.endpoints import Saved, add_endpoint
from apps.notify.models import Channel, Delivery, Endpoint, Message
from tests.notify.conftest import NOW

ROUTING = "R0UT1NGKEY0000000000000000000000"


def an_endpoint(by: Any, url: str, *, kind: str = "generic", name: str = "Gateway", **fields: Any) -> Saved:
    """An endpoint of a kind, saved."""
    secret = {"pagerduty": ROUTING, "opsgenie": "a-key-of-opsgenie"}.get(kind, "")
    fields = {"secret": secret, "now": NOW, **fields}
    return add_endpoint(name=name, kind=kind, url=url, actor=by, created_by=by, **fields)


def code_of(channel: Channel) -> str:
    """The code that was sent last, read where it went."""
    sent = Delivery.objects.filter(channel=channel, content__type="channel.code").order_by("-pk").first()
    text = sent.content["text"] if sent else _mail(channel).body
    return str(re.findall(r"\d{6}", text)[0])


def _mail(channel: Channel) -> Message:
    found = Message.objects.filter(recipient=channel.person, key__contains=f":code:{channel.pk}:").order_by("-pk")
    return found[0]


def a_channel(person: Any, endpoint: Endpoint | None, *, kind: str = "sms", address: str = "+493055500142") -> Channel:
    """A channel whose code came back a minute after it was sent."""
    channel = add_channel(person, kind=kind, address=address, endpoint=endpoint, actor=person, now=NOW)
    return verify_channel(channel, code_of(channel), actor=person, now=NOW + timedelta(minutes=1))
