"""Room: what a document's text tells, in a process of its own with limits (see engine/limited.py).

In: a document's bytes and its type. Out: numbers only: how many words, how many numbers of each
kind that point to people, the marking at its head, a MinHash signature of its wording. The text
itself is in no answer, table or file.
Sources: kreuzberg (text), rensa (MinHash): the extra `text`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from migrate.engine.limited import serve
from migrate.inside.patterns import counts, marking

COMMAND = [sys.executable, "-P", "-m", "migrate.inside.text"]  # -P: nothing from where we stand
SECONDS = 60.0
MEMORY_BYTES = 2 << 30
MOST_LETTERS = 20_000_000
FEWEST_WORDS = 30  # shorter texts are alike by chance
RUN = 3  # words; wording is compared by runs of so many
SLOTS, BAND_SLOTS = 128, 5  # of a signature, and of each of the parts that are looked up
SEED = 1

_OPENXML = "application/vnd.openxmlformats-officedocument."
# What people write in. Pictures would need OCR, and programs are not for reading.
TYPES = {
    "doc": "application/msword",
    "dot": "application/msword",
    "docx": _OPENXML + "wordprocessingml.document",
    "docm": "application/vnd.ms-word.document.macroEnabled.12",
    "dotx": _OPENXML + "wordprocessingml.template",
    "rtf": "application/rtf",
    "odt": "application/vnd.oasis.opendocument.text",
    "xls": "application/vnd.ms-excel",
    "xlsx": _OPENXML + "spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": _OPENXML + "presentationml.presentation",
    "pdf": "application/pdf",
    "msg": "application/vnd.ms-outlook",
    "eml": "message/rfc822",
    "htm": "text/html",
    "html": "text/html",
    "txt": "text/plain",
    "csv": "text/plain",
}
# A page with nothing on it.
_EMPTY_PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj
trailer<</Root 1 0 R>>
"""
_LATER = {"doc": "docx", "dot": "dotx", "xls": "xlsx", "ppt": "pptx"}

Answer = dict[str, Any]


def reader() -> Callable[[Answer, bytes], Answer]:
    """The function that reads a document: question {ext}, answer as in the table `looks`.

    Errors: ImportError where the extra is not installed."""
    import kreuzberg
    from rensa import RMinHash

    config = _config()
    _load_pdf_library(config)

    def read(words: Answer, content: bytes) -> Answer:
        mime = type_of(words["ext"], content)
        if mime == "text/plain":
            text, headers, attached = plain_text(content), [], []
        else:
            found = kreuzberg.extract_bytes_sync(content, mime, config=config)
            text, headers = found.content, _headers(found.document)
            attached = [child["result"].content for child in found.children or []]
        everything = "\n".join([*headers, text, *attached])
        if len(everything) > MOST_LETTERS:
            return {"error": "too_much_text"}
        if not everything.strip():
            return {"words": 0}  # pictures of pages, perhaps: that is not "no numbers"
        every = text.lower().split()
        answer = {"words": len(every), "marking": marking(headers, text)}
        answer |= counts(everything)
        if len(every) >= FEWEST_WORDS:
            sketch = RMinHash(SLOTS, SEED)
            sketch.update(wording(every))
            answer |= signature(sketch.digest())
        return answer

    return read


def _config() -> Any:
    """How kreuzberg is to read."""
    import kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False,  # it would write the text to a disk
        disable_ocr=True,  # type: ignore[call-arg]  # its stubs forget it
        enable_quality_processing=False,
        include_document_structure=True,  # or there would be no headers
        tree_sitter=kreuzberg.TreeSitterConfig(enabled=False),  # it would ask the network
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        content_filter=kreuzberg.ContentFilterConfig(
            include_headers=True, include_footers=True, strip_repeating_text=False
        ),
    )

    config.max_archive_depth = 1  # attachments of a message, and nothing inside those
    return config


def _load_pdf_library(config: Any) -> None:
    """At its first PDF kreuzberg unpacks a library into the folder for temporary files, or takes
    one that lies there. Let that be now, while this process may write, in a folder of its own."""
    import kreuzberg

    with tempfile.TemporaryDirectory(prefix="migrate-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = os.environ["TMP"] = folder
        kreuzberg.extract_bytes_sync(_EMPTY_PDF, TYPES["pdf"], config=config)


def type_of(ext: str, content: bytes) -> str:
    """The type as the reader wants it: by the name, and by the first bytes where they say that it
    is another."""
    if content.startswith(b"%PDF-"):
        return TYPES["pdf"]
    if content.startswith(b"{\\rtf"):
        return TYPES["rtf"]
    return TYPES[_LATER.get(ext, ext) if content.startswith(b"PK\x03\x04") else ext]


def plain_text(content: bytes) -> str:
    """UTF-8, UTF-16 with its mark, or what Windows wrote before."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _headers(document: Any) -> list[str]:
    """The text of headers and footers."""
    return [
        str(node["content"].get("text") or "")
        for node in (document or {}).get("nodes", [])
        if node.get("content_layer") in ("header", "footer")
    ]


def wording(words: list[str]) -> set[str]:
    """Every run of three words."""
    return set(map(" ".join, zip(*(words[n:] for n in range(RUN)), strict=False)))


def signature(slots: list[int]) -> Answer:
    """A MinHash, and its parts as numbers to look up: texts that are much alike share one."""
    import struct

    import xxhash

    bands = []
    for number, at in enumerate(range(0, SLOTS - BAND_SLOTS + 1, BAND_SLOTS)):
        part = struct.pack(f"<B{BAND_SLOTS}I", number, *slots[at : at + BAND_SLOTS])
        bands.append(xxhash.xxh3_64_intdigest(part) >> 1)
    return {"minhash": slots, "bands": bands}


if __name__ == "__main__":
    serve(reader, SECONDS, MEMORY_BYTES)
