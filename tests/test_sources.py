"""The contract of every source. A new source joins SOURCES; a test fails if it does not."""

from __future__ import annotations

import os
import stat as mode_bits
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import migrate.sources
from migrate.errors import ShareUnreachable
from migrate.sources import ERROR_CODES, Child, OpenFile, Source, error_code, linux, open_source
from migrate.sources.local import LocalSource

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the trees here are made of POSIX names")

# One line for each source: its module, and how to get one over a folder of this machine.
SOURCES = {"local": lambda folder: LocalSource(str(folder))}
NO_SOURCES = {"__init__", "linux"}


def test_every_source_is_under_contract():
    """A module in migrate/sources that is not in SOURCES has no contract tests: this fails."""
    modules = {path.stem for path in Path(migrate.sources.__file__).parent.glob("*.py")}
    modules |= {
        path.parent.name for path in Path(migrate.sources.__file__).parent.glob("*/__init__.py")
    }
    assert modules - NO_SOURCES == set(SOURCES)


@pytest.fixture(params=SOURCES)
def make(request):
    """Makes a source of the kind under test over a folder."""
    return SOURCES[request.param]


@pytest.fixture
def source(make, tmp_path) -> Source:
    return make(tmp_path)


def children(source: Source, folder: bytes = b"") -> dict[bytes, str]:
    found = list(source.list(folder))
    assert all(isinstance(child, Child) for child in found)
    names = [child.name for child in found]
    assert len(set(names)) == len(names)
    return {child.name: child.kind for child in found}


def read(source: Source, path: bytes) -> bytes:
    file = source.open(path)
    try:
        return file.read_at(0, 1 << 20)
    finally:
        file.close()


# Listing


def test_list_gives_names_and_kinds(source, tmp_path):
    """Every entry once, with its kind; no '.' and '..'; links are links, wherever they lead."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "deep").write_bytes(b"x")
    (tmp_path / "to file").symlink_to("file")
    (tmp_path / "to folder").symlink_to("folder")
    (tmp_path / "to nothing").symlink_to("nothing")
    (tmp_path / "to itself").symlink_to("to itself")
    os.mkfifo(tmp_path / "pipe")
    assert children(source) == {
        b"file": "file", b".hidden": "file", b"folder": "folder", b"pipe": "other", b"to file": "symlink",
        b"to folder": "symlink", b"to nothing": "symlink", b"to itself": "symlink",
    }  # fmt: skip
    assert children(source, b"folder") == {b"deep": "file"}


def test_list_an_empty_folder(source, tmp_path):
    """An empty folder lists nothing, and is no error."""
    (tmp_path / "empty").mkdir()
    assert children(source, b"empty") == {}


def test_list_is_lazy_and_can_be_left(source, tmp_path):
    """A listing need not be read to its end, and leaves nothing open."""
    for number in range(50):
        (tmp_path / f"{number}").touch()
    list(source.list(b""))  # a source may keep its root open
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(30):
        listing = source.list(b"")
        next(listing)
        listing.close()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_large_folder(source, tmp_path):
    """A folder of thousands of files lists every one."""
    for number in range(3000):
        (tmp_path / f"{number:04d}").touch()
    assert len(children(source)) == 3000


NASTY = [
    b"caf\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", "é".encode(), "e\u0301".encode(), b"a\nb", b"a\rb",
    b"\x1b[31m", b"\x01", b"back\\slash", b"C:", b"con", b" lead", b"trail ", b"dot.", b"...", b"-rf", b"*?",
    b"'\"", "\u202efdp.exe".encode(), "📅".encode(), b"%2e%2e", b"~", b"$(x)", b"\\xe9", b"a" * 255,
    "日".encode() * 85, b"\xff" * 255,
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY, ids=[repr(name)[:30] for name in NASTY])
def test_any_name_can_be_listed_described_and_opened(source, tmp_path, name):
    """Names are bytes: undecodable, 255 bytes long or full of tricks, they are found and read."""
    folder = os.fsencode(tmp_path) + b"/d" + name[:250]
    os.mkdir(folder)
    with open(folder + b"/" + name, "wb") as file:
        file.write(name)
    path = b"d" + name[:250] + b"/" + name
    assert children(source) == {b"d" + name[:250]: "folder"}
    assert children(source, b"d" + name[:250]) == {name: "file"}
    assert source.stat(path).size_bytes == len(name)
    assert read(source, path) == name


def test_names_are_not_normalised(source, tmp_path):
    """Two names that differ only in Unicode form are two files."""
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "é")).write_text(form)
    assert len(children(source)) == 2
    assert {read(source, name) for name in children(source)} == {b"NFC", b"NFD"}


@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda name: not set(name) & {0, 47} and name not in (b".", b"..")
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_name(source, tmp_path, name):
    """Whatever bytes the file system takes as a name, the source gives back."""
    place = os.fsencode(tmp_path) + b"/" + name
    with open(place, "wb") as file:
        file.write(b"x")
    try:
        assert children(source) == {name: "file"}
        assert read(source, name) == b"x"
    finally:
        os.unlink(place)


def test_a_deep_tree(source, tmp_path):
    """A tree of two hundred folders is walked to its end, and its last file read."""
    deep = b"/".join([b"folder 1234"] * 200)
    os.makedirs(os.fsencode(tmp_path) + b"/" + deep)
    with open(os.fsencode(tmp_path) + b"/" + deep + b"/last", "wb") as file:
        file.write(b"here")
    here = b""
    for _ in range(200):
        assert children(source, here) == {b"folder 1234": "folder"}
        here = here + b"/folder 1234" if here else b"folder 1234"
    assert read(source, here + b"/last") == b"here"


def test_a_tree_too_deep_for_one_path(source, tmp_path):
    """Below what the system takes as one path, the error is an OSError with a code of its own."""
    start = os.open(tmp_path, os.O_RDONLY)
    here = os.dup(start)
    try:
        for _ in range(25):
            os.mkdir("x" * 200, dir_fd=here)
            below = os.open("x" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        path = b"/".join([b"x" * 200] * 25)
        for call in (source.stat, source.open, lambda p: list(source.list(p))):
            with pytest.raises(OSError) as caught:
                call(path)
            assert error_code(caught.value) == "name_too_long"
    finally:
        os.close(here)
        _remove_deep(start)
        os.close(start)


def _remove_deep(start: int) -> None:
    descriptors = [start]
    while "x" * 200 in os.listdir(descriptors[-1]):
        descriptors.append(os.open("x" * 200, os.O_RDONLY, dir_fd=descriptors[-1]))
    for child, parent in zip(reversed(descriptors), list(reversed(descriptors))[1:], strict=False):
        os.close(child)
        os.rmdir("x" * 200, dir_fd=parent)


# Stat


def test_stat(source, tmp_path):
    """Size, times in integer nanoseconds, kind, links and identity are the file system's."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1_500_000_000_000_000_001, 1_400_000_000_123_456_789))
    os.link(path, tmp_path / "again")
    found, real = source.stat(b"file"), os.lstat(path)
    assert (found.size_bytes, found.link_count) == (5, 2)
    assert (found.mtime_ns, found.atime_ns) == (
        1_400_000_000_123_456_789,
        1_500_000_000_000_000_001,
    )
    assert found.ctime_ns == real.st_ctime_ns
    assert found.mode == real.st_mode
    assert (found.file_id, found.device_id) == (real.st_ino, real.st_dev)
    assert found.file_id == source.stat(b"again").file_id
    assert found.owner
    assert found.birthtime_ns is None or abs(found.birthtime_ns - real.st_ctime_ns) < 60 * 10**9
    assert all(
        isinstance(value, int) for value in (found.mtime_ns, found.size_bytes, found.file_id)
    )


@pytest.mark.parametrize(
    "mtime_ns", [0, -1, -1_000_000_000, -86_400 * 10**9, 999_999_999, 4_102_444_800 * 10**9]
)
def test_times_far_away(source, tmp_path, mtime_ns):
    """Times before 1970 and after 2038 are exact to the nanosecond."""
    (tmp_path / "file").touch()
    os.utime(tmp_path / "file", ns=(mtime_ns, mtime_ns))
    assert source.stat(b"file").mtime_ns == os.lstat(tmp_path / "file").st_mtime_ns == mtime_ns


def test_stat_of_the_root_and_of_folders(source, tmp_path):
    """The root is the empty path; folders have a stat like files."""
    (tmp_path / "folder").mkdir()
    assert source.stat(b"").file_id == tmp_path.stat().st_ino
    assert mode_bits.S_ISDIR(source.stat(b"folder").mode)


def test_stat_is_of_the_link_itself(source, tmp_path):
    """A link's stat is the link's, and its target is the bytes it holds."""
    (tmp_path / "file").write_bytes(b"long content")
    os.symlink(b"fi\xff/../le", os.fsencode(tmp_path) + b"/link")
    assert mode_bits.S_ISLNK(source.stat(b"link").mode)
    assert source.link_target(b"link") == b"fi\xff/../le"


def test_stat_of_an_open_file(source, tmp_path):
    """An open file's stat is that of its path, and follows the file when it is renamed."""
    (tmp_path / "file").write_bytes(b"12345")
    file = source.open(b"file")
    try:
        assert file.stat() == source.stat(b"file")._replace(atime_ns=file.stat().atime_ns)
        (tmp_path / "file").rename(tmp_path / "moved")
        (tmp_path / "file").write_bytes(b"another")
        assert file.stat().size_bytes == 5
        with (tmp_path / "moved").open("ab") as more:
            more.write(b"6")
        assert file.stat().size_bytes == 6
    finally:
        file.close()


def test_owners_without_a_name(source, tmp_path):
    """An owner whom nobody knows is the bare number."""
    (tmp_path / "file").touch()
    try:
        os.chown(tmp_path / "file", 3_999_999_999, -1)
    except OSError:
        pytest.skip("not root")
    assert source.stat(b"file").owner == "3999999999"


@pytest.mark.skipif(sys.platform != "linux", reason="statx")
def test_without_statx_the_answers_are_the_same(source, tmp_path, monkeypatch):
    """Where the C library has no statx everything but the birth time is as it was."""
    if not isinstance(source, LocalSource):
        pytest.skip("local files only")
    (tmp_path / "file").write_bytes(b"x")
    with_statx = source.stat(b"file")
    monkeypatch.setattr(linux, "has_statx", lambda: False)
    assert source.stat(b"file") == with_statx._replace(birthtime_ns=None)
    file = source.open(b"file")
    assert file.stat()._replace(atime_ns=0) == with_statx._replace(birthtime_ns=None, atime_ns=0)
    file.close()


# Reading


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_001])
def test_read_at(source, tmp_path, size):
    """Any range of a file, in any order; short only at its end, empty beyond it."""
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    file: OpenFile = source.open(b"file")
    try:
        for offset, length in [
            (0, size),
            (size // 2, size),
            (0, 1),
            (size, 10),
            (size + 100, 10),
            (3, 0),
            (0, size + 5),
        ]:
            assert file.read_at(offset, length) == content[offset : offset + length]
    finally:
        file.close()


def test_short_reads_are_made_whole(source, tmp_path, monkeypatch):
    """Where the system gives fewer bytes than asked for (network mounts do), read_at asks again."""
    if not isinstance(source, LocalSource):
        pytest.skip("local files only")
    content = os.urandom(10_000)
    (tmp_path / "file").write_bytes(content)
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: real(fd, min(size, 700), offset))
    assert read(source, b"file") == content


def test_two_open_files_do_not_disturb_each_other(source, tmp_path):
    """Reads of one file do not move the place of another, nor of the same one opened twice."""
    (tmp_path / "a").write_bytes(b"aaaa")
    (tmp_path / "b").write_bytes(b"bbbb")
    files = [source.open(b"a"), source.open(b"b"), source.open(b"a")]
    assert [file.read_at(1, 2) for file in files + files] == [b"aa", b"bb", b"aa"] * 2
    for file in files:
        file.close()


# Errors


@pytest.mark.parametrize("call", ["stat", "open", "list", "link_target"])
@pytest.mark.parametrize("path", [b"gone", b"gone/deeper", b"file/below", b"x" * 256])
def test_errors_are_oserrors(source, tmp_path, call, path):
    """What is not there, or cannot be, is an OSError whose code is one of ours."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:
        result = getattr(source, call)(path)
        if call == "list":
            list(result)
    assert error_code(caught.value) in ERROR_CODES.values()


def test_a_file_is_no_folder(source, tmp_path):
    """Listing a file is an OSError; so is reading a folder."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        list(source.list(b"file"))
    with pytest.raises(OSError):
        read(source, b"folder")


@pytest.mark.parametrize("link", [b"to file", b"to nothing", b"to itself", b"out"])
def test_a_link_is_never_opened(source, tmp_path, link):
    """Opening a link is refused with a code that says it became one."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "to file").symlink_to("file")
    (tmp_path / "to nothing").symlink_to("nothing")
    (tmp_path / "to itself").symlink_to("to itself")
    (tmp_path / "out").symlink_to("/etc/passwd")
    with pytest.raises(OSError) as caught:
        source.open(link)
    assert error_code(caught.value) == "became_a_link"


def test_a_folder_that_became_a_link_is_not_listed(source, tmp_path):
    """A folder swapped for a link between two looks does not lead the crawl out of the share."""
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(OSError):
        list(source.list(b"link"))


def test_links_on_the_way_are_not_followed(source, tmp_path):
    """A file below a link is not read through it: it may lie anywhere."""
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(OSError):
        source.open(b"link/passwd").close()


def test_denied(source, tmp_path, monkeypatch):
    """A file that may not be read is `denied`, also where not touching the access time is denied first."""
    if not isinstance(source, LocalSource):
        pytest.skip("local files only")
    (tmp_path / "file").touch()
    flags_seen = []

    def deny(path, flags, *rest):
        flags_seen.append(flags)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(linux, "open_beneath", lambda root, path, flags: deny(path, flags))
    with pytest.raises(PermissionError) as caught:
        source.open(b"file")
    assert error_code(caught.value) == "denied"
    if hasattr(os, "O_NOATIME"):
        assert [bool(flags & os.O_NOATIME) for flags in flags_seen] == [True, False]


def test_error_codes():
    """Every error has one word; an unknown one its errno's name; none at all 'unknown'."""
    import errno

    assert error_code(OSError(errno.EACCES, "x")) == "denied"
    assert error_code(OSError(errno.ENODEV, "x")) == "enodev"
    assert error_code(OSError("no number")) == "unknown"
    assert error_code(OSError(99_999, "x")) == "unknown"


# The whole


def test_check(make, tmp_path):
    """A root that is there passes; a missing one, a file, or a dead link is ShareUnreachable (12)."""
    (tmp_path / "file").touch()
    (tmp_path / "dead").symlink_to("nothing")
    make(tmp_path).check()
    for root in ("missing", "file", "dead"):
        with pytest.raises(ShareUnreachable) as caught:
            make(tmp_path / root).check()
        assert caught.value.exit_code == 12
        assert str(tmp_path / root) in caught.value.what


def test_a_root_with_an_odd_name(make, tmp_path):
    """The share itself may have any name, also an undecodable one."""
    root = os.fsencode(tmp_path) + b"/r\xff \n"
    os.mkdir(root)
    with open(root + b"/f", "wb") as file:
        file.write(b"x")
    source = make(os.fsdecode(root))
    source.check()
    assert children(source) == {b"f": "file"}
    assert read(source, b"f") == b"x"


def test_a_source_changes_nothing(source, tmp_path):
    """Listing, describing and reading leave every time and name as they were."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    os.utime(tmp_path / "folder" / "file", ns=(10**18, 2 * 10**18))
    before = [
        os.lstat(path) for path in (tmp_path, tmp_path / "folder", tmp_path / "folder" / "file")
    ]
    children(source)
    children(source, b"folder")
    source.stat(b"folder/file")
    read(source, b"folder/file")
    after = [
        os.lstat(path) for path in (tmp_path, tmp_path / "folder", tmp_path / "folder" / "file")
    ]
    assert [(s.st_mtime_ns, s.st_ctime_ns, s.st_mode) for s in after] == [
        (s.st_mtime_ns, s.st_ctime_ns, s.st_mode) for s in before
    ]
    assert after[2].st_atime_ns == 10**18


def test_open_source(tmp_path):
    """A path is a local source; a URL that no source speaks is refused with advice, no password told."""
    assert isinstance(open_source(str(tmp_path)), LocalSource)
    with pytest.raises(ShareUnreachable) as caught:
        open_source("smb://fs1/HR")
    assert "Mount the share" in caught.value.todo


def test_open_source_tells_no_password():
    """An error message holds no secret, also where the URL in estate.yaml does."""
    with pytest.raises(ShareUnreachable) as caught:
        open_source("smb://ann:secret@fs1/HR")
    assert "secret" not in caught.value.what
