"""Who responds, for the moment of declaring: the card, else the acting owner, else the mandate. Never nobody."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction

from apps.common.errors import Refused
from apps.incidents.models import ResponseRule
from apps.incidents.rules import SEVERITY_WORDS, Severity
from apps.people.models import Person
from apps.people.queries import acting_for
from apps.registry.models import System
from apps.registry.queries.succession import mandate_holder

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Responder:
    """Who leads a response, who answers for the system, and how that came about."""

    lead: Person
    owner: Person
    basis: str
    deputy: Person | None = None
    next_in_line: Person | None = None
    rule_id: int | None = None
    is_fallback: bool = False
    derivation: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What is frozen with the incident: opaque ids, no names."""
        return {
            "lead": str(self.lead.pk),
            "owner": str(self.owner.pk),
            "deputy": str(self.deputy.pk) if self.deputy else None,
            "next_in_line": str(self.next_in_line.pk) if self.next_in_line else None,
            "basis": self.basis,
            "rule": self.rule_id,
            "is_fallback": self.is_fallback,
            "derivation": self.derivation,
            "problems": self.problems,
        }


def responder(
    system: System | None, scenario: str, now: datetime, *, severity: str = "", fresh: bool = False
) -> Responder:
    """Who leads now. Declaring never fails because working this out fails: then a named fallback leads.

    With a severity, rules count that lead from it on; a card knows of none. `fresh` works it out at this moment, as is
    done for a severity too, instead of reading the card. Raises Refused only where nobody holds the mandate.
    """
    severity = "" if severity == Severity.UNCLASSIFIED else severity
    if system is not None:
        try:
            with transaction.atomic():
                found = _from_card(system, scenario, now, severity, fresh=fresh)
        except Exception:  # whatever the card holds, somebody is named
            log.exception("responder.failed", system=system.key)
            found = None
        if found is not None:
            return found
    return _fallback(system, now)


def others_by_severity(system: System | None, scenario: str, now: datetime, lead: Person) -> list[tuple[str, Person]]:
    """Who leads in place of this person at which severity, by rules from one on. One query where there is none."""
    by_severity = ResponseRule.objects.filter(valid_to=None).exclude(min_severity="")
    if system is None or not by_severity.exists():
        return []
    found = [
        (words, responder(system, scenario, now, severity=severity).lead)
        for severity, words in SEVERITY_WORDS.items()
        if severity != Severity.UNCLASSIFIED
    ]
    return [(words, person) for words, person in found if person.pk != lead.pk]


# What the database works out, whether it is written down as a card or asked for at this moment.
_CARDS = """
SELECT scenario, owner_id, lead_id, deputy_id, next_in_line_id, basis, rule_id, is_fallback, derivation, problems
FROM incidents_responsecard WHERE system_id = %(system)s AND scenario = ANY(%(scenarios)s)
"""
_NOW = """
SELECT scenario, owner_id, lead_id, deputy_id, next_in_line_id, basis, rule_id, is_fallback, derivation, problems
FROM incidents_resolve(ARRAY[%(system)s]::bigint[], %(scenarios)s, %(now)s, %(severity)s)
"""


@dataclass(frozen=True)
class _Row:
    scenario: str
    owner_id: UUID
    lead_id: UUID
    deputy_id: UUID | None
    next_in_line_id: UUID | None
    basis: str
    rule_id: int | None
    is_fallback: bool
    derivation: Any
    problems: list[str]


def _rows(system: System, scenario: str, now: datetime, severity: str, *, fresh: bool) -> dict[str, _Row]:
    """By scenario. Fresh is read, never written: cards are written at the end of a transaction, one after the other."""
    asked: dict[str, Any] = {"system": system.pk, "scenarios": [scenario, ""], "now": now, "severity": severity}
    with connection.cursor() as cursor:
        cursor.execute(_NOW if fresh or severity else _CARDS, asked)
        rows = [_Row(*row) for row in cursor.fetchall()]
    return {row.scenario: row for row in rows}


def _from_card(system: System, scenario: str, now: datetime, severity: str, *, fresh: bool) -> Responder | None:
    cards = _rows(system, scenario, now, severity, fresh=fresh)
    card = cards.get(scenario) or cards.get("")
    if card is None:
        return None
    ids = [pk for pk in (card.lead_id, card.owner_id, card.deputy_id, card.next_in_line_id) if pk]
    people = Person.objects.in_bulk(ids)
    if not _can_act(people.get(card.lead_id)) or card.owner_id not in people:
        return None
    derivation = json.loads(card.derivation) if isinstance(card.derivation, str) else card.derivation
    return Responder(
        people[card.lead_id],
        people[card.owner_id],
        card.basis,
        _one(people, card.deputy_id),
        _one(people, card.next_in_line_id),
        card.rule_id,
        card.is_fallback,
        derivation,
        list(card.problems),
    )


def _one(people: dict[UUID, Person], pk: UUID | None) -> Person | None:
    return people.get(pk) if pk else None


def _can_act(person: Person | None) -> bool:
    return person is not None and person.is_active and person.kind == Person.Kind.HUMAN


def _fallback(system: System | None, now: datetime) -> Responder:
    """The acting owner, else who acts for the mandate holder."""
    holder = mandate_holder()
    owner = System.objects.select_related("owner").get(pk=system.pk).owner if system is not None else None
    meant = owner if _can_act(owner) else holder
    if meant is None:
        raise Refused("Nobody holds the governance mandate yet. Run the first start before declaring incidents.")
    lead = acting_for(meant, now).acts
    steps = [{"step": "fallback", "person": str(lead.pk), "outcome": "chosen"}]
    why = ["no_card"] if system is not None else ["no_system"]
    return Responder(lead, owner or meant, "mandate" if meant != owner else "owner", None, holder,
                     None, True, steps, why)  # fmt: skip
