"""MIME types: the quick way says what libmagic says, and says nothing where it cannot know."""

from __future__ import annotations

import gzip
import io
import struct
import sysconfig
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, run, run_json
from hypothesis import given
from hypothesis import strategies as st

from migrate import visit
from migrate.mimetypes import _KINDS_OF_TEXT, _STARTS, HEAD_BYTES, mime_type, quick_type

TEXTS = {mime for _, _, mime in _KINDS_OF_TEXT}


def quick(content: bytes, name: bytes = b"a.txt") -> str | None:
    head = content[:HEAD_BYTES]
    return quick_type(head, name, len(head) == len(content))


PLAIN = [
    b"Minutes of the meeting of 3 March 2009.\nPresent: nobody.\n", "Café naïve £5\r\n".encode() * 9,
    b"Dear Sir\n\nThank you for your letter.\n" * 400, "日本語の文章\n".encode() * 900, b"tab\tand\x0cform feed\n",
]  # fmt: skip


@pytest.mark.parametrize("content", PLAIN, ids=range(len(PLAIN)))
def test_plain_text_is_settled_at_once(content):
    """Text in a file that is called text is text, also where a character is cut at the end of the head."""
    assert quick(content) == "text/plain" == mime_type(content[:HEAD_BYTES])


NAMED = {
    b"a.HTM": (b"\n<!DOCTYPE HTML>\n<html><body>x</body></html>", "text/html"),
    b"b.html": (b"<html lang='cy'><head><title>x</title></head></html>", "text/html"),
    b"c.xml": (b"<?xml version='1.0'?>\n<minutes><day>1</day></minutes>\n", "text/xml"),
    b"d.json": (b'{"of": 1, "list": [1, 2]}\n', "application/json"),
    b"e.py": (b"import os\n\n\ndef main(x):\n    return x\n", "text/x-script.python"),
    b"f.c": (b"#include <stdio.h>\nint main(void) { return 0; }\n", "text/x-c"),
    b"g.css": (b"body { margin: 0 }\n", "text/plain"),
    b"h.sql": (b"SELECT 1;\n", "text/plain"),
}


@pytest.mark.parametrize("name", NAMED, ids=[name.decode() for name in NAMED])
def test_names_say_what_kind_of_text_it_is(name):
    """Text that begins as its name promises is what libmagic finds it to be, too."""
    content, mime = NAMED[name]
    assert quick(content, name) == mime == mime_type(content)
    for other in (b"\xff\xfe" + content, content + b"\0", b"%PDF" + content, b"{\\rtf1" + content):
        assert quick(other, name) in (None, "application/pdf") or name == b"d.json"


def office(*parts: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.writestr(part, f"<part name='{part}'/>" * 9)
    return made.getvalue()


OFFICE = [
    (("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "wordprocessingml.document"),
    (("_rels/.rels", "docProps/core.xml", "docProps/app.xml", "word/_rels/x.rels", "word/document.xml"),
     "wordprocessingml.document"),
    (("docProps/app.xml", "docProps/core.xml", "xl/theme/theme1.xml", "[Content_Types].xml"), "spreadsheetml.sheet"),
    (("[Content_Types].xml", "_rels/.rels", "ppt/presentation.xml"), "presentationml.presentation"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "kind"), OFFICE, ids=range(len(OFFICE)))
def test_office_documents(parts, kind):
    """As Word, LibreOffice and openpyxl order their parts; however the document is called."""
    mime = f"application/vnd.openxmlformats-officedocument.{kind}"
    content = office(*parts)
    assert quick(content, b"any name") == mime
    assert mime_type(content) in (mime, "application/zip")  # it does not find every table
    for cut in range(len(content)):
        assert quick(content[:cut], b"a.docx") in (None, mime)


@pytest.mark.parametrize("parts", [
    ("word/document.xml", "[Content_Types].xml"), ("a.txt", "xl/x"), ("[Content_Types].xml", "words.xml"),
    ("mimetype", "content.xml"), ("META-INF/MANIFEST.MF",), ("[Content_Types].xml", "visio/document.xml"),
])  # fmt: skip
def test_other_archives_are_asked_about(parts):
    assert quick(office(*parts), b"a.docx") is None


def test_other_compressed_and_translated():
    for content, mime in (
        (gzip.compress(b"words"), "application/gzip"),
        (
            struct.pack("<IIIIIII", 0x950412DE, 0, 1, 28, 36, 0, 44) + bytes(40),
            "application/x-gettext-translation",
        ),
    ):
        assert quick(content, b"any") == mime == mime_type(content)


UNSURE = [
    (b"", b"a.txt"), (b" \n", b"a.txt"), (PLAIN[0], b"a"), (PLAIN[0], b"txt"), (PLAIN[0], b"a.txt/b"),
    (PLAIN[0], b"a.html"), (b"<p>only a part</p>", b"a.html"), (b"<html></html>", b"a.xml"),
    (b"<html></html>", b"a.py"), (b"{\\rtf1 x}", b"a.md"), (b"words", b"a.json"), (b"a\0b", b"a.py"),
    (b"<html><body>x</body></html>", b"a.txt"), (b"#!/bin/sh\necho\n", b"a.txt"), (b"{\\rtf1 x}", b"a.txt"),
    (b"From someone\nSubject: x\n\nHello\n", b"a.txt"), (b"Subject: x\nTo: y\n\nHello\n", b"a.log"),
    (b"caf\xe9 in Latin-1\n", b"a.txt"), (b"a\0b", b"a.txt"), (b"PK\x03\x04rest", b"a.txt"),
    (b"\xff\xfeU\0T\0F\0", b"a.txt"), (b"MZ\x90\0", b"a.txt"), ("half a charact€".encode()[:-1], b"a.txt"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "name"), UNSURE, ids=range(len(UNSURE)))
def test_what_is_not_certain_is_asked_about(content, name):
    """What could be more than text, or is no UTF-8, or is not called text, goes to libmagic."""
    assert quick(content, name) is None


def test_pictures_and_pdf_are_what_libmagic_says():
    """The signatures, whatever the name; and nothing that only begins like one."""
    pixel = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + pixel + struct.pack(">I", zlib.crc32(b"IHDR" + pixel))
    jpeg = b"\xff\xd8\xff%c\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    begins = {
        png: "image/png", b"GIF87a\1\0\1\0\0\0\0": "image/gif", b"GIF89a\1\0\1\0\0\0\0": "image/gif",
        b"%PDF-1.4\n%": "application/pdf", **{jpeg % third: "image/jpeg" for third in (0xE0, 0xE1, 0xDB)},
    }  # fmt: skip
    for content, mime in begins.items():
        assert quick(content, b"any name") == mime == mime_type(content)
    for content in (b"%PDF", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF88a"):
        assert quick(content, b"a.pdf") is None


@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer_or_none(content):
    """No content breaks the quick way, and a zero byte is never text."""
    for name in (b"a.txt", b"a.html", b"a.xml", b"a.json", b"a.py"):
        answer = quick(content, name)
        is_text = answer in TEXTS
        assert answer is None or is_text or content.startswith(_STARTS)
        assert not (is_text and (b"\0" in content or not content.strip()))


def test_how_often_they_agree():
    """Over the documents, text and programs that this machine has: what bytes alone settle is what
    libmagic says, unless that cannot tell; of text it says the same in at least 97 of 100 files that are called text
    and 85 of those whose name says a language, and hardly ever that it is no text at all."""
    roots = [ROOT / "sample_data", Path("/usr/share/doc"), Path(sysconfig.get_path("purelib"))]
    asked: Counter[str] = Counter()
    told: Counter[tuple[str, bool]] = Counter()
    for path in sorted(path for root in roots for path in root.rglob("*.*"))[:40_000]:
        content = path.read_bytes()[: HEAD_BYTES + 1] if path.is_file() else b""
        answer = quick(content, path.name.encode())
        what = "bytes" if answer not in TEXTS else "text" if path.suffix == ".txt" else "language"
        if not answer or asked[what] >= 300:
            continue
        found = mime_type(content[:HEAD_BYTES])
        if what == "bytes" and found in ("application/octet-stream", "application/zip"):
            continue
        asked[what] += 1
        told[what, answer == found] += 1
        told[
            "no text", found not in {*TEXTS, "text/x-c++"} and not str(found).startswith("text/")
        ] += what != "bytes"
    assert min(asked.values()) > 50, asked
    assert not told["bytes", False]
    assert told["text", True] >= 0.97 * asked["text"], told
    assert told["language", True] >= 0.85 * asked["language"], told
    assert told["no text", True] <= 0.02 * (asked["text"] + asked["language"]), told


def test_libmagic_is_asked_once_for_each_content(tmp_path, monkeypatch):
    """Copies cost nothing; with --strict-types plain text is asked about too."""
    from migrate.sources import Found, Wanted
    from migrate.sources.local import LocalSource

    asked: list[bytes] = []
    monkeypatch.setattr(visit, "_kinds", {})
    monkeypatch.setattr(visit, "mime_type", lambda head: asked.append(head) or "x/y")
    source = LocalSource(str(tmp_path))
    for name, content in [("a.dat", b"same"), ("b.dat", b"same"), ("c.txt", b"plain words\n")]:
        (tmp_path / name).write_bytes(content)

    def types(strict: bool) -> list[str | None]:
        reading = visit.Reading(strict_types=strict)
        wanted = [Wanted(name, []) for name in (b"a.dat", b"b.dat", b"c.txt")]
        return [
            visit.visit(source, want, Found(source.open(want.path)), reading)[1].mime
            for want in wanted
        ]

    assert types(strict=False) == ["x/y", "x/y", "text/plain"]
    assert asked == [b"same"]
    assert types(strict=True) == ["x/y", "x/y", "x/y"]
    assert asked == [b"same", b"plain words\n"]


def test_strict_types_from_the_command_line(tmp_path):
    """A crawl with --strict-types is another crawl than one without."""
    share = tmp_path / "share"
    share.mkdir()
    (share / "x.md").write_text("-- a comment in SQL\nselect 1;\n")
    run("init", tmp_path / "e", "--share", f"s={share}")
    run("crawl", "-e", tmp_path / "e")
    run("crawl", "-e", tmp_path / "e", "--strict-types")
    log = (tmp_path / "e" / "log.jsonl").read_text()
    assert log.count('"stage":"crawl"') == 2
    assert run_json("crawl", "-e", tmp_path / "e")["shares"][0]["files"] == 1
    assert (tmp_path / "e" / "log.jsonl").read_text().count('"stage":"crawl"') == 2
