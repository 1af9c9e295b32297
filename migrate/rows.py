"""Room: rows that are made one by one, on their way into the tables."""

from __future__ import annotations

import stat as mode_bits
from typing import Any

import pyarrow as pa

from migrate.model import TABLES
from migrate.paths import needs_raw, to_text
from migrate.sources import Stat


def table_of(table: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    """Rows, in the order of a table's schema, as columns."""
    schema = TABLES[table].schema
    columns = zip(zip(*rows, strict=True), schema.types, strict=True)
    return pa.Table.from_arrays([pa.array(*column) for column in columns], schema=schema)


def entry_row(
    scan_id: int, share: str, number: int, path: bytes, parent_id: int, depth: int, kind: str,
    stat: Stat | None, link: str | None, security: int | None, error: str | None,
) -> tuple[Any, ...]:  # fmt: skip
    """One row of `entries`, in the order of its schema."""
    text = to_text(path)
    name = text.rpartition("/")[2]
    common = (
        scan_id, number, parent_id, share, text, path if needs_raw(path, text) else None, name,
        kind, depth,
    )  # fmt: skip
    if stat is None:
        return (*common, *[None] * 11, security, link, error)
    mode = None if stat.mode is None else mode_bits.S_IMODE(stat.mode)
    return (
        *common, stat.size_bytes if kind == "file" else None, *stat[1:5], mode, *stat[6:],
        security, link, error,
    )  # fmt: skip
