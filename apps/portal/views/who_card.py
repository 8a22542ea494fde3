"""What the page of an answer takes from the response card: contacts, time, who stops it, first steps, clocks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.urls import NoReverseMatch, reverse

from apps.common.clock import day_words, local_date
from apps.incidents.queries.cards import Card, CardPerson, Reach, card_of
from apps.incidents.queries.incidents import visible_incidents
from apps.incidents.queries.page import LiveOne
from apps.incidents.rules.clocks import span_words
from apps.incidents.views.cards import declare_address
from apps.people.models import Person
from apps.portal.queries.answers import Answer

log = structlog.get_logger(__name__)

# Kind of a channel -> icon, what it is called, how a link to it begins.
_KINDS = {
    "phone": ("phone", "Phone", "tel:"),
    "voice": ("phone", "Call", "tel:"),
    "sms": ("message-square", "Text message", "sms:"),
    "email": ("mail", "Email", "mailto:"),
    "chat": ("message-square", "Chat", ""),
}
# Clocks that the page names; the incident lists them all.
CLOCKS_SHOWN = 6


@dataclass(frozen=True)
class Contact:
    """A way to reach whoever leads, and when a test of it last came through."""

    icon: str
    value: str
    href: str
    note: str


@dataclass(frozen=True)
class Next:
    """Somebody who is called when nobody answers."""

    person: CardPerson
    kind: str
    note: str


def card_context(reader: Person, answer: Answer, now: datetime) -> dict[str, Any]:
    """The card's part of the page; nothing for a system that is not in use."""
    card = card_of(answer.system, answer.scenario.value if answer.scenario else "", now)
    if card is None:
        return {"card": None}
    if card.lead.id != answer.person.pk:
        # The page is worked out as it is asked for; a card that says otherwise waits for the sweep.
        log.warning("who.card_differs", system=card.key, scenario=card.scenario)
        card = None
    if card is None:
        return {"card": None}
    return {
        "card": card,
        "contacts": [*map(_contact, card.lead.reaches), *_chat(answer)],
        "next_in_line": _chain(card, answer),
        "declare_address": declare_address(card),
        "runbook_address": _address("incidents:runbook", card.runbook.key) if card.runbook else "",
        "clocks": card.clocks[:CLOCKS_SHOWN],
        "more_clocks": max(0, len(card.clocks) - CLOCKS_SHOWN),
        "live": _live(reader, card, now),
    }


def _contact(reach: Reach) -> Contact:
    icon, word, scheme = _KINDS[reach.kind]
    tested = f"tested {day_words(local_date(reach.tested_at))}" if reach.tested_at else "never tested"
    number = "".join(sign for sign in reach.address if sign.isdigit() or sign == "+")
    href = f"{scheme}{number if scheme in {'tel:', 'sms:'} else reach.address}" if scheme else ""
    return Contact(icon, reach.address, href, f"{word}, {tested}")


def _chat(answer: Answer) -> list[Contact]:
    channel = answer.system.chat_channel
    return [Contact("message-square", channel, "", "Chat channel of the system")] if channel else []


def _chain(card: Card, answer: Answer) -> list[Next]:
    """Deputy and next in line of the card first, then whoever else the page names; the owner has a line of theirs."""
    words = {one.person.pk: one.word for one in answer.then}
    found: dict[UUID, Next] = {}
    if card.deputy is not None:
        word = words.get(card.deputy.id, "Called as deputy")
        found[card.deputy.id] = Next(card.deputy, "deputy", f"{word} · after {card.respond_within} min")
    if card.next_in_line is not None:
        found.setdefault(
            card.next_in_line.id, Next(card.next_in_line, "person", words.get(card.next_in_line.id, "Next in line"))
        )
    return [one for pk, one in found.items() if pk != answer.person.pk]


def _live(reader: Person, card: Card, now: datetime) -> LiveOne | None:
    """The live incident on it; None where the reader may not open it or there is none."""
    if card.live is None:
        return None
    rows = visible_incidents(reader).filter(code=card.live.code).select_related("lead", "escalation")
    found = rows.first()
    return LiveOne(found, span_words(now - found.declared_at)) if found else None


def _address(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
