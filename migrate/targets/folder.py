"""Room: a folder as the new store (a disk, or a mounted share).

A file is written under a temporary name beside its place, fsynced, read back from the disk, dated,
and renamed without ever replacing anything. Never: follow a symlink out of the store; leave half a
file under a final name.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import xxhash
from msgspec.structs import replace

from migrate.engine.underway import tell
from migrate.errors import ShareUnreachable
from migrate.estate import sync_folder
from migrate.paths import inside
from migrate.sources import OpenFile
from migrate.targets import AlreadyThere, IntegrityError, Item, OtherContent, Stored

BLOCK_BYTES = 1 << 20
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class FolderTarget:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = root.as_uri()

    def check(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".migrate-probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise ShareUnreachable(
                f"the target {self.root} cannot be written to: {error.strerror}",
                "Is it mounted, and may this user write there?",
            ) from None

    def close(self) -> None: ...

    def find(self, path: str) -> Stored | None:
        place = inside(self.root, path)
        try:
            return _read_back(place, counts=True)
        except FileNotFoundError:
            return None

    def make_folder(self, path: str) -> None:
        _make_folders(self.root, inside(self.root, f"{path}/x").parent)

    def put(self, item: Item, source: OpenFile) -> Stored:
        place = inside(self.root, item.path)
        partial = place.parent / f".migrate-{item.token}.partial"
        if os.path.lexists(place):
            partial.unlink(missing_ok=True)  # a crash between link and unlink
            raise AlreadyThere(item.path)
        _make_folders(self.root, place.parent)
        try:
            written = _copy(source, partial)
            tell(at=item.read_back_in_words)
            stored = _read_back(partial, counts=False)
            if stored.xxh3_128 != written:
                raise IntegrityError(f"{item.path}: what was read back is not what was written")
            if not item.is_content_of(stored):
                raise OtherContent(item.path)
            if item.mtime_ns is not None:
                os.utime(partial, ns=(item.mtime_ns, item.mtime_ns))
            _rename_new(partial, place)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(place.parent)
        return replace(stored, mtime_ns=item.mtime_ns)


def _make_folders(root: Path, folder: Path) -> None:
    """Make a folder and those above it, each on the disk before the next."""
    if folder.is_dir():
        return
    if folder == root:
        root.mkdir(parents=True)
        return
    _make_folders(root, folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _copy(source: OpenFile, partial: Path) -> bytes:
    """Write all of an open file; its digest. A leftover of a killed run is written anew."""
    digest = xxhash.xxh3_128()
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        offset = 0
        while block := source.read_at(offset, BLOCK_BYTES):
            digest.update(block)
            file.write(block)
            offset += len(block)
            tell(size_bytes=len(block))
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):  # read back from the disk, not from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return digest.digest()


def _read_back(place: Path, *, counts: bool) -> Stored:
    """What a file on the disk holds. `counts`: reading it is work done, and not done twice."""
    fast, slow = xxhash.xxh3_128(), hashlib.sha256()
    with os.fdopen(os.open(place, os.O_RDONLY | _FLAGS), "rb") as file:
        stat = os.fstat(file.fileno())
        while block := file.read(BLOCK_BYTES):
            fast.update(block)
            slow.update(block)
            tell(size_bytes=len(block) if counts else 0)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return Stored(stat.st_size, stat.st_mtime_ns, fast.digest(), slow.digest())


def _rename_new(partial: Path, place: Path) -> None:
    """Rename, but never onto something: a hard link fails where the name is taken.

    File systems without hard links (FAT, some mounts) are asked just before instead."""
    if os.name == "nt":  # os.rename refuses an existing name there
        try:
            partial.rename(place)
        except FileExistsError:
            raise AlreadyThere(str(place)) from None
        return
    try:
        os.link(partial, place, follow_symlinks=False)
        partial.unlink()
    except FileExistsError:
        raise AlreadyThere(str(place)) from None
    except OSError:
        if os.path.lexists(place):
            raise AlreadyThere(str(place)) from None
        partial.rename(place)
