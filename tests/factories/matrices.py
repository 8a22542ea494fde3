"""Changes of a matrix for tests, made by the verbs that people use."""

from datetime import datetime

from apps.people.models import Person
from apps.registry.actions import raci
from apps.registry.models import RaciAcceptance, System
from apps.registry.queries.raci_scope import Scope


def asked_for_an_a(system: System, *, actor: Person, now: datetime) -> RaciAcceptance:
    """The owner is asked to answer for the access management of their system, in place of the CISO."""
    draft = raci.open_draft(Scope(system=system), actor=actor, now=now)
    for party, letters in (("owner", "A"), ("ciso", "C")):
        draft = raci.set_cell(draft, "access-management", party, letters, revision=draft.revision, actor=actor, now=now)
    raci.send_draft(draft, actor=actor, now=now)
    return RaciAcceptance.objects.get(draft=draft)
