"""Room: two system calls of Linux that Python has no function for (before 3.15).

statx(2) alone tells a file's birth time; openat2(2) alone opens a path without following any link
on its way. Layouts: man 2 statx, man 2 openat2, linux/stat.h, linux/openat2.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Any

AT_EMPTY_PATH = 0x1000
AT_SYMLINK_NOFOLLOW = 0x100
AT_FDCWD = -100
BASIC_AND_BIRTH = 0x7FF | 0x800
HAS_BIRTH = 0x800

# mask, blksize, attributes, nlink, uid, gid, mode, pad, ino, size, blocks, attributes_mask, then
# four times (seconds, nanoseconds, pad): atime, btime, ctime, mtime; then rdev and dev, major
# first.
_LAYOUT = struct.Struct("=IIQIIIHHQQQQ" + "qIi" * 4 + "IIII")

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_HOW = struct.Struct("=QQQ")  # flags, mode, resolve

Fields = tuple[int, ...]


def _load() -> Any:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return None
    return ctypes.CDLL(None, use_errno=True)


libc = _load()
_buffer = ctypes.create_string_buffer(256)
_can_openat2 = libc is not None


def has_statx() -> bool:
    return hasattr(libc, "statx")


def statx(descriptor: int, path: bytes, flags: int) -> tuple[Fields, int | None]:
    """(fields in the kernel's order, birth time in ns or None). Not for use in threads.

    Errors: OSError."""
    if libc.statx(descriptor, path, flags, BASIC_AND_BIRTH, _buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(path))
    fields = _LAYOUT.unpack_from(_buffer)
    birth = fields[15] * 1_000_000_000 + fields[16] if fields[0] & HAS_BIRTH else 0
    return fields, birth or None  # zero is what disk images made without birth times hold


def open_beneath(root: int, path: bytes, flags: int) -> int | None:
    """Open a path below an open folder, refusing every symlink on the way and every way out.

    Returns None where the kernel has no openat2 (before 5.6, or a sandbox forbids it).
    Errors: OSError."""
    global _can_openat2
    if not _can_openat2:
        return None
    how = _HOW.pack(flags, 0, _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH)
    descriptor = libc.syscall(_OPENAT2, root, path or b".", how, _HOW.size)
    if descriptor >= 0:
        return int(descriptor)
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EPERM) and not _works(root):
        _can_openat2 = False
        return None
    raise OSError(number, os.strerror(number), os.fsdecode(path))


def _works(root: int) -> bool:
    """Whether openat2 is there at all: EPERM may also be about the one file."""
    how = _HOW.pack(os.O_RDONLY | os.O_DIRECTORY, 0, 0)
    descriptor = libc.syscall(_OPENAT2, root, b".", how, _HOW.size)
    if descriptor >= 0:
        os.close(int(descriptor))
    return bool(descriptor >= 0)
