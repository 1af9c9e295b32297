"""Room: MIME types, by libmagic, off bytes that were read already."""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import Any

HEAD_BYTES = 8192
OLE2_BYTES = 4 << 20
OLE2_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


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
