"""What questions have to be like before a campaign can ask them. Every fault says where, what, and what to do."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from apps.attestations.facts import CONFIRMABLE, FACT_NAMES
from apps.attestations.questions import CHOSEN, Type, Value

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
SLUG = re.compile(r"[a-z][a-z0-9-]{0,39}")
# Addresses beside the sections of an assignment.
RESERVED = frozenset(
    {
        "accept", "bulk", "check", "correct", "delegate", "evidence", "not-mine", "reassign", "receipt",
        "review", "sample", "snooze",
    }
)  # fmt: skip
BOUNDS = ("", "past", "period", "future")
LENGTHS = {"title": 80, "text": 400, "short": 80, "hint": 300}
_CORRECTABLE = {Value.YES, Value.NO, Value.CANNOT_ATTEST}
_QUESTION_FIELDS = {"key", "text", "short", "hint", "type", "required", "when", "fact", "bounds", "values"}
_SECTION_FIELDS = {"slug", "title", "text", "facts", "questions"}


def with_defaults(sections: Any) -> list[dict[str, Any]]:
    """The sections with every field of a question written out, in one order. They are free of faults."""
    return [
        {
            **{name: section[name] for name in ("slug", "title", "text")},
            "facts": list(section.get("facts", [])),
            "questions": [_whole(question) for question in section["questions"]],
        }
        for section in sections
    ]


def _whole(question: Mapping[str, Any]) -> dict[str, Any]:
    when = question.get("when")
    return {
        "key": question["key"],
        "text": question["text"],
        "short": question["short"],
        "hint": question.get("hint", ""),
        "type": question.get("type", "choice"),
        "required": question.get("required", True),
        "when": {"question": when["question"], "in": list(when["in"])} if when else None,
        "fact": question.get("fact", ""),
        "bounds": question.get("bounds", ""),
        "values": [{"value": one["value"], "label": one["label"]} for one in question.get("values", [])],
    }


def problems_of_sections(
    sections: Any, *, taken_keys: Collection[str] = (), taken_slugs: Collection[str] = ()
) -> list[str]:
    """Every fault of these sections; empty where they can be asked."""
    if not isinstance(sections, list) or not sections:
        return ["There is no section. Write a list of sections, each with slug, title, text, facts and questions."]
    keys, slugs = set(taken_keys), set(taken_slugs) | RESERVED
    problems: list[str] = []
    for place, section in enumerate(sections, start=1):
        if not isinstance(section, Mapping):
            problems.append(f"Section {place} is no object. Write it in braces.")
            continue
        problems += _section_problems(section, f"Section {section.get('slug') or place}", slugs, keys)
    return problems


def _section_problems(section: Mapping[str, Any], where: str, slugs: set[str], keys: set[str]) -> Iterator[str]:
    yield from _unknown(section, _SECTION_FIELDS, where)
    slug = section.get("slug")
    if not isinstance(slug, str) or not SLUG.fullmatch(slug):
        yield f"{where}, slug: use small letters, digits and dashes, 40 at most, beginning with a letter."
    elif slug in slugs:
        yield f"{where}, slug: {slug} is taken. Choose another."
    else:
        slugs.add(slug)
    yield from _text_problems(section, ("title", "text"), where)
    try:
        str(section.get("text", "")).format(name="")
    except (KeyError, IndexError, ValueError):
        yield f"{where}, text: only {{name}} can stand in braces. It becomes the name of the system."
    facts = section.get("facts", [])
    if not isinstance(facts, list) or not all(isinstance(fact, str) and fact in FACT_NAMES for fact in facts):
        yield f"{where}, facts: choose from {', '.join(sorted(FACT_NAMES))}."
    yield from _questions_problems(section.get("questions"), where, keys)


def _questions_problems(questions: Any, where: str, keys: set[str]) -> Iterator[str]:
    if not isinstance(questions, list) or not questions:
        yield f"{where}, questions: write at least one."
        return
    earlier: dict[str, Mapping[str, Any]] = {}
    for place, question in enumerate(questions, start=1):
        if not isinstance(question, Mapping):
            yield f"{where}, question {place} is no object. Write it in braces."
            continue
        yield from _question_problems(question, f"{where}, question {question.get('key') or place}", keys, earlier)


def _question_problems(
    question: Mapping[str, Any], where: str, keys: set[str], earlier: dict[str, Mapping[str, Any]]
) -> Iterator[str]:
    yield from _unknown(question, _QUESTION_FIELDS, where)
    key = question.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        yield f"{where}, key: use small letters, digits and _, 40 at most, beginning with a letter."
    elif key in keys:
        yield f"{where}, key: {key} is taken. Choose another."
    else:
        keys.add(key)
    yield from _text_problems(question, ("text", "short"), where)
    if not isinstance(question.get("hint", ""), str) or len(question.get("hint", "")) > LENGTHS["hint"]:
        yield f"{where}, hint: use {LENGTHS['hint']} characters at most."
    if not isinstance(question.get("required", True), bool):
        yield f"{where}, required: write true or false."
    yield from _type_problems(question, where)
    yield from _when_problems(question.get("when"), where, earlier)
    if isinstance(key, str):
        earlier[key] = question


def _type_problems(question: Mapping[str, Any], where: str) -> Iterator[str]:
    kind = question.get("type", "choice")
    if kind not in [one.value for one in Type]:
        yield f"{where}, type: choose from {', '.join(Type)}."
        return
    fact, bounds = question.get("fact", ""), question.get("bounds", "")
    if kind == Type.CONFIRM_FACT and fact not in CONFIRMABLE:
        yield f"{where}, fact: say which one is confirmed: {', '.join(sorted(CONFIRMABLE))}."
    elif fact and fact not in FACT_NAMES:
        yield f"{where}, fact: choose from {', '.join(sorted(FACT_NAMES))}, or leave it empty."
    if bounds not in BOUNDS or (bounds and kind != Type.DATE):
        yield f"{where}, bounds: only a date has them: past, period or future."
    yield from _values_problems(question.get("values", []), kind, where)


def _values_problems(values: Any, kind: str, where: str) -> Iterator[str]:
    if kind not in [one.value for one in CHOSEN]:
        if values:
            yield f"{where}, values: a question of type {kind} has none. Leave them out."
        return
    known = [one.value for one in Value]
    if not isinstance(values, list) or not all(
        isinstance(one, Mapping) and one.get("value") in known and str(one.get("label", "")).strip() for one in values
    ):
        yield f"{where}, values: each needs a value ({', '.join(known)}) and a label."
        return
    chosen = [one["value"] for one in values]
    if len(chosen) < 2 or len(set(chosen)) < len(chosen) or Value.YES not in chosen:
        yield f"{where}, values: write two or more different ones, yes among them."
    elif not {Value.NO, Value.YES_WITH_EXCEPTION, Value.CANNOT_ATTEST} & set(chosen):
        yield f"{where}, values: leave a way not to say yes: no, yes_with_exception or cannot_attest."
    elif kind == Type.CONFIRM_FACT and not set(chosen) <= _CORRECTABLE:
        yield f"{where}, values: a fact is confirmed with yes, no or cannot_attest."


def _when_problems(when: Any, where: str, earlier: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if when is None:
        return
    asked = earlier.get(when.get("question", "")) if isinstance(when, Mapping) else None
    if asked is None or asked.get("when"):
        yield f"{where}, when: name an earlier question of this section that is always asked."
        return
    offered = [one.get("value") for one in asked.get("values", []) if isinstance(one, Mapping)]
    values = when.get("in")
    if not isinstance(values, list) or not values or not set(values) <= set(offered):
        yield f'{where}, when: write in "in" some of its answers: {", ".join(map(str, offered))}.'


def _text_problems(part: Mapping[str, Any], names: tuple[str, ...], where: str) -> Iterator[str]:
    for name in names:
        text = part.get(name)
        if not isinstance(text, str) or not text.strip():
            yield f"{where}, {name}: write something."
        elif len(text) > LENGTHS[name]:
            yield f"{where}, {name}: use {LENGTHS[name]} characters at most."


def _unknown(part: Mapping[str, Any], known: set[str], where: str) -> Iterator[str]:
    if strange := sorted(set(part) - known):
        yield f"{where}: {strange[0]} is no field. Use {', '.join(sorted(known))}."
