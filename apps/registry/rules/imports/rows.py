"""What an import is made of: rows, problems, skipped rows."""

from dataclasses import dataclass, field

FEDERAL = "federal-2025"
CSV = "csv"

KEY_LENGTH = 80
NAME_LENGTH = 500
VENDOR_LENGTH = 300
CHANNEL_LENGTH = 120
UNIT_LENGTH = 300
IDENTITY_LENGTH = 300


@dataclass(frozen=True)
class Problem:
    """Why a file can't be imported: the row as a spreadsheet counts (the header is row 1), the column, the remedy."""

    row: int
    column: str
    message: str

    def as_json(self) -> dict[str, int | str]:
        return {"row": self.row, "column": self.column, "message": self.message}

    def __str__(self) -> str:
        place = f"Row {self.row}" if self.row else "The file"
        return f"{place}, column {self.column}: {self.message}" if self.column else f"{place}: {self.message}"


class FileProblem(Exception):
    """The file as a whole can't be read; `problem` says where reading stopped."""

    def __init__(self, message: str, *, row: int = 0, column: str = "") -> None:
        self.problem = Problem(row, column, message)
        super().__init__(str(self.problem))


@dataclass(frozen=True, slots=True)
class UnitPath:
    """One unit on the way from the top of the tree: how the file calls it, and its code."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row that becomes a system. `fields` holds what the file says, and nothing that it does not say."""

    row: int
    key: str
    units: tuple[UnitPath, ...]
    fields: dict[str, str]
    contact: str
    # None where the format has no identities: those that are kept stay.
    identities: tuple[tuple[str, str], ...] | None = None

    @property
    def name(self) -> str:
        return self.fields["name"]

    @property
    def stage(self) -> str:
        return self.fields["stage"]


@dataclass(frozen=True)
class Skipped:
    """A row that was read and is left out, with its reason."""

    row: int
    reason: str
    label: str = ""

    def as_json(self) -> dict[str, int | str]:
        return {"row": self.row, "reason": self.reason, "label": self.label}


@dataclass
class Parsed:
    """A whole file: `rows` and `skipped` together are all rows read, unless there are problems."""

    format: str
    rows_read: int = 0
    rows: list[ImportRow] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # The contact of every row read, skipped ones too: (row, contact as given).
    contacts: list[tuple[int, str]] = field(default_factory=list)
