"""Room: relational work over the estate's tables, on DuckDB in this process through Ibis.

In: Ibis expressions. Out: Arrow batches, streamed. Memory is bounded: DuckDB spills to the estate's
own folder. Never: SQL put together from text that came from outside.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from migrate.estate import Estate, Part, Run, write_part
from migrate.model import TABLES

MEMORY_LIMIT = "1GB"
ROWS_PER_PART = 1_000_000
BATCH_ROWS = 65_536


class Query:
    """A connection to the tables of one estate, as the log has them now; a context manager."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self._spill = estate.root / ".spill"
        self._stored = 0
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
        parts = [self.estate.root / name / part["file"] for part in run.parts if part["table"] == name]
        return self._read(name, parts)

    def _read(self, name: str, parts: list[Path]) -> Any:
        if not parts:
            return ibis.memtable(TABLES[name].schema.empty_table())
        return self.connection.read_parquet([str(part) for part in parts])

    def all_decisions(self) -> Any:
        """Decisions on every scan: they outlive the scan they were taken on."""
        return self._read("decisions", self.estate.parts("decisions"))

    def batches(self, expression: Any, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The result, streamed in batches. Sums, which DuckDB gives as 128-bit numbers, are int64."""
        for batch in self.connection.to_pyarrow_batches(expression, chunk_size=rows):
            wide = [n for n, kind in enumerate(batch.schema.types) if pa.types.is_decimal(kind)]
            for number in wide:
                name = batch.schema.names[number]
                batch = batch.set_column(number, name, batch.column(number).cast(pa.int64()))
            yield batch

    def rows(self, expression: Any) -> Iterator[dict[str, Any]]:
        """The result, row by row; for what people read, not for hot paths."""
        for batch in self.batches(expression, 8192):
            yield from batch.to_pylist()

    def stored(self, expression: Any) -> Any:
        """The result kept in DuckDB (on disk where it is large), to be read more than once."""
        self._stored += 1
        return self.connection.create_table(f"stored_{self._stored}", expression, temp=True)

    def scratch(self, name: str) -> Path:
        """Where a stage may put a file of its own while this connection is open."""
        self._spill.mkdir(exist_ok=True)
        return self._spill / name

    def count(self, expression: Any) -> int:
        return int(self.connection.execute(expression.count()))

    def write(self, name: str, expression: Any) -> list[Part]:
        """Write the result as parts of table `name`; the caller commits them."""
        schema = TABLES[name].schema
        expression = expression.select(*schema.names)
        return list(write_batches(self.estate, name, self.batches(expression)))


def write_batches(
    estate: Estate, name: str, batches: Iterator[pa.RecordBatch]
) -> Iterator[Part]:
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
