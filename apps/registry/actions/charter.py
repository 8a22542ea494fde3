"""The charter of the mandate: draft it, put it in force, sign it, withdraw a signature."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from apps.audit.actions import record
from apps.audit.rules import Actor, Kind, Subject, canonical, digest
from apps.common.errors import NotAllowed, Refused
from apps.common.saving import save_checked
from apps.notify.actions import Note, enqueue_many
from apps.people.models import Function, Person, Seat
from apps.people.rules import Confirmation, why_not_signed
from apps.registry.actions.succession import apply_interim_changes, change_tree, interim_changes
from apps.registry.models import Charter, CharterDomain, CharterSignature, GovernanceDomain, Mandate
from apps.registry.queries.charter import charter_in_force, revision_of, text_of
from apps.registry.rules.charter import SIGNING_SEATS, meaning_of


class DraftChanged(Refused):
    """Somebody saved the draft after it was read."""


def _subject(charter: Charter) -> Subject:
    return Subject("charter", str(charter.number), f"Charter, version {charter.number}")


@transaction.atomic
def draft_charter(*, actor: Actor, now: datetime) -> Charter:
    """Start the next version, with what the version in force says. Raises ValidationError while there is a draft."""
    before = charter_in_force()
    number = (Charter.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    charter = Charter(
        number=number,
        holder=before.holder if before else Mandate.objects.select_related("holder").get().holder,
        authority=before.authority if before else "",
        enforcement_points=before.enforcement_points if before else [],
        created_by=actor if isinstance(actor, Person) else None,
        created_at=now,
    )
    save_checked(charter, force_insert=True)
    covered = before.covered.values_list("domain_id", "may_enforce") if before else []
    _set_domains(charter, dict(covered))
    record(Kind.CHARTER_DRAFTED, actor=actor, subject=_subject(charter), now=now)
    return charter


@transaction.atomic
def change_charter(
    charter: Charter,
    *,
    holder: Function,
    authority: str,
    enforcement_points: Iterable[str],
    domains: Mapping[str, bool],
    read: str,
    actor: Actor,
    now: datetime,
) -> Charter:
    """Change the draft. `domains`: key -> whether the holder may enforce there; `read`: its `revision_of`.

    Raises Refused for no draft, DraftChanged where somebody saved after it was read.
    """
    charter = _draft(charter)
    if revision_of(charter) != read:
        raise DraftChanged("Somebody saved this draft after you opened it. Nothing of yours is saved yet.")
    charter.holder, charter.authority = holder, authority.strip()
    charter.enforcement_points = [point.strip() for point in enforcement_points if point.strip()]
    charter.full_clean()
    charter.save()
    _set_domains(charter, domains)
    record(
        Kind.CHARTER_CHANGED,
        actor=actor,
        subject=_subject(charter),
        now=now,
        after={
            "holder": holder.code,
            "domains": sorted(domains),
            "enforces": sorted(k for k, v in domains.items() if v),
        },
    )
    return charter


def _draft(charter: Charter) -> Charter:
    charter = Charter.objects.select_for_update(no_key=True).get(pk=charter.pk)
    if charter.state != Charter.State.DRAFT:
        raise Refused(f"Version {charter.number} is not a draft any more. Start the next version.")
    return charter


def _set_domains(charter: Charter, domains: Mapping[str, bool]) -> None:
    known = GovernanceDomain.objects.in_bulk(list(domains))
    CharterDomain.objects.filter(charter=charter).delete()
    CharterDomain.objects.bulk_create(
        CharterDomain(charter=charter, domain=domain, may_enforce=domains[key]) for key, domain in known.items()
    )


@transaction.atomic
def discard_charter(charter: Charter, *, actor: Actor, now: datetime) -> None:
    """Give the draft up. Raises Refused for no draft."""
    charter = _draft(charter)
    charter.state, charter.ended_at = Charter.State.DISCARDED, now
    charter.save(update_fields=["state", "ended_at"])
    record(Kind.CHARTER_DISCARDED, actor=actor, subject=_subject(charter), now=now)


@transaction.atomic
def put_charter_in_force(charter: Charter, *, actor: Actor, now: datetime) -> Charter:
    """Freeze the draft and put it in force in place of the version before; the mandate follows to its holder.

    Every seat signs anew: a signature is under one text. Raises Refused where nothing is said about authority or
    domains, and where the seat of the function that shall hold the mandate is vacant.
    """
    change_tree()
    charter = _draft(charter)
    if not charter.authority or not charter.covered.exists():
        raise Refused("Say what the holder may decide, and choose at least one domain, before it comes into force.")
    Charter.objects.filter(state=Charter.State.IN_FORCE).update(state=Charter.State.SUPERSEDED, ended_at=now)
    charter.text = canonical(text_of(charter))
    charter.text_sha256 = digest(charter.text)
    charter.state, charter.in_force_from = Charter.State.IN_FORCE, now
    charter.save()
    event = record(
        Kind.CHARTER_IN_FORCE,
        actor=actor,
        subject=_subject(charter),
        now=now,
        after={"holder": charter.holder_id, "sha256": charter.text_sha256},
    )
    if _move_mandate(charter, now):
        apply_interim_changes(interim_changes(None, now), actor=actor, now=now, cause=event)
    _ask_seats(charter, now)
    return charter


def _move_mandate(charter: Charter, now: datetime) -> bool:
    """Whether the mandate went to another function."""
    if not Mandate.objects.exclude(holder_id=charter.holder_id).exists():
        return False
    try:
        with transaction.atomic():
            Mandate.objects.update(holder_id=charter.holder_id, since=now)
    except IntegrityError as error:
        raise Refused(
            f"The seat {charter.holder.seat_title} is vacant. Seat somebody, then put it in force."
        ) from error
    return True


def _ask_seats(charter: Charter, now: datetime) -> None:
    seats = Seat.objects.filter(function__in=SIGNING_SEATS, holder__isnull=False).select_related("holder", "function")
    enqueue_many(
        [
            Note(
                f"charter:{charter.number}:{seat.function_id}",
                seat.holder,
                f"Sign the charter of AI governance, version {charter.number}",
                f"Version {charter.number} is in force. The seat {seat.function.seat_title} signs it, or says why not.",
                "/ownership/mandate/",
            )
            for seat in seats
            if seat.holder is not None
        ],
        now=now,
    )


@transaction.atomic
def sign_charter(
    charter: Charter,
    function: str,
    *,
    declared: bool,
    typed_name: str,
    confirmation: Confirmation,
    actor: Person,
    now: datetime,
) -> CharterSignature:
    """A seat signs the charter in force.

    Raises NotAllowed for anybody but the seat's holder, Refused for another version than the one in force, an
    unticked declaration, another name than the profile's or a confirmation that is too old, ValidationError where
    the seat has signed.
    """
    charter = Charter.objects.select_for_update(no_key=True).get(pk=charter.pk)
    if charter.state != Charter.State.IN_FORCE:
        raise Refused(f"Version {charter.number} is not in force. Read and sign the version that is.")
    if function not in SIGNING_SEATS:
        raise Refused("This seat does not sign the charter.")
    _require_holder(function, actor)
    if missing := why_not_signed(declared, typed_name, actor.display_name, confirmation, now):
        raise Refused(missing)
    # A signature under which nobody stands any more makes room; it stays on record.
    CharterSignature.objects.filter(charter=charter, function_id=function, withdrawn_at=None).exclude(
        signer=actor
    ).update(withdrawn_at=now, withdrawn_reason=f"The seat passed to {actor.display_name}.")
    signature = _signature(charter, function, confirmation, actor, now)
    save_checked(signature, force_insert=True)
    record(
        Kind.CHARTER_SIGNED,
        actor=actor,
        subject=_subject(charter),
        now=now,
        after={"seat": function, "payload_sha256": signature.payload_sha256, "auth": confirmation.method},
    )
    return signature


def _require_holder(function: str, actor: Person) -> None:
    seat = (
        Seat.objects.select_for_update(no_key=True, of=("self",)).select_related("function").get(function_id=function)
    )
    if seat.holder_id != actor.pk:
        raise NotAllowed(f"Only who holds the seat {seat.function.seat_title} signs for it.")


def _signature(
    charter: Charter, function: str, confirmation: Confirmation, actor: Person, now: datetime
) -> CharterSignature:
    meaning = meaning_of(function, settings.ORGANISATION_NAME)
    payload: dict[str, Any] = {
        "v": "1",
        "charter": {"number": charter.number, "sha256": charter.text_sha256},
        "seat": function,
        "meaning": meaning,
        "signer": {"id": str(actor.pk), "name": actor.display_name, "title": actor.title},
        "auth": {"method": confirmation.method, "at": confirmation.at.isoformat()},
        "signed_at": now.isoformat(),
    }
    text = canonical(payload)
    return CharterSignature(
        charter=charter,
        function_id=function,
        signer=actor,
        signer_name=actor.display_name,
        signer_title=actor.title,
        meaning=meaning,
        payload=text,
        payload_sha256=digest(text),
        auth_method=confirmation.method,
        auth_at=confirmation.at,
        signed_at=now,
    )


@transaction.atomic
def withdraw_charter_signature(signature: CharterSignature, *, reason: str, actor: Person, now: datetime) -> None:
    """Take a signature back, with a reason. It stays on record.

    Raises NotAllowed for anybody but the signer and who holds the seat today, Refused without a reason or where it
    was withdrawn.
    """
    if not reason.strip():
        raise Refused("Say why you withdraw your signature.")
    holds_seat = Seat.objects.filter(function_id=signature.function_id, holder=actor).exists()
    if actor.pk != signature.signer_id and not holds_seat:
        raise NotAllowed("Only who signed, or who holds the seat today, withdraws the signature.")
    changed = CharterSignature.objects.filter(pk=signature.pk, withdrawn_at=None).update(
        withdrawn_at=now, withdrawn_reason=reason.strip()[:600]
    )
    if not changed:
        raise Refused("This signature was withdrawn already.")
    record(
        Kind.CHARTER_WITHDRAWN,
        actor=actor,
        subject=_subject(signature.charter),
        now=now,
        before={"seat": signature.function_id, "payload_sha256": signature.payload_sha256},
        reason=reason,
    )
