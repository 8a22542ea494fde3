"""Who leads the response for a system in a scenario, with all that a responder has to know: one statement.

A card is read as the database worked it out. Where the day of somebody on it began or ended since, it is worked out
again first. Neither the broker nor a worker is needed.
"""

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction

from apps.incidents.queries.card_sql import CARD, STORED, WORKED_OUT
from apps.incidents.rules import FROM_SEVERITY, SECOND_CALL, Severity
from apps.people.models import Person
from apps.registry.models import System
from apps.registry.queries.acting import acting_owners
from apps.registry.queries.succession import mandate_holder

log = structlog.get_logger(__name__)

_STORED, _WORKED_OUT = CARD.format(card=STORED), CARD.format(card=WORKED_OUT)


@dataclass(frozen=True)
class Reach:
    """A way to reach somebody. `tested_at` is the last test that came through; None: only written in the profile."""

    kind: str  # phone | email | sms | voice | chat
    address: str
    tested_at: datetime | None = None


@dataclass(frozen=True)
class CardPerson:
    """Somebody on a card."""

    id: UUID
    name: str
    title: str
    phone: str
    email: str
    time_zone: str
    active: bool
    reaches: tuple[Reach, ...] = ()

    @property
    def tested_at(self) -> datetime | None:
        """When a test last came through to this person."""
        return max((one.tested_at for one in self.reaches if one.tested_at), default=None)


@dataclass(frozen=True)
class CardStep:
    """One of the first steps of the runbook."""

    order: int
    phase: str
    title: str
    instruction: str
    role: str


@dataclass(frozen=True)
class CardRunbook:
    """The runbook that stands for the system and scenario, with its first steps."""

    key: str
    title: str
    version: int
    scope: str
    review_due: date | None
    steps: tuple[CardStep, ...]
    all: int


@dataclass(frozen=True)
class CardClock:
    """A duty to report that may matter. Whether it does is decided in the incident, by the seat that decides."""

    key: str
    instrument: str
    article: str
    title: str
    trigger: str
    amount: int | None
    unit: str
    immediate: bool
    status: str
    recipient: str
    verified_on: date | None

    @property
    def time_words(self) -> str:
        """How long: "72 hours", "without undue delay, 15 days at most", or "no number in the text"."""
        units = {"h": "hour", "cal_day": "day", "bus_day": "business day", "month": "month"}
        if self.amount is None:
            return "Without undue delay" if self.immediate else "No number in the text"
        words = f"{self.amount} {units[self.unit]}{'' if self.amount == 1 else 's'}"
        return f"Without undue delay, {words} at most" if self.immediate else words


@dataclass(frozen=True)
class CardEvent:
    """A drill or a live incident."""

    code: str
    at: datetime
    state: str = ""
    answered_at: datetime | None = None


@dataclass(frozen=True)
class Stop:
    """How the system is stopped, and who may do it."""

    holders: tuple[CardPerson, ...] = ()
    how: str = ""
    link: str = ""
    tested_on: date | None = None
    may_revoke: bool = False
    spend_cap: str = ""


@dataclass(frozen=True)
class Vendor:
    """Where the vendor is reached, and what it owes us."""

    name: str = ""
    channel: str = ""
    reference: str = ""
    must: str = ""


@dataclass(frozen=True)
class CardSeverity:
    """Who leads once somebody said that it is as bad as this, by a rule from a severity on."""

    severity: str
    person: UUID
    name: str
    phone: str
    email: str

    @property
    def words(self) -> str:
        """From which severity on: "From severity 2 on"."""
        return FROM_SEVERITY[Severity(self.severity)]


@dataclass(frozen=True)
class Card:
    """Who leads now, and everything beside it. `source` says where the name is from.

    `source`: card (as the database keeps it), worked_out (just now), fallback (it could not be worked out: the acting
    owner or the mandate, said as such). `answered_as` is the scenario of the row, empty for "not sure".
    """

    system_id: int
    key: str
    system_name: str
    unit: str
    operating_model: str
    scenario: str
    answered_as: str
    lead: CardPerson
    owner: CardPerson
    acts_for: CardPerson | None
    deputy: CardPerson | None
    next_in_line: CardPerson | None
    basis: str
    rule_id: int | None
    is_fallback: bool
    derivation: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    computed_at: datetime
    source: str
    stop: Stop = field(default_factory=Stop)
    vendor: Vendor = field(default_factory=Vendor)
    evidence_how: str = ""
    runbook: CardRunbook | None = None
    clocks: tuple[CardClock, ...] = ()
    last_drill: CardEvent | None = None
    live: CardEvent | None = None
    respond_within: int = SECOND_CALL
    people: dict[UUID, CardPerson] = field(default_factory=dict, repr=False)
    by_severity: tuple["CardSeverity", ...] = ()


def card_of(system: System, scenario: str, now: datetime) -> Card | None:
    """The card of a live system for a scenario ("" for not sure), in one statement; None for one that is not live.

    Where an absence began or ended since it was worked out, it is worked out again. Where the database can't, the
    acting owner leads, else the mandate, and `source` says "fallback".
    """
    if not system.is_live:
        return None
    try:
        # Alone, the statement needs no transaction around it.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            found, stale = _read(_STORED, system.pk, scenario, now)
            if found is None or stale:
                found, _ = _read(_WORKED_OUT, system.pk, scenario, now)
    except DatabaseError:
        log.exception("card.failed", system=system.key)
        found, stale = None, False
    if found is not None and (stale or found.source == "worked_out"):
        _keep(system, now)
    return found or _fallback(system, scenario, now)


def _read(statement: str, system: int, scenario: str, now: datetime) -> tuple[Card | None, bool]:
    """The card, and whether somebody's day began or ended since it was worked out."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"system": system, "scenario": scenario, "now": now})
        row = cursor.fetchone()
    if row is None or row[1] is None:
        return None, False
    card = _card(row, scenario, "card" if statement is _STORED else "worked_out")
    return card, bool(row[10])


def _keep(system: System, now: datetime) -> None:
    """Write down what was worked out, unless it is being done or the caller's transaction goes on.

    Within a longer transaction the lock would be held to its end, and what was read could be older than what another
    one writes at its end.
    """
    if connection.in_atomic_block:
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('incidents_response_cards'))")
            if cursor.fetchone()[0]:
                cursor.execute(
                    "SELECT incidents_refresh_cards(ARRAY[%s]::bigint[], incidents_all_scenarios(), %s, true)",
                    [system.pk, now],
                )
    except DatabaseError:
        log.exception("card.not_kept", system=system.key)


def _card(row: tuple[Any, ...], scenario: str, source: str) -> Card:
    sys, kept, people, profile, powers, runbook, clocks, drill, live, plan = map(_json, row[:10])
    known = {UUID(pk): _person(UUID(pk), told) for pk, told in (people or {}).items()}
    named = {name: known.get(UUID(kept[name])) if kept[name] else None for name in _PEOPLE}
    lead, owner = named["lead_id"], named["owner_id"]
    if lead is None or owner is None:
        raise DatabaseError("a card names somebody who is not there")
    return Card(
        system_id=sys["id"],
        key=sys["key"],
        system_name=sys["name"],
        unit=sys["unit"],
        operating_model=sys["operating_model"],
        scenario=scenario,
        answered_as=kept["scenario"],
        lead=lead,
        owner=owner,
        acts_for=named["acts_for_id"],
        deputy=named["deputy_id"],
        next_in_line=named["next_in_line_id"],
        basis=kept["basis"],
        rule_id=kept["rule_id"],
        is_fallback=kept["is_fallback"],
        derivation=tuple(kept["derivation"]),
        problems=tuple(kept["problems"]),
        computed_at=_moment(kept["computed_at"]),
        source=source,
        stop=_stop(profile or {}, powers or {}, known),
        vendor=_vendor(sys, profile or {}),
        evidence_how=(profile or {}).get("evidence_how", ""),
        runbook=_runbook(runbook) if runbook else None,
        clocks=tuple(CardClock(**(one | {"verified_on": _day(one["verified_on"])})) for one in clocks or ()),
        last_drill=CardEvent(drill["code"], _moment(drill["at"]), "", _maybe(drill["answered_at"])) if drill else None,
        live=CardEvent(live["code"], _moment(live["at"]), live["state"]) if live else None,
        respond_within=_respond_within(plan or []),
        people=known,
        by_severity=tuple(CardSeverity(**(one | {"person": UUID(one["person"])})) for one in _json(row[11]) or ()),
    )


_PEOPLE = ("owner_id", "lead_id", "acts_for_id", "deputy_id", "next_in_line_id")


def _person(pk: UUID, told: dict[str, Any]) -> CardPerson:
    """With the ways that were verified first, then what the profile says."""
    verified = [Reach(one["kind"], one["address"], _maybe(one["tested_at"])) for one in told["channels"]]
    seen = {one.address for one in verified}
    written = [("phone", told["phone"]), ("email", told["email"])]
    rest = [Reach(kind, address) for kind, address in written if address and address not in seen]
    return CardPerson(
        pk, told["name"], told["title"], told["phone"], told["email"], told["time_zone"], told["active"],
        tuple(verified + rest),
    )  # fmt: skip


def _stop(profile: dict[str, Any], powers: dict[str, Any], known: dict[UUID, CardPerson]) -> Stop:
    """The owner with the authority to stop comes first, then whoever the profile names."""
    ids = [powers.get("person_id") if powers.get("may_stop") else None, profile.get("stop_holder_id")]
    holders = dict.fromkeys(known[UUID(pk)] for pk in ids if pk and UUID(pk) in known and known[UUID(pk)].active)
    cap = powers.get("spend_cap")
    return Stop(
        tuple(holders),
        profile.get("stop_how", ""),
        profile.get("stop_link", ""),
        _day(profile.get("stop_tested_on")),
        bool(powers.get("may_revoke")),
        f"{powers.get('currency', '')} {cap:,.2f}".strip() if cap is not None else "",
    )


def _vendor(sys: dict[str, Any], profile: dict[str, Any]) -> Vendor:
    said = [profile.get(name, "") for name in ("vendor_channel", "vendor_reference", "vendor_must")]
    return Vendor(sys["vendor"], *said)


def _runbook(told: dict[str, Any]) -> CardRunbook:
    steps = tuple(CardStep(**step) for step in told["steps"])
    due = _day(told["review_due"])
    return CardRunbook(told["key"], told["title"], told["number"], told["scope"], due, steps, told["all"])


def _respond_within(plan: list[dict[str, Any]]) -> int:
    """Minutes until somebody else is called: the second step of the plan that stands."""
    later: list[int] = [int(step["after"]) for step in plan if int(step["after"]) > 0]
    return min(later, default=SECOND_CALL)


def _json(text: Any) -> Any:
    """Django hands jsonb over as text; amounts of money stay exact."""
    return json.loads(text, parse_float=Decimal) if isinstance(text, str) else text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return _moment(text) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _fallback(system: System, scenario: str, now: datetime) -> Card | None:
    """No card and none to be worked out: the acting owner leads, else who acts for the mandate. Never silently."""
    owner = system.owner
    acting = acting_owners([system], now)[system.pk]
    lead = acting.acts if acting.acts.is_active else mandate_holder()
    if lead is None:
        return None
    lead_card, owner_card = (_plain(person) for person in (lead, owner))
    return Card(
        system_id=system.pk,
        key=system.key,
        system_name=system.name,
        unit=system.unit.name,
        operating_model=system.operating_model,
        scenario=scenario,
        answered_as="",
        lead=lead_card,
        owner=owner_card,
        acts_for=owner_card if lead.pk == acting.acts.pk and acting.stood_in_for else None,
        deputy=None,
        next_in_line=None,
        basis="mandate" if lead.pk != acting.acts.pk else "acting" if acting.stood_in_for else system.owner_basis,
        rule_id=None,
        is_fallback=True,
        derivation=({"step": "fallback", "person": str(lead.pk), "outcome": "chosen"},),
        problems=("no_card",),
        computed_at=now,
        source="fallback",
        people={lead_card.id: lead_card, owner_card.id: owner_card},
    )


def _plain(person: Person) -> CardPerson:
    told = {"phone": person.phone, "email": person.email}
    return CardPerson(
        person.pk, person.display_name, person.title, person.phone, person.email, person.time_zone, person.is_active,
        tuple(Reach(kind, address) for kind, address in told.items() if address),
    )  # fmt: skip
