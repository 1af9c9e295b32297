"""A share of a real Samba server as the target of a move: what the contract of every target
(tests/test_targets.py) cannot ask for: connections, server and disk that fail, dialects, DFS, and
whole moves."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest
from conftest import ROOT, mounted, rows, run, run_json
from msgspec.structs import replace
from samba import Proxy, Samba, give_to_server
from test_crash import fill_in
from test_targets import MTIME, Bytes, item, put, tree

from migrate.config import Server
from migrate.engine.query import Query
from migrate.errors import ShareUnreachable, UsageError
from migrate.estate import Estate
from migrate.paths import PathEscapes
from migrate.place import Place
from migrate.smb import messages as smb
from migrate.smb import writing
from migrate.smb.channel import Channel
from migrate.smb.file import CHUNKS_AHEAD
from migrate.smb.messages import IS_REPARSE, Answer
from migrate.targets import AlreadyThere, IntegrityError, open_target
from migrate.targets import smb as smb_module
from migrate.targets.smb import SmbTarget

PARTIAL = ".migrate-0123456789abcdef.partial"  # of test_targets.item
BUSY = 0xC000009A


@pytest.fixture
def store(samba, samba_folder, monkeypatch) -> Path:
    enter(samba, monkeypatch)
    return samba_folder


@pytest.fixture
def target(samba, store) -> Iterator[SmbTarget]:
    made = SmbTarget(Place(samba.url("data", store.name)))
    yield made
    made.close()


def enter(server: Samba, monkeypatch) -> None:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)


def over(line: Samba | Proxy, folder: str = "", **server) -> SmbTarget:
    """A target that soon gives up."""
    server = {"timeout_seconds": 2, "retries": 3} | server
    return SmbTarget(Place(line.url("data", folder), Server(host="127.0.0.1", **server)))


# Kinds of servers


@pytest.mark.parametrize(
    ("options", "server"),
    [
        ({"max_protocol": "SMB2_02"}, {}),
        ({"max_protocol": "SMB2_10"}, {}),
        ({"max_protocol": "SMB3_00"}, {}),
        ({"encrypt": "required"}, {}),
        ({"signing": "disabled"}, {}),
        ({}, {"plain": True}),
        ({"global_lines": ("smb2 max write = 65536", "smb2 max read = 65536")}, {}),
        ({"global_lines": ("smb2 max credits = 16",)}, {}),
        ({"share_lines": ("msdfs root = yes",)}, {}),
    ],
    ids=["2.0.2", "2.1", "3.0", "encrypted", "signing off", "plain", "64 KB", "16 credits", "DFS"],
)
def test_every_kind_of_server(make_samba, monkeypatch, options, server):
    """Whatever dialect, signing, encryption or limits a server has, files arrive and are found."""
    samba = make_samba(**options)
    enter(samba, monkeypatch)
    target = over(samba, "new/store", **server)
    target.check()
    for size in (0, 1, 65_537, 3_000_001):
        content = os.urandom(size)
        stored = put(target, f"a folder/{size}.bin", content)
        assert stored == target.find(f"a folder/{size}.bin")
        assert item("x", content).is_content_of(stored)
        assert stored.mtime_ns == MTIME
        with pytest.raises(AlreadyThere):
            put(target, f"a folder/{size}.bin", content)
    files = [path for path in tree(samba.shares["data"]) if path.endswith(".bin")]
    assert len(files) == len(tree(samba.shares["data"])) - 3 == 4
    target.close()


def test_names(samba, store, monkeypatch):
    """Receipts name a place in one way, however it was written."""
    unc = open_target(Place(r"\\FS1\Finance\New store"))
    assert unc.name == open_target(Place("smb://fs1/Finance/New%20store")).name
    assert unc.name == "smb://fs1/Finance/New%20store"
    for bad in ("smb://fs1", "smb://fs1/", "smb://user:secret@fs1/x", "smb://fs1/a/../b"):
        with pytest.raises(UsageError) as caught:
            open_target(Place(bad))
        assert "secret" not in str(caught.value)


def test_what_check_says(make_samba, samba, monkeypatch):
    """A share that is read only, is not there or has another password: said, exit code 12."""
    read_only = make_samba(share_lines=("read only = yes",))
    enter(read_only, monkeypatch)
    with pytest.raises(ShareUnreachable, match="cannot be written to: Permission denied"):
        over(read_only).check()
    enter(samba, monkeypatch)
    with pytest.raises(ShareUnreachable, match="cannot be entered"):
        SmbTarget(Place(samba.url("nothing"))).check()
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "wrong")
    with pytest.raises(ShareUnreachable, match="cannot be entered"):
        SmbTarget(Place(samba.url("data"))).check()


def test_dates_that_are_hard_to_keep(target, store):
    """What comes back is what the server keeps, also where its file system cannot keep the date;
    a file without a date has the one that the server gives."""
    for mtime_ns in (-8_520_336_000_000_000_000, 7_258_118_400_000_000_000):
        stored = put(target, str(mtime_ns), b"x", mtime_ns=mtime_ns)
        assert stored == target.find(str(mtime_ns))
        kept = (store / str(mtime_ns)).stat().st_mtime_ns
        assert stored.mtime_ns == kept // 100 * 100
    before = time.time_ns()
    stored = put(target, "none", b"x", mtime_ns=None)
    assert abs(stored.mtime_ns - before) < 60_000_000_000


# Links


def test_a_link_is_not_written_through(target, store, monkeypatch):
    """A folder that the server says is a reparse point (Samba has none to show) is no folder."""
    real = writing.look

    def look(name, *more):
        told, number = yield from real(name, *more)
        if name.endswith("junction".encode("utf-16-le")):
            told = told._replace(attributes=told.attributes | IS_REPARSE)
        return told, number

    (store / "junction").mkdir()
    monkeypatch.setattr(writing, "look", look)
    for call in (
        lambda: put(target, "junction/deep/file", b"x"),
        lambda: target.find("junction/file"),
        lambda: target.make_folder("junction"),
    ):
        with pytest.raises(PathEscapes, match="is a link"):
            call()
    assert tree(store) == {"junction": None}


def test_a_dfs_link_is_not_written_through(make_samba, monkeypatch):
    """Where a namespace leads to another server, files are refused and nothing is replaced."""
    samba = make_samba(share_lines=("msdfs root = yes",))
    enter(samba, monkeypatch)
    (samba.shares["data"] / "link").symlink_to(r"msdfs:127.0.0.1\other")
    target = over(samba)
    for path in ("link/file", "link"):
        with pytest.raises(OSError, match="0xC0000257"):
            put(target, path, b"x")
    target.close()
    assert os.listdir(samba.shares["data"]) == ["link"]


def test_links_that_only_the_server_sees(target, store):
    """Samba follows links within its share and shows folders: there is no way to tell. What is put
    through them stays within the share, and what stands there is not overwritten either."""
    (store / "real").mkdir()
    give_to_server(store)
    (store / "link").symlink_to("real")
    put(target, "link/file", b"x")
    assert (store / "real" / "file").read_bytes() == b"x"
    with pytest.raises(AlreadyThere):
        put(target, "real/file", b"y")


# Order, and what is on its way


def commands_sent(monkeypatch) -> list[tuple[int, ...]]:
    """The commands of each compound that is sent from now on."""
    sent: list[tuple[int, ...]] = []
    real = Channel.send

    def send(self, requests, done):
        sent.append(tuple(request.command for request in requests))
        real(self, requests, done)

    monkeypatch.setattr(Channel, "send", send)
    return sent


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_flushed_closed_read_back_renamed(target, store, monkeypatch, size):
    """The bytes are on the server's disk, and read again through another handle, before the file
    has its name; then its folder is flushed."""
    sent = commands_sent(monkeypatch)
    put(target, "file", os.urandom(size))
    order = [command for compound in sent for command in compound]
    assert order.index(smb.WRITE if size else smb.CREATE) < order.index(smb.FLUSH)
    first_flush, renamed = order.index(smb.FLUSH), len(order) - order[::-1].index(smb.SET_INFO) - 1
    between = order[first_flush:renamed]
    assert between.index(smb.CLOSE) < between.index(smb.CREATE) < between.index(smb.READ)
    assert smb.WRITE not in between
    assert smb.FLUSH in order[renamed:]
    assert all(smb.FLUSH not in compound[:-1] for compound in sent)


def test_a_large_file_is_flushed_on_the_way(target, store, monkeypatch):
    """So that the last flush does not take longer than the time-out."""
    monkeypatch.setattr(writing, "FLUSH_BYTES", 2 << 20)
    sent = commands_sent(monkeypatch)
    content = os.urandom(9 << 20)
    assert item("x", content).is_content_of(put(target, "file", content))
    assert sent.count((smb.FLUSH,)) == 4 + 1


def test_several_writes_and_reads_are_on_their_way(samba, store, monkeypatch):
    """A long line is filled, and no more memory is used for it than is said."""
    most: dict[int, int] = {}
    real = Channel.send

    def send(self, requests, done):
        real(self, requests, done)
        command = requests[0].command
        most[command] = max(most.get(command, 0), self.in_flight)

    monkeypatch.setattr(Channel, "send", send)
    with Proxy(samba, delay_ms=20) as proxy:
        target = over(proxy, store.name, timeout_seconds=30)
        put(target, "file", os.urandom(16 << 20))
        target.close()
    assert 4 <= most[smb.WRITE] <= CHUNKS_AHEAD
    assert 4 <= most[smb.READ] <= CHUNKS_AHEAD


def test_a_busy_server_is_asked_again():
    """From the first request that it had no room for: a FLUSH comes after its WRITE."""
    requests = [smb.write(0, b"x", bytes(16)), smb.flush(bytes(16))]
    steps = writing.insist(requests)
    assert next(steps) == requests
    ok, busy = Answer(0, memoryview(b"")), Answer(BUSY, memoryview(b""))
    assert steps.send([busy, ok]) == requests
    assert steps.send([ok, busy]) == requests[1:]
    with pytest.raises(StopIteration) as stopped:
        steps.send([ok])
    assert stopped.value.value == [ok, ok]


def test_nobody_changes_what_was_verified(target, store, samba, monkeypatch):
    """While the copy is read back and renamed, another client can read it, not write to it."""
    other = SmbTarget(Place(samba.url("data", store.name)))
    tried = []

    def steps(access):
        name = other._wire_name([PARTIAL])
        answers = yield [smb.create(name, access, smb.NOT_FOLDER), smb.close()]
        return answers[0].status

    real = SmbTarget._rename

    def rename(self, *arguments):
        for access in (smb.READ_DATA, smb.WRITE_DATA, smb.DELETE):
            tried.append(other.engine.run(lambda access=access: steps(access), "open"))
        return real(self, *arguments)

    monkeypatch.setattr(SmbTarget, "_rename", rename)
    put(target, "file", b"x")
    other.close()
    assert tried == [0, 0xC0000043, 0xC0000043]  # sharing violation


def test_a_store_that_lies_is_found_out(target, store, monkeypatch):
    """What is read back and is not what was written is an IntegrityError, and is taken away."""
    real = SmbTarget._keep

    def keep(self, *arguments):
        with (store / PARTIAL).open("r+b") as file:
            file.write(b"\0")
        return real(self, *arguments)

    monkeypatch.setattr(SmbTarget, "_keep", keep)
    for size in (5, 5_000_000):
        with pytest.raises(IntegrityError):
            put(target, "file", b"r" * size)
        assert tree(store) == {}


def test_taken_away_while_it_was_written(target, store, monkeypatch):
    """The copy gone from the target is not taken for the source gone (FileNotFoundError)."""
    real = SmbTarget._keep

    def keep(self, *arguments):
        (store / PARTIAL).unlink()
        return real(self, *arguments)

    monkeypatch.setattr(SmbTarget, "_keep", keep)
    with pytest.raises(OSError, match="taken away") as caught:
        put(target, "file", b"x")
    assert not isinstance(caught.value, FileNotFoundError)


def test_two_movers_one_place(target, store, samba):
    """Of two that put a file in one place one wins, the other one is told, nothing is left."""
    other = SmbTarget(Place(samba.url("data", store.name)))

    class Slow(Bytes):
        def read_at(self, offset, size):
            if not offset:
                theirs = replace(item("a/file", b"theirs"), token="f" * 16)
                other.put(theirs, Bytes(b"theirs"))
            return super().read_at(offset, size)

    with pytest.raises(AlreadyThere):
        target.put(item("a/file", b"ours"), Slow(b"ours"))
    other.close()
    assert tree(store) == {"a": None, "a/file": b"theirs"}


def test_a_folder_that_is_shut(target, store):
    """A folder in which nothing may be written is an error of the file."""
    target.make_folder("shut")
    (store / "shut").chmod(0o555)
    with pytest.raises(PermissionError):
        put(target, "shut/file", b"x")
    assert tree(store) == {"shut": None}


# What breaks


class Meanwhile(Bytes):
    """Something happens, once, when the file is read from an offset on."""

    def __init__(self, content: bytes, offset: int, happens: Callable[[], object]) -> None:
        super().__init__(content)
        self.offset, self.happens = offset, happens

    def read_at(self, offset: int, size: int) -> bytes:
        if offset >= self.offset and self.happens:
            happens, self.happens = self.happens, None
            happens()
        return super().read_at(offset, size)


def test_cut_anywhere(samba, store):
    """The connection cut after any number of bytes, once: the file arrives, whole and once, and put
    says so, also where the cut hides whether it was renamed."""
    content = os.urandom(2_500_000)
    with Proxy(samba) as proxy:
        target = over(proxy, store.name)
        target.check()
        before = proxy.counts["bytes"]
        put(target, "first", content)
        size = proxy.counts["bytes"] - before
        cuts = [*range(1, size, size // 12), *range(size - 2600, size, 100)]
        for cut in cuts:
            target.find("nothing")  # connected again
            proxy.cut_after_bytes(cut, times=1)
            stored = put(target, f"cut {cut}", content)
            assert item("x", content).is_content_of(stored), cut
            assert stored == target.find(f"cut {cut}"), cut
        assert proxy.counts["cut"] >= len(cuts) - 2
        target.close()
    assert sorted(os.listdir(store)) == sorted(["first", *(f"cut {cut}" for cut in cuts)])


def test_cut_at_the_renaming(samba, store, monkeypatch):
    """When the connection breaks at the renaming, it is found out whether it was done. Where that
    is in the stream of bytes depends on what else is under way, so that it is tried until both have
    happened."""
    found: list[bool] = []
    real = SmbTarget._is_renamed

    def is_renamed(self, *arguments):
        found.append(real(self, *arguments))
        return found[-1]

    monkeypatch.setattr(SmbTarget, "_is_renamed", is_renamed)
    with Proxy(samba) as proxy:
        target = over(proxy, store.name)
        target.check()
        before = proxy.counts["bytes"]
        put(target, "first", b"x")
        size = proxy.counts["bytes"] - before
        cuts = cycle(range(size - 2600, size - 700, 50))
        for number, cut in enumerate(islice(cuts, 400)):
            target.find("nothing")
            proxy.cut_after_bytes(cut + number // 38, times=1)
            assert put(target, f"cut {number}", b"x") == target.find(f"cut {number}")
            if set(found) == {True, False}:
                break
        target.close()
    assert set(found) == {True, False}
    assert not [name for name in os.listdir(store) if name.endswith(".partial")]


def test_a_line_that_keeps_breaking(samba, store):
    """After so many tries the file is given up; another run takes away what is left and moves it."""
    content = os.urandom(5_000_000)
    with Proxy(samba) as proxy:
        target = over(proxy, store.name)
        target.check()
        proxy.cut_after_bytes(1_000_000)
        with pytest.raises(OSError, match="broke 8 times") as caught:
            put(target, "file", content)
        assert caught.value.errno == errno.ECONNRESET
        assert set(os.listdir(store)) <= {PARTIAL}
        proxy.heal()
        put(target, "file", content)
        target.close()
    assert tree(store) == {"file": content}


def test_a_server_that_restarts(make_samba, monkeypatch):
    """Killed and started again while a file is written: the file is written anew."""
    samba = make_samba()
    enter(samba, monkeypatch)
    target, content = over(samba), os.urandom(5_000_000)
    target.put(item("a/file", content), Meanwhile(content, 3 << 20, samba.restart))
    assert tree(samba.shares["data"]) == {"a": None, "a/file": content}
    target.close()


def test_a_server_that_stays_away(make_samba, monkeypatch):
    """Killed while a file is written: the move stops with words; nothing has a final name; when the
    server is back, the same target goes on."""
    samba = make_samba()
    enter(samba, monkeypatch)
    target, content = over(samba, retries=1), os.urandom(5_000_000)
    with pytest.raises(ShareUnreachable, match="tried 2 times"):
        target.put(item("a/file", content), Meanwhile(content, 3 << 20, samba.kill))
    assert set(tree(samba.shares["data"])) <= {"a", f"a/{PARTIAL}"}
    samba.start()
    put(target, "a/file", content)
    assert tree(samba.shares["data"]) == {"a": None, "a/file": content}
    target.close()


def test_a_line_that_goes_dark(samba, store):
    """A line that says nothing for longer than the time-out: the server still holds the copy open
    for the connection that we gave up, and lets go of it when it learns of that."""
    content = os.urandom(5_000_000)
    with Proxy(samba) as proxy:
        target = over(proxy, store.name, timeout_seconds=1)
        timer = threading.Timer(2.5, proxy.unstall)

        def dark() -> None:
            proxy.stall()
            timer.start()

        target.put(item("file", content), Meanwhile(content, 3 << 20, dark))
        timer.join()
        target.close()
    assert tree(store) == {"file": content}


@contextmanager
def held_open(samba: Samba, store: Path) -> Iterator[SmbTarget]:
    """The partial copy, as a connection that the server has not missed yet holds it."""
    holder = SmbTarget(Place(samba.url("data", store.name)))
    name = holder._wire_name([PARTIAL])
    holder.engine.run(lambda: writing.create(name, b"half", False), "open")
    yield holder
    holder.close()


def test_a_copy_that_is_still_held_open(samba, store, target):
    """It is waited for."""
    with held_open(samba, store) as holder:
        timer = threading.Timer(1, holder.close)
        timer.start()
        put(target, "file", b"x")
        timer.join()
    assert tree(store) == {"file": b"x"}


def test_a_copy_that_stays_held_open(samba, store, target, monkeypatch):
    """It is not waited for for ever; the next run moves the file."""
    monkeypatch.setattr(smb_module, "retry_seconds", lambda tries: 0.0)
    with held_open(samba, store):
        with pytest.raises(OSError, match="cannot be removed") as caught:
            put(target, "file", b"x")
        assert caught.value.errno == errno.EBUSY
    time.sleep(0.2)
    put(target, "file", b"x")
    assert tree(store) == {"file": b"x"}


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """The folder on a disk of its own that the server may write to."""
    with mounted(folder, size):
        yield give_to_server(folder)


def test_a_full_disk(samba, store, target):
    """A disk that fills up while a file is written: ENOSPC, nothing left, smaller files go on."""
    target.make_folder("disk")
    with small_disk(store / "disk", "4m") as disk:
        for size in (8 << 20, (4 << 20) + 1):
            with pytest.raises(OSError) as caught:
                put(target, "disk/a/file", os.urandom(size))
            assert caught.value.errno == errno.ENOSPC
            assert tree(disk) == {"a": None}
        put(target, "disk/fits", os.urandom(3_500_000))
        with pytest.raises(OSError) as caught:
            put(target, "disk/file", os.urandom(900_000))
        assert caught.value.errno == errno.ENOSPC
        assert set(tree(disk)) == {"a", "fits"}
        target.close()


# Whole moves

FILES = 40


@pytest.fixture(scope="module")
def manifested(tmp_path_factory) -> Path:
    """An estate over a local share, ready to be moved; files of every size, one of them empty."""
    root = tmp_path_factory.mktemp("manifested")
    share, estate = root / "share", root / "estate"
    for number in range(FILES):
        path = share / f"folder {number % 4}" / "Größe" / f"file {number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 40_000))
        os.utime(path, ns=(MTIME, MTIME - number * 10**12))
    run("init", estate, "--share", f"s={share}")
    run("crawl", "-e", estate, "--workers", "2")
    for words in (["dedupe"], ["flag", "--as-of", "2026-01-01"], ["review", "export"]):
        run(*words, "-e", estate)
    filled = fill_in(estate, root / "filled")
    run("review", "import", "-e", estate, "--reviewer", "A tester", *filled)
    run("manifest", "-e", estate)
    return root


@pytest.fixture
def estate(manifested, tmp_path) -> Path:
    return Path(shutil.copytree(manifested / "estate", tmp_path / "estate"))


def manifest(estate: Path) -> dict[str, str]:
    """Where each file comes from, by where it goes to."""
    with Query(Estate(estate)) as query:
        lines = query.table("manifest").to_pyarrow().to_pylist()
    return {line["target_path"]: line["source_path"] for line in lines}


def assert_moved(estate: Path, share: Path, store: Path) -> None:
    """Every file of the manifest is in the store, with its content and date, and nothing else."""
    lines = manifest(estate)
    assert len(lines) > FILES // 2
    stored = {path: content for path, content in tree(store).items() if content is not None}
    assert stored.keys() == lines.keys()
    for target_path, source_path in lines.items():
        assert stored[target_path] == (share / source_path).read_bytes()
        dates = [(share / source_path).stat(), (store / target_path).stat()]
        assert dates[0].st_mtime_ns == dates[1].st_mtime_ns
    assert sorted(rows(estate, "receipts", "target")) == sorted(
        set(rows(estate, "receipts", "target"))
    )


def start_move(estate: Path, url: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "migrate",
        "move",
        "-e",
        str(estate),
        "--to",
        url,
        "--workers",
        "2",
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        start_new_session=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1790000000"},
    )  # fmt: skip


def wait_for_files(store: Path, count: int, move: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while len(list(store.rglob("*.bin"))) < count:
        assert move.poll() is None, move.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.01)


def test_move_and_verify(samba, store, estate, manifested):
    """A manifest moved onto a share over SMB, verified, moved again (nothing to do); and what was
    damaged or taken away afterwards is found."""
    url = samba.url("data", f"{store.name}/new/store")
    moved = run_json("move", "-e", estate, "--to", url)
    lines = manifest(estate)
    assert moved["by_status"] == {"verified": len(lines)}
    assert_moved(estate, manifested / "share", store / "new" / "store")
    verified = run_json("verify", "-e", estate)
    assert (verified["differences"], verified["lines_moved"]) == ([], len(lines))
    assert run_json("move", "-e", estate, "--to", url)["by_status"] == {}
    damaged, gone, *_ = sorted(lines, key=lambda path: -(store / "new/store" / path).stat().st_size)
    with (store / "new/store" / damaged).open("r+b") as file:
        file.write(b"damage")
    (store / "new/store" / gone).unlink()
    differences = run_json("verify", "-e", estate, expect=4)["differences"]
    assert sorted(line.split(": ")[0] for line in differences) == sorted([damaged, gone])


def test_killed_and_run_again(samba, store, estate, manifested):
    """kill -9 in the middle of a move: no half file has a final name; run again, all is there."""
    (store / "store").mkdir()
    give_to_server(store)
    with Proxy(samba, delay_ms=10) as proxy:
        url = proxy.url("data", f"{store.name}/store")
        for count in (3, 12):
            move = start_move(estate, url)
            wait_for_files(store / "store", count, move)
            os.killpg(move.pid, signal.SIGKILL)
            move.communicate()
            for path in (store / "store").rglob("*.bin"):
                source = (
                    manifested / "share" / manifest(estate)[str(path.relative_to(store / "store"))]
                )
                assert path.read_bytes() == source.read_bytes()
        moved = run_json("move", "-e", estate, "--to", url)
        assert moved["problems"] == []
        assert moved["done_before"] + sum(moved["by_status"].values()) == len(manifest(estate))
        assert_moved(estate, manifested / "share", store / "store")
        assert run_json("verify", "-e", estate)["differences"] == []


def test_server_restarted_during_a_move(make_samba, monkeypatch, estate, manifested):
    """The server killed and started again in the middle of a move: the move goes on and ends well."""
    samba = make_samba()
    enter(samba, monkeypatch)
    store = samba.shares["data"]
    with Proxy(samba, delay_ms=10) as proxy:
        move = start_move(estate, proxy.url("data"))
        for count in (3, 15):
            wait_for_files(store, count, move)
            samba.restart()
        said, _ = move.communicate(timeout=60)
        assert move.returncode == 0, said
        assert_moved(estate, manifested / "share", store)
        assert run_json("verify", "-e", estate)["differences"] == []


def test_disk_full_during_a_move(samba, store, estate, manifested):
    """The move stops at the first file that finds no room; with more room it goes on."""
    (store / "disk").mkdir()
    with small_disk(store / "disk", "4m") as disk:
        url = samba.url("data", f"{store.name}/disk")
        failed = run("move", "-e", estate, "--to", url, expect=1)
        assert "No space left" in failed.stderr
        assert not list(disk.rglob("*.partial"))
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        assert run_json("move", "-e", estate, "--to", url)["problems"] == []
        assert_moved(estate, manifested / "share", disk)
