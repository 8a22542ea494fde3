"""Reading hand-overs: the pack, what is declared, what runs."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from apps.people.models import Person
from apps.registry.models import Handover, HandoverSignature, OwnershipTerm, System
from apps.registry.models.handover import RUNNING
from apps.registry.queries.authority import authorities_of
from apps.registry.queries.raci import effective_matrix


def pack_of(handover: Handover, beyond: Mapping[str, Any]) -> dict[str, Any]:
    """What the register hands over, with what it does not know (`beyond`): texts, whole numbers, lists, mappings.

    The same facts give the same canonical bytes: nothing in it depends on the moment.
    """
    system = handover.system
    authority = authorities_of([system]).get(system.pk)
    term = OwnershipTerm.objects.get(system=system, period__upper_inf=True)
    return {
        "v": "1",
        "system": {
            "key": system.key,
            "name": system.name,
            "unit": system.unit.name,
            "stage": system.stage,
            "tier": system.tier,
            "regulatory_class": system.regulatory_class,
            "vendor": system.vendor,
            "model": system.model,
            "chat_channel": system.chat_channel,
        },
        "outgoing": _person(handover.outgoing) | {"since": term.period.lower.isoformat()},
        "incoming": _person(handover.incoming),
        "identities": sorted([one.kind, one.value] for one in system.identities.all()),
        "authority": authority.powers if authority else None,
        "letters": _letters(system),
        **beyond,
    }


def _person(person: Person) -> dict[str, str]:
    return {"id": str(person.pk), "name": person.display_name, "title": person.title}


def _letters(system: System) -> list[dict[str, Any]]:
    """What goes with the owner by the matrix: every domain in which the owner has a letter."""
    found = []
    for row in effective_matrix(system):
        letters = "".join(party.letter for party in row.parties if party.person and party.person.pk == system.owner_id)
        if letters:
            found.append({"domain": row.domain.key, "name": row.domain.name, "letters": "".join(sorted(set(letters)))})
    return found


def statement_of(handover: Handover, side: str) -> str:
    """What a side declares with its signature."""
    name, other = handover.system.name, handover.incoming.display_name
    if side == HandoverSignature.Side.OUTGOING:
        return (
            f"I hand over {name} to {other}. To the best of my knowledge what stands above is complete and correct, "
            f"and my judgement is honest. Until {other} has signed too, I answer for it."
        )
    return (
        f"I have read what {handover.outgoing.display_name} hands over. From my signature on I answer for {name}. "
        "If something goes wrong with this system, I am the person to call."
    )


def running_handover(system: System) -> Handover | None:
    """The hand-over of a system that both have not signed yet."""
    return (
        Handover.objects.filter(system=system, state__in=RUNNING)
        .select_related("outgoing", "incoming", "system")
        .first()
    )


def handovers_waiting_for(person: Person) -> QuerySet[Handover]:
    """Running hand-overs in which a person is one of the two, the earliest date first."""
    mine = Q(outgoing=person) | Q(incoming=person)
    found = Handover.objects.filter(mine, state__in=RUNNING)
    return found.select_related("system", "outgoing", "incoming").order_by("due_on", "opened_at")
