"""Who a system's owner probably is: where the facts agree on exactly one active person. Offered, never applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.common.clock import local_date
from apps.people.models import Person
from apps.registry.models import OwnershipFact, System

SOURCE_WORDS = {
    OwnershipFact.Kind.CODE_OWNER: "the code owners file of {source}",
    OwnershipFact.Kind.BACKSTAGE_OWNER: "the owner in the catalogue entry {source}",
    OwnershipFact.Kind.DEPLOYER: "who deployed the identity {source}",
}
WHY_NOT = {
    OwnershipFact.Reading.SEVERAL: "names several",
    OwnershipFact.Reading.TEAM: "names a team",
    OwnershipFact.Reading.MAILBOX: "names a mailbox",
    OwnershipFact.Reading.SERVICE: "names a service account",
    OwnershipFact.Reading.UNKNOWN: "names nobody known here",
}


@dataclass(frozen=True)
class Prediction:
    """The person whom the facts name, or why nobody is predicted. Both are empty where there is no fact."""

    person: Person | None
    facts: tuple[OwnershipFact, ...]
    why_not: str

    def ground(self, now: datetime) -> str:
        """The ground in words: "the code owners file of claims-agent, 12 days ago"."""
        return "; ".join(f"{source_words(fact)}, {_ago(fact, now)}" for fact in self.facts)


def predictions(systems: Sequence[System]) -> dict[int, Prediction]:
    """The prediction for each system about which there is a fact, by id. One query."""
    by_system: dict[int, list[OwnershipFact]] = {}
    facts = OwnershipFact.objects.filter(system__in=[system.pk for system in systems]).select_related("person")
    for fact in facts.order_by("system", "kind"):
        by_system.setdefault(fact.system_id, []).append(fact)
    return {system: predict(found) for system, found in by_system.items()}


def predicted_people(found: Mapping[int, Prediction]) -> list[tuple[Person, int]]:
    """Who is predicted for how many of several systems, the most first."""
    counted = Counter(one.person.pk for one in found.values() if one.person)
    people = {one.person.pk: one.person for one in found.values() if one.person}
    return [(people[pk], n) for pk, n in counted.most_common()]


def predict(facts: Sequence[OwnershipFact]) -> Prediction:
    """The single active human that all facts agree on; anything else predicts nobody and says why."""
    kept = tuple(facts)
    for fact in kept:
        if fact.person is None:
            return Prediction(None, kept, f"{source_words(fact)} {WHY_NOT[OwnershipFact.Reading(fact.reading)]}")
    people = {fact.person_id: fact.person for fact in kept if fact.person}
    if len(people) > 1:
        return Prediction(None, kept, f"the facts name {len(people)} people")
    for person in people.values():
        if not person.is_active:
            return Prediction(None, kept, f"{person.display_name} is deactivated")
        return Prediction(person, kept, "")
    return Prediction(None, kept, "")


def source_words(fact: OwnershipFact) -> str:
    """Where a fact comes from: "the code owners file of claims-agent"."""
    return SOURCE_WORDS[OwnershipFact.Kind(fact.kind)].format(source=fact.source)


def _ago(fact: OwnershipFact, now: datetime) -> str:
    days = (local_date(now) - local_date(fact.seen_at)).days
    return "today" if days <= 0 else "1 day ago" if days == 1 else f"{days} days ago"
