"""What the portal knew about a system, in words. What it can't know yet says so. No Django here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from apps.attestations.questions import Section

UNKNOWN = "Not known here"
SCENARIO_WORDS = {
    "data-access": "It accessed data",
    "harmful-decision": "It made a harmful decision",
    "cost-spike": "It cost too much",
}
REGISTER = "the register"


@dataclass(frozen=True)
class Fact:
    """One thing that is known, or known not to be known: from where, and as of which day.

    `kind` is "person" for a name. `changed` and `was` compare with the last campaign.
    """

    term: str
    value: str = ""
    note: str = ""
    kind: str = "text"
    source: str = REGISTER
    as_of: date | None = None
    name: str = ""
    changed: bool = False
    was: str = ""

    @property
    def unknown(self) -> bool:
        return not self.value


Facts = Mapping[str, Any]


def known(section: Section, facts: Facts, *, changes: Sequence[str] = (), before: Facts | None = None) -> list[Fact]:
    """The facts that stand before a section's questions; those that changed since `before` come first."""
    found = [fact for name in section.facts for fact in facts_of(name, facts, changes=changes, before=before)]
    return sorted(found, key=lambda fact: not fact.changed)


def facts_of(name: str, facts: Facts, *, changes: Sequence[str] = (), before: Facts | None = None) -> list[Fact]:
    """What one name of a fact shows. Raises KeyError for a name that is none."""
    day = datetime.fromisoformat(facts["at"]).date() if facts.get("at") else None
    changed = any(part in changes for part in MATERIAL.get(name, (name,)))
    was = [fact.value for fact in _READERS[name](before)] if changed and before is not None else []
    return [
        replace(
            fact,
            name=name,
            as_of=None if fact.unknown else day,
            changed=changed,
            was=was[place] if place < len(was) and was[place] != fact.value else "",
        )
        for place, fact in enumerate(_READERS[name](facts))
    ]


def words_of(name: str, facts: Facts) -> str:
    """The value of a fact in one line, as it is confirmed; empty where nothing is known."""
    return ", ".join(fact.value for fact in _READERS[name](facts) if fact.value) if name in _READERS else ""


def is_missing(name: str, facts: Facts) -> bool:
    """Whether the register holds nothing for it, or says that it is unknown."""
    value = facts.get(name)
    return not value or value == "unknown"


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
    if not deputy:
        return [Fact("Deputy", "No deputy", source="the directory")]
    return [Fact("Deputy", deputy["name"], kind="person", source="the directory")]


def _leads(facts: Facts) -> list[Fact]:
    leads = facts["leads"]
    found = [_lead(words, leads.get(scenario)) for scenario, words in SCENARIO_WORDS.items()]
    gaps = facts.get("gaps", ())
    return found + [Fact("Gap that a review found", gap, source="reviews of incidents") for gap in gaps]


def _lead(words: str, lead: Facts | None) -> Fact:
    source = "the responsibility matrix"
    if lead is None:
        return Fact(words, "Nobody is named", source=source)
    if not lead["name"]:
        return Fact(words, "Vacant seat", lead["party"], source=source)
    return Fact(words, lead["name"], lead["party"], "person", source)


def _identities(facts: Facts) -> list[Fact]:
    values = facts["identities"]
    if not values:
        return [Fact("Identities", "None on the register")]
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return [Fact("Identities", ", ".join(values[:5]) + more)]


def _exceptions(facts: Facts) -> list[Fact]:
    counts = facts.get("exceptions")
    if not isinstance(counts, Mapping):
        return [Fact("Open exceptions")]
    late = f"{counts['overdue']} past the day of the plan" if counts["overdue"] else ""
    return [Fact("Open exceptions", str(counts["open"]) if counts["open"] else "None", late, source="attestations")]


def _last(facts: Facts) -> list[Fact]:
    last = facts.get("last")
    if not last:
        return [Fact("Last attestation", "This is the first", source="attestations")]
    words = {"clean": "Clean", "qualified": "With exceptions", "not_attested": "Not attested"}[last["result"]]
    on = f", {day_words(last['on'])}" if last["on"] else ""
    return [Fact("Last attestation", f"{words}{on}", last["campaign"], source="attestations")]


RESPONSE = "incidents and drills"


def _incidents(facts: Facts) -> list[Fact]:
    """Real ones that were declared in the quarter; unknown in what was frozen before incidents were kept here."""
    response = facts.get("response")
    if not isinstance(response, Mapping):
        return [Fact("Incidents this quarter")]
    still = f"{response['open']} not closed" if response["open"] else ""
    return [Fact("Incidents this quarter", str(response["incidents"]) if response["incidents"] else "None", still,
                 source=RESPONSE)]  # fmt: skip


def _rehearsed(term: str, name: str) -> Callable[[Facts], list[Fact]]:
    """A day, or that it never happened; unknown in what was frozen before."""

    def read(facts: Facts) -> list[Fact]:
        response = facts.get("response")
        if not isinstance(response, Mapping):
            return [Fact(term)]
        return [Fact(term, day_words(response[name]) or "Never", source=RESPONSE)]

    return read


def _plain(term: str, name: str, empty: str) -> Callable[[Facts], list[Fact]]:
    return lambda facts: [Fact(term, str(facts[name]) or empty) if name in facts else Fact(term)]


def _word(term: str, name: str) -> Callable[[Facts], list[Fact]]:
    return lambda facts: [Fact(term, str(facts[name]).replace("_", " ").capitalize())]


def _missing(*terms: str) -> Callable[[Facts], list[Fact]]:
    return lambda _facts: [Fact(term) for term in terms]


# Which material facts of a snapshot tell that a fact changed, where it is not the one of the same name.
MATERIAL = {"owner": ("owner", "basis")}
# Material facts in words.
CHANGE_WORDS = {
    "owner": "owner",
    "basis": "how the owner came to it",
    "deputy": "deputy",
    "unit": "unit",
    "purpose": "purpose",
    "tier": "tier",
    "stage": "stage",
    "regulatory_class": "regulatory class",
    "operating_model": "operating model",
    "vendor": "vendor",
    "model": "model",
    "identities": "identities",
}


def change_words(changes: Sequence[str]) -> str:
    """owner, tier and vendor."""
    words = [CHANGE_WORDS.get(name, name) for name in changes if not (name == "basis" and "owner" in changes)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


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
    "model": _plain("Model", "model", "None on the register"),
    "identities": _identities,
    "leads": _leads,
    "overseers": _missing("People who oversee it"),
    "kill_switch": _rehearsed("Last test of the stop", "stop_tested_on"),
    "runbook": _missing("Last runbook review"),
    "drill": _rehearsed("Last drill", "drilled_on"),
    "incidents": _incidents,
    "spend": _missing("Spend this quarter", "Budget"),
    "exceptions": _exceptions,
    "last": _last,
}
FACT_NAMES = frozenset(_READERS)
# Facts that can be confirmed: they have one value.
CONFIRMABLE = frozenset(
    {
        "owner",
        "unit",
        "purpose",
        "tier",
        "stage",
        "regulatory_class",
        "operating_model",
        "vendor",
        "model",
        "identities",
    }
)  # fmt: skip


def drift(facts: Facts, now: Facts) -> list[tuple[str, str, str]]:
    """What is otherwise on the register now: (term, then, now). `now` holds the facts that are compared."""
    rows = []
    for name in sorted(now.keys() & CONFIRMABLE, key=list(_READERS).index):
        then_fact, now_fact = _READERS[name](facts)[0], _READERS[name](now)[0]
        if name in facts and then_fact.value != now_fact.value:
            rows.append((now_fact.term, then_fact.value, now_fact.value))
    return rows


def fact_line(name: str, facts: Facts) -> str:
    """What is kept beside an answer: "Vendor: Initech". Empty for a question about no fact."""
    if not name:
        return ""
    return "; ".join(f"{fact.term}: {fact.value}" for fact in _READERS[name](facts) if fact.value)
