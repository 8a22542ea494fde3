"""Reading files: every refusal says where and what to do; no database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.registry.rules.imports import (
    CSV,
    FEDERAL,
    OWN_COLUMNS,
    FileProblem,
    classify_contacts,
    read_rows,
    template_csv,
)
from apps.registry.rules.imports.contacts import single_address
from apps.registry.rules.imports.federal import key_part

HEADER = ",".join(OWN_COLUMNS)
FEDERAL_COLUMNS = (
    "agency,agency_name,id,use_case_name,agency_bureau,contact_email,development_stage,is_high_impact,"
    "problem_solved,benefits,vendor_name"
)


def own(*rows: str) -> bytes:
    return "\n".join((HEADER, *rows, "")).encode()


def row(key: str = "a-1", name: str = "A", unit: str = "claims", **cells: str) -> str:
    values = {"key": key, "name": name, "unit": unit, **cells}
    return ",".join(f'"{values.get(column, "")}"' for column in OWN_COLUMNS)


def federal(*rows: str) -> bytes:
    return "\n".join((FEDERAL_COLUMNS, *rows, "")).encode()


def refusal(content: bytes, format_name: str = "") -> str:
    with pytest.raises(FileProblem) as caught:
        read_rows(content, format_name)
    return str(caught.value)


def problems(content: bytes) -> list[str]:
    return [str(problem) for problem in read_rows(content)[1].problems]


def test_the_template_can_be_read() -> None:
    name, parsed = read_rows(template_csv().encode())
    assert (name, parsed.rows_read, parsed.problems) == (CSV, 1, [])
    assert parsed.rows[0].identities == (("service_account", "svc-claims"), ("agent_id", "claims-01"))


def test_a_byte_order_mark_is_accepted() -> None:
    assert read_rows(b"\xef\xbb\xbf" + own(row()))[1].rows[0].key == "a-1"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_refused(encoding: str) -> None:
    assert "UTF-8" in refusal(own(row()).decode().encode(encoding))


def test_latin_1_is_refused_with_its_place() -> None:
    words = refusal(own(row(), row(key="a-2", name="Pr\u00fcfung")).replace("ü".encode(), b"\xfc"))
    assert words.startswith("Row 3, column name: byte ")
    assert "0xfc" in words


def test_a_nul_is_refused_with_its_place() -> None:
    content = own(row(), row(key="a-2", vendor="two\nlines"), row(key="a-3", vendor="V\x00"))
    assert refusal(content).startswith("Row 4, column vendor: byte ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (own(), "it has a header and no rows"),
        (own(row()).replace(b",tier,", b","), "missing: tier"),
        (own(row()).replace(b"chat_channel", b"chat_channel,colour"), "unknown: colour"),
        (own(row()).replace(b",tier,", b",stage,"), "stands there twice"),
        (own(row()).replace(b",", b";"), "separated by commas"),
        (own('"open,A,claims'), "Row 2"),
        (own('"a"b,A,claims'), "Row 2"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, words: str) -> None:
    assert words in refusal(content, CSV)


def test_a_ragged_row_is_named() -> None:
    assert problems(own(row(), "a-2,B,claims")) == [
        "Row 3, column stage: the row has 3 cells, the header has 12. Give each column one cell."
    ]
    assert problems(own(row() + ",more"))[0].startswith("Row 2, column 13: the row has 13 cells")


def test_blank_lines_are_passed_over_and_counted_in_row_numbers() -> None:
    parsed = read_rows(own("", row(), "", row(key="a-2")))[1]
    assert [found.row for found in parsed.rows] == [3, 5]


def test_a_key_in_two_rows_names_both() -> None:
    assert problems(own(row(), row(key="a-2"), row())) == [
        "Row 4, column key: a-1 stands in row 2 and in row 4. Keep one of them."
    ]


def test_an_identity_in_two_rows_names_both() -> None:
    content = own(row(identities="agent_id:x"), row(key="a-2", identities="agent_id:x"))
    assert "row 2 and in row 3" in problems(content)[0]


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"name": "x" * 501}, "name", "501 characters; 500 fit"),
        ({"vendor": "x" * 301}, "vendor", "300 fit"),
        ({"chat_channel": "x" * 121}, "chat_channel", "120 fit"),
        ({"name": ""}, "name", "empty"),
        ({"unit": " "}, "unit", "empty"),
        ({"key": "a b"}, "key", "is no key"),
        ({"key": "a" * 81}, "key", "is no key"),
        ({"stage": "Live"}, "stage", "none of: proposed, development, pilot"),
        ({"tier": "5"}, "tier", "none of: critical, high"),
        ({"regulatory_class": "x"}, "regulatory_class", "none of: prohibited"),
        ({"operating_model": "x"}, "operating_model", "none of: self_hosted"),
        ({"owner_email": "Team A"}, "owner_email", "is not one address"),
        ({"owner_email": "a@x.org; b@x.org"}, "owner_email", "is not one address"),
        ({"identities": "robot"}, "identities", "is not kind:value"),
        ({"identities": "robot:x"}, "identities", "service_account, spiffe_id"),
        ({"identities": "agent_id:" + "x" * 301}, "identities", "300 fit"),
    ],
)
def test_bad_values_name_row_column_and_remedy(cells: dict[str, str], column: str, words: str) -> None:
    found = problems(own(row(key="first"), row(**{"key": "a-1", **cells})))
    assert len(found) == 1
    assert found[0].startswith(f"Row 3, column {column}: ")
    assert words in found[0]


def test_a_spiffe_id_keeps_its_colons() -> None:
    parsed = read_rows(own(row(identities="spiffe_id:spiffe://example.org/a | namespace:b")))[1]
    assert parsed.rows[0].identities == (("spiffe_id", "spiffe://example.org/a"), ("namespace", "b"))


def test_every_problem_is_listed_at_once() -> None:
    assert len(problems(own(row(stage="x", tier="y"), row(key="", name="")))) == 4


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("", "none"),
        ("  ", "none"),
        ("Gerardo Nixon", "not_an_address"),
        ("https://home.example.org/contact", "not_an_address"),
        ("https://x@home.example.org/contact", "not_an_address"),
        ("Jane <jane@example.org>", "not_an_address"),
        ("jane@example", "not_an_address"),
        ("a@x.org, cc: b@x.org", "several"),
        ("a@x.org;b@x.org", "several"),
        ("a@x.org b@x.org", "several"),
        ("Nelson.Yang@example.org,", "nelson.yang@example.org"),
        (" A@x.org ", "a@x.org"),
        ("a@x.org, A@X.org", "a@x.org"),
    ],
)
def test_what_a_contact_is(contact: str, expected: str) -> None:
    kind, address = single_address(contact)
    assert (str(kind) if kind else address) == expected


def test_an_address_behind_too_many_rows_is_shared_even_of_a_known_person() -> None:
    rows = [(number, "Ada@example.org") for number in range(3)] + [(9, "nils@example.org"), (10, "caio@example.org")]
    people = {"ada@example.org": 1, "nils@example.org": 1, "caio@example.org": 1}
    classes, shared = classify_contacts(rows, people, threshold=2)
    assert {str(kind) for kind, _ in list(classes.values())[:3]} == {"shared"}
    assert (str(classes[9][0]), str(classes[10][0])) == ("person", "shared")
    assert shared == {"ada@example.org": 3, "caio@example.org": 1}
    assert str(classify_contacts(rows, people, threshold=3)[0][0][0]) == "person"


def keys(*rows: str) -> list[str]:
    return [found.key for found in read_rows(federal(*rows))[1].rows]


def test_federal_keys() -> None:
    assert keys(
        "DOE,Energy,DOE-730,One,,,,,,,",
        "EPA,Environment,17,Two,,,,,,,",
        "FDIC,Deposit,FDIC \u2013 3,Three,,,,,,,",
        "FDIC,Deposit,FDIC - 9,Four,,,,,,,",
    ) == ["DOE-730", "EPA-17", "FDIC-3", "FDIC-9"]


def test_federal_keys_without_a_unique_id_are_hashes_that_stay() -> None:
    first = keys("STB,Board,TBD,One,X,,,,,,", "STB,Board,TBD,Two,X,,,,,,", "STB,Board,,Two,X,,,,,,")
    assert len(set(first)) == 3
    assert all(key.startswith("STB-h") and len(key) == 21 for key in first)
    # Another row before them, and other words in other columns, change nothing.
    later = keys(
        "DOE,Energy,,Zero,,,,,,,",
        "STB,Board,TBD,One,X,,Pilot,,,,",
        "STB,Board,TBD,Two,X,,,,,,",
        "STB,Board,,Two,X,,,,,,",
    )
    assert later[1:] == first


def test_two_ids_that_read_the_same_are_not_unique() -> None:
    found = keys(
        "FDIC,Deposit,FDIC - 3,One,,,,,,,", "FDIC,Deposit,FDIC \u2013 3,Two,,,,,,,", "FDIC,Deposit,3,Three,,,,,,,"
    )
    assert len(set(found)) == 3
    assert all(key.startswith("FDIC-h") for key in found)


def test_federal_values() -> None:
    name, parsed = read_rows(
        federal(
            'DOE,Energy,1, =cmd|x ,,,Pre-deployment,High-impact,Helps,Helps,"Vendor, Inc."',
            'DOE,Energy,2,B,,,Deployed,"Presumed High-Impact, but Not High-impact",Problem,Benefit,',
            "DOE,Energy,3,,,,Retired,Not High-impact,,,",
        )
    )
    assert name == FEDERAL
    assert parsed.rows[0].fields == {
        "name": "=cmd|x", "purpose": "Helps", "stage": "development", "tier": "high", "vendor": "Vendor, Inc.",
        "contact_given": "",
    }  # fmt: skip
    assert parsed.rows[1].fields["purpose"] == "Problem\n\nBenefit"
    assert (parsed.rows[1].fields["tier"], parsed.rows[1].stage) == ("medium", "production")
    assert [skipped.as_json() for skipped in parsed.skipped] == [
        {"row": 4, "reason": "The row has no name (use_case_name).", "label": "3"}
    ]
    assert parsed.rows_read == len(parsed.rows) + len(parsed.skipped)


def test_a_value_outside_its_list_is_a_problem() -> None:
    assert "none of: Pre-deployment, Pilot, Deployed, Retired" in problems(federal("DOE,Energy,1,A,,,Live,,,,"))[0]
    assert "column agency" in problems(federal(",Energy,1,A,,,,,,,"))[0]
    assert "500 fit" in problems(federal(f"DOE,Energy,1,{'x' * 501},,,,,,,"))[0]
    assert read_rows(federal(f"DOE,Energy,1,{'x' * 500},,,,,,,"))[1].problems == []


@given(st.text(max_size=90))
def test_a_key_part_is_a_key_or_nothing(text: str) -> None:
    part = key_part(text)
    assert part == "" or (part[0].isalnum() and part.isascii() and key_part(part) == part)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        parsed = read_rows(own() + content, CSV)[1]
    except FileProblem:
        return
    assert parsed.rows_read >= len(parsed.rows)
