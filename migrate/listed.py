"""Room: entries on their way into the tables as columns, not one by one.

In: files of a folder of which its listing says all there is. Out: rows of `entries`.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from migrate.model import TABLES, entry_ids

if TYPE_CHECKING:
    from migrate.smb.listing import Listed


class Folder(NamedTuple):
    """How many entries of one folder follow each other in columns; `prefix`: its path and '/'."""

    entries: int
    parent_id: int
    depth: int
    prefix: str


class ListedFiles:
    """Files of one share that need not be opened, until they are written."""

    def __init__(self, share: str, scan_id: int) -> None:
        self.share, self.scan_id = share, scan_id
        self._clear()

    def _clear(self) -> None:
        self._records: list[bytes] = []
        self._names: list[str] = []
        self._folders: list[Folder] = []
        self._device_id = 0

    @property
    def rows(self) -> int:
        """How many entries are in memory."""
        return len(self._names)

    def add(self, listed: Listed, path: bytes, parent_id: int, depth: int) -> bool:
        """The files of a folder, unless its path is no plain text."""
        try:
            prefix = f"{path.decode()}/" if path else ""
        except UnicodeDecodeError:
            return False
        self._names += listed.names
        self._records += listed.records
        self._folders.append(Folder(len(listed.names), parent_id, depth, prefix))
        self._device_id = listed.device_id
        return True

    def take(self) -> tuple[dict[str, list[pa.Table]], Counter[str]]:
        """The rows, and what they add up to; they are the caller's now."""
        if not self._names:
            return {}, Counter()
        from migrate.smb.listing import columns

        found = {
            **places_of(self.share, self._folders, self._names),
            **columns(b"".join(self._records)),
            "kind": pa.repeat("file", len(self._names)),
            "device_id": pa.repeat(pa.scalar(self._device_id, pa.uint64()), len(self._names)),
        }
        entries = in_table(self.scan_id, "entries", found)
        self._clear()
        return {"entries": [entries]}, counted(entries)


def in_table(scan_id: int, table: str, columns: dict[str, Any]) -> pa.Table:
    """Columns as a table; those that are not given are null."""
    schema, rows = TABLES[table].schema, len(columns["entry_id"])
    columns["scan_id"] = pa.repeat(scan_id, rows)
    arrays = [
        _array(columns[field.name], field.type) if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=schema)


def counted(entries: pa.Table) -> Counter[str]:
    """How many rows of `entries` there are of each kind, and the bytes of the files."""
    kinds = pc.value_counts(entries["kind"]).to_pylist()
    counts = Counter({kind["values"]: kind["counts"] for kind in kinds})
    counts["size_bytes"] = pc.sum(entries["size_bytes"]).as_py() or 0
    return counts


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def places_of(share: str, folders: list[Folder], names: list[str]) -> dict[str, Any]:
    """The columns of `entries` that say where entries are."""
    counts, parents, depths, prefixes = zip(*folders, strict=True)
    each = iter(names)
    paths = [
        prefix + name
        for count, prefix in zip(counts, prefixes, strict=True)
        for name in islice(each, count)
    ]
    return {
        "parent_id": _repeated(parents, counts),
        "depth": _repeated(depths, counts),
        "share": pa.repeat(share, len(names)),
        "path": paths,
        "entry_id": pa.array(entry_ids(share, map(str.encode, paths)), pa.int64()),
        "name": pa.array(names, pa.string()),
    }


def _repeated(values: tuple[int, ...], counts: tuple[int, ...]) -> list[int]:
    return [*chain.from_iterable(map(repeat, values, counts))]
