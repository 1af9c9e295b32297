"""Room: workers that read files again which a crawl has seen.

In: rows of files. Out: what their bytes say, a row for each, or why it could not be read.
Never: what is said of a file that is not the one that was crawled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from migrate.engine.underway import tell
from migrate.paths import to_raw
from migrate.place import Place
from migrate.sources import Found, OpenFile, Source, Wanted, error_code, open_source
from migrate.visit import Reading, examine, whole_digests

if TYPE_CHECKING:
    from migrate.engine.map import Row

# What has to be known of a file to read it again, and to hand it out in order.
COLUMNS = ["scan_id", "entry_id", "share", "path", "path_raw", "size_bytes", "mtime_ns",
           "file_id"]  # fmt: skip
# As files lie on the disk, near enough, and mostly those of a folder together: a disk's head
# travels less, and like follows like: siegfried takes a tenth less time.
IN_DISK_ORDER = ["share", "file_id"]
LOOK_BYTES = 1 << 20  # files up to this size may be fetched with others, before their turn

Read = Callable[[OpenFile, "Row"], dict[str, Any]]


class Reader:
    """A worker that has `read` look at each file."""

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


def read_whole(file: OpenFile, row: Row) -> dict[str, Any]:
    """Of a row with `digest`, what was read before, nothing but the same content is read again."""
    fast, slow = whole_digests(file, row["size_bytes"], bool(row.get("sha256")))
    if row.get("digest") not in (None, fast):
        return {"error": "changed_since_crawl"}
    return {"xxh3_128": fast, "sha256": slow}


def read_as_visit(file: OpenFile, row: Row, reading: Reading) -> dict[str, Any]:
    path = to_raw(row["path"], row["path_raw"])
    return examine(file, row["size_bytes"], path, reading)._asdict()


def open_sources(places: dict[str, Place], among: int) -> dict[str, Source]:
    """A worker's sources, by share; `among` workers share what a server allows."""
    return {share: open_source(place, among) for share, place in places.items()}


def open_rows(sources: dict[str, Source], rows: list[Row]) -> Iterator[tuple[Row, Found]]:
    """The files of rows (share, path, path_raw, size_bytes), open, to be read to their end."""
    for share, of_share in groupby(rows, key=itemgetter("share")):
        for row, found in sources[share].open_all((row, _wanted(row)) for row in of_share):
            tell(at=partial("{share}/{path}".format_map, row))
            yield row, found
            tell(1)


def _wanted(row: Row) -> Wanted:
    size = row["size_bytes"] or 0
    ranges = [(0, size)] if 0 < size <= LOOK_BYTES else []
    return Wanted(to_raw(row["path"], row["path_raw"]), ranges)
