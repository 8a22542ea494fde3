"""Files for the tests of evidence: small, and real enough for what looks into them."""

import io
import struct
import zipfile
import zlib

PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\1" * 20 + b"\xff\xd9"
MAIL = b"From: ada@example.org\r\nDate: Tue, 10 Nov 2026 09:00:00 +0000\r\nSubject: Drill\r\n\r\n<html>Done</html>\r\n"
ZIP_WITH = ("[Content_Types].xml", "_rels/.rels")


def png() -> bytes:
    """One white pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\xff\xff\xff")), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def office(part: str, *more: str) -> bytes:
    """A Word or Excel file with these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in (*ZIP_WITH, part, *more):
            archive.writestr(name, "<x/>")
    return file.getvalue()


DOCX, XLSX = office("word/document.xml"), office("xl/workbook.xml")
