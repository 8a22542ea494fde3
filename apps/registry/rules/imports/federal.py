"""The United States federal AI use case inventory of 2025, as published.

Source of the columns: the data dictionary beside the file (examples/SOURCES.md). One file, all agencies.
"""

import hashlib
import re
from collections import Counter

from apps.registry.rules import Stage, Tier
from apps.registry.rules.imports.rows import (
    FEDERAL,
    KEY_LENGTH,
    NAME_LENGTH,
    UNIT_LENGTH,
    VENDOR_LENGTH,
    ImportRow,
    Parsed,
    Problem,
    Skipped,
    UnitPath,
)

REQUIRED = (
    "agency", "agency_name", "id", "use_case_name", "agency_bureau", "contact_email", "development_stage",
    "is_high_impact", "problem_solved", "benefits", "vendor_name",
)  # fmt: skip
STAGES = {
    "Pre-deployment": Stage.DEVELOPMENT,
    "Pilot": Stage.PILOT,
    "Deployed": Stage.PRODUCTION,
    "Retired": Stage.RETIRED,
    "": Stage.UNKNOWN,
}
TIERS = {
    "High-impact": Tier.HIGH,
    "Presumed High-Impact, but Not High-impact": Tier.MEDIUM,
    "Not High-impact": Tier.LOW,
    "": Tier.UNKNOWN,
}
_NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9._]+")

Record = tuple[int, dict[str, str]]


def read(records: list[Record]) -> Parsed:
    """Rows of the inventory. A row without a name is skipped; a value outside its list is a problem."""
    parsed = Parsed(FEDERAL, rows_read=len(records))
    keys = _keys(records)
    names: dict[str, str] = {}
    for row, record in records:
        parsed.contacts.append((row, record["contact_email"]))
        if not record["use_case_name"].strip():
            parsed.skipped.append(Skipped(row, "The row has no name (use_case_name).", record["id"].strip()))
            continue
        problems = _problems(row, record)
        parsed.problems += problems
        if not problems:
            parsed.rows.append(_import_row(row, record, keys[row], names))
    return parsed


def _problems(row: int, record: dict[str, str]) -> list[Problem]:
    found = []
    if not record["agency"].strip() or not key_part(record["agency"]):
        found.append(Problem(row, "agency", "it is empty. Give the agency's short name."))
    for column, allowed in (("development_stage", STAGES), ("is_high_impact", TIERS)):
        if record[column].strip() not in allowed:
            values = ", ".join(value for value in allowed if value)
            found.append(Problem(row, column, f"“{record[column].strip()[:60]}” is none of: {values}, or empty."))
    for column, longest in (
        ("use_case_name", NAME_LENGTH),
        ("vendor_name", VENDOR_LENGTH),
        ("agency_name", UNIT_LENGTH),
    ):
        if len(record[column].strip()) > longest:
            found.append(
                Problem(row, column, f"it has {len(record[column].strip())} characters; {longest} fit. Shorten it.")
            )
    if len(record["agency"].strip()) + 1 + len(_words(record["agency_bureau"])) > UNIT_LENGTH:
        found.append(
            Problem(row, "agency_bureau", f"agency and bureau have over {UNIT_LENGTH} characters. Shorten it.")
        )
    return found


def _import_row(row: int, record: dict[str, str], key: str, names: dict[str, str]) -> ImportRow:
    purpose = [text for text in (record["problem_solved"].strip(), record["benefits"].strip()) if text]
    return ImportRow(
        row=row,
        key=key,
        units=_units(record, names),
        fields={
            "name": record["use_case_name"].strip(),
            "purpose": "\n\n".join(dict.fromkeys(purpose)),
            "stage": str(STAGES[record["development_stage"].strip()]),
            "tier": str(TIERS[record["is_high_impact"].strip()]),
            "vendor": record["vendor_name"].strip(),
            "contact_given": record["contact_email"].strip(),
        },
        contact=record["contact_email"],
    )


def _units(record: dict[str, str], names: dict[str, str]) -> tuple[UnitPath, ...]:
    """Agency, then bureau where there is one. The first spelling of an agency's name stands for the file."""
    agency = record["agency"].strip()
    name = names.setdefault(agency, _words(record["agency_name"]) or agency)
    bureau = _words(record["agency_bureau"])
    top = UnitPath(agency, name)
    return (top, UnitPath(f"{agency}/{bureau}", bureau)) if bureau else (top,)


def _words(text: str) -> str:
    return " ".join(text.split())


def key_part(text: str) -> str:
    """Letters, digits, dots and underscores as they are; anything else between them becomes one dash."""
    return _NOT_IN_A_KEY.sub("-", text.strip()).strip("-._")


def _keys(records: list[Record]) -> dict[int, str]:
    """The key of each row: agency and id where that is unique in the file, else a hash.

    An id that begins with its agency already is the key itself. The hash is over agency, bureau, name and the
    ordinal among the rows that share these three, so that it stays the same when other rows come and go.
    """
    given = {row: _given_key(record) for row, record in records}
    count = Counter(key for key in given.values() if key)
    seen: Counter[tuple[str, str, str]] = Counter()
    keys = {}
    for row, record in records:
        identity = (record["agency"].strip(), _words(record["agency_bureau"]), _words(record["use_case_name"]))
        key = given[row]
        if key and count[key] == 1 and len(key) <= KEY_LENGTH:
            keys[row] = key
        else:
            seen[identity] += 1
            keys[row] = _hashed_key(*identity, seen[identity])
    return keys


def _given_key(record: dict[str, str]) -> str:
    agency, given = key_part(record["agency"]), key_part(record["id"])
    if not agency or not given:
        return ""
    return given if given.startswith(f"{agency}-") else f"{agency}-{given}"


def _hashed_key(agency: str, bureau: str, name: str, ordinal: int) -> str:
    text = "\x1f".join((agency, bureau, name, str(ordinal)))
    return f"{key_part(agency)[:60]}-h{hashlib.sha256(text.encode()).hexdigest()[:16]}"
