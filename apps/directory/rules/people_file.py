"""The file of people: its columns, and what each cell may say. Nothing here knows the database. No Django here."""

import csv
import io
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from apps.people.rules import FUNCTIONS, LONGEST_ABSENCE, is_role_address
from apps.registry.rules.imports import FileProblem, Problem
from apps.registry.rules.imports.files import Record, read_table

# Column, what goes into it.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("email", "The person's own address. Capital letters make no difference. A mailbox is refused."),
    ("name", "The person's name. Needed for somebody new."),
    ("title", "Up to 200 characters."),
    ("phone", "Up to 40 characters."),
    ("manager_email", "The line manager: somebody in this file, in any row, or known here."),
    ("deputy_email", "Who is called when the person does not answer."),
    ("unit_code", "The code of a unit that is on the register. It makes nobody an owner."),
    ("function", f"One of {', '.join(FUNCTIONS)}."),
    ("last_working_day", "As 2026-12-31. On the day after, everything passes on and the person is deactivated."),
    ("status", "active, or left. Empty means active."),
    ("time_zone", "As Europe/Berlin."),
    ("absences", "First..last day, more than one separated by ; as 2026-12-21..2027-01-03; 2027-02-01..2027-02-05."),
)
NAMES = tuple(name for name, _ in COLUMNS)
EMPTIES = "-"
ACTIVE, LEFT = "active", "left"
LENGTHS = {"email": 254, "name": 200, "title": 200, "phone": 40, "unit_code": 50}
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")
_ZONES = zoneinfo.available_timezones()

Days = tuple[date, date]


@dataclass(frozen=True)
class PersonRow:
    """What one row says. A name that is missing in `said` says nothing; None empties what is kept."""

    row: int
    email: str
    status: str
    said: dict[str, Any] = field(default_factory=dict)


@dataclass
class PeopleRows:
    """A whole file. With problems nothing may be applied."""

    rows: list[PersonRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Wrong(Exception):
    """What is wrong with a cell, and what to do."""


def read_people(content: bytes) -> PeopleRows:
    """Every row, checked by itself and against its double. Raises FileProblem where it is no such table."""
    records, problems = read_table(content, NAMES, ("email",), "person")
    found, seen = PeopleRows(problems=problems), dict[str, int]()
    for record in records:
        row = _read(record, found.problems)
        if row is None:
            continue
        if row.email in seen:
            message = f"row {seen[row.email]} has {row.email} too. Keep one row for each person."
            found.problems.append(Problem(row.row, "email", message))
            continue
        seen[row.email] = row.row
        found.rows.append(row)
    return found


def _read(record: Record, problems: list[Problem]) -> PersonRow | None:
    """None where a cell can't be read; then the problems say why."""
    number, cells = record
    said: dict[str, Any] = {}
    wrong = False
    for column, text in cells.items():
        cell = " ".join(text.split())
        if not cell and column != "email":
            continue
        try:
            said[column] = _cell(column, cell)
        except _Wrong as error:
            problems.append(Problem(number, column, str(error)))
            wrong = True
    if wrong:
        return None
    return PersonRow(number, said.pop("email"), said.pop("status", ACTIVE), said)


def _cell(column: str, cell: str) -> Any:
    if cell == EMPTIES and column in _MAY_BE_EMPTIED:
        return None
    if len(cell) > LENGTHS.get(column, 2000):
        raise _Wrong(f"it has {len(cell)} characters. Use {LENGTHS.get(column, 2000)} at most.")
    return _READERS.get(column, str)(cell)


def _person(cell: str) -> str:
    address = cell.lower()
    if not _ADDRESS.fullmatch(address):
        raise _Wrong(f"{cell[:80]!r} is no email address. Write one address, such as ada@example.org.")
    return address


def _own_address(cell: str) -> str:
    address = _person(cell)
    if is_role_address(address):
        raise _Wrong(f"{address} is a mailbox, not a person. Use the address of one person.")
    return address


def _day(cell: str) -> date:
    try:
        found = date.fromisoformat(cell)
    except ValueError as error:
        raise _Wrong(f"{cell[:40]!r} is no date. Write it as 2026-12-31.") from error
    if not 2000 <= found.year <= 2200:
        raise _Wrong(f"{cell} is not in this century. Check the year.")
    return found


def _days(cell: str) -> tuple[Days, ...]:
    found = []
    for part in filter(None, (one.strip() for one in cell.split(";"))):
        first, mark, last = part.partition("..")
        days = _day(first.strip()), _day((last if mark else first).strip())
        if days[1] < days[0]:
            raise _Wrong(f"{part} ends before it starts. Swap the days.")
        if days[1] - days[0] > timedelta(days=LONGEST_ABSENCE):
            raise _Wrong(f"{part} lasts over {LONGEST_ABSENCE} days. Check the years.")
        found.append(days)
    found.sort()
    for before, after in pairwise(found):
        if after[0] <= before[1]:
            raise _Wrong(f"{after[0]} is in two absences. Join them.")
    return tuple(found)


def _one_of(allowed: Any, remedy: str) -> Callable[[str], str]:
    def read(cell: str) -> str:
        found = next((one for one in allowed if one.lower() == cell.lower()), None)
        if found is None:
            raise _Wrong(f"{cell[:80]!r} is unknown. {remedy}")
        return str(found)

    return read


_MAY_BE_EMPTIED = {"title", "phone", "manager_email", "deputy_email", "unit_code", "last_working_day", "absences"}
_READERS: dict[str, Callable[[str], Any]] = {
    "email": _own_address,
    "manager_email": _person,
    "deputy_email": _person,
    "function": _one_of(FUNCTIONS, f"Use one of {', '.join(FUNCTIONS)}."),
    "last_working_day": _day,
    "status": _one_of((ACTIVE, LEFT), "Use active or left."),
    "time_zone": _one_of(_ZONES, "Use the name of a time zone, such as Europe/Berlin."),
    "absences": _days,
}


def template_csv() -> str:
    """The header and two example rows."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(NAMES)
    writer.writerow(
        ["ada.nwosu@example.org", "Ada Nwosu", "Director, Claims Automation", "+49 30 5550 0142",
         "una.brandt@example.org", "ben.ortega@example.org", "claims", "", "", "active", "Europe/Berlin",
         "2026-12-21..2027-01-03"]
    )  # fmt: skip
    writer.writerow(
        ["una.brandt@example.org", "Una Brandt", "Head of Claims", "", "", "", "claims", "", "2027-03-31", "active",
         "Europe/Berlin", ""]
    )  # fmt: skip
    writer.writerow(
        ["ben.ortega@example.org", "Ben Ortega", "Claims engineer", "", "una.brandt@example.org", *[""] * 7]
    )
    return out.getvalue()


__all__ = ["ACTIVE", "COLUMNS", "LEFT", "FileProblem", "PeopleRows", "PersonRow", "read_people", "template_csv"]
