"""Room: statx(2), which alone tells a file's birth time on Linux before Python 3.15.

One call gives everything `os.stat` gives and the birth time. Layout: man 2 statx, linux/stat.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable

AT_EMPTY_PATH = 0x1000
AT_SYMLINK_NOFOLLOW = 0x100
AT_FDCWD = -100
_BASIC_AND_BIRTH = 0x7FF | 0x800
_HAS_BIRTH = 0x800

# mask, blksize, attributes, nlink, uid, gid, mode, pad, ino, size, blocks, attributes_mask, then
# four times (seconds, nanoseconds, pad): atime, btime, ctime, mtime; then rdev and dev, major
# first.
_LAYOUT = struct.Struct("=IIQIIIHHQQQQ" + "qIi" * 4 + "IIII")

Fields = tuple[int, ...]


def _load() -> Callable[..., int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError, TypeError):
        return None
    function.argtypes = (
        ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p,
    )  # fmt: skip
    return function


_statx = _load()
_buffer = ctypes.create_string_buffer(256)


def available() -> bool:
    return _statx is not None


def statx(descriptor: int, path: bytes, flags: int) -> tuple[Fields, int | None]:
    """(fields in the kernel's order, birth time in ns or None). Not for use in threads.

    Errors: OSError."""
    assert _statx is not None
    if _statx(descriptor, path, flags, _BASIC_AND_BIRTH, _buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(path))
    fields = _LAYOUT.unpack_from(_buffer)
    birth = fields[15] * 1_000_000_000 + fields[16] if fields[0] & _HAS_BIRTH else 0
    return fields, birth or None  # zero is what disk images made without birth times hold
