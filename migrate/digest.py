"""Room: whole-file digests of what the visit only sampled.

In: files without a whole digest. Out: `whole_digests`, or `digests` for files no visit has read.
Never: a digest of a file that is not the one that was crawled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from migrate.config import Config, share_places
from migrate.engine.hours import workers_for
from migrate.engine.map import map_rows
from migrate.engine.query import Query
from migrate.estate import Writer
from migrate.reader import IN_DISK_ORDER, Read, Reader, read_as_visit, read_whole
from migrate.visit import Reading

if TYPE_CHECKING:
    from migrate.engine.nursery import Nursery


def digest_wholly(
    writer: Writer, config: Config, query: Query, wanted: Any, workers: int, label: str,
    nursery: Nursery | None = None,
) -> int:  # fmt: skip
    """Read the wanted files whole; where a row says so in `sha256`, SHA-256 is taken too. Returns
    how many there were."""
    return _read_files(
        writer, config, query, "whole_digests", read_whole, wanted, workers, label, nursery
    )


def visit_again(
    writer: Writer, config: Config, query: Query, wanted: Any, workers: int, label: str,
    nursery: Nursery | None,
) -> int:  # fmt: skip
    """Visit the wanted files of a crawl that was made with --listing-only."""
    read = partial(read_as_visit, reading=Reading())
    return _read_files(writer, config, query, "digests", read, wanted, workers, label, nursery)


def _read_files(
    writer: Writer, config: Config, query: Query, table: str, read: Read, wanted: Any,
    workers: int, label: str, nursery: Nursery | None,
) -> int:  # fmt: skip
    run = writer.begin("digest", {"table": table, "label": label})
    where = share_places(config, writer.estate.root)
    count = workers_for(where.values(), workers)
    make = partial(Reader, where, count, read)
    done = map_rows(
        writer, query, run, table, make, wanted, count, label, where.values(),
        IN_DISK_ORDER, nursery, reads_whole=read is read_whole,
    )  # fmt: skip
    writer.finish(run, {"files": done})
    return done
