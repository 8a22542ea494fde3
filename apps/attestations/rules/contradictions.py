"""What the frozen facts say against an answer. No Django here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.attestations.facts import SCENARIO_WORDS, change_words, is_missing, words_of
from apps.attestations.questions import Question, Type, Value
from apps.common.dates import day_words, read_date


@dataclass(frozen=True)
class Against:
    """What answers are held against: the frozen facts, what changed since the last campaign, the period, today."""

    facts: Mapping[str, Any]
    begins: date
    today: date
    changes: tuple[str, ...] = ()


def contradiction(question: Question, value: str, day: str, against: Against) -> str:
    """What speaks against an answer, as a sentence; empty where nothing does.

    A contradiction never changes an answer: the person says why it is so all the same.
    """
    if question.type == Type.DATE:
        return _too_old(question, day, against)
    if question.type == Type.CONFIRM_FACT and value == Value.YES and is_missing(question.fact, against.facts):
        return f"The register says: {words_of(question.fact, against.facts).lower() or 'nothing'}."
    rule = _RULES.get(question.key)
    return rule(value, against) if rule is not None and value else ""


def _too_old(question: Question, text: str, against: Against) -> str:
    day = read_date(text)
    if question.bounds != "period" or day is None or day >= against.begins:
        return ""
    return f"{day_words(day)} lies before this period, which began on {day_words(against.begins)}."


def _deputy(value: str, against: Against) -> str:
    if value != Value.YES or against.facts.get("deputy"):
        return ""
    return "The directory names no active deputy."


def _leads(value: str, against: Against) -> str:
    leads = against.facts.get("leads", {})
    nobody = [words for scenario, words in SCENARIO_WORDS.items() if not (leads.get(scenario) or {}).get("name")]
    gaps = against.facts.get("gaps") or ()
    if value == Value.YES and gaps:
        return f"A review found a gap that is not put right. {gaps[0]}"
    if value != Value.YES or not nobody:
        return ""
    return f"Nobody leads the response for: {', '.join(words[0].lower() + words[1:] for words in nobody)}."


def _purpose(value: str, against: Against) -> str:
    return "The register holds no purpose." if value == Value.YES and is_missing("purpose", against.facts) else ""


def _tier(value: str, against: Against) -> str:
    unknown = [name for name in ("tier", "regulatory_class") if is_missing(name, against.facts)]
    if value != Value.YES or not unknown:
        return ""
    return f"The register says that the {change_words(unknown)} {'is' if len(unknown) == 1 else 'are'} unknown."


def _identities(value: str, against: Against) -> str:
    nothing = value == Value.YES and is_missing("identities", against.facts)
    return "The register lists no identity." if nothing else ""


# What counts as a change of vendor or model.
_SUPPLY = ("vendor", "model", "operating_model")


def _nothing_changed(value: str, against: Against) -> str:
    changed = [name for name in _SUPPLY if name in against.changes]
    if value != Value.NOT_APPLICABLE or not changed:
        return ""
    return f"On the register the {change_words(changed)} changed since the last attestation."


def _tier_unchanged(value: str, against: Against) -> str:
    if said := _tier(value, against):
        return said
    changed = [name for name in ("tier", "regulatory_class") if name in against.changes]
    if value != Value.NOT_APPLICABLE or not changed:
        return ""
    return f"On the register the {change_words(changed)} changed since the last attestation."


def _open_exceptions(value: str, against: Against) -> str:
    counts = against.facts.get("exceptions")
    if not isinstance(counts, Mapping) or not counts["open"]:
        return ""
    if value == Value.NOT_APPLICABLE:
        return f"{_number(counts['open'])} open."
    if value == Value.YES and counts["overdue"]:
        return f"{_number(counts['overdue'])} past the day of the plan."
    return ""


def _number(count: int) -> str:
    return "1 exception is" if count == 1 else f"{count} exceptions are"


_RULES: dict[str, Callable[[str, Against], str]] = {
    "deputy": _deputy,
    "response_card": _leads,
    "change_response": _leads,
    "purpose": _purpose,
    "tier": _tier_unchanged,
    "change_tier": _tier,
    "identities": _identities,
    "changes": _nothing_changed,
    "open_exceptions": _open_exceptions,
}
