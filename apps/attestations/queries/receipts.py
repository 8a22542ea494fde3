"""Receipts: whose they are, and what stands on them."""

import json
from collections.abc import Iterator
from typing import Any

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import Campaign, Review, RollupNode, Signature
from apps.attestations.rules import read_date
from apps.people.models import Person
from apps.registry.queries import visible_systems

# Term and text.
Line = tuple[str, str]
# So many are named on paper; the payload names all.
NAMED = 100


def campaign_of(signature: Signature) -> Campaign:
    """The campaign that a signature of any kind belongs to."""
    found = signature.assignment or signature.node or signature.exception
    if found is not None:
        return found.campaign
    review = Review.objects.select_related("assignment__campaign").filter(signed=signature).order_by("pk").first()
    if review is None:
        raise Campaign.DoesNotExist
    return review.assignment.campaign


def may_read_receipt(person: Person, signature: Signature) -> bool:
    """The signer, the owner of the system of today, and those who read campaigns and may see the system."""
    if signature.signer_id == person.pk:
        return True
    assignment = signature.assignment or (signature.exception.assignment if signature.exception else None)
    if assignment is None:
        return may(person, Permission.CAMPAIGN_READ)
    if not visible_systems(person).filter(pk=assignment.system_id).exists():
        return False
    return assignment.system.owner_id == person.pk or may(person, Permission.CAMPAIGN_READ)


def receipt_content(signature: Signature) -> dict[str, Any]:
    """What a receipt shows beside the signature itself: what was signed, read from the payload.

    `about` are lines of term and text for what has no sections: a step of the roll-up, a review, a decision.
    """
    payload: dict[str, Any] = json.loads(signature.payload)
    sections = payload.get("sections", [])
    for part in sections:
        for answer in part["answers"]:
            answer["plan_date"] = read_date(answer.get("plan_date", "")) or answer.get("plan_date", "")
    return {
        "payload": payload,
        "sections": sections,
        "late": payload.get("late", False),
        "about": [*_about_node(payload), *_about_reviews(payload), *_about_exception(payload)],
    }


def _about_node(payload: dict[str, Any]) -> Iterator[Line]:
    """A step of the roll-up: the place, what is below it, who is missing, what was added."""
    if "node" not in payload:
        return
    node, found = payload["node"], payload["below"]
    yield "Step of the roll-up", node["unit"]["name"] if node["unit"] else RollupNode.Level(node["level"]).label
    if node.get("place"):
        yield "Signed as", node["place"]
    yield "Systems below", str(found["total"])
    yield "Clean, with exceptions", f"{found['clean']}, {found['qualified']}"
    yield "Late, not attested", f"{found['late']}, {found['not_attested']}"
    if found["declined"]:
        yield "Declined below", str(found["declined"])
    missing = payload["not_attested"]
    for row in missing[:NAMED]:
        yield "Not attested", ", ".join(str(value) for value in row.values() if value)
    if len(missing) > NAMED:
        yield "Not attested", f"{len(missing) - NAMED} more, named in the signed payload"
    for row in payload["exceptions"]:
        yield f"Exception, {row['severity']}", f"{row['description']} {row['owner']['name']}, by {_day(row['due'])}"
    if payload.get("declined_because"):
        yield "Declined because", payload["declined_because"]


def _about_reviews(payload: dict[str, Any]) -> Iterator[Line]:
    """Which attestations a reviewer looked at, by the hash of each."""
    for row in payload.get("reviews", []):
        round_ = f", round {row['round']}" if row["round"] > 1 else ""
        yield "Attestation of", f"{row['system']['name']}{round_}, SHA-256 {row['attestation']}"
    checks = payload.get("checks", {})
    if checks:
        disagreed = sum(not check["agree"] for check in checks.values())
        yield "Answers looked at, disagreed", f"{len(checks)}, {disagreed}"


def _about_exception(payload: dict[str, Any]) -> Iterator[Line]:
    """The exception that was decided about."""
    if "exception" not in payload:
        return
    row = payload["exception"]
    yield f"Exception, {row['severity']}", row["description"]
    yield "Plan", f"{row['plan']} By {_day(row['due'])}"
    if payload.get("until"):
        yield "Until", _day(payload["until"])
    if payload.get("note"):
        yield "Note", payload["note"]


def _day(text: str) -> str:
    """A day of a payload in words."""
    found = read_date(text)
    return f"{found.day} {found:%b %Y}" if found else text
