"""Authority: offered with a nomination, in force from the yes, changed later; it ends with the term by itself."""

import uuid
from datetime import datetime

from django.db import transaction

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject
from apps.common.errors import NotAllowed, Refused
from apps.common.locks import hold_row
from apps.people.actions import held
from apps.people.models import Person
from apps.registry.models import Authority, AuthorityOffer, Nomination, OwnershipTerm, System
from apps.registry.queries.authority import WHO_GRANTS, may_grant_authority, offered_powers
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.authority import Powers


def offer_authority(nomination: Nomination, powers: Powers, *, actor: Actor, now: datetime) -> AuthorityOffer | None:
    """Put authority beside a nomination; part of the verb that nominates. None where nothing is offered.

    Raises NotAllowed for somebody who may not grant it, ValidationError for an amount without a currency.
    """
    if not powers.any:
        return None
    granter = _granter(actor, nomination.system)
    _refuse_own(granter, nomination.nominee)
    offer = AuthorityOffer(nomination=nomination, offered_by=granter, offered_at=now, **powers.fields())
    offer.full_clean()
    offer.save(force_insert=True)
    return offer


def grant_offered(
    nomination: Nomination, term: OwnershipTerm, *, subject: Subject, now: datetime, cause: uuid.UUID
) -> Authority | None:
    """What was offered takes force for a term that has just begun; part of the verb that begins it."""
    offer = offered_powers(nomination)
    if offer is None:
        return None
    granter = held(offer.offered_by)
    if not granter.is_active:  # deactivated at the same moment
        return None
    powers = Powers(offer.may_stop, offer.may_revoke, offer.spend_cap, offer.currency)
    authority = _write(term, powers, granter, now=now)
    _record(authority, subject, actor=granter, now=now, cause=cause)
    return authority


@transaction.atomic
def grant_authority(system: System, powers: Powers, *, actor: Actor, now: datetime, note: str = "") -> Authority:
    """Say what the person who answers for a system may do without asking, in place of what held until now.

    `powers` without anything takes the authority away; that too is kept. Raises NotAllowed for anybody but the
    mandate holder, an administrator or a unit head above the system, and for granting oneself (only the mandate
    holder, whose own authority is the charter's, does that); Refused for a retired system; ValidationError for an
    amount without a currency.
    """
    hold_row(System.objects.all(), system.pk)
    system = System.objects.select_related("owner").get(pk=system.pk)
    if system.retired_at is not None:
        raise Refused(f"{system.name} is retired. Nobody stops it any more.")
    granter = held(_granter(actor, system))
    _refuse_own(granter, system.owner)
    term = OwnershipTerm.objects.get(system=system, period__upper_inf=True)
    subject = Subject("system", str(system.pk), f"{system.name} ({system.key})")
    authority = _write(term, powers, granter, now=now, note=note)
    _record(authority, subject, actor=granter, now=now)
    return authority


def _granter(actor: Actor, system: System) -> Person:
    if not isinstance(actor, Person) or not may_grant_authority(actor, [system]):
        raise NotAllowed(f"You may see this, but only {WHO_GRANTS} grants authority.")
    return actor


def _refuse_own(granter: Person, owner: Person) -> None:
    holder = mandate_holder()
    if granter.pk == owner.pk and not (holder and holder.pk == granter.pk):
        raise NotAllowed("Nobody grants authority to themselves. Ask the head of the unit above or the mandate holder.")


def _write(term: OwnershipTerm, powers: Powers, granter: Person, *, now: datetime, note: str = "") -> Authority:
    granted_at = max(now, term.period.lower)
    Authority.objects.filter(term=term, ended_at=None).update(ended_at=granted_at)
    authority = Authority(term=term, granted_by=granter, granted_at=granted_at, note=note.strip(), **powers.fields())
    authority.full_clean()
    authority.save(force_insert=True)
    return authority


def _record(
    authority: Authority, subject: Subject, *, actor: Actor, now: datetime, cause: uuid.UUID | None = None
) -> None:
    record(
        Kind.AUTHORITY_GRANTED,
        actor=actor,
        subject=subject,
        now=now,
        after={"authority": authority.pk, "to": f"u:{authority.term.person_id}", **authority.powers},
        reason=authority.note,
        cause=cause,
    )
