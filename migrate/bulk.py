"""Room: the plain files of local folders, visited many at a time. Linux only.

In: an open folder and the names of files in it. Out: rows of `entries` and `digests`, as columns.
A file that gives any trouble, or whose name is not plain text, is left to the ordinary visit, which
knows what to say of it. What a visit is, visit.py says; here it only takes less time.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pyarrow as pa
import xxhash

from migrate.engine.workers import note
from migrate.known import Known
from migrate.listed import Folder, in_table, places_of
from migrate.model import naming, number_of
from migrate.sources import Source, linux
from migrate.sources.local import PAGE_NAMES, LocalFile, LocalSource, open_in, owner_name
from migrate.sources.records import Records
from migrate.sources.records import columns as stat_columns
from migrate.visit import WHOLE_BYTES, Content, Reading, examine


def is_local_linux(source: Source) -> bool:
    return isinstance(source, LocalSource) and linux.has_statx()


class Done(NamedTuple):
    """What came of some files. `left`: the names of those to be visited one by one."""

    files: int
    size_bytes: int
    read_bytes: int
    taken_over: int
    left: list[str]


class Bulk:
    """Files of one share on their way into the tables."""

    def __init__(
        self, share: str, scan_id: int, reading: Reading, suspects: frozenset[int],
        known: Known | None,
    ) -> None:  # fmt: skip
        self.share, self.scan_id, self.reading = share, scan_id, reading
        self.suspects, self.known = suspects, known
        self.bare = not (reading.mime or reading.sha256)
        self.records = Records(PAGE_NAMES)
        self.clear()

    def clear(self) -> None:
        self.stats: list[bytes] = []  # as the kernel gave them
        self.numbers: list[int] = []
        self.names: list[str] = []
        self.folders: list[Folder] = []
        self.contents: list[tuple[Any, ...]] = []  # of those that were read, by their numbers
        self.taken_over: list[tuple[int, int]] = []  # the others, and their places in `known`

    def visit(self, folder: int, path: bytes, parent_id: int, depth: int, names: list[str]) -> Done:
        """Visit files of the open folder `folder`."""
        try:
            prefix = f"{path.decode()}/" if path else ""
        except UnicodeDecodeError:
            return Done(0, 0, 0, 0, names)
        left, size_bytes, read_bytes = [], 0, 0
        before, taken_before = len(self.names), len(self.taken_over)
        named = naming(self.share, prefix.encode())
        for name in names:  # what stands in this loop runs for every file
            try:
                raw = name.encode()
                number = number_of(named + raw)
                size = self._take_over(folder, raw, number) if self.known else None
                if size is None:
                    size = self._read(folder, name, number, prefix)
                    read_bytes += size
            except (OSError, UnicodeEncodeError):
                left.append(name)
                continue
            self.records.keep()
            self.numbers.append(number)
            self.names.append(name)
            size_bytes += size
        count, taken_over = len(self.names) - before, len(self.taken_over) - taken_before
        self.stats.append(self.records.take())
        self.folders.append(Folder(count, parent_id, depth, prefix))
        return Done(count, size_bytes, read_bytes, taken_over, left)

    def _take_over(self, folder: int, name: bytes, number: int) -> int | None:
        """The size of a file that is as an earlier scan has read it; None to read it."""
        assert self.known
        device, file_id, size, modified_ns, changed_ns = self.records.look_in(folder, name)
        if device != self.known.device_id:
            return None
        place = self.known.find(file_id, size, modified_ns, changed_ns, name)
        if place is None:
            return None
        if self.known.is_proof(place):
            raise OSError  # the ordinary visit compares
        self.taken_over.append((number, place))
        return size

    def _read(self, folder: int, name: str, number: int, prefix: str) -> int:
        """Take a file's digests; its size."""
        file = open_in(folder, name)
        try:
            size = self.records.look(file)
            content = self._content(file, size, number, prefix + name)
            if self.records.has_changed(file):
                raise OSError
        finally:
            os.close(file)
        self.contents.append((number, *content))
        return size

    def _content(self, file: int, size: int, number: int, path: str) -> tuple[Any, ...]:
        if self.bare and size <= WHOLE_BYTES:
            content = os.pread(file, size + 1, 0)  # which a pipe refuses
            if len(content) != size:
                raise OSError
            digest = xxhash.xxh3_128_digest(content)
            return digest, digest, None, None, None, None
        if number in self.suspects:
            raise OSError
        note([number])
        return examine(LocalFile(file), size, path.encode(), self.reading)

    def tables(self) -> dict[str, pa.Table]:
        """The rows of `entries`, and of `digests` for what was read."""
        found = {}
        if self.names:
            columns = {"entry_id": self.numbers, **self._entries()}
            found["entries"] = in_table(self.scan_id, "entries", len(self.names), columns)
        if self.contents:
            names = ["entry_id", *Content._fields]
            columns = dict(zip(names, zip(*self.contents, strict=True), strict=True))
            found["digests"] = in_table(self.scan_id, "digests", len(self.contents), columns)
        return found

    def _entries(self) -> dict[str, Any]:
        columns = stat_columns(b"".join(self.stats))
        places = places_of(self.share, self.folders, self.names)
        return {**columns, **places, "owner": _owners(columns["uid"])}


def _owners(uids: pa.Array) -> pa.Array:
    found = uids.dictionary_encode()
    names = pa.array([owner_name(uid) for uid in found.dictionary.to_pylist()], pa.string())
    return names.take(found.indices)
