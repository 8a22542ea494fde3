"""Who answers? From a text to one answer, to a list with a name on each row, or to nothing. Never a guess."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.people.models import Person
from apps.people.queries import find_people
from apps.portal.queries.answers import Answer, answer_for, answers_for
from apps.registry.models import System, SystemIdentity
from apps.registry.queries import on_record, search, visible_systems, who_answers_systems
from apps.registry.rules import NOT_LIVE, Scenario

__all__ = [
    "Answer",
    "Many",
    "Nothing",
    "One",
    "answer_for",
    "answers_for",
    "as_json",
    "resolve",
    "resolve_key",
    "resolve_person",
    "suggest",
]

# Rows of a list of matches. Whoever needs more narrows the text, or uses the systems list.
SHOWN = 20


@dataclass(frozen=True)
class One:
    """The text names one system."""

    text: str
    answer: Answer


@dataclass(frozen=True)
class Many:
    """Several systems fit, or a person who answers for several. `more` says that the list is cut."""

    text: str
    answers: list[Answer]
    people: list[Person]
    person: Person | None = None
    more: bool = False


@dataclass(frozen=True)
class Nothing:
    """No system and no person fits."""

    text: str


Result = One | Many | Nothing


def resolve(actor: Person, text: str, scenario: Scenario | None = None) -> Result:
    """What a text means to somebody who asks who answers.

    An exact key, identity or name that fits one system gives that system. Else the systems that contain the
    words, and the people whose name, title or address does. Systems that are not live come last, and only to
    those who may open them. The number of queries does not depend on the number of systems.
    """
    text = " ".join(text.split())
    if not text:
        return Nothing(text)
    named = _named_exactly(actor, text)
    if len(named) == 1:
        return One(text, answer_for(named[0], scenario))
    people = list(find_people(text)[:5]) if len(text) > 1 else []
    systems = named or _containing(actor, text, SHOWN + 1)
    exact = [p for p in people if text.lower() in (p.display_name.lower(), p.email)]
    if not systems and len(exact or people) == 1:
        return resolve_person(actor, (exact or people)[0], scenario, text=text)
    if not systems and not people:
        systems = _not_live(actor, text)
    return _result(text, systems, people, scenario)


def resolve_key(actor: Person, key: str, scenario: Scenario | None = None) -> One | Nothing:
    """The answer for one system by its key; Nothing for not there and not yours alike."""
    open_to_all = on_record(who_answers_systems(actor)).filter(key=key).first()
    system = open_to_all or on_record(visible_systems(actor)).filter(key=key).first()
    return One(key, answer_for(system, scenario)) if system else Nothing(key)


def resolve_person(actor: Person, person: Person, scenario: Scenario | None = None, *, text: str = "") -> Many:
    """The live systems that a person answers for as owner."""
    owned = on_record(who_answers_systems(actor)).filter(owner=person).order_by("name", "id")
    systems = list(owned[: SHOWN + 1])
    answers = answers_for(systems[:SHOWN], scenario)
    return Many(text or person.display_name, answers, [], person=person, more=len(systems) > SHOWN)


def suggest(actor: Person, text: str) -> tuple[list[Answer], list[Person]]:
    """The first systems and people for the palette, exact matches first."""
    text = " ".join(text.split())
    if len(text) < 2:
        return [], []
    named = _named_exactly(actor, text)
    rest = [s for s in _containing(actor, text, 8) if s.pk not in {n.pk for n in named}]
    return answers_for((named + rest)[:8]), list(find_people(text)[:4])


def _result(text: str, systems: Sequence[System], people: list[Person], scenario: Scenario | None) -> Result:
    if len(systems) == 1:
        return One(text, answer_for(systems[0], scenario))
    if not systems and not people:
        return Nothing(text)
    return Many(text, answers_for(systems[:SHOWN], scenario), people, more=len(systems) > SHOWN)


def _named_exactly(actor: Person, text: str) -> list[System]:
    """Live systems whose key, name or identity is the text, in any case."""
    ids = _ids_named(text)
    return list(on_record(who_answers_systems(actor)).filter(pk__in=ids).order_by("name", "id")[: SHOWN + 1])


def _ids_named(text: str) -> list[int]:
    """Ids only, so that each branch of the union stays on its own index."""
    keys = System.objects.filter(key__iexact=text).values_list("pk", flat=True)
    names = System.objects.filter(name__iexact=text).values_list("pk", flat=True)
    identities = SystemIdentity.objects.filter(value__iexact=text).values_list("system_id", flat=True)
    return list(keys.union(names, identities))


def _containing(actor: Person, text: str, limit: int) -> list[System]:
    """Live systems that contain the words: names that begin with the text first, then the others by name."""
    systems = who_answers_systems(actor)
    ids = _first_ids(systems.filter(name__istartswith=text), limit)
    if len(ids) < limit:
        ids += _first_ids(search(systems, text).exclude(pk__in=ids), limit - len(ids))
    found = on_record(System.objects.filter(pk__in=ids)).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def _first_ids(systems: QuerySet[System], limit: int) -> list[int]:
    """Ids alone, so that sorting thousands of matches moves no whole rows."""
    return list(systems.order_by("name", "id").values_list("pk", flat=True)[:limit])


def _not_live(actor: Person, text: str) -> list[System]:
    """Proposed and retired systems that the actor may open."""
    systems = on_record(visible_systems(actor)).filter(stage__in=NOT_LIVE)
    exact: QuerySet[System] = systems.filter(pk__in=_ids_named(text)).order_by("name", "id")
    return list(exact[: SHOWN + 1]) or list(search(systems, text).order_by("name", "id")[: SHOWN + 1])


def as_json(result: Result, scenario: Scenario | None = None) -> dict[str, Any]:
    """A result as the command and the API say it."""
    base: dict[str, Any] = {"query": result.text, "scenario": scenario.value if scenario else None}
    if isinstance(result, One):
        return base | {"outcome": "one", "answer": answer_json(result.answer), "matches": []}
    if isinstance(result, Nothing):
        return base | {"outcome": "nothing", "answer": None, "matches": []}
    matches = [answer_json(answer) for answer in result.answers]
    people = [person_json(person) for person in _named(result)]
    return base | {"outcome": "many", "answer": None, "matches": matches, "people": people, "more": result.more}


def _named(result: Many) -> Iterable[Person]:
    return [result.person] if result.person else result.people


def answer_json(answer: Answer) -> dict[str, Any]:
    """One answer in plain values."""
    system = answer.system
    return {
        "system": {
            "key": system.key,
            "name": system.name,
            "unit": system.unit.name,
            "stage": system.stage,
            "tier": system.tier,
            "live": system.is_live,
        },
        "person": person_json(answer.person),
        "basis": answer.basis,
        "role": answer.role,
        "acts_for": person_json(answer.acts_for) if answer.acts_for else None,
        "until": answer.until.isoformat() if answer.until else None,
        "deputy": person_json(answer.deputy) if answer.deputy else None,
        "owner": person_json(answer.owner),
        "owner_basis": answer.owner_basis,
        "channels": [{"kind": channel.kind, "value": channel.value} for channel in answer.channels],
        "derivation": [{"chosen": step.chosen, "text": str(step)} for step in answer.derivation],
        "problems": list(answer.problems),
    }


def person_json(person: Person) -> dict[str, Any]:
    """What everybody who is signed in may know of a person who answers."""
    identifier: UUID = person.pk
    return {"id": str(identifier), "name": person.display_name, "title": person.title, "active": person.is_active}
