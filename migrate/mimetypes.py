"""Room: MIME types, off bytes that were read already: by what settles it at once, else by libmagic.

libmagic takes 15 to 200 µs for most formats, and a millisecond for text, where it tries every
language there is; what it then says of a language is often a guess. So where the bytes are text and
the name says what kind of text, that is taken. `--strict-types` asks libmagic always.
"""

from __future__ import annotations

import logging
import re
import sys
from functools import cache
from typing import Any

HEAD_BYTES = 8192
OLE2_BYTES = 4 << 20
OLE2_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


# The whole of what libmagic itself goes by, so that the answers are the same.
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),  # ISO 32000-1 7.5.2
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),  # W3C PNG 5.2
    (b"\xff\xd8\xff\xe0", "image/jpeg"),  # ISO 10918: JFIF
    (b"\xff\xd8\xff\xe1", "image/jpeg"),  # Exif
    (b"\xff\xd8\xff\xdb", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x1f\x8b\x08", "application/gzip"),  # RFC 1952 2.3.1
    (b"\xde\x12\x04\x95", "application/x-gettext-translation"),  # GNU gettext, MO files
)
_STARTS = tuple(signature for signature, _ in _SIGNATURES)
# Office Open XML (ECMA-376 part 2): a ZIP whose first part is one of these, and which of the
# others' folders tells a text from a table. Layout of a part: PKWARE APPNOTE 4.3.7.
_FIRST_PARTS = (b"[Content_Types].xml", b"_rels/.rels", b"docProps/")
_PARTS_LOOKED_AT = 8
_OFFICE = {
    folder: f"application/vnd.openxmlformats-officedocument.{kind}"
    for folder, kind in (
        (b"word", "wordprocessingml.document"),
        (b"xl", "spreadsheetml.sheet"),
        (b"ppt", "presentationml.presentation"),
    )
}
_ZIP_PART = b"PK\3\4"
# Bytes that no plain text has: controls other than tab, line feed, form feed, return, escape.
_NO_TEXT = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27}) + b"\x7f"
# How text begins that is more than text to libmagic: markup, scripts, letters, code, PostScript.
_PLAIN = re.compile(
    rb"(?!\s*(?:[<#{\[%/.*;\x1b]|-----BEGIN|[\w-]+: |From |begin |import |package |diff |\\))"
)
_NO_MARKUP = re.compile(rb"(?!\s*(?:<|\{\\rtf|%!|%PDF|-----BEGIN|From ))")
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|title|body)\b", re.IGNORECASE)
# Kinds of text: endings of names, how such a file begins, and what libmagic says of most of them.
_KINDS_OF_TEXT = (
    ("txt log conf cfg ini", _PLAIN, "text/plain"),
    ("md rst sql css js yaml yml toml tsv bat vbs ps1 properties", _NO_MARKUP, "text/plain"),
    ("py pyi", _NO_MARKUP, "text/x-script.python"),
    ("c h", _NO_MARKUP, "text/x-c"),
    ("cpp hpp", _NO_MARKUP, "text/x-c++"),
    ("htm html", _HTML, "text/html"),
    ("xml", re.compile(rb"\s*<\?xml\s"), "text/xml"),
    ("json", re.compile(rb"\s*[\[{]"), "application/json"),
)
TEXT_ENDINGS = {
    ending: number
    for number, (endings, _, _) in enumerate(_KINDS_OF_TEXT, 1)
    for ending in endings.split()
}
_ENDINGS = {ending.encode(): number for ending, number in TEXT_ENDINGS.items()}


def kind_of_text(name: bytes) -> int:
    """All that a name or path has to say about a type: the number of a kind of text; 0 for none."""
    _, dot, ending = name.rpartition(b".")
    return _ENDINGS.get(ending.lower(), 0) if dot else 0


def quick_type(head: bytes, name: bytes, is_whole: bool) -> str | None:
    """The MIME type where the first bytes (or, for plain text, all that was read and the name's
    ending) leave no doubt; None to ask libmagic.

    `head`: up to HEAD_BYTES of the file, `is_whole` if that is all of it."""
    if head.startswith(_STARTS):
        return next(mime for signature, mime in _SIGNATURES if head.startswith(signature))
    if head.startswith(_ZIP_PART):
        return _office_type(head)
    kind = kind_of_text(name)
    if not kind or not head.strip():
        return None
    _, begins, mime = _KINDS_OF_TEXT[kind - 1]
    if not begins.match(head):
        return None
    if len(head.translate(None, _NO_TEXT)) != len(head):
        return None
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if is_whole or error.start < len(head) - 4:  # a character cut off at the end is none
            return None
    return mime


def _office_type(head: bytes) -> str | None:
    """The type of an Office Open XML document that begins so."""
    at = 0
    for _ in range(_PARTS_LOOKED_AT):
        length = int.from_bytes(head[at + 26 : at + 28], "little")
        part = head[at + 30 : at + 30 + length]
        if at == 0 and not part.startswith(_FIRST_PARTS):
            return None
        folder, is_inside, _ = part.partition(b"/")
        if is_inside and folder in _OFFICE:
            return _OFFICE[folder]
        at = head.find(_ZIP_PART, at + 30 + length)
        if at < 0:
            return None
    return None


@cache
def _library() -> Any:
    """One cookie a process: it costs a millisecond, and is not to be shared."""
    if sys.platform != "win32":
        logging.getLogger("pylibmagic").setLevel(logging.ERROR)
        import pylibmagic  # noqa: F401 - puts its own libmagic where python-magic looks
    import magic

    return magic.Magic(mime=True)


def mime_type(head: bytes) -> str | None:
    """The MIME type libmagic gives for the beginning of a file; None if it cannot say.

    An OLE2 file wants up to OLE2_BYTES of it (its head is the same for all Office formats),
    everything else HEAD_BYTES."""
    if not head:
        return "inode/x-empty"
    try:
        return str(_library().from_buffer(head))
    except Exception:  # libmagic raises its own errors on damaged files: unknown is not a failure
        return None
