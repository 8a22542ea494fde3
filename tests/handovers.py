"""A hand-over for tests, as far as it is wanted."""

from datetime import datetime, timedelta

from apps.audit.rules import canonical, digest
from apps.people.models import Person
from apps.people.rules import Confirmation
from apps.registry import actions
from apps.registry.actions.handover import Signing
from apps.registry.models import Handover, HandoverSignature, System
from apps.registry.queries.handover import pack_of
from tests.cast import Cast


def begin(cast: Cast, system: System, successor: Person, *, now: datetime) -> Handover:
    """The successor has said yes; nobody has signed."""
    nomination = actions.nominate_owner(system, successor, actor=cast.mara, now=now)
    found = actions.accept_ownership(nomination, actor=successor, now=now + timedelta(minutes=1))
    assert isinstance(found, Handover)
    return Handover.objects.select_related("system__unit", "outgoing", "incoming").get(pk=found.pk)


def sign_out(handover: Handover, *, now: datetime) -> HandoverSignature:
    """The outgoing owner signs."""
    read = digest(canonical(pack_of(handover, {})))
    signing = Signing(True, handover.outgoing.display_name, Confirmation("password", now), read)
    return actions.sign_handover(
        handover, vendor_contacts="", judgement="Fine.", beyond={}, signing=signing, actor=handover.outgoing, now=now
    )


def sign_in(handover: Handover, *, now: datetime) -> None:
    """The successor signs."""
    handover.refresh_from_db()
    signing = Signing(True, handover.incoming.display_name, Confirmation("password", now), handover.pack_sha256)
    actions.complete_handover(handover, signing=signing, actor=handover.incoming, now=now)
