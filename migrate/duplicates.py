"""Room: which files in some folders are the same: a look at once, before an estate is made.

In: folders. Out: groups of paths, the most space in copies first. Nothing is written, and nothing
but the groups is left: whoever wants to decide, record and move has the folders crawled.
Never: follow a symlink; two names of one file, or an empty file, in a group.

A file is read as a visit reads it (see visit.py), and all that is seen of it is held in memory:
some 500 bytes.
"""

from __future__ import annotations

import os
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from operator import attrgetter
from stat import S_ISREG
from typing import Any, NamedTuple

import xxhash

from migrate.engine.crew import Processes
from migrate.engine.portions import next_folders, portions
from migrate.engine.workers import Workers, meanwhile, readers
from migrate.events import Progress
from migrate.loops import Loops, Numbers
from migrate.paths import to_text
from migrate.place import Place
from migrate.smb.address import is_address
from migrate.sources import Child, Page, Source, Wanted, error_code, open_source
from migrate.sources.ahead import Ahead
from migrate.sources.local import LocalFile
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
WHOLE_FILES_PER_TASK = 64
BYTES_PER_TASK = 64 << 20
READING = Reading(mime=False)


class Folder(NamedTuple):
    """A folder to look through: which of the roots it is in, and its path there. `above`: see
    FolderTask in visitor.py."""

    root: int
    path: bytes
    above: Numbers | None = None


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


def _numbers() -> array[int]:
    return array("Q")


class Seen:
    """Files that a worker has read, and what it did not get to. In columns: they take less time
    on their way to the parent.

    A digest is of all of a small file, of size, head and tail of another; those are no different
    files if equal. All names of a file have its device and number."""

    def __init__(self, left: list[Folder]) -> None:
        self.folders: list[bytes] = []
        self.roots = _numbers()  # of the folders
        self.files_of = _numbers()  # how many of each folder follow
        self.names: list[str] = []
        self.sizes = _numbers()
        self.devices = _numbers()
        self.numbers = _numbers()
        self.digests: list[bytes] = []
        self.failed: list[Failed] = []
        self.left = left
        self.is_waiting = False  # often had to wait for the disk

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "names": "/".join(self.names)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.names = state["names"].split("/") if state["names"] else []


class Group(NamedTuple):
    """Files with the same bytes, as paths. `copies_size_bytes`: what all but one of them take."""

    size_bytes: int
    copies_size_bytes: int
    paths: list[str]


class Duplicates(NamedTuple):
    """All groups, how much was looked at, and what could not be read: path and reason.
    `are_printable`: nothing in the paths of the groups could move the cursor."""

    groups: list[Group]
    files: int
    size_bytes: int
    failed: list[tuple[str, str]]
    are_printable: bool


class Reader:
    """A worker: looks through folders, or reads files whole."""

    def __init__(self, roots: list[str], among: int) -> None:
        self.sources = [open_source(Place(root), among) for root in roots]
        self.loops = [Loops(source) for source in self.sources]
        self.above: dict[bytes, Numbers | None] = {}  # of the folders that are being listed
        self.files_per_task = FILES_AT_FIRST
        self.ahead = Ahead()

    def work(self, task: list[Folder] | list[Whole]) -> Seen | list[tuple[int, bytes | str]]:
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
                seen.folders.append(page.folder)
                seen.roots.append(root)
                seen.files_of.append(len(seen.names) - before)
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

    def _read_page(self, page: Page, root: int, seen: Seen) -> None:
        above = page.folder + b"/" if page.folder else b""
        is_open = page.descriptor >= 0
        if is_open:
            seen.left += [Folder(root, above + os.fsencode(name)) for name in page.folders]
            _read_files(page, self.ahead, root, above, seen)
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
        try:
            opened = self.sources[file.root].open(file.path)
            try:
                return file.place, whole_digests(opened, file.size_bytes, sha256=False)[0]
            finally:
                opened.close()
        except OSError as error:
            return file.place, error_code(error)


def _read_files(page: Page, ahead: Ahead, root: int, above: bytes, seen: Seen) -> None:
    """The plain files of an open folder."""
    open_file = ahead.opener(page.descriptor, page.names)
    names, sizes, digests = seen.names, seen.sizes, seen.digests
    devices, numbers = seen.devices, seen.numbers
    for name in page.names:  # what stands in this loop runs for every file
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
            path = above + os.fsencode(name)
            seen.failed.append(Failed(root, path, error_code(error)))
            continue
        names.append(name)
        sizes.append(size)
        devices.append(stat.st_dev)
        numbers.append(stat.st_ino)
        digests.append(digest)


def _large(file: int, size: int) -> bytes:
    return _digest(size, examine(LocalFile(file), size, b"", READING).sample_xxh3 or b"")


def _digest(size: int, sample: bytes) -> bytes:
    """What files have in common that may be the same."""
    return sample if size <= WHOLE_BYTES else xxhash.xxh3_128_digest(sample + b"%d" % size)


class Everything:
    """All that the workers have seen, and which of it may be the same."""

    def __init__(self, roots: list[str]) -> None:
        self.roots = roots
        self.folders: list[bytes] = []
        self.root_of = _numbers()
        self.folder_of = _numbers()
        self.names: list[str] = []
        self.sizes, self.devices, self.numbers = _numbers(), _numbers(), _numbers()
        self.digests: list[bytes] = []
        self.failed: list[Failed] = []
        # Of each digest, counted as they come: the workers are still reading.
        self._files_with: Counter[bytes] = Counter()
        self._tops = [to_text(os.fsencode(root).rstrip(b"/")) + "/" for root in roots]

    def add(self, seen: Seen) -> None:
        for number, files in enumerate(seen.files_of, len(self.folders)):
            self.folder_of.extend([number] * files)
        self.folders += seen.folders
        self.root_of.extend(seen.roots)
        self.digests += seen.digests
        self._files_with.update(seen.digests)
        self.names += seen.names
        self.sizes.extend(seen.sizes)
        self.devices.extend(seen.devices)
        self.numbers.extend(seen.numbers)
        self.failed += seen.failed

    def candidates(self, are_large: bool) -> Iterator[list[int]]:
        """Places of files that are alike, one for all names of a file: the first in the alphabet.
        Large ones may yet differ."""
        for places in self._alike.values():
            if (self.sizes[places[0]] > WHOLE_BYTES) != are_large:
                continue
            if len({self.numbers[place] for place in places}) < len(places):
                last_first = sorted(places, key=lambda place: self.whole(place)[1:3], reverse=True)
                names = {(self.devices[place], self.numbers[place]): place for place in last_first}
                places = [*names.values()]
            if len(places) > 1:
                yield places

    @cached_property
    def _alike(self) -> dict[bytes, list[int]]:
        """Places of files by their digest, where there are several."""
        files_with, alike = self._files_with, defaultdict(list)
        for place, digest in enumerate(self.digests):
            if files_with[digest] > 1:
                alike[digest].append(place)
        return alike

    def whole(self, place: int) -> Whole:
        number, name = self.folder_of[place], os.fsencode(self.names[place])
        above = self.folders[number]
        path = above + b"/" + name if above else name
        return Whole(place, self.root_of[number], path, self.sizes[place])

    def groups(self, same: Iterable[list[int]]) -> list[Group]:
        """Places of files that are the same, as people read them."""
        folders, names = self._shown_folders, self._shown_names
        folder_of, sizes = self.folder_of, self.sizes
        groups = []
        for places in same:
            paths = [folders[folder_of[place]] + names[place] for place in places]
            paths.sort()
            size = sizes[places[0]]
            groups.append(Group(size, size * (len(paths) - 1), paths))
        return groups

    @cached_property
    def _shown_folders(self) -> list[str]:
        """Folders as people read them, and a slash."""
        return [
            self.shown(root, path + b"/" if path else path)
            for root, path in zip(self.root_of, self.folders, strict=True)
        ]

    @cached_property
    def _shown_names(self) -> list[str]:
        try:
            "".join(self.names).encode()
        except UnicodeEncodeError:  # where something stands for a byte that is no text
            return [to_text(os.fsencode(name)) for name in self.names]
        return self.names

    def are_printable(self) -> bool:
        """Whether every path may be shown as it is."""
        both = self._shown_folders, self._shown_names
        return all("".join(shown).isprintable() for shown in both)

    def shown(self, root: int, path: bytes) -> str:
        return self._tops[root] + to_text(path)


def find(roots: list[str], workers: int | None) -> Duplicates:
    """Groups of files with the same bytes in some folders (or shares of servers).

    Errors: ShareUnreachable if one cannot be listed; WorkerDied."""
    for root in roots:
        source = open_source(Place(root))
        source.check()
        source.close()  # workers are forks: what is open here would be open in them
    everything = Everything(roots)
    groups: list[Group] = []
    at_first, at_most = readers(workers, any(is_address(root) for root in roots))
    with Workers(Processes(partial(Reader, roots, at_most), at_first), at_most) as pool:
        _look_through(pool, everything)
        large = [*everything.candidates(are_large=True)]
        small = everything.candidates(are_large=False)
        with meanwhile(lambda: groups.extend(everything.groups(small))):  # the workers read
            same = [*_read_whole(pool, everything, large)]
    groups += everything.groups(same)
    groups.sort(key=lambda group: (-group.copies_size_bytes, group.paths))
    failed = sorted((everything.shown(at.root, at.path), at.error) for at in everything.failed)
    files, size_bytes = len(everything.names), sum(everything.sizes)
    return Duplicates(groups, files, size_bytes, failed, everything.are_printable())


def _look_through(pool: Workers, everything: Everything) -> None:
    """Have every folder listed and its files read."""
    folders = deque(Folder(number, b"") for number in range(len(everything.roots)))
    with Progress("looking through folders") as progress:
        for seen in pool.run(next_folders(folders, pool)):
            everything.add(seen)
            folders.extend(seen.left)
            pool.said_to_wait(seen.is_waiting)
            progress.advance(len(seen.names), 0, len(seen.failed))


def _read_whole(
    pool: Workers, everything: Everything, large: list[list[int]]
) -> Iterator[list[int]]:
    """Of files with the same size, head and tail those that are the same from end to end."""
    files = [everything.whole(place) for places in large for place in places]
    files.sort(key=lambda file: -file.size_bytes)
    tasks = portions(files, attrgetter("size_bytes"), BYTES_PER_TASK, WHOLE_FILES_PER_TASK)
    digests: dict[int, bytes | str] = {}
    with Progress("reading whole", total=len(files)) as progress:
        for done in pool.run(lambda: next(tasks, None)):
            digests.update(done)
            progress.advance(len(done))
    for places in large:
        by_digest: dict[bytes, list[int]] = {}
        for place in places:
            digest = digests[place]
            if isinstance(digest, bytes):
                by_digest.setdefault(digest, []).append(place)
            else:
                everything.failed.append(Failed(*everything.whole(place)[1:3], digest))
        yield from (same for same in by_digest.values() if len(same) > 1)
