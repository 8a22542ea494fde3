"""A response card as plain values: for the API, and for the export that is read when the portal is down."""

from datetime import date, datetime
from typing import Any

from apps.incidents.queries.cards import Card, CardPerson


def as_json(card: Card) -> dict[str, Any]:
    """Everything that is on the card, in values that JSON knows."""
    return {
        "system": card.key,
        "name": card.system_name,
        "unit": card.unit,
        "operating_model": card.operating_model,
        "scenario": card.scenario,
        "answered_as": card.answered_as,
        "lead": person_json(card.lead),
        "acts_for": _maybe(card.acts_for),
        "owner": person_json(card.owner),
        "deputy": _maybe(card.deputy),
        "next_in_line": _maybe(card.next_in_line),
        "basis": card.basis,
        "is_fallback": card.is_fallback,
        "respond_within_minutes": card.respond_within,
        "stop": {
            "holders": [person_json(person) for person in card.stop.holders],
            "how": card.stop.how,
            "link": card.stop.link,
            "tested_on": _when(card.stop.tested_on),
        },
        "vendor": {
            "name": card.vendor.name,
            "channel": card.vendor.channel,
            "reference": card.vendor.reference,
            "must": card.vendor.must,
        },
        "evidence_how": card.evidence_how,
        "runbook": _runbook(card),
        "clocks": [
            {
                "key": clock.key, "instrument": clock.instrument, "article": clock.article, "title": clock.title,
                "time": clock.time_words, "recipient": clock.recipient, "status": clock.status,
            }
            for clock in card.clocks
        ],
        "by_severity": [
            {"from_severity": one.severity, "lead": {"id": str(one.person), "name": one.name, "phone": one.phone,
                                                     "email": one.email}}
            for one in card.by_severity
        ],
        "last_drill": _when(card.last_drill.at) if card.last_drill else None,
        "derivation": [_step(card, step) for step in card.derivation],
        "problems": list(card.problems),
        "computed_at": _when(card.computed_at),
    }  # fmt: skip


def person_json(person: CardPerson) -> dict[str, Any]:
    """Somebody on a card."""
    return {
        "id": str(person.id),
        "name": person.name,
        "title": person.title,
        "time_zone": person.time_zone,
        "channels": [
            {"kind": one.kind, "address": one.address, "tested_at": _when(one.tested_at)} for one in person.reaches
        ],
    }


def _maybe(person: CardPerson | None) -> dict[str, Any] | None:
    return person_json(person) if person else None


def _when(moment: date | datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _runbook(card: Card) -> dict[str, Any] | None:
    book = card.runbook
    if book is None:
        return None
    steps = [{"order": step.order, "title": step.title, "instruction": step.instruction} for step in book.steps]
    return {"key": book.key, "title": book.title, "version": book.version, "first_steps": steps}


def _step(card: Card, step: dict[str, Any]) -> dict[str, Any]:
    """A step with the name of whom it was about."""
    names = {str(pk): person.name for pk, person in card.people.items()}
    person = step.get("person")
    return {
        "step": step.get("step", ""),
        "where": step.get("label"),
        "person": names.get(person) if person else None,
        "outcome": step.get("outcome", ""),
    }
