"""The history of a system's owners as its page tells it."""

from dataclasses import dataclass
from datetime import date

from apps.registry.models import OwnershipTerm, System
from apps.registry.queries.history import terms_of

OUTCOMES = {"nobody": "nobody", "inactive": "not active", "leaving": "leaving"}


@dataclass(frozen=True)
class HistoryRow:
    """One term: who, on what basis, and why that person."""

    term: OwnershipTerm
    ground: str


def history_rows(system: System) -> list[HistoryRow]:
    """Every term, the current one first. One query."""
    return [HistoryRow(term, _ground(term)) for term in terms_of(system)]


def _ground(term: OwnershipTerm) -> str:
    """ "Deputy of Ada Nwosu (nobody), Line manager of Ada Nwosu"."""
    steps = [step for step in term.derivation if isinstance(step, dict)]
    return ", then ".join(filter(None, map(_step, steps)))


def _step(step: dict[str, str | None]) -> str:
    label, outcome = step.get("label") or "", OUTCOMES.get(step.get("outcome") or "", "")
    return f"{label}: {outcome}" if outcome else label


def asked_day(text: str) -> tuple[date | None, str]:
    """The day that was asked for, or what is wrong with it. Nothing was asked: neither."""
    text = text.strip()
    if not text:
        return None, ""
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-11-23") else None
    except ValueError:
        day = None
    if day is None or not 1900 < day.year < 9999:
        return None, "Give the day as year, month, day, such as 2026-11-23."
    return day, ""
