"""Letters of the matrix for tests, put in force without the drafts that people use."""

from typing import Any

from apps.people.models import Person
from apps.registry.models import RaciAssignment, System, Unit
from apps.registry.models.raci import RaciVersion
from tests.factories import NOW


def an_a(
    domain: str,
    *,
    unit: Unit | None = None,
    system: System | None = None,
    function: str | None = None,
    person: Person | None = None,
) -> RaciAssignment:
    """An A in force, with the R that each row needs and a version of its own; without a party it is the owner's."""
    scope: dict[str, Any] = {"unit": unit, "system": system, "domain_id": domain, "valid_from": NOW}
    number = RaciVersion.objects.filter(unit=unit, system=system).count() + 1
    scope["version"] = RaciVersion.objects.create(unit=unit, system=system, number=number, applied_at=NOW)
    RaciAssignment.objects.create(**scope, letter="R", function_id="engineering")
    party = {"function_id": function, "person": person, "is_owner": function is None and person is None}
    return RaciAssignment.objects.create(**scope, letter="A", **party)
