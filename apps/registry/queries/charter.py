"""Reading the charter of the mandate, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from apps.audit.rules import canonical, digest
from apps.people.models import Function, Person, Seat
from apps.registry.models import Charter, CharterDomain, CharterSignature, GovernanceDomain
from apps.registry.queries.succession import mandate_holder
from apps.registry.rules.breaches import Breach, Level, Severity
from apps.registry.rules.charter import SIGNING_SEATS

PATH = "/ownership/mandate/"


def charter_in_force() -> Charter | None:
    """The version in force with its holder's function; None before the first. One query."""
    return _on_record().filter(state=Charter.State.IN_FORCE).first()


def charter_draft() -> Charter | None:
    """The next version, while somebody writes it."""
    return _on_record().filter(state=Charter.State.DRAFT).first()


def charter_versions() -> QuerySet[Charter]:
    """Every version that was in force, newest first."""
    return _on_record().filter(state__in=[Charter.State.IN_FORCE, Charter.State.SUPERSEDED]).order_by("-number")


def _on_record() -> QuerySet[Charter]:
    return Charter.objects.select_related("holder__seat__holder", "created_by")


def text_of(charter: Charter) -> dict[str, Any]:
    """What a version says, ready to be frozen: names of domains too, because they can change later."""
    covered = charter.covered.select_related("domain")
    return {
        "v": "1",
        "number": charter.number,
        "holder": {"function": charter.holder_id, "seat": charter.holder.seat_title},
        "authority": charter.authority,
        "enforcement_points": list(charter.enforcement_points),
        "domains": [{"key": row.domain_id, "name": row.domain.name, "may_enforce": row.may_enforce} for row in covered],
    }


def revision_of(charter: Charter) -> str:
    """Another one after every change of what a version says: who saves a draft gives the one that they read."""
    return digest(canonical(text_of(charter)))


@dataclass(frozen=True)
class SeatSignature:
    """A seat that signs: who holds it, and where its signature under a version stands."""

    function: Function
    holder: Person | None
    signature: CharterSignature | None

    @property
    def state(self) -> str:
        """signed | withdrawn | holder_left | vacant | missing. A vacant seat whose last holder signed is "vacant"."""
        if self.holder is None:
            return "vacant"
        if self.signature is None:
            return "missing"
        if self.signature.withdrawn_at is not None:
            return "withdrawn"
        return "signed" if self.signature.signer_id == self.holder.pk else "holder_left"


def seat_signatures(charter: Charter) -> list[SeatSignature]:
    """The seats that sign, in the order of the matrix, each with its newest signature. Two queries."""
    newest: dict[str, CharterSignature] = {}
    for signature in charter.signatures.select_related("signer").order_by("signed_at"):
        newest[signature.function_id] = signature
    seats = Seat.objects.select_related("function", "holder").filter(function__in=SIGNING_SEATS)
    return [
        SeatSignature(seat.function, seat.holder, newest.get(seat.function_id))
        for seat in seats.order_by("function__position")
    ]


def seats_to_sign(person: Person) -> QuerySet[Seat]:
    """The seats for which a person has not signed the charter in force; each with `asked_at`. One query."""
    charter = Charter.objects.filter(state=Charter.State.IN_FORCE)
    mine = CharterSignature.objects.filter(
        charter__state=Charter.State.IN_FORCE, function=OuterRef("function"), signer=person, withdrawn_at=None
    )
    seats = Seat.objects.filter(Exists(charter), ~Exists(mine), holder=person, function__in=SIGNING_SEATS)
    return seats.annotate(asked_at=Subquery(charter.values("in_force_from")[:1])).select_related("function")


def without_authority(charter: Charter) -> QuerySet[CharterDomain]:
    """Domains that the charter covers and in which its holder may not enforce."""
    return charter.covered.select_related("domain").filter(may_enforce=False)


def left_out(charter: Charter) -> QuerySet[GovernanceDomain]:
    """Domains of which the charter says nothing."""
    return GovernanceDomain.objects.exclude(pk__in=charter.covered.values("domain"))


def charter_breaches(now: datetime) -> list[Breach]:
    """A missing or withdrawn signature, a holder without authority in a domain, no charter at all. Few queries."""
    holder = mandate_holder()
    if holder is None:
        return []
    charter = charter_in_force()
    if charter is None:
        return [
            _breach(
                "charter",
                "none",
                "No charter says who holds AI governance, over what and with which authority",
                "Write the charter, put it in force, and have the seats sign it",
                holder.pk,
                Severity.HIGH,
            )
        ]
    return [*_of_signatures(charter, holder), *_of_authority(charter, holder), *_of_holder(holder)]


def _of_signatures(charter: Charter, holder: Person) -> Iterator[Breach]:
    for row in seat_signatures(charter):
        title, remedy = _said_of(row, charter.number)
        if title:
            who = row.holder.pk if row.holder else holder.pk
            yield _breach("charter-signature", row.function.code, title, remedy, who, Severity.MEDIUM)


def _said_of(row: SeatSignature, number: int) -> tuple[str, str]:
    seat, who = row.function.seat_title, row.holder.display_name if row.holder else ""
    if row.state == "vacant":
        return f"The seat {seat} is vacant, so nobody signs the charter for it", f"Seat somebody as {seat}"
    if row.state == "missing":
        return f"{who}, {seat}, has not signed version {number} of the charter", "Sign it, or say why not"
    if row.state == "withdrawn" and row.signature:
        reason = row.signature.withdrawn_reason
        return f"{seat} withdrew the signature under the charter: {reason}", "Settle the reason and sign again"
    if row.state == "holder_left" and row.signature:
        return (
            f"{row.signature.signer_name} signed the charter as {seat} and does not hold the seat any more",
            f"{who} reads it and signs",
        )
    return "", ""


def _of_authority(charter: Charter, holder: Person) -> Iterator[Breach]:
    for row in without_authority(charter):
        yield _breach(
            "charter-authority",
            row.domain_id,
            f"{charter.holder.seat_title} holds the mandate without authority in {row.domain.name}",
            "Give the authority to enforce in the next version, or take the domain out of the charter",
            holder.pk,
            Severity.MEDIUM,
            row.domain_id,
        )
    missing = list(left_out(charter))
    if missing:
        names = ", ".join(domain.name for domain in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield _breach(
            "charter-domains",
            "left-out",
            f"The charter leaves out {len(missing)} domain{'' if len(missing) == 1 else 's'}: {names}{more}",
            "Cover them in the next version of the charter",
            holder.pk,
            Severity.LOW,
        )


def _of_holder(holder: Person) -> Iterator[Breach]:
    seat = Seat.objects.select_related("function").filter(function__mandates__isnull=False).first()
    if seat is not None and seat.is_interim:
        yield _breach(
            "mandate-interim",
            "seat",
            f"{holder.display_name} holds the mandate in the interim, since the holder before left",
            f"Seat somebody as {seat.function.seat_title}",
            holder.pk,
            Severity.HIGH,
        )


def _breach(
    check: str, subject: str, title: str, remedy: str, person: UUID, severity: Severity, domain: str | None = None
) -> Breach:
    said, remedy = f"{title.removesuffix('.')}.", f"{remedy}."
    return Breach(check, Level.WARN, severity, subject, said, remedy, person, domain=domain, path=PATH)
