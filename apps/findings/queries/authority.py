"""Who may accept a risk, and who verifies an action, by the matrix as it is in force."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from apps.findings.models import CorrectiveAction, Finding
from apps.findings.rules import GRAVE, RESIDUAL_RISK
from apps.people.models import Person
from apps.people.queries import seats_of
from apps.registry.models import GovernanceDomain, Mandate, Unit
from apps.registry.queries.succession import mandate_holder

# The A of one domain where a finding is: the most specific scope that says anything about the domain stands.
_ACCOUNTABLE_SQL = """
WITH RECURSIVE up(id, parent_id, height) AS (
    SELECT u.id, u.parent_id, 0 FROM registry_unit u WHERE u.id = %(unit)s
    UNION ALL SELECT u.id, u.parent_id, up.height + 1 FROM registry_unit u JOIN up ON u.id = up.parent_id),
cells AS (
    SELECT r.letter, r.function_id,
           COALESCE(r.person_id, seat.holder_id, CASE WHEN r.is_owner THEN %(owner)s::uuid END) AS person_id,
           CASE WHEN r.system_id IS NOT NULL THEN 1000000 WHEN r.unit_id IS NOT NULL THEN 1000 - up.height ELSE 0 END
               AS depth
    FROM registry_raciassignment r
    LEFT JOIN up ON up.id = r.unit_id
    LEFT JOIN people_seat seat ON seat.function_id = r.function_id
    WHERE r.valid_to IS NULL AND r.domain_id = %(domain)s
      AND (r.system_id = %(system)s OR up.id IS NOT NULL OR (r.system_id IS NULL AND r.unit_id IS NULL)))
SELECT function_id, person_id FROM cells
WHERE letter = 'A' AND depth = (SELECT max(depth) FROM cells) LIMIT 1
"""


@dataclass(frozen=True)
class Authority:
    """Why somebody may accept a risk: by a seat, or by holding the mandate."""

    function: str | None
    words: str


def accountable(finding: Finding, domain: str) -> tuple[str | None, UUID | None]:
    """The A of a domain where the finding is: its function, if it is one, and the person today. One query."""
    system = finding.system
    params: dict[str, Any] = {
        "unit": system.unit_id if system else finding.unit_id,
        "system": finding.system_id,
        "owner": system.owner_id if system else None,
        "domain": domain,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTABLE_SQL, params)
        row = cursor.fetchone()
    return (row[0], row[1]) if row else (None, None)


def authority_over(finding: Finding, person: Person) -> Authority | None:
    """By what a person may accept the risk of a finding now; None where they may not.

    Critical and high: who is accountable for accepting residual risk there, or who holds the mandate and the
    board's seat. Medium and low: a seat holder who is accountable for the finding's domain, or who holds the
    mandate. Three queries at most.
    """
    held = seats_of(person)
    if not held or not person.is_active:
        return None
    mandate = Mandate.objects.filter(holder_id__in=held).values_list("holder_id", flat=True).first()
    if finding.severity in GRAVE:
        function, accountable_person = accountable(finding, RESIDUAL_RISK)
        if accountable_person == person.pk:
            return Authority(function, "Accountable for accepting residual risk")
        both = mandate is not None and "board" in held
        return Authority(mandate, "Holds the mandate and the board's seat") if both else None
    if finding.domain_id is not None and accountable(finding, finding.domain_id)[1] == person.pk:
        domain = finding.domain or GovernanceDomain.objects.get(pk=finding.domain_id)
        return Authority(accountable(finding, finding.domain_id)[0], f"Accountable for {domain.name.lower()}")
    return Authority(mandate, "Holds the governance mandate") if mandate else None


def who_may_accept(finding: Finding) -> str:
    """A sentence that names who has the authority."""
    if finding.severity in GRAVE:
        person = accountable(finding, RESIDUAL_RISK)[1]
        name = Person.objects.filter(pk=person).values_list("display_name", flat=True).first() if person else None
        if name:
            return f"Only {name}, who is accountable for accepting residual risk, may accept this."
        return "A critical or high risk is accepted by who is accountable for residual risk. That seat is vacant."
    return "Only a seat holder who is accountable for this domain, or the holder of the mandate, may accept this."


def verifier_for(action: CorrectiveAction, *, done_by: Person) -> Person | None:
    """Who is asked to verify: not who did it and not who was to.

    The first of: who puts the finding right, who planned the action, who reported it, the system's owner, the
    unit's head, the mandate holder.
    """
    finding = action.finding
    system = finding.system
    unit = Unit.objects.select_related("head").filter(pk=(system.unit_id if system else finding.unit_id) or 0).first()
    candidates = [
        finding.person,
        action.planned_by,
        finding.raised_by,
        system.owner if system else None,
        unit.head if unit else None,
        mandate_holder(),
    ]
    barred = {done_by.pk, action.person_id}
    for person in candidates:
        if person and person.pk not in barred and person.is_active and person.kind == Person.Kind.HUMAN:
            return person
    return None
