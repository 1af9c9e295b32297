"""Room: the bodies of requests, and what answers say. Source: [MS-SMB2] 2.2, [MS-FSCC] 2.4.

Never: believe a length or an offset in an answer before it is checked.
"""

from __future__ import annotations

import struct
from codecs import utf_16_le_decode
from typing import NamedTuple

from migrate.sources import RECALLS

CREATE, CLOSE, FLUSH, READ, WRITE, IOCTL, QUERY_DIRECTORY, QUERY_INFO, SET_INFO = (
    5, 6, 7, 8, 9, 11, 14, 16, 17,
)  # fmt: skip
SAME_FILE = b"\xff" * 16  # in a related compound: the file that its CREATE opened
CREDIT_BYTES = 65_536  # what one credit pays for

# Access (2.2.13.1)
READ_DATA, WRITE_DATA, READ_ATTRIBUTES, WRITE_ATTRIBUTES = 0x1, 0x2, 0x80, 0x100
DELETE, READ_CONTROL, SYNCHRONIZE = 0x10000, 0x20000, 0x100000
# Disposition and options (2.2.13)
OPEN, CREATE_NEW, OPEN_OR_CREATE = 1, 2, 3
FOLDER, NOT_FOLDER, DELETE_ON_CLOSE = 0x1, 0x40, 0x1000
OPEN_LINK_ITSELF, NO_RECALL = 0x200000, 0x400000
SHARE_WITH_ALL = 0x7  # read, write, delete: nobody is locked out

# Attributes ([MS-FSCC] 2.6)
IS_FOLDER, IS_REPARSE = 0x10, 0x400
NOT_PLAIN = IS_FOLDER | IS_REPARSE | RECALLS

# Reparse tags ([MS-FSCC] 2.1.2.1)
TAG_IS_SURROGATE, TAG_DFS = 0x20000000, 0x8000000A
TAG_SYMLINK, TAG_JUNCTION = 0xA000000C, 0xA0000003
GET_REPARSE_POINT, PIPE_TRANSCEIVE = 0x000900A8, 0x0011C017  # [MS-FSCC] 2.3

EPOCH_1601 = 116_444_736_000_000_000  # 1970-01-01 in units of 100 ns since 1601
FIRST_TICKS = EPOCH_1601 - (1 << 63) // 100  # what int64 nanoseconds can hold: 1677 ...
LAST_TICKS = EPOCH_1601 + (1 << 63) // 100  # ... to 2262


class Malformed(Exception):
    """An answer that no server should give."""


class Request(NamedTuple):
    """One request of a compound. `same_file_at`: where its body has SAME_FILE, -1 for nowhere."""

    command: int
    body: bytes
    credits: int = 1
    same_file_at: int = -1


class Answer(NamedTuple):
    status: int
    body: memoryview  # without the header


Answers = list[Answer]


def credits_for(size: int) -> int:
    return max(1, -(-size // CREDIT_BYTES))


def create(
    name: bytes, access: int, options: int, disposition: int = OPEN, share: int = SHARE_WITH_ALL
) -> Request:
    """Open a file; `name` in UTF-16LE, '' for the share itself."""
    head = struct.pack(
        "<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, access, 0, share, disposition, options,
        120, len(name), 0, 0,
    )  # fmt: skip
    return Request(CREATE, head + (name or b"\0\0"))


def close(file_id: bytes = SAME_FILE) -> Request:
    """Close a file and have its attributes told once more."""
    return Request(CLOSE, struct.pack("<HHI16s", 24, 1, 0, file_id), 1, 8)


def flush(file_id: bytes = SAME_FILE) -> Request:
    return Request(FLUSH, struct.pack("<HHI16s", 24, 0, 0, file_id), 1, 8)


def read(offset: int, size: int, file_id: bytes = SAME_FILE) -> Request:
    body = struct.pack("<HBBIQ16sIIIHHB", 49, 0x50, 0, size, offset, file_id, 0, 0, 0, 0, 0, 0)
    return Request(READ, body, credits_for(size), 16)


def write(offset: int, data: bytes, file_id: bytes = SAME_FILE) -> Request:
    head = struct.pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, file_id, 0, 0, 0, 0, 0)
    return Request(WRITE, head + data, credits_for(len(data)), 16)


def query_directory(size: int, file_id: bytes = SAME_FILE) -> Request:
    """The next entries, as FileIdFullDirectoryInformation ([MS-FSCC] 2.4.21): with the file's
    number and, unlike 2.4.22, without a short name, which costs servers time to make up."""
    body = struct.pack("<HBBI16sHHI", 33, 38, 0, 0, file_id, 96, 2, size) + b"*\0"
    return Request(QUERY_DIRECTORY, body, credits_for(size), 8)


FILE_INFO, SECURITY_INFO = 1, 3
BASIC_CLASS, STANDARD_CLASS, INTERNAL_CLASS, RENAME_CLASS = 4, 5, 6, 10
DISPOSITION_CLASS, STREAM_CLASS = 13, 22
OPENED_CLASS = 34  # FileNetworkOpenInformation: what an answer to CREATE says, once more
OWNER_GROUP_DACL = 7


def query_info(
    kind: int, info_class: int, size: int, extra: int = 0, file_id: bytes = SAME_FILE
) -> Request:
    body = struct.pack("<HBBIHHIII16s", 41, kind, info_class, size, 0, 0, 0, extra, 0, file_id)
    return Request(QUERY_INFO, body, credits_for(size), 24)


def set_info(info_class: int, data: bytes, file_id: bytes = SAME_FILE) -> Request:
    head = struct.pack("<HBBIHHI16s", 33, FILE_INFO, info_class, len(data), 96, 0, 0, file_id)
    return Request(SET_INFO, head + data, 1, 16)


def ioctl(code: int, data: bytes, size: int, file_id: bytes = SAME_FILE) -> Request:
    head = struct.pack(
        "<HHI16sIIIIIIII", 57, 0, code, file_id, 120 if data else 0, len(data), 0, 0, 0, size, 1, 0
    )
    return Request(IOCTL, head + data, credits_for(max(size, len(data))), 8)


# Answers


class Opened(NamedTuple):
    """What the answers to CREATE and CLOSE say of a file. Times in 100 ns since 1601."""

    created: int
    accessed: int
    written: int
    changed: int
    size_bytes: int
    attributes: int


_OPENED = struct.Struct("<QQQQQqI")


def opened(answer: Answer) -> Opened:
    """Errors: Malformed."""
    return _opened(answer.body[8:])


def opened_info(answer: Answer) -> Opened:
    """FileNetworkOpenInformation ([MS-FSCC] 2.4.29). Errors: Malformed."""
    return _opened(info(answer))


def _opened(content: memoryview) -> Opened:
    if len(content) < _OPENED.size:
        raise Malformed("a file's attributes are cut off")
    created, accessed, written, changed, _, size, attributes = _OPENED.unpack_from(content)
    if size < 0:
        raise Malformed("a file is larger than files can be")
    return Opened(created, accessed, written, changed, size, attributes)


def identity(internal: Answer, standard: Answer) -> tuple[int, int]:
    """A file's number and how many names it has ([MS-FSCC] 2.4.27, 2.4.47). Errors: Malformed."""
    number, names = info(internal), info(standard)
    if len(number) < 8 or len(names) < 20:
        raise Malformed("a file's number or names are cut off")
    return int.from_bytes(number[:8], "little"), int.from_bytes(names[16:20], "little")


def file_id(answer: Answer) -> bytes:
    """Errors: Malformed."""
    if len(answer.body) < 80:
        raise Malformed("a file's handle is cut off")
    return bytes(answer.body[64:80])


def read_data(answer: Answer) -> memoryview:
    """Errors: Malformed."""
    offset, size = _place(answer, "<BxI", 2, "what was read")
    return answer.body[offset : offset + size]


def written(answer: Answer) -> int:
    """How many bytes a WRITE took. Errors: Malformed, also for none at all."""
    count = int.from_bytes(answer.body[4:8], "little")
    if not count:
        raise Malformed("nothing was written, and no error told")
    return count


def info(answer: Answer) -> memoryview:
    """The buffer of QUERY_DIRECTORY and QUERY_INFO. Errors: Malformed."""
    offset, size = _place(answer, "<HI", 2, "a listing or information")
    return answer.body[offset : offset + size]


def ioctl_data(answer: Answer) -> memoryview:
    """Errors: Malformed."""
    offset, size = _place(answer, "<II", 32, "an answer of IOCTL")
    return answer.body[offset : offset + size]


def _place(answer: Answer, layout: str, at: int, what: str) -> tuple[int, int]:
    """A buffer's offset (told from the header's start) and size, inside the body."""
    try:
        offset, size = struct.unpack_from(layout, answer.body, at)
    except struct.error:
        raise Malformed(f"{what} is cut off") from None
    if size and (offset < 64 or offset - 64 + size > len(answer.body)):
        raise Malformed(f"{what} lies outside its message")
    return max(offset - 64, 0), size


# next, index, created, accessed, written, changed, size, allocated, attributes, name size, tag
_ENTRY = struct.Struct("<II6qIII")
_PLAIN = struct.Struct("<I36xq8xII")  # next, size, attributes, name size
_ENTRY_ID, ENTRY_BYTES = 72, 80  # what stands before a name


class Entry(NamedTuple):
    """One line of a listing. Times in 100 ns since 1601; `tag` of reparse points."""

    name: bytes  # UTF-16LE
    created: int
    accessed: int
    written: int
    changed: int
    size_bytes: int
    attributes: int
    tag: int
    file_id: int


class Lines(NamedTuple):
    """The lines of a listing: the names (UTF-16LE) of plain files and what the server says of each,
    as it wrote it (ENTRY_BYTES, [MS-FSCC] 2.4.21); and all others."""

    names: list[bytes]
    records: list[bytes]
    others: list[Entry]

    def __bool__(self) -> bool:
        return bool(self.names or self.others)


def lines(buffer: memoryview) -> Lines:
    """The lines of a listing. Errors: Malformed."""
    content = bytes(buffer)
    size, at = len(content), 0
    names: list[bytes] = []
    records: list[bytes] = []
    others: list[Entry] = []
    while size:  # what stands in this loop runs for every file of a share
        if at + ENTRY_BYTES > size:
            raise Malformed("a listing is cut off")
        step, length, attributes, name_size = _PLAIN.unpack_from(content, at)
        start = at + ENTRY_BYTES
        end = start + name_size
        if end > size or name_size % 2 or (step and at + step < end):
            raise Malformed("a name in a listing lies outside its line")
        if length < 0:
            raise Malformed("a file in a listing is larger than files can be")
        if attributes & NOT_PLAIN:
            others.append(entry(content[start:end], content[at:start]))
        else:
            names.append(content[start:end])
            records.append(content[at:start])
        if not step:
            break
        at += step
    return Lines(names, records, others)


def entry(name: bytes, record: bytes) -> Entry:
    """What a server wrote of a file, as values."""
    _, _, created, accessed, written, changed, size, _, attributes, _, tag = _ENTRY.unpack_from(
        record
    )
    file_id = int.from_bytes(record[_ENTRY_ID:], "little")
    tag = tag if attributes & IS_REPARSE else 0
    return Entry(name, created, accessed, written, changed, size, attributes, tag, file_id)


def streams(buffer: memoryview) -> list[tuple[str, int]]:
    """Alternate data streams by name and size; the file's own content is none of them.
    Source: [MS-FSCC] 2.4.49. Errors: Malformed."""
    found: list[tuple[str, int]] = []
    at = 0
    while len(buffer):
        if at + 24 > len(buffer):
            raise Malformed("a list of streams is cut off")
        step, name_size, size = struct.unpack_from("<IIq", buffer, at)
        end = at + 24 + name_size
        if end > len(buffer) or name_size % 2 or (step and at + step < end):
            raise Malformed("the name of a stream lies outside its line")
        if size < 0:
            raise Malformed("a stream is larger than streams can be")
        name = text_of(bytes(buffer[at + 24 : end]))
        if name != "::$DATA":
            found.append((name.removeprefix(":").removesuffix(":$DATA"), size))
        if not step:
            break
        at += step
    return found


def text_of(name: bytes) -> str:
    """UTF-16LE as text; lone surrogates stay what they are."""
    return utf_16_le_decode(name, "surrogatepass", True)[0]  # half the time of bytes.decode


def link_target(buffer: memoryview) -> str:
    """Where a symlink or junction leads, as the server writes it. Source: [MS-FSCC] 2.1.2.4, .5.
    Errors: Malformed."""
    try:
        tag, _, _, at, size, shown_at, shown_size = struct.unpack_from("<IHHHHHH", buffer)
    except struct.error:
        raise Malformed("a link's target is cut off") from None
    if tag not in (TAG_SYMLINK, TAG_JUNCTION):
        return f"reparse point 0x{tag:08X}"
    start = 20 if tag == TAG_SYMLINK else 16
    at, size = (shown_at, shown_size) if shown_size else (at, size)
    target = bytes(buffer[start + at : start + at + size])
    if len(target) != size or size % 2:
        raise Malformed("a link's target lies outside its message")
    return text_of(target)


def time_ns(ticks: int) -> int | None:
    """Nanoseconds since 1970, or None: 0 and -1 stand for a time that is not kept, and what int64
    nanoseconds cannot hold (before 1677, after 2262) is damage."""
    return (ticks - EPOCH_1601) * 100 if FIRST_TICKS <= ticks <= LAST_TICKS else None


def ticks(time_ns: int) -> int:
    """100 ns since 1601."""
    return time_ns // 100 + EPOCH_1601


def basic_info(written: int | None, created: int | None = None) -> bytes:
    """FileBasicInformation that sets only what is given ([MS-FSCC] 2.4.7; 0 leaves a time)."""
    times = [0 if time is None else ticks(time) for time in (created, None, written, None)]
    return struct.pack("<4qII", *times, 0, 0)


def rename_info(name: bytes) -> bytes:
    """FileRenameInformation for SMB2 that replaces nothing ([MS-FSCC] 2.4.42.2)."""
    return struct.pack("<B7xQI", 0, 0, len(name)) + name + b"\0" * max(0, 24 - 20 - len(name))
