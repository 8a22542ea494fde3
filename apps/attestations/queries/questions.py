"""Reading question sets: their versions, and what is new in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from apps.attestations.models import QuestionSet, QuestionSetVersion


def question_sets() -> QuerySet[QuestionSet]:
    """All question sets in their order, with how many versions."""
    return QuestionSet.objects.annotate(count=Count("versions")).prefetch_related("versions", "templates")


@dataclass(frozen=True)
class Difference:
    """One question that is new, gone or asked otherwise: (field, before, after) of what changed."""

    what: str
    section: str
    short: str
    changes: tuple[tuple[str, str, str], ...] = ()


def differences(before: QuestionSetVersion | None, after: QuestionSetVersion) -> list[Difference]:
    """What a version asks otherwise than the one before it."""
    old, new = _by_key(before.sections if before else []), _by_key(after.sections)
    added = [Difference("New", where, one["short"]) for key, (where, one) in new.items() if key not in old]
    gone = [Difference("Gone", where, one["short"]) for key, (where, one) in old.items() if key not in new]
    changed = []
    for key, (where, one) in new.items():
        if key in old and (changes := _changes({**old[key][1], "section": old[key][0]}, {**one, "section": where})):
            changed.append(Difference("Changed", where, one["short"], changes))
    return [*added, *gone, *changed, *_sections(before.sections if before else [], after.sections)]


def _sections(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Difference]:
    known = {section["slug"]: section for section in old}
    found = []
    for section in new:
        before = known.get(section["slug"])
        if before is None:
            continue
        parts = {name: before[name] for name in ("title", "text", "facts")}
        if changes := _changes(parts, {name: section[name] for name in parts}):
            found.append(Difference("Changed", section["title"], "The section itself", changes))
    return found


def _by_key(sections: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        question["key"]: (section["title"], dict(question)) for section in sections for question in section["questions"]
    }


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple((name, _words(old.get(name)), _words(new[name])) for name in new if old.get(name) != new[name])


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one["label"]) if isinstance(one, Mapping) else str(one) for one in value) or "none"
    if isinstance(value, Mapping):
        return f"after {value['question']}: {', '.join(value['in'])}"
    return str(value) if value not in (None, "") else "none"
