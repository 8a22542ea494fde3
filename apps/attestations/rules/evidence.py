"""What has to be true of evidence on the day of the signature. No Django here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from apps.attestations.rules import Problem

# Files under one answer.
FILES_EACH = 20


@dataclass(frozen=True)
class Evidence:
    """What a decision needs to know about a file."""

    name: str
    effective_on: date
    expires_on: date | None
    infected: bool


def evidence_problems(question: str, short: str, files: Iterable[Evidence], *, today: date) -> list[Problem]:
    """What is wrong with the evidence of an answer on the day of the signature; each problem names the file."""
    return [Problem(question, "evidence", f"{text}: {short}") for file in files for text in _wrong(file, today)]


def _wrong(file: Evidence, today: date) -> list[str]:
    if file.infected:
        return [f"{file.name} is infected. Remove it"]
    if file.effective_on > today:
        return [f"{file.name} is true from {_day(file.effective_on)} only"]
    if file.expires_on is not None and file.expires_on < today:
        return [f"{file.name} expired on {_day(file.expires_on)}"]
    return []


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
