"""Room: where files go. One file for each kind of store.

To add a target, write its file, name it in `open_target`, and add it to the contract tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from migrate.errors import UsageError
from migrate.paths import without_credentials
from migrate.place import Place
from migrate.smb.address import is_address
from migrate.sources import OpenFile


class Stored(Struct, frozen=True):
    """What a target holds at a path."""

    size_bytes: int
    mtime_ns: int | None
    xxh3_128: bytes
    sha256: bytes


class Item(Struct, frozen=True):
    """What is to be stored: a manifest line's file, with the digests it must have."""

    path: str
    size_bytes: int
    mtime_ns: int | None  # None: the source has no usable date
    xxh3_128: bytes
    sha256: bytes | None
    token: str  # names this file's own partial copy, the same one after a crash

    def is_content_of(self, stored: Stored) -> bool:
        """Same size and digests."""
        same = (stored.size_bytes, stored.xxh3_128) == (self.size_bytes, self.xxh3_128)
        return same and self.sha256 in (None, stored.sha256)

    def read_back_in_words(self) -> str:
        """What a target is at when it has written the file."""
        return f"{self.path} (reading it back)"


class AlreadyThere(Exception):
    """The target holds something at this path; it was left alone."""


class IntegrityError(Exception):
    """What was read back is not what was written."""


class OtherContent(Exception):
    """What was read from the source has not the digest it should have; nothing was stored."""


class Target(Protocol):
    """A store. Errors of single files are OSError and the exceptions above."""

    name: str  # as receipts name it

    def check(self) -> None:
        """Raises ShareUnreachable if nothing can be written there."""

    def find(self, path: str) -> Stored | None:
        """Read back what is stored at a path; None for nothing."""

    def put(self, item: Item, source: OpenFile) -> Stored:
        """Store a file so that it is either wholly there, verified by reading it back, or not at
        all. Never overwrites."""

    def make_folder(self, path: str) -> None: ...

    def close(self) -> None:
        """Let go of what is held open; the target can be used again."""


def open_target(place: Place, among: int = 1) -> Target:
    """The target for a URL (file:///path, smb://host/share/folder), a plain folder path or
    \\\\host\\share; `among` says how many workers share what its server allows.

    Errors: UsageError for anything that could mean another place than it seems to."""
    from migrate.targets.folder import FolderTarget

    url = place.root
    if is_address(url):
        from migrate.targets.smb import SmbTarget

        return SmbTarget(place, among)
    parts = urlsplit(url)
    if parts.scheme != "file" and "://" not in url:
        if not url or url.startswith("file:"):
            raise UsageError(
                f"{url!r} is no target", "Give a folder, file:///folder or smb://host/share."
            )
        return FolderTarget(Path(url).absolute())
    shown = without_credentials(url)
    if parts.scheme != "file":
        raise UsageError(
            f"{shown}: no target for {parts.scheme!r} stores",
            "Give a folder, file:///folder or smb://host/share.",
        )
    if parts.netloc or parts.query or parts.fragment or not parts.path.startswith("/"):
        raise UsageError(
            f"{shown} is no file URL of a folder",
            "Write file:///folder with three slashes; # is %23 and ? is %3F.",
        )
    return FolderTarget(Path(unquote(parts.path)))
