"""Room: MIME types, off bytes that were read already: by what settles it at once, else by libmagic.

libmagic takes 15 to 100 µs for most formats, and a millisecond for plain text, where it tries every
language there is. `--strict-types` asks it always.
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
)
_STARTS = tuple(signature for signature, _ in _SIGNATURES)
TEXT_NAMES = (b".txt", b".log", b".md")
# Bytes that no plain text has: controls other than tab, line feed, form feed, return, escape.
_NO_TEXT = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27}) + b"\x7f"
# How text begins that is more than text to libmagic: markup, scripts, letters, code, PostScript.
_MORE_THAN_TEXT = re.compile(
    rb"\s*(?:[<#{\[%/.*;\x1b]|-----BEGIN|[\w-]+: |From |begin |import |package |diff |\\)"
)


def is_text_name(name: bytes) -> bool:
    """All that a name has to say about a type."""
    return name.lower().endswith(TEXT_NAMES)


def quick_type(head: bytes, name: bytes, is_whole: bool) -> str | None:
    """The MIME type where the first bytes (or, for plain text, all that was read and the name's
    ending) leave no doubt; None to ask libmagic.

    `head`: up to HEAD_BYTES of the file, `is_whole` if that is all of it."""
    if head.startswith(_STARTS):
        return next(mime for signature, mime in _SIGNATURES if head.startswith(signature))
    if not head.strip() or not is_text_name(name) or _MORE_THAN_TEXT.match(head):
        return None
    if len(head.translate(None, _NO_TEXT)) != len(head):
        return None
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if is_whole or error.start < len(head) - 4:  # a character cut off at the end is none
            return None
    return "text/plain"


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
