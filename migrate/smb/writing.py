"""Room: files made on a server: the steps of jobs, each one compound or two.

Errors: OSError as the server has it. Never: open a file that is not new for writing; leave one open
that could not be begun; replace anything.
"""

from __future__ import annotations

import errno

from migrate.smb import messages as smb
from migrate.smb.engine import MOST_TRIES, Steps
from migrate.smb.file import LOOK_ACCESS
from migrate.smb.messages import Answer, Answers, Malformed, Opened, Request
from migrate.smb.status import BUSY, DELETE_PENDING, END_OF_FILE, OK, error_of

WRITE_ACCESS = smb.WRITE_DATA | smb.READ_ATTRIBUTES | smb.DELETE | smb.SYNCHRONIZE
KEEP_ACCESS = (
    smb.READ_DATA | smb.READ_ATTRIBUTES | smb.WRITE_ATTRIBUTES | smb.DELETE | smb.SYNCHRONIZE
)
SHARE_READING = 0x1  # others may read our partial copy, but not write to it or rename it
FLUSH_BYTES = 128 << 20  # the last flush has no more than this to do, and ends within the time-out


def insist(requests: list[Request], answers: Answers | None = None) -> Steps[Answers]:
    """The answers about an open file, none of them "busy": from there on it is asked again."""
    answers = answers or (yield requests)
    for _ in range(MOST_TRIES):
        busy = [number for number, answer in enumerate(answers) if answer.status in BUSY]
        if not busy:
            break
        answers[busy[0] :] = yield requests[busy[0] :]
    return answers


def done(requests: list[Request]) -> Steps[Answers]:
    answers = yield from insist(requests)
    must_be_ok(answers)
    return answers


def must_be_ok(answers: Answers) -> None:
    for answer in answers:
        if answer.status != OK:
            raise error_of(answer.status)


def look(name: bytes, options: int = 0, disposition: int = smb.OPEN) -> Steps[tuple[Opened, int]]:
    """What stands at a path, never what it leads to; and its number."""
    answers = yield [
        smb.create(name, LOOK_ACCESS, options | smb.OPEN_LINK_ITSELF, disposition),
        smb.query_info(smb.FILE_INFO, smb.INTERNAL_CLASS, 8),
        smb.close(),
    ]
    must_be_ok(answers[:1])
    number = smb.info(answers[1])[:8] if answers[1].status == OK else b""
    return smb.opened(answers[0]), int.from_bytes(number, "little")


def probe(name: bytes) -> Steps[None]:
    """Write a file and remove it."""
    options = smb.NOT_FOLDER | smb.DELETE_ON_CLOSE
    answers = yield [
        smb.create(name, WRITE_ACCESS, options, smb.OPEN_OR_CREATE),
        smb.write(0, b"probe"),
        smb.close(),
    ]
    must_be_ok(answers)


def remove(name: bytes) -> Steps[None]:
    options = smb.NOT_FOLDER | smb.OPEN_LINK_ITSELF | smb.DELETE_ON_CLOSE
    answers = yield [smb.create(name, LOOK_ACCESS | smb.DELETE, options), smb.close()]
    must_be_ok(answers)


def create(name: bytes, head: bytes, is_whole: bool) -> Steps[tuple[bytes, int]]:
    """A new file with its first bytes, flushed if those are all; how many of them were taken.

    FLUSH comes last in its compound: older servers refuse it elsewhere."""

    def fill(file_id: bytes) -> list[Request]:
        return [
            *([smb.write(0, head, file_id)] if head else []),
            *([smb.flush(file_id)] if is_whole else []),
        ]

    options = smb.NOT_FOLDER | smb.OPEN_LINK_ITSELF
    answers = yield [
        smb.create(name, WRITE_ACCESS, options, smb.CREATE_NEW, SHARE_READING),
        *fill(smb.SAME_FILE),
    ]
    if answers[0].status == DELETE_PENDING:
        raise FileExistsError(errno.EEXIST, "the one before is still held open")
    must_be_ok(answers[:1])
    file_id = smb.file_id(answers[0])
    filled = yield from insist(fill(file_id), answers[1:])
    try:
        must_be_ok(filled)
        return file_id, smb.written(filled[0]) if head else 0
    except (OSError, Malformed):
        yield from discard(file_id)
        raise


def reopen(name: bytes, mtime_ns: int | None, size: int) -> Steps[tuple[bytes, int, bytes]]:
    """The finished copy, dated: its handle, its size, its first bytes."""

    def ask(file_id: bytes) -> list[Request]:
        date = smb.set_info(smb.BASIC_CLASS, smb.basic_info(mtime_ns), file_id)
        return [*([] if mtime_ns is None else [date]), smb.read(0, size, file_id)]

    options = smb.NOT_FOLDER | smb.OPEN_LINK_ITSELF
    answers = yield [
        smb.create(name, KEEP_ACCESS, options, smb.OPEN, SHARE_READING),
        *ask(smb.SAME_FILE),
    ]
    must_be_ok(answers[:1])
    file_id, told = smb.file_id(answers[0]), smb.opened(answers[0])
    *dated, head = yield from insist(ask(file_id), answers[1:])
    try:
        must_be_ok(dated)
        return file_id, told.size_bytes, _block(head)
    except (OSError, Malformed):
        yield from discard(file_id)
        raise


def write_block(file_id: bytes, offset: int, data: bytes) -> Steps[None]:
    if offset and offset % FLUSH_BYTES < len(data):
        yield from done([smb.flush(file_id)])
    while data:
        answers = yield from done([smb.write(offset, data, file_id)])
        taken = smb.written(answers[0])
        offset, data = offset + taken, data[taken:]


def read_block(file_id: bytes, offset: int, size: int) -> Steps[bytes]:
    answers = yield from insist([smb.read(offset, size, file_id)])
    return _block(answers[0])


def _block(answer: Answer) -> bytes:
    if answer.status == END_OF_FILE:
        return b""
    must_be_ok([answer])
    return bytes(smb.read_data(answer))


def rename(file_id: bytes, name: bytes) -> Steps[int]:
    """Give an open file another name; what the server says to it."""
    request = smb.set_info(smb.RENAME_CLASS, smb.rename_info(name), file_id)
    answers = yield from insist([request])
    return answers[0].status


def discard(file_id: bytes) -> Steps[None]:
    yield [smb.set_info(smb.DISPOSITION_CLASS, b"\1", file_id), smb.close(file_id)]


def flush_folder(name: bytes) -> Steps[None]:
    """Have a folder's new names on the server's disk."""
    access = smb.WRITE_DATA | smb.READ_ATTRIBUTES | smb.SYNCHRONIZE  # WRITE_DATA: add files
    answers = yield [smb.create(name, access, smb.FOLDER), smb.flush()]
    if answers[0].status == OK:
        yield [smb.close(smb.file_id(answers[0]))]
