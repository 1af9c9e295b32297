"""Room: where files come from. One file for each kind of source.

A source lists folders, describes entries and opens files; paths are bytes below its root, in UTF-8
where the source has names in Unicode (lone surrogates kept as they are). To add one, write its
file, name it in `open_source`, and add it to the contract tests.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from migrate.errors import ShareUnreachable
from migrate.paths import without_credentials
from migrate.place import Place
from migrate.smb.address import is_address, parse_address

if TYPE_CHECKING:
    from migrate.smb.listing import Listed


AT_ONCE = 8  # files to have under way of a disk that has one wait: more gained nothing


class Stat(NamedTuple):
    """What a source knows of one entry. Times in nanoseconds UTC; None where it keeps none, or one
    that the tables cannot hold (see `storable`). `attributes` are those of Windows ([MS-FSCC] 2.6).
    """

    size_bytes: int
    mtime_ns: int | None
    ctime_ns: int | None
    atime_ns: int | None
    birthtime_ns: int | None
    mode: int | None
    owner: str | None
    file_id: int
    device_id: int
    link_count: int | None
    attributes: int | None = None


def storable(time_ns: int) -> int | None:
    """A time as the tables hold it: int64 nanoseconds, from 1677 to 2262. Damaged file systems and
    unset Windows times (1601) give others."""
    return time_ns if -(1 << 63) <= time_ns < 1 << 63 else None


class Child(NamedTuple):
    """An entry of a folder, with what the listing says of it beside its name and kind."""

    name: bytes
    kind: str  # file | folder | symlink | other
    stat: Stat | None = None
    link_target: str | None = None
    error: str | None = None  # why nothing more can be known of it


class Page(NamedTuple):
    """Some children of a folder; `is_last` of this folder. With `error` it was not read to its
    end. `names` are files and `folders` folders of which the listing says no more, in the folder
    that stays open as `descriptor` until a page of another is taken; `listed` are files of which it
    says all there is. Who does not want them so asks for `every_child`."""

    folder: bytes
    children: list[Child]
    is_last: bool
    error: OSError | None = None
    names: list[str] = []
    folders: list[str] = []
    descriptor: int = -1
    listed: Listed | None = None

    def child_count(self) -> int:
        listed = len(self.listed.names) if self.listed else 0
        return len(self.children) + len(self.names) + len(self.folders) + listed

    def every_child(self) -> list[Child]:
        files = [Child(os.fsencode(name), "file") for name in self.names]
        files += self.listed.children() if self.listed else []
        return [*self.children, *files, *(Child(os.fsencode(n), "folder") for n in self.folders)]


class Security(NamedTuple):
    """Owner and permissions of an entry, and its alternate data streams by name and size."""

    descriptor: bytes | None  # as the source has it
    streams: list[tuple[str, int]]


class OpenFile(Protocol):
    """One file, open for reading. Never follows a symlink."""

    def stat(self) -> Stat: ...

    def read_at(self, offset: int, size: int) -> bytes:
        """`size` bytes, fewer only at the end of the file."""

    def close(self) -> None: ...


def no_more(head: bytes) -> int:
    return 0


class Wanted(NamedTuple):
    """What is wanted of one entry. `ranges` (offset, size) will be read first; `more` says of what
    the first range brought how much of the file's beginning is needed then; `stat` if it was listed
    just now."""

    path: bytes
    ranges: list[tuple[int, int]]
    stat: Stat | None = None
    more: Callable[[bytes], int] = no_more
    read: bool = True
    security: bool = False


class Found(NamedTuple):
    """What was wanted, or why not. `file` is open."""

    file: OpenFile | None = None
    error: OSError | None = None
    security: Security | None = None


class Trust(NamedTuple):
    """What a later scan may rely on, see known.py. `lasting`: a file keeps its number, and every
    change of it changes its ctime; if not, `why_not` in words. `now_ns`: what the clock that sets
    those times says, or said a moment ago; None where nobody tells. `may_tell_mtime`: the ctime is
    the word of an SMB server, which may tell the mtime instead."""

    lasting: bool
    now_ns: int | None = None
    why_not: str = ""
    may_tell_mtime: bool = False


Token = TypeVar("Token")


class Source(Protocol):
    """Errors of single entries are OSError with its errno: they become rows."""

    def check(self) -> str:
        """How the source is connected, in words ('' for a folder of this machine).

        Raises ShareUnreachable if the root cannot be listed."""

    def close(self) -> None:
        """Let go of what is held open; the source can be used again."""

    def walk(self, next_folder: Callable[[], bytes | None]) -> Iterator[Page]:
        """List the folders that `next_folder` gives, perhaps several at a time, until it gives
        None when all before are listed. The pages of one folder come in order."""

    def stat(self, path: bytes) -> Stat: ...

    def link_target(self, path: bytes) -> bytes: ...

    def open(self, path: bytes) -> OpenFile: ...

    def open_all(
        self, wanted: Iterable[tuple[Token, Wanted | None]]
    ) -> Iterator[tuple[Token, Found]]:
        """Open what is wanted, perhaps several at a time; the answers in order. Each open file is
        closed by the caller before the next answer is taken. None passes through."""

    def trust(self) -> Trust:
        """What of its files' numbers and times another scan may believe."""

    def account_names(self, sids: Iterable[str]) -> dict[str, str]:
        """The names of accounts (SIDs) that the source knows."""

    def native_path(self, path: bytes) -> bytes | str | None:
        """The path under which other programs on this machine find the file, if there is one."""


def open_source(place: Place, among: int = 1) -> Source:
    """The source for a place; `among` says how many workers share what its server allows.

    Errors: ShareUnreachable; UsageError for an address that makes no sense."""
    if is_address(place.root):
        from migrate.config import Server
        from migrate.sources.smb import SmbSource

        address = parse_address(place.root)
        return SmbSource(address, place.server or Server(host=address.host), among)
    if "://" in place.root:
        raise ShareUnreachable(
            f"{without_credentials(place.root)}: no source for {place.root.split(':')[0]!r} shares",
            "Mount the share and name the folder it is mounted on.",
        )
    from migrate.sources.local import LocalSource

    at_once = 1 if place.rotating else max(1, AT_ONCE // among)
    return LocalSource(place.root, in_disk_order=place.rotating, at_once=at_once)


class SourceError(OSError):
    """An error of one entry for which no errno has the right word."""

    def __init__(self, number: int, message: str, path: str, code: str) -> None:
        super().__init__(number, message, path)
        self.code = code


# Attributes that say: reading brings the content back from elsewhere ([MS-FSCC] 2.6: OFFLINE,
# RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS).
RECALLS = 0x1000 | 0x40000 | 0x400000


OFFLINE = "offline"


def offline(path: str = "") -> SourceError:
    """The file's content lies on tape or in a cloud, and reading would bring it back."""
    return SourceError(errno.EAGAIN, "its content is offline; it was not recalled", path, OFFLINE)


ERROR_CODES = {
    "EACCES": "denied",
    "EPERM": "denied",
    "ENOENT": "vanished",
    "ESTALE": "vanished",
    "ENOTDIR": "vanished",
    "ELOOP": "became_a_link",
    "ENAMETOOLONG": "name_too_long",
    "EIO": "read_error",
    "ETIMEDOUT": "timed_out",
}


def error_code(error: OSError) -> str:
    """One word for the table; the errno's own name where we have no better one."""
    if isinstance(error, SourceError):
        return error.code
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return ERROR_CODES.get(name, name.lower())
