"""Room: relational work over the estate's tables, on DuckDB in this process through Ibis.

In: Ibis expressions. Out: Arrow batches, streamed. Memory is bounded: DuckDB spills to the estate's
own folder. Never: SQL put together from text that came from outside.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import sqlglot as sg

from migrate.estate import SPILL, Estate, Part, Run, write_part
from migrate.model import TABLES

MEMORY_LIMIT = "1GB"
ROWS_PER_PART = 1_000_000
BATCH_ROWS = 65_536


class Query:
    """A connection to the tables of one estate, as the log has them now; a context manager."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        writable = estate.root if os.access(estate.root, os.W_OK) else None
        self._spill = Path(tempfile.mkdtemp(prefix=SPILL, dir=writable))
        self._made = 0
        self.connection = ibis.duckdb.connect(
            memory_limit=MEMORY_LIMIT,
            temp_directory=str(self._spill),
            preserve_insertion_order=False,
        )

    def __enter__(self) -> Query:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.disconnect()
        shutil.rmtree(self._spill, ignore_errors=True)

    def table(self, name: str) -> Any:
        """A table of the estate as an Ibis relation; empty if nothing was committed yet."""
        table = self._read(name, self.estate.parts(name))
        if TABLES[name].visible == "always" and "scan_id" in table.columns:
            current = [run.run_id for run in self.estate.scans()]
            table = table.filter(table.scan_id.isin(current))
        return table

    def run_table(self, name: str, run: Run) -> Any:
        """What one run has committed to a table so far."""
        parts = [
            self.estate.root / name / part["file"] for part in run.parts if part["table"] == name
        ]
        return self._read(name, parts)

    def _read(self, name: str, parts: list[Path]) -> Any:
        """Parts as a view, or an empty table. Not temporary: every stream has a cursor of its own,
        and those do not see each other's temporary things."""
        relation = self._new_name(name)
        if not parts:
            empty = ibis.memtable(TABLES[name].schema.empty_table())
            return self.connection.create_table(relation, empty)
        return self.parquet(parts, relation)

    def parquet(self, files: list[Path], name: str) -> Any:
        """Parquet files as a relation called `name`."""
        paths = sg.exp.Array(expressions=[sg.exp.Literal.string(str(file)) for file in files])
        read = sg.select("*").from_(sg.exp.func("read_parquet", paths, dialect="duckdb"))
        view = sg.exp.Create(this=sg.to_table(name), kind="VIEW", expression=read)
        self.connection.raw_sql(view.sql("duckdb"))
        return self.connection.table(name)

    def _new_name(self, name: str) -> str:
        self._made += 1
        return f"{name}_{self._made}"

    def every_scan(self, name: str) -> Any:
        """A table with the rows of every scan, also of those that count no more."""
        return self._read(name, self.estate.parts(name))

    def all_decisions(self) -> Any:
        """Decisions on every scan: they outlive the scan they were taken on."""
        return self.every_scan("decisions")

    def batches(self, expression: Any, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The result, streamed in batches, from a cursor of its own: a second query on the same
        connection would end the first one's stream without a word. Sums, which DuckDB gives as
        128-bit numbers, are int64."""
        cursor = self.connection.con.cursor()
        try:
            sql = self.connection.compile(expression)
            for batch in cursor.execute(sql).to_arrow_reader(rows):
                yield _narrowed(batch)
        finally:
            cursor.close()

    def rows(self, expression: Any) -> Iterator[dict[str, Any]]:
        """The result, row by row; for what people read, not for hot paths."""
        for batch in self.batches(expression, 8192):
            yield from batch.to_pylist()

    def stored(self, expression: Any) -> Any:
        """The result kept in DuckDB (on disk where it is large), to be read more than once. A
        memtable has to be stored before anything streams from it."""
        return self.connection.create_table(self._new_name("stored"), expression)

    def given(self, rows: list[dict[str, Any]], schema: pa.Schema) -> Any:
        """Rows that are no table's, as a relation."""
        return self.stored(ibis.memtable(pa.Table.from_pylist(rows, schema)))

    def scratch(self, name: str) -> Path:
        """Where a stage may put a file of its own while this connection is open."""
        return self._spill / name

    def count(self, expression: Any) -> int:
        return int(next(self.batches(expression.count()))[0][0].as_py())

    def write(self, name: str, expression: Any) -> list[Part]:
        """Write the result as parts of table `name`; the caller commits them."""
        schema = TABLES[name].schema
        expression = expression.select(*schema.names)
        return list(write_batches(self.estate, name, self.batches(expression)))


def _narrowed(batch: pa.RecordBatch) -> pa.RecordBatch:
    for number, kind in enumerate(batch.schema.types):
        if pa.types.is_decimal(kind):
            column = batch.column(number).cast(pa.int64())
            batch = batch.set_column(number, batch.schema.names[number], column)
    return batch


def write_batches(estate: Estate, name: str, batches: Iterator[pa.RecordBatch]) -> Iterator[Part]:
    """Batches as parts of table `name`, a part for every million rows."""
    schema = TABLES[name].schema
    held: list[pa.Table] = []
    for batch in batches:
        held.append(pa.Table.from_batches([batch]).cast(schema))
        if sum(chunk.num_rows for chunk in held) >= ROWS_PER_PART:
            yield write_part(estate.root, name, pa.concat_tables(held))
            held = []
    if held:
        yield write_part(estate.root, name, pa.concat_tables(held))
