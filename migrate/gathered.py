"""Room: what a crawl's worker has seen and not yet written.

In: rows, one by one; files visited in bulk; files taken over from an earlier scan. Out: parts.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from migrate.bulk import Bulk
from migrate.estate import Part, write_part
from migrate.known import Known
from migrate.listed import ListedFiles
from migrate.rows import table_of

WRITTEN = ("entries", "listings", "digests", "securities", "streams", "proofs")


class Gathered:
    """Rows in memory, and what they add up to. `bulk` holds rows of its own, as columns."""

    def __init__(
        self, estate: Path, scan_id: int, bulk: Bulk | ListedFiles | None, known: Known | None
    ) -> None:
        self.estate, self.scan_id, self.bulk, self.known = estate, scan_id, bulk, known
        self._clear()

    def _clear(self) -> None:
        self.rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in WRITTEN}
        self.taken_over: list[tuple[int, int]] = []  # entries, and their places in `known`
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.rows["entries"]) + (self.bulk.rows if self.bulk else 0)

    def write(self) -> list[Part]:
        """Put everything on the disk, as parts that do not count yet; the counts go with them."""
        found = {table: [table_of(table, rows)] for table, rows in self.rows.items() if rows}
        if self.bulk:
            tables, counts = self.bulk.take()
            self.counts.update(counts)
            for table, several in tables.items():
                found.setdefault(table, []).extend(several)
        if self.known and self.taken_over:
            digests = self.known.digests(self.scan_id, *zip(*self.taken_over, strict=True))
            found.setdefault("digests", []).append(digests)
        parts = [
            write_part(self.estate, table, pa.concat_tables(several))
            for table, several in found.items()
        ]
        if parts:
            parts[0] = replace(parts[0], counts=dict(self.counts))
        self._clear()
        return parts
