"""What a responder has to know of one system: how it is stopped, how evidence is kept, where its vendor is reached."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.access.queries import may
from apps.access.rules import Permission
from apps.audit.actions import record
from apps.audit.rules import Kind
from apps.common.clock import local_date
from apps.common.errors import NotAllowed
from apps.incidents.actions.checks import able
from apps.incidents.models import ResponseProfile
from apps.people.models import Person
from apps.registry.actions.ownership import locked, system_subject
from apps.registry.models import System

FIELDS = (
    "stop_how", "stop_link", "stop_tested_on", "stop_holder", "evidence_how", "vendor_channel", "vendor_reference",
    "vendor_must",
)  # fmt: skip


def may_set_profile(person: Person, system: System) -> bool:
    """Whoever answers for the system, and those who manage incidents."""
    return person.pk == system.owner_id or may(person, Permission.INCIDENTS_MANAGE)


@transaction.atomic
def set_response_profile(system: System, values: Mapping[str, Any], *, actor: Person, now: datetime) -> ResponseProfile:
    """Write what a responder has to know; fields that are not named stay. Nothing changed: nothing is written.

    Raises NotAllowed for who neither answers for the system nor manages incidents, Refused for a holder of the
    switch who can't act, ValidationError for a test in the future or a link that is none.
    """
    system = locked(system)
    if not may_set_profile(actor, system):
        raise NotAllowed("You may read this, but only its owner and those who manage incidents change it.")
    profile = ResponseProfile.objects.filter(system=system).first() or ResponseProfile(system=system)
    before = {name: getattr(profile, name) for name in FIELDS}
    changed = {name: value for name, value in values.items() if name in FIELDS and before[name] != value}
    if not changed:
        return profile
    _refuse(changed, now)
    for name, value in changed.items():
        setattr(profile, name, value)
    profile.changed_by, profile.changed_at = actor, now
    profile.full_clean(validate_unique=False)
    profile.save()
    record(
        Kind.RESPONSE_PROFILE_CHANGED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        after={"fields": sorted(changed)},
        private={name: _text(value) for name, value in changed.items()},
    )
    return profile


def _refuse(changed: Mapping[str, Any], now: datetime) -> None:
    holder, tested = changed.get("stop_holder"), changed.get("stop_tested_on")
    if holder is not None:
        able(holder, "stop it")
    if tested is not None and tested > local_date(now):
        raise ValidationError({"stop_tested_on": "A test lies in the past. Give the day on which it was done."})


def _text(value: Any) -> str:
    return value.display_name if isinstance(value, Person) else str(value or "")
