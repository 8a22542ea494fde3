"""Register, change and retire systems."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind
from apps.common.errors import Refused
from apps.common.saving import save_checked
from apps.registry.actions.grants import sync_grants
from apps.registry.actions.ownership import locked, owner_can_act, system_subject
from apps.registry.actions.succession import hold_tree
from apps.registry.models import Handover, Nomination, OwnershipTerm, System, SystemIdentity
from apps.registry.models.handover import RUNNING
from apps.registry.queries.succession import interim_for
from apps.registry.rules import Stage
from apps.registry.rules.addresses import why_no_key

FIELDS = (
    "name", "purpose", "unit", "stage", "tier", "regulatory_class", "operating_model", "vendor", "model",
    "chat_channel", "restricted",
)  # fmt: skip

Identities = Iterable[tuple[str, str]]


@transaction.atomic
def register_system(
    *,
    key: str,
    actor: Actor,
    now: datetime,
    identities: Identities = (),
    contact_given: str = "",
    **fields: Any,
) -> System:
    """Put a system on the register. Nobody owns it by creating it: the interim order says who answers.

    Raises Refused before the first start, ValidationError for a bad field, a key that is taken or
    one that is a word of the portal's addresses.
    """
    _refuse_unknown(fields)
    if refused := why_no_key(key):
        raise ValidationError({"key": refused})
    hold_tree()
    owner, steps = interim_for(fields["unit"], now=now)
    system = System(
        key=key, owner=owner, owner_basis=System.Basis.INTERIM, contact_given=contact_given,
        created_at=now, updated_at=now, **fields,
    )  # fmt: skip
    system.retired_at = now if system.stage == Stage.RETIRED else None
    with owner_can_act():
        save_checked(system, exclude=["owner_must_be_active", "owner_must_be"], force_insert=True)
    OwnershipTerm.objects.create(
        system=system,
        person=owner,
        basis=System.Basis.INTERIM,
        period=DateTimeTZRange(now, None),
        derivation=[step.as_json() for step in steps],
    )
    _set_identities(system, identities)
    sync_grants([system.pk])
    record(
        Kind.SYSTEM_REGISTERED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        after={**system_facts(system), "owner": owner.audit_id, "basis": "interim"},
        private={"owner_name": owner.display_name},
    )
    return system


@transaction.atomic
def change_system(
    system: System,
    *,
    actor: Actor,
    now: datetime,
    identities: Identities | None = None,
    reason: str = "",
    **fields: Any,
) -> System:
    """Change what is known about a system.

    Raises Refused where it would go live with an owner who can't act (the database checks that again by
    foreign key) or be retired (that is a verb of its own), ValidationError for a bad field.
    """
    _refuse_unknown(fields)
    system = locked(system)
    if fields.get("stage") == Stage.RETIRED and system.stage != Stage.RETIRED:
        raise Refused("Retire the system by its own page: that asks for a reason.")
    before = system_facts(system)
    for name, value in fields.items():
        setattr(system, name, value)
    system.updated_at = now
    if system.stage != Stage.RETIRED:
        system.retired_at = None
    system.full_clean(exclude=["owner_must_be_active", "owner_must_be", "owner"])
    _save_with_live_owner(system)
    if identities is not None:
        _set_identities(system, identities)
    after = system_facts(system)
    changed = {name for name in after if after[name] != before[name]}
    if "unit" in changed:  # its head stands in while the owner is away
        sync_grants([system.pk])
    record(
        Kind.SYSTEM_CHANGED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        before={name: before[name] for name in sorted(changed)},
        after={name: after[name] for name in sorted(changed)},
        reason=reason,
    )
    return system


def _save_with_live_owner(system: System) -> None:
    try:
        with transaction.atomic():
            system.save()
    except IntegrityError as error:
        if "system_owner_active" not in str(error):
            raise
        raise Refused(
            f"{system.owner.display_name} is deactivated and can't answer for a live system. "
            "Nominate an owner who accepts, then change the stage."
        ) from error


@transaction.atomic
def retire_system(system: System, *, actor: Actor, now: datetime, reason: str) -> System:
    """Take a system out of use. Its owner and its history stay. An open nomination and a hand-over end.

    Raises Refused without a reason, or where it is retired already.
    """
    if not reason.strip():
        raise Refused("Say why the system is retired. It is kept in the trail.")
    system = locked(system)
    if system.stage == Stage.RETIRED:
        raise Refused(f"{system.name} is retired already.")
    before = system.stage
    system.stage, system.retired_at, system.updated_at = Stage.RETIRED, now, now
    system.save(update_fields=["stage", "retired_at", "updated_at"])
    Nomination.objects.filter(system=system, state="open").update(
        state="withdrawn", answered_at=now, answer_reason="The system was retired."
    )
    Handover.objects.filter(system=system, state__in=RUNNING).update(
        state="cancelled", ended_at=now, end_reason="The system was retired."
    )
    sync_grants([system.pk])
    record(
        Kind.SYSTEM_RETIRED,
        actor=actor,
        subject=system_subject(system),
        now=now,
        before={"stage": before},
        after={"stage": "retired"},
        reason=reason,
    )
    return system


def _refuse_unknown(fields: dict[str, Any]) -> None:
    if unknown := set(fields) - set(FIELDS):
        raise TypeError(f"not a field of a system: {', '.join(sorted(unknown))}")


def system_facts(system: System) -> dict[str, Any]:
    """What the trail tells about a system: values of ours, no free text that could name a person."""
    return {
        "key": system.key,
        "name": system.name,
        "unit": system.unit_id,
        "stage": system.stage,
        "tier": system.tier,
        "regulatory_class": system.regulatory_class,
        "operating_model": system.operating_model,
        "vendor": system.vendor,
        "model": system.model,
        "restricted": system.restricted,
    }


def _set_identities(system: System, identities: Identities) -> None:
    """Make the system's identities exactly these. Raises ValidationError for one that belongs elsewhere."""
    wanted = set(identities)
    kept = set(system.identities.values_list("kind", "value"))
    for kind, value in kept - wanted:
        system.identities.filter(kind=kind, value=value).delete()
    for kind, value in sorted(wanted - kept):
        identity = SystemIdentity(system=system, kind=kind, value=value)
        try:
            save_checked(identity)
        except ValidationError as error:
            raise ValidationError({"identities": f"{value}: {' '.join(error.messages)}"}) from error
