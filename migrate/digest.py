"""Room: whole-file digests of what the visit only sampled.

In: files without a whole digest. Out: `whole_digests`, or `digests` for files no visit has read.
Never: a digest of a file that is not the one that was crawled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from migrate.config import Config, share_root
from migrate.engine.map import Row, map_rows
from migrate.engine.query import Query
from migrate.estate import Writer
from migrate.paths import to_raw
from migrate.sources import OpenFile, Source, error_code, open_source
from migrate.visit import Reading, examine, whole_digests

Read = Callable[[OpenFile, Row], dict[str, Any]]

COLUMNS = ["scan_id", "entry_id", "share", "path", "path_raw", "size_bytes", "mtime_ns"]


class Reader:
    """A worker that reads files again which a crawl has seen."""

    def __init__(self, roots: dict[str, str], read: Read) -> None:
        self.sources: dict[str, Source] = {
            share: open_source(root) for share, root in roots.items()
        }
        self.read = read

    def work(self, rows: list[Row]) -> list[Row]:
        return [self._one(row) for row in rows]

    def drain(self) -> None:
        return None

    def _one(self, row: Row) -> Row:
        key = {name: row[name] for name in ("scan_id", "entry_id")}
        try:
            file = self.sources[row["share"]].open(to_raw(row["path"], row["path_raw"]))
        except OSError as error:
            return {**key, "error": error_code(error)}
        try:
            return {**key, **self._if_unchanged(file, row)}
        except OSError as error:
            return {**key, "error": error_code(error)}
        finally:
            file.close()

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


def _read_whole(file: OpenFile, row: Row, sha256: bool) -> dict[str, Any]:
    fast, slow = whole_digests(file, row["size_bytes"], sha256)
    return {"xxh3_128": fast, "sha256": slow}


def _read_as_visit(file: OpenFile, row: Row, reading: Reading) -> dict[str, Any]:
    return examine(file, file.stat(), reading)._asdict()


def shares(config: Config, estate_root: Path) -> dict[str, str]:
    return {share.name: share_root(config, estate_root, share.name) for share in config.shares}


def digest_wholly(
    writer: Writer, config: Config, select: Callable[[Query], Any], workers: int, label: str,
    sha256: bool = False,
) -> int:  # fmt: skip
    """Read the selected files whole. Returns how many there were; none: nothing is logged."""
    roots = shares(config, writer.estate.root)
    make = partial(Reader, roots, partial(_read_whole, sha256=sha256))
    return _read_files(writer, "whole_digests", make, select, workers, label)


def visit_again(
    writer: Writer, config: Config, select: Callable[[Query], Any], workers: int, label: str
) -> int:
    """Visit the selected files of a crawl that was made with --listing-only."""
    roots = shares(config, writer.estate.root)
    make = partial(Reader, roots, partial(_read_as_visit, reading=Reading()))
    return _read_files(writer, "digests", make, select, workers, label)


def _read_files(
    writer: Writer, table: str, make: Callable[[], Reader], select: Callable[[Query], Any],
    workers: int, label: str,
) -> int:  # fmt: skip
    with Query(writer.estate) as query:
        if not query.count(select(query)):
            return 0
    run = writer.begin("digest", {"table": table, "label": label})
    done = map_rows(writer, run, table, make, select, workers, label)
    writer.finish(run, {"files": done})
    return done
