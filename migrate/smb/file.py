"""Room: files on a server: a look at one of many, or one open to its end.

A look is one compound: open, read what will be read first, close. It leaves nothing open. What was
not read then is read by opening the file again, if it is still the same.
Never: recall an offline file; lock other users out; put together the bytes of two versions.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from migrate.smb import messages as smb
from migrate.smb.channel import ConnectionLost, Wire
from migrate.smb.engine import MOST_TRIES, Engine, Job, Steps
from migrate.smb.messages import Answer, Answers, Malformed, Opened, Request
from migrate.smb.status import END_OF_FILE, OK, must_be_ok
from migrate.sources import RECALLS, OpenFile, Security, SourceError, Stat, Wanted, offline

READ_ACCESS = smb.READ_DATA | smb.READ_ATTRIBUTES | smb.SYNCHRONIZE
LOOK_ACCESS = smb.READ_ATTRIBUTES | smb.SYNCHRONIZE
READ_OPTIONS = smb.NOT_FOLDER | smb.NO_RECALL
CHUNK_BYTES = 1 << 20
CHUNKS_AHEAD = 6
SECURITY_BYTES, STREAMS_BYTES = 65_536, 65_536


def stat_of(told: Opened, file_id: int, device_id: int, link_count: int | None = None) -> Stat:
    """What a server tells of a file, as every source tells it."""
    return Stat(
        told.size_bytes, smb.time_ns(told.written), smb.time_ns(told.changed),
        smb.time_ns(told.accessed), smb.time_ns(told.created), None, None, file_id, device_id,
        link_count, told.attributes,
    )  # fmt: skip


# A look


class Looked(NamedTuple):
    """What a look saw: the file before and after, pieces of it by their offset."""

    before: Opened
    after: Opened
    pieces: list[tuple[int, bytes]]
    security: Security | None = None


def look(name: bytes, want: Wanted, most_bytes: int) -> Steps[Looked]:
    """Open, read, close; and once more where the head says that more of it is needed.

    Errors: OSError."""
    looked = yield from _past_denied_permissions(name, want, most_bytes)
    if looked.pieces and looked.pieces[0][0] == 0:
        size = min(want.more(looked.pieces[0][1]), looked.before.size_bytes)
        if size > len(looked.pieces[0][1]):
            again = want._replace(ranges=[(0, size)], security=False)
            more = yield from _look(name, again, most_bytes)
            looked = looked._replace(after=more.after, pieces=more.pieces + looked.pieces)
    return looked


def _past_denied_permissions(name: bytes, want: Wanted, most_bytes: int) -> Steps[Looked]:
    """A look; without its permissions where those alone are denied."""
    try:
        return (yield from _look(name, want, most_bytes))
    except PermissionError:
        if not want.security:
            raise
    return (yield from _look(name, want._replace(security=False), most_bytes))


def _look(name: bytes, want: Wanted, most_bytes: int) -> Steps[Looked]:
    """One compound if the file was listed just now; else, as it may have gone to tape since, its
    attributes are looked at before anything is read."""
    opening = _opening(name, want)
    ranges = want.ranges if want.read else []
    if want.stat is not None or not ranges:
        answers = yield [*opening, *_reads(ranges, most_bytes), smb.close()]
        must_be_ok(answers[0].status)
    else:
        answers = yield opening
        must_be_ok(answers[0].status)
        file_id = smb.file_id(answers[0])
        if smb.opened(answers[0]).attributes & RECALLS:
            yield [smb.close(file_id)]
            raise offline()
        answers += yield [*_reads(ranges, most_bytes, file_id), smb.close(file_id)]
    pieces = _pieces(ranges, most_bytes, answers[len(opening) : -1])
    security = _security(answers[1:3]) if want.security else None
    return Looked(smb.opened(answers[0]), smb.opened(answers[-1]), pieces, security)


def _opening(name: bytes, want: Wanted) -> list[Request]:
    """CREATE, and the questions about permissions and streams."""
    access = READ_ACCESS if want.read else LOOK_ACCESS
    options = READ_OPTIONS if want.read else smb.OPEN_LINK_ITSELF
    if not want.security:
        return [smb.create(name, access, options)]
    return [
        smb.create(name, access | smb.READ_CONTROL, options),
        smb.query_info(smb.SECURITY_INFO, 0, SECURITY_BYTES, smb.OWNER_GROUP_DACL),
        smb.query_info(smb.FILE_INFO, smb.STREAM_CLASS, STREAMS_BYTES),
    ]


def _reads(
    ranges: list[tuple[int, int]], most_bytes: int, file_id: bytes = smb.SAME_FILE
) -> list[Request]:
    return [
        smb.read(offset + at, min(most_bytes, size - at), file_id)
        for offset, size in ranges
        for at in range(0, size, most_bytes)
    ]


def _pieces(
    ranges: list[tuple[int, int]], most_bytes: int, answers: Answers
) -> list[tuple[int, bytes]]:
    """What `_reads` brought, one piece for each range. A short piece ends the file.

    Errors: OSError; Malformed for more than was asked for, or anything behind a gap."""
    left = iter(answers)
    pieces = []
    for offset, size in ranges:
        content = b""
        for at in range(0, size, most_bytes):
            more = _read(next(left))
            if len(more) > min(most_bytes, size - at) or (more and len(content) < at):
                raise Malformed("a read brought what was not asked for")
            content += more
        pieces.append((offset, content))
    return pieces


def _read(answer: Answer) -> bytes:
    if answer.status == END_OF_FILE:
        return b""
    must_be_ok(answer.status)
    return bytes(smb.read_data(answer))


def _security(answers: Answers) -> Security:
    descriptor, streams = answers
    return Security(
        bytes(smb.info(descriptor)) if descriptor.status == OK else None,
        smb.streams(smb.info(streams)) if streams.status == OK else [],
    )


class LookedFile:
    """A file as a look left it; opened again only for what the look has not read."""

    def __init__(self, looked: Looked, listed: Stat | None, reopen: Callable[[], OpenFile]) -> None:
        self.looked, self.listed = looked, listed
        self._reopen = reopen
        self._file: OpenFile | None = None
        self._told = False

    def stat(self) -> Stat:
        """The first time as it was when it was opened, then as it is."""
        if self._file:
            return self._file.stat()
        told, self._told = (self.looked.after if self._told else self.looked.before), True
        ids = self.listed[7:9] if self.listed else (0, 0)
        return stat_of(told, *ids)

    def read_at(self, offset: int, size: int) -> bytes:
        wanted = min(size, self.looked.before.size_bytes - offset)
        if wanted <= 0:
            return b""
        for start, content in self.looked.pieces:
            if start <= offset and offset + wanted <= start + len(content):
                return content[offset - start : offset - start + wanted]
        if self._file is None:
            self._file = self._reopen()
            if self._file.stat()[:3] != stat_of(self.looked.before, 0, 0)[:3]:
                raise _changed()
        return self._file.read_at(offset, size)

    def close(self) -> None:
        if self._file:
            self._file.close()


def _changed() -> OSError:
    return SourceError(errno.EIO, "the file changed while it was read", "", "changed_while_read")


# A file held open


class Handle(NamedTuple):
    """A file that is open on one connection; `number` names it on its volume."""

    wire: Wire
    file_id: bytes
    told: Opened
    number: int
    link_count: int


Result = TypeVar("Result")


def open_file(name: bytes, access: int, options: int) -> Steps[tuple[bytes, Opened, int, int]]:
    """Open a file and ask for its number and its names. Errors: OSError, also if it is offline."""
    answers = yield [
        smb.create(name, access, options),
        smb.query_info(smb.FILE_INFO, smb.INTERNAL_CLASS, 8),
        smb.query_info(smb.FILE_INFO, smb.STANDARD_CLASS, 24),
    ]
    must_be_ok(answers[0].status)
    told, file_id = smb.opened(answers[0]), smb.file_id(answers[0])
    if access & smb.READ_DATA and told.attributes & RECALLS:
        yield [smb.close(file_id)]
        raise offline()
    return (file_id, told, *smb.identity(answers[1], answers[2]))


class SmbFile:
    """A file held open, with reads ahead where it is read from front to back. When the connection
    breaks it is opened again, and given up if it is not the same any more."""

    def __init__(self, engine: Engine, name: bytes, device_id: int) -> None:
        self.engine, self.name, self.device_id = engine, name, device_id
        self.handle = self._open()
        self._told: Opened | None = self.handle.told
        self._ahead: deque[tuple[int, Job[bytes]]] = deque()  # chunks on their way, in order
        self._chunk_at, self._chunk = 0, b""  # the one being used up
        self._next = -1  # where the last read ended

    def stat(self) -> Stat:
        """The first time as it was when it was opened, then as it is now."""
        told, self._told = self._told or self._over_breaks(self._ask), None
        return stat_of(told, self.handle.number, self.device_id, self.handle.link_count)

    def read_at(self, offset: int, size: int) -> bytes:
        content = self._over_breaks(lambda: self._read_at(offset, size)) if size else b""
        self._next = offset + len(content)
        return content

    def close(self) -> None:
        """Does not wait for the answer."""
        steps = _one_step(smb.close(self.handle.file_id))
        self.engine.start(lambda: steps, "open", self.handle.wire)
        self.engine.send_ready()

    def _open(self) -> Handle:
        job = self.engine.start(lambda: open_file(self.name, READ_ACCESS, READ_OPTIONS), "open")
        found = self.engine.wait(job)
        assert job.wire
        return Handle(job.wire, *found)

    def _over_breaks(self, ask: Callable[[], Result]) -> Result:
        """What `ask` returns, perhaps on another connection than it began on."""
        for _ in range(MOST_TRIES):
            try:
                return ask()
            except ConnectionLost:
                before = self.handle.told
                self._ahead.clear()
                self.handle = self._open()
                after = self.handle.told
                if (before.size_bytes, before.written) != (after.size_bytes, after.written):
                    raise _changed() from None
        raise SourceError(errno.ECONNRESET, "the connection keeps breaking", "", "connection_lost")

    def _ask(self) -> Opened:
        ask = smb.query_info(smb.FILE_INFO, smb.OPENED_CLASS, 56, 0, self.handle.file_id)
        answer = self.engine.run(lambda: _one_step(ask), "open", self.handle.wire)
        must_be_ok(answer.status)
        return smb.opened_info(answer)

    def _read_at(self, offset: int, size: int) -> bytes:
        if offset != self._next or offset == 0:
            return self.engine.wait(self._start(offset, size))
        content = b""
        while len(content) < size and (more := self._rest_of_chunk(offset + len(content))):
            content += more[: size - len(content)]
        return content

    def _rest_of_chunk(self, at: int) -> bytes:
        """What there is from an offset to the end of its chunk; the next chunks are sent for."""
        used = at - self._chunk_at
        if 0 <= used < len(self._chunk):
            return self._chunk[used:]
        if not self._ahead or self._ahead[0][0] != at:
            self._ahead.clear()
        size = self._chunk_bytes()
        start = self._ahead[-1][0] + size if self._ahead else at
        while len(self._ahead) < CHUNKS_AHEAD and (
            start < self.handle.told.size_bytes or start == at
        ):
            self._ahead.append((start, self._start(start, size)))
            start += size
        start, job = self._ahead.popleft()
        self._chunk = self.engine.wait(job)  # a break here leaves the chunk before as it was
        self._chunk_at = start
        return self._chunk

    def _chunk_bytes(self) -> int:
        return min(CHUNK_BYTES, self.handle.wire.link.most_bytes)

    def _start(self, offset: int, size: int) -> Job[bytes]:
        """Send for a range of the file."""
        most, file_id = self.handle.wire.link.most_bytes, self.handle.file_id

        def steps() -> Steps[bytes]:
            ranges = [(offset, size)]
            answers = yield _reads(ranges, most, file_id)
            return _pieces(ranges, most, answers)[0][1]

        return self.engine.start(steps, "chunk", self.handle.wire)


def _one_step(request: Request) -> Steps[Answer]:
    answers = yield [request]
    return answers[0]
