"""The manifest of a sealed campaign: canonical JSON with the hash of every fact, answer and signature. No Django.

docs/verify_campaign.py makes the same decisions again with nothing but Python's standard library.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from math import ceil
from typing import Any

FORMAT = "govportal-campaign/1"
# Everything in an answer that can be read later.
ANSWER_FIELDS = (
    "question", "value", "comment", "plan", "plan_date", "severity", "control", "plan_owner", "text", "person", "day",
    "fact", "contradiction", "explanation", "answered_by", "saved_at",
)  # fmt: skip


def dump(value: Any) -> str:
    """Canonical JSON (RFC 8785) of what the manifest is made of: texts, whole numbers, yes, no, null; ASCII keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hashed(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return sha256(text.encode()).hexdigest()


def listed(rows: Iterable[Any]) -> Iterator[str]:
    """The pieces of a canonical list, so that its size does not matter."""
    yield "["
    for place, row in enumerate(rows):
        yield ("," if place else "") + dump(row)
    yield "]"


def answers_line(key: str, number: int, answers: list[dict[str, Any]]) -> str:
    """All answers under one system as one line; its hash stands in the manifest."""
    return dump({"answers": answers, "key": key, "number": number})


def drawn(seed: str, percent: int, systems: Mapping[str, str]) -> dict[str, str]:
    """Key -> why it is sampled, from the tier of each system: every critical one, and of the others the share with
    the lowest hash of seed and key."""
    found = {key: "critical" for key, tier in systems.items() if tier == "critical"}
    others = sorted((hashed(f"{seed}:{key}"), key) for key, tier in systems.items() if tier != "critical")
    return found | {key: "random" for _, key in others[: ceil(len(others) * percent / 100)]}
