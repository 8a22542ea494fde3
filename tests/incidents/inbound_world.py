"""What tests of inbound messages share: sources, samples, sending."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.test import Client

from apps.incidents.actions.inbound import add_source
from apps.incidents.models import InboundSource

SAMPLES = Path(__file__).parent / "inbound"
NOW = datetime(2026, 11, 20, 9, 14, tzinfo=UTC)
BASE = "/api/v1/inbound"


def sample(name: str, **other: Any) -> dict[str, Any]:
    """A payload, with some values replaced."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found | other


def mail(name: str, token: str, **replaced: str) -> bytes:
    """A mail, addressed to this token, with some words replaced."""
    text = (SAMPLES / f"{name}.eml").read_text(encoding="utf-8")
    text = text.replace("inb_0a1b2c3d_" + "a2b3c4d5" * 5, token)
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text.encode()


def a_source(cast: Any, kind: str = "alertmanager", **more: Any) -> tuple[InboundSource, str]:
    """A source that Mara added."""
    values = {"name": f"{kind.capitalize()} of the tests", "kind": kind, "actor": cast.mara, "now": NOW} | more
    return add_source(**values)


def send(kind: str, body: Any, token: str = "", *, path: str = "", **headers: str) -> Any:
    """POST to a source's address; the token goes into the header."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    is_mail = isinstance(body, bytes)
    return Client(headers=headers).post(
        path or f"{BASE}/{kind}/",
        body if is_mail else json.dumps(body),
        content_type="message/rfc822" if is_mail else "application/json",
    )
