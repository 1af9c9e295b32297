"""Room: the workers of `duplicates`, who look through folders and read each file as far as a visit
reads it (see visit.py).

In: folders, some files of a large one, or files to be read whole. Out: what has been seen, as
columns, and what is left for whoever is free.
Never: follow a symlink.
"""

from __future__ import annotations

import os
import time
from array import array
from functools import partial
from stat import S_ISREG
from typing import Any, NamedTuple

import xxhash

from migrate.engine.underway import tell
from migrate.loops import Loops, Numbers
from migrate.paths import to_text
from migrate.place import Place
from migrate.sources import Child, Page, Source, Wanted, error_code, open_source
from migrate.sources.ahead import Ahead
from migrate.sources.local import LocalFile, LocalSource
from migrate.visit import (
    WHOLE_BYTES,
    Reading,
    examine,
    first_ranges,
    small_digest,
    visit,
    whole_digests,
)

FILES_PER_TASK = 4_000
FILES_AT_FIRST = 500  # of a worker's first task: until it is done the others have no folders
SECONDS_PER_TASK = 1.0  # the same, where files come slowly
READING = Reading(mime=False)


class Folder(NamedTuple):
    """A folder to look through: which of the roots it is in, and its path there. `above`: see
    FolderTask in visitor.py."""

    root: int
    path: bytes
    above: Numbers | None = None


class Files(NamedTuple):
    """Some of the files in a folder that holds more than a page of them, for whoever is free."""

    root: int
    folder: bytes
    names: list[str]


class Failed(NamedTuple):
    """What could not be read, and why."""

    root: int
    path: bytes
    error: str


class Whole(NamedTuple):
    """A file to be read whole."""

    place: int
    root: int
    path: bytes
    size_bytes: int


def column() -> array[int]:
    return array("Q")


class Seen:
    """Files that a worker has read, and what it did not get to. In columns: they take less time
    on their way to the parent.

    A digest is of all of a small file, of size, head and tail of another; those are no different
    files if equal. All names of a file have its device and number."""

    def __init__(self, left: list[Folder]) -> None:
        self.folders: list[bytes] = []
        self.roots = column()  # of the folders
        self.files_of = column()  # how many of each folder follow
        self.names: list[str] = []
        self.sizes = column()
        self.devices = column()
        self.numbers = column()
        self.digests: list[bytes] = []
        self.failed: list[Failed] = []
        self.left = left
        self.pages: list[Files] = []  # of large folders, for whoever is free
        self.is_waiting = False  # often had to wait for the disk

    def is_in(self, root: int, folder: bytes) -> bool:
        """Whether the folder last noted is this one: it has more than a page."""
        return bool(self.folders) and (self.roots[-1], self.folders[-1]) == (root, folder)

    def note_folder(self, root: int, folder: bytes, before: int) -> None:
        """What has been read since there were so many files before lies in this folder."""
        self.folders.append(folder)
        self.roots.append(root)
        self.files_of.append(len(self.names) - before)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "names": "/".join(self.names)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.names = state["names"].split("/") if state["names"] else []


class Reader:
    """A worker: looks through folders, or reads files whole."""

    def __init__(self, roots: list[str], among: int) -> None:
        self.sources = [open_source(Place(root), among) for root in roots]
        self.loops = [Loops(source) for source in self.sources]
        self.above: dict[bytes, Numbers | None] = {}  # of the folders that are being listed
        self.files_per_task = FILES_AT_FIRST
        self.ahead = Ahead()

    def work(
        self, task: Files | list[Folder] | list[Whole]
    ) -> Seen | list[tuple[int, bytes | str]]:
        if isinstance(task, Files):
            return self._read_some(task)
        if isinstance(task[0], Whole):
            return [self._whole(file) for file in task]
        return self._look(task)

    def drain(self) -> None:
        return None

    def _look(self, folders: list[Folder]) -> Seen:
        self.ahead.begin()
        self.began = time.monotonic()
        seen = Seen(left=folders)
        while folders and not self._is_enough(seen):
            root = folders[-1].root
            for page in self.sources[root].walk(partial(self._next_in, root, seen)):
                before = len(seen.names)
                self._read_page(page, root, seen)
                seen.note_folder(root, page.folder, before)
                tell(len(seen.names) - before, at=partial(to_text, page.folder))
                if page.error:
                    seen.failed.append(Failed(root, page.folder, error_code(page.error)))
                if page.is_last:
                    del self.above[page.folder]
        self.files_per_task = FILES_PER_TASK
        seen.is_waiting = self.ahead.judge(len(seen.names))
        return seen

    def _is_enough(self, seen: Seen) -> bool:
        is_late = time.monotonic() - self.began > SECONDS_PER_TASK
        return (bool(seen.folders) and is_late) or len(seen.names) >= self.files_per_task

    def _next_in(self, root: int, seen: Seen) -> bytes | None:
        if self._is_enough(seen) or not seen.left or seen.left[-1].root != root:
            return None
        _, path, self.above[path] = seen.left.pop()
        return path

    def _read_some(self, files: Files) -> Seen:
        """The files of a page that another worker has listed."""
        self.ahead.begin()
        seen = Seen(left=[])
        source = self.sources[files.root]
        assert isinstance(source, LocalSource)
        try:
            descriptor = source.open_folder(files.folder)
            try:
                self._read_files(descriptor, files, seen)
            finally:
                os.close(descriptor)
        except OSError as error:
            seen.failed.append(Failed(files.root, files.folder, error_code(error)))
        seen.note_folder(files.root, files.folder, 0)
        seen.is_waiting = self.ahead.judge(len(seen.names))
        return seen

    def _read_page(self, page: Page, root: int, seen: Seen) -> None:
        above = page.folder + b"/" if page.folder else b""
        is_open = page.descriptor >= 0
        if is_open:
            seen.left += [Folder(root, above + os.fsencode(name)) for name in page.folders]
            files = Files(root, page.folder, page.names)
            if page.names and seen.is_in(root, page.folder):
                seen.pages.append(files)
            else:
                self._read_files(page.descriptor, files, seen)
        wanted = []
        for child in page.children if is_open else page.every_child():
            path = above + child.name
            if child.kind == "folder":
                seen.left += self._unless_loop(page.folder, child, Folder(root, path))
            elif child.kind == "file" and not child.error:
                ranges = first_ranges(child.stat.size_bytes) if child.stat else []
                wanted.append(Wanted(path, ranges, child.stat))
            elif child.error:
                seen.failed.append(Failed(root, path, child.error))
        if wanted:
            self._read_one_by_one(self.sources[root], wanted, root, seen)

    def _read_files(self, descriptor: int, files: Files, seen: Seen) -> None:
        """Plain files of an open folder."""
        above = files.folder + b"/" if files.folder else b""
        open_file = self.ahead.opener(descriptor, files.names)
        names, sizes, digests = seen.names, seen.sizes, seen.digests
        devices, numbers = seen.devices, seen.numbers
        for name in files.names:  # what stands in this loop runs for every file
            try:
                file = open_file(name)
                try:
                    stat = os.fstat(file)
                    size = stat.st_size
                    if not size or not S_ISREG(stat.st_mode):
                        continue
                    digest = small_digest(file, size) if size <= WHOLE_BYTES else _large(file, size)
                finally:
                    os.close(file)
            except OSError as error:
                seen.failed.append(Failed(files.root, above + os.fsencode(name), error_code(error)))
                continue
            names.append(name)
            sizes.append(size)
            devices.append(stat.st_dev)
            numbers.append(stat.st_ino)
            digests.append(digest)

    def _unless_loop(self, listed: bytes, child: Child, folder: Folder) -> list[Folder]:
        """A folder to look through too, unless it is one above it: a server may follow links."""
        if child.stat is None:
            return [folder]
        loops = self.loops[folder.root]
        above = self.above[listed] or loops.numbers_to(listed)
        if loops.target(listed, above, child.stat) is not None:
            return []
        return [folder._replace(above=(*above, child.stat.file_id))]

    def _read_one_by_one(self, source: Source, wanted: list[Wanted], root: int, seen: Seen) -> None:
        """Files of a folder that is not open here."""
        for want, found in source.open_all((want, want) for want in wanted):
            stat, content = visit(source, want, found, READING)
            if stat is None or content.error:
                seen.failed.append(Failed(root, want.path, content.error or "unknown"))
            elif stat.size_bytes and content.sample_xxh3:
                digest = _digest(stat.size_bytes, content.sample_xxh3)
                name = os.fsdecode(want.path.rpartition(b"/")[2])
                seen.names.append(name)
                seen.sizes.append(stat.size_bytes)
                seen.devices.append(stat.device_id)
                seen.numbers.append(stat.file_id)
                seen.digests.append(digest)

    def _whole(self, file: Whole) -> tuple[int, bytes | str]:
        """The digest of a file, or why there is none."""
        tell(at=partial(to_text, file.path))
        try:
            opened = self.sources[file.root].open(file.path)
            try:
                return file.place, whole_digests(opened, file.size_bytes, sha256=False)[0]
            finally:
                opened.close()
        except OSError as error:
            return file.place, error_code(error)


def _large(file: int, size: int) -> bytes:
    return _digest(size, examine(LocalFile(file), size, b"", READING).sample_xxh3 or b"")


def _digest(size: int, sample: bytes) -> bytes:
    """What files have in common that may be the same."""
    return sample if size <= WHOLE_BYTES else xxhash.xxh3_128_digest(sample + b"%d" % size)
