"""What the portal knew when the campaign opened, in words. What it can't know yet says so. No Django here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.attestations.questions import Section

UNKNOWN = "Not known here"
SCENARIO_WORDS = {
    "data-access": "It accessed data",
    "harmful-decision": "It made a harmful decision",
    "cost-spike": "It cost too much",
}


@dataclass(frozen=True)
class Fact:
    """One thing that is known, or known not to be known. `kind` is "person" for a name."""

    term: str
    value: str = ""
    note: str = ""
    kind: str = "text"

    @property
    def unknown(self) -> bool:
        return not self.value


Facts = Mapping[str, Any]


def known(section: Section, facts: Facts) -> list[Fact]:
    """The facts that stand before a section's questions."""
    return [fact for name in section.facts for fact in _READERS[name](facts)]


def day_words(text: str | None) -> str:
    """An ISO moment as "17 Nov 2026"."""
    if not text:
        return ""
    day = datetime.fromisoformat(text)
    return f"{day.day} {day:%b %Y}"


def _owner(facts: Facts) -> list[Fact]:
    owner = facts["owner"]
    words = "Accepted" if owner["basis"] == "accepted" else "Interim: nobody has accepted"
    since = day_words(owner["since"])
    return [Fact("Owner", owner["name"], f"{words}, since {since}" if since else words, "person")]


def _deputy(facts: Facts) -> list[Fact]:
    deputy = facts["deputy"]
    return [Fact("Deputy", deputy["name"], kind="person") if deputy else Fact("Deputy", "No deputy")]


def _leads(facts: Facts) -> list[Fact]:
    leads = facts["leads"]
    return [_lead(words, leads.get(scenario)) for scenario, words in SCENARIO_WORDS.items()]


def _lead(words: str, lead: Facts | None) -> Fact:
    if lead is None:
        return Fact(words, "Nobody is named")
    if not lead["name"]:
        return Fact(words, "Vacant seat", lead["party"])
    return Fact(words, lead["name"], lead["party"], "person")


def _identities(facts: Facts) -> list[Fact]:
    values = facts["identities"]
    if not values:
        return [Fact("Identities", "None on the register")]
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return [Fact("Identities", ", ".join(values[:5]) + more)]


def _plain(term: str, name: str, empty: str) -> Callable[[Facts], list[Fact]]:
    return lambda facts: [Fact(term, str(facts[name]) or empty)]


def _word(term: str, name: str) -> Callable[[Facts], list[Fact]]:
    return lambda facts: [Fact(term, str(facts[name]).replace("_", " ").capitalize())]


def _missing(*terms: str) -> Callable[[Facts], list[Fact]]:
    return lambda _facts: [Fact(term) for term in terms]


_READERS: dict[str, Callable[[Facts], list[Fact]]] = {
    "owner": _owner,
    "deputy": _deputy,
    "unit": lambda facts: [Fact("Unit", facts["unit"]["name"])],
    "purpose": _plain("Purpose", "purpose", "None on the register"),
    "tier": _word("Tier", "tier"),
    "stage": _word("Stage", "stage"),
    "regulatory_class": _word("Regulatory class", "regulatory_class"),
    "operating_model": _word("Operating model", "operating_model"),
    "vendor": _plain("Vendor", "vendor", "None on the register"),
    "identities": _identities,
    "leads": _leads,
    "overseers": _missing("People who oversee it"),
    "kill_switch": _missing("Last test of the stop"),
    "runbook": _missing("Last runbook review"),
    "drill": _missing("Last drill"),
    "incidents": _missing("Incidents this quarter"),
    "spend": _missing("Spend this quarter", "Budget"),
    "exceptions": _missing("Open exceptions"),
}
