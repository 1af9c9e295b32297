"""Room: where files come from. One file for each kind of source.

A source lists folders, describes entries and opens files; paths are bytes below its root. To add
one, write its file, name it in `open_source`, and add it to the contract tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from migrate.errors import ShareUnreachable
from migrate.paths import without_credentials


class Stat(NamedTuple):
    """What a source knows of one entry. Times in nanoseconds UTC; None where it keeps none, or one
    that the tables cannot hold (see `storable`)."""

    size_bytes: int
    mtime_ns: int | None
    ctime_ns: int | None
    atime_ns: int | None
    birthtime_ns: int | None
    mode: int
    owner: str | None
    file_id: int
    device_id: int
    link_count: int


def storable(time_ns: int) -> int | None:
    """A time as the tables hold it: int64 nanoseconds, from 1677 to 2262. Damaged file systems and
    unset Windows times (1601) give others."""
    return time_ns if -(1 << 63) <= time_ns < 1 << 63 else None


class Child(NamedTuple):
    name: bytes
    kind: str  # file | folder | symlink | other


class OpenFile(Protocol):
    """One file, open for reading. Never follows a symlink."""

    def stat(self) -> Stat: ...

    def read_at(self, offset: int, size: int) -> bytes: ...

    def close(self) -> None: ...


class Source(Protocol):
    """Errors of single entries are OSError with its errno: they become rows."""

    def check(self) -> None:
        """Raises ShareUnreachable if the root cannot be listed."""

    def list(self, folder: bytes) -> Iterator[Child]: ...

    def stat(self, path: bytes) -> Stat: ...

    def link_target(self, path: bytes) -> bytes: ...

    def open(self, path: bytes) -> OpenFile: ...


def open_source(root: str) -> Source:
    """The source for a share's path or URL."""
    if "://" in root:
        raise ShareUnreachable(
            f"{without_credentials(root)}: no source for {root.split(':')[0]!r} shares",
            "Mount the share and name the folder it is mounted on.",
        )
    from migrate.sources.local import LocalSource

    return LocalSource(root)


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
    import errno

    name = errno.errorcode.get(error.errno or 0, "unknown")
    return ERROR_CODES.get(name, name.lower())
