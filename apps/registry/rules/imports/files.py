"""From bytes to records: encoding, header, shape. Each refusal says where and what to do."""

import codecs
import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence

from apps.registry.rules.imports import federal, own
from apps.registry.rules.imports.rows import CSV, FEDERAL, FileProblem, Parsed, Problem

MOST_ROWS = 100_000
LONGEST_CELL = 1_000_000

Record = tuple[int, dict[str, str]]
Reader = Callable[[list[Record]], Parsed]

_READERS: dict[str, Reader] = {FEDERAL: federal.read, CSV: own.read}
_REQUIRED = {FEDERAL: federal.REQUIRED, CSV: own.COLUMNS}


def read_rows(content: bytes, format_name: str = "") -> tuple[str, Parsed]:
    """Every row of a file, checked. Without a format it is told from the header.

    Returns the format and the rows, which may carry problems: then nothing may be applied. Raises FileProblem
    where the file can't be read as a table of that format at all.
    """
    reader = csv.reader(io.StringIO(_decode(content), newline=""), strict=True)
    csv.field_size_limit(LONGEST_CELL)
    numbered = _numbered(reader)
    header = _header(next(numbered, (1, []))[1])
    chosen = format_name or (FEDERAL if "use_case_name" in header else CSV)
    _check_header(header, chosen)
    records, problems = _records(header, numbered)
    if not records and not problems:
        raise FileProblem("it has a header and no rows. Add one row for each system.")
    parsed = _READERS[chosen](records)
    parsed.problems = sorted([*problems, *parsed.problems], key=lambda problem: problem.row)
    return chosen, parsed


def read_table(
    content: bytes, columns: Sequence[str], needed: Collection[str], each: str
) -> tuple[list[Record], list[Problem]]:
    """Rows of any other table of known columns, of which only some are needed; `each` says what a row stands for.

    Raises FileProblem where the file can't be read as such a table.
    """
    csv.field_size_limit(LONGEST_CELL)
    numbered = _numbered(csv.reader(io.StringIO(_decode(content, each), newline=""), strict=True))
    header = [name.lower() for name in _header(next(numbered, (1, []))[1])]
    if missing := [name for name in needed if name not in header]:
        raise FileProblem(f"these columns are missing: {', '.join(missing)}. Add them to the header.", row=1)
    if unknown := [name or "(no name)" for name in header if name not in columns]:
        known = ", ".join(columns)
        raise FileProblem(
            f"these columns are unknown: {', '.join(unknown)}. Remove them; the columns are {known}.", row=1
        )
    records, problems = _records(header, numbered)
    if not records and not problems:
        raise FileProblem(f"it has a header and no rows. Add one row for each {each}.")
    return records, problems


def _decode(content: bytes, each: str = "system") -> str:
    if not content.strip():
        raise FileProblem(f"it is empty. Choose a CSV file with a header and one row for each {each}.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        raise FileProblem("it is encoded as UTF-16 or UTF-32. Save it as CSV UTF-8.", row=1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row, column = _place(content[: error.start])
        raise FileProblem(
            f"byte {error.start + 1} (0x{content[error.start]:02x}) is not UTF-8. Save the file as CSV UTF-8.",
            row=row,
            column=column,
        ) from error
    position = content.find(b"\x00")
    if position >= 0:
        row, column = _place(content[:position])
        raise FileProblem(
            f"byte {position + 1} is a NUL character. Remove it, or save the file as CSV UTF-8.", row=row, column=column
        )
    return text


def _place(before: bytes) -> tuple[int, str]:
    """Row and column name at which a bad byte stands, from the good bytes before it."""
    text = before.decode("utf-8-sig", errors="replace")
    # One more character is a cell of its own after a separator, and part of the cell inside quotes.
    records = list(csv.reader(io.StringIO(f"{text}x", newline="")))
    header, row, cells = records[0], len(records), records[-1]
    index = len(cells) - 1
    return row, header[index].strip() if row > 1 and index < len(header) else str(index + 1)


def _numbered(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Records with the row that a spreadsheet shows; blank lines count and are passed over."""
    row = 0
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileProblem(f"the quotes or separators can't be read ({error}).", row=row) from error
        if any(cell.strip() for cell in cells):
            yield row, cells


def _header(cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise FileProblem("the columns are not separated by commas. Save it as CSV with commas.", row=1)
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise FileProblem(f"the column {twice[0]} stands there twice. Remove one of them.", row=1, column=twice[0])
    return header


def _check_header(header: list[str], format_name: str) -> None:
    required = _REQUIRED[format_name]
    missing = [name for name in required if name not in header]
    if missing:
        raise FileProblem(f"these columns are missing: {', '.join(missing)}. Add them to the header.", row=1)
    unknown = [name or "(no name)" for name in header if name not in (*required, *own.OPTIONAL)]
    if unknown and format_name == CSV:
        known = ", ".join((*required, *own.OPTIONAL))
        raise FileProblem(
            f"these columns are unknown: {', '.join(unknown)}. Remove them; the columns are {known}.",
            row=1,
        )


def _records(header: list[str], numbered: Iterator[tuple[int, list[str]]]) -> tuple[list[Record], list[Problem]]:
    records: list[Record] = []
    problems: list[Problem] = []
    for row, cells in numbered:
        if len(records) >= MOST_ROWS:
            raise FileProblem(f"it has more than {MOST_ROWS:,} rows. Split it.", row=row)
        if len(cells) == len(header):
            records.append((row, dict(zip(header, cells, strict=True))))
        else:
            column = header[len(cells)] if len(cells) < len(header) else str(len(header) + 1)
            problems.append(
                Problem(
                    row,
                    column,
                    f"the row has {len(cells)} cells, the header has {len(header)}. Give each column one cell.",
                )
            )
    return records, problems
