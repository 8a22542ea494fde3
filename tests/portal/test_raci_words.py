"""What changed in a row, in words."""

import pytest

from apps.portal.queries.raci_words import change_words, row_words

NAMES = {"a": "VP Engineering", "b": "Head of Finance", "c": "CISO"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"a": "A", "c": "R"}, {"b": "A", "c": "R"}, ["A from VP Engineering to Head of Finance"]),
        ({"a": "A"}, {"a": "A", "b": "A"}, ["A added for Head of Finance"]),
        ({"a": "A"}, {}, ["A taken from VP Engineering"]),
        ({"a": "AR"}, {"a": "R", "b": "A"}, ["A from VP Engineering to Head of Finance"]),
        ({"b": "C"}, {"b": "A"}, ["A added for Head of Finance"]),
        ({"c": "C"}, {"c": "I"}, ["CISO from C to I"]),
        ({"c": "C"}, {}, ["C taken from CISO"]),
        ({}, {"x": "I"}, ["I added for somebody who is not known here"]),
        ({"a": "A"}, {"a": "A"}, []),
    ],
)
def test_change(before: dict[str, str], after: dict[str, str], words: list[str]) -> None:
    assert change_words(before, after, NAMES) == words


def test_a_whole_row() -> None:
    words = "A VP Engineering; R VP Engineering; C Head of Finance, CISO"
    assert row_words({"a": "AR", "b": "C", "c": "C"}, NAMES) == words
