"""Which files people may give the portal, under which name. No Django here.

The type follows from the bytes, and the name has to agree with it. What a browser or a machine would run, what can be
two things at once, and what hides other files is refused.
"""

import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from email.errors import MessageError
from pathlib import PurePosixPath

import puremagic

NAME_LENGTH = 120
ZIP_ENTRIES = 5000
ZIP_UNPACKED = 200 * 1024 * 1024
ACCEPTED = "PDF, PNG, JPEG, Word (.docx), Excel (.xlsx), mail (.eml), plain text, CSV, JSON or Markdown"

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TYPES = {
    "pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "docx": _DOCX,
    "xlsx": _XLSX, "eml": "message/rfc822", "txt": "text/plain", "csv": "text/csv", "json": "application/json",
    "md": "text/markdown",
}  # fmt: skip
# What begins like this is code for a browser or a machine, whatever it is called.
_ACTIVE = re.compile(
    rb"<(?:!doctype\s+html|html|svg|script|iframe|body|head|object|embed|\?xml|\?php)\b", re.IGNORECASE
)
_RUN = (b"#!", b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa", b"!<arch>", b"\0asm")
_TEXT_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Other things than text, as puremagic names them: a text file that is taken for one of them is none.
_NOT_TEXT = {
    ".html", ".htm", ".svg", ".exe", ".dll", ".zip", ".gz", ".7z", ".rar", ".tar", ".jar", ".swf", ".rtf", ".pdf",
}  # fmt: skip
_PARTS_REFUSED = {
    "exe", "dll", "com", "scr", "bat", "cmd", "ps1", "vbs", "js", "jse", "wsf", "hta", "msi", "jar", "sh", "apk", "lnk",
    "iso", "img", "zip", "7z", "rar", "gz", "tar", "html", "htm", "svg", "xlsm", "docm",
}  # fmt: skip


class BadFile(ValueError):
    """A file that is not taken; the sentence says why and what to do."""


def clean_name(name: str) -> str:
    """A file's name without folders, controls and marks that turn the reading direction. Raises BadFile for none."""
    base = " ".join(unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1]).split())
    plain = "".join(c for c in base if unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    plain = re.sub(r'[<>:"|?*]', "_", plain).lstrip(". ")
    stem, _, ending = plain.rpartition(".")
    if not stem or not ending:
        raise BadFile(f"The file's name has to end like its type. Choose {ACCEPTED}.")
    return f"{stem[: NAME_LENGTH - len(ending) - 1].rstrip()}.{ending}"


def type_of(name: str, content: bytes) -> str:
    """The type of a file, from its bytes and its name together.

    Raises BadFile for a type that is not taken, for content that is something else than the name says, and for a file
    that can be read as two things.
    """
    ending = PurePosixPath(name).suffix.lower().lstrip(".")
    if ending not in TYPES:
        raise BadFile(f"A file that ends in .{ending} is not taken. Choose {ACCEPTED}.")
    if not content:
        raise BadFile(f"{name} is empty.")
    if content.startswith(_RUN):
        raise BadFile(f"{name} is a program. Programs are not taken as evidence.")
    _CHECKS[ending](name, content)
    return TYPES[ending]


def _disagrees(name: str) -> BadFile:
    return BadFile(f"What is in {name} is not what its name says. Save it in its own type and choose it again.")


def _double(name: str) -> BadFile:
    return BadFile(f"{name} holds something else behind its end. Save it anew and choose it again.")


def _looks_like(content: bytes) -> set[str]:
    try:
        return {match.extension.lower() for match in puremagic.magic_string(content)}
    except (puremagic.PureError, ValueError):
        return set()


def _magic(name: str, content: bytes, *endings: str) -> None:
    if not _looks_like(content) & set(endings):
        raise _disagrees(name)
    if _ACTIVE.search(content[:1024]) or zipfile.is_zipfile(io.BytesIO(content)):
        raise _double(name)


def _pdf(name: str, content: bytes) -> None:
    if not content.startswith(b"%PDF-"):
        raise _disagrees(name)
    _magic(name, content, ".pdf")
    _, found, rest = content.rpartition(b"%%EOF")
    if not found or rest.strip(b"\r\n \t\0"):
        raise _double(name)


def _png(name: str, content: bytes) -> None:
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise _disagrees(name)
    _magic(name, content, ".png")
    place, kind = 8, b""
    while place + 12 <= len(content) and kind != b"IEND":
        size, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        place += size + 12
    if kind != b"IEND" or place != len(content):
        raise _double(name)


def _jpeg(name: str, content: bytes) -> None:
    if not content.startswith(b"\xff\xd8\xff"):
        raise _disagrees(name)
    _magic(name, content, ".jpg", ".jpeg", ".jfif", ".jpe")
    if not content.rstrip(b"\0\r\n").endswith(b"\xff\xd9"):
        raise _double(name)


def _office(part: str) -> Callable[[str, bytes], None]:
    def check(name: str, content: bytes) -> None:
        if not content.startswith(b"PK\x03\x04"):
            raise _disagrees(name)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                entries, comment = archive.infolist(), archive.comment
        except (zipfile.BadZipFile, ValueError) as error:
            raise _disagrees(name) from error
        names = {entry.filename for entry in entries}
        if "[Content_Types].xml" not in names or part not in names:
            raise _disagrees(name)
        if comment or content[-22:-18] != b"PK\x05\x06":
            raise _double(name)
        _refuse_inside(name, entries)

    return check


def _refuse_inside(name: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > ZIP_ENTRIES or sum(entry.file_size for entry in entries) > ZIP_UNPACKED:
        raise BadFile(f"{name} unpacks to too much. Attach the part that matters.")
    for entry in entries:
        path = entry.filename.lower()
        if path.endswith(("vbaproject.bin", ".exe", ".dll", ".js", ".html", ".svg")) or "/activex/" in path:
            raise BadFile(f"{name} holds a macro or a program. Save it without and choose it again.")
        if entry.flag_bits & 1:
            raise BadFile(f"{name} is protected by a password. Save it without and choose it again.")
        if ".." in path.split("/") or path.startswith("/"):
            raise _disagrees(name)


def _decoded(name: str, content: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or what Windows writes."""
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        if not _TEXT_CONTROLS.search(text):
            return text
    raise _disagrees(name)


def _text(name: str, content: bytes) -> None:
    text = _decoded(name, content)
    if _ACTIVE.search(text.encode()):
        raise BadFile(f"{name} holds HTML or a script, which is not taken. Attach it as a PDF or a picture.")
    if _looks_like(content[:4096]) & _NOT_TEXT or zipfile.is_zipfile(io.BytesIO(content)):
        raise _disagrees(name)


def _json(name: str, content: bytes) -> None:
    _text(name, content)
    try:
        json.loads(_decoded(name, content))
    except (ValueError, RecursionError) as error:
        raise _disagrees(name) from error


_HEADERS = re.compile(rb"\A(?:[!-9;-~]+:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)+\r?\n")


def _mail(name: str, content: bytes) -> None:
    if not _HEADERS.match(content) or zipfile.is_zipfile(io.BytesIO(content)):
        raise _disagrees(name)
    try:
        mail = message_from_bytes(content)
        endings = {PurePosixPath(part.get_filename() or "").suffix.lower().lstrip(".") for part in mail.walk()}
    except (MessageError, ValueError, RecursionError) as error:
        raise _disagrees(name) from error
    if not (mail["from"] and mail["date"]):
        raise _disagrees(name)
    if refused := sorted(endings & _PARTS_REFUSED):
        raise BadFile(f"The mail {name} carries a .{refused[0]} file, which is not taken. Save it without.")


_CHECKS: dict[str, Callable[[str, bytes], None]] = {
    "pdf": _pdf, "png": _png, "jpg": _jpeg, "jpeg": _jpeg, "docx": _office("word/document.xml"),
    "xlsx": _office("xl/workbook.xml"), "eml": _mail, "txt": _text, "csv": _text, "md": _text, "json": _json,
}  # fmt: skip
