"""Room: what a server's status codes mean here. Source: [MS-ERREF] 2.3.1, NTSTATUS values."""

from __future__ import annotations

import errno
import os

from migrate.sources import SourceError

OK = 0x00000000
PENDING = 0x00000103
BUFFER_OVERFLOW = 0x80000005
NO_MORE_FILES = 0x80000006
STOPPED_ON_SYMLINK = 0x8000002D
NO_SUCH_FILE = 0xC000000F
END_OF_FILE = 0xC0000011
ACCESS_DENIED = 0xC0000022
OBJECT_NAME_NOT_FOUND = 0xC0000034
OBJECT_NAME_COLLISION = 0xC0000035
DELETE_PENDING = 0xC0000056
PATH_NOT_COVERED = 0xC0000257

# The session or the share is gone; a new connection brings it back.
GONE = {
    0xC0000203: "the session was deleted",
    0xC000035C: "the session has expired",
    0xC00000C9: "the share was withdrawn",
    0xC000020C: "the server has closed the connection",
}
# The server is there and cannot keep up: to be asked again, more slowly.
BUSY = {0xC000009A, 0xC00000D0, 0xC00000BF, 0xC0000466, 0xC0000467, 0xC00000E9}

# status: errno, and a word of our own where the errno has none that fits
_ERRORS: dict[int, tuple[int, str | None]] = {
    ACCESS_DENIED: (errno.EACCES, None),
    0xC0000061: (errno.EACCES, None),  # privilege not held
    0xC00000CA: (errno.EACCES, None),  # network access denied
    NO_SUCH_FILE: (errno.ENOENT, None),
    OBJECT_NAME_NOT_FOUND: (errno.ENOENT, None),
    0xC000003A: (errno.ENOENT, None),  # path not found
    DELETE_PENDING: (errno.ENOENT, None),
    0xC0000123: (errno.ENOENT, None),  # deleted
    0xC0000033: (errno.EINVAL, "bad_name"),  # name invalid
    0xC000003B: (errno.EINVAL, "bad_name"),  # path syntax bad
    0xC0000161: (errno.EINVAL, "bad_name"),  # a character it cannot write
    0xC0000106: (errno.ENAMETOOLONG, None),
    0xC0000043: (errno.EBUSY, "in_use"),  # somebody has it open and shares it with nobody
    0xC0000054: (errno.EBUSY, "in_use"),  # the range is locked
    0xC0000128: (errno.EBADF, None),  # no such handle
    0xC00000BA: (errno.EISDIR, None),
    0xC0000103: (errno.ENOTDIR, None),
    STOPPED_ON_SYMLINK: (errno.ELOOP, None),
    0xC0000275: (errno.EINVAL, None),  # not a reparse point
    PATH_NOT_COVERED: (errno.EXDEV, "dfs_link"),
    OBJECT_NAME_COLLISION: (errno.EEXIST, None),
    0xC0000101: (errno.ENOTEMPTY, None),
    0xC000007F: (errno.ENOSPC, None),
    0xC0000044: (errno.EDQUOT, None),
    0xC0000802: (errno.EDQUOT, None),
    0xC0000904: (errno.EFBIG, None),
    0xC00000A2: (errno.EROFS, None),
    0xC0000185: (errno.EIO, None),  # I/O device error
    0xC000003F: (errno.EIO, None),  # checksum
    0xC000009C: (errno.EIO, None),  # device data
    0xC0000032: (errno.EIO, None),  # disk corrupt
    0xC0000102: (errno.EIO, None),  # file corrupt
    0xC00000B5: (errno.ETIMEDOUT, None),  # I/O timeout
    0xC0000205: (errno.ENOMEM, None),
}


def error_of(status: int, path: str = "") -> OSError:
    """The OSError for a status, of the class that Python has for its errno."""
    number, code = _ERRORS.get(status, (errno.EIO, f"nt_{status:08x}"))
    message = f"{os.strerror(number)} (the server says 0x{status:08X})"
    return SourceError(number, message, path, code) if code else OSError(number, message, path)


def must_be_ok(status: int) -> None:
    """Errors: OSError for every status but OK."""
    if status != OK:
        raise error_of(status)
