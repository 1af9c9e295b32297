"""Room: whole-file digests of what the visit only sampled.

In: files without a whole digest. Out: `whole_digests`, or `digests` for files no visit has read.
Never: a digest of a file that is not the one that was crawled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from migrate.config import Config, share_place
from migrate.engine.hours import workers_for
from migrate.engine.map import Row, map_rows
from migrate.engine.query import Query
from migrate.estate import Writer
from migrate.paths import to_raw
from migrate.place import Place
from migrate.sources import Found, OpenFile, Source, Wanted, error_code, open_source
from migrate.visit import Reading, examine, whole_digests

Read = Callable[[OpenFile, Row], dict[str, Any]]

LOOK_BYTES = 1 << 20  # files up to this size may be fetched with others, before their turn
COLUMNS = ["scan_id", "entry_id", "share", "path", "path_raw", "size_bytes", "mtime_ns",
           "file_id"]  # fmt: skip


class Reader:
    """A worker that reads files again which a crawl has seen."""

    def __init__(self, places: dict[str, Place], among: int, read: Read) -> None:
        self.sources = open_sources(places, among)
        self.read = read

    def work(self, rows: list[Row]) -> list[Row]:
        return [self._one(row, found) for row, found in open_rows(self.sources, rows)]

    def drain(self) -> None:
        return None

    def _one(self, row: Row, found: Found) -> Row:
        key = {name: row[name] for name in ("scan_id", "entry_id")}
        if found.file is None:
            return {**key, "error": error_code(found.error or OSError())}
        try:
            return {**key, **self._if_unchanged(found.file, row)}
        except OSError as error:
            return {**key, "error": error_code(error)}
        finally:
            found.file.close()

    def _if_unchanged(self, file: OpenFile, row: Row) -> dict[str, Any]:
        crawled = (row["size_bytes"], row["mtime_ns"])
        before = file.stat()
        if (before.size_bytes, before.mtime_ns) != crawled:
            return {"error": "changed_since_crawl"}
        result = self.read(file, row)
        after = file.stat()
        if (after.size_bytes, after.mtime_ns) != crawled:
            return {"error": "changed_while_read"}
        return result


def _read_whole(file: OpenFile, row: Row) -> dict[str, Any]:
    """Of a row with `digest`, what was read before, nothing but the same content is read again."""
    fast, slow = whole_digests(file, row["size_bytes"], bool(row.get("sha256")))
    if row.get("digest") not in (None, fast):
        return {"error": "changed_since_crawl"}
    return {"xxh3_128": fast, "sha256": slow}


def _read_as_visit(file: OpenFile, row: Row, reading: Reading) -> dict[str, Any]:
    path = to_raw(row["path"], row["path_raw"])
    return examine(file, row["size_bytes"], path, reading)._asdict()


def places(config: Config, estate_root: Path) -> dict[str, Place]:
    """Where the shares are, by name."""
    return {share.name: share_place(config, estate_root, share.name) for share in config.shares}


def open_sources(places: dict[str, Place], among: int) -> dict[str, Source]:
    """A worker's sources, by share; `among` workers share what a server allows."""
    return {share: open_source(place, among) for share, place in places.items()}


def open_rows(sources: dict[str, Source], rows: list[Row]) -> Iterator[tuple[Row, Found]]:
    """The files of rows (share, path, path_raw, size_bytes), open, to be read to their end."""
    for share, of_share in groupby(rows, key=itemgetter("share")):
        yield from sources[share].open_all((row, _wanted(row)) for row in of_share)


def _wanted(row: Row) -> Wanted:
    size = row["size_bytes"] or 0
    ranges = [(0, size)] if 0 < size <= LOOK_BYTES else []
    return Wanted(to_raw(row["path"], row["path_raw"]), ranges)


def reading_order(places: dict[str, Place]) -> list[str]:
    """The columns to hand out files by: where a disk's head has to travel to them, as they lie on
    the disk, which is by file number, near enough."""
    return ["share", "file_id"] if is_rotating(places) else []


def is_rotating(places: dict[str, Place]) -> bool:
    """Whether any of them is on a disk whose head has to travel."""
    return any(place.rotating for place in places.values())


def digest_wholly(
    writer: Writer, config: Config, query: Query, wanted: Any, workers: int, label: str
) -> int:
    """Read the wanted files whole; where a row says so in `sha256`, SHA-256 is taken too. Returns
    how many there were."""
    return _read_files(writer, config, query, "whole_digests", _read_whole, wanted, workers, label)


def visit_again(
    writer: Writer, config: Config, query: Query, wanted: Any, workers: int, label: str
) -> int:
    """Visit the wanted files of a crawl that was made with --listing-only."""
    read = partial(_read_as_visit, reading=Reading())
    return _read_files(writer, config, query, "digests", read, wanted, workers, label)


def _read_files(
    writer: Writer, config: Config, query: Query, table: str, read: Read, wanted: Any,
    workers: int, label: str,
) -> int:  # fmt: skip
    run = writer.begin("digest", {"table": table, "label": label})
    where = places(config, writer.estate.root)
    count = workers_for(where.values(), workers)
    make = partial(Reader, where, count, read)
    order = reading_order(where)
    done = map_rows(writer, query, run, table, make, wanted, count, label, where.values(), order)
    writer.finish(run, {"files": done})
    return done
