"""Room: what statx(2) says of many files, kept as the kernel writes it. Linux only.

In: open files, one after another. Out: columns, all at once: to make values of every file by itself
takes longer than to ask the kernel. Layout: man 2 statx, linux/stat.h.
"""

from __future__ import annotations

import ctypes
import os
import struct

import numpy as np
import pyarrow as pa

from migrate.sources.linux import AT_EMPTY_PATH, BASIC_AND_BIRTH, HAS_BIRTH, libc
from migrate.wording import NANOSECOND

_RECORD_BYTES = 256
_SIZE_AT, _WRITTEN_AT, _END = 40, 96, 128  # where the size stands; the changed and modified times
_size = struct.Struct("=Q")
_TIME = np.dtype(
    {"names": ["s", "ns"], "formats": ["i8", "u4"], "offsets": [0, 8], "itemsize": 16}
)  # fmt: skip
_RECORD = np.dtype(
    {
        "names": [
            "mask", "link_count", "uid", "mode", "file_id", "size", "atime", "birth", "ctime",
            "mtime", "major", "minor",
        ],
        "formats": ["u4", "u4", "u4", "u2", "u8", "u8", *[_TIME] * 4, "u4", "u4"],
        "offsets": [0, 16, 20, 28, 32, 40, 64, 80, 96, 112, 136, 140],
        "itemsize": _RECORD_BYTES,
    }
)  # fmt: skip


class Records:
    """The records of some files, at most as many as there is `room` for, until they are taken."""

    def __init__(self, room: int) -> None:
        self.room, self.count = room, 0
        self._buffer = bytearray((room + 1) * _RECORD_BYTES)  # the last is for a second look
        self._view = memoryview(self._buffer)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        places = range(start, start + len(self._buffer), _RECORD_BYTES)
        self._places = [ctypes.c_void_p(place) for place in places]

    def look(self, descriptor: int) -> int:
        """Note what an open file is now; its size. `keep` makes it count."""
        self._statx(descriptor, self.count)
        size: int = _size.unpack_from(self._buffer, self.count * _RECORD_BYTES + _SIZE_AT)[0]
        return size

    def has_changed(self, descriptor: int) -> bool:
        """Whether the file looked at last has been written to since."""
        self._statx(descriptor, self.room)
        return self._written(self.count) != self._written(self.room)

    def keep(self) -> None:
        self.count += 1

    def take(self) -> bytes:
        """The records kept, for `columns`; there is room again."""
        kept = bytes(self._view[: self.count * _RECORD_BYTES])
        self.count = 0
        return kept

    def _statx(self, descriptor: int, number: int) -> None:
        if libc.statx(descriptor, b"", AT_EMPTY_PATH, BASIC_AND_BIRTH, self._places[number]):
            raise OSError  # whoever looks again one by one learns its number

    def _written(self, number: int) -> memoryview:
        at = number * _RECORD_BYTES
        return self._view[at + _WRITTEN_AT : at + _END]


def columns(records: bytes) -> dict[str, pa.Array]:
    """The columns of `entries` that describe files, a row for each record; and `uid`."""
    found = np.frombuffer(records, _RECORD)
    birth = found["birth"]
    has_birth = (found["mask"] & HAS_BIRTH != 0) & ((birth["s"] != 0) | (birth["ns"] != 0))
    return {
        "size_bytes": pa.array(found["size"].astype("i8")),
        **{f"{name}_ns": _times(found[name]) for name in ("mtime", "ctime", "atime")},
        "birthtime_ns": _times(birth, has_birth),
        "mode": pa.array((found["mode"] & 0o7777).astype("i4")),
        "uid": pa.array(np.ascontiguousarray(found["uid"])),
        "file_id": pa.array(np.ascontiguousarray(found["file_id"])),
        "device_id": pa.array(_devices(found)),
        "link_count": pa.array(np.ascontiguousarray(found["link_count"])),
    }


def _times(found: np.ndarray, known: np.ndarray | bool = True) -> pa.Array:
    """Nanoseconds; null where the tables cannot hold them (see `storable`) or nothing is known."""
    known = known & (np.abs(found["s"]) < (1 << 63) // NANOSECOND)
    seconds = np.where(known, found["s"], 0)
    return pa.array(seconds * NANOSECOND + found["ns"], mask=~known)


def _devices(found: np.ndarray) -> np.ndarray:
    both = found["major"].astype("u8") << 32 | found["minor"]
    distinct, which = np.unique(both, return_inverse=True)
    numbers = [os.makedev(one >> 32, one & 0xFFFFFFFF) for one in distinct.tolist()]
    return np.array(numbers, "u8")[which]
