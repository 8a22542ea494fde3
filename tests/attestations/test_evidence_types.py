"""What is taken as evidence: by the bytes, with a name that agrees."""

from datetime import date

import pytest

from apps.attestations.rules.evidence import Evidence, evidence_problems
from apps.common.file_types import BadFile, clean_name, type_of
from tests.attestations.files import DOCX, JPEG, MAIL, PDF, XLSX, office, png

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pdf", PDF, "application/pdf"),
        ("a.PDF", PDF, "application/pdf"),
        ("a.png", png(), "image/png"),
        ("a.jpg", JPEG, "image/jpeg"),
        ("a.jpeg", JPEG, "image/jpeg"),
        ("a.docx", DOCX, WORD),
        ("a.xlsx", XLSX, SHEET),
        ("a.eml", MAIL, "message/rfc822"),
        ("a.txt", b"The stop was tried.\n", "text/plain"),
        ("a.txt", "Größe\n".encode("utf-16"), "text/plain"),
        ("a.csv", "Größe;1\n".encode("cp1252"), "text/csv"),
        ("a.md", b"# Drill\n", "text/markdown"),
        ("a.json", b'{"drill": true}', "application/json"),
    ],
)
def test_what_is_taken(name: str, content: bytes, expected: str) -> None:
    assert type_of(name, content) == expected


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.html", b"<html>", "ends in .html is not taken"),
        ("a.svg", b"<svg/>", "ends in .svg is not taken"),
        ("a.zip", DOCX, "ends in .zip is not taken"),
        ("a.exe", b"MZ", "ends in .exe is not taken"),
        ("a", PDF, "ends in . is not taken"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b"#!/bin/sh\nrm -r /\n", "is a program"),
        ("a.pdf", b"\x7fELF" + PDF, "is a program"),
        ("a.txt", PDF, "not what its name says"),
        ("a.txt", png(), "not what its name says"),
        ("a.txt", b"text\0more", "not what its name says"),
        ("a.pdf", png(), "not what its name says"),
        ("a.png", PDF, "not what its name says"),
        ("a.jpg", png(), "not what its name says"),
        ("a.docx", XLSX, "not what its name says"),
        ("a.docx", office("other.xml"), "not what its name says"),
        ("a.docx", b"PK\x03\x04 but no archive", "not what its name says"),
        ("a.docx", office("word/document.xml", "../../etc/passwd"), "not what its name says"),
        ("a.json", b"{no", "not what its name says"),
        ("a.json", b"[" * 100_000, "not what its name says"),
        ("a.eml", b"No headers here", "not what its name says"),
        ("a.pdf", PDF + DOCX, "something else behind its end"),
        ("a.pdf", PDF + b"<html>", "something else behind its end"),
        ("a.pdf", b"%PDF-1.7\nno end", "something else behind its end"),
        ("a.png", png() + b"x", "something else behind its end"),
        ("a.png", png()[:-4], "something else behind its end"),
        ("a.jpg", JPEG + PDF, "something else behind its end"),
        ("a.docx", DOCX + b"x", "something else behind its end"),
        ("a.md", b"# T\n<script>alert(1)</script>", "HTML or a script"),
        ("a.txt", "<svg onload=x>".encode("utf-16"), "HTML or a script"),
        ("a.csv", b"\n\n <!DOCTYPE html>", "HTML or a script"),
        ("a.xlsx", office("xl/workbook.xml", "xl/vbaProject.bin"), "a macro or a program"),
        ("a.eml", MAIL.replace(b"Subject: Drill", b'Content-Disposition: x; filename="x.exe"'), ".exe file"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, content: bytes, says: str) -> None:
    with pytest.raises(BadFile, match=says.replace(".", r"\.")):
        type_of(name, content)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("..\\..\\secret/../report.pdf", "report.pdf"),
        ("C:\\fakepath\\report.pdf", "report.pdf"),
        ("  ..report  of\ttoday.pdf", "report of today.pdf"),
        ("gpj.\u202eexe.pdf", "gpj.exe.pdf"),
        ("a\x00b<c>.pdf", "ab_c_.pdf"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_names(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize("name", ["", "pdf", ".pdf", "../", "..."])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadFile):
        clean_name(name)


def test_what_is_wrong_on_the_day_of_the_signature() -> None:
    today = date(2026, 11, 10)
    files = [
        Evidence("good.pdf", today, today, infected=False),
        Evidence("old.pdf", date(2026, 1, 1), date(2026, 11, 9), infected=False),
        Evidence("early.pdf", date(2026, 11, 11), None, infected=False),
        Evidence("bad.pdf", date(2026, 1, 1), date(2026, 2, 1), infected=True),
    ]
    found = evidence_problems("drills", "Drills carried out", files, today=today)
    assert [(one.part, one.text) for one in found] == [
        ("evidence", "old.pdf expired on 9 Nov 2026: Drills carried out"),
        ("evidence", "early.pdf is true from 11 Nov 2026 only: Drills carried out"),
        ("evidence", "bad.pdf is infected. Remove it: Drills carried out"),
    ]
