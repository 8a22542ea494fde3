"""The verbs of channels and endpoints for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.notify.actions import channels, endpoints
from tests.notify.webhooks_world import ROUTING, code_of

# A test enqueues; the confirmation is the event.
NO_VERBS = {"enqueue_delivery", "enqueue_deliveries", "send_to", "send_to_many", "test_channel"}


def _by(w: Any) -> dict[str, Any]:
    return {"actor": w.cast.ada, "now": w.by["now"]}


def _endpoint(w: Any) -> Any:
    return endpoints.add_endpoint(
        name="Pager", kind="pagerduty", url="https://93.184.215.14/v2/enqueue", secret=ROUTING,
        created_by=w.cast.mara, **w.by,
    ).endpoint  # fmt: skip


def _channel(w: Any) -> Any:
    return channels.add_channel(w.cast.ada, kind="email", **_by(w))


def _verified(w: Any) -> Any:
    made = _channel(w)
    channels.verify_channel(made, code_of(made), **_by(w))
    channels.test_channel(made, actor=w.cast.ada, now=w.by["now"] + timedelta(minutes=2))
    return made


def _two(w: Any) -> Any:
    _channel(w)
    return channels.add_channel(w.cast.ada, kind="sms", address="+493055500142", endpoint=_endpoint(w), **_by(w))


def _made(make: Callable[[Any], Any], act: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
    """The thing is made before the count begins, the verb runs after."""

    def prepare(w: Any) -> Callable[[], Any]:
        made = make(w)
        return lambda: act(w, made)

    return prepare


VERBS: dict[str, tuple[Callable[[Any], Callable[[], Any]], dict[str, int]]] = {
    "add_channel": (lambda w: lambda: _channel(w), {"channel.added": 1}),
    "verify_channel": (
        _made(_channel, lambda w, one: channels.verify_channel(one, code_of(one), **_by(w))), {"channel.verified": 1},
    ),
    "confirm_test": (
        _made(_verified, lambda w, one: channels.confirm_test(one, code_of(one), **_by(w))), {"channel.tested": 1},
    ),
    "move_channel": (
        _made(_two, lambda w, one: channels.move_channel(one, up=True, **_by(w))), {"channel.moved": 1},
    ),
    "remove_channel": (
        _made(_channel, lambda w, one: channels.remove_channel(one, **_by(w))), {"channel.removed": 1},
    ),
    "add_endpoint": (lambda w: lambda: _endpoint(w), {"endpoint.added": 1}),
    "change_endpoint": (
        _made(_endpoint, lambda w, one: endpoints.change_endpoint(one, name="New", announces=True, **w.by)),
        {"endpoint.changed": 1},
    ),
    "test_endpoint": (_made(_endpoint, lambda w, one: endpoints.test_endpoint(one, **w.by)), {"endpoint.tested": 1}),
    "end_endpoint": (_made(_endpoint, lambda w, one: endpoints.end_endpoint(one, **w.by)), {"endpoint.ended": 1}),
}  # fmt: skip
