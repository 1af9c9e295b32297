"""Room: relational work over the estate's tables, on DuckDB in this process.

In: Ibis expressions, or SQL written in a stage with bound values. Out: Arrow batches, streamed, or
parts. What is kept between steps goes to Parquet in the estate's own folder, and what has to be
joined wide is joined in slices: memory is bounded by the limits below, not by the estate.
Never: SQL put together from text that came from outside; Ibis loaded for who asks in SQL.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from migrate.engine.allowance import Allowance
from migrate.engine.types import disk_errors, narrow, narrowed, sql_type
from migrate.estate import PENDING, SPILL, Estate, Part, Run, finished_part
from migrate.events import Step
from migrate.model import TABLES

NARROW = 8  # times as many rows of a few columns do
WIDE_MB = 96  # more for a query over wide rows: what it reserves for their columns and hardly uses
ROWS_PER_GROUP = 10_240  # of a Parquet file: as many rows are held by each thread that writes one
BATCH_ROWS = 65_536

Made = TypeVar("Made")


class Query:
    """A connection to the tables of one estate, as the log has them now; a context manager."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self._step = Step("asking the tables")
        writable = estate.root if os.access(estate.root, os.W_OK) else None
        self._spill = Path(tempfile.mkdtemp(prefix=SPILL, dir=writable))
        self._made = 0
        self.allowed = Allowance(estate.rows("entries"))
        self._second = ThreadPoolExecutor(1)  # its thread is there once it has something to do
        self.sql = self.allowed.connect(self._spill)

    @cached_property
    def connection(self) -> Any:
        """The same connection for Ibis."""
        import ibis

        return ibis.duckdb.from_connection(self.sql)

    def __enter__(self) -> Query:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._step.end(cut_off=kind is not None)
        self._second.shutdown()
        self.sql.close()
        shutil.rmtree(self._spill, ignore_errors=True)

    def doing(self, words: str, parts: int = 0) -> None:
        """What is asked for from now on, as a person is told who waits for the answers; `parts`:
        how many results will be kept for it, if that is known."""
        self._step.end()
        self._step = Step(words, parts)

    def table(self, name: str) -> Any:
        """A table of the estate as an Ibis relation; empty if nothing was committed yet."""
        table = self._read(name, self.estate.parts(name))
        if TABLES[name].visible == "always" and "scan_id" in table.columns:
            current = self.estate.scan_ids()
            table = table.filter(table.scan_id.isin(current))
        return table

    def run_table(self, name: str, *runs: Run) -> Any:
        """What some runs have committed to a table so far."""
        return self._read(name, self.estate.parts_of(name, runs))

    def _read(self, name: str, parts: list[Path]) -> Any:
        return self.connection.table(self.view(name, parts))

    def view(self, table: str, parts: list[Path], name: str = "") -> str:
        """Parts as a view (by that name, for SQL), or an empty table; its name. Not temporary:
        every stream has a cursor of its own, and those do not see each other's temporary things."""
        relation = name or self._new_name(table)
        if parts:
            self._parquet(parts).create_view(relation)
        else:
            self._empty(relation, table)
        return relation

    def _parquet(self, files: list[Path]) -> duckdb.DuckDBPyRelation:
        """Files as one relation. The largest first: DuckDB takes all to be like the first, which of
        a crawl holds one row, and would hold the larger side of every join in memory."""
        largest_first = sorted(files, key=lambda file: file.stat().st_size, reverse=True)
        return self.sql.read_parquet([str(file) for file in largest_first])

    def _empty(self, relation: str, name: str) -> None:
        """An empty relation like table `name`. (Given as an Arrow table, it would have DuckDB load
        more of pyarrow than most commands need.)"""
        fields = ((field.name, sql_type(field.type)) for field in TABLES[name].schema)
        columns = ", ".join(f'NULL::{kind} AS "{field}"' for field, kind in fields)
        self._run(f"CREATE OR REPLACE VIEW {relation} AS SELECT {columns} WHERE false")

    def named(self, *names: str) -> None:
        """Tables under their own names, for SQL: what counts of them now, as `table` gives it."""
        for name in names:
            parts = self.estate.parts(name)
            if not parts:
                self._empty(name, name)
                continue
            table = self._parquet(parts)
            if TABLES[name].visible == "always" and "scan_id" in table.columns:
                current = ", ".join(str(scan.run_id) for scan in self.estate.scans())
                table = table.filter(f"scan_id IN ({current})")
            table.create_view(name)

    def call(self, name: str, sql: str) -> None:
        """A query in SQL under a name, to be asked whenever that is used."""
        self._run(f"CREATE OR REPLACE VIEW {name} AS {sql}")

    def keep(self, name: str, sql: str, by: str = "", **values: Any) -> int:
        """The result of a query in SQL, with bound values, kept under a name: of a small estate in
        memory, else in a file; of a large one, a range of the column `by` after the other. Returns
        how many rows there are."""
        if self.allowed.is_small:
            return self._run(f"CREATE OR REPLACE TABLE {name} AS {sql}", values)
        files: list[Path] = []
        rows = 0
        slices = 1 + self.allowed.slices // NARROW
        for part in self._slices_of(sql, by, slices) if by else [sql]:
            files.append(self.scratch(f"{name}-{len(files)}.parquet"))
            rows += self._copy(part, files[-1], values)
        self._parquet(files).create_view(name)
        return rows

    def parquet(self, files: list[Path], name: str) -> Any:
        """Parquet files as a relation called `name`."""
        self._parquet(files).create_view(name)
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

    def batches(
        self, expression: Any, rows: int = BATCH_ROWS, **values: Any
    ) -> Iterator[pa.RecordBatch]:
        """The result (of SQL with bound values), streamed in batches, from a cursor of its own: a
        second query on the same connection would end the first one's stream without a word. Sums,
        which DuckDB gives as 128-bit numbers, are int64."""
        sql = self.compiled(expression)
        cursor = self.sql.cursor()

        def begun() -> Iterator[pa.RecordBatch]:
            reader = cursor.execute(sql, values or None).to_arrow_reader(rows)
            return chain(list(islice(reader, 1)), reader)

        try:
            with disk_errors():
                for batch in self._fitting(begun):
                    self._step.tell()
                    yield narrowed(batch)
        finally:
            cursor.close()
            self.allowed.give_back(self.sql)

    def compiled(self, expression: Any) -> str:
        """The SQL of an Ibis expression; SQL is what it is."""
        return (
            expression if isinstance(expression, str) else str(self.connection.compile(expression))
        )

    def rows(self, expression: Any, **values: Any) -> Iterator[dict[str, Any]]:
        """The result, row by row; for what people read, not for hot paths."""
        for batch in self.batches(expression, 2_048, **values):
            yield from batch.to_pylist()

    def stored(self, expression: Any) -> Any:
        """The result kept, to be read more than once; that of SQL as SQL."""
        name = self._new_name("stored")
        if isinstance(expression, str):
            self.keep(name, expression)
            return f"FROM {name}"
        path = self.scratch(f"{name}.parquet")
        self._copy(self.compiled(expression), path)
        return self.parquet([path], name)

    def stored_in_slices(self, expression: Any, by: str = "entry_id") -> Any:
        """As `stored`, for what joins many wide tables by entry_id (or another number that says
        nothing): a range of entries at a time, so that what has to be in memory at once does not
        grow with the estate."""
        name = self._new_name("stored")
        files: list[Path] = []
        for sql in self._slices_of(expression, by):
            files.append(self.scratch(f"{name}-{len(files)}.parquet"))
            self._copy(sql, files[-1], more_mb=WIDE_MB)
        return self.parquet(files, name)

    def together(self, stored: Sequence[Any]) -> Any:
        """What has been stored one by one, with the same columns, as one relation."""
        files = [self.scratch(f"{table.get_name()}.parquet") for table in stored]
        return self.parquet(files, self._new_name("stored"))

    def _run(self, sql: str, values: dict[str, Any] | None = None) -> int:
        """The one number that a command answers with, 0 if with none."""

        def answer() -> int:
            row = self.sql.execute(sql, values or None).fetchone()
            return int(row[0]) if row else 0

        with disk_errors():
            return self._fitting(answer)

    def _fitting(self, work: Callable[[], Made], more_mb: int = 0) -> Made:
        """What `work` makes, within what memory is allowed."""

        def answer() -> Made:
            with self._step.answering():
                return work()

        return self.allowed.fitting(self.sql, answer, more_mb)

    def one_thread(self) -> None:
        """From here on one thread: to sort wide rows each thread holds blocks of all sorted runs,
        and whoever writes the rows as text is slower than one thread reads them."""
        self.allowed.threads = 1
        self.sql.execute("SET threads = 1")

    @contextmanager
    def without_threads(self) -> Iterator[None]:
        """Nothing of the tables' runs meanwhile, so that processes may be forked."""
        self._step.rest()
        self._second.shutdown()
        self._second = ThreadPoolExecutor(1)
        self.sql.execute("SET threads = 1")
        try:
            yield
        finally:
            self.sql.execute(f"SET threads = {self.allowed.threads}")

    @contextmanager
    def meanwhile(self, work: Callable[[Query], None]) -> Iterator[None]:
        """`work` keeps what it asks for under names of its own while the block asks for other
        things. Of a small estate a short question keeps hardly more than one processor busy: from
        here on each has one thread. Of a large one it takes all there are, and all the memory:
        there one chain comes after the other."""
        if not self.allowed.is_small:
            work(self)
            yield
            return
        if self.allowed.threads > 1:
            self.one_thread()
        other = copy(self)
        other.sql, other._step = self.sql.cursor(), Step("")
        answered = self._second.submit(work, other)
        try:
            yield
        finally:
            wait([answered])
            other.sql.close()
        answered.result()

    def beside(self, table: Any, *others: Any) -> Any:
        """A table with the columns of others beside it, by entry_id. In a large estate one after
        the other: each join wants memory of its own."""
        for other in others:
            table = table.left_join(other, "entry_id").drop("entry_id_right")
            table = self.stored_in_slices(table) if self.allowed.slices > 1 else table
        return table

    def _slices_of(
        self, expression: Any, by: str = "entry_id", slices: int | None = None
    ) -> Iterator[str]:
        """Queries for ranges of the entries, each of which fits into memory. (DuckDB takes the
        condition down to every table that is joined by entry_id.)"""
        sql = self.compiled(expression)
        slices = slices or self.allowed.slices
        if slices == 1:
            yield sql
            return
        step = (1 << 63) // slices + 1
        for first in range(0, 1 << 63, step):
            last = min(first + step, 1 << 63) - 1
            yield f"SELECT * FROM ({sql}) WHERE {by} BETWEEN {first} AND {last}"  # noqa: S608

    def _copy(
        self, sql: str, path: Path, values: dict[str, Any] | None = None, zip_with: str = "lz4",
        more_mb: int = 0,
    ) -> int:  # fmt: skip
        """The result of a query as a Parquet file; how many rows."""
        cursor = self.sql.cursor()

        def copied() -> int:
            described = cursor.execute(f"DESCRIBE {sql}", values or None).fetchall()
            columns = ", ".join(narrow(name, kind) for name, kind, *_ in described)
            to = {"path": str(path), "zip": zip_with, "group": ROWS_PER_GROUP}
            rows = cursor.execute(_COPY.format(columns, sql), {**(values or {}), **to}).fetchone()
            return int(rows[0]) if rows else 0

        try:
            with disk_errors():
                rows = self._fitting(copied, more_mb)
            self._step.done += 1
            return rows
        finally:
            cursor.close()
            self.allowed.give_back(self.sql)

    def given(self, rows: list[dict[str, Any]] | pa.Table, schema: pa.Schema | None = None) -> Any:
        """Rows that are no table's, as a relation."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema)
        name = self._new_name("given")
        self._given(name, table)
        return self.connection.table(name)

    def drop(self, given: Any) -> None:
        """Rows that were `given`, once nobody asks for them any more."""
        self._run(f"DROP TABLE {given.get_name()}")

    def _given(self, name: str, table: pa.Table) -> None:
        self.sql.from_arrow(table).create(name)

    def scratch(self, name: str) -> Path:
        """Where a stage may put a file of its own while this connection is open."""
        return self._spill / name

    def ordered(self, expression: Any, columns: Sequence[str]) -> Any:
        """The same rows, in the order of some columns."""
        if isinstance(expression, str):
            return f"FROM ({expression}) ORDER BY {', '.join(columns)}"
        return expression.order_by(*columns)

    def count(self, expression: Any, **values: Any) -> int:
        return self._run(f"SELECT count(*) FROM ({self.compiled(expression)})", values)  # noqa: S608

    def sum(self, expression: Any, column: str) -> int:
        """What the numbers in a column come to."""
        sql = self.compiled(expression)
        return self._run(f"SELECT coalesce(sum({column}), 0) FROM ({sql})")  # noqa: S608

    def write(self, name: str, expression: Any) -> list[Part]:
        """Write the result as a part of table `name`; the caller commits it."""
        return [self._write(name, self.compiled(_in_table(name, expression)))]

    def write_in_slices(self, name: str, expression: Any) -> list[Part]:
        """As `write`, a part for each range of entries."""
        slices = self._slices_of(_in_table(name, expression))
        return [self._write(name, sql, WIDE_MB) for sql in slices]

    def _write(self, name: str, sql: str, more_mb: int = 0) -> Part:
        path = self.scratch(f"{self._new_name(name)}.parquet")
        schema = TABLES[name].schema
        columns = ", ".join(
            f'CAST("{field}" AS {sql_type(kind)}) AS "{field}"'
            for field, kind in zip(schema.names, schema.types, strict=True)
        )
        whole = f"SELECT {columns} FROM ({sql})"  # noqa: S608
        self._copy(whole, path, zip_with="zstd", more_mb=more_mb)
        return self.as_part(name, path)

    def as_part(self, name: str, path: Path) -> Part:
        """A file that has been written in the estate's own folder as a part of table `name`; it is
        no more where it was."""
        folder = self.estate.root / name
        folder.mkdir(exist_ok=True)
        pending = path.rename(folder / f"{PENDING}{uuid.uuid4().hex}")
        return finished_part(name, pending)


# Without Bloom filters: DuckDB (1.5) finds no bytes that are there through those it wrote itself.
_COPY = """
COPY (SELECT {} FROM ({})) TO $path
(FORMAT parquet, COMPRESSION $zip, ROW_GROUP_SIZE $group, WRITE_BLOOM_FILTER false)
"""


def _in_table(name: str, expression: Any) -> Any:
    if isinstance(expression, str):
        return expression
    return expression.select(*TABLES[name].schema.names)
