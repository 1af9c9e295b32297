"""Room: local disks and mounted shares (Linux mounts, macOS, Windows drives and UNC paths).

Never: follow a symlink; change an access time where the system lets us avoid it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any

from migrate.errors import ShareUnreachable
from migrate.paths import native
from migrate.sources import (
    RECALLS,
    Child,
    Found,
    Page,
    Stat,
    Token,
    Trust,
    Wanted,
    linux,
    mounts,
    offline,
    storable,
)
from migrate.wording import NANOSECOND

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe must not hang us
_NO_ATIME = getattr(os, "O_NOATIME", 0)
_HAS_JUNCTIONS = hasattr(os.DirEntry, "is_junction")
PAGE_NAMES = 1_000
FAR_SECONDS = 0.0005  # to open a file; what a disk has in memory takes a hundredth of that
LOOKS = 4  # so many in a row: one alone may have waited for a processor
MOST_ABOVE = 64  # folders open at a time
_FOLDER = _READ | getattr(os, "O_DIRECTORY", 0)


@lru_cache(maxsize=65_536)
def owner_name(uid: int) -> str:
    """The name of a user, or the bare number where nobody has it (any more)."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


def _stat_of(result: os.stat_result) -> Stat:
    posix = os.name != "nt"
    birth = getattr(result, "st_birthtime_ns", None)
    seconds = getattr(result, "st_birthtime", None)
    if birth is None and seconds is not None:  # macOS has it in seconds only
        birth = int(seconds * NANOSECOND)
    return Stat(
        result.st_size, storable(result.st_mtime_ns),
        storable(result.st_ctime_ns) if posix else None, storable(result.st_atime_ns),
        None if birth is None else storable(birth), result.st_mode,
        owner_name(result.st_uid) if posix else None, result.st_ino, result.st_dev, result.st_nlink,
        getattr(result, "st_file_attributes", None),
    )  # fmt: skip


def _stat_of_statx(fields: linux.Fields, birth: int | None) -> Stat:
    return Stat(
        fields[9], storable(fields[21] * NANOSECOND + fields[22]),
        storable(fields[18] * NANOSECOND + fields[19]),
        storable(fields[12] * NANOSECOND + fields[13]), None if birth is None else storable(birth),
        fields[6], owner_name(fields[4]), fields[8], os.makedev(fields[26], fields[27]), fields[3],
    )  # fmt: skip


class LocalFile:
    """An open file of a local source."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def stat(self) -> Stat:
        if linux.has_statx():
            return _stat_of_statx(*linux.statx(self.descriptor, b"", linux.AT_EMPTY_PATH))
        return _stat_of(os.fstat(self.descriptor))

    def read_at(self, offset: int, size: int) -> bytes:
        """`size` bytes, fewer only at the end of the file."""
        if hasattr(os, "pread"):
            block = os.pread(self.descriptor, size, offset)
            if len(block) == size:
                return block
        else:
            os.lseek(self.descriptor, offset, os.SEEK_SET)
            block = b""
        while len(block) < size:
            more = self._more(size - len(block), offset + len(block))
            if not more:
                break
            block += more
        return block

    def ask_for(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Have the system read parts that will be read; they wait in its memory."""
        with suppress(OSError, AttributeError):  # a pipe; a system that cannot be asked
            for offset, size in ranges:
                os.posix_fadvise(self.descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def _more(self, size: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self.descriptor, size, offset)
        return os.read(self.descriptor, size)

    def close(self) -> None:
        os.close(self.descriptor)


class LocalSource:
    """A folder tree that the operating system shows. `in_disk_order`: children by file number,
    a page at a time, as their content lies on the disk near enough, not as the folder has them.
    `at_once`: how many files may be opened at a time, should one take long."""

    def __init__(self, root: str, in_disk_order: bool = False, at_once: int = 1) -> None:
        self.root, self.in_disk_order, self.at_once = root, in_disk_order, at_once
        self._flags = _READ | _NO_ATIME
        self._root_descriptor = -1
        self._late = 0  # how many files in a row took long to open
        self._above: list[tuple[bytes, int]] = []  # the open folders that the listed one lies in

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self._root_descriptor >= 0:
            os.close(self._root_descriptor)
            self._root_descriptor = -1

    def check(self) -> str:
        try:
            with os.scandir(native(self.root, b"")):
                pass
        except OSError as error:
            raise ShareUnreachable(
                f"the folder {self.root} cannot be listed: {error.strerror}",
                "Is it mounted, and may this user read it?",
            ) from None
        return ""

    def trust(self) -> Trust:
        return mounts.trust_of(self.root)

    def account_names(self, sids: Iterable[str]) -> dict[str, str]:
        return {}

    def native_path(self, path: bytes) -> bytes | str | None:
        return native(self.root, path)

    def walk(self, next_folder: Callable[[], bytes | None]) -> Iterator[Page]:
        """One folder at a time, a page for every thousand names."""
        try:
            while (folder := next_folder()) is not None:  # what stands here runs for every folder
                try:
                    descriptor = -1 if os.name == "nt" else self._enter(folder)
                    there: Any = native(self.root, folder) if descriptor < 0 else descriptor
                    with os.scandir(there) as children:
                        some = _in_disk_order(children) if self.in_disk_order else children
                        while not (page := _page(folder, some, descriptor)).is_last:
                            yield page
                        yield page
                except OSError as error:
                    yield Page(folder, [], True, error)
        finally:
            self._leave_all_but(None)

    def _enter(self, folder: bytes) -> int:
        """The descriptor of a folder, open until one is listed that does not lie in it. From the
        one it lies in, where that is open, it is one step; from the root it would be many, which on
        a mounted share may be a question each."""
        above, _, name = folder.rpartition(b"/")
        self._leave_all_but(above)
        descriptor = -1
        if self._above and name not in (b"", b".", b".."):
            try:
                descriptor = os.open(name, _FOLDER, dir_fd=self._above[-1][1])
            except OSError:
                descriptor = -1  # it may have been moved: from the root one sees
        if descriptor < 0:
            descriptor = self.open_folder(folder)
        if len(self._above) == MOST_ABOVE:
            os.close(self._above.pop(0)[1])
        self._above.append((folder, descriptor))
        return descriptor

    def open_folder(self, folder: bytes) -> int:
        """The descriptor of a folder, for `open_in`.

        Errors: OSError."""
        return self._open(folder, _FOLDER)

    def _leave_all_but(self, folder: bytes | None) -> None:
        """Close the open folders below one, and where that is not open, all."""
        while self._above and self._above[-1][0] != folder:
            os.close(self._above.pop()[1])

    def open_all(
        self, wanted: Iterable[tuple[Token, Wanted | None]]
    ) -> Iterator[tuple[Token, Found]]:
        todo = iter(wanted)
        for token, want in todo:
            yield token, self._found(want)
            if self._late >= LOOKS and self.at_once > 1:
                from migrate.sources.far import several

                yield from several(self._found_ahead, todo, self.at_once)

    def _found(self, want: Wanted | None) -> Found:
        if want is None or not want.read:
            return Found()
        began = time.perf_counter()
        try:
            return Found(self.open(want.path))
        except OSError as error:
            return Found(error=error.with_traceback(None))  # which would hold on to this source
        finally:
            is_late = time.perf_counter() - began > FAR_SECONDS
            self._late = self._late + 1 if is_late else 0

    def _found_ahead(self, want: Wanted | None) -> Found:
        """What will be read first is asked for already."""
        found = self._found(want)
        if want and isinstance(found.file, LocalFile):
            found.file.ask_for(want.ranges)
        return found

    def stat(self, path: bytes) -> Stat:
        place = native(self.root, path)
        if linux.has_statx() and isinstance(place, bytes):
            fields = linux.statx(linux.AT_FDCWD, place, linux.AT_SYMLINK_NOFOLLOW)
            return _stat_of_statx(*fields)
        return _stat_of(os.stat(place, follow_symlinks=False))  # noqa: PTH116 - bytes path

    def link_target(self, path: bytes) -> bytes:
        place: str | bytes = native(self.root, path)
        return os.fsencode(os.readlink(os.fsdecode(place)))  # noqa: PTH115 - as bytes, not a Path

    def open(self, path: bytes) -> LocalFile:
        if os.name == "nt" and (self.stat(path).attributes or 0) & RECALLS:
            raise offline(os.fsdecode(path))
        try:
            return LocalFile(self._open(path, self._flags))
        except PermissionError:
            if not self._flags & _NO_ATIME:
                raise
        # Only a file's owner may leave its access time alone.
        return LocalFile(self._open(path, self._flags & ~_NO_ATIME))

    def _open(self, path: bytes, flags: int) -> int:
        """A descriptor; where the system can, no link is followed anywhere below the root."""
        if self._root_descriptor < 0 and sys.platform == "linux":
            self._root_descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        found = linux.open_beneath(self._root_descriptor, path, flags)
        return os.open(native(self.root, path), flags) if found is None else found


def _page(folder: bytes, children: Iterator[Any], descriptor: int) -> Page:
    """The next children; plain files and folders by their names only, where their folder is
    open."""
    names: list[str] = []
    folders: list[str] = []
    others: list[Child] = []
    is_open, error = descriptor >= 0, None
    try:
        for child in islice(children, PAGE_NAMES):  # what stands here runs for every entry
            kind = _kind(child)
            if kind == "file" and is_open:
                names.append(child.name)
            elif kind == "folder" and is_open:
                folders.append(child.name)
            else:
                others.append(Child(os.fsencode(child.name), kind))
    except OSError as problem:
        error = problem
    is_last = error is not None or len(names) + len(folders) + len(others) < PAGE_NAMES
    return Page(folder, others, is_last, error, names, folders, descriptor)


def _in_disk_order(children: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    """Children by file number, as many at a time as are held anyway. What was listed before an
    error is told before it is raised."""
    is_more = True
    while is_more:
        some: list[os.DirEntry[str]] = []
        error = None
        try:
            for child in islice(children, PAGE_NAMES):
                some.append(child)  # kept, if the next one is an error
        except OSError as problem:
            error = problem
        yield from sorted(some, key=lambda child: child.inode())
        if error:
            raise error
        is_more = len(some) == PAGE_NAMES


def open_in(folder: int, name: str) -> int:
    """A file of an open folder, by its bare name, to be read; a link is not followed.

    Errors: OSError."""
    try:
        return os.open(name, _READ | _NO_ATIME, dir_fd=folder)
    except PermissionError:  # only a file's owner may leave its access time alone
        return os.open(name, _READ, dir_fd=folder)


def _kind(child: os.DirEntry[bytes] | os.DirEntry[str]) -> str:
    try:
        if child.is_file(follow_symlinks=False):
            return "file"
        if child.is_symlink() or (_HAS_JUNCTIONS and child.is_junction()):  # type: ignore[union-attr]
            return "symlink"
        return "folder" if child.is_dir(follow_symlinks=False) else "other"
    except OSError:
        return "other"
