"""Signing what is decided about an incident or a drill: who, when, with which words, bound to the content by a hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.audit.rules import canonical, digest
from apps.common.errors import Refused
from apps.incidents.models import Exercise, Incident, Signature
from apps.people.models import Person
from apps.people.rules import Confirmation, why_not_signed


@dataclass(frozen=True)
class Signing:
    """What somebody gives to sign: the ticked box, the typed name, and the proof that it is them."""

    declared: bool
    typed_name: str
    confirmation: Confirmation


def put_incident_signature(
    kind: str,
    statement: str,
    content: Mapping[str, Any],
    *,
    about: Incident | Exercise,
    signing: Signing,
    signer: Person,
    now: datetime,
) -> Signature:
    """Write what somebody signs, as canonical JSON with its SHA-256 (21 CFR 11.50, 11.70). For ever.

    Part of the caller's transaction; the caller checked who may sign. Content holds opaque ids of people. Raises
    Refused with what is missing: the ticked box, the name as in the profile, a fresh confirmation.
    """
    if missing := why_not_signed(signing.declared, signing.typed_name, signer.display_name, signing.confirmation, now):
        raise Refused(missing)
    incident, exercise = (about, None) if isinstance(about, Incident) else (None, about)
    payload = canonical({**content, **_ceremony(kind, statement, about.code, signing, signer, now)})
    return Signature.objects.create(
        kind=kind, incident=incident, exercise=exercise, statement=statement, payload=payload,
        payload_sha256=digest(payload), person=signer, signer_name=signer.display_name,
        signer_function=signer.audit_function, method=signing.confirmation.method, signed_at=now,
    )  # fmt: skip


def _ceremony(kind: str, statement: str, code: str, signing: Signing, signer: Person, now: datetime) -> dict[str, Any]:
    """What every signature says beside what it is about."""
    return {
        "v": "1",
        "kind": str(kind),
        "about": code,
        "statement": statement,
        "signer": {
            "id": str(signer.pk),
            "name": signer.display_name,
            "title": signer.title,
            "function": signer.audit_function,
        },
        "auth": {"method": signing.confirmation.method, "at": signing.confirmation.at.isoformat()},
        "signed_at": now.isoformat(),
    }
