"""What is signed, read back from the signature, and who may correct it."""

import json
from collections.abc import Mapping
from typing import Any

from apps.attestations.models import Assignment, Signature
from apps.attestations.rules import Given
from apps.people.models import Person


def may_correct(assignment: Assignment, person: Person) -> bool:
    """Who signed, and who owns the system today."""
    signature = assignment.signature
    return person.pk == assignment.system.owner_id or (signature is not None and signature.signer_id == person.pk)


def signed_answers(signature: Signature | None) -> dict[str, Given]:
    """The answers that a signature stands for, question by question. Empty for none."""
    if signature is None:
        return {}
    sections = json.loads(signature.payload)["sections"]
    return {answer["key"]: _given(answer) for part in sections for answer in part["answers"]}


_TEXTS = ("value", "comment", "plan", "plan_date", "severity", "control", "text", "day", "explanation")


def _given(answer: Mapping[str, Any]) -> Given:
    texts = {name: str(answer.get(name) or "") for name in _TEXTS}
    return Given(**texts, plan_owner=_id(answer.get("plan_owner")), person=_id(answer.get("person")))


def _id(person: Mapping[str, str] | None) -> str:
    return person["id"] if person else ""
