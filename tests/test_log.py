"""The chain, the lock and the parts: what was written is there, whole, or it never happened."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate import estate as estate_module
from migrate.errors import EstateLocked, EstateMissing, MigrateError
from migrate.estate import PENDING, Estate, Part, create, write_part, writing
from migrate.log import FIRST_LINK, ChainBroken, Log, timestamp
from migrate.model import TABLES

CONFIG = "format: 1\nshares: [{name: dept, path: share}]\n"
LISTINGS = TABLES["listings"].schema


def listings(*numbers: int) -> pa.Table:
    rows = [{"scan_id": 1, "entry_id": n, "child_count": 0, "error": None} for n in numbers]
    return pa.Table.from_pylist(rows, LISTINGS)


def crawl_settings(share: str = "dept") -> dict:
    return {"share": share, "content": True, "mime": True, "sha256": False}


@pytest.fixture
def estate(tmp_path) -> Estate:
    return create(tmp_path / "estate", CONFIG)


def chain(folder: Path, count: int) -> Path:
    path = folder / "log.jsonl"
    log = Log(path)
    for number in range(count):
        log.append("note", number=number, text="é\n\u2028\x00")
    return path


# The chain


def test_each_line_carries_the_hash_of_the_one_before(tmp_path):
    """Anybody can check the chain with sha256sum and nothing of ours."""
    path = chain(tmp_path, 5)
    head = FIRST_LINK
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        record = json.loads(line)
        assert record["prev"] == head
        assert record["seq"] == number + 1
        head = hashlib.sha256(line).hexdigest()
    assert Log(path).head == head
    assert Log(path).records[2]["text"] == "é\n\u2028\x00"


def tampered(lines: list[bytes]) -> dict[str, list[bytes]]:
    """Every way to lay hands on a log of at least four lines."""
    ways = {}
    for n in range(len(lines) - 1):
        ways[f"alter {n}"] = [
            *lines[:n],
            lines[n].replace(b'"number":', b'"Number":'),
            *lines[n + 1 :],
        ]
        ways[f"blank {n}"] = [*lines[:n], lines[n].replace(b":", b": ", 1), *lines[n + 1 :]]
        ways[f"remove {n}"] = [*lines[:n], *lines[n + 1 :]]
        ways[f"swap {n}"] = [*lines[:n], lines[n + 1], lines[n], *lines[n + 2 :]]
        ways[f"double {n}"] = [*lines[: n + 1], *lines[n:]]
        ways[f"empty line {n}"] = [*lines[: n + 1], b"\n", *lines[n + 1 :]]
        forged = json.dumps(
            {"seq": n + 2, "kind": "note", "prev": hashlib.sha256(lines[n]).hexdigest()}
        )
        ways[f"insert {n}"] = [*lines[: n + 1], forged.encode() + b"\n", *lines[n + 1 :]]
    ways["double last"] = [*lines, lines[-1]]
    ways["crlf"] = [line.replace(b"\n", b"\r\n") for line in lines]
    ways["bom"] = [b"\xef\xbb\xbf" + lines[0], *lines[1:]]
    ways["forged end"] = [*lines, b'{"seq":9,"kind":"note","prev":"' + b"0" * 64 + b'"}\n']
    ways["no object"] = [*lines, b"[]\n"]
    ways["no JSON"] = [*lines, b"rubbish\n"]
    ways["no UTF-8"] = [*lines, b'"\xff"\n']
    return ways


NAMES = list(tampered([b'{"number":0}\n'] * 5))


@pytest.mark.parametrize("way", NAMES)
def test_tampering_breaks_the_chain(tmp_path, way):
    """A line altered, removed, inserted, doubled or moved is noticed and its number named."""
    path = chain(tmp_path, 5)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = tampered(lines)[way]
    assert changed != lines
    path.write_bytes(b"".join(changed))
    with pytest.raises(ChainBroken, match=r"line \d") as caught:
        Log(path)
    assert caught.value.exit_code == 4


def test_a_changed_end_changes_the_head(tmp_path):
    """What no following line vouches for (the last line) shows in the head that was written down."""
    path = chain(tmp_path, 4)
    head = Log(path).head
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert Log(path).head != head
    path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b":3", b":4")]))
    assert Log(path).head != head


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_matters(tmp_path, place, flip):
    """Whatever single byte is changed, the chain breaks or the head is another."""
    path = tmp_path / "log.jsonl"
    if not path.exists():
        chain(tmp_path, 4)
        (tmp_path / "good").write_bytes(path.read_bytes())
    good = (tmp_path / "good").read_bytes()
    path.write_bytes(good)
    head = Log(path).head
    changed = bytearray(good)
    changed[place % len(good)] ^= flip
    path.write_bytes(changed)
    try:
        assert Log(path).head != head
    except ChainBroken:
        pass


def test_the_estate_refuses_a_broken_chain(estate):
    """No stage reads an estate whose log was altered."""
    with writing(estate, ["migrate", "x"]):
        pass
    path = estate.root / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"kind":"init"', b'"kind":"Init"'))
    with pytest.raises(ChainBroken):
        Estate(estate.root)


@pytest.mark.parametrize("cut", [1, 2, 10, 60])
def test_a_torn_last_line_never_happened(tmp_path, cut):
    """A line that a crash cut short is not read, and the next writer takes it away."""
    path = chain(tmp_path, 3)
    whole = path.read_bytes()
    keep = b"".join(whole.splitlines(keepends=True)[:2])
    path.write_bytes(whole[:-cut])
    log = Log(path)
    assert len(log.records) == 2
    assert path.read_bytes() == whole[:-cut]  # a reader changes nothing
    log.drop_torn_line()
    assert path.read_bytes() == keep
    log.append("note", number=9)
    assert [record["seq"] for record in Log(path).records] == [1, 2, 3]


@pytest.mark.parametrize("rubbish", [b"\0" * 4096, b'{"seq":4,"prev":"', b"\xff"])
def test_the_next_writer_cuts_what_a_crash_left(estate, rubbish):
    """Zeros or half a line at the end (as file systems leave them) are gone after the next command."""
    path = estate.root / "log.jsonl"
    with path.open("ab") as file:
        file.write(rubbish)
    with writing(Estate(estate.root), ["migrate", "x"]):
        pass
    assert [record["kind"] for record in Estate(estate.root).log.records] == ["init", "command"]
    assert rubbish not in path.read_bytes()


def test_a_reader_follows_a_writer(tmp_path):
    """`refresh` reads what was appended since, also when it looked in the middle of a line."""
    path = chain(tmp_path, 2)
    reader, writer = Log(path), Log(path)
    writer.append("note", number=2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    reader.refresh()
    assert len(reader.records) == 2
    path.write_bytes(whole)
    reader.refresh()
    assert [record["seq"] for record in reader.records] == [1, 2, 3]
    assert reader.head == writer.head


# Full disks and failing disks


def failing_write(monkeypatch, after: int, code: int):
    """os.write takes a few bytes and then fails, as on a full disk."""
    real, taken = os.write, [0]

    def write(descriptor, data):
        if taken[0] >= after:
            raise OSError(code, os.strerror(code))
        part = bytes(data)[: after - taken[0]]
        taken[0] += len(part)
        return real(descriptor, part)

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("after", [0, 1, 30])
def test_append_on_a_full_disk(tmp_path, monkeypatch, after, code):
    """A line that does not fit leaves the log byte for byte as it was, and can be tried again."""
    path = chain(tmp_path, 3)
    before = path.read_bytes()
    log = Log(path)
    with monkeypatch.context() as patch:
        failing_write(patch, after, code)
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            log.append("note", number=3)
    assert caught.value.errno == code
    assert path.read_bytes() == before
    assert len(log.records) == 3
    log.append("note", number=3)
    assert len(Log(path).records) == 4


def test_append_with_a_failing_fsync(tmp_path, monkeypatch):
    """A line that may not have reached the disk is taken back."""
    path = chain(tmp_path, 3)
    before = path.read_bytes()
    log = Log(path)
    with monkeypatch.context() as patch:
        patch.setattr(
            os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.EIO, "bad disk"))
        )
        with pytest.raises(OSError, match="bad disk"):
            log.append("note")
    assert path.read_bytes() == before
    assert Log(path).head == log.head


def test_append_in_small_pieces(tmp_path, monkeypatch):
    """A system that takes a few bytes at a time gets the whole line in the end, then fsync."""
    path, real, synced = tmp_path / "log.jsonl", os.write, []
    real_sync = os.fsync
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(path.stat().st_size) or real_sync(descriptor)
    )
    Log(path).append("note", text="x" * 100)
    assert synced == [path.stat().st_size]
    assert len(Log(path).records) == 1


def test_an_estate_that_is_gone(tmp_path):
    """Where the estate's folder has vanished, append raises OSError."""
    with pytest.raises(FileNotFoundError):
        Log(tmp_path / "missing" / "log.jsonl").append("note")


# Parts


def visible(root: Path) -> list[str]:
    return [path.name for path in Estate(root).parts("listings")]


def test_parts_are_there_once_they_are_committed(estate):
    """A part is invisible until its commit, and then is just what was written."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        run = writer.begin("crawl", crawl_settings())
        part = write_part(estate.root, "listings", listings(1, 2, 3))
        assert part.file.startswith(PENDING)
        assert visible(estate.root) == []
        writer.commit(run, [part])
        [path] = Estate(estate.root).parts("listings")
    named = Estate(estate.root).runs("crawl")[0].parts[0]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == named["sha256"] == part.sha256
    assert path.stat().st_size == named["size_bytes"]
    assert pq.read_table(path).to_pylist() == listings(1, 2, 3).to_pylist()


def break_call(patch, what: str) -> None:
    def fail(*args, **kwargs):
        raise OSError(errno.EIO, f"{what} failed")

    target = {
        "rename": (Path, "rename"),
        "fsync": (os, "fsync"),
        "sync_folder": (estate_module, "sync_folder"),
    }
    patch.setattr(*target[what], fail)


@pytest.mark.parametrize("what", ["rename", "fsync", "sync_folder"])
def test_a_commit_that_fails_shows_nothing(estate, monkeypatch, what):
    """Where renaming or syncing fails no part is seen, and the next writer clears up and can go on."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        run = writer.begin("crawl", crawl_settings())
        parts = [write_part(estate.root, "listings", listings(n)) for n in (1, 2)]
        with monkeypatch.context() as patch:
            break_call(patch, what)
            with pytest.raises(OSError, match="failed"):
                writer.commit(run, parts)
        assert visible(estate.root) == []
        assert run.parts == []
    with writing(Estate(estate.root), ["migrate", "crawl"]) as writer:
        assert list((estate.root / "listings").iterdir()) == []
        run = writer.begin("crawl", crawl_settings(), resume=True)
        writer.commit(run, [write_part(estate.root, "listings", listings(7))])
    assert len(visible(estate.root)) == 1


def test_a_commit_that_fails_in_the_middle(estate, monkeypatch):
    """All parts of a commit or none: with the second rename failing, the first is not seen either."""
    real, calls = Path.rename, []

    def rename(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "second failed")
        return real(self, target)

    with writing(estate, ["migrate", "crawl"]) as writer:
        run = writer.begin("crawl", crawl_settings())
        parts = [write_part(estate.root, "listings", listings(n)) for n in (1, 2)]
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            with pytest.raises(OSError, match="second failed"):
                writer.commit(run, parts)
        assert visible(estate.root) == []
        writer.commit(run, [write_part(estate.root, "listings", listings(3))])
        [path] = Estate(estate.root).parts("listings")
        assert pq.read_table(path).to_pylist() == listings(3).to_pylist()


@pytest.mark.parametrize("what", ["fsync", "write"])
def test_a_part_that_cannot_be_written(estate, monkeypatch, what):
    """A part that fails half-way is an OSError, and nothing a reader looks at."""
    with monkeypatch.context() as patch:
        if what == "fsync":
            break_call(patch, what)
        else:
            patch.setattr(
                Path, "open", lambda *a, **k: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))
            )
        with pytest.raises(OSError):
            write_part(estate.root, "listings", listings(1))
    assert all(path.name.startswith(PENDING) for path in (estate.root / "listings").iterdir())
    with writing(estate, ["migrate", "x"]):
        assert list((estate.root / "listings").iterdir()) == []


def test_a_commit_whose_log_line_does_not_fit(estate, monkeypatch):
    """With the disk full at the very last moment the parts are renamed but do not exist."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        run = writer.begin("crawl", crawl_settings())
        part = write_part(estate.root, "listings", listings(1))
        before = (estate.root / "log.jsonl").read_bytes()
        with monkeypatch.context() as patch:
            failing_write(patch, 20, errno.ENOSPC)
            with pytest.raises(OSError):
                writer.commit(run, [part])
        assert (estate.root / "log.jsonl").read_bytes() == before
        assert visible(estate.root) == []


def test_empty_parts_are_not_committed(estate):
    """A part without rows leaves no line in the log."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        run = writer.begin("crawl", crawl_settings())
        lines = len(estate.log.records)
        writer.commit(run, [write_part(estate.root, "listings", listings())])
        assert len(estate.log.records) == lines


def test_sweep_removes_only_what_nobody_named(estate):
    """Pending parts and parts the log does not name go; committed parts and other files stay."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        run = writer.begin("crawl", crawl_settings())
        writer.commit(run, [write_part(estate.root, "listings", listings(1))])
        write_part(estate.root, "listings", listings(2))
        write_part(estate.root, "entries", TABLES["entries"].schema.empty_table())
    [kept] = Estate(estate.root).parts("listings")
    (estate.root / "listings" / "r0001-0000099-0.parquet").write_bytes(b"renamed, not logged")
    (estate.root / "listings" / "notes.txt").write_bytes(b"not ours")
    (estate.root / "out").mkdir()
    (estate.root / "out" / "x.parquet").write_bytes(b"not a table")
    with writing(Estate(estate.root), ["migrate", "x"]):
        pass
    assert sorted(path.name for path in (estate.root / "listings").iterdir()) == sorted(
        ["notes.txt", kept.name]
    )
    assert list((estate.root / "entries").iterdir()) == []
    assert (estate.root / "out" / "x.parquet").exists()


def test_readers_sweep_nothing(estate):
    """Opening an estate to read removes nothing: a writer may be at work."""
    part = write_part(estate.root, "listings", listings(1))
    Estate(estate.root).parts("listings")
    assert (estate.root / "listings" / part.file).exists()


def test_runs_and_what_counts(estate):
    """An unfinished crawl gives way to a finished one; the newest finished one counts."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        for number in (1, 2, 3):
            run = writer.begin("crawl", crawl_settings())
            writer.commit(run, [write_part(estate.root, "listings", listings(number))])
            if number != 3:
                writer.finish(run, {"n": number})
    found = Estate(estate.root)
    assert [run.run_id for run in found.runs("crawl")] == [1, 2, 3]
    assert [run.run_id for run in found.scans()] == [2]
    assert found.latest("crawl").summary == {"n": 2}
    assert found.unfinished("crawl", crawl_settings()).run_id == 3
    assert [pq.read_table(path)["entry_id"].to_pylist() for path in found.parts("listings")] == [
        [2]
    ]


def test_a_cut_off_run_is_taken_up(estate):
    """With resume, the same settings go on in the same run; others begin a new one."""
    with writing(estate, ["migrate", "crawl"]) as writer:
        first = writer.begin("crawl", crawl_settings()).run_id
    with writing(Estate(estate.root), ["migrate", "crawl"]) as writer:
        assert writer.begin("crawl", crawl_settings(), resume=True).run_id == first
        assert (
            writer.begin("crawl", {**crawl_settings(), "sha256": True}, resume=True).run_id != first
        )
        assert writer.begin("crawl", crawl_settings()).run_id != first


# The lock

HOLD = """
import sys, time
from pathlib import Path
from migrate.estate import Estate, writing
with writing(Estate(Path(sys.argv[1])), ["migrate", "hold"]):
    print("held", flush=True)
    time.sleep(60)
"""
TRY = """
import sys
from pathlib import Path
from migrate.errors import EstateLocked
from migrate.estate import Estate, writing
estate = Estate(Path(sys.argv[1]))
print(len(estate.runs()), estate.parts("listings"))
try:
    with writing(estate, ["migrate", "try"]):
        print("got it")
except EstateLocked as error:
    print("locked", error.exit_code, error.what)
"""


def run_python(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@pytest.fixture
def holder(estate):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(estate.root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_refused_and_readers_work(estate, holder):
    """While one command writes, another is told who it is (exit code 11) and nothing is changed."""
    before = (estate.root / "log.jsonl").read_bytes()
    words = run_python(TRY, estate.root)
    assert "locked 11" in words
    assert f"process {holder.pid}" in words
    found = Estate(estate.root)  # a reader
    assert found.runs() == []
    assert found.log.records[-1]["command"] == ["migrate", "hold"]
    with pytest.raises(EstateLocked), writing(found, ["migrate", "second"]):
        pass
    assert (estate.root / "log.jsonl").read_bytes() == before


def test_the_lock_dies_with_its_holder(estate, holder):
    """After kill -9 of the holder the next command goes ahead at once."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert "got it" in run_python(TRY, estate.root)


def test_the_lock_is_let_go(estate):
    """When the block ends, also by an error, another process can write."""
    with pytest.raises(RuntimeError), writing(estate, ["migrate", "x"]):
        assert "locked" in run_python(TRY, estate.root)
        raise RuntimeError
    assert "got it" in run_python(TRY, estate.root)


def test_the_lock_holds_though_the_estate_is_read(estate):
    """Reading the estate in the writing process does not let the lock go by accident."""
    with writing(estate, ["migrate", "x"]):
        Estate(estate.root).parts("listings")
        assert "locked" in run_python(TRY, estate.root)


def test_a_fork_does_not_take_the_lock_along(estate):
    """A worker that outlives its parent's block does not keep the estate locked."""
    with writing(estate, ["migrate", "x"]):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        assert "got it" in run_python(TRY, estate.root)
    finally:
        child.kill()
        child.wait()


def test_what_another_writer_did_meanwhile_is_seen(estate):
    """An estate that was opened before another command wrote goes on from what that wrote."""
    late = Estate(estate.root)
    with writing(Estate(estate.root), ["migrate", "first"]) as writer:
        writer.finish(writer.begin("crawl", crawl_settings()), {})
    with writing(late, ["migrate", "second"]) as writer:
        assert writer.begin("crawl", crawl_settings()).run_id == 2
    kinds = [record["kind"] for record in Estate(estate.root).log.records]
    assert kinds == ["init", "command", "run", "finish", "command", "run"]


# What a line says


@pytest.mark.parametrize(
    ("epoch", "expected"), [("0", "1970-01-01T00:00:00Z"), ("1700000000", "2023-11-14T22:13:20Z")]
)
def test_source_date_epoch(tmp_path, monkeypatch, epoch, expected):
    """SOURCE_DATE_EPOCH stands in for the clock in every line."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert timestamp() == expected
    assert Log(tmp_path / "log.jsonl").append("note")["at"] == expected


def test_the_clock_is_utc(monkeypatch):
    """Without it the time is now, in UTC, whatever the machine's time zone."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        assert (
            abs(
                time.time()
                - time.mktime(time.strptime(timestamp(), "%Y-%m-%dT%H:%M:%SZ"))
                - 14 * 3600
            )
            < 5
        )
    finally:
        monkeypatch.undo()
        time.tzset()


def command_logged(estate: Estate, *words: str) -> list[str]:
    with writing(Estate(estate.root), ["migrate", *words]):
        pass
    return Estate(estate.root).log.records[-1]["command"]


@pytest.mark.parametrize(
    ("word", "logged"),
    [
        ("smb://ann:secret@fs1/HR", "smb://fs1/HR"),
        ("--to=https://ann:secret@store.example/x", "--to=https://store.example/x"),
        ("hr=smb://ann:secret@fs1/HR", "hr=smb://fs1/HR"),
        ("smb://DOM;ann:sec%40ret@fs1", "smb://fs1"),
        ("smb://fs1/a@b", "smb://fs1/a@b"),
        ("file:///mnt/a@b", "file:///mnt/a@b"),
        ("ann@example.org", "ann@example.org"),
    ],
)
def test_credentials_are_not_logged(estate, word, logged):
    """User and password in a URL are cut out of the command line; all else stays as typed."""
    assert command_logged(estate, "move", word) == ["migrate", "move", logged]
    assert b"secret" not in (estate.root / "log.jsonl").read_bytes()


@pytest.mark.parametrize(
    "word", ["smb://ann:pass@secret@fs1/HR", "smb://ann:pa/secret@fs1/HR", "https://a:b@c:secret@h"]
)
def test_awkward_passwords_are_not_logged_either(estate, word):
    """A password with an unescaped '@' or '/' in it leaves nothing of itself in the log."""
    assert "secret" not in " ".join(command_logged(estate, "move", word))


def test_odd_words_can_be_logged(estate):
    """Undecodable bytes and control characters in an argument do not stop a command."""
    words = ["caf\udce9", "a\nb", "\x1b[2J", "é"]
    assert command_logged(estate, *words) == ["migrate", *words]
    assert (estate.root / "log.jsonl").read_bytes().isascii()


def test_a_user_without_a_name(estate, monkeypatch):
    """In a container where nobody knows the user, the log says so and goes on."""
    import getpass

    monkeypatch.setattr(getpass, "getuser", lambda: (_ for _ in ()).throw(KeyError("uid")))
    with writing(estate, ["migrate"]):
        pass
    assert Estate(estate.root).log.records[-1]["user"] == "unknown"


# What is no estate


def test_no_estate(tmp_path):
    """A folder without a log, or with an empty one, is no estate; exit code 10."""
    for prepare in (lambda: None, lambda: (tmp_path / "log.jsonl").touch()):
        prepare()
        with pytest.raises(EstateMissing) as caught:
            Estate(tmp_path)
        assert caught.value.exit_code == 10


def test_an_estate_of_another_version(tmp_path):
    """An estate whose tables this version does not know is not touched."""
    Log(tmp_path / "log.jsonl").append("init", schema=999)
    with pytest.raises(EstateMissing, match="another version"):
        Estate(tmp_path)


def test_create_keeps_what_is_there(tmp_path):
    """A new estate is made in an empty folder, or around an estate.yaml that it leaves alone."""
    (tmp_path / "estate.yaml").write_text("mine")
    create(tmp_path, CONFIG)
    assert (tmp_path / "estate.yaml").read_text() == "mine"
    (tmp_path / "something else").touch()
    with pytest.raises(MigrateError):
        create(tmp_path, CONFIG)


def test_part_is_plain_data():
    """A part's record is what the log names: table, file, rows, size, SHA-256, counts of its rows."""
    assert list(Part.__struct_fields__) == [
        "table", "file", "rows", "size_bytes", "sha256", "counts",
    ]  # fmt: skip
