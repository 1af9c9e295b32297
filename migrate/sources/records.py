"""Room: what statx(2) says of many files, kept as the kernel writes it. Linux only.

In: files and folders, one after another. Out: columns, all at once: to make values of every one
takes longer than to ask the kernel. Layout: man 2 statx, linux/stat.h.
"""

from __future__ import annotations

import ctypes
import os
from stat import S_IFDIR, S_IFREG

import pyarrow as pa
import pyarrow.compute as pc

from migrate.sources.linux import (
    AT_EMPTY_PATH,
    AT_SYMLINK_NOFOLLOW,
    BASIC_AND_BIRTH,
    HAS_BIRTH,
)
from migrate.strided import every
from migrate.wording import NANOSECOND

_RECORD_BYTES = 256
_MODE, _SIZE, _KIND_BITS = 28, 40, 0o170000
_WRITTEN, _WRITTEN_END = 96, 128  # where the changed and modified times stand
_NUMBERS = {  # where numbers stand, and what they are
    "mask": (0, pa.uint32()), "link_count": (16, pa.uint32()), "uid": (20, pa.uint32()),
    "mode": (_MODE, pa.uint16()), "file_id": (32, pa.uint64()), "size_bytes": (_SIZE, pa.int64()),
    "major": (136, pa.uint32()), "minor": (140, pa.uint32()),
}  # fmt: skip
_TIMES = {"atime_ns": 64, "birthtime_ns": 80, "ctime_ns": 96, "mtime_ns": 112}
_NANOSECONDS = 8  # behind the seconds of a time
_MOST_SECONDS = (1 << 63) // NANOSECOND - 1  # that the tables can hold, see `storable`


class Records:
    """The records of some entries, at most as many as there is `room` for, until they are cleared.
    Each has a place: how many there were before it."""

    def __init__(self, room: int) -> None:
        self.room, self.count = room, 0
        self._buffer = bytearray((room + 1) * _RECORD_BYTES)  # the last is for a second look
        self._view = memoryview(self._buffer)
        self._modes = self._view.cast("H")[_MODE // 2 :: _RECORD_BYTES // 2]  # by place
        self._sizes = self._view.cast("q")[_SIZE // 8 :: _RECORD_BYTES // 8]
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        places = range(start, start + len(self._buffer), _RECORD_BYTES)
        self._places = [ctypes.c_void_p(place) for place in places]
        # Who looks at hundreds of thousands has one thread, and no use for why it failed.
        self._statx = ctypes.PyDLL(None).statx

    def has_room(self, count: int) -> bool:
        return self.count + count <= self.room

    def look_in(self, folder: int, names: list[bytes], kind: int) -> list[int]:
        """Keep what entries of an open folder are now, without opening them. Returns which of the
        names; not those that are gone, or of no such kind (stat.S_IFREG…) any more."""
        statx, places, modes, at, seen = self._statx, self._places, self._modes, self.count, []
        for number, name in enumerate(names):  # what stands in this loop runs for every file
            if (
                statx(folder, name, AT_SYMLINK_NOFOLLOW, BASIC_AND_BIRTH, places[at]) == 0
                and modes[at] & _KIND_BITS == kind
            ):
                seen.append(number)
                at += 1
        self.count = at
        return seen

    def look(self, descriptor: int, place: int) -> int:
        """Note what an open file is now; its size.

        Errors: OSError, also for what is no plain file."""
        if self._statx(descriptor, b"", AT_EMPTY_PATH, BASIC_AND_BIRTH, self._places[place]):
            raise OSError  # whoever looks again one by one learns its number
        if self._modes[place] & _KIND_BITS != S_IFREG:
            raise OSError
        return self._sizes[place]

    def has_changed(self, descriptor: int, place: int) -> bool:
        """Whether a file looked at has been written to since.

        Errors: OSError."""
        if self._statx(descriptor, b"", AT_EMPTY_PATH, BASIC_AND_BIRTH, self._places[self.room]):
            raise OSError
        return self._written(place) != self._written(self.room)

    def kept(self) -> memoryview:
        """The records, for `columns`."""
        return self._view[: self.count * _RECORD_BYTES]

    def clear(self) -> None:
        self.count = 0

    def _written(self, place: int) -> memoryview:
        at = place * _RECORD_BYTES
        return self._view[at + _WRITTEN : at + _WRITTEN_END]


def columns(records: memoryview) -> dict[str, pa.Array]:
    """The columns of `entries` that describe an entry, a row for each record; and `uid`."""
    found = {name: every(records, at, kind, _RECORD_BYTES) for name, (at, kind) in _NUMBERS.items()}
    has_birth = pc.not_equal(pc.bit_wise_and(found.pop("mask"), HAS_BIRTH), 0)
    found |= {name: _time(records, at) for name, at in _TIMES.items()}
    born = found["birthtime_ns"]
    found["birthtime_ns"] = pc.if_else(pc.and_(has_birth, pc.not_equal(born, 0)), born, None)
    is_folder = pc.equal(pc.bit_wise_and(found["mode"], _KIND_BITS), S_IFDIR)
    found["kind"] = pc.if_else(is_folder, "folder", "file")
    found["size_bytes"] = pc.if_else(is_folder, None, found["size_bytes"])
    found["mode"] = pc.bit_wise_and(found["mode"], 0o7777)
    found["device_id"] = _devices(found.pop("major"), found.pop("minor"))
    return found


def _time(records: memoryview, at: int) -> pa.Array:
    """Nanoseconds; null where the tables cannot hold them."""
    seconds = every(records, at, pa.int64(), _RECORD_BYTES)
    storable = pc.less_equal(pc.abs(seconds), _MOST_SECONDS)
    nanoseconds = every(records, at + _NANOSECONDS, pa.uint32(), _RECORD_BYTES).cast(pa.int64())
    whole = pc.multiply(pc.if_else(storable, seconds, 0), NANOSECOND)
    return pc.if_else(storable, pc.add(whole, nanoseconds), None)


def _devices(major: pa.Array, minor: pa.Array) -> pa.Array:
    both = pc.bit_wise_or(pc.shift_left(major.cast(pa.uint64()), 32), minor.cast(pa.uint64()))
    found = both.dictionary_encode()
    numbers = [os.makedev(one >> 32, one & 0xFFFFFFFF) for one in found.dictionary.to_pylist()]
    return pa.array(numbers, pa.uint64()).take(found.indices)
