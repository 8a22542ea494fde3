"""Receipts: whose they are, and what stands on them."""

import json
from typing import Any

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import Campaign, Review, Signature
from apps.attestations.rules import read_date
from apps.people.models import Person
from apps.registry.queries import visible_systems


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
    """What a receipt shows beside the signature itself: what was signed, read from the payload."""
    payload: dict[str, Any] = json.loads(signature.payload)
    sections = payload.get("sections", [])
    for part in sections:
        for answer in part["answers"]:
            answer["plan_date"] = read_date(answer.get("plan_date", "")) or answer.get("plan_date", "")
    return {"payload": payload, "sections": sections, "late": payload.get("late", False)}
