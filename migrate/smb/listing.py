"""Room: the lines of a listing, as children of a folder. Source: [MS-FSCC] 2.4.21.

In: what a server says of a folder's entries. Out: plain files many at once (`Listed`), all others
one by one. Never: a name that holds a separator, or leads elsewhere, taken for a path.
"""

from __future__ import annotations

from itertools import chain, compress
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from migrate.smb import messages as smb
from migrate.smb.messages import ENTRY_BYTES, Entry, Lines
from migrate.sources import Child, Stat
from migrate.strided import every

_TIMES = {"birthtime_ns": 8, "atime_ns": 16, "mtime_ns": 24, "ctime_ns": 32}
_NUMBERS = {
    "size_bytes": (40, pa.int64()), "attributes": (56, pa.uint32()), "file_id": (72, pa.uint64()),
}  # fmt: skip
_BETWEEN_NAMES = "\0".encode("utf-16-le")
_DOTS = {".".encode("utf-16-le"), "..".encode("utf-16-le")}
_NO_NAMES = {"", ".", ".."}


class Listed(NamedTuple):
    """Plain files of a folder of which the listing says all there is. `names` are good ones: no
    separator, no half of a surrogate pair in them."""

    names: list[str]
    records: list[bytes]
    device_id: int

    @property
    def raw_names(self) -> list[bytes]:
        return [name.encode() for name in self.names]

    def children(self) -> list[Child]:
        """The same, one by one."""
        return [
            Child(name, "file", _stat(smb.entry(b"", record), self.device_id))
            for name, record in zip(self.raw_names, self.records, strict=True)
        ]

    def without(self, told: set[bytes]) -> Listed:
        """Those whose names are not among `told`."""
        kept = [name not in told for name in self.raw_names]
        return Listed(
            list(compress(self.names, kept)), list(compress(self.records, kept)), self.device_id
        )  # fmt: skip


def columns(records: bytes) -> dict[str, pa.Array]:
    """The columns of `entries` that describe files, a row for each record."""
    found = {name: every(records, at, kind, ENTRY_BYTES) for name, (at, kind) in _NUMBERS.items()}
    return found | {name: _time(records, at) for name, at in _TIMES.items()}


def _time(records: bytes, at: int) -> pa.Array:
    """Nanoseconds since 1970; null for what `messages.time_ns` gives None for."""
    ticks = every(records, at, pa.int64(), ENTRY_BYTES)
    kept = pc.and_(pc.greater_equal(ticks, smb.FIRST_TICKS), pc.less_equal(ticks, smb.LAST_TICKS))
    ticks = pc.if_else(kept, ticks, None)
    return pc.multiply(pc.subtract(ticks, smb.EPOCH_1601), 100)


def children(lines: Lines, device_id: int) -> tuple[list[Child], Listed | None]:
    """What lines of a listing tell: one by one, and many at once."""
    listed = _listed(lines, device_id) if lines.names else None
    each = [] if listed else zip(lines.names, lines.records, strict=True)
    entries = chain(lines.others, (smb.entry(name, record) for name, record in each))
    return [child(entry, device_id) for entry in entries if entry.name not in _DOTS], listed


def _listed(lines: Lines, device_id: int) -> Listed | None:
    """The plain files, if all of their names are good."""
    text = smb.text_of(_BETWEEN_NAMES.join(lines.names))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    names = text.split("\0")
    is_odd = len(names) != len(lines.names) or "/" in text or "\\" in text
    if is_odd or not _NO_NAMES.isdisjoint(names):
        return None
    return Listed(names, lines.records, device_id)


def child(line: Entry, device_id: int) -> Child:
    """One entry."""
    name, stat = smb.text_of(line.name), _stat(line, device_id)
    if "/" in name or "\\" in name or "\0" in name or not name:
        shown = name.replace("/", r"\x2f").replace("\\", r"\x5c").replace("\0", r"\x00")
        return Child(shown.encode("utf-8", "surrogatepass"), "other", stat, None, "bad_name")
    raw = name.encode("utf-8", "surrogatepass")
    if line.attributes & smb.IS_REPARSE:
        return _reparse_point(raw, line.tag, stat)
    return Child(raw, "folder" if line.attributes & smb.IS_FOLDER else "file", stat)


def _stat(line: Entry, device_id: int) -> Stat:
    time_ns = smb.time_ns
    return Stat(
        line.size_bytes, time_ns(line.written), time_ns(line.changed), time_ns(line.accessed),
        time_ns(line.created), None, None, line.file_id, device_id, None, line.attributes,
    )  # fmt: skip


def _reparse_point(name: bytes, tag: int, stat: Stat) -> Child:
    """A link stays a link. What only says how a file is stored (deduplicated, compressed, on tape)
    is a file; a tag that is not told is taken for a link."""
    if tag == smb.TAG_DFS:
        return Child(name, "symlink", stat, "DFS link")
    if tag & smb.TAG_IS_SURROGATE or not tag:
        return Child(name, "symlink", stat)
    return Child(name, "folder" if (stat.attributes or 0) & smb.IS_FOLDER else "file", stat)
