"""Room: the chain of custody walked, and the target read again.

In: the log, the parts, the receipts. Out: every difference found. Never: repair anything.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from migrate.config import Config, place
from migrate.engine.crew import Processes
from migrate.engine.hours import in_hours, workers_for
from migrate.engine.map import Row, partitions
from migrate.engine.query import Query
from migrate.engine.underway import tell
from migrate.engine.workers import Workers
from migrate.estate import Estate, file_sha256
from migrate.events import Progress
from migrate.move import GOOD
from migrate.place import Place
from migrate.targets import Target, open_target


class Verified(Struct):
    """What was checked, and what is not as it should be."""

    log_lines: int
    log_head: str
    parts: int = 0
    files: int = 0
    size_bytes: int = 0
    lines: int = 0
    lines_moved: int = 0
    differences: list[str] = []


def verify(estate: Estate, config: Config, workers: int) -> Verified:
    """Check the parts against the log and the targets against their receipts.

    Errors: ChainBroken if the log itself was altered (raised on opening the estate)."""
    result = Verified(len(estate.log.records), estate.log.head)
    _check_parts(estate, result)
    if result.differences:  # tables that are not what was written prove nothing
        return result
    _check_targets(estate, config, result, workers)
    _check_manifest(estate, result)
    return result


def _check_parts(estate: Estate, result: Verified) -> None:
    """Every part the log names. One it does not name does not exist: a crash, or a command that is
    running now, may have left it."""
    parts = [part for run in estate.runs() for part in run.parts]
    with Progress("verify: tables", "parts", len(parts)) as progress:
        for part in parts:
            path = estate.root / part["table"] / part["file"]
            name = f"{part['table']}/{part['file']}"
            try:
                if file_sha256(path) != part["sha256"]:
                    result.differences.append(f"{name}: not the bytes that were committed")
            except OSError as error:
                result.differences.append(f"{name}: {error.strerror}")
            result.parts += 1
            progress.advance(1, part["size_bytes"], now_at=name)


def _check_targets(estate: Estate, config: Config, result: Verified, workers: int) -> None:
    with Query(estate) as query:
        receipts = query.table("receipts")
        named = query.rows(receipts.select("target").distinct())
        places = {row["target"]: place(config, row["target"]) for row in named}
    count = workers_for(places.values(), workers)
    with Workers(Processes(partial(Checker, places, count), count)) as pool, Query(estate) as query:
        receipts = query.table("receipts")
        good = receipts.filter(receipts.status == GOOD)
        good = query.stored(good.distinct(on=["target", "target_path"], keep="last"))
        rows = partitions(query.rows(good.order_by("target", "target_path")))
        with Progress("verify: target", total=query.count(good)) as progress:
            take = in_hours(lambda: next(rows, None), places.values(), pool, progress)
            for checked in pool.run(take, progress):
                result.differences += checked.differences
                result.files += checked.files
                result.size_bytes += checked.size_bytes
                progress.advance(checked.files, checked.size_bytes, len(checked.differences))
    result.differences.sort()


class Checked(Struct):
    """What one portion of receipts came to."""

    files: int
    size_bytes: int
    differences: list[str]


class Checker:
    """A worker that reads moved files again."""

    def __init__(self, places: dict[str, Place], among: int) -> None:
        self.targets = {name: open_target(place, among) for name, place in places.items()}

    def work(self, rows: list[Row]) -> Checked:
        differences = []
        for row in rows:
            tell(at=partial(str, row["target_path"]))
            if difference := _difference(self.targets[row["target"]], row):
                differences.append(f"{row['target_path']}: {difference}")
            tell(1)
        return Checked(len(rows), sum(row["size_bytes"] or 0 for row in rows), differences)

    def drain(self) -> None:
        return None


def _difference(target: Target, row: Row) -> str:
    if row["xxh3_128"] is None:  # an empty folder: there is nothing to read
        return ""
    try:
        stored = target.find(row["target_path"])
    except OSError as error:
        return f"cannot be read back: {error.strerror}"
    if stored is None:
        return "gone from the target"
    if stored.size_bytes != row["size_bytes"]:
        return f"{stored.size_bytes:,} bytes, {row['size_bytes']:,} were moved"
    if stored.sha256 != row["sha256"]:
        return "its content is not what was moved (SHA-256 differs)"
    return ""


def _check_manifest(estate: Estate, result: Verified) -> None:
    """How much of the newest manifest is in a target; what is not there yet is no difference."""
    with Query(estate) as query:
        lines = query.table("manifest")
        receipts = query.table("receipts")
        good = receipts.filter(receipts.status == GOOD).select("entry_id", "target_path")
        result.lines = query.count(lines)
        result.lines_moved = query.count(lines.semi_join(good, ["entry_id", "target_path"]))
