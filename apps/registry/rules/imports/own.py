"""Govportal's own CSV. Strict: what is not understood is a problem, never a guess. Described in docs/import.md."""

import re

from apps.registry.rules import Stage, Tier
from apps.registry.rules.addresses import why_no_key
from apps.registry.rules.imports.contacts import single_address
from apps.registry.rules.imports.rows import (
    CHANNEL_LENGTH,
    CSV,
    IDENTITY_LENGTH,
    KEY_LENGTH,
    NAME_LENGTH,
    VENDOR_LENGTH,
    ImportRow,
    Parsed,
    Problem,
    UnitPath,
)

COLUMNS = (
    "key", "name", "unit", "stage", "tier", "regulatory_class", "operating_model", "vendor", "purpose",
    "owner_email", "identities", "chat_channel",
)  # fmt: skip
# Columns that a file may have; where it has none, what the register says stays.
OPTIONAL = ("model",)
_EXAMPLE = (
    "claims-triage", "Claims triage assistant", "claims", "production", "high", "high_risk", "vendor_saas",
    "Example Vendor", "Sorts incoming claims by urgency", "", "service_account:svc-claims|agent_id:claims-01",
    "#claims-ai", "Example Large 2",
)  # fmt: skip
ALLOWED = {
    "stage": tuple(stage.value for stage in Stage),
    "tier": tuple(tier.value for tier in Tier),
    "regulatory_class": ("prohibited", "high_risk", "transparency", "minimal", "unknown"),
    "operating_model": ("self_hosted", "iaas", "agent_platform", "vendor_saas", "unknown"),
}
IDENTITY_KINDS = ("service_account", "spiffe_id", "namespace", "gateway_key_alias", "agent_id")
_LONGEST = {"name": NAME_LENGTH, "vendor": VENDOR_LENGTH, "model": VENDOR_LENGTH, "chat_channel": CHANNEL_LENGTH}
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

Record = tuple[int, dict[str, str]]


def template_csv() -> str:
    """The header and one example row."""
    return "\r\n".join((",".join((*COLUMNS, *OPTIONAL)), ",".join(_EXAMPLE), ""))


def read(records: list[Record]) -> Parsed:
    """Rows of our own format, every problem of every row listed."""
    parsed = Parsed(CSV, rows_read=len(records))
    for row, record in records:
        cells = {column: record[column].strip() for column in (*COLUMNS, *OPTIONAL) if column in record}
        problems = [*_value_problems(row, cells), *_contact_problems(row, cells["owner_email"])]
        identities, bad = _identities(row, cells["identities"])
        problems += bad
        parsed.contacts.append((row, cells["owner_email"]))
        parsed.problems += problems
        if not problems:
            parsed.rows.append(_import_row(row, cells, identities))
    parsed.problems += _twice(parsed.rows)
    return parsed


def _value_problems(row: int, cells: dict[str, str]) -> list[Problem]:
    found = [
        Problem(row, column, "it is empty. Every system needs one.")
        for column in ("key", "name", "unit")
        if not cells[column]
    ]
    if cells["key"] and not _KEY.fullmatch(cells["key"]):
        found.append(
            Problem(
                row,
                "key",
                f"“{cells['key'][:90]}” is no key. Use letters, digits, dots, dashes and underscores, "
                f"{KEY_LENGTH} at most.",
            )
        )
    if refused := why_no_key(cells["key"]):
        found.append(Problem(row, "key", refused))
    for column, longest in _LONGEST.items():
        if len(cells.get(column, "")) > longest:
            found.append(Problem(row, column, f"it has {len(cells[column])} characters; {longest} fit. Shorten it."))
    for column, allowed in ALLOWED.items():
        if cells[column] and cells[column] not in allowed:
            found.append(Problem(row, column, f"“{cells[column][:60]}” is none of: {', '.join(allowed)}."))
    return found


def _contact_problems(row: int, contact: str) -> list[Problem]:
    kind, _address = single_address(contact)
    if not contact or kind is None:
        return []
    return [
        Problem(
            row, "owner_email", f"“{contact[:90]}” is not one address. Give one person's address, or leave it empty."
        )
    ]


def _identities(row: int, text: str) -> tuple[tuple[tuple[str, str], ...], list[Problem]]:
    found: list[tuple[str, str]] = []
    problems = []
    for part in filter(None, (piece.strip() for piece in text.split("|"))):
        kind, colon, value = (piece.strip() for piece in part.partition(":"))
        if not colon or kind not in IDENTITY_KINDS or not value:
            problems.append(
                Problem(
                    row, "identities", f"“{part[:90]}” is not kind:value. The kinds are {', '.join(IDENTITY_KINDS)}."
                )
            )
        elif len(value) > IDENTITY_LENGTH:
            problems.append(
                Problem(row, "identities", f"the value has {len(value)} characters; {IDENTITY_LENGTH} fit. Shorten it.")
            )
        else:
            found.append((kind, value))
    return tuple(dict.fromkeys(found)), problems


def _import_row(row: int, cells: dict[str, str], identities: tuple[tuple[str, str], ...]) -> ImportRow:
    fields = {column: cells[column] or "unknown" for column in ALLOWED}
    fields |= {
        column: cells[column] for column in ("name", "purpose", "vendor", "chat_channel", *OPTIONAL) if column in cells
    }
    fields["contact_given"] = cells["owner_email"]
    return ImportRow(
        row=row,
        key=cells["key"],
        units=(UnitPath(cells["unit"], ""),),
        fields=fields,
        contact=cells["owner_email"],
        identities=identities,
    )


def _twice(rows: list[ImportRow]) -> list[Problem]:
    """A key or an identity that two rows claim: both rows are named."""
    problems = []
    keys: dict[str, int] = {}
    claimed: dict[tuple[str, str], int] = {}
    for row in rows:
        if (first := keys.setdefault(row.key, row.row)) != row.row:
            problems.append(
                Problem(row.row, "key", f"{row.key} stands in row {first} and in row {row.row}. Keep one of them.")
            )
        for kind, value in row.identities or ():
            if (first := claimed.setdefault((kind, value), row.row)) != row.row:
                problems.append(
                    Problem(
                        row.row,
                        "identities",
                        f"{kind}:{value} stands in row {first} and in row {row.row}. It belongs to one system.",
                    )
                )
    return problems
