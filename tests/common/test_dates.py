"""Days as people write and read them."""

from datetime import date

import pytest

from apps.common.dates import day_words, read_date


@pytest.mark.parametrize(
    "text", ["2026-12-01", "1 Dec 2026", "01 Dec 2026", "1 December 2026", "1.12.2026", "  1   dec 2026 "]
)
def test_a_day_is_read_as_people_write_it(text: str) -> None:
    assert read_date(text) == date(2026, 12, 1)


@pytest.mark.parametrize("text", ["", "soon", "31 Nov 2026", "12/01/2026", "2026-12-01T00:00", "1 Dec 26"])
def test_what_is_no_day(text: str) -> None:
    assert read_date(text) is None


def test_a_day_in_words() -> None:
    assert day_words(date(2026, 12, 1)) == "1 Dec 2026"
    assert read_date(day_words(date(2026, 11, 17))) == date(2026, 11, 17)
