"""Room: the plain files of local folders, visited many at a time. Linux only.

In: an open folder and the names of files in it. Out: rows of `entries` and `digests`, as columns.
A file that gives any trouble, or whose name is not plain text, is left to the ordinary visit, which
knows what to say of it. What a visit is, visit.py says; here it only takes less time.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import pyarrow as pa
import xxhash

from migrate.engine.workers import note
from migrate.model import TABLES
from migrate.sources import Source, linux
from migrate.sources.local import PAGE_NAMES, LocalFile, LocalSource, open_in, owner_name
from migrate.sources.records import Records
from migrate.sources.records import columns as stat_columns
from migrate.visit import WHOLE_BYTES, Reading, examine


def is_local_linux(source: Source) -> bool:
    return isinstance(source, LocalSource) and linux.has_statx()


class Bulk:
    """Files of one share on their way into the tables."""

    def __init__(
        self, share: str, scan_id: int, reading: Reading, suspects: frozenset[int]
    ) -> None:
        self.share, self.scan_id, self.reading = share, scan_id, reading
        self.suspects = suspects
        self.bare = not (reading.mime or reading.sha256)
        self.records = Records(PAGE_NAMES)
        self.clear()

    def clear(self) -> None:
        self.stats: list[bytes] = []  # as the kernel gave them
        self.numbers: list[int] = []
        self.names: list[str] = []
        self.contents: list[tuple[Any, ...]] = []
        self.folders: list[tuple[int, int, int, str]] = []  # files, parent_id, depth, path and '/'

    def __len__(self) -> int:
        return len(self.names)

    def visit(
        self, folder: int, path: bytes, parent_id: int, depth: int, names: list[str]
    ) -> tuple[int, list[str]]:
        """Visit files of the open folder `folder`.

        Out: the bytes of those that went well; the names of those to be visited one by one."""
        left, size_bytes, before = [], 0, len(self.names)
        try:
            prefix = f"{path.decode()}/" if path else ""
        except UnicodeDecodeError:
            return 0, names
        salt = f"{self.share}\0{prefix}".encode()
        for name in names:  # what stands in this loop runs for every file
            try:
                number = xxhash.xxh3_64_intdigest(salt + name.encode()) >> 1
                file = open_in(folder, name)
            except (OSError, UnicodeEncodeError):
                left.append(name)
                continue
            try:
                size = self.records.look(file)
                content = self._content(file, size, number, prefix + name)
                if self.records.has_changed(file):
                    raise OSError
            except OSError:
                left.append(name)
                continue
            finally:
                os.close(file)
            self.records.keep()
            self.numbers.append(number)
            self.names.append(name)
            self.contents.append(content)
            size_bytes += size
        self.stats.append(self.records.take())
        self.folders.append((len(self.names) - before, parent_id, depth, prefix))
        return size_bytes, left

    def _content(self, file: int, size: int, number: int, path: str) -> tuple[Any, ...]:
        if self.bare and size <= WHOLE_BYTES:
            content = os.read(file, size + 1)
            if len(content) != size:
                raise OSError
            digest = xxhash.xxh3_128_digest(content)
            return digest, digest, None, None, None, None
        if number in self.suspects:
            raise OSError
        note([number])
        return examine(LocalFile(file), size, path.encode(), self.reading)

    def tables(self) -> dict[str, pa.Table]:
        """The rows of `entries` and `digests`."""
        keys = {
            "scan_id": pa.repeat(pa.scalar(self.scan_id, pa.int32()), len(self)),
            "entry_id": pa.array(self.numbers, pa.int64()),
        }
        names = TABLES["digests"].schema.names[len(keys) :]
        contents = dict(zip(names, zip(*self.contents, strict=True), strict=True))
        return {
            "entries": _table("entries", len(self), keys | self._entries()),
            "digests": _table("digests", len(self), keys | contents),
        }

    def _entries(self) -> dict[str, Any]:
        counts, parents, depths, prefixes = zip(*self.folders, strict=True)
        names = iter(self.names)
        paths = [
            prefix + name
            for count, prefix in zip(counts, prefixes, strict=True)
            for name in islice(names, count)
        ]
        columns = stat_columns(b"".join(self.stats))
        return {
            **columns,
            "parent_id": _repeated(parents, counts),
            "depth": _repeated(depths, counts),
            "share": pa.repeat(self.share, len(self)),
            "kind": pa.repeat("file", len(self)),
            "path": paths,
            "name": self.names,
            "owner": _owners(columns["uid"]),
        }


def _repeated(values: tuple[int, ...], counts: tuple[int, ...]) -> list[int]:
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]


def _owners(uids: pa.Array) -> pa.Array:
    found = uids.dictionary_encode()
    names = pa.array([owner_name(uid) for uid in found.dictionary.to_pylist()], pa.string())
    return names.take(found.indices)


def _table(table: str, rows: int, columns: dict[str, Any]) -> pa.Table:
    """Columns as a table; those that are not given are null."""
    schema = TABLES[table].schema
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=schema)
