"""Room: which files in some folders are the same: a look at once, before an estate is made.

In: folders. Out: groups of paths, the most space in copies first. Nothing is written, and nothing
but the groups is left: whoever wants to decide, record and move has the folders crawled.
Never: two names of one file, or an empty file, in a group.

All that is seen of a file is held in memory: some 500 bytes.
"""

from __future__ import annotations

import base64
import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, NamedTuple

from migrate.alike import Failed, Files, Folder, Reader, Seen, Whole, column
from migrate.engine.crew import Processes
from migrate.engine.portions import next_folders, portions
from migrate.engine.workers import Workers, meanwhile, readers
from migrate.events import Progress
from migrate.paths import needs_raw, to_text
from migrate.place import Place
from migrate.smb.address import is_address
from migrate.sources import open_source
from migrate.visit import WHOLE_BYTES

WHOLE_FILES_PER_TASK = 64
BYTES_PER_TASK = 64 << 20


class Group(NamedTuple):
    """Files with the same bytes, as paths that open them (see os.fsdecode). `copies_size_bytes`:
    what all but one of them take."""

    size_bytes: int
    copies_size_bytes: int
    paths: list[str]


class Duplicates(NamedTuple):
    """All groups, how much was looked at (each file once, whatever names it has), and what could
    not be read: path and reason. `are_printable`: the paths of the groups are text, and nothing in
    them could move the cursor."""

    groups: list[Group]
    files: int
    size_bytes: int
    failed: list[tuple[str, str]]
    are_printable: bool


class Everything:
    """All that the workers have seen, and which of it may be the same."""

    def __init__(self, roots: list[str]) -> None:
        self.roots = roots
        self.folders: list[bytes] = []
        self.root_of = column()
        self.folder_of = column()
        self.names: list[str] = []
        self.sizes, self.devices, self.numbers = column(), column(), column()
        self.digests: list[bytes] = []
        self.failed: list[Failed] = []
        # Of each digest, counted as they come: the workers are still reading.
        self._files_with: Counter[bytes] = Counter()
        self._tops = [root.rstrip("/") + "/" for root in roots]

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
        """Places of files that are the same, as their paths."""
        folders, names = self._folder_paths, self.names
        folder_of, sizes = self.folder_of, self.sizes
        groups = []
        for places in same:
            paths = [folders[folder_of[place]] + names[place] for place in places]
            paths.sort()
            size = sizes[places[0]]
            groups.append(Group(size, size * (len(paths) - 1), paths))
        return groups

    @cached_property
    def _folder_paths(self) -> list[str]:
        """Folders, and a slash."""
        return [
            self.path(root, path + b"/" if path else path)
            for root, path in zip(self.root_of, self.folders, strict=True)
        ]

    def are_printable(self) -> bool:
        """Whether every path may be shown as it is."""
        return all("".join(all_of).isprintable() for all_of in (self._folder_paths, self.names))

    def path(self, root: int, path: bytes) -> str:
        return self._tops[root] + os.fsdecode(path)

    def files(self) -> tuple[int, int]:
        """How many there are, and their bytes; of several names of a file one counts."""
        is_one_disk = len(set(self.devices)) == 1
        files = self.numbers if is_one_disk else zip(self.devices, self.numbers, strict=True)
        each: dict[Any, int] = dict(zip(files, self.sizes, strict=True))
        return len(each), sum(each.values())


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
    failed = sorted({(everything.path(at.root, at.path), at.error) for at in everything.failed})
    return Duplicates(groups, *everything.files(), failed, everything.are_printable())


def shown(path: str) -> str:
    """A path as people read it."""
    return to_text(os.fsencode(path))


def as_data(found: Duplicates) -> dict[str, Any]:
    """Groups and what could not be read, for scripts. Where a path is no UTF-8, its exact bytes
    stand beside it in base64 (of the other paths of a group, null)."""
    failed = [
        {"path": shown(path), "error": why, **({"path_b64": b64} if (b64 := _b64(path)) else {})}
        for path, why in found.failed
    ]
    if found.are_printable:
        return {"groups": [group._asdict() for group in found.groups], "failed": failed}
    return {"groups": [_group_data(group) for group in found.groups], "failed": failed}


def _group_data(group: Group) -> dict[str, Any]:
    exact = [_b64(path) for path in group.paths]
    beside = {"paths_b64": exact} if any(exact) else {}
    return {**group._asdict(), "paths": [*map(shown, group.paths)], **beside}


def _b64(path: str) -> str | None:
    """The bytes of a path, where its text does not give them back."""
    raw = os.fsencode(path)
    return base64.b64encode(raw).decode() if needs_raw(raw, to_text(raw)) else None


def _look_through(pool: Workers, everything: Everything) -> None:
    """Have every folder listed and its files read."""
    folders = deque(Folder(number, b"") for number in range(len(everything.roots)))
    pages: deque[Files] = deque()
    some_folders = next_folders(folders, pool)
    with Progress("looking through folders") as progress:
        for seen in pool.run(lambda: pages.popleft() if pages else some_folders(), progress):
            everything.add(seen)
            folders.extend(seen.left)
            pages.extend(seen.pages)
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
    total_bytes = sum(file.size_bytes for file in files)
    with Progress("reading whole", "files", len(files), total_bytes) as progress:
        for done in pool.run(lambda: next(tasks, None), progress):
            digests.update(done)
            progress.advance(len(done), sum(everything.sizes[place] for place, _ in done))
    for places in large:
        by_digest: dict[bytes, list[int]] = {}
        for place in places:
            digest = digests[place]
            if isinstance(digest, bytes):
                by_digest.setdefault(digest, []).append(place)
            else:
                everything.failed.append(Failed(*everything.whole(place)[1:3], digest))
        yield from (same for same in by_digest.values() if len(same) > 1)
