"""CSV for spreadsheets: every cell quoted, no cell read as a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

# Spreadsheets read a cell that begins with one of these as a formula or skip the character and read the next
# (OWASP "CSV Injection"); the last four are the full-width forms.
FORMULA_STARTS = tuple("=+-@\t\r\n\0＝＋－＠")


def harmless(value: object) -> str:
    """A cell as text; a text that a spreadsheet would run gets an apostrophe in front. Numbers stay as they are."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, str) and text.startswith(FORMULA_STARTS):
        return f"'{text}"
    return text


class _Echo:
    """A file whose write returns the line, for csv.writer."""

    def write(self, line: str) -> str:
        return line


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of the file, one at a time."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow([harmless(value) for value in row])


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A download that is written while it is sent, so that its size does not matter."""
    return StreamingHttpResponse(
        lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
