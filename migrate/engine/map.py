"""Room: `map`: a worker's function over partitions of rows, its result committed as it comes.

In: rows of a query, cut into partitions. Out: rows of one table. Killed and run again, a stage asks
for the rows that are still missing and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from migrate.engine.crew import Crew, Make, Processes
from migrate.engine.hours import in_hours
from migrate.engine.portions import portions
from migrate.engine.query import Query
from migrate.engine.workers import Workers
from migrate.estate import Run, Writer, write_part
from migrate.events import Progress
from migrate.model import TABLES
from migrate.place import Place

if TYPE_CHECKING:
    from migrate.engine.nursery import Nursery

ROWS_PER_COMMIT = 65_536
SECONDS_PER_COMMIT = 10.0
FILES_PER_PARTITION = 64
BYTES_PER_PARTITION = 256 << 20

Row = dict[str, Any]


def partitions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in portions that take a worker a moment: a few files, or one large one."""
    return portions(rows, _size, BYTES_PER_PARTITION, FILES_PER_PARTITION)


def _size(row: Row) -> int:
    return row["size_bytes"] or 0


def map_rows(
    writer: Writer,
    query: Query,
    run: Run,
    table: str,
    make: Make,
    wanted: Any,
    workers: int,
    label: str,
    places: Iterable[Place] = (),
    order: Sequence[str] = (),
    nursery: Nursery | None = None,
    reads_whole: bool = False,
) -> int:
    """Run each wanted row through a worker and commit the rows it answers with.

    `wanted` is the expression with the rows to do (it must have `size_bytes`); a worker's `work`
    turns a list of rows into a list of rows of `table` as dictionaries, with `error` where one
    failed; `places` are where the workers read; `order`: by which columns the rows are handed out,
    if not as they come; `nursery`: where the workers come from, if not from here; `reads_whole`:
    workers read all bytes of each file. Returns how many were done."""
    buffer = _Buffer(writer, run, table)
    query.doing(f"{label}: choosing what to read")
    selected = query.stored(wanted)
    total = query.count(selected)
    if not total:
        return 0
    total_bytes = query.sum(selected, "size_bytes") if reads_whole else 0
    with Workers(_crew(nursery, query, make, workers)) as pool:
        todo = _Todo(query.rows(query.ordered(selected, order) if order else selected))
        with Progress(label, "files", total, total_bytes) as progress:
            try:
                take = in_hours(todo.take, places, pool, progress)
                for done in pool.run(take, progress):
                    buffer.add(done)
                    failed = sum(1 for row in done if row.get("error"))
                    size = todo.size_of(done) if reads_whole else 0
                    progress.advance(len(done), size, failed)
            finally:  # also what came before an interruption
                buffer.commit()
    return total


def _crew(nursery: Nursery | None, query: Query, make: Make, workers: int) -> Crew:
    if nursery:
        return nursery.crew(make, workers)
    with query.without_threads():
        return Processes(make, workers)


class _Todo:
    """Rows to hand out, and how large those are that have not come back."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._portions = partitions(rows)
        self._sizes: dict[int, int] = {}

    def take(self) -> list[Row] | None:
        rows = next(self._portions, None)
        self._sizes.update((row["entry_id"], _size(row)) for row in rows or ())
        return rows

    def size_of(self, done: list[Row]) -> int:
        return sum(self._sizes.pop(row["entry_id"], 0) for row in done)


class _Buffer:
    """Rows on their way into a table: committed when there are many or they are old."""

    def __init__(self, writer: Writer, run: Run, table: str) -> None:
        self.writer, self.run, self.table = writer, run, table
        self.rows: list[Row] = []
        self.committed_at = time.monotonic()

    def add(self, rows: list[Row]) -> None:
        self.rows += rows
        old = time.monotonic() - self.committed_at > SECONDS_PER_COMMIT
        if len(self.rows) >= ROWS_PER_COMMIT or old:
            self.commit()

    def commit(self) -> None:
        if self.rows:
            columns = pa.Table.from_pylist(self.rows, TABLES[self.table].schema)
            self.writer.commit(self.run, [write_part(self.writer.estate.root, self.table, columns)])
        self.rows = []
        self.committed_at = time.monotonic()
