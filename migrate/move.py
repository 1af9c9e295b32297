"""Room: the move. A manifest executed: copied, verified, receipted; the source is never touched.

In: the estate's manifest, a target. Out: the files there, and a row of `receipts` for each line.
Never: overwrite, delete, move what is held now or is not the file that was manifested.
Resuming: a line with a good receipt for this target is done; a file that is in its place with the
right content and date, but without a receipt, was moved by a run that was killed.
"""

from __future__ import annotations

import errno
from datetime import date
from functools import partial
from itertools import chain
from typing import Any

import ibis
from msgspec import Struct

from migrate.config import Config, place, share_places
from migrate.engine.hours import wait_for_hours, workers_for
from migrate.engine.map import Row, map_rows
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Estate, Run, Writer
from migrate.events import Progress
from migrate.facts import facts
from migrate.flag.rules import Rule
from migrate.holds import held
from migrate.log import timestamp
from migrate.paths import PathEscapes
from migrate.place import Place
from migrate.reader import open_rows, open_sources
from migrate.sources import Found, OpenFile, error_code
from migrate.targets import (
    AlreadyThere,
    IntegrityError,
    Item,
    OtherContent,
    Stored,
    Target,
    open_target,
)

GOOD = "verified"

STATUSES = {
    "verified": "copied, read back, identical",
    "held": "on hold now: not moved",
    "changed": "not the file that was manifested any more: not moved",
    "missing": "gone from the share",
    "conflict": "the target holds something else there: left alone",
    "failed": "could not be read, written or verified",
}


class Moved(Struct, frozen=True):
    """What became of the manifest's lines."""

    run: Run | None
    lines: int
    done_before: int
    by_status: dict[str, int]
    problems: list[Row]


class Mover:
    """A worker that moves lines, one at a time."""

    def __init__(self, places: dict[str, Place], target: Place, among: int) -> None:
        self.sources = open_sources(places, among)
        self.target: Target = open_target(target, among)

    def work(self, rows: list[Row]) -> list[Row]:
        """Receipts. What is held, and folders, are not opened."""
        unopened = [(row, Found()) for row in rows if row["hold"] or row["kind"] == "folder"]
        files = [
            {**row, "path": row["source_path"]}
            for row in rows if not row["hold"] and row["kind"] != "folder"
        ]  # fmt: skip
        opened = open_rows(self.sources, files)
        return [self._line(row, found) for row, found in chain(unopened, opened)]

    def drain(self) -> None:
        return None

    def _line(self, row: Row, found: Found) -> Row:
        receipt = {
            "manifest_run": row["manifest_run"], "entry_id": row["entry_id"],
            "target": self.target.name, "target_path": row["target_path"],
            "size_bytes": row["size_bytes"], "mtime_ns": row["mtime_ns"],
        }  # fmt: skip
        if row["hold"]:
            return _bad(receipt, "held", row["hold"])
        if isinstance(found.error, FileNotFoundError):
            return _bad(receipt, "missing", error_code(found.error))
        try:
            return {**receipt, **self._move(row, found), "verified_at": timestamp()}
        except AlreadyThere:
            return _bad(receipt, "conflict", "another file is in this place")
        except OtherContent:
            return _bad(receipt, "changed", "its content is not what was manifested")
        except (IntegrityError, PathEscapes) as error:
            return _bad(receipt, "failed", str(error))
        except OSError as error:
            if error.errno in FATAL:
                raise
            return _bad(receipt, "failed", f"{error_code(error)}: {error.strerror}")

    def _move(self, row: Row, found: Found) -> Row:
        if row["kind"] == "folder":
            self.target.make_folder(row["target_path"])
            return {"status": GOOD}
        if found.file is None:
            raise found.error or OSError()
        try:
            stat = found.file.stat()
            if (stat.size_bytes, stat.mtime_ns) != (row["size_bytes"], row["mtime_ns"]):
                raise OtherContent
            stored = self._store(found.file, row)
        finally:
            found.file.close()
        return {"status": GOOD, "xxh3_128": stored.xxh3_128, "sha256": stored.sha256}

    def _store(self, file: OpenFile, row: Row) -> Stored:
        item = Item(
            row["target_path"], row["size_bytes"], row["mtime_ns"], row["xxh3_128"], row["sha256"],
            f"{row['entry_id']:016x}",
        )  # fmt: skip
        try:
            return self.target.put(item, file)
        except AlreadyThere:
            there = self.target.find(item.path)
            if there and item.is_content_of(there) and _same_time(there.mtime_ns, item.mtime_ns):
                return there  # a run that was killed had moved it
            raise


# No space, quota used up, read-only file system: every further file would fail as well.
FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
COARSEST_CLOCK_NS = 2_000_000_000  # FAT keeps times to two seconds


def _same_time(there_ns: int | None, wanted_ns: int | None) -> bool:
    if there_ns is None or wanted_ns is None:
        return wanted_ns is None
    return abs(there_ns - wanted_ns) <= COARSEST_CLOCK_NS


def _bad(receipt: Row, status: str, detail: str) -> Row:
    return {**receipt, "status": status, "detail": detail, "error": detail}


def move(
    writer: Writer, config: Config, holds: list[Rule], as_of: date, url: str, workers: int
) -> Moved:
    """Execute the estate's manifest.

    Errors: MigrateError without a manifest; ShareUnreachable; OSError if the target is full."""
    to = place(config, url)
    target = open_target(to)  # wrong use is told before anything else
    manifest = writer.estate.latest("manifest")
    if manifest is None:
        raise MigrateError("there is no manifest to move by", "Run `migrate manifest` first.")
    where = share_places(config, writer.estate.root)
    every = [*where.values(), to]
    with Progress("move") as progress:
        wait_for_hours(every, progress)
    target.check()
    target.close()

    def undone(query: Query) -> Any:
        lines = query.table("manifest")
        done = good_receipts(query, target.name)
        same = [
            lines.entry_id == done.entry_id,
            lines.target_path == done.target_path,
            lines.xxh3_128.identical_to(done.xxh3_128),
        ]
        return lines.anti_join(done, same)

    def to_do(query: Query) -> Any:
        on_hold = held(query, facts(query, config), holds, as_of)
        left = undone(query).left_join(on_hold, "entry_id").drop("entry_id_right")
        return left.mutate(manifest_run=ibis.literal(manifest.run_id))

    with Query(writer.estate) as query:
        lines, left = query.count(query.table("manifest")), query.count(undone(query))
    if not left and writer.estate.latest("move"):
        return Moved(None, lines, lines, {}, [])
    run = writer.begin("move", {"target": target.name}, [manifest.run_id])
    count = workers_for(every, workers)
    make = partial(Mover, where, to, count)
    with Query(writer.estate) as query:
        wanted = to_do(query)
        by = ["target_path"]
        map_rows(
            writer, query, run, "receipts", make, wanted, count, "move", every, by, reads_whole=True
        )
    result = _result(writer.estate, run, lines, lines - left)
    writer.finish(run, {"by_status": result.by_status})
    return result


def good_receipts(query: Query, target: str) -> Any:
    """The lines that are in a target, verified."""
    receipts = query.table("receipts")
    good = receipts.filter(receipts.target == target, receipts.status == GOOD)
    return good.select("entry_id", "target_path", "xxh3_128")


def _result(estate: Estate, run: Run, lines: int, done_before: int) -> Moved:
    with Query(estate) as query:
        receipts = query.run_table("receipts", run)
        counted = receipts.group_by("status").aggregate(n=receipts.count())
        by_status = {row["status"]: row["n"] for row in query.rows(counted.order_by("status"))}
        bad = receipts.filter(receipts.status != GOOD).order_by("target_path").limit(1000)
        problems = list(query.rows(bad.select("target_path", "status", "detail")))
    return Moved(run, lines, done_before, by_status, problems)
