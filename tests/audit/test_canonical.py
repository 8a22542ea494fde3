"""What the trail writes quickly is what RFC 8785 says."""

import pytest
import rfc8785

from apps.audit.rules import canonical

BODIES = [
    {"b": "1", "a": {"d": None, "c": True}, "n": 5, "m": -(2**53) + 1},
    {"text": 'quote " backslash \\ slash / é € 😀 \u2028', "list": ["a", 1]},
    {"control": "\t\n\r\x08\x0c\x01\x7f", "é": "1", "z": 1.5},
    {},
]


@pytest.mark.parametrize("body", BODIES)
def test_the_same_bytes(body: dict[str, object]) -> None:
    assert canonical(body).encode() == rfc8785.dumps(dict(body))  # type: ignore[arg-type]
