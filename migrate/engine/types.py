"""Room: what DuckDB and Arrow call differently: types, wide numbers, a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

_TYPES = {
    pa.bool_(): "BOOLEAN", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
    pa.uint32(): "UINTEGER", pa.uint64(): "UBIGINT", pa.string(): "VARCHAR", pa.binary(): "BLOB",
}  # fmt: skip


def sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        fields = (f'"{field.name}" {sql_type(field.type)}' for field in kind)
        return f"STRUCT({', '.join(fields)})"
    return _TYPES[kind]


def narrow(name: str, kind: Any) -> str:
    """A column as Parquet can hold it: sums of numbers are 128 bits long."""
    quoted = '"' + name.replace('"', '""') + '"'
    return f"CAST({quoted} AS BIGINT) AS {quoted}" if kind == "HUGEINT" else quoted


def narrowed(batch: pa.RecordBatch) -> pa.RecordBatch:
    for number, kind in enumerate(batch.schema.types):
        if pa.types.is_decimal(kind):
            column = batch.column(number).cast(pa.int64())
            batch = batch.set_column(number, batch.schema.names[number], column)
    return batch


@contextmanager
def disk_errors() -> Iterator[None]:
    """A full disk, where DuckDB spills or writes, as the error it is everywhere else."""
    try:
        yield
    except duckdb.Error as error:
        if "No space left on device" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
