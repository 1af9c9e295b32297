"""Room: whole-file digests of what the visit only sampled.

In: files without a whole digest. Out: `whole_digests`, or `digests` for files no visit has read.
Never: a digest of a file that is not the one that was crawled.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrate.config import Config, share_place
from migrate.engine.hours import workers_for
from migrate.engine.map import map_rows
from migrate.engine.query import Query
from migrate.estate import Writer
from migrate.place import Place
from migrate.reader import Read, Reader, read_as_visit, read_whole
from migrate.visit import Reading

if TYPE_CHECKING:
    from migrate.engine.nursery import Nursery

COLUMNS = ["scan_id", "entry_id", "share", "path", "path_raw", "size_bytes", "mtime_ns",
           "file_id"]  # fmt: skip
# To hand out files by: as they lie on the disk, near enough, and mostly those of a folder together.
# A disk's head travels less, and like follows like: siegfried takes a tenth less time.
IN_DISK_ORDER = ["share", "file_id"]


def places(config: Config, estate_root: Path) -> dict[str, Place]:
    """Where the shares are, by name."""
    return {share.name: share_place(config, estate_root, share.name) for share in config.shares}


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
    where = places(config, writer.estate.root)
    count = workers_for(where.values(), workers)
    make = partial(Reader, where, count, read)
    done = map_rows(
        writer, query, run, table, make, wanted, count, label, where.values(),
        IN_DISK_ORDER, nursery,
    )  # fmt: skip
    writer.finish(run, {"files": done})
    return done
