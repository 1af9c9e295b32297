"""Room: how much of the machine the queries over one estate may take.

In: how many entries it has. Out: DuckDB's settings, and questions answered within them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

# What DuckDB may hold: little for a small estate, a gigabyte from ten million entries on. The
# process has 200 MB beside it, half of which is code.
LEAST_MB, MOST_MB = 120, 1000
ENTRIES_PER_MB = 10_000
SLICE_PER_MB = 400  # rows of a wide join that fit beside each other
SMALL_ENTRIES = 300_000  # what is kept of so few need not leave memory

Made = TypeVar("Made")


class Allowance:
    """Memory, threads, and in how many `slices` what is joined wide is to be joined."""

    def __init__(self, entries: int) -> None:
        self.limit_mb = max(LEAST_MB, min(MOST_MB, entries // ENTRIES_PER_MB))
        self.is_small = entries <= SMALL_ENTRIES
        self.slices = 1 + entries // (self.limit_mb * SLICE_PER_MB)
        self.threads = min(os.cpu_count() or 1, max(2, self.limit_mb // 64))
        self._beyond = False  # whether DuckDB may hold more for now

    def connect(self, spill: Path) -> duckdb.DuckDBPyConnection:
        """A connection that puts into a folder what does not fit."""
        return duckdb.connect(
            config={
                "memory_limit": f"{self.limit_mb}MB",
                "threads": str(self.threads),
                "temp_directory": str(spill),
                "preserve_insertion_order": "false",
                "enable_external_file_cache": "false",  # the system keeps files in memory already
                "allocator_flush_threshold": "4MB",  # give back what is free: it is ours no more
            }
        )

    def fitting(
        self, sql: duckdb.DuckDBPyConnection, answer: Callable[[], Made], more_mb: int = 0
    ) -> Made:
        """What `answer` makes within the limit. What does not fit is begun again with twice as
        much: a stage that takes more memory than it should is better than one that fails."""
        limit_mb = self.limit_mb + more_mb
        while True:
            try:
                if limit_mb > self.limit_mb:
                    self.limit(sql, limit_mb)
                return answer()
            except duckdb.OutOfMemoryException:
                if limit_mb > MOST_MB:
                    raise
                limit_mb *= 2

    def limit(self, sql: duckdb.DuckDBPyConnection, limit_mb: int) -> None:
        sql.execute(f"SET memory_limit = '{limit_mb}MB'")
        self._beyond = limit_mb > self.limit_mb

    def give_back(self, sql: duckdb.DuckDBPyConnection) -> None:
        """What no query uses any more, to the system: DuckDB's allocator keeps it (200 MB of a
        million entries) until its limit is set, even to what it was. Where a query that is open
        still has more than that, or all is closed, it stays as it is. Of a small estate it is too
        little to be worth the time, unless it took more than it should."""
        if self.is_small and not self._beyond:
            return
        pa.default_memory_pool().release_unused()
        with suppress(duckdb.Error):
            self.limit(sql, self.limit_mb)
