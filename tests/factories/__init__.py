"""Things for tests, made by the verbs that people use."""

import uuid
from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.db import transaction

from apps.audit.rules import COMMAND
from apps.people.models import Person
from apps.registry import actions
from apps.registry.actions.raci.applying import Planned, lock_scopes, put_in_force
from apps.registry.models import RaciVersion, System, Unit
from apps.registry.queries.raci_scope import Scope
from tests.cast import Cast

NOW = datetime(2026, 11, 16, 9, 30, tzinfo=UTC)
_numbers = count(1)


def a_system(
    cast: Cast, *, owner: Person | None = None, unit: Unit | None = None, now: datetime = NOW, **fields: Any
) -> System:
    """A system in production; with `owner` it was nominated and accepted, without it is interim."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "key": f"SYS-{number:04}",
        "name": f"System {number}",
        "stage": "production",
        "tier": "high",
    }
    values.update(fields)
    system = actions.register_system(unit=unit or cast.claims, actor=cast.mara, now=now, **values)
    if owner is not None:
        nomination = actions.nominate_owner(system, owner, actor=cast.mara, now=now)
        actions.accept_ownership(nomination, actor=owner, now=_later(now))
        system.refresh_from_db()
    return system


def set_letters(
    domain: str,
    cells: dict[str, str] | None,
    *,
    unit: Unit | None = None,
    system: System | None = None,
    actor: Any = COMMAND,
    now: datetime = NOW,
) -> RaciVersion:
    """A row in force as it is given (party: letters), without draft and acceptance; None inherits it again."""
    scope = Scope(unit=unit, system=system)
    with transaction.atomic():
        lock_scopes([scope])
        return put_in_force([Planned(scope, {domain: cells})], actor=actor, now=now, cause=uuid.uuid4())[0]


def _later(now: datetime) -> datetime:
    return now.replace(microsecond=now.microsecond + 1)


def hand_over(cast: Cast, system: System, successor: Person, *, now: datetime = NOW) -> None:
    """From the owner who accepted to a successor: nominated, yes, signed by both."""
    from apps.audit.rules import canonical, digest
    from apps.people.rules import Confirmation
    from apps.registry.actions.handover import Signing
    from apps.registry.models import Handover
    from apps.registry.queries.handover import pack_of

    nomination = actions.nominate_owner(system, successor, actor=cast.mara, now=now)
    found = actions.accept_ownership(nomination, actor=successor, now=now)
    assert isinstance(found, Handover)
    handover = Handover.objects.select_related("system__unit", "outgoing", "incoming").get(pk=found.pk)
    proof = Confirmation("password", now)
    read = digest(canonical(pack_of(handover, {})))
    actions.sign_handover(
        handover, vendor_contacts="", judgement="Nothing to add.", beyond={}, actor=handover.outgoing, now=now,
        signing=Signing(True, handover.outgoing.display_name, proof, read),
    )  # fmt: skip
    handover.refresh_from_db()
    signing = Signing(True, successor.display_name, proof, handover.pack_sha256)
    actions.complete_handover(handover, signing=signing, actor=successor, now=now)
