"""Programs that call the API."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.access.actions import issue_token
from apps.common import clock


class Program:
    """An HTTP client that sends a token, or none."""

    def __init__(self, secret: str = "") -> None:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {secret}"} if secret else {}
        self.client = Client(**headers)

    def get(self, path: str, data: Any = None, **headers: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", data, **headers)

    def post(self, path: str, data: Any, **headers: Any) -> Any:
        headers.setdefault("content_type", "application/json")
        return self.client.post(f"/api/v1/{path}", data, **headers)


@pytest.fixture
def program(db: None) -> Callable[..., Program]:
    """A program with a token of a person, by default for reading and writing."""
    cache.clear()

    def make(person: Any = None, scopes: Iterable[str] = ("read", "write")) -> Program:
        if person is None:
            return Program()
        _, secret = issue_token(person, name="Test", scopes=scopes, actor=person, now=clock.now())
        return Program(secret)

    return make
