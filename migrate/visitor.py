"""Room: a crawl's worker. Lists folders, visits their files, writes what it saw as parts.

In: folders to list. Out: rows of `entries`, `listings`, `digests`, `securities` and `streams` as
parts, and the folders it did not get to.
Never: follow a symlink; hold a huge folder in memory; count a folder as done before its last child.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from migrate.bulk import Bulk, is_local_linux
from migrate.engine.crew import note
from migrate.engine.underway import tell
from migrate.estate import Part
from migrate.gathered import Gathered
from migrate.known import Known
from migrate.listed import ListedFiles
from migrate.loops import Loops, Numbers
from migrate.model import entry_id
from migrate.paths import to_text
from migrate.place import Place
from migrate.rows import entry_row
from migrate.smb.security import DescriptorMalformed, parse, security_id
from migrate.sources import (
    OFFLINE,
    RECALLS,
    Child,
    Found,
    Page,
    Security,
    Source,
    Stat,
    Wanted,
    error_code,
    no_more,
    open_source,
)
from migrate.tasks import FolderTask, Sliced, Step
from migrate.visit import Content, Reading, first_ranges, more_of_head, visit

ROWS_PER_FLUSH = 65_536
SECONDS_PER_FLUSH = 10.0
FILES_PER_TASK = 5_000  # few enough that in the end no worker waits long for the other
FILES_ALONE = 16_000  # of one that shares with nobody
FILES_AT_FIRST = 1_000  # of a worker's first task: until it is done the others have no folders
SECONDS_PER_TASK = 2.0
MOST_PAGES = 16  # of a folder that one worker reads alone: what has to wait here until it is known


class Listing(Struct):
    """A folder that is being listed."""

    task: FolderTask
    entry_id: int
    above: Numbers | None
    children: int = 0


class Seen(NamedTuple):
    """An entry on its way into the tables. `known`: its place among the files of an earlier scan,
    if it is as it was then."""

    path: bytes
    parent_id: int
    depth: int
    child: Child
    known: int | None = None


_NOTHING = Found()
Visit = tuple[Seen | Page, Wanted | None]


class Visitor:
    """A crawl worker: lists folders, visits their files, writes what it saw as parts."""

    def __init__(
        self, place: Place, among: int, estate: Path, share: str, scan_id: int, reading: Reading,
        listed: set[int], suspects: frozenset[int], known: Known | None = None,
    ) -> None:  # fmt: skip
        self.source: Source = open_source(place, among)
        self.share, self.scan_id = share, scan_id
        self.reading, self.listed, self.suspects = reading, listed, suspects
        self.known = known
        self.gently = reading._replace(mime=False)
        self.bulk = (
            Bulk(self.source, share, scan_id, reading, suspects, known)
            if is_local_linux(self.source) and not reading.security
            else None
        )
        is_opened = reading.content or reading.security or known
        self.listed_files = None if is_opened else ListedFiles(share, scan_id)
        self.gathered = Gathered(estate, scan_id, self.bulk or self.listed_files, known)
        self.owners: dict[int, str | None] = {}  # of descriptors, which are written once each
        self.written: list[Part] = []  # on the disk, but not yet told to the parent
        self.most_files = FILES_PER_TASK if among > 1 else FILES_ALONE
        self.leaves_large = among > 1 and self.bulk is not None
        self.files_per_task = FILES_AT_FIRST
        self.flushed_at = time.monotonic()
        self.step, self.at = Step(), b""

    def work(self, folders: list[FolderTask]) -> Step:
        """Visit folders, deepest first, until the task is big enough to hand the rest back."""
        self.step = Step()
        if folders[0].slice:
            self.step.sliced = Sliced(folders[0])
            self.step.parts = self._written()  # these count whatever becomes of the slice
        tell(at=self._where)
        self.began = time.monotonic()
        self.folders = folders
        self.listings: dict[bytes, Listing] = {}
        self.loops = Loops(self.source)
        if self.bulk:
            self.bulk.ahead.begin()
        self._visit(self._children())
        if self.bulk:
            self.step.is_waiting = self.bulk.ahead.judge(self.step.files)
        self.step.at = self._where()
        self.step.left, self.files_per_task = folders, self.most_files
        is_late = time.monotonic() - self.flushed_at > SECONDS_PER_FLUSH
        if self.step.sliced:
            self.step.sliced.parts = self._written()
        elif len(self.gathered) >= ROWS_PER_FLUSH or is_late:
            self.step.parts = self._written()
        return self._told()

    def drain(self) -> Step:
        self.step = Step()
        self.step.parts = self._written()
        return self._told()

    def _told(self) -> Step:
        self.step.size_bytes += self.bulk.take_read_bytes() if self.bulk else 0
        return self.step

    def _visit(self, wanted: Iterator[tuple[Visit, Wanted | None]]) -> None:
        for (seen, want), found in self.source.open_all(wanted):
            if isinstance(seen, Page):
                self._listed(seen)
            else:
                self._seen(seen, want, found)

    def _written(self) -> list[Part]:
        """All that has been seen, as parts for the parent."""
        if self.bulk:
            self.bulk.settle()
            self._visit(self._left())
        parts, self.written = [*self.written, *self.gathered.write()], []
        self.flushed_at = time.monotonic()
        return parts

    def _next_folder(self) -> bytes | None:
        is_enough = (
            self.step.files >= self.files_per_task
            or time.monotonic() - self.began > SECONDS_PER_TASK
        )
        if is_enough or not self.folders:
            return None
        task = self.folders.pop()
        number = entry_id(self.share, task.path)
        self.listings[task.path] = Listing(task, number, task.above)
        return task.path

    def _children(self) -> Iterator[tuple[Visit, Wanted | None]]:
        """Everything in the folders of which more is wanted than the listing said, and each page
        after its children. Folders that turn up join those to list."""
        for page in self._pages():
            self.at = page.folder
            listing = self.listings[page.folder]
            listing.children += page.child_count()
            if self.bulk and page.descriptor >= 0:
                self._in_bulk(self.bulk, page, listing)
                if not (page.children or self.bulk.left):
                    self._listed(page)  # what was wanted before it has been seen
                    continue
                yield from self._left()
            prefix, depth = (page.folder + b"/" if page.folder else b""), listing.task.depth + 1
            for child in self._single(page, listing):
                seen = Seen(prefix + child.name, listing.entry_id, depth, child)
                if child.kind == "folder":
                    seen = self._descend(seen, listing)
                yield from self._one(seen)
            yield (page, None), None

    def _pages(self) -> Iterator[Page]:
        """What is in the folders, but for the large ones: those are left to all workers."""
        walk = self.source.walk(self._next_folder)
        early: list[Page] = []  # of a folder that may yet turn out to be large
        while page := next(walk, None):
            task = self.listings[page.folder].task
            early.append(task.slice.cut(page) if task.slice else page)
            if page.is_last or task.slice or not self.leaves_large:
                yield from early
                early = []
            elif len(early) == MOST_PAGES:
                del self.listings[page.folder]
                self.step.large.append(task)
                early, walk = [], self.source.walk(self._next_folder)

    def _in_bulk(self, bulk: Bulk, page: Page, listing: Listing) -> None:
        """Visit the plain files and folders of a page at once."""
        depth = listing.task.depth + 1
        bulk.visit(page, listing.entry_id, depth)
        prefix = page.folder + b"/" if page.folder else b""
        for name in page.folders:
            self._to_list(FolderTask(prefix + os.fsencode(name), depth))
        read_bytes = bulk.take_read_bytes()
        self.step.size_bytes += read_bytes
        self._count(len(page.names), read_bytes)

    def _single(self, page: Page, listing: Listing) -> list[Child]:
        """The children that are not taken many at once."""
        if self.bulk:
            return page.children
        files, depth = page.listed, listing.task.depth + 1
        if files is None or self.listed_files is None:
            return page.every_child()
        if not self.listed_files.add(files, page.folder, listing.entry_id, depth):
            return page.every_child()
        self._count(len(files.names))
        return page.children

    def _left(self) -> Iterator[tuple[Visit, Wanted | None]]:
        """What could not be visited in bulk."""
        while self.bulk and self.bulk.left:
            path, parent_id, depth, kind = self.bulk.left.pop()
            self.step.files -= kind == "file"  # counted when it is seen
            child = Child(path.rpartition(b"/")[2], kind)
            yield from self._one(Seen(path, parent_id, depth, child))

    def _one(self, seen: Seen) -> Iterator[tuple[Visit, Wanted | None]]:
        """An entry of which more is wanted than the listing said; another is done with here."""
        if self.known and seen.child.kind == "file" and not seen.child.error:
            seen = self._recognised(seen, self.known)
        want = self._wanted(seen)
        if want:
            yield (seen, want), want
        else:
            self._seen(seen, None, _NOTHING)

    def _descend(self, seen: Seen, listing: Listing) -> Seen:
        """Have a folder listed too, unless it turns out to be a link back to one above it."""
        above, stat = None, seen.child.stat
        if stat:  # a listing of more than names: the server may have followed a link
            if listing.above is None:
                listing.above = self.loops.numbers_to(listing.task.path)
            target = self.loops.target(listing.task.path, listing.above, stat)
            if target is not None:
                link = seen.child._replace(kind="symlink", link_target=to_text(target))
                return seen._replace(child=link)
            above = (*listing.above, stat.file_id)
        self._to_list(FolderTask(seen.path, seen.depth, above))
        return seen

    def _to_list(self, task: FolderTask) -> None:
        if not self.listed or entry_id(self.share, task.path) not in self.listed:
            self.folders.append(task)

    def _recognised(self, seen: Seen, known: Known) -> Seen:
        """With its place in the earlier scan, if a file is as it was then."""
        try:
            stat = seen.child.stat or self.source.stat(seen.path)
        except OSError:
            return seen  # the visit will say why
        place = known.find_stat(stat, seen.path)
        if place is None:
            return seen
        return seen._replace(child=seen.child._replace(stat=stat), known=place)

    def _wanted(self, seen: Seen) -> Wanted | None:
        """What to ask the source about an entry, beside what its listing said."""
        is_read = seen.child.kind == "file" and self.reading.content
        if self.known and seen.known is not None:
            is_read = self.known.is_proof(seen.known)
        if seen.child.error or not (is_read or self.reading.security):
            return None
        stat = seen.child.stat
        ranges = first_ranges(stat.size_bytes) if stat and is_read else []
        more = more_of_head if self.reading.mime else no_more
        return Wanted(seen.path, ranges, stat, more, is_read, self.reading.security)

    def _listed(self, page: Page) -> None:
        """All children of a page have been seen; with the last one the folder is done."""
        if page.is_last:
            listing = self.listings.pop(page.folder)
            error = error_code(page.error) if page.error else None
            if self.step.sliced and listing.task.slice:
                self.step.sliced.children, self.step.sliced.error = listing.children, error
            else:
                self._failed(error)
                row = self.scan_id, listing.entry_id, None if error else listing.children, error
                self.gathered.rows["listings"].append(row)
        elif len(self.gathered) >= 2 * ROWS_PER_FLUSH:
            # A huge folder: memory stays flat, the commit still waits.
            self.written += self.gathered.write()

    def _seen(self, seen: Seen, want: Wanted | None, found: Found) -> None:
        """The rows of one entry."""
        number = entry_id(self.share, seen.path)
        stat, error = seen.child.stat, seen.child.error
        if want and want.read:
            note([number])
            # Where it has crashed libmagic its type stays unknown.
            reading = self.gently if number in self.suspects else self.reading
            stat, content = visit(self.source, want, found, reading)
            if not self._prove(seen, number, stat, content):
                self.gathered.rows["digests"].append((self.scan_id, number, *content, None))
            error = content.error if stat is None else None
            if stat is not None:
                self._failed(content.error)
        elif seen.known is not None:
            self.gathered.taken_over.append((number, seen.known))
            self.gathered.counts["taken over"] += 1
        elif stat is None:
            try:
                stat = self.source.stat(seen.path)
            except OSError as problem:
                error = error_code(problem)
        is_unread = seen.child.kind == "file" and not (want and want.read)
        if is_unread and stat and (stat.attributes or 0) & RECALLS:
            self._failed(OFFLINE)  # what reading it would have come to
        self._entry(number, seen, stat, error, self._security(number, found.security))

    def _prove(self, seen: Seen, number: int, stat: Stat | None, content: Content) -> bool:
        """Whether a file read again is what the earlier scan said it was: then all that is known of
        it from there stays, also what was not read now."""
        listed = seen.child.stat
        if self.known is None or seen.known is None or not (stat and listed):
            return False
        same = self.known.proves(seen.known, content) if stat[:3] == listed[:3] else None
        if same is not None:
            row = self.scan_id, number, same, self.known.read_in(seen.known)
            self.gathered.rows["proofs"].append(row)
            self.gathered.counts["proof same" if same else "proof differs"] += 1
        if same:
            self.gathered.taken_over.append((number, seen.known))
        return bool(same)

    def _security(self, number: int, security: Security | None) -> int | None:
        """The number of an entry's permissions: few are distinct, each is written once."""
        if security is None:
            return None
        for name, size in security.streams:
            shown = to_text(name.encode("utf-8", "surrogatepass"))
            self.gathered.rows["streams"].append((self.scan_id, number, shown, size))
        if security.descriptor is None:
            return None
        found = security_id(security.descriptor)
        if found not in self.owners:
            self.owners[found] = None
            try:
                told = parse(security.descriptor)
            except DescriptorMalformed:
                return None
            row = found, told.owner_sid, told.group_sid, told.dacl, told.denies
            self.owners[found] = told.owner_sid
            self.gathered.rows["securities"].append(row)
        return found

    def _entry(
        self, number: int, seen: Seen, stat: Stat | None, error: str | None, security: int | None
    ) -> None:
        kind, link = seen.child.kind, seen.child.link_target
        if stat and security is not None:
            stat = stat._replace(owner=self.owners[security])
        if kind == "symlink" and link is None:
            link = link_target(self.source, seen.path)
        row = entry_row(
            self.scan_id, self.share, number, seen.path, seen.parent_id, seen.depth, kind, stat,
            link, security, error,
        )  # fmt: skip
        self.gathered.rows["entries"].append(row)
        self.gathered.counts[kind] += 1
        if kind != "folder":
            size = stat.size_bytes if stat and kind == "file" else 0
            self._count(1)
            self.step.size_bytes += size if seen.known is None else 0
            self.gathered.counts["size_bytes"] += size
            self._failed(error)  # that of a folder is told by its listing

    def _where(self) -> str:
        return f"{self.share}/{to_text(self.at)}"

    def _count(self, files: int, read_bytes: int = 0) -> None:
        """So many files more have been seen."""
        self.step.files += files
        tell(files, read_bytes)

    def _failed(self, error: str | None) -> None:
        if error:
            self.step.failed += error != OFFLINE
            self.gathered.counts[f"error {error}"] += 1


def link_target(source: Source, path: bytes) -> str | None:
    try:
        return to_text(source.link_target(path))
    except OSError:
        return None
