"""A hand-over as its page shows it: the pack with what other parts of the portal know, who signed, what waits."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.access.queries import may
from apps.access.rules import Permission
from apps.attestations.models import AttestationException
from apps.audit.rules import canonical, digest
from apps.common.clock import local_date
from apps.findings.queries import open_for_system
from apps.incidents.queries.incidents import told_of
from apps.people.models import Person
from apps.portal.queries.nominations import next_attestation
from apps.registry.models import Authority, Handover, HandoverSignature, System
from apps.registry.queries import visible_systems
from apps.registry.queries.authority import authorities_of, may_grant_authority
from apps.registry.queries.handover import pack_of, running_handover, statement_of
from apps.registry.rules.authority import power_words

IDENTITY_WORDS = {
    "service_account": "Service account",
    "spiffe_id": "SPIFFE ID",
    "namespace": "Namespace",
    "gateway_key_alias": "Gateway key alias",
    "agent_id": "Agent ID",
}


def find_handover(reader: Person, handover_id: UUID) -> Handover:
    """For the two who hand over, and for those who see the system and read its trail.

    Raises Handover.DoesNotExist for not there and for not yours alike.
    """
    found = Handover.objects.select_related(
        "system__owner", "system__unit", "outgoing", "incoming", "nomination", "ended_by"
    ).get(pk=handover_id)
    if reader.pk in {found.outgoing_id, found.incoming_id}:
        return found
    if may(reader, Permission.TRAIL_READ) and visible_systems(reader).filter(pk=found.system_id).exists():
        return found
    raise Handover.DoesNotExist


def beyond(system: System, now: datetime) -> dict[str, Any]:
    """What the register itself does not know: incidents, exceptions, findings and actions, the next attestation."""
    findings = open_for_system(system).prefetch_related("actions__person")
    due = next_attestation(system, now)
    return {
        "incidents": told_of(system),
        "exceptions": _exceptions(system),
        "findings": [
            {
                "id": str(one.pk),
                "title": one.title,
                "severity": one.severity,
                "due": one.due_on.isoformat(),
                "person": one.person.display_name,
            }
            for one in findings
        ],
        "actions": [
            {"what": action.what, "due": action.due_on.isoformat(), "person": action.person.display_name}
            for one in findings
            for action in one.actions.all()
            if action.state in {"planned", "done"}
        ],
        "attestation_due": due.isoformat() if due else None,
    }


def _exceptions(system: System) -> list[dict[str, str]]:
    """What somebody signed as an exception and nobody verified yet."""
    rows = AttestationException.objects.filter(
        assignment__system=system, state__in=["requested", "approved", "refused", "risk_accepted"]
    )
    return [
        {"title": one.description, "due": one.due_on.isoformat(), "person": one.owner.display_name}
        for one in rows.select_related("owner").order_by("due_on", "pk")
    ]


@dataclass(frozen=True)
class HandoverPage:
    """Everything on the page."""

    handover: Handover
    pack: dict[str, Any]
    pack_sha256: str
    signatures: dict[str, HandoverSignature]
    reader: Person
    now: datetime

    @property
    def frozen(self) -> bool:
        """Whether the pack is what the outgoing owner signed, not what is known today."""
        return bool(self.handover.pack)

    @property
    def is_outgoing(self) -> bool:
        return self.reader.pk == self.handover.outgoing_id

    @property
    def is_incoming(self) -> bool:
        return self.reader.pk == self.handover.incoming_id

    @property
    def signs(self) -> str:
        """Which side the reader signs now: "outgoing", "incoming" or neither."""
        waits_for = self.handover.waits_for
        if waits_for is None or waits_for.pk != self.reader.pk:
            return ""
        return "outgoing" if self.handover.state == Handover.State.OPEN else "incoming"

    @property
    def statement(self) -> str:
        """What the reader declares by signing."""
        return statement_of(self.handover, self.signs) if self.signs else ""

    @property
    def may_cancel(self) -> bool:
        """The two, and the mandate holder."""
        mine = self.is_outgoing or self.is_incoming or may(self.reader, Permission.SYSTEM_CHANGE)
        return self.handover.is_running and mine

    @property
    def overdue(self) -> bool:
        return self.handover.is_running and self.handover.due_on < local_date(self.now)

    @property
    def powers(self) -> list[str]:
        """The authority in the pack, in words."""
        found = self.pack.get("authority")
        if not found:
            return []
        cap = found["spend_cap"]
        return power_words(found["stop"], found["revoke"], _amount(cap), found["currency"])

    @property
    def identities(self) -> list[tuple[str, str]]:
        return [(IDENTITY_WORDS.get(kind, kind), value) for kind, value in self.pack.get("identities", [])]

    @property
    def attestation_due(self) -> date | None:
        due = self.pack.get("attestation_due")
        return date.fromisoformat(due) if due else None

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Findings with their date as a date."""
        return [{**one, "due": date.fromisoformat(one["due"])} for one in self.pack.get("findings") or []]

    @property
    def exceptions(self) -> list[dict[str, Any]]:
        """Exceptions with their date as a date."""
        return [{**one, "due": date.fromisoformat(one["due"])} for one in self.pack.get("exceptions") or []]

    @property
    def actions(self) -> list[dict[str, Any]]:
        return [{**one, "due": date.fromisoformat(one["due"])} for one in self.pack.get("actions") or []]


def handover_page(handover: Handover, reader: Person, now: datetime) -> HandoverPage:
    """The frozen pack where it was signed, else what would be signed now while it runs."""
    pack: dict[str, Any] = {}
    sha = ""
    if handover.pack:
        pack, sha = json.loads(handover.pack), handover.pack_sha256
    elif handover.is_running:  # one that ended unsigned shows nothing of today's system
        pack = pack_of(handover, beyond(handover.system, now))
        sha = digest(canonical(pack))
    signatures = {signature.side: signature for signature in handover.signatures.all()}
    return HandoverPage(handover, pack, sha, signatures, reader, now)


@dataclass(frozen=True)
class Transfer:
    """The running hand-over on a system's page. Its own page opens for `opens` only."""

    handover: Handover
    opens: bool


def transfer_of(reader: Person, system: System) -> Transfer | None:
    """The hand-over that runs for a system, if one does. One query."""
    found = running_handover(system)
    if found is None:
        return None
    opens = reader.pk in {found.outgoing_id, found.incoming_id} or may(reader, Permission.TRAIL_READ)
    return Transfer(found, opens)


@dataclass(frozen=True)
class OwnersAuthority:
    """What the person who answers may do without asking, on the system's page."""

    powers: list[str]
    authority: Authority | None
    may_grant: bool

    @property
    def may_stop(self) -> bool:
        return self.authority is not None and self.authority.may_stop


def authority_of(reader: Person, system: System) -> OwnersAuthority:
    """The authority in force, and whether the reader may grant another. Two queries at most."""
    found = authorities_of([system]).get(system.pk)
    words = power_words(found.may_stop, found.may_revoke, found.spend_cap, found.currency) if found else []
    grants = system.retired_at is None and may_grant_authority(reader, [system])
    return OwnersAuthority(words, found, grants)


def _amount(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None
