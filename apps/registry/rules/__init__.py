"""Pure decisions of the registry: what is live, who is interim, what a contact is. No Django here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    PROPOSED = "proposed"
    DEVELOPMENT = "development"
    PILOT = "pilot"
    PRODUCTION = "production"
    SUSPENDED = "suspended"
    RETIRED = "retired"
    UNKNOWN = "unknown"


# Any system that is not proposed and not retired is live; unknown counts as live and is shown.
NOT_LIVE = (Stage.PROPOSED, Stage.RETIRED)


class Tier(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


TIER_ORDER = (Tier.CRITICAL, Tier.HIGH, Tier.MEDIUM, Tier.LOW, Tier.UNKNOWN)


class Scenario(StrEnum):
    """What went wrong. The first three are mandatory for every live system."""

    DATA_ACCESS = "data-access"
    HARMFUL_DECISION = "harmful-decision"
    COST_SPIKE = "cost-spike"
    UNSAFE_ACTION = "unsafe-action"
    QUALITY_REGRESSION = "quality-regression"
    PROVIDER_OUTAGE = "provider-outage"
    COMPLAINT = "complaint"


# Scenario -> the governance domain whose A leads the response. The others have none: the acting owner leads.
SCENARIO_DOMAIN = {
    Scenario.DATA_ACCESS: "incident-data-access",
    Scenario.HARMFUL_DECISION: "incident-harmful-decision",
    Scenario.COST_SPIKE: "incident-cost-spike",
}


@dataclass(frozen=True)
class Candidate:
    """Somebody who could answer in the interim: where the name comes from, and whether they can act."""

    source: str
    label: str
    person_id: str | None
    name: str
    can_act: bool
    leaving: bool = False


@dataclass(frozen=True)
class Step:
    """One line of a derivation: what was tried, and what came of it."""

    source: str
    label: str
    person_id: str | None
    outcome: str  # chosen | nobody | inactive | leaving

    def as_json(self) -> dict[str, str | None]:
        return {"source": self.source, "label": self.label, "person": self.person_id, "outcome": self.outcome}


def first_who_can_act(candidates: Iterable[Candidate]) -> tuple[Candidate | None, list[Step]]:
    """The first candidate who is active, and every step that led there.

    The order is the caller's: the last owner's deputy, that owner's line manager, the heads of the unit and
    of the units above it, the mandate holder.
    """
    steps: list[Step] = []
    for candidate in candidates:
        passed_over = "leaving" if candidate.leaving else "inactive"
        outcome = "chosen" if candidate.can_act else (passed_over if candidate.person_id else "nobody")
        steps.append(Step(candidate.source, candidate.label, candidate.person_id, outcome))
        if candidate.can_act:
            return candidate, steps
    return None, steps


@dataclass(frozen=True)
class Cell:
    """One letter of the matrix: its domain, letter and party, and how specific its scope is (0 = organisation)."""

    domain: str
    letter: str
    party: str
    depth: int


def most_specific(cells: Sequence[Cell]) -> list[Cell]:
    """The cells in force: per domain, only those of the most specific scope that says anything about it."""
    deepest: dict[str, int] = {}
    for cell in cells:
        deepest[cell.domain] = max(deepest.get(cell.domain, 0), cell.depth)
    return [cell for cell in cells if cell.depth == deepest[cell.domain]]
