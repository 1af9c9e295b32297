"""One visit of one file: its digests, its lock, and nothing that is not true of it."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import stat as mode_bits
import struct
import subprocess
import sys
import time
import zipfile
from operator import itemgetter
from pathlib import Path

import olefile
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.encryption import is_encrypted
from migrate.mimetypes import OLE2_SIGNATURE, mime_type
from migrate.model import TABLES
from migrate.place import Place
from migrate.sources import Security, Source, Stat, Wanted
from migrate.sources.local import LocalSource
from migrate.sources.records import Records
from migrate.tasks import FolderTask
from migrate.visit import SAMPLE_BYTES, WHOLE_BYTES, Content, Reading, visit
from migrate.visitor import Visitor

SHARE = Path(__file__).parent.parent / "sample_data" / "share"
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX file kinds")


READING = Reading()


def visited(source: Source, path: bytes, reading: Reading) -> tuple[Stat | None, Content]:
    """One file of a source, found and visited as a crawl does."""
    want = Wanted(path, [])
    ((_, found),) = source.open_all([(None, want)])
    return visit(source, want, found, reading)


def look(path: Path, reading: Reading = READING) -> tuple[Stat | None, Content]:
    return visited(LocalSource(str(path.parent)), os.fsencode(path.name), reading)


def crawled_rows(share: Path, estate: Path, reading: Reading = READING) -> list[dict]:
    """What a crawl's worker writes of a folder: entries, with the digests of those it has read."""
    visitor = Visitor(Place(str(share)), 1, estate, "s", 1, reading, set(), frozenset())
    left = [FolderTask(b"", 0)]
    while left:
        left = visitor.work(left).left
    rows: dict[str, list[dict]] = {}
    for part in visitor.drain().parts:
        table = pq.read_table(estate / part.table / part.file)
        assert table.schema.equals(TABLES[part.table].schema)
        rows.setdefault(part.table, []).extend(table.to_pylist())
    digests = {row["entry_id"]: row for row in rows.get("digests", [])}
    return [
        {**entry, "digest": digests.get(entry["entry_id"])}
        for entry in sorted(rows.get("entries", []), key=itemgetter("entry_id"))
    ]


def written(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def noise(size: int) -> bytes:
    """Bytes that do not repeat, the same every time."""
    return b"".join(hashlib.sha256(struct.pack("<I", n)).digest() for n in range(size // 32 + 1))[
        :size
    ]


# Digests

SIZES = [0, 1, 4095, 4096, 8192, 65535, 65536, 65537, 300_000, (1 << 20) + 1]


@pytest.mark.parametrize("size", SIZES)
def test_digests(tmp_path, size):
    """A small file is hashed whole; of a large one the head and tail, and whole with SHA-256."""
    content = noise(size)
    found, read = look(written(tmp_path, content))
    assert read.error is None
    assert found.size_bytes == size
    assert read.sha256 is None
    if size <= WHOLE_BYTES:
        assert read.xxh3_128 == read.sample_xxh3 == xxhash.xxh3_128_digest(content)
    else:
        assert read.xxh3_128 is None
        sample = content[:SAMPLE_BYTES] + content[-SAMPLE_BYTES:]
        assert read.sample_xxh3 == xxhash.xxh3_128_digest(sample)


@pytest.mark.parametrize("size", SIZES)
def test_digests_with_sha256(tmp_path, size):
    """With --fixity sha256 every file is read whole: both digests are those of the file."""
    content = noise(size)
    _, read = look(written(tmp_path, content), Reading(sha256=True))
    assert read.sha256 == hashlib.sha256(content).digest()
    assert read.xxh3_128 == xxhash.xxh3_128_digest(content)
    assert read.sample_xxh3 == look(tmp_path / "file")[1].sample_xxh3


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_no_mime(tmp_path, size):
    """Without MIME types nothing else changes."""
    path = written(tmp_path, noise(size))
    with_mime, without = look(path)[1], look(path, Reading(mime=False))[1]
    assert without.mime is None
    assert without.encrypted is None
    assert without[:3] == with_mime[:3]


def test_equal_samples_of_different_files(tmp_path):
    """Two large files that differ in the middle have one sample: perhaps equal, no more."""
    one, other = bytearray(noise(300_000)), bytearray(noise(300_000))
    other[150_000] ^= 1
    first, second = (look(written(tmp_path, bytes(c)))[1] for c in (one, other))
    assert first.sample_xxh3 == second.sample_xxh3
    assert look(tmp_path / "file", Reading(sha256=True))[1].xxh3_128 == xxhash.xxh3_128_digest(
        bytes(other)
    )


def test_stat_is_the_systems(tmp_path):
    """Size, times, owner and links are those of os.stat."""
    path = written(tmp_path, b"x")
    os.utime(path, ns=(1_111_111_111_123_456_789, 1_234_567_890_987_654_321))
    os.link(path, tmp_path / "second")
    found, _ = look(path)
    real = os.stat(path)
    assert found.mtime_ns == real.st_mtime_ns == 1_234_567_890_987_654_321
    assert (found.size_bytes, found.link_count, found.file_id, found.mode) == (
        1,
        2,
        real.st_ino,
        real.st_mode,
    )
    assert found.device_id == real.st_dev
    assert LocalSource(str(tmp_path)).stat(b"file")[:2] == found[:2]


# Files that change while they are read


class Meddler(LocalSource):
    """A source whose files change after some reads."""

    def __init__(self, root: Path, change, after: int = 1) -> None:
        super().__init__(str(root))
        self.change, self.after = change, after

    def open(self, path):
        file, reads = super().open(path), [0]
        read_at = file.read_at

        def meddled(offset, size):
            block = read_at(offset, size)
            reads[0] += 1
            if reads[0] == self.after:
                self.change()
            return block

        file.read_at = meddled
        return file


@pytest.mark.parametrize("reading", [Reading(), Reading(sha256=True), Reading(mime=False)])
@pytest.mark.parametrize("size", [0, 10, 65536, 65537, 300_000])
@pytest.mark.parametrize("how", ["grow", "truncate", "empty", "rewrite"])
def test_a_file_that_changes_while_read(tmp_path, size, how, reading):
    """A file that grows, shrinks or is written anew while it is read gives an error, never a digest."""
    path = written(tmp_path, noise(size))

    def change():
        if how == "grow":
            with path.open("ab") as file:
                file.write(b"more")
        elif how == "rewrite":
            path.write_bytes(b"\0" * size + b"x" * (not size))
        else:
            os.truncate(path, size // 2 if how == "truncate" else 0)

    for after in (1, 2):
        path.write_bytes(noise(size))
        os.utime(path, ns=(1_000_000_000, 1_000_000_000))
        source = Meddler(tmp_path, change, after)
        found, read = visited(source, b"file", reading)
        if path.read_bytes() == noise(size) and path.stat().st_mtime_ns == 1_000_000_000:
            continue  # fewer reads than that, or nothing to take away
        assert read == Content(error=read.error)
        assert read.error in ("changed_while_read", "read_error")
        assert found is not None


def test_a_file_replaced_while_read(tmp_path):
    """Where another file is renamed into the place, stat and digests are of one and the same file."""
    old, new = noise(300_000), b"new" * 100_000
    path = written(tmp_path, old)

    def change():
        os.replace(written(tmp_path, new, "other"), path)

    found, read = visited(Meddler(tmp_path, change), b"file", Reading(sha256=True))
    if read.error is None:
        assert found.file_id != path.stat().st_ino
        assert read.sha256 == hashlib.sha256(old).digest()
        assert read.xxh3_128 == xxhash.xxh3_128_digest(old)


def test_a_file_rewritten_with_its_old_time(tmp_path):
    """A copy tool that writes the same length and puts the old time back is noticed by the ctime."""
    path = written(tmp_path, noise(300_000))
    os.utime(path, ns=(0, 1_000_000_000))

    def change():
        path.write_bytes(b"\0" * 300_000)
        os.utime(path, ns=(0, 1_000_000_000))

    _, read = visited(Meddler(tmp_path, change, after=2), b"file", Reading(sha256=True))
    assert read.error == "changed_while_read"


def test_a_file_that_vanishes(tmp_path):
    """A file that is gone before it is opened is an error code, not an exception."""
    assert look(tmp_path / "gone") == (None, Content(error="vanished"))


def test_a_read_error(tmp_path):
    """An error of the disk in the middle of a file leaves its stat and an error code."""
    path = written(tmp_path, noise(300_000))

    class Broken(LocalSource):
        def open(self, path):
            file = super().open(path)

            def read_at(offset, size):
                raise OSError(5, "Input/output error")

            file.read_at = read_at
            return file

    found, read = visited(Broken(str(tmp_path)), b"file", Reading())
    assert found.size_bytes == path.stat().st_size
    assert read == Content(error="read_error")


def test_every_file_is_closed(tmp_path):
    """No visit leaves a descriptor open, whatever happens."""
    path = written(tmp_path, noise(100_000))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(path)
    before = len(os.listdir("/proc/self/fd"))
    for name in ("file", "folder", "link", "gone"):
        for _ in range(20):
            look(tmp_path / name)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="O_NOATIME")
@pytest.mark.parametrize("size", [100, 300_000])
def test_a_visit_leaves_the_access_time(tmp_path, size):
    """Reading a file leaves its access time, which rules use, as it was."""
    path = written(tmp_path, noise(size))
    old = time.time_ns() - 40 * 86_400 * 10**9
    os.utime(path, ns=(old, time.time_ns()))
    look(path, Reading(sha256=True))
    assert path.stat().st_atime_ns == old
    path.read_bytes()
    if path.stat().st_atime_ns == old:
        pytest.skip("this file system keeps no access times; the check says nothing here")


# What is no file


@pytest.fixture
def odd(tmp_path) -> Path:
    """A folder with one of everything."""
    folder = tmp_path / "odd"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(folder / "socket"))
    written(folder, b"x", "real")
    (folder / "link").symlink_to("real")
    (folder / "dangling").symlink_to("nothing")
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to(".")
    return folder


@posix
def test_a_crawl_opens_files_only(odd, tmp_path, monkeypatch):
    """A crawl never opens a pipe, a socket or a link; all of them are listed, with their kind."""
    opened = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *how, **where: opened.append(path) or real(path, *how, **where)
    )
    rows = crawled_rows(odd, tmp_path)
    monkeypatch.undo()
    kinds = {row["name"]: row["kind"] for row in rows}
    assert [path for path in opened if isinstance(path, str) and "/" not in path] == ["real"]
    assert kinds == {
        "fifo": "other", "socket": "other", "real": "file", "link": "symlink", "dangling": "symlink",
        "out": "symlink", "folder": "folder", "loop": "symlink",
    }  # fmt: skip
    assert all(row["error"] is None for row in rows)


def test_any_name_of_a_stream_is_written(tmp_path):
    """Streams are named in UTF-16 that need not be text: a lone surrogate ends no crawl."""

    class WithStreams(LocalSource):
        def open_all(self, wanted):
            for token, found in super().open_all(wanted):
                named = [("plain", 5), ("lone \ud800", 1 << 62), ("\udc00", 0)]
                yield token, found._replace(security=Security(None, named))

    written(tmp_path, b"x")
    place = Place(str(tmp_path))
    visitor = Visitor(place, 1, tmp_path, "s", 1, Reading(security=True), set(), frozenset())
    visitor.source = WithStreams(str(tmp_path))
    visitor.work([FolderTask(b"", 0)])
    names = [row[2] for row in visitor.gathered.rows["streams"]]
    assert names == ["plain", "lone \\xed\\xa0\\x80", "\\xed\\xb0\\x80"]
    assert {part.table for part in visitor.drain().parts} >= {"entries", "streams"}


@posix
def test_a_pipe_does_not_hang():
    """A pipe that took a file's place after it was listed does not make the visit wait."""
    code = (
        "import os, sys, tempfile; from migrate.visit import *; from migrate.sources.local import *\n"
        "d = tempfile.mkdtemp(); os.mkfifo(d + '/p'); want = Wanted(b'p', []); source = LocalSource(d)\n"
        "for _, found in source.open_all([(0, want)]): visit(source, want, found, Reading()); print('ok')"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=20, capture_output=True, text=True)
    assert done.stdout == "ok\n"


@posix
@pytest.mark.parametrize("name", ["socket", "link", "dangling", "out", "folder", "loop"])
def test_what_is_no_file_has_no_digest(odd, name):
    """Visited all the same, a link, a folder or a socket gives its own stat, an error, no digest."""
    found, read = look(odd / name)
    assert read == Content(error=read.error)
    assert read.error
    assert found is not None
    assert mode_bits.S_IFMT(found.mode) == mode_bits.S_IFMT(os.lstat(odd / name).st_mode)


@posix
def test_a_pipe_has_no_digest(odd):
    """A pipe that took a file's place is not a copy of every empty file."""
    _, read = look(odd / "fifo")
    assert read == Content(error=read.error)
    assert read.error


# Locked or not


SAMPLES = {
    "Finance/Payroll/Payroll 2016 locked.xlsx": True,
    "Courts/Listing/Witness schedule locked.zip": True,
    "FOI/FOI 2015-0012/Withheld material locked.pdf": True,
    "Courts/Listing/Listing statistics 2016.zip": False,
    "Courts/Correspondence/Counter hours.doc": False,
    "Governance/Risk/Risk register old.xls": False,
    "Courts/Listing/Video link timetable.msg": False,
    "FOI/FOI 2015-0012/Response.pdf": False,
    "IT/passwords.xlsx": False,
    "Governance/Board papers 2014/01 Agenda.docx": False,
    "Private Office/Parliamentary questions/PQ 101 answer.docx": False,
    "Courts/Correspondence/Juror parking.rtf": None,
    "Courts/Listing/lists.xml": None,
}


@pytest.mark.parametrize(("name", "locked"), SAMPLES.items())
def test_samples(name, locked):
    """The sample share's locked files are seen as locked, its open ones as open, others as unknown."""
    found, read = look(SHARE / name)
    assert read.error is None
    assert read.encrypted is locked
    assert found.size_bytes == (SHARE / name).stat().st_size


def test_all_samples_are_read():
    """Every file of the sample share gives digests, and only the three locked ones are locked."""
    locked = set()
    for path in SHARE.rglob("*"):
        if path.is_file() and not path.is_symlink():
            _, read = look(path)
            assert read.error is None, path
            assert read.sample_xxh3, path
            if read.encrypted:
                locked.add(path.name)
    assert locked == {Path(name).name for name, answer in SAMPLES.items() if answer}


def sample(name: str) -> bytes:
    return next(SHARE.rglob(name)).read_bytes()


def ole_with(content: bytes, stream: str, change) -> bytes:
    """An OLE2 file with one stream changed in place."""
    memory = io.BytesIO(content)
    ole = olefile.OleFileIO(memory, write_mode=True)
    data = bytearray(ole.openstream(stream).read())
    change(data)
    ole.write_stream(stream, bytes(data))
    return memory.getvalue()


def locked_doc() -> bytes:
    def encrypt(data):
        data[11] |= 1  # FibBase.fEncrypted

    return ole_with(sample("Counter hours.doc"), "WordDocument", encrypt)


def locked_xls() -> bytes:
    def encrypt(data):
        length = struct.unpack_from("<H", data, 2)[0]
        struct.pack_into("<H", data, 4 + length, 0x2F)  # the record after BOF becomes FilePass

    return ole_with(sample("Risk register old.xls"), "Workbook", encrypt)


OLE = {
    "locked.xlsx": (sample("Payroll 2016 locked.xlsx"), True),
    "locked.doc": (locked_doc(), True),
    "locked.xls": (locked_xls(), True),
    "open.doc": (sample("Counter hours.doc"), False),
    "open.xls": (sample("Risk register old.xls"), False),
    "open.msg": (sample("Video link timetable.msg"), False),
}


@pytest.mark.parametrize("name", OLE)
def test_office_files(tmp_path, name):
    """Old Office files: fEncrypted in Word, FilePass in Excel, EncryptedPackage in the new ones."""
    content, locked = OLE[name]
    assert look(written(tmp_path, content))[1].encrypted is locked
    padded = content + b"\0" * ((1 << 20) - len(content))  # larger than is read whole
    assert look(written(tmp_path, padded))[1].encrypted is locked


@pytest.mark.parametrize("name", ["locked.xlsx", "locked.doc", "locked.xls"])
def test_a_locked_office_file_cut_short_is_never_called_open(name):
    """With only a part of a locked file the answer is locked or unknown, at every length."""
    content, _ = OLE[name]
    wrong = [
        length
        for length in range(8, len(content), 128)
        if is_encrypted(content[:length], content[:length][-4096:], content[:length], length)
        is False
    ]
    assert wrong == []


def zip_of(*members: tuple[str, bytes], **options) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return memory.getvalue()


def lock_member(content: bytes, number: int) -> bytes:
    """The archive with the encryption bit of one member set, in both its headers."""
    changed, offset = bytearray(content), 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.infolist()[number].header_offset
    changed[start + 6] |= 1
    for _ in range(number + 1):
        offset = content.index(b"PK\x01\x02", offset + 1)
    changed[offset + 8] |= 1
    return bytes(changed)


ZIP = zip_of(("a.txt", b"a" * 100), ("b.txt", b"b" * 100))
FOLDER_FIRST = zip_of(("folder/", b""), ("folder/a.txt", b"secret"))
LARGE_FIRST = zip_of(("large.bin", noise(100_000)), ("b.txt", b"b" * 100))
PDF = b"%%PDF-1.4\n1 0 obj <</Type/Catalog>> endobj\ntrailer <</Root 1 0 R%b>>\nstartxref\n0\n%%%%EOF\n"


@pytest.mark.parametrize(
    ("content", "locked"),
    [
        (ZIP, False), (lock_member(ZIP, 0), True), (lock_member(ZIP, 1), True),
        (FOLDER_FIRST, False), (lock_member(FOLDER_FIRST, 1), True),
        (LARGE_FIRST, False), (lock_member(LARGE_FIRST, 0), True),
        (zip_of(), None), (zip_of(("only/", b"")), False),
        (PDF % b"", False), (PDF % b"/Encrypt 5 0 R", True),
        (PDF.replace(b"\n1 0", b"\n%%" + b"x" * 200_000 + b"\n1 0") % b"", False),
        (b"Rar!\x1a\x07\x01\x00" + b"\0\0\0\0\x10\x04\0", True), (b"Rar!\x1a\x07\x01\x00" + b"\0\0\0\0\x10\x01\0", None),
        (b"Rar!\x1a\x07\x00" + b"\0" * 20, None),
        (b"7z\xbc\xaf\x27\x1c\0\x04" + b"\0" * 24 + b"\x17\x06\xf1\x07\x01\x12", True),
        (b"7z\xbc\xaf\x27\x1c\0\x04" + b"\0" * 60, None),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n", True), (b"plain text", None), (b"", None), (b"PK", None),
        (OLE2_SIGNATURE, None), (b"%PDF", None), (b"PK\x03\x04", None),
    ],
)  # fmt: skip
def test_formats(tmp_path, content, locked):
    """Each format's own sign of a lock is seen; where there is none to see the answer is unknown."""
    assert look(written(tmp_path, content))[1].encrypted is locked


def test_a_locked_member_far_behind_is_not_called_open(tmp_path):
    """A large zip whose second member is locked is locked or unknown: its directory says so."""
    assert look(written(tmp_path, lock_member(LARGE_FIRST, 1)))[1].encrypted is not False


def test_a_locked_member_after_a_streamed_one_is_not_called_open(tmp_path):
    """A zip written to a pipe has no sizes in its local headers; unseen members are unknown."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, block):
            self.data += bytes(block)
            return len(block)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("a.txt", "open")
        archive.writestr("b.txt", "secret")
    assert look(written(tmp_path, lock_member(pipe.data, 1)))[1].encrypted is not False


def test_a_pdf_whose_trailer_is_not_in_the_tail(tmp_path):
    """In a PDF 1.5 the trailer stands before a long compressed table, further than 4 KB from the end."""
    content = (
        b"%PDF-1.7\n" + noise(100_000).replace(b"/", b".")
        + b"\n9 0 obj <</Type/XRef/Encrypt 8 0 R/Root 1 0 R/Length 9000>> stream\n"
        + noise(9000) + b"\nendstream endobj\nstartxref\n100010\n%%EOF\n"
    )  # fmt: skip
    assert look(written(tmp_path, content))[1].encrypted is not False


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"", "inode/x-empty"), (PDF % b"", "application/pdf"), (b"hello\n", "text/plain"),
        (sample("Counter hours.doc"), "application/msword"), (sample("Risk register old.xls"), "application/vnd.ms-excel"),
    ],
)  # fmt: skip
def test_mime_types(tmp_path, content, mime):
    """The MIME type is that of the content, whatever the name."""
    assert look(written(tmp_path, content, "really.exe"))[1].mime == mime


# Damaged files

HEADS = [
    *(content for content, _ in OLE.values()),
    ZIP, lock_member(ZIP, 0), FOLDER_FIRST, sample("Witness schedule locked.zip"), sample("passwords.xlsx"),
    PDF % b"/Encrypt 5 0 R", sample("Withheld material locked.pdf"),
    b"7z\xbc\xaf\x27\x1c\0\x04" + noise(200), b"Rar!\x1a\x07\x01\x00" + noise(200), b"Rar!\x1a\x07\x00" + noise(200),
]  # fmt: skip


@st.composite
def damaged(draw):
    """A real file's beginning, cut anywhere, with some bytes changed (often in its headers)."""
    content = bytearray(draw(st.sampled_from(HEADS)))
    cut = draw(st.one_of(st.just(len(content)), st.integers(0, len(content)), st.integers(0, 700)))
    del content[cut:]
    changes = draw(
        st.lists(
            st.tuples(
                st.one_of(st.integers(8, 127), st.integers(0, 20_000)),
                st.sampled_from([0, 1, 2, 6, 0x7F, 0x80, 0xFE, 0xFF, 0x2F, 0x09]),
                st.integers(1, 6),
            ), max_size=8,
        )
    )  # fmt: skip
    for place, value, count in changes:
        for n in range(place, min(place + count, len(content))):
            content[n] = value
    return bytes(content) + draw(st.binary(max_size=30))


@given(damaged())
@settings(max_examples=400, deadline=None)
def test_damaged_files_never_raise_and_never_stall(content):
    """Whatever a damaged OLE2, ZIP, PDF, 7z or RAR file says of itself, an answer comes at once."""
    began = time.monotonic()
    whole = content if content.startswith(OLE2_SIGNATURE) else None
    assert is_encrypted(content, content[-SAMPLE_BYTES:], whole, len(content)) in (
        True,
        False,
        None,
    )
    assert is_encrypted(content[:8192], b"", None, len(content)) in (True, False, None)
    assert time.monotonic() - began < 1


@given(damaged())
@settings(max_examples=60, deadline=None)
def test_libmagic_survives_damaged_files(content):
    """A MIME type or None, in good time, of anything."""
    began = time.monotonic()
    mime = mime_type(content[:8192])
    assert mime is None or "/" in mime
    assert time.monotonic() - began < 1


@given(st.binary(max_size=600))
@settings(max_examples=200, deadline=None)
def test_ole2_with_any_header(rest):
    """Any bytes at all behind an OLE2 signature give an answer within a second."""
    began = time.monotonic()
    assert is_encrypted(OLE2_SIGNATURE + rest, b"", OLE2_SIGNATURE + rest, 8 + len(rest)) in (
        True,
        False,
        None,
    )
    assert time.monotonic() - began < 1


def test_large_damaged_ole2_is_quick():
    """Four megabytes of sector numbers that point at each other are given up in good time."""
    content = bytearray(sample("Risk register old.xls")[:512]) + b"\x01\0\0\0" * (1 << 20)
    for fields in ({0x2C: 0xFFFF}, {0x48: 0xFFFF, 0x44: 0}, {0x30: 1}, {0x1E: 0}, {0x1E: 31}):
        for place, value in fields.items():
            struct.pack_into("<H", content, place, value)
        began = time.monotonic()
        assert is_encrypted(bytes(content[:8192]), b"", bytes(content), len(content)) in (
            True,
            False,
            None,
        )
        assert time.monotonic() - began < 2, fields


# Many at once


linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a way of Linux")


def one_by_one(share: Path, estate: Path, reading: Reading) -> list[dict]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("migrate.visitor.is_local_linux", lambda source: False)
        return crawled_rows(share, estate, reading)


def described(rows: list[dict]) -> list[dict]:
    """Rows but for the access time, which reading may change."""
    return [{name: value for name, value in row.items() if name != "atime_ns"} for row in rows]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """Names, sizes, times and owners that a share may hold."""
    root = tmp_path_factory.mktemp("hostile")
    for number, size in enumerate((0, 1, 65535, 65536, 65537, 200_000)):
        written(root, noise(size), f"size {number}")
    for folder in (b"plain", b"caf\xe9", "ŵ".encode(), b"a\nb"):
        os.mkdir(os.path.join(os.fsencode(root), folder))
        for name in (b"x.txt", b"\xff\xfe.doc", "é".encode(), b"tab\there", b"=cmd|x", b"\\xe9"):
            with open(os.path.join(os.fsencode(root), folder, name), "wb") as file:
                file.write(b"%PDF-1.4 " + name)
    (root / "plain" / "link").symlink_to("x.txt")
    os.link(root / "size 1", root / "plain" / "second name")
    for name, mtime_ns in (("early", -(10**18)), ("epoch", 0), ("late", 4 * 10**18)):
        os.utime(written(root, b"time", name), ns=(mtime_ns, mtime_ns))
    os.chmod(written(root, b"mode", "mode"), 0o4751)
    if os.getuid() == 0:
        os.chown(written(root, b"owner", "owner"), 54_321, 54_321)
    return root


@linux_only
@pytest.mark.parametrize(
    "reading",
    [Reading(), Reading(mime=False), Reading(sha256=True), Reading(strict_types=True),
     Reading(content=False)],
)  # fmt: skip
def test_many_at_once_are_as_one_by_one(hostile, tmp_path, reading):
    """Visiting plain files in bulk gives the rows that visiting each by itself gives."""
    for estate in (tmp_path / "a", tmp_path / "b"):
        estate.mkdir()
    found = crawled_rows(hostile, tmp_path / "a", reading)
    assert len(found) == len(list(os.walk(os.fsencode(hostile)))) - 1 + sum(
        len(files) for _, _, files in os.walk(os.fsencode(hostile))
    )
    assert described(found) == described(one_by_one(hostile, tmp_path / "b", reading))


@linux_only
@pytest.mark.parametrize("size", [10, 65537])
@pytest.mark.parametrize("how", ["grow", "rewrite", "vanish", "replace"])
def test_a_file_that_changes_among_many(tmp_path, monkeypatch, how, size):
    """What changes while it is read in bulk is visited again by itself: no digest of a moment."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir(), estate.mkdir()
    for name in ("a", "b", "c"):
        written(share, noise(size), name)
        os.utime(share / name, ns=(1, 1))
    real = Records.look
    looked = []

    def look(records: Records, descriptor: int, place: int) -> int:
        found = real(records, descriptor, place)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.name == "b" and not looked:
            looked.append(path)
            if how == "vanish":
                path.unlink()
            elif how == "replace":
                os.replace(written(tmp_path, b"new" * 7, "new"), path)
            else:
                written(share, noise(size) + b"more" if how == "grow" else b"\0" * size, "b")
        return found

    monkeypatch.setattr(Records, "look", look)
    rows = {row["name"]: row for row in crawled_rows(share, estate, Reading(sha256=True))}
    assert looked
    assert sorted(rows) == ["a", "b", "c"] or how == "vanish"
    for name, row in rows.items():
        if row["error"]:
            assert (how, name, row["error"]) == ("vanish", "b", "vanished")
            continue
        content = (share / name).read_bytes() if how != "vanish" or name != "b" else noise(size)
        assert (row["size_bytes"], row["digest"]["error"]) == (len(content), None)
        assert row["digest"]["sha256"] == hashlib.sha256(content).digest()


@linux_only
def test_another_owners_files_among_many(tmp_path, monkeypatch):
    """Where the access time may not be left alone the file is read all the same."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir(), estate.mkdir()
    written(share, b"theirs", "theirs")
    real = os.open

    def refuse(path, flags, *more, **where):
        if path == "theirs" and flags & os.O_NOATIME:
            raise PermissionError(1, "not the owner", path)
        return real(path, flags, *more, **where)

    monkeypatch.setattr(os, "open", refuse)
    rows = {row["name"]: row for row in crawled_rows(share, estate)}
    assert rows["theirs"]["digest"]["xxh3_128"] == xxhash.xxh3_128_digest(b"theirs")


@linux_only
def test_a_page_of_many_names(tmp_path):
    """A folder of more than a page is complete, whatever is between its files."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir(), estate.mkdir()
    for number in range(2_500):
        written(share, b"%d" % (number % 7), f"{number}") if number % 5 else (
            share / f"{number}"
        ).mkdir()
    rows = crawled_rows(share, estate, Reading(mime=False))
    assert len({row["entry_id"] for row in rows}) == len(rows) == 2_500
    assert sum(row["digest"] is not None for row in rows) == 2_000
