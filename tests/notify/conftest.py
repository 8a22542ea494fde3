"""Messages to deliver and servers to take them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.notify.actions import enqueue
from apps.notify.models import Message
from tests.notify.server import Box, Scripted, mail_server

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def box(settings: Any) -> Iterator[Box]:
    """A mail server that works; the settings point to it."""
    box = Box()
    with mail_server(box) as port:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield box


@pytest.fixture
def scripted(settings: Any) -> Iterator[Callable[..., Scripted]]:
    """A maker of mail servers that break off; the settings point to the last one made."""
    with ExitStack() as stack:

        def make(**how: Any) -> Scripted:
            server = Scripted(**how)
            stack.callback(server.stop)
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
            settings.EMAIL_TIMEOUT = 0.5
            return server

        yield make


@pytest.fixture
def say() -> Callable[..., Message]:
    """Puts one message into the outbox."""

    def put(recipient: Any, key: str = "test:1", **fields: Any) -> Message:
        fields = {"subject": "Answer for Claims bot", "body": "Somebody asks.", "path": "/who/", **fields}
        enqueue(key=key, recipient=recipient, now=NOW, **fields)
        return Message.objects.get(key=key)

    return put
