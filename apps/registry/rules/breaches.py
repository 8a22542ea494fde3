"""What a check found: something that should not be so, who puts it right, and how. No Django here."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Level(StrEnum):
    """What a check does on save. Every breach that is there already is a finding, whatever its level."""

    BLOCK = "block"
    WARN = "warn"


class Severity(StrEnum):
    """How much a breach matters, in order."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Breach:
    """One thing that should not be so.

    `check` and `subject` together name the same breach from one night to the next: one open finding for both.
    `title` is a whole sentence that says the fact; `remedy` says what to do. `person_id` puts it right. The scope is
    a system, a unit, or (with neither) the organisation.
    """

    check: str
    level: Level
    severity: Severity
    subject: str
    title: str
    remedy: str
    person_id: UUID
    system_id: int | None = None
    unit_id: int | None = None
    domain: str | None = None
    path: str = ""
