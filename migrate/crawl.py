"""Room: the crawl. Every file and folder of a share, seen once.

In: a share. Out: `entries` (one row each), `listings` (one row per folder read to its end) and
`digests` (one row per file read), committed together every few seconds.
Never: follow a symlink; stop for one bad file; hold the tree in memory.

Resuming: a folder is done when its listing is committed, and its listing is committed together with
the rows of all its children. What is left is every folder entry without a listing; a listing whose
folder entry was lost with its parent is not made a second time.
"""

from __future__ import annotations

import stat as mode_bits
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from migrate.config import Config, share_root
from migrate.engine.suspects import past_crashes
from migrate.engine.workers import Workers, note
from migrate.estate import Estate, Part, Run, Writer, write_part
from migrate.events import Progress
from migrate.model import TABLES, entry_id
from migrate.paths import needs_raw, to_text
from migrate.sources import Child, Source, Stat, error_code, open_source
from migrate.visit import Content, Reading, visit

ROWS_PER_FLUSH = 65_536
SECONDS_PER_FLUSH = 10.0
FILES_PER_TASK = 4_000
SECONDS_PER_TASK = 2.0

FolderTask = tuple[bytes, int]  # path and depth


@dataclass(frozen=True)
class CrawlOptions:
    workers: int
    reading: Reading = field(default_factory=Reading)

    def like(self, run: Run) -> CrawlOptions:
        """These options, reading what an earlier run read."""
        settings = run.settings
        reading = Reading(settings["content"], settings["mime"], settings["sha256"])
        return replace(self, reading=reading)

    def settings(self, share: str) -> dict[str, Any]:
        return {
            "share": share,
            "content": self.reading.content,
            "mime": self.reading.mime,
            "sha256": self.reading.sha256,
        }


def latest_that_reads(estate: Estate, share: str, reading: Reading) -> Run | None:
    """The newest crawl of a share that reads at least this much, finished or cut off."""
    wanted = [name for name, is_wanted in asdict(reading).items() if is_wanted]
    runs = [run for run in estate.runs("crawl") if run.settings["share"] == share]
    enough = [run for run in runs if all(run.settings[name] for name in wanted)]
    return enough[-1] if enough else None


@dataclass
class Step:
    """What one task did: counts for the progress, folders it did not get to, parts it wrote."""

    files: int = 0
    size_bytes: int = 0
    failed: int = 0
    at: str = ""
    left: list[FolderTask] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


class Visitor:
    """A crawl worker: lists folders, visits their files, writes what it saw as parts."""

    def __init__(
        self, root: str, estate: Path, share: str, scan_id: int, reading: Reading,
        listed: set[int], suspects: frozenset[int],
    ) -> None:  # fmt: skip
        self.source: Source = open_source(root)
        self.estate, self.share, self.scan_id = estate, share, scan_id
        self.reading, self.listed, self.suspects = reading, listed, suspects
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        self.written: list[Part] = []  # on the disk, but not yet told to the parent
        self.step = Step()
        self._clear()

    def _clear(self) -> None:
        self.rows = {"entries": [], "listings": [], "digests": []}
        self.flushed_at = time.monotonic()

    def work(self, folders: list[FolderTask]) -> Step:
        """Visit folders, deepest first, until the task is big enough to hand the rest back."""
        self.step = Step()
        began = time.monotonic()
        while folders:
            if self.step.files >= FILES_PER_TASK or time.monotonic() - began > SECONDS_PER_TASK:
                break
            path, depth = folders.pop()
            folders += self._folder(path, depth)
        self.step.left = folders
        if (
            len(self.rows["entries"]) >= ROWS_PER_FLUSH
            or time.monotonic() - self.flushed_at > SECONDS_PER_FLUSH
        ):
            self._flush()
        return self.step

    def drain(self) -> Step:
        self.step = Step()
        self._flush()
        return self.step

    def _flush(self) -> None:
        self._write_rows()
        self.step.parts, self.written = self.written, []
        self.flushed_at = time.monotonic()

    def _write_rows(self) -> None:
        """Put the rows on the disk; they count only once the folder they belong to is complete."""
        for table, rows in self.rows.items():
            if rows:
                schema = TABLES[table].schema
                columns = [
                    pa.array(column, kind)
                    for column, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
                ]
                part = write_part(self.estate, table, pa.Table.from_arrays(columns, schema=schema))
                self.written.append(part)
        self._clear()

    def _folder(self, path: bytes, depth: int) -> list[FolderTask]:
        """List one folder: rows for its children, then the listing that makes them count."""
        folder_id = entry_id(self.share, path)
        self.step.at = f"{self.share}/{to_text(path)}"
        prefix = path + b"/" if path else b""
        below: list[FolderTask] = []
        children, error = 0, None
        try:
            for child in self.source.list(path):
                children += 1
                child_path = prefix + child.name
                self._child(child_path, folder_id, depth + 1, child)
                if child.kind == "folder" and entry_id(self.share, child_path) not in self.listed:
                    below.append((child_path, depth + 1))
                if len(self.rows["entries"]) >= 2 * ROWS_PER_FLUSH:
                    self._write_rows()  # a huge folder: memory stays flat, the commit still waits
        except OSError as problem:
            error = error_code(problem)
            self.step.failed += 1
        count = None if error else children
        self.rows["listings"].append((self.scan_id, folder_id, count, error))
        return below

    def _child(self, path: bytes, parent_id: int, depth: int, child: Child) -> None:
        if child.kind == "file" and self.reading.content:
            number = entry_id(self.share, path)
            note([number])
            gently = replace(
                self.reading, mime=False
            )  # it crashed libmagic: its type stays unknown
            reading = gently if number in self.suspects else self.reading
            stat, content = visit(self.source, path, reading)
            self.rows["digests"].append((self.scan_id, number, *content))
            self._entry(path, parent_id, depth, child, stat, content)
            return
        try:
            stat, content = self.source.stat(path), Content()
        except OSError as error:
            stat, content = None, Content(error=error_code(error))
        self._entry(path, parent_id, depth, child, stat, content)

    def _entry(
        self,
        path: bytes,
        parent_id: int,
        depth: int,
        child: Child,
        stat: Stat | None,
        content: Content,
    ) -> None:
        self.rows["entries"].append(
            entry_row(
                self.scan_id, self.share, path, parent_id, depth, child.kind, stat,
                link_target(self.source, path) if child.kind == "symlink" else None,
                content.error if stat is None else None,
            )
        )  # fmt: skip
        if child.kind != "folder":
            self.step.files += 1
            self.step.size_bytes += stat.size_bytes if stat and child.kind == "file" else 0
        self.step.failed += content.error is not None


def link_target(source: Source, path: bytes) -> str | None:
    try:
        return to_text(source.link_target(path))
    except OSError:
        return None


def entry_row(
    scan_id: int,
    share: str,
    path: bytes,
    parent_id: int,
    depth: int,
    kind: str,
    stat: Stat | None,
    link: str | None,
    error: str | None,
) -> tuple[Any, ...]:
    """One row of `entries`, in the order of its schema."""
    text = to_text(path)
    name = text.rpartition("/")[2]
    common = (
        scan_id, entry_id(share, path), parent_id, share, text,
        path if needs_raw(path, text) else None, name, kind, depth,
    )  # fmt: skip
    if stat is None:
        return (*common, None, None, None, None, None, None, None, None, None, None, link, error)
    return (
        *common,
        stat.size_bytes if kind == "file" else None,
        *stat[1:5],
        mode_bits.S_IMODE(stat.mode), stat.owner, stat.file_id, stat.device_id, stat.link_count,
        link, error,
    )  # fmt: skip


@dataclass(frozen=True)
class Pending:
    """What a cut-off crawl has left."""

    folders: list[FolderTask]
    listed_without_entry: set[int]


def crawl_share(
    estate: Estate, config: Config, writer: Writer, share: str, options: CrawlOptions
) -> Run:
    """Crawl one share, or go on with its crawl. Returns the run, finished.

    Errors: ShareUnreachable if the root cannot be listed; OSError if the estate cannot be written;
    MigrateError if two paths share an entry_id."""
    root = share_root(config, estate.root, share)
    source = open_source(root)
    source.check()
    visit_share = partial(_visit_share, estate, writer, share, options, root, source)
    run = past_crashes(writer, "crawl", visit_share)
    refuse_equal_ids(estate, run)
    writer.finish(run, {})
    return run


def _visit_share(
    estate: Estate, writer: Writer, share: str, options: CrawlOptions, root: str, source: Source,
    suspects: frozenset[int],
) -> Run:  # fmt: skip
    """Visit what is left to visit; the run, complete but not finished."""
    run = writer.begin("crawl", options.settings(share), resume=True)
    pending = _pending(estate, run, share)
    if not run.parts:
        _commit_root(estate, writer, run, share, source)
    make = partial(
        Visitor, root, estate.root, share, run.run_id, options.reading,
        pending.listed_without_entry, suspects,
    )  # fmt: skip
    with Workers(make, options.workers) as workers:
        _visit_all(workers, pending, writer, run, _expected(estate, share), share)
    return run


def _commit_root(estate: Estate, writer: Writer, run: Run, share: str, source: Source) -> None:
    number = entry_id(share, b"")
    row = entry_row(run.run_id, share, b"", number, 0, "folder", source.stat(b""), None, None)
    table = pa.Table.from_pylist(
        [dict(zip(TABLES["entries"].schema.names, row, strict=True))], TABLES["entries"].schema
    )
    writer.commit(run, [write_part(estate.root, "entries", table)])


def _visit_all(
    workers: Workers, pending: Pending, writer: Writer, run: Run, expected: int | None, share: str
) -> None:
    folders = deque(pending.folders)
    with Progress(f"crawl {share}", total=expected) as progress:
        for step in workers.run(_next_folders(folders, len(workers))):
            folders.extend(step.left)
            progress.advance(step.files, step.size_bytes, step.failed, step.at)
            if step.parts:
                writer.commit(run, step.parts)


def _next_folders(
    folders: deque[FolderTask], workers: int
) -> Callable[[], list[FolderTask] | None]:
    def take() -> list[FolderTask] | None:
        if not folders:
            return None
        share = max(1, min(64, len(folders) // (2 * workers)))
        return [folders.pop() for _ in range(share)]

    return take


def _expected(estate: Estate, share: str) -> int | None:
    """How many files the last finished crawl of the share had: the best guess for time left."""
    for run in reversed(estate.runs("crawl")):
        if run.finished and run.settings["share"] == share:
            return sum(int(part["rows"]) for part in run.parts if part["table"] == "entries")
    return None


def _pending(estate: Estate, run: Run, share: str) -> Pending:
    """What is left to list, from what is committed; all of it for a new run."""
    if not run.parts:
        return Pending([(b"", 0)], set())
    from migrate.engine.query import Query

    with Query(estate) as query:
        entries = query.run_table("entries", run)
        listings = query.run_table("listings", run)
        folders = entries.filter(entries.kind == "folder")
        open_folders = folders.anti_join(listings, "entry_id").select("path", "path_raw", "depth")
        lost = listings.anti_join(folders, "entry_id").select("entry_id")
        tasks = [
            (row["path_raw"] or row["path"].encode(), row["depth"])
            for row in query.rows(open_folders)
        ]
        return Pending(sorted(tasks), {row["entry_id"] for row in query.rows(lost)})


def refuse_equal_ids(estate: Estate, run: Run) -> None:
    """Two paths with one number would share every decision: stop before that can happen.

    (The chance is 1 in 10^7 for a million paths, 1 in 100 for half a billion.)"""
    from migrate.engine.query import Query
    from migrate.errors import MigrateError

    with Query(estate) as query:
        entries = query.run_table("entries", run)
        counted = entries.group_by("entry_id").aggregate(n=entries.count())
        twice = next(query.rows(counted.filter(counted.n > 1).limit(1)), None)
        if twice:
            same = entries.filter(entries.entry_id == twice["entry_id"])
            paths = [row["path"] for row in query.rows(same.select("path"))]
            raise MigrateError(
                f"two paths of share {run.settings['share']} have the same number: {paths}",
                "Give the share another name in estate.yaml and crawl it again.",
            )
