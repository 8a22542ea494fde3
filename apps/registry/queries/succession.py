"""Who answers in the interim: the last owner's deputy, that owner's manager, unit heads upward, the mandate."""

from collections.abc import Iterator

from apps.common.errors import Refused
from apps.people.models import Person
from apps.registry.models import Mandate, Unit
from apps.registry.rules import Candidate, Step, first_who_can_act


def mandate_holder() -> Person | None:
    """The person in the seat that holds the governance mandate; None before the first start. One query."""
    return Person.objects.filter(seats__function__mandates__isnull=False).first()


def interim_for(unit: Unit, last_owner: Person | None = None) -> tuple[Person, list[Step]]:
    """Who answers for a system of this unit while nobody has accepted, and the steps that lead to the name.

    Raises Refused before the first start, when nobody holds the mandate.
    """
    return Succession().derive(unit.pk, last_owner)


class Succession:
    """The unit tree with its heads and the mandate holder, read once (two queries) for one or many derivations."""

    def __init__(self) -> None:
        self.units = {unit.pk: unit for unit in Unit.objects.select_related("head")}
        self.mandate = Mandate.objects.select_related("holder__seat__holder").first()

    def derive(self, unit_id: int, last_owner: Person | None = None) -> tuple[Person, list[Step]]:
        """See interim_for."""
        people: dict[str, Person] = {}
        chosen, steps = first_who_can_act(self._candidates(unit_id, last_owner, people))
        if chosen is None or chosen.person_id is None:
            raise Refused("Nobody holds the governance mandate yet. Run the first start before registering systems.")
        return people[chosen.person_id], steps

    def _candidates(self, unit_id: int, last_owner: Person | None, people: dict[str, Person]) -> Iterator[Candidate]:
        if last_owner is not None:
            yield _candidate("deputy", f"Deputy of {last_owner.display_name}", last_owner.deputy, people)
            yield _candidate("manager", f"Line manager of {last_owner.display_name}", last_owner.line_manager, people)
        for unit in self._upward(unit_id):
            yield _candidate("unit_head", f"Head of {unit.name}", unit.head, people)
        holder = self.mandate.holder.seat.holder if self.mandate else None
        yield _candidate("mandate", "Holder of the governance mandate", holder, people)

    def _upward(self, unit_id: int | None) -> Iterator[Unit]:
        while unit_id is not None:
            unit = self.units[unit_id]
            yield unit
            unit_id = unit.parent_id


def _candidate(source: str, label: str, person: Person | None, people: dict[str, Person]) -> Candidate:
    if person is None:
        return Candidate(source, label, None, "", False)
    people[str(person.pk)] = person
    can_act = person.is_active and person.kind == Person.Kind.HUMAN
    return Candidate(source, label, str(person.pk), person.display_name, can_act)
