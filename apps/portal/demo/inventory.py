"""The public inventory, imported as a person would, and who answers for a part of it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.people.models import Person
from apps.portal.demo.cast import CAST, MANDATE_HOLDER, Part
from apps.portal.demo.moments import Moments
from apps.portal.demo.people import cast
from apps.registry import actions as registry
from apps.registry.actions.escalation import escalate_nomination
from apps.registry.actions.imports import apply_import, receive_import
from apps.registry.models import ImportRun, Nomination, System
from apps.registry.queries import live
from apps.registry.rules import Stage, Tier

INVENTORY = settings.BASE_DIR / "examples" / "2025_individually_reported_AI_use_cases.csv"
IMPORTER = "anselm.quist"
WAITING, OVERDUE, DECLINED, CRITICAL = 14, 9, 6, 8
REASONS = (
    "The system was handed to another bureau in spring. Its team lead knows it, I do not.",
    "I have no authority over the contract with the vendor and could not stop it.",
    "Two of us share this work today. Ask the programme office which one it is to be.",
)


def load_inventory(*, now: datetime) -> bool:
    """Import the file. False where it has been imported."""
    content = INVENTORY.read_bytes()
    if ImportRun.objects.filter(sha256=hashlib.sha256(content).hexdigest(), state="applied").exists():
        return False
    importer = cast()[IMPORTER]
    run = receive_import(file_name=INVENTORY.name, content=content, actor=importer, now=now)
    apply_import(run, actor=importer, now=now)
    return True


@dataclass(frozen=True)
class Asked:
    """A person and a system that they are asked to answer for."""

    system: System
    person: Person


@transaction.atomic
def load_owners(moments: Moments) -> bool:
    """Owners who accepted before the campaign opens, and critical systems. False where that has been done."""
    if System.objects.filter(owner_basis=System.Basis.ACCEPTED).exists():
        return False
    people, pool = cast(), Pool()
    parts = [part for part in CAST if part.accepts]
    accepted: list[System] = []
    for place, part in enumerate(parts):
        moment = moments.nominated(place, len(parts))
        accepted += _accept(pool.take_for(part), people[part.handle], people[MANDATE_HOLDER], moment)
    _raise_tiers(accepted, moments)
    return True


def _accept(systems: list[System], person: Person, actor: Person, moment: datetime) -> Iterator[System]:
    """Asked in one message, accepted one by one on the days after."""
    for nomination in registry.nominate_many(systems, person, actor=actor, now=moment):
        answered = moment + timedelta(hours=5 + 7 * (nomination.system_id % 9))
        yield registry.accept_ownership(nomination, actor=person, now=answered).system


@transaction.atomic
def load_nominations(moments: Moments) -> bool:
    """Nominations of the last weeks: waiting, overdue and declined. False where that has been done."""
    if Nomination.objects.exclude(state=Nomination.State.ACCEPTED).exists():
        return False
    people = cast()
    nominees = [people[part.handle] for part in CAST if part.unit]
    units = {part.handle: part.unit for part in CAST if part.unit}
    actor, pool = people[MANDATE_HOLDER], Pool()
    handles = list(units)
    for place in range(WAITING + OVERDUE + DECLINED):
        nominee = nominees[place % len(nominees)]
        system = next(pool.of(units[handles[place % len(handles)]]))
        _leave_open(Asked(system, nominee), actor, place, moments)
    return True


def _leave_open(asked: Asked, actor: Person, place: int, moments: Moments) -> None:
    if place < WAITING:
        made = min(moments.working_hour(1 + place % 2, 37 * place), moments.now - timedelta(minutes=5))
        registry.nominate_owner(asked.system, asked.person, actor=actor, now=made)
        return
    made = moments.working_hour(11 + place % 8, 41 * place)
    nomination = registry.nominate_owner(asked.system, asked.person, actor=actor, now=made)
    if place < WAITING + OVERDUE:
        escalate_nomination(nomination.pk, now=moments.working_hour(2, 20))
    else:
        reason = REASONS[place % len(REASONS)]
        answered = made + timedelta(days=1, minutes=53)
        registry.decline_ownership(nomination, actor=asked.person, now=answered, reason=reason)


def _raise_tiers(systems: list[System], moments: Moments) -> None:
    """A handful of high-impact systems in production are set to critical by those who answer for them."""
    chosen = [s for s in systems if s.tier == Tier.HIGH and s.stage == Stage.PRODUCTION][:: len(systems) // 100]
    for place, system in enumerate(chosen[:CRITICAL]):
        registry.change_system(
            system,
            actor=system.owner,
            now=moments.opened - timedelta(days=6, hours=place),
            tier=Tier.CRITICAL.value,
            regulatory_class=System.RegulatoryClass.HIGH_RISK.value,
            operating_model=System.OperatingModel.VENDOR_SAAS.value,
            chat_channel=f"#{system.key.lower()[:40]}-duty",
            identities=[("service_account", f"svc-{system.key.lower()}")],
            reason="Decides about people without a second look.",
        )


class Pool:
    """Live systems that nobody has accepted and nobody is asked about, agency by agency, in a mixed order."""

    def __init__(self) -> None:
        free = live(System.objects.filter(owner_basis=System.Basis.INTERIM)).exclude(nominations__state="open")
        found: dict[str, list[System]] = {}
        for system in free.select_related("unit", "owner"):
            found.setdefault(system.unit.code.split("/")[0], []).append(system)
        self._left = {code: iter(sorted(systems, key=_mixed)) for code, systems in found.items()}

    def of(self, agency: str) -> Iterator[System]:
        """What is left of an agency's systems."""
        return self._left[agency]

    def take_for(self, part: Part) -> list[System]:
        """As many systems as this person accepts."""
        return [next(self._left[part.unit or part.heads]) for _ in range(part.accepts)]


def _mixed(system: System) -> tuple[bool, str]:
    """Systems in production first, then in an order that has nothing to do with key or name."""
    return system.stage != Stage.PRODUCTION, hashlib.sha256(system.key.encode()).hexdigest()
