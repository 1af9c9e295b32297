"""Room: a share of a file server as the new store, over SMB2/3, without mounting anything.

A file is written under a temporary name beside its place, flushed, closed, read back over the wire,
dated, and renamed by the server, which replaces nothing. While it is read back and renamed nobody
else may write to it. When the connection breaks, the copy is begun again from its start.
Never: follow a link out of the store; leave half a file under a final name.

What a server follows by itself (on Samba a link within the share) it shows as a folder, and it is
one here too unless it leads back up; links that the server hides are refused.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TypeVar

import xxhash

from migrate.config import Server
from migrate.engine.underway import tell
from migrate.errors import ShareUnreachable
from migrate.paths import PathEscapes, printable
from migrate.place import Place
from migrate.smb import messages as smb
from migrate.smb import writing
from migrate.smb.address import parse_address
from migrate.smb.channel import ConnectionLost, Wire
from migrate.smb.engine import MOST_TRIES, Engine, Job, Steps, retry_seconds
from migrate.smb.file import CHUNK_BYTES, CHUNKS_AHEAD, SmbFile
from migrate.smb.messages import Opened
from migrate.smb.status import OBJECT_NAME_COLLISION, OBJECT_NAME_NOT_FOUND, OK, error_of
from migrate.sources import OpenFile, SourceError
from migrate.targets import AlreadyThere, IntegrityError, Item, OtherContent, Stored

_UNSAFE = {"\0", "\\", ":"}  # name:stream

Result = TypeVar("Result")


class SmbTarget:
    """One share, or one folder of it. `among`: how many workers share what the server allows."""

    def __init__(self, place: Place, among: int = 1) -> None:
        self.address = parse_address(place.root)
        self.name = self.address.url
        self.engine = Engine(self.address, place.server or Server(host=self.address.host), among)

    def check(self) -> None:
        probe = f".migrate-probe-{os.getpid()}-{time.time_ns():x}"
        self.engine.link(patiently=False)  # a wrong name or password is told at once
        try:
            self._make_root()
            name = self._wire_name([probe])
            self.engine.run(lambda: writing.probe(name), "open")
        except OSError as error:
            raise ShareUnreachable(
                f"the target {self.address.unc} cannot be written to: {error.strerror}",
                "Is it the right folder, and may this user write there?",
            ) from None

    def close(self) -> None:
        self.engine.close()

    def find(self, path: str) -> Stored | None:
        names = _names(path)
        if self._folders_there(names[:-1]) < len(names) - 1:
            return None
        try:
            file = SmbFile(self.engine, self._wire_name(names), 0)
        except FileNotFoundError:
            return None
        try:
            content, mtime_ns = _Content(), file.stat().mtime_ns
            while block := file.read_at(content.size_bytes, CHUNK_BYTES):
                content.add(block)
                tell(size_bytes=len(block))
            return content.stored(mtime_ns)
        finally:
            file.close()

    def make_folder(self, path: str) -> None:
        self._make_folders(_names(path))

    def put(self, item: Item, source: OpenFile) -> Stored:
        names = _names(item.path)
        problem = None
        for _ in range(MOST_TRIES):
            try:
                return self._put(item, source, names)
            except ConnectionLost as lost:
                problem = lost
        message = f"the connection broke {MOST_TRIES} times at it: {problem}"
        raise SourceError(errno.ECONNRESET, message, "", "connection_lost")

    def _put(self, item: Item, source: OpenFile, names: list[str]) -> Stored:
        """One try, on one connection. Errors: as `put`, ConnectionLost."""
        folder, place = self._wire_name(names[:-1]), self._wire_name(names)
        copy = self._wire_name([*names[:-1], f".migrate-{item.token}.partial"])
        there = self._look(place)
        self._make_folders(names[:-1])
        if self._is_there(there):
            with contextlib.suppress(OSError):  # of a run that was killed
                self.engine.run(lambda: writing.remove(copy), "open")
            raise AlreadyThere(item.path)
        self.engine.link()
        wire = self.engine.wires[0]
        written = self._write(wire, copy, source)
        stored = self._keep(wire, copy, place, item, written)
        with contextlib.suppress(OSError, ConnectionLost):  # not every server can
            self.engine.run(lambda: writing.flush_folder(folder), "flush", wire)
        return stored

    # Names and folders

    def _wire_name(self, names: list[str]) -> bytes:
        """A path below the root as the server is asked for it."""
        return self.engine.link().wire_name(*names)

    def _make_root(self) -> None:
        """The root and all above it. That one of those is a link is the administrator's choice."""
        root = self._wire_name([])
        if self._is_there(self._look(root, smb.FOLDER)):
            return
        link = self.engine.link()
        above: list[str] = [link.prefix]
        for name in link.address.folder.split("\\"):
            above.append(name)
            folder = _encoded(filter(None, above))
            self.engine.wait(self._look(folder, smb.FOLDER, smb.OPEN_OR_CREATE))

    def _folders_there(self, names: list[str]) -> int:
        """How many of these folders there are, each in the one before it; -1 if not even the root.

        Errors: PathEscapes for a link among them, or one that leads back up; OSError."""
        jobs = [
            self._look(self._wire_name(names[:depth]), smb.FOLDER)
            for depth in range(len(names) + 1)
        ]
        above: set[tuple[int, int]] = set()
        for depth, job in enumerate(jobs):
            try:
                told, number = self.engine.wait(job)
            except FileNotFoundError:
                return depth - 1
            if depth:
                _must_be_no_link(told, names[:depth])
            if (number, told.created) in above:
                raise _escapes(names[:depth], "leads back to a folder above it")
            if number:
                above.add((number, told.created))
        return len(names)

    def _make_folders(self, names: list[str]) -> None:
        """The folders that are not there yet. Errors: PathEscapes, OSError."""
        for depth in range(self._folders_there(names) + 1, len(names) + 1):
            folder = self._wire_name(names[:depth])
            try:
                told, _ = self.engine.wait(self._look(folder, smb.FOLDER, smb.OPEN_OR_CREATE))
            except FileNotFoundError:
                why = "cannot be made: a link that the server hides, or too long a path"
                raise _escapes(names[:depth], why) from None
            _must_be_no_link(told, names[:depth])

    def _look(
        self, name: bytes, options: int = 0, disposition: int = smb.OPEN
    ) -> Job[tuple[Opened, int]]:
        return self.engine.start(lambda: writing.look(name, options, disposition), "open")

    def _is_there(self, look: Job[tuple[Opened, int]]) -> bool:
        try:
            self.engine.wait(look)
        except FileNotFoundError:
            return False
        return True

    # The partial copy

    def _write(self, wire: Wire, copy: bytes, source: OpenFile) -> bytes:
        """Write all of an open file and have it on the server's disk; its digest."""
        digest = xxhash.xxh3_128()
        blocks = _blocks(source, _chunk_bytes(wire), digest)
        (_, head), second = next(blocks, (0, b"")), next(blocks, None)
        file_id, taken = self._create(wire, copy, head, is_whole=second is None)
        with self._ours(wire, file_id):
            left = [(taken, head[taken:])] if taken < len(head) else []
            if left or second:
                todo = chain(left, [second] if second else [], blocks)
                jobs = (partial(writing.write_block, file_id, *block) for block in todo)
                deque(self._pipelined(wire, jobs, "write"), maxlen=0)
                self._run(wire, writing.done([smb.flush(file_id)]), "flush")
            self._run(wire, writing.done([smb.close(file_id)]), "open")
        return digest.digest()

    def _create(self, wire: Wire, copy: bytes, head: bytes, *, is_whole: bool) -> tuple[bytes, int]:
        """Make the partial copy with its first bytes: its handle, and how many were taken. What an
        earlier try left is removed; a connection that broke may hold it open for a while."""
        for tries in range(MOST_TRIES):
            time.sleep(retry_seconds(tries))
            try:
                return self.engine.run(lambda: writing.create(copy, head, is_whole), "open", wire)
            except FileExistsError:
                with contextlib.suppress(OSError):
                    self.engine.run(lambda: writing.remove(copy), "open")
            except FileNotFoundError:
                name = smb.text_of(copy).rpartition("\\")[2]
                why = "cannot be made: a link that the server hides, or its folder has just gone"
                raise _escapes([name], why) from None
        raise SourceError(errno.EBUSY, "what an earlier try left cannot be removed", "", "in_use")

    def _keep(self, wire: Wire, copy: bytes, place: bytes, item: Item, written: bytes) -> Stored:
        """Read the partial copy back, and give it its date and its name."""
        size = _chunk_bytes(wire)
        reopened = self._run(wire, writing.reopen(copy, item.mtime_ns, size), "open")
        file_id, size_bytes, head = reopened
        with self._ours(wire, file_id):
            offsets = range(size, size_bytes, size)
            jobs = (partial(writing.read_block, file_id, offset, size) for offset in offsets)
            content = _Content()
            tell(at=item.read_back_in_words)
            for block in chain([head], self._pipelined(wire, jobs, "chunk")):
                content.add(block)
                tell()
            stored = content.stored(item.mtime_ns)
            if stored.xxh3_128 != written:
                raise IntegrityError(f"{item.path}: what was read back is not what was written")
            if not item.is_content_of(stored):
                raise OtherContent(item.path)
            self._rename(wire, file_id, copy, item)
        self.engine.start(lambda: writing.done([smb.close(file_id)]), "open", wire)
        return content.stored(self._mtime_ns(place))

    def _rename(self, wire: Wire, file_id: bytes, copy: bytes, item: Item) -> None:
        link = self.engine.link()  # a new name is told without the prefix of DFS
        new = _encoded(filter(None, (link.address.folder, *item.path.split("/"))))
        try:
            status = self._run(wire, writing.rename(file_id, new), "open")
        except ConnectionLost:
            if self._is_renamed(item, copy):
                return
            raise
        if status in (OBJECT_NAME_COLLISION, OBJECT_NAME_NOT_FOUND):  # or a link that is hidden
            raise AlreadyThere(item.path)
        if status != OK:
            raise error_of(status)

    def _is_renamed(self, item: Item, copy: bytes) -> bool:
        """Whether our file has its name although the connection broke at the renaming."""
        if self._is_there(self._look(copy)):
            return False
        found = self.find(item.path)
        return found is not None and item.is_content_of(found)

    def _mtime_ns(self, place: bytes) -> int | None:
        """The time that the server has kept, of what is in its place now."""
        try:
            told, _ = self.engine.wait(self._look(place))
        except FileNotFoundError:
            message = "the server has given it another name, or somebody has taken it away"
            raise SourceError(errno.EIO, message, "", "vanished_in_target") from None
        return smb.time_ns(told.written)

    @contextlib.contextmanager
    def _ours(self, wire: Wire, file_id: bytes) -> Iterator[None]:
        """Our own file, open: taken away if anything goes wrong."""
        try:
            yield
        except ConnectionLost:
            raise
        except BaseException:
            with contextlib.suppress(OSError, ConnectionLost):
                self.engine.run(lambda: writing.discard(file_id), "open", wire)
            raise

    def _run(self, wire: Wire, steps: Steps[Result], kind: str) -> Result:
        """The result of a job on the partial copy. Errors: OSError, ConnectionLost."""
        try:
            return self.engine.run(lambda: steps, kind, wire)
        except FileNotFoundError as error:  # which would say that the source is gone
            message = f"it was taken away while it was written: {error.strerror}"
            raise SourceError(errno.EIO, message, "", "vanished_in_target") from None

    def _pipelined(
        self, wire: Wire, jobs: Iterable[Callable[[], Steps[Result]]], kind: str
    ) -> Iterator[Result]:
        """The jobs' results in order; several jobs are on their way at once."""
        flying: deque[Job[Result]] = deque()
        for make in jobs:
            flying.append(self.engine.start(make, kind, wire))
            self.engine.send_ready()
            if len(flying) >= CHUNKS_AHEAD or not self.engine.has_room():
                yield self.engine.wait(flying.popleft())
        while flying:
            yield self.engine.wait(flying.popleft())


class _Content:
    """What was read back so far."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._fast, self._slow = xxhash.xxh3_128(), hashlib.sha256()

    def add(self, block: bytes) -> None:
        self.size_bytes += len(block)
        self._fast.update(block)
        self._slow.update(block)

    def stored(self, mtime_ns: int | None) -> Stored:
        return Stored(self.size_bytes, mtime_ns, self._fast.digest(), self._slow.digest())


def _blocks(source: OpenFile, size: int, digest: xxhash.xxh3_128) -> Iterator[tuple[int, bytes]]:
    """An open file in blocks, each with its offset; the digest gets them too."""
    offset = 0
    while block := source.read_at(offset, size):
        digest.update(block)
        yield offset, block
        offset += len(block)
        tell(size_bytes=len(block))


def _chunk_bytes(wire: Wire) -> int:
    return min(CHUNK_BYTES, wire.link.most_bytes)


def _names(path: str) -> list[str]:
    """Errors: PathEscapes for anything that could lead elsewhere."""
    names = path.split("/")
    if any(name in ("", ".", "..") or set(name) & _UNSAFE for name in names):
        raise PathEscapes(f"{printable(path)!r} is no path on a share")
    return names


def _encoded(names: Iterable[str]) -> bytes:
    return "\\".join(names).encode("utf-16-le", "surrogatepass")


def _must_be_no_link(told: Opened, names: list[str]) -> None:
    if told.attributes & smb.IS_REPARSE:
        raise _escapes(names, "is a link; nothing is written through it")


def _escapes(names: list[str], why: str) -> PathEscapes:
    return PathEscapes(f"{printable(names[-1])!r} in the target {why}")
