"""The grid of a matrix: columns of people, rows by layer, what is wrong in a row. No query is made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.http import urlencode
from django.utils.text import slugify

from apps.people.models import Person

OWNER = "owner"
LETTER_WORDS = {"A": "Accountable", "R": "Responsible", "C": "Consulted", "I": "Informed"}
SHAPES = {"A": "raci--a", "R": "raci--r", "C": "raci--c", "I": "raci--i"}
# Columns that stand beside the domains without scrolling at 1440 px: the eight seats, the owner and one more.
FITTING = 10


@dataclass(frozen=True)
class Column:
    """One party: a seat with its holder, the system's owner, or a person named here."""

    party: str
    seat: str
    person: Person | None
    kind: str = "person"

    @property
    def is_vacant(self) -> bool:
        return self.kind == "vacant"

    @property
    def who(self) -> str:
        if self.person is not None:
            return self.person.display_name
        return "Vacant seat" if self.is_vacant else self.seat

    @property
    def mark(self) -> Person | str:
        """Whose initials stand in the mark above the column."""
        return self.person or self.seat

    @property
    def note(self) -> str:
        """What an A means for this party."""
        if self.is_vacant:
            return "Nobody holds this seat: an A here is answered by nobody."
        if self.person is None:
            return "Whoever answers for a system has this letter there."
        return f"{self.person.display_name.split()[0]} must accept an A before it counts."


@dataclass(frozen=True)
class GridCell:
    """What one party has in one row."""

    letters: str
    column: Column
    domain: str
    changed: bool = False
    double: bool = False

    @property
    def is_hole(self) -> bool:
        return "A" in self.letters and self.column.is_vacant

    @property
    def shape(self) -> str:
        return "raci--hole" if self.is_hole else SHAPES.get(self.letters[:1], "")

    @property
    def field(self) -> str:
        """The id of this party's field in the form of the row."""
        return f"id_{self.column.party}"

    @property
    def words(self) -> str:
        return letters_in_words(self.letters)

    @property
    def label(self) -> str:
        """Begins with the letter that is seen: "A, Accountable: Acting on cost, Grace Lindqvist"."""
        parts = f"{self.words or 'Nothing'}: {self.domain}, {self.column.who}"
        if self.column.seat != self.column.who:
            parts += f", {self.column.seat}"
        return parts + (", changed" if self.changed else "") + (", one of two A" if self.double else "")

    # For the list on a phone.
    @property
    def person(self) -> Person | None:
        return self.column.person

    @property
    def seat(self) -> str:
        return self.column.seat

    @property
    def who(self) -> str:
        return self.column.who

    @property
    def is_vacant(self) -> bool:
        return self.column.is_vacant


@dataclass(frozen=True)
class Fault:
    """Something wrong in a row, in the words under its name."""

    word: str
    icon: str = "circle-alert"


@dataclass(frozen=True)
class GridRow:
    """One domain."""

    key: str
    name: str
    layer: str
    cells: list[GridCell]
    source: str
    is_own: bool
    may_inherit: bool
    above: str
    url: str
    closed: bool
    changed: bool
    nobody: bool
    faults: list[Fault]

    @property
    def held(self) -> list[GridCell]:
        """The cells with a letter, A first."""
        return sorted((cell for cell in self.cells if cell.letters), key=lambda cell: "ARCI".index(cell.letters[0]))


@dataclass(frozen=True)
class GridLayer:
    """Rows that belong together, open or closed."""

    key: str
    name: str
    rows: list[GridRow]
    counts: list[int]
    closed: bool
    toggle: str

    @property
    def words(self) -> str:
        """ "4, inherited" or "7 domains, 1 set here"."""
        own = sum(row.is_own for row in self.rows)
        inherits = any(row.source for row in self.rows)
        if not own and inherits:
            return f"{len(self.rows)}, inherited"
        noun = f"{len(self.rows)} domain{'' if len(self.rows) == 1 else 's'}"
        return f"{noun}, {own} set here" if inherits else noun


@dataclass(frozen=True)
class Grid:
    """The whole matrix of a scope."""

    title: str
    columns: list[Column]
    layers: list[GridLayer]
    draft: bool = False

    @property
    def fits(self) -> bool:
        return len(self.columns) <= FITTING

    @property
    def rows(self) -> list[GridRow]:
        return [row for layer in self.layers for row in layer.rows]


@dataclass(frozen=True)
class RowFacts:
    """What is known of a row before it is drawn."""

    key: str
    name: str
    layer: str
    letters: Mapping[str, str]
    source: str
    is_own: bool
    may_inherit: bool
    above: str
    changed: frozenset[str]
    system_scope: bool
    url: str


def letters_in_words(letters: str) -> str:
    """ "A, Accountable and R, Responsible"."""
    return " and ".join(f"{letter}, {LETTER_WORDS[letter]}" for letter in letters)


def build_grid(title: str, columns: Sequence[Column], facts: Sequence[RowFacts], *, opened: str, draft: bool) -> Grid:
    """Rows by layer. `opened` is what the address says: names of open layers, "none", or nothing for the usual."""
    by_layer: dict[str, list[RowFacts]] = {}
    for row in facts:
        by_layer.setdefault(row.layer, []).append(row)
    layers = list(by_layer.items())
    faults = {row.key: _faults(row, columns) for row in facts}
    shown = _open_layers(layers, faults, opened)
    return Grid(title, list(columns), [_layer(name, rows, columns, faults, shown) for name, rows in layers], draft)


def _open_layers(
    layers: Sequence[tuple[str, list[RowFacts]]], faults: Mapping[str, list[Fault]], opened: str
) -> list[str]:
    """As the address says; else those with something to see, else those that are about systems.

    Where nothing comes from above, that is all of them.
    """
    if opened:
        return [slugify(name) for name, _ in layers if slugify(name) in opened.split(",")]
    if not any(row.source for _, rows in layers for row in rows):
        return [slugify(name) for name, _ in layers]
    telling = [name for name, rows in layers if any(row.is_own or row.changed or faults[row.key] for row in rows)]
    usual = [name for name, rows in layers if any(row.system_scope for row in rows)]
    return [slugify(name) for name in telling or usual]


def _layer(
    name: str,
    rows: Sequence[RowFacts],
    columns: Sequence[Column],
    faults: Mapping[str, list[Fault]],
    shown: Sequence[str],
) -> GridLayer:
    key = slugify(name)
    after = [other for other in shown if other != key] if key in shown else [*shown, key]
    drawn = [_row(row, columns, faults[row.key], closed=key not in shown) for row in rows]
    counts = [sum("A" in row.letters.get(column.party, "") for row in rows) for column in columns]
    toggle = "?" + urlencode({"open": ",".join(after) or "none"})
    return GridLayer(key, name, drawn, counts, key not in shown, toggle)


def _row(row: RowFacts, columns: Sequence[Column], faults: list[Fault], *, closed: bool) -> GridRow:
    many = _accountable(row) > 1
    cells = [
        GridCell(
            letters := row.letters.get(column.party, ""),
            column,
            row.name,
            changed=column.party in row.changed,
            double=many and "A" in letters,
        )
        for column in columns
    ]
    return GridRow(
        key=row.key,
        name=row.name,
        layer=slugify(row.layer),
        cells=cells,
        source=row.source,
        is_own=row.is_own,
        may_inherit=row.may_inherit,
        above=row.above,
        url=row.url,
        closed=closed,
        changed=bool(row.changed),
        nobody=any(fault.icon == "circle-dashed" for fault in faults),
        faults=faults,
    )


def _accountable(row: RowFacts) -> int:
    return sum("A" in letters for letters in row.letters.values())


_MANY = {2: "Two people, choose one", 3: "Three people, choose one"}


def _faults(row: RowFacts, columns: Sequence[Column]) -> list[Fault]:
    """R01 to R03 in the words of the grid: nobody, several, a vacant seat, nobody who does the work."""
    found = _accountable(row)
    if not found:
        return [Fault("Nobody answers", "circle-dashed")]
    if found > 1:
        return [Fault(_MANY.get(found, f"{found} people, choose one"), "copy")]
    holder = next((column for column in columns if "A" in row.letters.get(column.party, "")), None)
    if holder is not None and holder.is_vacant:
        return [Fault("Vacant seat, nobody answers", "circle-dashed")]
    if not any("R" in letters for letters in row.letters.values()):
        return [Fault("Nobody does the work", "circle-alert")]
    return []
