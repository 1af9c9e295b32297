"""The contract of every source. A new source joins SOURCES; a test fails if it does not.

The SMB source is tested over a real Samba server. What Samba itself does not show (names that are
not UTF-8, links inside a share, modes, nanoseconds below 100) is skipped case by case, with the
reason; where it shows something else instead, that is what the test expects.
"""

from __future__ import annotations

import errno
import gc
import itertools
import os
import re
import stat as mode_bits
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import migrate.sources
from migrate.errors import ShareUnreachable, UsageError
from migrate.place import Place
from migrate.reader import Reader, read_whole
from migrate.sources import (
    ERROR_CODES,
    Child,
    OpenFile,
    Source,
    Wanted,
    error_code,
    linux,
    open_source,
)
from migrate.sources.local import LocalFile, LocalSource
from migrate.sources.smb import SmbSource

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the trees here are made of POSIX names")

SOURCES = ("local", "smb")
NO_SOURCES = {"ahead", "far", "mounts", "records", "__init__", "linux"}


def test_every_source_is_under_contract():
    """A module in migrate/sources that is not in SOURCES has no contract tests: this fails."""
    modules = {path.stem for path in Path(migrate.sources.__file__).parent.glob("*.py")}
    modules |= {
        path.parent.name for path in Path(migrate.sources.__file__).parent.glob("*/__init__.py")
    }
    assert modules - NO_SOURCES == set(SOURCES)


class Maker(NamedTuple):
    """A kind of source: the folder it is to show, and how to get one over it or one below it."""

    kind: str
    folder: Path
    make: Callable[[Path | str], Source]

    def __call__(self, folder: Path | str) -> Source:
        return self.make(folder)


class FarSource(LocalSource):
    """A folder that answers late, as one does that is mounted over a slow link."""

    def __init__(self, root: str, at_once: int = 4) -> None:
        super().__init__(root, at_once=at_once)
        self.opening = self.most_opening = 0
        self.lock = threading.Lock()

    def open(self, path: bytes) -> LocalFile:
        with self.lock:
            self.opening += 1
            self.most_opening = max(self.most_opening, self.opening)
        try:
            time.sleep(0.002)
            return super().open(path)
        finally:
            with self.lock:
                self.opening -= 1


@pytest.fixture(params=[*SOURCES, "local, far away"])
def maker(request, tmp_path, monkeypatch) -> Iterator[Maker]:
    """Makes sources of the kind under test."""
    if request.param != "smb":
        kind = FarSource if request.param == "local, far away" else LocalSource
        yield Maker("local", tmp_path, lambda folder: kind(str(folder)))
        return
    server, folder = (request.getfixturevalue(name) for name in ("samba", "samba_folder"))
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    made: list[Source] = []

    def make(root: Path | str) -> Source:
        address = server.url("data", str(Path(root).relative_to(server.shares["data"])))
        made.append(open_source(Place(address)))
        return made[-1]

    yield Maker("smb", folder, make)
    for one in made:
        one.close()


@pytest.fixture
def share(maker) -> Path:
    """The folder that the source shows."""
    return maker.folder


@pytest.fixture
def source(maker) -> Iterator[Source]:
    found = maker(maker.folder)
    yield found
    found.close()


def local_only(source: Source, reason: str) -> None:
    if not isinstance(source, LocalSource):
        pytest.skip(reason)


def walk(source: Source, *folders: bytes) -> dict[bytes, list[Child]]:
    """The children of each folder. Raises the error of the first that cannot be listed."""
    todo = list(reversed(folders))
    found: dict[bytes, list[Child]] = {folder: [] for folder in folders}
    ended = []
    for page in source.walk(lambda: todo.pop() if todo else None):
        assert page.folder not in ended
        assert page.error is None or page.is_last
        if page.error:
            raise page.error
        found[page.folder] += page.every_child()
        ended += [page.folder] * page.is_last
    assert sorted(ended) == sorted(folders)
    return found


def children(source: Source, folder: bytes = b"") -> dict[bytes, str]:
    """The names in one folder, each once, with their kinds."""
    found = walk(source, folder)[folder]
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


_MANGLED = re.compile(
    rb'(?i).*[\x00-\x1f"*/:<>?|\\].*|.*[. ]|(con|prn|aux|nul|com[1-4]|lpt[1-3])(\..*)?', re.DOTALL
)
_ALIAS = re.compile(rb"[A-Z0-9_$~-]{2}[A-Z0-9]{4}~[A-Z0-9](\.[A-Z0-9]{1,3})?")


def shown_as(source: Source, folder: bytes, name: bytes, kind: str = "file") -> bytes | None:
    """How the only name in a folder is shown, after a look that it is as it should be; None where
    the server has no way to show it, or shows it and opens it by no name."""
    found = children(source, folder)
    if isinstance(source, SmbSource):
        try:
            name.decode()
        except UnicodeDecodeError:
            assert set(found) <= {name}, name
            return None
        if _MANGLED.fullmatch(name):
            (alias,) = found
            assert _ALIAS.fullmatch(alias)
            name = alias
    assert found == {name: kind}
    return name


# Listing


def test_list_gives_names_and_kinds(source, share):
    """Every entry once, with its kind; no '.' and '..'; links are links, wherever they lead."""
    (share / "file").write_bytes(b"x")
    (share / ".hidden").write_bytes(b"x")
    (share / "folder").mkdir()
    (share / "folder" / "deep").write_bytes(b"x")
    (share / "to file").symlink_to("file")
    (share / "to folder").symlink_to("folder")
    (share / "to nothing").symlink_to("nothing")
    (share / "to itself").symlink_to("to itself")
    os.mkfifo(share / "pipe")
    expected = {
        b"file": "file", b".hidden": "file", b"folder": "folder", b"pipe": "other", b"to file": "symlink",
        b"to folder": "symlink", b"to nothing": "symlink", b"to itself": "symlink",
    }  # fmt: skip
    if isinstance(source, SmbSource):
        # Samba shows a link inside the share as what it leads to, others not at all, a pipe as an
        # empty file that nobody may open.
        expected |= {b"pipe": "file", b"to file": "file", b"to folder": "folder"}
        del expected[b"to nothing"], expected[b"to itself"]
    assert children(source) == expected
    assert children(source, b"folder") == {b"deep": "file"}


def test_list_an_empty_folder(source, share):
    """An empty folder lists nothing, and is no error."""
    (share / "empty").mkdir()
    assert children(source, b"empty") == {}


def test_a_walk_can_be_left(source, share):
    """A walk need not be read to its end, and leaves nothing open."""
    for number in range(50):
        (share / f"{number}").touch()
    for folder in ("x", "y"):
        (share / folder).mkdir()
    children(source)  # a source may keep its root or a connection open
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(30):
        todo = [b"x", b"y", b""]
        pages = source.walk(lambda todo=todo: todo.pop() if todo else None)
        assert next(pages).every_child()
        pages.close()
    assert children(source, b"x") == {}
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_walk_asks_for_folders_as_it_finds_them(source, share):
    """`next_folder` may give what earlier pages brought: the whole tree is walked, each folder
    once, and the walk asks again after a None as long as a listing is under way."""
    expected = {b""}
    for path in itertools.product("abc", "de", "fgh"):
        (share / "/".join(path)).mkdir(parents=True)
        expected |= {"/".join(path[:depth]).encode() for depth in (1, 2, 3)}
    todo, listed = [b""], []
    for page in source.walk(lambda: todo.pop() if todo else None):  # noqa: B023
        assert page.error is None
        prefix = page.folder + b"/" if page.folder else b""
        todo += [prefix + child.name for child in page.every_child() if child.kind == "folder"]
        listed += [page.folder] * page.is_last
    assert sorted(listed) == sorted(expected)


def test_what_a_walk_cannot_list_is_a_page(source, share):
    """One folder that is gone does not end the walk of the others; its page has the error."""
    (share / "here").mkdir()
    (share / "here" / "file").touch()
    todo = [b"here", b"gone", b"here/file", b""]
    pages = {page.folder: page for page in source.walk(lambda: todo.pop() if todo else None)}
    assert {folder: page.error is None for folder, page in pages.items()} == {
        b"here": True, b"gone": False, b"here/file": False, b"": True,
    }  # fmt: skip
    assert error_code(pages[b"gone"].error) == "vanished"
    assert pages[b"gone"].children == []
    assert all(page.is_last for page in pages.values())


def test_a_folder_that_may_not_be_listed(source, share):
    """A folder nobody may enter is `denied`; root may enter any on this machine."""
    (share / "shut").mkdir(mode=0)
    if isinstance(source, LocalSource) and os.getuid() == 0:
        pytest.skip("root may list it")
    with pytest.raises(OSError) as caught:
        children(source, b"shut")
    assert error_code(caught.value) == "denied"


def test_a_large_folder(source, share):
    """A folder of thousands of files lists every one."""
    for number in range(3000):
        (share / f"{number:04d}").touch()
    assert len(children(source)) == 3000


NASTY = [
    b"caf\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", "é".encode(), "e\u0301".encode(), b"a\nb", b"a\rb",
    b"\x1b[31m", b"\x01", b"back\\slash", b"C:", b"con", b" lead", b"trail ", b"dot.", b"...", b"-rf", b"*?",
    b"'\"", "\u202efdp.exe".encode(), "📅".encode(), b"%2e%2e", b"~", b"$(x)", b"\\xe9", b"a" * 255,
    "日".encode() * 85, b"\xff" * 255,
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY, ids=[repr(name)[:30] for name in NASTY])
def test_any_name_can_be_listed_described_and_opened(source, share, name):
    """Names are bytes: undecodable, 255 bytes long or full of tricks, they are found and read."""
    folder = os.fsencode(share) + b"/d" + name[:250]
    os.mkdir(folder)
    with open(folder + b"/" + name, "wb") as file:
        file.write(name)
    above = shown_as(source, b"", b"d" + name[:250], "folder")
    below = above and shown_as(source, above, name)
    if above is None or below is None:
        pytest.skip("Samba does not list names that are not UTF-8, or lists and does not open them")
    path = above + b"/" + below
    assert source.stat(path).size_bytes == len(name)
    assert read(source, path) == name


def test_names_are_not_normalised(source, share):
    """Two names that differ only in Unicode form are two files."""
    for form in ("NFC", "NFD"):
        (share / unicodedata.normalize(form, "é")).write_text(form)
    assert len(children(source)) == 2
    assert {read(source, name) for name in children(source)} == {b"NFC", b"NFD"}


@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda name: not set(name) & {0, 47} and name not in (b".", b"..")
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_name(source, share, name):
    """Whatever bytes the file system takes as a name, the source gives back."""
    place = os.fsencode(share) + b"/" + name
    with open(place, "wb") as file:
        file.write(b"x")
    try:
        shown = shown_as(source, b"", name)
        assert shown is None or read(source, shown) == b"x"
    finally:
        os.unlink(place)


def test_a_deep_tree(source, share):
    """A tree of two hundred folders is walked to its end, and its last file read."""
    deep = b"/".join([b"folder 1234"] * 200)
    os.makedirs(os.fsencode(share) + b"/" + deep)
    with open(os.fsencode(share) + b"/" + deep + b"/last", "wb") as file:
        file.write(b"here")
    here = b""
    for _ in range(200):
        assert children(source, here) == {b"folder 1234": "folder"}
        here = here + b"/folder 1234" if here else b"folder 1234"
    assert read(source, here + b"/last") == b"here"


def test_a_tree_too_deep_for_one_path(source, share):
    """Below what the system takes as one path, the error is an OSError with a code of its own."""
    start = os.open(share, os.O_RDONLY)
    here = os.dup(start)
    try:
        for _ in range(25):
            os.mkdir("x" * 200, dir_fd=here)
            below = os.open("x" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        path = b"/".join([b"x" * 200] * 25)
        for call in (source.stat, source.open, lambda path: walk(source, path)):
            with pytest.raises(OSError) as caught:
                call(path)
            # Samba says of it that it is not there.
            expected = "name_too_long" if isinstance(source, LocalSource) else "vanished"
            assert error_code(caught.value) == expected
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


def kept(source: Source, time_ns: int) -> int:
    """A time as the source can tell it: SMB has units of 100 ns."""
    return time_ns // 100 * 100 if isinstance(source, SmbSource) else time_ns


def test_stat(source, share):
    """Size, times in integer nanoseconds, kind, links and identity are the file system's."""
    path = share / "file"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1_500_000_000_000_000_001, 1_400_000_000_123_456_789))
    os.link(path, share / "again")
    found, real = source.stat(b"file"), os.lstat(path)
    assert (found.size_bytes, found.link_count) == (5, 2)
    assert (found.mtime_ns, found.atime_ns) == (
        kept(source, 1_400_000_000_123_456_789),
        kept(source, 1_500_000_000_000_000_001),
    )
    assert found.file_id == real.st_ino == source.stat(b"again").file_id
    assert found.device_id == source.stat(b"").device_id
    assert found.ctime_ns is not None
    assert all(
        isinstance(value, int) for value in (found.mtime_ns, found.size_bytes, found.file_id)
    )
    if isinstance(source, SmbSource):  # Samba tells no ctime, but the later of mtime and ctime
        assert found.attributes is not None
        assert found.birthtime_ns is not None
        return
    assert found.ctime_ns == real.st_ctime_ns
    assert found.mode == real.st_mode
    assert found.device_id == real.st_dev
    assert found.owner
    assert found.birthtime_ns is None or abs(found.birthtime_ns - real.st_ctime_ns) < 60 * 10**9


def test_a_stat_that_comes_with_a_listing(source, share):
    """What a listing says of an entry beside its name is what a look at the entry says."""
    (share / "file").write_bytes(b"12345")
    (share / "folder").mkdir()
    os.utime(share / "file", ns=(10**18 + 100, 2 * 10**18 + 200))
    for child in walk(source, b"")[b""]:
        if child.stat:
            found = source.stat(child.name)
            # A listing does not count the names.
            assert child.stat == found._replace(link_count=None)
        else:
            assert isinstance(source, LocalSource)


@pytest.mark.parametrize(
    "mtime_ns", [0, -1, -1_000_000_000, -86_400 * 10**9, 999_999_999, 4_102_444_800 * 10**9]
)
def test_times_far_away(source, share, mtime_ns):
    """Times before 1970 and after 2038 are exact to the nanosecond."""
    (share / "file").touch()
    os.utime(share / "file", ns=(mtime_ns, mtime_ns))
    assert os.lstat(share / "file").st_mtime_ns == mtime_ns
    assert source.stat(b"file").mtime_ns == kept(source, mtime_ns)


def test_stat_of_the_root_and_of_folders(source, share):
    """The root is the empty path; folders have a stat like files."""
    (share / "folder").mkdir()
    assert source.stat(b"").file_id == share.stat().st_ino
    if isinstance(source, LocalSource):  # SMB has attributes instead of modes
        assert mode_bits.S_ISDIR(source.stat(b"folder").mode)
    else:
        assert source.stat(b"folder").attributes & 0x10


def test_stat_is_of_the_link_itself(source, share):
    """A link's stat is the link's, and its target is the bytes it holds."""
    local_only(source, "Samba shows no links inside a share, only what they lead to")
    (share / "file").write_bytes(b"long content")
    os.symlink(b"fi\xff/../le", os.fsencode(share) + b"/link")
    assert mode_bits.S_ISLNK(source.stat(b"link").mode)
    assert source.link_target(b"link") == b"fi\xff/../le"


def test_stat_of_an_open_file(source, share):
    """An open file's stat is that of its path, and follows the file when it is renamed."""
    (share / "file").write_bytes(b"12345")
    file = source.open(b"file")
    try:
        assert file.stat() == source.stat(b"file")._replace(atime_ns=file.stat().atime_ns)
        (share / "file").rename(share / "moved")
        (share / "file").write_bytes(b"another")
        assert file.stat().size_bytes == 5
        with (share / "moved").open("ab") as more:
            more.write(b"6")
        assert file.stat().size_bytes == 6
    finally:
        file.close()


def test_owners_without_a_name(source, share):
    """An owner whom nobody knows is the bare number."""
    local_only(source, "over SMB owners come with the permissions")
    (share / "file").touch()
    try:
        os.chown(share / "file", 3_999_999_999, -1)
    except OSError:
        pytest.skip("not root")
    assert source.stat(b"file").owner == "3999999999"


@pytest.mark.skipif(sys.platform != "linux", reason="statx")
def test_without_statx_the_answers_are_the_same(source, share, monkeypatch):
    """Where the C library has no statx everything but the birth time is as it was."""
    local_only(source, "it is about system calls on this machine")
    (share / "file").write_bytes(b"x")
    with_statx = source.stat(b"file")
    monkeypatch.setattr(linux, "has_statx", lambda: False)
    assert source.stat(b"file") == with_statx._replace(birthtime_ns=None)
    file = source.open(b"file")
    assert file.stat()._replace(atime_ns=0) == with_statx._replace(birthtime_ns=None, atime_ns=0)
    file.close()


# Reading


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_001])
def test_read_at(source, share, size):
    """Any range of a file, in any order; short only at its end, empty beyond it."""
    content = os.urandom(size)
    (share / "file").write_bytes(content)
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


def test_short_reads_are_made_whole(source, share, monkeypatch):
    """Where the system gives fewer bytes than asked for (network mounts do), read_at asks again."""
    local_only(source, "it is about system calls on this machine")
    content = os.urandom(10_000)
    (share / "file").write_bytes(content)
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: real(fd, min(size, 700), offset))
    assert read(source, b"file") == content


def test_two_open_files_do_not_disturb_each_other(source, share):
    """Reads of one file do not move the place of another, nor of the same one opened twice."""
    (share / "a").write_bytes(b"aaaa")
    (share / "b").write_bytes(b"bbbb")
    files = [source.open(b"a"), source.open(b"b"), source.open(b"a")]
    assert [file.read_at(1, 2) for file in files + files] == [b"aa", b"bb", b"aa"] * 2
    for file in files:
        file.close()


# Errors


@pytest.mark.parametrize("call", ["stat", "open", "walk", "link_target"])
@pytest.mark.parametrize("path", [b"gone", b"gone/deeper", b"file/below", b"x" * 256])
def test_errors_are_oserrors(source, share, call, path):
    """What is not there, or cannot be, is an OSError whose code is one of ours."""
    (share / "file").touch()
    with pytest.raises(OSError) as caught:
        if call == "walk":
            walk(source, path)
        else:
            getattr(source, call)(path)
    ours = {*ERROR_CODES.values(), "bad_name"}  # the second is what SMB says of what cannot be
    assert error_code(caught.value) in ours


def test_a_file_is_no_folder(source, share):
    """Listing a file is an OSError; so is reading a folder."""
    (share / "file").touch()
    (share / "folder").mkdir()
    with pytest.raises(OSError):
        walk(source, b"file")
    with pytest.raises(OSError):
        read(source, b"folder")


@pytest.mark.parametrize("path", [b"..", b"../x", b"folder/../../x", b".", b"folder//x", b"/etc"])
def test_no_path_leads_out(source, share, path):
    """A path that would lead elsewhere is refused by a source that could be led."""
    if isinstance(source, LocalSource) and path in (b".", b"folder//x"):
        pytest.skip("the system takes it, and it stays inside the share")
    (share / "folder").mkdir()
    for call in (source.open, lambda path: walk(source, path)):
        with pytest.raises(OSError):
            call(path)


@pytest.mark.parametrize("link", [b"to file", b"to nothing", b"to itself", b"out"])
def test_a_link_is_never_opened(maker, source, share, link):
    """Opening a link is refused with a code that says it became one."""
    if isinstance(source, SmbSource) and link == b"to file":
        pytest.skip("Samba shows no links inside a share, only what they lead to")
    (share / "file").write_bytes(b"x")
    (share / "to file").symlink_to("file")
    (share / "to nothing").symlink_to("nothing")
    (share / "to itself").symlink_to("to itself")
    (share / "out").symlink_to("/etc/passwd")
    with pytest.raises(OSError) as caught:
        source.open(link)
    # Of a link that leads nowhere or out of the share Samba says that nothing is there.
    expected = {"local": {"became_a_link"}, "smb": {"vanished", "denied"}}[maker.kind]
    assert error_code(caught.value) in expected


def test_a_folder_that_became_a_link_is_not_listed(source, share):
    """A folder swapped for a link between two looks does not lead the crawl out of the share."""
    (share / "link").symlink_to("/etc")
    with pytest.raises(OSError):
        walk(source, b"link")


def walked(source: Source, folders: list[bytes], meanwhile: Callable[[], None]) -> list[list[str]]:
    """What is in some folders, listed one after the other; something happens after the first."""
    left = [*folders]
    found = []
    for page in source.walk(lambda: left.pop(0) if left else None):
        found.append(sorted(os.fsdecode(child.name) for child in page.every_child()))
        if len(found) == 1:
            meanwhile()
    return found


@pytest.fixture
def local(tmp_path) -> LocalSource:
    """A server may have listed the next folder already; here one is listed after the other."""
    (tmp_path / "share").mkdir()
    return LocalSource(str(tmp_path / "share"))


def test_a_walk_is_not_led_out_by_what_changes_on_the_way(local, tmp_path):
    """A folder below the one just listed is opened from there: not by a link that has taken its
    place, nor by any name that leads up."""
    share = tmp_path / "share"
    (share / "top/inner").mkdir(parents=True)
    (share / "top/inner/file").touch()
    (share.parent / "secret").mkdir()
    (share.parent / "secret/hidden").touch()

    def swap() -> None:
        (share / "top/inner/file").unlink()
        (share / "top/inner").rmdir()
        (share / "top/inner").symlink_to(share.parent / "secret")

    assert walked(local, [b"top", b"top/inner"], swap) == [["inner"], []]
    for up in ([b"", b".."], [b"top", b"top/.."], [b"top", b"top/../.."]):
        assert not any("secret" in names for names in walked(local, up, lambda: None))


def test_a_folder_that_takes_the_place_of_another_is_found(local, tmp_path):
    """The tree may be put in another place while it is listed: what is at a path then counts."""
    share = tmp_path / "share"
    (share / "top/old").mkdir(parents=True)

    def swap() -> None:
        (share / "top").rename(share / "gone")
        (share / "top/new").mkdir(parents=True)
        (share / "top/new/file").touch()

    assert walked(local, [b"top", b"top/new"], swap) == [["old"], ["file"]]


@pytest.mark.skipif(sys.platform != "linux", reason="openat2")
def test_a_local_walk_goes_down_step_by_step(local, tmp_path, monkeypatch):
    """Only the first folder is opened from the root, and no more than a few are open at a time."""
    opened = []
    beneath = linux.open_beneath
    monkeypatch.setattr(
        linux, "open_beneath", lambda root, *what: opened.append(what[0]) or beneath(root, *what)
    )
    deep = ["/".join(f"level {n}" for n in range(depth)) for depth in range(1, 100)]
    (tmp_path / "share" / deep[-1]).mkdir(parents=True)
    (tmp_path / "share/level 0/other").mkdir()
    left = [b"level 0/other", *map(os.fsencode, deep[::-1]), b""]
    before = len(os.listdir("/proc/self/fd"))
    most = 0
    for _ in local.walk(lambda: left.pop() if left else None):
        most = max(most, len(os.listdir("/proc/self/fd")) - before)
    assert opened == [b"", b"level 0/other"]  # so far up that it is not open any more
    assert most == 1 + 64  # with the root
    assert len(os.listdir("/proc/self/fd")) == before + 1


def test_links_on_the_way_are_not_followed(source, share):
    """A file below a link is not read through it: it may lie anywhere."""
    (share / "link").symlink_to("/etc")
    with pytest.raises(OSError):
        source.open(b"link/passwd").close()


def test_denied(source, share, monkeypatch):
    """A file that may not be read is `denied`, also where not touching the access time is denied first."""
    local_only(source, "it is about system calls on this machine")
    (share / "file").touch()
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


def test_check(maker, share):
    """A root that is there passes; a missing one, a file, or a dead link is ShareUnreachable (12)."""
    (share / "file").touch()
    (share / "dead").symlink_to("nothing")
    maker(share).check()
    for root in ("missing", "file", "dead"):
        with pytest.raises(ShareUnreachable) as caught:
            maker(share / root).check()
        assert caught.value.exit_code == 12
        shown = str(share / root) if maker.kind == "local" else f"{share.name}\\{root}"
        assert shown in caught.value.what


@pytest.mark.parametrize("name", [b"r\xff \n", "r é#?%41@;&=+".encode(), b"%2e%2e"])
def test_a_root_with_an_odd_name(maker, share, name):
    """The share itself may have any name, also an undecodable one."""
    if maker.kind == "smb" and b"\xff" in name:
        pytest.skip("Samba does not serve names that are not UTF-8")
    if maker.kind == "smb" and b"?" in name:
        name = name.replace(b"?", b"")  # Samba has another name for it
    root = os.fsencode(share) + b"/" + name
    os.mkdir(root)
    with open(root + b"/f", "wb") as file:
        file.write(b"x")
    source = maker(os.fsdecode(root))
    source.check()
    assert children(source) == {b"f": "file"}
    assert read(source, b"f") == b"x"


def test_a_source_changes_nothing(source, share):
    """Listing, describing and reading leave every time and name as they were."""
    (share / "folder").mkdir()
    (share / "folder" / "file").write_bytes(b"x")
    os.utime(share / "folder" / "file", ns=(10**18, 2 * 10**18))
    before = [os.lstat(path) for path in (share, share / "folder", share / "folder" / "file")]
    children(source)
    children(source, b"folder")
    source.stat(b"folder/file")
    read(source, b"folder/file")
    ((_, found),) = source.open_all([(1, Wanted(b"folder/file", [(0, 1)]))])
    found.file.close()
    source.close()
    after = [os.lstat(path) for path in (share, share / "folder", share / "folder" / "file")]
    assert [(s.st_mtime_ns, s.st_ctime_ns, s.st_mode) for s in after] == [
        (s.st_mtime_ns, s.st_ctime_ns, s.st_mode) for s in before
    ]
    if isinstance(source, LocalSource):  # how Samba reads a file is not ours to say
        assert after[2].st_atime_ns == 10**18


def test_check_says_how_it_is_connected(maker, source):
    """Of a folder of this machine there is nothing to say; a server's dialect and protection."""
    assert source.check() == {"local": "", "smb": "SMB 3.1.1, signed (AES-GMAC)"}[maker.kind]


def test_a_closed_source_can_be_used_again(source, share):
    """`close` lets go of what is held open, also before anything is and twice in a row."""
    (share / "file").write_bytes(b"x")
    source.close()
    gc.collect()  # what earlier tests have left
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert read(source, b"file") == b"x"
        source.close()
        source.close()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert children(source) == {b"file": "file"}


def test_native_path(maker, source, share):
    """Other programs find a local file by its path; a server's they cannot."""
    expected = os.fsencode(share) + b"/a/b" if maker.kind == "local" else None
    assert source.native_path(b"a/b") == expected


def test_account_names(maker, source):
    """A server knows the accounts it speaks of, and says nothing of others; a folder's owners come
    by name."""
    unknown = "S-1-5-21-1-2-3-4"
    expected = {"local": {}, "smb": {"S-1-1-0": "Everyone"}}[maker.kind]
    assert source.account_names(["S-1-1-0", unknown]) == expected
    assert source.account_names([]) == {}


# Many at a time


def found_in(source: Source, wanted: list[Wanted | None]) -> list[tuple[str, bytes]]:
    """For each: its error's word, or 'ok' and what was read of it."""
    told = []
    for number, (token, found) in enumerate(source.open_all(enumerate(wanted))):
        assert token == number
        if found.file is None:
            told.append((error_code(found.error) if found.error else "", b""))
            continue
        try:
            told.append(("ok", found.file.read_at(0, 1 << 20)))
        finally:
            found.file.close()
    assert len(told) == len(wanted)
    return told


def test_open_all_answers_in_order(source, share):
    """However many are wanted, each answer comes with its token, in order; errors are answers."""
    for number in range(200):
        (share / f"{number}").write_bytes(b"%d" % number)
    wanted = [None if n % 7 == 0 else Wanted(b"%d" % n, [(0, 100)]) for n in range(210)]
    assert found_in(source, wanted) == [
        ("", b"") if n % 7 == 0 else ("ok", b"%d" % n) if n < 200 else ("vanished", b"")
        for n in range(210)
    ]
    assert found_in(source, []) == []


def test_open_all_takes_no_more_than_it_needs(source, share):
    """What is wanted may come from an endless walk: it is asked for bit by bit."""
    (share / "file").write_bytes(b"x")
    taken = itertools.count()
    endless = ((next(taken), Wanted(b"file", [(0, 1)])) for _ in itertools.repeat(None))
    answers = source.open_all(endless)
    for _ in range(3):
        next(answers)[1].file.close()
    assert next(taken) <= 200


@pytest.mark.parametrize("size", [0, 1, 65_536, 70_000, 3_000_000])
def test_ranges_are_read_and_the_rest_too(source, share, size):
    """Whatever range was named before, all of the file can be read."""
    content = os.urandom(size)
    (share / "file").write_bytes(content)
    ranges = [(0, 8192), (max(0, size - 4096), 4096)] if size > 65_536 else [(0, size)] * bool(size)
    for stat in (None, source.stat(b"file")):
        wanted = Wanted(b"file", ranges, stat)
        ((_, found),) = source.open_all([(1, wanted)])
        try:
            assert found.file.stat()[:3] == source.stat(b"file")[:3]
            for offset, length in [*ranges, (0, size), (size // 2, 10), (size, 5), (size + 5, 5)]:
                assert found.file.read_at(offset, length) == content[offset : offset + length]
            assert found.file.stat().size_bytes == size
        finally:
            found.file.close()


def test_more_of_the_head_where_it_is_asked_for(source, share):
    """`more` sees the first range; what it asks for beyond can be read, never more than there is."""
    content = os.urandom(300_000)
    (share / "file").write_bytes(content)
    seen = []

    def more(head: bytes) -> int:
        seen.append(head)
        return 1 << 20

    wanted = Wanted(b"file", [(0, 8192), (295_904, 4096)], source.stat(b"file"), more)
    ((_, found),) = source.open_all([(1, wanted)])
    assert found.file.read_at(0, 1 << 20) == content
    found.file.close()
    assert seen in ([content[:8192]], [])  # one that reads as it is asked need not know


def test_security_where_there_is_any(source, share):
    """Permissions of files and folders, without reading them; a folder of this machine has none."""
    from migrate.smb.security import parse

    (share / "file").write_bytes(b"x")
    (share / "folder").mkdir()
    wanted = [
        Wanted(b"file", [], None, read=False, security=True),
        Wanted(b"folder", [], None, read=False, security=True),
        Wanted(b"", [], None, read=False, security=True),
        Wanted(b"file", [(0, 1)], None, security=True),
    ]
    answers = [found for _, found in source.open_all(enumerate(wanted))]
    assert [answer.file is not None for answer in answers] == [False, False, False, True]
    assert answers[3].file.read_at(0, 5) == b"x"
    answers[3].file.close()
    if isinstance(source, LocalSource):
        assert all(answer.security is None for answer in answers)
        return
    told = [parse(answer.security.descriptor) for answer in answers]
    assert all(one.owner_sid and one.dacl.startswith("D:") for one in told)
    assert told[0] == told[3]
    assert all(answer.security.streams == [] for answer in answers)


# Far away


@pytest.fixture
def files(tmp_path) -> list[tuple[int, Wanted]]:
    for number in range(60):
        (tmp_path / f"{number}").write_bytes(b"%d" % number)
    return [(number, Wanted(b"%d" % number, [(0, 2)])) for number in range(60)]


def open_files(folder: Path) -> int:
    """How many files below a folder this process has open."""
    links = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return sum(Path(link).parent == folder for link in links)


@pytest.mark.parametrize("at_once", [4, 1])
def test_far_away_several_are_opened_at_a_time(tmp_path, files, at_once):
    source = FarSource(str(tmp_path), at_once)
    for number, found in source.open_all(files):
        assert found.file.read_at(0, 5) == b"%d" % number
        found.file.close()
    assert source.most_opening <= at_once
    assert (source.most_opening > 1) == (at_once > 1)


def test_a_near_disk_is_not_taken_for_one_far_away(tmp_path, files, monkeypatch):
    """Even if most of its files come late."""
    took = itertools.cycle([0.0, 0.002, 0.0, 0.002, 0.0, 0.002, 0.0, 0.0001])  # begun, done
    clock = SimpleNamespace(perf_counter=itertools.accumulate(took).__next__)
    monkeypatch.setattr("migrate.sources.local.time", clock)
    source = FarSource(str(tmp_path))
    for _, found in source.open_all(files):
        found.file.close()
    assert source.most_opening == 1


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
def test_nothing_stays_open_if_nobody_asks_on(tmp_path, files):
    answers = FarSource(str(tmp_path)).open_all(files)
    for _, found in itertools.islice(answers, 10):
        found.file.close()
    until = time.monotonic() + 10
    while not open_files(tmp_path) and time.monotonic() < until:
        time.sleep(0.01)  # some are on their way
    assert open_files(tmp_path)
    answers.close()
    assert open_files(tmp_path) == 0


def test_a_file_that_changes_after_it_was_opened_ahead(tmp_path, files):
    """No digest is told of what is not the file that was crawled."""

    class Changing(FarSource):
        def open(self, path: bytes) -> LocalFile:
            file = super().open(path)
            (tmp_path / os.fsdecode(path)).write_bytes(b"other")
            return file

    sizes = {name: (tmp_path / f"{name}").stat() for name, _ in files}
    rows = [
        {"scan_id": 1, "entry_id": name, "share": "s", "path": f"{name}", "path_raw": None,
         "size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        for name, stat in sizes.items()
    ]  # fmt: skip
    reader = Reader({"s": Place(str(tmp_path))}, 1, read_whole)
    assert not any("error" in row for row in reader.work(rows))
    reader.sources["s"] = Changing(str(tmp_path))
    assert {row["error"] for row in reader.work(rows)} == {"changed_since_crawl"}


def test_readers_share_what_is_opened_at_a_time(tmp_path):
    assert [open_source(Place(str(tmp_path)), among).at_once for among in (1, 2, 8, 16)] == [
        8, 4, 1, 1
    ]  # fmt: skip
    assert open_source(Place(str(tmp_path), rotating=True)).at_once == 1


# Which source


def test_open_source(tmp_path):
    """A path is a local source, an address a server's; a URL that no source speaks is refused with
    advice, and with no password told."""
    assert isinstance(open_source(Place(str(tmp_path))), LocalSource)
    for address in ("smb://fs1/HR", "smb://FS1/HR/a%20b", r"\\fs1\HR", "SMB://fs1:4450/HR"):
        assert isinstance(open_source(Place(address)), SmbSource)
    with pytest.raises(ShareUnreachable) as caught:
        open_source(Place("nfs://ann:secret@fs1/HR"))
    assert "Mount the share" in caught.value.todo
    assert "secret" not in caught.value.what + caught.value.todo


def test_open_source_tells_no_password():
    """An error message holds no secret, also where the URL in estate.yaml does."""
    with pytest.raises(UsageError) as caught:
        open_source(Place("smb://ann:secret@fs1/HR"))
    assert "secret" not in caught.value.what + caught.value.todo


def test_a_folder_of_a_rotating_disk(tmp_path):
    """Children come by their numbers on the disk; those listed before an error are told too."""
    from migrate.sources.local import PAGE_NAMES, _in_disk_order

    class Entry:
        def __init__(self, number: int) -> None:
            self.number = number

        def inode(self) -> int:
            return self.number

    def listing() -> Iterator[Entry]:
        yield from map(Entry, reversed(range(PAGE_NAMES + 3)))
        raise OSError(errno.EIO, "a bad block")

    told = []
    with pytest.raises(OSError, match="a bad block"):
        for child in _in_disk_order(listing()):
            told.append(child.number)
    assert told == [*range(3, PAGE_NAMES + 3), 0, 1, 2]
    (tmp_path / "share").mkdir()
    for number in range(50):
        (tmp_path / "share" / f"{number * 7 % 50}").write_text("a file")
    folders = [b""]
    source = open_source(Place(str(tmp_path / "share"), rotating=True))
    page = next(source.walk(lambda: folders.pop() if folders else None))
    inodes = [(tmp_path / "share" / name).stat().st_ino for name in page.names]
    assert inodes == sorted(inodes) and len(inodes) == 50
    source.close()
