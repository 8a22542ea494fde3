"""The answer in a few short lines, as a chat shows it."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings

from apps.incidents.queries.cards import Card, CardPerson, card_of
from apps.portal.queries.answers import SCENARIO_WORDS, Answer
from apps.portal.queries.who import Nothing, One, Result
from apps.registry.rules import Scenario

# A chat is no list: whoever needs more narrows the text.
LINES = 8
STEPS = 3


def as_text(result: Result, scenario: Scenario | None, now: datetime) -> str:
    """One name with how to reach them, or one line a match, or that nothing fits."""
    if isinstance(result, Nothing):
        return f"Nothing called “{result.text}”. Give a key, name, agent id, vendor or person.\n"
    if isinstance(result, One):
        return "\n".join(_one(result.answer, now)) + "\n"
    lines = [_match(answer) for answer in result.answers[:LINES]]
    lines += [f"{person.display_name}: {_reach(person.phone, person.email)}" for person in result.people[:LINES]]
    more = result.more or len(result.answers) > LINES
    head = f"Several fit “{result.text}”. Say which:"
    return "\n".join([head, *lines, *(["There are more. Say more of the name."] if more else [])]) + "\n"


def _match(answer: Answer) -> str:
    return f"{answer.system.name} ({answer.system.key}): {answer.person.display_name}, {_reach_of(answer)}"


def _reach_of(answer: Answer) -> str:
    return _reach(answer.person.phone, answer.person.email)


def _reach(phone: str, email: str) -> str:
    return phone or email


def _one(answer: Answer, now: datetime) -> Iterator[str]:
    system, scenario = answer.system, answer.scenario
    about = f": {SCENARIO_WORDS[scenario]}" if scenario else ""
    yield f"{system.name} ({system.key}){about}"
    yield f"{answer.person.display_name} answers. {answer.role}."
    card = card_of(system, scenario.value if scenario else "", now)
    if card is None:
        yield f"{system.name} is not in use; nobody is called."
        return
    yield "Reach: " + ", ".join(reach.address for reach in card.lead.reaches)
    for one in card.by_severity:
        yield f"{one.words} {one.name} leads ({_reach(one.phone, one.email)})."
    yield _chain(card)
    yield from _stop(card)
    if card.runbook is not None:
        yield "First: " + " ".join(f"{step.order}. {step.title}." for step in card.runbook.steps[:STEPS])
    if card.is_fallback:
        yield "Nobody whom the rules name can act: this is who stands in."
    query = {"system": system.key} | ({"scenario": scenario.value} if scenario else {})
    yield f"{settings.SITE_URL.rstrip('/')}/who/?{urlencode(query)}"


def _chain(card: Card) -> str:
    people = [person for person in (card.deputy, card.next_in_line) if person is not None]
    if not people:
        return "Nobody is named after them."
    return f"After {card.respond_within} min: " + ", then ".join(_named(person) for person in people)


def _named(person: CardPerson) -> str:
    return f"{person.name} ({_reach(person.phone, person.email)})"


def _stop(card: Card) -> Iterator[str]:
    holders = ", ".join(person.name for person in card.stop.holders)
    if holders or card.stop.link:
        yield "Stop: " + " ".join(part for part in (f"{holders} may." if holders else "", card.stop.link) if part)
