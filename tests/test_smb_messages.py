"""Bodies of SMB messages, against the layouts and examples of the Microsoft documents; and answers
that no honest server gives, which end in one of two errors and never elsewhere."""

from __future__ import annotations

import errno
import struct
import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrate.model import TABLES
from migrate.smb import listing
from migrate.smb import messages as smb
from migrate.smb.file import look
from migrate.smb.messages import Answer, Malformed
from migrate.smb.status import BUSY, GONE, error_of
from migrate.sources import Stat, Wanted, error_code

INT64_MAX = (1 << 63) - 1


def answer(body: bytes, status: int = 0) -> Answer:
    return Answer(status, memoryview(body))


# Answers of servers that lie

READERS = {
    "opened": smb.opened,
    "opened_info": smb.opened_info,
    "file_id": smb.file_id,
    "read_data": smb.read_data,
    "info": smb.info,
    "ioctl_data": smb.ioctl_data,
    "identity": lambda found: smb.identity(found, found),
    "lines": lambda found: smb.lines(found.body),
    "streams": lambda found: smb.streams(found.body),
    "link_target": lambda found: smb.link_target(found.body),
    "listing": lambda found: smb.lines(smb.info(found)),
    "target": lambda found: smb.link_target(smb.ioctl_data(found)),
}

# Small numbers, in which offsets and sizes make some sense, and the largest there are.
NUMBERS = st.sampled_from([0, 1, 2, 3, 8, 20, 23, 24, 63, 64, 65, 72, 96, 103, 104, 105, 112, 120])
WORDS = st.one_of(NUMBERS, st.sampled_from([0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF, 0xFFFE]))
BODIES = st.one_of(
    st.binary(max_size=200),
    st.lists(WORDS, max_size=60).map(lambda words: struct.pack(f"<{len(words)}I", *words)),
    st.lists(st.one_of(WORDS, st.integers(0, 0xFFFF)), max_size=90).map(
        lambda words: struct.pack(f"<{len(words)}H", *(word & 0xFFFF for word in words))
    ),
)


@pytest.mark.parametrize("reader", READERS)
@given(body=BODIES)
@example(body=b"")
@example(body=b"\xff" * 200)
@settings(max_examples=150, deadline=None)
def test_any_answer_is_read_or_malformed(reader, body):
    """Whatever an answer holds: a result made of its own bytes, or Malformed; at once."""
    began = time.monotonic()
    try:
        found = READERS[reader](answer(body))
    except Malformed as error:
        assert str(error)
        return
    finally:
        assert time.monotonic() - began < 1
    if isinstance(found, memoryview):
        assert bytes(found) in body
    for size in [getattr(found, "size_bytes", 0)]:
        assert 0 <= size <= INT64_MAX


def entries(body: bytes) -> list[smb.Entry]:
    """Every line of a listing, one by one."""
    found = smb.lines(memoryview(body))
    plain = zip(found.names, found.records, strict=True)
    return [*(smb.entry(name, record) for name, record in plain), *found.others]


@given(BODIES)
@settings(max_examples=300, deadline=None)
def test_any_listing_holds_what_tables_can_hold(body):
    """Sizes are never negative nor above int64, names are pieces of the answer that do not overlap,
    and become text whatever they are."""
    try:
        found = entries(body)
    except Malformed:
        return
    assert sum(len(entry.name) for entry in found) <= len(body)
    for entry in found:
        assert entry.name in body
        assert 0 <= entry.size_bytes <= INT64_MAX
        for column in ("size_bytes", "attributes", "file_id"):
            pa.array([getattr(entry, column)], TABLES["entries"].schema.field(column).type)
        assert smb.text_of(entry.name).encode("utf-16-le", "surrogatepass") == entry.name
        for ticks in (entry.created, entry.accessed, entry.written, entry.changed):
            time_ns = smb.time_ns(ticks)
            assert time_ns is None or -(1 << 63) <= time_ns <= INT64_MAX


def line(name: bytes, step: int | None = None, size_bytes: int = 0, name_size: int | None = None,
         attributes: int = 0x20, tag: int = 0, file_id: int = 7) -> bytes:  # fmt: skip
    """FileIdFullDirectoryInformation ([MS-FSCC] 2.4.21), one entry, padded to 8 bytes."""
    ticks = 116_444_736_000_000_000
    padded = name + bytes(-len(name) % 8)
    head = struct.pack(
        "<II4QqQIII", 80 + len(padded) if step is None else step, 0, ticks + 1, ticks + 2,
        ticks + 3, ticks + 4, size_bytes, 4096, attributes,
        len(name) if name_size is None else name_size, tag,
    )  # fmt: skip
    reserved = bytes(4)  # the file's number stands at 72
    return head + reserved + struct.pack("<Q", file_id) + padded


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def test_a_listing():
    """The fields of [MS-FSCC] 2.4.21, each at its place; the tag only of a reparse point."""
    content = line(utf16("a.txt"), size_bytes=5, file_id=1 << 63, tag=0xA000000C)
    content += line(utf16("Ordner ß"), attributes=0x410, tag=0xA000000C, step=0)
    first, second = entries(content)
    assert smb.text_of(first.name) == "a.txt"
    assert (first.size_bytes, first.attributes, first.tag, first.file_id) == (5, 0x20, 0, 1 << 63)
    times = (first.created, first.accessed, first.written, first.changed)
    assert [smb.time_ns(ticks) for ticks in times] == [100, 200, 300, 400]
    assert (smb.text_of(second.name), second.tag) == ("Ordner ß", 0xA000000C)
    assert not smb.lines(memoryview(b""))


@pytest.mark.parametrize(
    "content",
    [
        line(b"a\0")[:79],
        line(b"a\0", name_size=4000),
        line(b"a\0b\0", name_size=3),
        line(b"a\0", step=8) + line(b"b\0", step=0),
        line(utf16("a" * 40), step=80) + line(b"b\0", step=0),
        line(b"a\0", step=0xFFFFFFF8),
        line(b"a\0", size_bytes=-1, step=0),
        line(b"a\0") + b"\0" * 16,
    ],
    ids=["cut off", "name outside", "half a character", "step too short", "overlapping",
         "next outside", "negative size", "next cut off"],
)  # fmt: skip
def test_listings_that_lie(content):
    """A line that is cut off, reaches out of its place or back into another one is Malformed."""
    with pytest.raises(Malformed):
        smb.lines(memoryview(content))


PIECES = st.one_of(
    st.text(max_size=8), st.sampled_from([".", "..", "", "a/b", "a\\b", "a\0b", "\ud800", "x\udc00y"])
)  # fmt: skip


@given(st.lists(st.tuples(PIECES, st.integers(-(1 << 63), (1 << 63) - 1)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_many_at_once_are_what_they_are_one_by_one(files: list[tuple[str, int]]) -> None:
    """Columns say of plain files what rows of each would; what has an odd name is never among them,
    and every entry is told once, but for the folder itself and the one above."""
    content = b""
    for number, (name, ticks) in enumerate(files):
        step = 0 if number + 1 == len(files) else None
        one = bytearray(line(utf16(name), step=step, size_bytes=number, file_id=number))
        struct.pack_into("<q", one, 24, ticks)
        content += one
    lines = smb.lines(memoryview(content))
    found, listed = listing.children(lines, 9)
    every = found + (listed.children() if listed else [])
    assert len(every) == sum(name not in (".", "..") for name, _ in files)
    alone = [listing.child(entry, 9) for entry in entries(content)]
    assert sorted(every) == sorted(child for child in alone if child.name not in (b".", b".."))
    if listed is None:
        return
    assert listed.names == [name.decode() for name in listed.raw_names]
    assert not any(name in (".", "..", "") or set(name) & set("/\\\0") for name in listed.names)
    columns = listing.columns(b"".join(listed.records))
    total = sum(child.stat.size_bytes for child in listed.children())
    assert sum(columns["size_bytes"].to_pylist()) == total
    for name, column in columns.items():
        one_by_one = [getattr(child.stat, name) for child in listed.children()]
        assert column.to_pylist() == one_by_one, name


def test_a_listing_that_says_everything_twice_is_refused_at_once():
    """A megabyte of lines that each claim all the rest as their name would be gigabytes."""
    count = 9_000
    content = b"".join(
        line(b"", step=80, name_size=(count - number) * 80 - 80) for number in range(count)
    )
    with pytest.raises(Malformed):
        smb.lines(memoryview(content))


@pytest.mark.parametrize(
    "name", ["\ud800", "a\ud800", "\udc00", "\udc00\ud800", "a\udfffb", "😀", "\ud83d", "x\ud83d"]
)
def test_lone_surrogates_stay(name):
    """Two names that differ in a lone surrogate are two names, at their end too."""
    assert smb.text_of(utf16(name)) == name
    content = line(utf16(name), step=0)
    assert [smb.text_of(entry.name) for entry in entries(content)] == [name]


# Buffers in answers ([MS-SMB2] 2.2.20, 2.2.32, 2.2.34, 2.2.38)


@pytest.mark.parametrize("offset", [0, 63, 64, 65, 79, 81, 200, 0xFFFF])
@pytest.mark.parametrize("size", [0, 1, 16, 17, 0xFFFFFFFF])
def test_buffers_lie_within_their_message(offset, size):
    """A buffer's offset counts from the header; one that begins in it or ends outside is refused."""
    content = bytes(range(16))
    read = struct.pack("<HBBIII", 17, offset & 0xFF, 0, size, 0, 0) + content
    info = struct.pack("<HHI", 9, offset, size) + content
    ioctl = struct.pack("<HHI16sIIIIII", 49, 0, 0, b"", 0, 0, offset, size, 0, 0) + content
    for reader, body, at in (
        (smb.read_data, read, offset & 0xFF),
        (smb.info, info, offset),
        (smb.ioctl_data, ioctl, offset),
    ):
        is_inside = at >= 64 and at - 64 + size <= len(body)
        if size and not is_inside:
            with pytest.raises(Malformed):
                reader(answer(body))
        else:
            start = max(at - 64, 0)
            assert bytes(reader(answer(body))) == body[start : start + size]


def test_what_create_and_close_say():
    """[MS-SMB2] 2.2.14 and 2.2.16 have times, sizes and attributes at the same places."""
    told = struct.pack("<6QI", 1, 2, 3, 4, 8192, 5, 0x21)
    created = struct.pack("<HBBI", 89, 0, 0, 1) + told + bytes(4) + b"ABCDEFGHIJKLMNOP" + bytes(8)
    closed = struct.pack("<HHI", 60, 1, 0) + told
    network = struct.pack("<HHI", 9, 72, 56) + told + bytes(4)
    expected = smb.Opened(1, 2, 3, 4, 5, 0x21)
    assert smb.opened(answer(created)) == smb.opened(answer(closed)) == expected
    assert smb.opened_info(answer(network)) == expected
    assert smb.file_id(answer(created)) == b"ABCDEFGHIJKLMNOP"
    for cut in (0, 8, 59):
        with pytest.raises(Malformed):
            smb.opened(answer(closed[:cut]))
    with pytest.raises(Malformed):
        smb.file_id(answer(created[:79]))
    huge = struct.pack("<HHI", 60, 1, 0) + struct.pack("<6QI", 1, 2, 3, 4, 8192, 1 << 63, 0x21)
    with pytest.raises(Malformed):
        smb.opened(answer(huge))


def test_identity():
    """The number of FileInternalInformation, the names of FileStandardInformation."""
    internal = answer(struct.pack("<HHIQ", 9, 72, 8, 0xFFFF_FFFF_FFFF_FFFE))
    standard = answer(struct.pack("<HHIqqIBBH", 9, 72, 24, 8192, 5, 3, 0, 0, 0))
    assert smb.identity(internal, standard) == (0xFFFF_FFFF_FFFF_FFFE, 3)
    with pytest.raises(Malformed):
        smb.identity(standard, internal)


# Streams ([MS-FSCC] 2.4.49)


def stream(name: str, size: int, is_last: bool = False, **other: int) -> bytes:
    raw = utf16(name)
    padded = raw + bytes(-(24 + len(raw)) % 8)
    step = 0 if is_last else 24 + len(padded)
    return struct.pack("<IIqq", other.get("step", step), other.get("name_size", len(raw)),
                       size, 4096) + padded  # fmt: skip


def test_streams():
    """Alternate streams by name and size; the unnamed one is the file itself and is none."""
    content = (
        stream("::$DATA", 100) + stream(":Zone.Identifier:$DATA", 26)
        + stream(":é😀\ud800:$DATA", 0) + stream(":odd:$OTHER", INT64_MAX, is_last=True)
    )  # fmt: skip
    assert smb.streams(memoryview(content)) == [
        ("Zone.Identifier", 26), ("é😀\ud800", 0), ("odd:$OTHER", INT64_MAX),
    ]  # fmt: skip
    assert smb.streams(memoryview(b"")) == []
    assert smb.streams(memoryview(stream("::$DATA", 1, is_last=True))) == []


@pytest.mark.parametrize(
    "content",
    [
        stream(":a:$DATA", 1)[:23],
        stream(":a:$DATA", 1, name_size=400),
        stream(":a:$DATA", 1, name_size=7),
        stream(":a:$DATA", 1, step=8) + stream(":b:$DATA", 1, is_last=True),
        stream(":a:$DATA", 1, step=24) + stream(":b:$DATA", 1, is_last=True),
        stream(":a:$DATA", -1, is_last=True),
        stream(":a:$DATA", 1, step=0xFFFFFFFF),
    ],
    ids=["cut off", "name outside", "half a character", "step too short", "overlapping",
         "negative size", "next outside"],
)  # fmt: skip
def test_streams_that_lie(content):
    """A list of streams that reaches out of its place is Malformed."""
    with pytest.raises(Malformed):
        smb.streams(memoryview(content))


# Reparse points ([MS-FSCC] 2.1.2.4 and 2.1.2.5)


def symlink(substitute: str, shown: str, flags: int = 0) -> bytes:
    """A symbolic link's reparse point, as in the example of [MS-SMB2] 2.2.2.2.1."""
    names = utf16(substitute) + utf16(shown)
    head = struct.pack("<HHHHI", 0, len(utf16(substitute)), len(utf16(substitute)),
                       len(utf16(shown)), flags)  # fmt: skip
    return struct.pack("<IHH", 0xA000000C, len(head) + len(names), 0) + head + names


def junction(substitute: str, shown: str) -> bytes:
    names = utf16(substitute) + b"\0\0" + utf16(shown) + b"\0\0"
    first, second = len(utf16(substitute)), len(utf16(shown))
    head = struct.pack("<HHHH", 0, first, first + 2, second)
    return struct.pack("<IHH", 0xA0000003, len(head) + len(names), 0) + head + names


@pytest.mark.parametrize(
    ("content", "target"),
    [
        (symlink(r"\??\D:\donotsharethis", r"D:\donotsharethis"), r"D:\donotsharethis"),
        (symlink(r"..\other\é.txt", "", 1), r"..\other\é.txt"),
        (junction(r"\??\C:\Data\Old", r"C:\Data\Old"), r"C:\Data\Old"),
        (junction(r"\??\Volume{1}\ ", ""), r"\??\Volume{1}" + "\\ "),
        (symlink("", "\ud800"), "\ud800"),
        (struct.pack("<IHH", 0x80000013, 0, 0) + bytes(40), "reparse point 0x80000013"),
    ],
)
def test_link_targets(content, target):
    """The name for people where there is one, else the one for the system; else the bare tag."""
    assert smb.link_target(memoryview(content)) == target


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_link_targets_that_are_cut_off(cut):
    """A target that ends behind its answer is Malformed, wherever it is cut."""
    content = symlink(r"\??\D:\donotsharethis", r"D:\donotsharethis")
    with pytest.raises(Malformed):
        smb.link_target(memoryview(content)[:cut])


def test_a_link_target_of_half_a_character():
    with pytest.raises(Malformed):
        smb.link_target(
            memoryview(struct.pack("<IHHHHHHI", 0xA000000C, 15, 0, 0, 3, 0, 0, 0) + b"a\0b")
        )


# Times ([MS-DTYP] 2.3.3: FILETIME)


@pytest.mark.parametrize(
    ("ticks", "time_ns"),
    [
        (116_444_736_000_000_000, 0),
        (116_444_736_000_000_001, 100),
        (116_444_735_999_999_999, -100),
        (0, None),  # not kept
        (-1, None), (0xFFFF_FFFF_FFFF_FFFF, None), (INT64_MAX, None), (-INT64_MAX - 1, None),
        (1, None),  # 1601: int64 nanoseconds begin in 1677
        (116_444_736_000_000_000 + INT64_MAX // 100, INT64_MAX // 100 * 100),
        (116_444_736_000_000_000 + INT64_MAX // 100 + 1, None),
        (116_444_736_000_000_000 - (1 << 63) // 100, -((1 << 63) // 100) * 100),
    ],
)  # fmt: skip
def test_times(ticks, time_ns):
    """100 ns since 1601 to nanoseconds since 1970; what the tables cannot hold is no time."""
    assert smb.time_ns(ticks) == time_ns
    if time_ns is not None:
        assert smb.ticks(time_ns) == ticks


def test_a_known_time():
    """datetime counts the same days."""
    moment = datetime(2016, 2, 29, 12, 34, 56, tzinfo=UTC)
    since_1601 = moment - datetime(1601, 1, 1, tzinfo=UTC)
    ticks = (since_1601.days * 86_400 + since_1601.seconds) * 10_000_000
    assert smb.time_ns(ticks) == int(moment.timestamp()) * 10**9


@given(st.integers(-(1 << 63), INT64_MAX))
def test_times_there_and_back(time_ns):
    """A time that was made of a time is it again, to 100 ns, where it is one at all."""
    back = smb.time_ns(smb.ticks(time_ns))
    assert back is None or back == time_ns // 100 * 100


# Reads


def bringing(content: bytes) -> Answer:
    """An answer to READ ([MS-SMB2] 2.2.20)."""
    return answer(struct.pack("<HBBIII", 17, 80, 0, len(content), 0, 0) + content)


END_OF_FILE = answer(b"", 0xC0000011)


@pytest.mark.parametrize(
    ("answers", "pieces"),
    [
        ([bringing(b"abcd"), bringing(b"efgh"), bringing(b"ij")], b"abcdefghij"),
        ([bringing(b"abcd"), bringing(b"ef"), END_OF_FILE], b"abcdef"),
        ([END_OF_FILE] * 3, b""),
        ([bringing(b"")] * 3, b""),
        ([bringing(b"ab"), bringing(b"efgh"), bringing(b"ij")], None),  # a gap
        ([END_OF_FILE, bringing(b"efgh"), END_OF_FILE], None),
        ([bringing(b"abcde"), bringing(b"efgh"), bringing(b"ij")], None),  # more than was asked
        ([bringing(b"abcd"), bringing(b"efgh"), bringing(b"ijk")], None),
    ],
)
def test_reads_are_put_together_without_gaps(answers, pieces):
    """Ten bytes in reads of four; the bytes behind a short read, or too many, are nobody's."""
    opened = answer(struct.pack("<HHI", 60, 1, 0) + struct.pack("<6QI", 1, 2, 3, 4, 16, 10, 0x20))
    steps = look(b"a\0", Wanted(b"a", [(0, 10)], STAT), most_bytes=4)
    requests = next(steps)
    assert [request.command for request in requests] == [smb.CREATE, *[smb.READ] * 3, smb.CLOSE]
    try:
        steps.send([opened, *answers, opened])
    except StopIteration as done:
        assert done.value.pieces == [(0, pieces)]
    except Malformed:
        assert pieces is None


STAT = Stat(10, 0, 0, 0, 0, None, None, 1, 1, None, 0x20)


# Requests


@given(st.binary(max_size=64), st.integers(0, 1 << 33), st.integers(1, 8 << 20))
@settings(max_examples=50)
def test_requests_are_as_documented(data, offset, size):
    """The structure sizes of [MS-SMB2] 2.2 and the places that requests say they have: a name or a
    buffer really stands where its offset, told from the header, points."""
    raw = data * 2
    name_at, name_size = struct.unpack_from("<HH", smb.create(raw, 1, 2).body, 44)
    assert smb.create(raw, 1, 2).body[name_at - 64 :][:name_size] == raw
    structure = {
        smb.create(raw, 1, 2): 57, smb.close(): 24, smb.flush(): 24, smb.read(offset, size): 49,
        smb.write(offset, data): 49, smb.query_directory(size): 33, smb.query_info(1, 6, 8): 41,
        smb.set_info(4, data): 33, smb.ioctl(smb.PIPE_TRANSCEIVE, data, 1024): 57,
    }  # fmt: skip
    for request, expected in structure.items():
        assert struct.unpack_from("<H", request.body) == (expected,)
        assert len(request.body) >= expected & ~1
        at = request.same_file_at
        assert at < 0 or request.body[at : at + 16] == smb.SAME_FILE
    size_told, offset_told = struct.unpack_from("<IQ", smb.read(offset, size).body, 4)
    assert (size_told, offset_told) == (size, offset)
    at, length = struct.unpack_from("<HI", smb.write(offset, data).body, 2)
    assert smb.write(offset, data).body[at - 64 :][:length] == data
    length, at = struct.unpack_from("<IH", smb.set_info(4, data).body, 4)
    assert smb.set_info(4, data).body[at - 64 :][:length] == data
    at, length = struct.unpack_from("<II", smb.ioctl(1, data, 9).body, 24)
    assert smb.ioctl(1, data, 9).body[at - 64 :][:length] == data or not data


@pytest.mark.parametrize(
    ("size", "charge"), [(0, 1), (1, 1), (65_536, 1), (65_537, 2), (1 << 20, 16), (8 << 20, 128)]
)
def test_credit_charges(size, charge):
    """[MS-SMB2] 3.1.5.2: (max(sent, expected) - 1) / 65536 + 1."""
    assert smb.credits_for(size) == charge
    assert smb.read(0, size).credits == smb.query_directory(size).credits == charge


def test_nobody_is_locked_out():
    """A file is opened so that others may read, write and delete it meanwhile."""
    assert struct.unpack_from("<I", smb.create(b"a\0", 1, 0).body, 32) == (7,)


# Status codes ([MS-ERREF] 2.3.1)


@given(st.integers(0, 0xFFFFFFFF))
def test_any_status_is_an_error_of_an_entry(status):
    """Every status is an OSError with a word of its own for the tables."""
    error = error_of(status, "a/b")
    assert isinstance(error, OSError)
    assert error_code(error)
    assert f"0x{status:08X}" in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (0xC0000022, PermissionError, "denied"), (0xC0000034, FileNotFoundError, "vanished"),
        (0xC000003A, FileNotFoundError, "vanished"), (0xC0000033, OSError, "bad_name"),
        (0xC0000043, OSError, "in_use"), (0x8000002D, OSError, "became_a_link"),
        (0xC0000257, OSError, "dfs_link"), (0xC0000106, OSError, "name_too_long"),
        (0xC0000185, OSError, "read_error"), (0xC00000B5, TimeoutError, "timed_out"),
        (0xC0000103, NotADirectoryError, "vanished"), (0xC00000BA, IsADirectoryError, "eisdir"),
        (0xC000FFFF, OSError, "nt_c000ffff"),
    ],
)  # fmt: skip
def test_known_statuses(status, kind, word):
    error = error_of(status)
    assert isinstance(error, kind)
    assert error_code(error) == word
    assert error.errno in errno.errorcode


def test_no_status_means_two_things():
    """What ends a session is not also what asks to wait, or an error of one entry."""
    assert not BUSY & set(GONE)
    assert all(error_code(error_of(status)).startswith("nt_") for status in set(GONE) | BUSY)
