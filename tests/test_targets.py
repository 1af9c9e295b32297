"""The contract of every target. A new target joins TARGETS; a test fails if it does not."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import migrate.targets
from migrate.errors import MigrateError, ShareUnreachable, UsageError
from migrate.paths import PathEscapes
from migrate.place import Place
from migrate.targets import AlreadyThere, IntegrityError, Item, OtherContent, Target, open_target
from migrate.targets import folder as folder_module
from migrate.targets.folder import FolderTarget
from migrate.targets.smb import SmbTarget

posix = pytest.mark.skipif(os.name == "nt", reason="links and odd names")

TARGETS = {"folder": FolderTarget, "smb": SmbTarget}  # by module
NO_TARGETS = {"__init__"}
MTIME = 1_234_567_890_123_456_700  # SMB counts in 100 ns


def test_every_target_is_under_contract():
    """A module in migrate/targets that is not in TARGETS has no contract tests: this fails."""
    modules = {path.stem for path in Path(migrate.targets.__file__).parent.glob("*.py")}
    modules |= {
        path.parent.name for path in Path(migrate.targets.__file__).parent.glob("*/__init__.py")
    }
    assert modules - NO_TARGETS == set(TARGETS)


@pytest.fixture(params=TARGETS)
def ground(request, tmp_path, monkeypatch) -> Path:
    """The folder of this machine in which the store lies."""
    if request.param == "folder":
        return tmp_path
    for name, value in request.getfixturevalue("samba").env.items():
        monkeypatch.setenv(name, value)
    return request.getfixturevalue("samba_folder")


@pytest.fixture
def address_of(request, ground, tmp_path) -> Callable[[Path], str]:
    """How `migrate move --to` names a folder below `ground`."""
    if ground == tmp_path:
        return str
    samba = request.getfixturevalue("samba")
    share = samba.shares["data"]
    return lambda root: samba.url("data", root.relative_to(share).as_posix())


@pytest.fixture
def elsewhere(request, ground, tmp_path) -> Path:
    """A folder that is not below `ground`, and that a server reaches; not in its share."""
    if ground == tmp_path:
        return request.getfixturevalue("tmp_path_factory").mktemp("elsewhere")
    share = request.getfixturevalue("samba").shares["data"]
    folder = Path(tempfile.mkdtemp(dir=share.parent))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def store(ground) -> Path:
    return ground / "store"


@pytest.fixture
def target(address_of, store) -> Target:
    made = open_target(Place(address_of(store)))
    made.check()
    yield made
    made.close()


class Bytes:
    """An open file of a source, in memory; may fail after some reads."""

    def __init__(self, content: bytes, error: BaseException | None = None, after: int = 0) -> None:
        self.content, self.error, self.after, self.reads = content, error, after, 0

    def read_at(self, offset: int, size: int) -> bytes:
        if self.error and self.reads >= self.after:
            raise self.error
        self.reads += 1
        return self.content[offset : offset + size]


def item(path: str, content: bytes, mtime_ns: int = MTIME, sha256: bool = True) -> Item:
    return Item(
        path, len(content), mtime_ns, xxhash.xxh3_128_digest(content),
        hashlib.sha256(content).digest() if sha256 else None, "0123456789abcdef",
    )  # fmt: skip


def put(target: Target, path: str, content: bytes, **more):
    return target.put(item(path, content, **more), Bytes(content))


def tree(root: Path) -> dict[str, bytes | None]:
    """Everything below a folder: contents of files, None for folders."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


# Putting and finding


@pytest.mark.parametrize("size", [0, 1, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
@pytest.mark.parametrize("sha256", [True, False])
def test_put_and_find(target, store, size, sha256):
    """What was put is there, byte for byte, and found with its digests."""
    content = os.urandom(size)
    stored = put(target, "a/b/file.bin", content, sha256=sha256)
    assert (store / "a/b/file.bin").read_bytes() == content
    assert tree(store).keys() == {"a", "a/b", "a/b/file.bin"}
    for answer in (stored, target.find("a/b/file.bin")):
        assert answer.size_bytes == size
        assert answer.xxh3_128 == xxhash.xxh3_128_digest(content)
        assert answer.sha256 == hashlib.sha256(content).digest()
        assert item("x", content).is_content_of(answer)


@pytest.mark.parametrize("mtime_ns", [MTIME, 0, -1_000_000_000, 1, 4_102_444_800_000_000_000])
def test_put_keeps_the_time(target, store, mtime_ns):
    """The stored file has its source's time of last change, to the nanosecond (SMB: to 100 ns)."""
    kept = mtime_ns // 100 * 100 if isinstance(target, SmbTarget) else mtime_ns
    assert put(target, "file", b"x", mtime_ns=mtime_ns).mtime_ns == kept
    assert target.find("file").mtime_ns == kept
    assert (store / "file").stat().st_mtime_ns == kept


def test_put_answers_what_find_answers(target):
    """`put` returns what the target holds: the same as `find` a moment later."""
    assert put(target, "file", b"x") == target.find("file")


def test_find_nothing(target, store):
    """Nothing at a path is None, also where its folders are not there."""
    assert target.find("nothing") is None
    assert target.find("no/such/folder/file") is None
    assert tree(store) == {}


def test_find_changes_nothing(target, store):
    """Reading back leaves the stored file as it is."""
    put(target, "file", b"x")
    before = (store / "file").stat()
    target.find("file")
    after = (store / "file").stat()
    assert (before.st_mtime_ns, before.st_ctime_ns, before.st_ino) == (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_ino,
    )


def test_find_a_folder_is_no_file(target):
    """A folder at a file's path is an error or nothing, never a stored file."""
    target.make_folder("folder")
    try:
        assert target.find("folder") is None
    except OSError:
        pass


def test_find_sees_damage(target, store):
    """A byte that changed in the store shows: find reads the bytes, not a note of them."""
    content = os.urandom(100_000)
    put(target, "file", content)
    damaged = bytearray(content)
    damaged[50_000] ^= 1
    (store / "file").write_bytes(damaged)
    assert not item("file", content).is_content_of(target.find("file"))


NAMES = [
    "é", "e\u0301", "日本 📅.txt", "a" * 255, "日" * 85, " lead", "#1", "50% a&b;c", "-rf", "~", "...x", "it's \"q\"",
    "$(x)", "CON", "a:b", "*?", "new\nline", "\x1b[2J", "\u202egpj",
]  # fmt: skip


def refuses(target, name) -> bool:
    """Whether the target refuses a name: SMB has no control characters and none of \":*<>?|."""
    return isinstance(target, SmbTarget) and any(c < " " or c in '":*<>?|' for c in name)


@posix
@pytest.mark.parametrize("name", NAMES, ids=[repr(name)[:20] for name in NAMES])
def test_any_name_can_be_stored(target, store, name):
    """A target over a POSIX folder holds whatever name the manifest gives, 255 bytes long or odd;
    what a server cannot hold is an error of that file."""
    path = f"{name}/{name}"
    if refuses(target, name):
        with pytest.raises((PathEscapes, OSError)) as caught:
            put(target, path, b"x")
        assert not isinstance(caught.value, FileNotFoundError)  # which says the source is gone
        assert tree(store) == {}
        return
    put(target, path, b"x")
    assert (store / name / name).read_bytes() == b"x"
    assert target.find(path).size_bytes == 1


def test_a_name_too_long_is_an_error(target, store):
    """A name the file system cannot hold is an error of that file, and nothing is left behind."""
    with pytest.raises(OSError):
        put(target, "a" * 256, b"x")
    with pytest.raises((OSError, PathEscapes)):  # to Samba too long is the same as not there
        put(target, "/".join(["a" * 200] * 30), b"x")
    assert [name for _, _, files in os.walk(store) for name in files] == []


def test_deep_trees(target, store):
    """Two hundred folders are made on the way."""
    path = "/".join(["folder"] * 200 + ["file"])
    put(target, path, b"x")
    assert target.find(path).size_bytes == 1


def test_both_unicode_forms(target):
    """Two names in two Unicode forms are stored under the names that were given, or refused."""
    one, other = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    put(target, one, b"1")
    try:
        put(target, other, b"2")
    except AlreadyThere:
        return
    assert (target.find(one).sha256, target.find(other).sha256) == tuple(
        hashlib.sha256(c).digest() for c in (b"1", b"2")
    )


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"),
        min_size=1,
        max_size=30,
    ).filter(lambda name: name not in (".", "..")),
    st.binary(max_size=100),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_put_is_found(target, name, content):
    """For any name and any content: put, then find, gives the same digests; a second put is refused."""
    if refuses(target, name):
        with pytest.raises((PathEscapes, OSError)):
            put(target, name, content)
        return
    if target.find(name):
        return
    put(target, name, content)
    assert item(name, content).is_content_of(target.find(name))
    with pytest.raises(AlreadyThere):
        put(target, name, content)


# Never overwriting


@pytest.mark.parametrize("content", [b"old", b"new", b""])
def test_put_never_overwrites(target, store, content):
    """What is there stays, with its time, also if it is the same content."""
    (store / "file").write_bytes(b"old")
    os.utime(store / "file", ns=(5, 5))
    with pytest.raises(AlreadyThere):
        put(target, "file", content)
    assert tree(store) == {"file": b"old"}
    assert (store / "file").stat().st_mtime_ns == 5


@posix
@pytest.mark.parametrize("kind", ["folder", "link", "dead link", "pipe"])
def test_put_never_replaces_anything(target, store, elsewhere, kind):
    """Folders, links (dead ones too) and pipes in the place are left alone, and not written through."""
    outside = elsewhere / "outside"
    outside.write_bytes(b"outside")
    place = store / "file"
    {
        "folder": place.mkdir,
        "link": lambda: place.symlink_to(outside),
        "dead link": lambda: place.symlink_to(elsewhere / "nothing"),
        "pipe": lambda: os.mkfifo(place),
    }[kind]()
    before = os.lstat(place)
    with pytest.raises(AlreadyThere):
        put(target, "file", b"new")
    assert os.lstat(place) == before
    assert outside.read_bytes() == b"outside"
    assert not (elsewhere / "nothing").exists()
    assert os.listdir(store) == ["file"]


def test_put_loses_a_race(target, store, monkeypatch):
    """A file that appears in the place while ours is being written is not overwritten."""

    class Racing(Bytes):
        def read_at(self, offset, size):
            (store / "file").write_bytes(b"somebody else's")
            return super().read_at(offset, size)

    with pytest.raises(AlreadyThere):
        target.put(item("file", b"ours"), Racing(b"ours"))
    assert tree(store) == {"file": b"somebody else's"}


@posix
def test_put_where_hard_links_do_not_work(target, store, monkeypatch):
    """On file systems without hard links a file still arrives, and still nothing is overwritten."""

    def no_links(*args, **kwargs):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    put(target, "file", b"x")
    assert tree(store) == {"file": b"x"}
    assert target.find("file").mtime_ns == MTIME

    class Racing(Bytes):
        def read_at(self, offset, size):
            (store / "other").write_bytes(b"somebody else's")
            return super().read_at(offset, size)

    with pytest.raises(AlreadyThere):
        target.put(item("other", b"ours"), Racing(b"ours"))
    assert tree(store) == {"file": b"x", "other": b"somebody else's"}


def test_a_file_in_a_folders_place(target, store):
    """Where a file stands in the way of a folder the error is one that a line can carry."""
    put(target, "a", b"x")
    with pytest.raises((OSError, AlreadyThere)):
        put(target, "a/b", b"y")
    with pytest.raises((OSError, AlreadyThere)):
        target.make_folder("a/b")
    assert tree(store) == {"a": b"x"}


# Verified, or not at all


@pytest.mark.parametrize(
    "read",
    [b"otHer", b"othe", b"other+", b"", b"\0\0\0\0\0"],
)
def test_other_content_is_refused(target, store, read):
    """A source that gives other bytes than were manifested: nothing is stored."""
    with pytest.raises(OtherContent):
        target.put(item("a/file", b"other"), Bytes(read))
    assert [path for path in store.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("field", ["size_bytes", "xxh3_128", "sha256"])
def test_every_digest_counts(target, store, field):
    """Size, XXH3 and SHA-256 must each agree."""
    wrong = {"size_bytes": 6, "xxh3_128": b"\0" * 16, "sha256": b"\0" * 32}[field]
    with pytest.raises(OtherContent):
        target.put(replace(item("file", b"right"), **{field: wrong}), Bytes(b"right"))
    assert tree(store) == {}


ERRORS = [
    OSError(errno.EIO, "bad disk"),
    OSError(errno.ESTALE, "gone"),
    KeyboardInterrupt(),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=[repr(error) for error in ERRORS])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_source_that_fails_leaves_nothing(target, store, error, after):
    """A read error, or Ctrl-C, at any moment of the copy leaves no part of a file behind."""
    content = os.urandom(2_500_000)
    with pytest.raises(type(error)):
        target.put(item("a/file", content), Bytes(content, error, after))
    assert [path for path in store.rglob("*") if path.is_file()] == []
    put(target, "a/file", content)


@pytest.mark.parametrize("what", ["fsync", "utime", "read"])
def test_a_store_that_fails_leaves_nothing(target, store, monkeypatch, what):
    """Where syncing, dating or reading back fails there is no file, and a second try succeeds."""
    if not isinstance(target, FolderTarget):
        pytest.skip("a folder's own calls")

    def fail(*args, **kwargs):
        raise OSError(errno.EIO, f"{what} failed")

    with monkeypatch.context() as patch:
        patch.setattr(
            *{
                "fsync": (os, "fsync"),
                "utime": (os, "utime"),
                "read": (folder_module, "_read_back"),
            }[what],
            fail,
        )
        with pytest.raises(OSError, match="failed"):
            put(target, "file", b"x")
    assert tree(store) == {}
    put(target, "file", b"x")


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE")
def test_a_full_store_leaves_nothing(tmp_path):
    """A store that takes only a part of a file (as a full disk does) is left without it."""
    code = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[2]); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from test_targets import *; t = FolderTarget(Path(sys.argv[1])); t.check()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))\n"
        "try: put(t, 'a/file', b'x' * 3_000_000)\n"
        "except OSError as e: print('OSError', e.errno)\n"
        "print(sorted(p.name for p in Path(sys.argv[1]).rglob('*')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store"), str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == f"OSError {errno.EFBIG}\n['a']\n"


def test_a_store_that_lies_is_found_out(target, store, monkeypatch):
    """What is read back and is not what was written is an IntegrityError, and is taken away."""
    if not isinstance(target, FolderTarget):
        pytest.skip("a folder's own calls")
    real = folder_module._copy

    def lying(source, partial):
        digest = real(source, partial)
        with partial.open("r+b") as file:
            file.write(b"\0")
        return digest

    monkeypatch.setattr(folder_module, "_copy", lying)
    with pytest.raises(IntegrityError):
        put(target, "file", b"right")
    assert tree(store) == {}


def test_nothing_half_done_ever_has_the_final_name(target, store):
    """While a file is being written its final name does not exist."""

    class Looking(Bytes):
        def read_at(self, offset, size):
            assert not (store / "file").exists()
            return super().read_at(offset, size)

    content = os.urandom(2_500_000)
    target.put(item("file", content), Looking(content))
    assert (store / "file").exists()


def test_what_a_killed_run_left_is_written_anew(target, store):
    """A partial copy of an earlier run is replaced, and is gone in the end."""
    (store / ".migrate-0123456789abcdef.partial").write_bytes(b"half of an old")
    put(target, "file", b"x")
    assert tree(store) == {"file": b"x"}


@posix
def test_a_partial_that_is_a_link_is_not_followed(target, store, elsewhere):
    """A link laid where the partial copy will be is taken away or refused, not written through."""
    (elsewhere / "outside").write_bytes(b"outside")
    partial = store / ".migrate-0123456789abcdef.partial"
    partial.symlink_to(elsewhere / "outside")
    if isinstance(target, SmbTarget):  # Samba hides it: it can be neither used nor taken away
        with pytest.raises(PathEscapes, match="hides"):
            put(target, "file", b"x")
        partial.unlink()
    put(target, "file", b"x")
    assert (elsewhere / "outside").read_bytes() == b"outside"
    assert tree(store) == {"file": b"x"}


@posix
def test_a_run_killed_after_the_rename_leaves_nothing_for_ever(target, store):
    """Killed when the file has both its names, the next run takes the partial one away."""
    put(target, "file", b"x")
    os.link(store / "file", store / ".migrate-0123456789abcdef.partial")
    with pytest.raises(AlreadyThere):
        put(target, "file", b"x")
    assert tree(store) == {"file": b"x"}


@posix
def test_kill_9_in_the_middle(address_of, store):
    """Killed while writing, the final name does not exist; run again, the file arrives whole."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_targets import *\n"
        "class Deadly(Bytes):\n"
        "    def read_at(self, offset, size):\n"
        "        if offset: os.kill(os.getpid(), 9)\n"
        "        return super().read_at(offset, size)\n"
        "t = open_target(Place(sys.argv[1])); t.check(); c = b'x' * 3_000_000\n"
        "t.put(item('file', c), Deadly(c))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, address_of(store), str(Path(__file__).parent)],
        timeout=60,
    )
    assert done.returncode == -9
    assert not (store / "file").exists()
    put(open_target(Place(address_of(store))), "file", b"x" * 3_000_000)
    assert os.listdir(store) == ["file"]


def test_the_file_is_synced_before_it_has_its_name(target, store, monkeypatch):
    """fsync of the file, then its name, then fsync of its folder: in this order."""
    if not isinstance(target, FolderTarget):
        pytest.skip("a folder's own calls")
    events, real_sync, real_link = [], os.fsync, os.link

    def fsync(descriptor):
        events.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        real_sync(descriptor)

    def link(*args, **kwargs):
        events.append("name")
        real_link(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    put(target, "file", b"x")
    assert events == ["file", "name", "folder"]


@posix
def test_new_folders_are_synced_up_to_the_store(target, store, monkeypatch):
    """Each folder that put made is on the disk: its parent is synced as well."""
    if not isinstance(target, FolderTarget):
        pytest.skip("a folder's own calls")
    synced, real_sync = set(), os.fsync

    def fsync(descriptor):
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        real_sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    put(target, "a/b/file", b"x")
    assert {str(store), str(store / "a"), str(store / "a" / "b")} <= synced


# Staying inside


HOSTILE = [
    "", "/", "/etc/cron.d/x", "..", "../outside/x", "a/../../outside/x", "a/..", ".", "./x", "a//b", "a/", "a\\b",
    "..\\outside\\x", "C:\\x", "\\\\fs\\x", "a\0b", "a/./b", "outside\0/x",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("call", ["put", "find", "make_folder"])
def test_hostile_paths_are_refused(target, store, ground, path, call):
    """No manifest line writes, reads or makes a folder outside the store."""
    (ground / "outside").mkdir()
    before = tree(ground)
    with pytest.raises(PathEscapes):
        put(target, path, b"x") if call == "put" else getattr(target, call)(path)
    assert tree(ground) == before


@posix
@pytest.mark.parametrize("call", ["put", "find", "make_folder"])
@pytest.mark.parametrize("path", ["link/x", "link/deep/x", "real/back/x", "dead/x"])
def test_links_in_the_store_are_not_followed(target, store, elsewhere, path, call):
    """A symbolic link among the store's folders leads nowhere, for any call."""
    outside = elsewhere / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "x").write_bytes(b"outside")
    (store / "real").mkdir()
    (store / "link").symlink_to(outside)
    (store / "dead").symlink_to(elsewhere / "nothing")
    (store / "real" / "back").symlink_to(store)
    if call == "find" and isinstance(target, SmbTarget) and not path.startswith("real"):
        assert target.find(path) is None  # Samba hides links that lead out of a share
        return
    with pytest.raises(PathEscapes):
        put(target, path, b"x") if call == "put" else getattr(target, call)(path)
    assert tree(outside) == {"deep": None, "x": b"outside"}
    assert not (elsewhere / "nothing").exists()


@posix
def test_a_link_in_a_files_place_is_not_read(target, store, elsewhere):
    """A link where a stored file should be is an error or nothing: what it points to is not ours."""
    (elsewhere / "outside").write_bytes(b"x")
    (store / "file").symlink_to(elsewhere / "outside")
    try:
        assert target.find("file") is None
    except OSError as error:
        assert error.errno == errno.ELOOP


@posix
def test_a_link_in_a_folders_place_is_no_folder(target, store, elsewhere):
    """A folder that should be made and is a link outside is not reported as made."""
    (elsewhere / "outside").mkdir()
    (store / "folder").symlink_to(elsewhere / "outside")
    with pytest.raises((PathEscapes, OSError, AlreadyThere)):
        target.make_folder("folder")


@given(st.text(st.sampled_from("ab./\\\0~:é "), max_size=10))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_is_ever_written_outside(target, store, ground, path):
    """Whatever the path, everything that exists afterwards lies in the store."""
    try:
        put(target, path, b"x")
    except (PathEscapes, AlreadyThere, OSError):
        pass
    assert os.listdir(ground) == ["store"]


def test_make_folder(target, store):
    """A folder with all above it; twice is no error."""
    target.make_folder("a/b/c")
    target.make_folder("a/b/c")
    assert tree(store) == {"a": None, "a/b": None, "a/b/c": None}


# The whole


def test_check_makes_the_store_and_leaves_nothing_in_it(address_of, ground):
    """A store that is not there yet is made; the probe is taken away."""
    target = open_target(Place(address_of(ground / "new" / "store")))
    target.check()
    target.close()
    assert tree(ground) == {"new": None, "new/store": None}


@pytest.mark.parametrize("root", ["file", "file/below"])
def test_check_says_what_cannot_be_written(address_of, ground, root):
    """A store that is a file, or lies in one, is ShareUnreachable (exit code 12)."""
    (ground / "file").touch()
    with pytest.raises(ShareUnreachable) as caught:
        open_target(Place(address_of(ground / root))).check()
    assert caught.value.exit_code == 12


def test_a_closed_target_can_be_used_again(target):
    """`close` lets go of what is held open, and no more than that."""
    put(target, "one", b"1")
    target.close()
    put(target, "two", b"2")
    assert target.find("one").size_bytes == target.find("two").size_bytes == 1


@pytest.mark.parametrize("name", ["store", "a b", "50%", "a#b?c", "é", "%41", "a+b"])
def test_open_target(tmp_path, name):
    """A plain path and its file:/// URL are the same store, whatever characters it has."""
    root = tmp_path / name
    by_path, by_url = open_target(Place(str(root))), open_target(Place(root.as_uri()))
    assert by_path.name == by_url.name == root.as_uri()
    put(by_url, "file", b"x")
    assert (root / "file").read_bytes() == b"x"


def test_open_target_relative(tmp_path, monkeypatch):
    """A relative path is made absolute: receipts name the same store wherever one stands."""
    monkeypatch.chdir(tmp_path)
    assert open_target(Place("store")).name == (tmp_path / "store").as_uri()


@pytest.mark.parametrize("url", ["https://x/y", "s3://bucket/x"])
def test_open_target_of_another_kind(url):
    """A store of a kind we do not have is wrong usage (exit code 2)."""
    with pytest.raises(UsageError):
        open_target(Place(url))


@pytest.mark.parametrize("url", ["file://mnt/new-store", "file:///mnt/new#1", "file:///mnt/new?x", "file:relative", "file://", ""])  # fmt: skip
def test_open_target_guesses_nothing(url):
    """A URL that does not plainly name one folder is refused, not moved to some other folder."""
    with pytest.raises(MigrateError):
        open_target(Place(url))
