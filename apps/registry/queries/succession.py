"""Who answers in the interim: the last owner's deputy, that owner's manager, unit heads upward, the mandate."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from apps.common.clock import local_date
from apps.common.errors import Refused
from apps.people.models import Person
from apps.people.rules import leaves_soon
from apps.registry.models import Mandate, Unit
from apps.registry.rules import Candidate, Step, first_who_can_act


def mandate_holder() -> Person | None:
    """The person in the seat that holds the governance mandate; None before the first start. One query."""
    return Person.objects.filter(seats__function__mandates__isnull=False).first()


def interim_for(unit: Unit, last_owner: Person | None = None, *, now: datetime) -> tuple[Person, list[Step]]:
    """Who answers for a system of this unit while nobody has accepted, and the steps that lead to the name.

    Raises Refused before the first start, when nobody holds the mandate.
    """
    return Succession(now).derive(unit.pk, last_owner)


class Succession:
    """The unit tree with its heads and the mandate holder, read once (two queries) for one or many derivations.

    `without` is somebody who is about to leave in this transaction.
    """

    def __init__(self, now: datetime, *, without: Person | None = None) -> None:
        self.today = local_date(now)
        self.without = without.pk if without else None
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        self.mandate = Mandate.objects.select_related("holder__seat__holder").first()

    def derive(self, unit_id: int, last_owner: Person | None = None) -> tuple[Person, list[Step]]:
        """See interim_for. Where everybody is leaving, the first of them who is still active: nobody is worse."""
        people: dict[str, Person] = {}
        candidates = list(self._candidates(unit_id, last_owner, people))
        chosen, steps = first_who_can_act(candidates)
        if chosen is None:
            still_here = [replace(one, can_act=one.can_act or one.leaving) for one in candidates]
            chosen, steps = first_who_can_act(still_here)
        if chosen is None or chosen.person_id is None:
            raise Refused("Nobody holds the governance mandate yet. Run the first start before registering systems.")
        return people[chosen.person_id], steps

    def heads(self, unit_id: int) -> list[Person]:
        """Everybody above a unit who can act, nearest first: the heads, then the mandate holder."""
        people: dict[str, Person] = {}
        found = list(self._candidates(unit_id, None, people))
        return [people[one.person_id] for one in found if one.can_act and one.person_id]

    def _candidates(self, unit_id: int, last_owner: Person | None, people: dict[str, Person]) -> Iterator[Candidate]:
        if last_owner is not None:
            name = last_owner.display_name
            yield self._candidate("deputy", f"Deputy of {name}", last_owner.deputy, people)
            yield self._candidate("manager", f"Line manager of {name}", last_owner.line_manager, people)
        for unit in self._upward(unit_id):
            yield self._candidate("unit_head", f"Head of {unit.name}", unit.head, people)
        holder = self.mandate.holder.seat.holder if self.mandate else None
        yield self._candidate("mandate", "Holder of the governance mandate", holder, people)

    def _upward(self, unit_id: int | None) -> Iterator[Unit]:
        while unit_id is not None:
            unit = self.units[unit_id]
            yield unit
            unit_id = unit.parent_id

    def _candidate(self, source: str, label: str, person: Person | None, people: dict[str, Person]) -> Candidate:
        if person is None:
            return Candidate(source, label, None, "", False)
        people[str(person.pk)] = person
        active = person.is_active and person.kind == Person.Kind.HUMAN and person.pk != self.without
        leaving = active and leaves_soon(person.leaving_on, self.today)
        return Candidate(source, label, str(person.pk), person.display_name, active and not leaving, leaving)
