"""What the checks of the matrix look at, and what they find. No Django here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from apps.registry.rules.breaches import Level

OWNER = "owner"
FUNCTION, PERSON = "function", "person"
SCENARIO_ROWS = ("incident-data-access", "incident-harmful-decision", "incident-cost-spike")
BOARD, CENTRAL = "board", "platform"
# Tiers at which whoever operates or oversees has to be trained (AI Act Art. 26(2)).
TRAINED_TIERS = ("critical", "high")


@dataclass(frozen=True)
class Who:
    """A person who holds letters, as they are today."""

    id: str
    name: str
    can_act: bool = True
    away_days: int | None = None  # away and nobody acts for them: since how many days
    deputy: str | None = None
    deputy_name: str = ""
    deputy_can_act: bool = False
    manager: str | None = None
    reachable: bool = True
    auditor: bool = False
    trained: bool = False
    systems: int = 0  # live systems that they accepted; held as interim is counted apart
    interim: int = 0


@dataclass(frozen=True)
class Party:
    """Whom a letter belongs to: a function's seat, a person, or the system's owner."""

    key: str
    words: str
    kind: str
    holder: Who | None = None
    vacant_days: int | None = None


@dataclass(frozen=True)
class Line:
    """One row of an effective matrix."""

    domain: str
    name: str
    layer: str
    cells: Mapping[str, str]

    def holders(self, letter: str) -> list[str]:
        """The parties with a letter."""
        return [party for party, letters in self.cells.items() if letter in letters]

    @property
    def accountable(self) -> str | None:
        """The one party with the A, if it is one."""
        found = self.holders("A")
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Waiting:
    """Somebody was asked to accept letters and has not answered."""

    key: str
    person: str
    name: str
    rows: tuple[str, ...]
    due_on: date


@dataclass(frozen=True)
class Sheet:
    """The effective matrix of one scope with everything that the checks have to know.

    `owner` is the system's owner, None above systems: there each owner is another person. `may_stop` is what is
    recorded of the owner's authority; None where it is not known.
    """

    scope: str
    lines: Mapping[str, Line]
    parties: Mapping[str, Party]
    owner: Who | None = None
    tier: str = "unknown"
    may_stop: bool | None = None
    today: date = date.min
    most_systems: int = 25
    waiting: tuple[Waiting, ...] = ()
    spans: Mapping[str, tuple[tuple[datetime, datetime | None], ...]] = field(default_factory=dict)
    unversioned: tuple[str, ...] = ()

    def holder(self, party: str | None) -> Who | None:
        """The person behind a party today, if that is one."""
        if party is None:
            return None
        if party == OWNER:
            return self.owner
        found = self.parties.get(party)
        return found.holder if found else None

    def identity(self, party: str | None) -> str | None:
        """Who a party is, to compare: a person's id, "owner" where each system has its own, None for nobody."""
        if party == OWNER and self.owner is None:
            return OWNER
        holder = self.holder(party)
        return holder.id if holder else None

    def words(self, party: str) -> str:
        """A party in a sentence, with the name of who holds the seat."""
        if party == OWNER:
            return f"{self.owner.name}, who owns the system," if self.owner else "the system's owner"
        found = self.parties.get(party)
        return found.words if found else "somebody who is not known"

    def identities(self, domain: str, letters: str) -> set[str]:
        """Who has one of some letters in a row."""
        line = self.lines.get(domain)
        if line is None:
            return set()
        found = {self.identity(party) for letter in letters for party in line.holders(letter)}
        return {who for who in found if who}

    @cached_property
    def people(self) -> dict[str, Who]:
        """Everybody behind a letter A or R, by id."""
        held = (p for line in self.lines.values() for p, letters in line.cells.items() if {"A", "R"} & set(letters))
        return {who.id: who for who in map(self.holder, held) if who}

    @cached_property
    def auditors(self) -> dict[str, Who]:
        """Those of them who audit."""
        return {key: who for key, who in self.people.items() if who.auditor}

    def rows_of(self, identity: str, letter: str) -> list[Line]:
        """The rows in which somebody has a letter."""
        return [line for line in self.lines.values() if any(self.identity(p) == identity for p in line.holders(letter))]


@dataclass(frozen=True)
class Fault:
    """One breach of one check. `domain` and `about` (a party, a person's id) say where; a greater measure is worse."""

    check: str
    level: Level
    text: str
    remedy: str
    domain: str = ""
    about: str = ""
    measure: float = 1

    @property
    def key(self) -> tuple[str, str, str]:
        """The same breach from one time to the next."""
        return self.check, self.domain, self.about


def listed(words: list[str]) -> str:
    """Words in a sentence: "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def some(words: list[str], most: int = 3) -> str:
    """The first few, and how many more."""
    if len(words) <= most:
        return listed(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"
