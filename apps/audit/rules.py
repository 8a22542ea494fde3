"""Kinds of events, actors that are not people, and the canonical form of an event. No Django here."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import rfc8785


class Kind(StrEnum):
    """Every kind of act, in alphabetical order. A kind is never renamed and never reused."""

    API_TOKEN_ISSUED = "api.token.issued"
    API_TOKEN_REVOKED = "api.token.revoked"
    ATTESTATION_ANSWERED = "attestation.answered"
    ATTESTATION_SIGNED = "attestation.signed"
    ATTESTATION_VIEWED = "attestation.viewed"
    CAMPAIGN_CLOSED = "campaign.closed"
    CAMPAIGN_OPENED = "campaign.opened"
    CAMPAIGN_REMINDED = "campaign.reminded"
    IMPORT_APPLIED = "import.applied"
    IMPORT_DISCARDED = "import.discarded"
    IMPORT_RECEIVED = "import.received"
    IMPORT_UNDONE = "import.undone"
    NOMINATION_ESCALATED = "nomination.escalated"
    PERSON_CHANGED = "person.changed"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_PROVISIONED = "person.provisioned"
    PERSON_REACTIVATED = "person.reactivated"
    PORTAL_STARTED = "portal.started"
    READINESS_SIGNED = "readiness.signed"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    SEAT_HELD = "seat.held"
    SEAT_VACATED = "seat.vacated"
    SESSION_ENDED = "session.ended"
    SESSION_REFUSED = "session.refused"
    SESSION_STARTED = "session.started"
    SYSTEM_CHANGED = "system.changed"
    SYSTEM_OWNER_ACCEPTED = "system.owner.accepted"
    SYSTEM_OWNER_DECLINED = "system.owner.declined"
    SYSTEM_OWNER_INTERIM = "system.owner.interim"
    SYSTEM_OWNER_NOMINATED = "system.owner.nominated"
    SYSTEM_OWNER_WITHDRAWN = "system.owner.withdrawn"
    SYSTEM_REGISTERED = "system.registered"
    SYSTEM_RETIRED = "system.retired"
    UNIT_CHANGED = "unit.changed"
    UNIT_CREATED = "unit.created"
    VIEW_DELETED = "view.deleted"
    VIEW_SAVED = "view.saved"


class Actor(Protocol):
    """Who acts: a person or a part of the portal itself."""

    @property
    def audit_id(self) -> str: ...
    @property
    def audit_name(self) -> str: ...
    @property
    def audit_function(self) -> str: ...


@dataclass(frozen=True)
class SystemActor:
    """A part of Govportal that acts by rule: a sweep, a command, the first start."""

    name: str

    @property
    def audit_id(self) -> str:
        return f"s:{self.name}"

    @property
    def audit_name(self) -> str:
        return f"Govportal ({self.name})"

    @property
    def audit_function(self) -> str:
        return ""


SCHEDULER = SystemActor("scheduler")
COMMAND = SystemActor("command line")


@dataclass(frozen=True)
class Subject:
    """What an act was about. `label` may name a person, so it is kept in the erasable side table."""

    kind: str
    id: str
    label: str = ""


def commitment(salt: bytes, value: str) -> str:
    """SHA-256 over 0x02, a 32-byte salt and the value: proves the value while it is kept, says nothing after."""
    return hashlib.sha256(b"\x02" + salt + value.encode()).hexdigest()


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC, without floating point."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond


def canonical(body: Mapping[str, Any]) -> str:
    """The bytes that are stored and later sealed: JSON by RFC 8785 (sorted keys, no spaces)."""
    return rfc8785.dumps(dict(body)).decode()
