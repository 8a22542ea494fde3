"""What is different between two versions of a runbook, step by step and word by word. No Django here."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from apps.incidents.rules.runbooks import FIELD_WORDS, FIELDS, StepText

# Two steps with less in common are not the same step that was reworded.
ALIKE = 0.55


@dataclass(frozen=True)
class Piece:
    """A run of words: kept, only before, or only now."""

    kind: str  # same | del | ins
    text: str


@dataclass(frozen=True)
class FieldChange:
    """One field of a step that says something else now."""

    label: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class StepChange:
    """One step that was added, removed, moved or changed; `before` and `now` are its numbers, 0 where it is not."""

    kind: str  # added | removed | moved | changed
    title: str
    before: int
    now: int
    fields: tuple[FieldChange, ...] = ()
    step: StepText | None = None


def differences(before: Sequence[StepText], now: Sequence[StepText]) -> list[StepChange]:
    """What changed, in the order of the newer version; what is gone comes last."""
    pairs = _pairs(before, now)
    moved = _moved([pairs[place] for place in range(len(now)) if place in pairs])
    found = []
    for place, step in enumerate(now):
        if place not in pairs:
            found.append(StepChange("added", step.title, 0, place + 1, step=step))
            continue
        old = pairs[place]
        fields = _fields(before[old], step)
        if fields or old in moved:
            found.append(StepChange("changed" if fields else "moved", step.title, old + 1, place + 1, fields))
    gone = set(range(len(before))) - set(pairs.values())
    return found + [StepChange("removed", before[p].title, p + 1, 0, step=before[p]) for p in sorted(gone)]


def _pairs(before: Sequence[StepText], now: Sequence[StepText]) -> dict[int, int]:
    """Place now -> place before: those that are the same, then the same title, then the most alike."""
    pairs: dict[int, int] = {}
    free = set(range(len(before)))

    def pair(same: Any) -> None:
        for place, step in enumerate(now):
            if place in pairs:
                continue
            old = next((p for p in sorted(free) if same(before[p], step)), None)
            if old is not None:
                pairs[place] = old
                free.discard(old)

    pair(lambda a, b: a == b)
    pair(lambda a, b: a.title.casefold() == b.title.casefold())
    alike = sorted(
        ((_alike(before[p], now[n]), n, p) for n in range(len(now)) if n not in pairs for p in free), reverse=True
    )
    for score, place, old in alike:
        if score >= ALIKE and place not in pairs and old in free:
            pairs[place] = old
            free.discard(old)
    return pairs


def _alike(one: StepText, other: StepText) -> float:
    old, new = (f"{step.title} {step.instruction}".casefold().split() for step in (one, other))
    return SequenceMatcher[str](None, old, new, autojunk=False).ratio()


def _moved(olds: list[int]) -> set[int]:
    """Those that stand elsewhere among the others: what is not part of the longest run that kept its order."""
    best: list[list[int]] = []
    for old in olds:
        runs = [run for run in best if run[-1] < old]
        best.append([*_longest(runs), old])
    kept = set(_longest(best))
    return set(olds) - kept


def _longest(runs: list[list[int]]) -> list[int]:
    return max(runs, key=lambda run: len(run)) if runs else []


def _fields(before: StepText, now: StepText) -> tuple[FieldChange, ...]:
    if before == now:
        return ()
    found = []
    for name in FIELDS:
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            found.append(FieldChange(FIELD_WORDS[name], words_between(_said(name, old), _said(name, new))))
    return tuple(found)


def _said(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "nothing"
    return str(value).replace("_", " ") if name in ("does", "phase", "role") else str(value)


def words_between(before: str, now: str) -> tuple[Piece, ...]:
    """The words of both, in order, each run marked as kept, taken out or put in."""
    old, new = before.split(), now.split()
    pieces: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", " ".join(old[a:b])))
            continue
        if b > a:
            pieces.append(Piece("del", " ".join(old[a:b])))
        if d > c:
            pieces.append(Piece("ins", " ".join(new[c:d])))
    return tuple(pieces)
