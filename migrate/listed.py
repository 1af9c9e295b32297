"""Room: files on their way into `entries` as columns, not one by one.

In: files of a folder of which its listing says all there is. Out: rows of `entries`. A folder whose
path is no plain text is left to the ordinary way.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from migrate.model import TABLES, naming, number_of

if TYPE_CHECKING:
    from migrate.smb.listing import Listed


class Folder(NamedTuple):
    """How many files of one folder follow each other in the columns; `prefix`: its path and '/'."""

    files: int
    parent_id: int
    depth: int
    prefix: str


class ListedFiles:
    """Files of one share that need not be opened, until they are written."""

    def __init__(self, share: str, scan_id: int) -> None:
        self.share, self.scan_id = share, scan_id
        self.clear()

    def clear(self) -> None:
        self.records: list[bytes] = []
        self.numbers: list[int] = []
        self.names: list[str] = []
        self.folders: list[Folder] = []
        self.devices: list[int] = []  # of each folder
        self.taken_over: list[tuple[int, int]] = []  # none: nothing is read, so nothing is reused

    def add(self, listed: Listed, path: bytes, parent_id: int, depth: int) -> bool:
        """Whether the files of a folder could be taken as columns."""
        try:
            prefix = f"{path.decode()}/" if path else ""
        except UnicodeDecodeError:
            return False
        named = naming(self.share, prefix.encode())
        self.numbers += [number_of(named + name) for name in listed.raw_names]
        self.names += listed.names
        self.records += listed.records
        self.folders.append(Folder(len(listed.names), parent_id, depth, prefix))
        self.devices.append(listed.device_id)
        return True

    def tables(self) -> dict[str, pa.Table]:
        """The rows of `entries`."""
        if not self.names:
            return {}
        from migrate.smb.listing import columns

        counts = [folder.files for folder in self.folders]
        found = {
            **columns(b"".join(self.records)),
            **places_of(self.share, self.folders, self.names),
            "entry_id": self.numbers,
            "device_id": _repeated(self.devices, counts),
        }
        return {"entries": in_table(self.scan_id, "entries", len(self.names), found)}


def in_table(scan_id: int, table: str, rows: int, columns: dict[str, Any]) -> pa.Table:
    """Columns as a table; those that are not given are null."""
    columns["scan_id"] = pa.repeat(scan_id, rows)
    schema = TABLES[table].schema
    arrays = [
        _array(columns[field.name], field.type) if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]  # fmt: skip
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def places_of(share: str, folders: list[Folder], names: list[str]) -> dict[str, Any]:
    """The columns of `entries` that say where files are."""
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
        "kind": pa.repeat("file", len(names)),
        "path": paths,
        "name": names,
    }


def _repeated(values: Any, counts: Any) -> list[int]:
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]
