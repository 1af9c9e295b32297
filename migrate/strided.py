"""Room: numbers out of records of one size, all at once: to make values of every record by itself
takes many times longer."""

from __future__ import annotations

import struct
from typing import Literal

import pyarrow as pa

_LETTERS: dict[pa.DataType, Literal["H", "I", "Q", "q"]] = {
    pa.uint16(): "H",
    pa.uint32(): "I",
    pa.uint64(): "Q",
    pa.int64(): "q",
}


def every(records: bytes | memoryview, at: int, kind: pa.DataType, record_bytes: int) -> pa.Array:
    """The number that stands at a place of every record, in the machine's order (little-endian
    wherever this runs)."""
    letter = _LETTERS[kind]
    width = struct.calcsize(letter)
    numbers = memoryview(records).cast(letter)[at // width :: record_bytes // width]
    buffer = pa.py_buffer(numbers.tobytes())
    return pa.Array.from_buffers(kind, len(numbers), [None, buffer])
