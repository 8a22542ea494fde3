"""The clocks of one incident in the order in which a person works through them, so that twenty do not drown one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from apps.incidents.queries.clocks import Card, deciders
from apps.incidents.rules import ClockState
from apps.people.models import Person

_WAITS = (ClockState.NOT_ASSESSED.value, ClockState.ASSESSING.value)


@dataclass(frozen=True)
class Law:
    """The duties of one law of which nobody has said whether it binds the organisation."""

    name: str
    cards: list[Card]

    @property
    def first_by(self) -> datetime | None:
        """By when the first of its duties is looked at."""
        return min((card.clock.assess_by for card in self.cards if card.clock.assess_by), default=None)

    @property
    def deciders(self) -> list[Person]:
        """Who decides, each once."""
        return deciders(self.cards)


@dataclass(frozen=True)
class ClockGroups:
    """What runs, what is looked at now, what waits for somebody to say whether it binds, what is decided."""

    running: list[Card] = field(default_factory=list)
    urgent: list[Card] = field(default_factory=list)
    laws: list[Law] = field(default_factory=list)
    decided: list[Card] = field(default_factory=list)

    @property
    def unsaid(self) -> list[Card]:
        """The duties of all laws of which nobody has said whether they bind."""
        return [card for law in self.laws for card in law.cards]

    @property
    def open(self) -> int:
        """How many are not decided."""
        return len(self.running) + len(self.urgent) + len(self.unsaid)

    @property
    def overdue(self) -> int:
        """How many are past the day by which somebody looks, or past their deadline."""
        return sum(card.tone == "late" for card in [*self.running, *self.urgent])

    @property
    def first_by(self) -> datetime | None:
        """By when the first of those that wait is looked at."""
        return min((law.first_by for law in self.laws if law.first_by), default=None)


def grouped(cards: Iterable[Card]) -> ClockGroups:
    """Sort clocks: the nearest deadline first; a law is folded until somebody says that it binds, or it is overdue."""
    found = ClockGroups()
    laws: dict[str, list[Card]] = {}
    for card in cards:
        clock = card.clock
        if clock.is_over:
            found.decided.append(card)
        elif clock.state not in _WAITS:
            found.running.append(card)
        elif clock.rule.applies or clock.state == ClockState.ASSESSING or card.tone == "late":
            found.urgent.append(card)
        else:
            laws.setdefault(clock.rule.instrument, []).append(card)
    found.running.sort(key=lambda card: _when(card.clock.due_at))
    found.urgent.sort(key=lambda card: _when(card.clock.assess_by))
    found.laws.extend(Law(name, sorted(of, key=lambda card: _when(card.clock.assess_by))) for name, of in laws.items())
    found.laws.sort(key=lambda law: _when(law.first_by))
    return found


def _when(moment: datetime | None) -> tuple[bool, float]:
    """Without a moment last."""
    return moment is None, moment.timestamp() if moment else 0
