"""What an owner's answers are held against, and what has changed on the register since."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from apps.attestations.models import Assignment, ScopeSnapshot
from apps.attestations.rules import Against, Given
from apps.people.models import Person
from apps.registry.models import System


def held_against(assignment: Assignment, today: date) -> Against:
    """The frozen facts of an assignment with what changed before them, and its period."""
    return Against(
        json.loads(assignment.snapshot.facts),
        assignment.campaign.quarter.first_day,
        today,
        tuple(assignment.snapshot.changes),
    )


def facts_before(snapshot: ScopeSnapshot) -> dict[str, Any] | None:
    """The facts of the snapshot that this one was compared with. One query; None for the first."""
    before = (
        ScopeSnapshot.objects.filter(system_id=snapshot.system_id, taken_at__lt=snapshot.taken_at)
        .order_by("-taken_at", "-pk")
        .values_list("facts", flat=True)
        .first()
    )
    facts: dict[str, Any] | None = json.loads(before) if before else None
    return facts


def facts_now(system: System) -> dict[str, Any]:
    """What the register says now, in the form of the frozen facts, for a comparison. One query."""
    return {
        "owner": {"id": str(system.owner_id), "name": system.owner.display_name, "basis": system.owner_basis,
                  "since": None},
        "unit": {"id": system.unit_id, "name": system.unit.name},
        "purpose": system.purpose,
        "tier": system.tier,
        "stage": system.stage,
        "regulatory_class": system.regulatory_class,
        "operating_model": system.operating_model,
        "vendor": system.vendor,
        "model": system.model,
        "identities": [
            f"{kind}: {value}"
            for kind, value in system.identities.order_by("kind", "value").values_list("kind", "value")
        ],
    }  # fmt: skip


def people_in(answers: Iterable[Given]) -> dict[str, Person]:
    """The people who are named in answers, by id. One query, or none."""
    ids = {found for given in answers for found in (given.person, given.plan_owner) if _is_id(found)}
    return {str(pk): person for pk, person in Person.objects.in_bulk(list(ids)).items()} if ids else {}


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4
