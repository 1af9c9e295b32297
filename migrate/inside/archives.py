"""Room: what is packed in an archive, from its list of members alone.

In: a ZIP file. Out: name, size and CRC-32 of every file in it, as the archive says. Nothing is
unpacked, so no bomb can go off and no name can lead anywhere; the list is bounded in size.
Source: PKWARE APPNOTE 4.3.12 (central directory), read by Python's zipfile.
"""

from __future__ import annotations

import errno
import io
import zipfile
from typing import Any

from migrate.sources import OpenFile

EXTENSIONS = ["zip", "zipx"]
MOST_LIST_BYTES = 32 << 20  # a few hundred thousand members
MOST_MEMBERS = 250_000
MOST_NAME_LETTERS = 1024


class Unreadable(Exception):
    """It cannot be told what is inside; `code` is one word for the table."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def members(file: OpenFile, size_bytes: int) -> list[dict[str, Any]]:
    """Every file in the archive: `name` without its folders, `size_bytes`, `crc32` (None where a
    locked archive hides it). Folders and empty files are left out.

    Errors: Unreadable; OSError."""
    try:
        with zipfile.ZipFile(_Listing(file, size_bytes)) as archive:
            listed = archive.infolist()
    except _BeforeTheStart:
        raise Unreadable("damaged") from None
    except (OSError, Unreadable):
        raise
    except Exception:  # zipfile's errors on damaged archives are of many kinds
        raise Unreadable("damaged") from None
    if len(listed) > MOST_MEMBERS:
        raise Unreadable("too_many_members")
    return [_member(info) for info in listed if info.file_size and not info.is_dir()]


def _member(info: zipfile.ZipInfo) -> dict[str, Any]:
    name = info.filename.replace("\\", "/").rpartition("/")[2][:MOST_NAME_LETTERS]
    hidden = bool(info.flag_bits & 1) and info.CRC == 0  # WinZip's AES leaves it out
    return {
        "name": name.encode("utf-8", "backslashreplace").decode(),
        "size_bytes": min(info.file_size, (1 << 63) - 1),
        "crc32": None if hidden else info.CRC,
    }


class _BeforeTheStart(OSError):
    """Of a file that is shorter than its list says; zipfile goes on where it may."""


class _Listing(io.RawIOBase):
    """An open file as zipfile wants it, which reads no more than a list of members may take."""

    def __init__(self, file: OpenFile, size_bytes: int) -> None:
        self.file, self.size_bytes, self.at = file, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size_bytes}[whence]
        if start + offset < 0:
            raise _BeforeTheStart(errno.EINVAL, "before the start")
        self.at = start + offset
        return self.at

    def read(self, size: int = -1) -> bytes:
        left = max(self.size_bytes - self.at, 0)
        wanted = left if size < 0 else min(size, left)
        if wanted > MOST_LIST_BYTES:
            raise Unreadable("too_many_members")
        content = self.file.read_at(self.at, wanted) if wanted else b""
        self.at += len(content)
        return content
