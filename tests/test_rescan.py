"""A second scan of a share: nothing is opened that is as it was, and the tables are those of a
fresh one; what is not certain is read again; what changed is told."""

from __future__ import annotations

import base64
import csv
import json
import os
import pickle
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xxhash
from click.testing import CliRunner
from conftest import make_tree, refuse_to_list, rows
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_crash import killed

from migrate import changes, clock, known
from migrate.bulk import Bulk
from migrate.cli import cli
from migrate.cli.changes import about_reuse
from migrate.config import load
from migrate.crawl import CrawlOptions, crawl_share
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Estate, Run, create, write_part, writing
from migrate.model import TABLES
from migrate.scans import count_of, is_disproved, refuse_disproved, rescans, scan_pairs
from migrate.sources import Stat, Trust, local, mounts
from migrate.visit import Reading

SAME_AS_FRESH = ("entries", "listings", "digests")
TICK_NS = 20_000_000  # more than this kernel's clock steps by


@pytest.fixture(autouse=True)
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share whose clock ticks finely, so that tests need not wait for seconds."""
    monkeypatch.setattr(clock, "CLOCK_STEP_NS", TICK_NS)
    monkeypatch.setattr(known, "LEAST_PROOFS", 2)


def settle() -> None:
    """Let the clock get past what has just been changed."""
    time.sleep(2.5 * TICK_NS / 1e9)


def new_estate(root: Path, share: Path | str, more: str = "") -> Path:
    create(root, f"format: 1\nshares:\n  - {{name: s, path: '{share}'}}\n{more}")
    return root


def crawl(root: Path, **reading: Any) -> Run:
    """One more scan of the share, with two workers, and what has changed noted."""
    estate = Estate(root)
    config, _ = load(estate.config_path)
    with writing(estate, ["a test"]) as writer:
        run = crawl_share(estate, config, writer, "s", CrawlOptions(2, Reading(**reading)))
        if scan_pairs(estate):
            changes.note_changes(writer)
    return run


def fresh(share: Path, root: Path) -> dict[str, list[Any]]:
    """The tables of a first scan of a share as it is now."""
    new_estate(root, share)
    crawl(root)
    return tables(root)


def tables(root: Path) -> dict[str, list[Any]]:
    return {table: rows(root, table, "read_in") for table in SAME_AS_FRESH}


def edit_unseen(path: Path, content: str) -> None:
    """Other bytes, the same size and date: what careless or careful programs leave behind."""
    before = path.stat()
    path.write_text(content)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with a line for each file that any worker opens."""
    told = tmp_path / "opened"
    told.touch()
    open_file, read_files = local.LocalSource.open, Bulk._read

    def tell(path: bytes) -> None:
        with told.open("ab") as file:
            file.write(path + b"\n")

    def open_and_tell(source: local.LocalSource, path: bytes) -> Any:
        tell(path)
        return open_file(source, path)

    def read_and_tell(bulk: Bulk, opener: Any, names: list[str], places: Any, prefix: str) -> None:
        for name in names:
            tell(os.fsencode(prefix + name))
        read_files(bulk, opener, names, places, prefix)

    monkeypatch.setattr(local.LocalSource, "open", open_and_tell)
    monkeypatch.setattr(Bulk, "_read", read_and_tell)
    return told


def names_in(told: Path) -> set[str]:
    return set(os.fsdecode(told.read_bytes()).splitlines())


def test_an_unchanged_tree_is_not_opened(tmp_path: Path, tree: Path, opened: Path) -> None:
    """Nothing but the proof is read; the tables are the same; so again in the third scan."""
    settle()
    root = new_estate(tmp_path / "estate", tree)
    crawl(root)
    first = tables(root)
    files = sum(path.is_file() and not path.is_symlink() for path in tree.rglob("*"))
    for _ in range(2):
        opened.write_bytes(b"")
        run = crawl(root)
        proven = count_of(run, "proof same")
        assert 0 < proven == len(names_in(opened)) < 6
        assert count_of(run, "taken over") == files - proven
        assert tables(root) == first
        assert count_of(run, "proof differs") == 0
    (told,) = rescans(Estate(root))
    assert told["unchanged"] == told["files"] == files
    crawl(root, reread=True)
    assert len(names_in(opened)) == files and tables(root) == first


def test_what_changed_is_read_and_told(tmp_path: Path, opened: Path) -> None:
    """Edits of every kind: only what they touched is opened, the tables are those of a fresh scan,
    and each is told for what it is."""
    share = tmp_path / "share"
    for folder in ("keep", "was", "shut/deep"):
        (share / folder).mkdir(parents=True)
        for number in range(5):
            (share / folder / f"{number}.txt").write_text(f"{folder} {number}")
    for name, text in (("a.txt", "aaaa"), ("b.txt", "bbbb"), ("same date.txt", "one"),
                       ("goes.txt", "goes"), ("linked.txt", "two names"), ("a.bin", "typed"),
                       ("restored.txt", "from backup"), ("edited.txt", "before")):  # fmt: skip
        (share / name).write_text(text)
        os.utime(share / name, ns=(10**18, 10**18))
    os.link(share / "linked.txt", share / "linked too.txt")
    settle()
    root = new_estate(tmp_path / "estate", share)
    crawl(root)

    (share / "edited.txt").write_text("afterwards")
    edit_unseen(share / "same date.txt", "two")
    (share / "a.txt").rename(share / "x")
    (share / "b.txt").rename(share / "a.txt")
    (share / "x").rename(share / "b.txt")
    (share / "goes.txt").unlink()
    (share / "comes.txt").write_text("come")  # perhaps with the number of the one that went
    (share / "was").rename(share / "now")
    (share / "linked.txt").rename(share / "keep" / "linked.txt")
    (share / "a.bin").rename(share / "a.md")  # its name says something about its type now
    shutil.copy2(share / "restored.txt", tmp_path / "backup")
    (share / "restored.txt").unlink()
    shutil.copy2(tmp_path / "backup", share / "restored.txt")
    opened.write_bytes(b"")
    run = crawl(root)
    proven = count_of(run, "proof same")
    read = names_in(opened)
    expected = {"edited.txt", "same date.txt", "a.txt", "b.txt", "comes.txt", "keep/linked.txt",
                "linked too.txt", "a.md", "restored.txt"}  # fmt: skip
    # A rename sets the time of change: what was renamed itself is read, what its folder holds not.
    assert len(read - expected) == proven and expected <= read
    assert tables(root) == fresh(share, tmp_path / "fresh")
    (told,) = rescans(Estate(root))
    files = {name: found["files"] for name, found in told["changes"].items()}
    # Swapped files have the same size and date, and are changed by their bytes.
    assert files == {
        "new": 1, "changed": 4, "moved": 7, "deleted": 1, "not_seen": 0, "not_read": 0
    }  # fmt: skip
    assert told["unchanged"] == 12
    found = list(csv.DictReader(changes_of(root, "csv").splitlines()))
    by_change: dict[str, set[str]] = {}
    for row in found:
        by_change.setdefault(row["change"], set()).add(row["path"] or row["was_path"])
    assert by_change["changed"] == {"s/edited.txt", "s/same date.txt", "s/a.txt", "s/b.txt"}
    assert by_change["deleted"] == {"s/goes.txt"} and by_change["new"] == {"s/comes.txt"}
    first = json.loads(changes_of(root, "json"))[0]
    assert (first["change"], first["path"]) == ("changed", "s/a.txt")
    with Query(Estate(root)) as query:
        changes.find_changes(query, scan_pairs(Estate(root)))
        moved = changes.moved_folders(query, 5)
    assert moved == [{"was_path": "s/was", "path": "s/now", "files": 5}]


def test_what_changes_between_a_look_and_its_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that a rescan has looked at, and that is another or gone when it is read, has the
    digest and the size of one moment, or an error."""
    share = tmp_path / "share"
    share.mkdir()
    for name in ("kept", "edited", "grows", "goes"):
        (share / name).write_text(name)
    settle()
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    for name in ("edited", "grows", "goes"):
        (share / name).write_text(f"{name}, and more")
    open_file = local.LocalSource.open

    def late(source: local.LocalSource, path: bytes) -> Any:
        if path == b"goes":
            (share / "goes").unlink(missing_ok=True)
        elif path == b"grows":
            (share / "grows").write_text("longer than when it was looked at")
        return open_file(source, path)

    monkeypatch.setattr(local.LocalSource, "open", late)
    crawl(root)
    with Query(Estate(root)) as query:
        query.named("entries", "digests")
        found = {
            row["name"]: row
            for row in query.rows(
                "SELECT name, size_bytes, e.error, xxh3_128 FROM entries e "
                "LEFT JOIN digests USING (entry_id) WHERE kind = 'file'"
            )
        }
    assert (found["goes"]["error"], found["goes"]["xxh3_128"]) == ("vanished", None)
    for name in ("kept", "edited", "grows"):
        content = (share / name).read_bytes()
        assert found[name]["size_bytes"] == len(content)
        assert found[name]["xxh3_128"] == xxhash.xxh3_128_digest(content)


def test_a_list_of_hostile_names(tmp_path: Path) -> None:
    """A name that moves the cursor or breaks a line does neither; its bytes stand beside it."""
    names = [b"line\nbreak", b"\x1b[31mred", b"caf\xe9", b"plain"]
    share = tmp_path / "share"
    share.mkdir()
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    for name in names:
        (share / os.fsdecode(name)).write_bytes(name)
    crawl(root)
    listed = changes_of(root, "csv")
    assert "\x1b" not in listed and listed.count("\n") == 1 + len(names)
    found = {
        base64.b64decode(row["path_b64"]) or row["path"][2:].encode()
        for row in csv.DictReader(listed.splitlines())
    }
    assert found == set(names)
    assert {one["path"] for one in json.loads(changes_of(root, "json"))} == {
        "s/line\nbreak", "s/\x1b[31mred", "s/caf\\xe9", "s/plain"
    }  # fmt: skip


def changes_of(root: Path, form: str) -> str:
    done = CliRunner().invoke(cli, ["changes", "-e", str(root), "--format", form])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_what_cannot_be_listed_is_not_deleted_shut(tmp_path: Path) -> None:
    """As below, with a folder that is really shut."""
    _not_seen(tmp_path, lambda folder: folder.chmod(0))


def test_what_cannot_be_listed_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in a folder that the newer scan was not let into are perhaps still there."""
    _not_seen(tmp_path, lambda folder: refuse_to_list(monkeypatch, b"shut"))


def _not_seen(tmp_path: Path, shut: Any) -> None:
    share = tmp_path / "share"
    (share / "shut" / "deep").mkdir(parents=True)
    for name in ("shut/1", "shut/deep/2", "shut 3", "shut0"):
        (share / name).write_text(name)
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    shut(share / "shut")
    (share / "shut 3").unlink()
    crawl(root)
    (share / "shut").chmod(0o755)
    (told,) = rescans(Estate(root))
    assert told["changes"]["not_seen"]["files"] == 2
    assert told["changes"]["deleted"]["files"] == 1


def test_a_clock_that_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was changed a moment before the scan, lies in the future, or stands where nobody knows
    whether numbers last, is read again."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(6):
        (share / f"{number}.txt").write_text(str(number))
    os.utime(share / "5.txt", ns=(4 * 10**18, 4 * 10**18))  # the year 2096
    settle()
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    run = crawl(root)
    assert count_of(run, "taken over") + count_of(run, "proof same") == 5  # not that of 2096
    (share / "0.txt").chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "CLOCK_STEP_NS", 3_000_000_000)
        run = crawl(root)
        # What was taken over once is proven for good; what was read moments ago is not.
        assert count_of(run, "taken over") + count_of(run, "proof same") < 5
        patch.setattr(mounts, "mount_of", lambda path, known: ("fuse.odd", ["rw"]))
        run = crawl(root)
        assert count_of(run, "taken over") == 0
        assert "fuse.odd" in run.summary["not_lasting"]


def test_a_server_that_tells_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a mounted share the newest change proves that its clock was past all that is older, by
    more than the scan took."""
    share = tmp_path / "share"
    share.mkdir()
    (share / "old.txt").write_text("old")
    (share / "old too.txt").write_text("old")
    time.sleep(1)
    (share / "newest.txt").write_text("new")
    settle()
    monkeypatch.setattr(mounts, "mount_of", lambda path, known: ("nfs4", ["rw"]))
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    run = crawl(root)
    clocks = [record for record in Estate(root).log.records if record["kind"] == "clock"]
    took = clocks[1]["our_ns"] - clocks[0]["our_ns"]
    assert clocks[0]["share_ns"] is None
    known_too = count_of(run, "taken over") + count_of(run, "proof same")
    assert known_too == (2 if took < 0.9e9 else 0)


def test_numbers_of_mounts() -> None:
    listed = (
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "40 27 0:50 / /mnt/a\\040b rw,noatime shared:1 - cifs //fs/x rw,vers=3.1.1,noserverino\n"
        "41 27 0:51 / /mnt/ab rw - nfs4 fs:/x rw,vers=4.2\n"
    )
    assert mounts.mount_of("/mnt/a b/c", listed)[0] == "cifs"
    assert "noserverino" in mounts.mount_of("/mnt/a b", listed)[1]
    assert mounts.mount_of("/mnt/ab/c", listed)[0] == "nfs4"
    assert mounts.mount_of("/mnt/abc", listed) == ("ext4", ["rw"])
    assert mounts.trust_of("/proc") == Trust(
        False, None, "a proc file system is not known to keep its file numbers"
    )


def test_a_share_that_lies_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file changes and its times do not, the proof says so: exit code 4, no stage goes on,
    and the next crawl reads everything."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(20):
        (share / f"{number}.txt").write_text(f"{number:4}")
    stat_of = local._stat_of_statx

    def frozen(fields: Any, birth: int | None) -> Stat:
        return stat_of(fields, birth)._replace(ctime_ns=1)

    monkeypatch.setattr(local, "_stat_of_statx", frozen)
    monkeypatch.setattr("migrate.visitor.is_local_linux", lambda source: False)
    settle()
    root = new_estate(tmp_path / "estate", share, "rescan: {proof_percent: 100}\n")
    crawl(root)
    edit_unseen(share / "7.txt", "lies")
    done = CliRunner().invoke(
        cli, ["crawl", "-e", str(root), "--rescan", "--workers", "2"], standalone_mode=False
    )
    assert done.return_value == 4, done.output
    assert "nothing has changed" not in done.stdout
    assert "WARNING" in done.stdout and "s/7.txt" in done.stdout and "--reread" in done.stdout
    estate = Estate(root)
    assert is_disproved(estate.scans()[0])
    with pytest.raises(MigrateError, match="not true"):
        refuse_disproved(estate)
    assert "--reread" in CliRunner().invoke(cli, ["status", "-e", str(root)]).stdout
    edit_unseen(share / "8.txt", "too.")
    run = crawl(root)
    assert count_of(run, "taken over") == 0 and not is_disproved(run)
    refuse_disproved(Estate(root))
    (told,) = rescans(Estate(root))
    assert told["changes"]["changed"]["files"] == 1


def test_more_is_wanted_than_was_read(tmp_path: Path, tree: Path) -> None:
    """SHA-256 that was not taken, or types by libmagic, are read for; less is taken over."""
    settle()
    root = new_estate(tmp_path / "estate", tree)
    crawl(root)
    for more in ({"sha256": True}, {"sha256": True, "strict_types": True}):
        assert count_of(crawl(root, **more), "taken over") == 0
        assert count_of(crawl(root, **more), "taken over") > 0
    last = tables(root)["digests"]
    crawl(root)
    assert tables(root)["digests"] == last
    assert count_of(crawl(root, content=False), "taken over") == 0


def test_one_of_two_contents_is_never_taken(tmp_path: Path) -> None:
    """A number under which the scan saw two states stands for neither."""
    columns = ["file_id", "size_bytes", "mtime_ns", "ctime_ns", "flags", "sample_xxh3", "xxh3_128",
               "sha256", "mime_no", "read_in"]  # fmt: skip
    one, two = b"1" * 16, b"2" * 16
    rows = [
        (5, 1, 1, 1, 1, one, one, None, 0, 1),
        (6, 1, 1, 1, 1, one, one, None, 0, 1),
        (6, 1, 1, 1, 1, one, one, None, 0, 2),
        (7, 1, 1, 1, 1, one, one, None, 0, 1),
        (7, 1, 1, 1, 1, two, two, None, 0, 1),
        (8, 1, 1, 1, 1, one, one, None, 0, 1),
        (8, 1, 1, 2, 1, one, one, None, 0, 1),
        (9, 1, 1, 1, 0, one, None, None, 0, 1),
        (10, 1, 1, 1, 17, one, one, None, 0, 1),  # two names that a server listed
        (10, 1, 1, 1, 17, one, one, None, 0, 1),
        (11, 1, 1, 1, 17, one, one, None, 0, 1),
    ]
    kinds = [pa.uint64(), *[pa.int64()] * 3, pa.uint8(), *[pa.binary()] * 3, *[pa.int32()] * 2]
    arrays = [
        pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    table = pa.table(arrays, names=columns)
    table = table.append_column("text_kind", pa.repeat(pa.scalar(0, pa.uint8()), len(rows)))
    for cut in range(1, len(rows)):  # wherever a batch ends
        batches = [*table.slice(0, cut).to_batches(), *table.slice(cut).to_batches()]
        assert known._write(iter(batches), tmp_path) == 4
        found = known.Known(tmp_path, 4, 0, ["text/plain"], 1, 0)
        places = [
            found.find_stat(Stat(1, 1, 1, 0, 0, 0, None, n, 0, 1), b"x") for n in range(4, 12)
        ]
        assert places == [None, 0, 1, None, None, 2, None, 3]
        assert [row["xxh3_128"] for row in found.digests(1, [1, 2], [1, 2]).to_pylist()] == [
            one, None,
        ]  # fmt: skip
        assert pickle.loads(pickle.dumps(found))._keys == []


def test_many_are_known_as_one_by_one(tmp_path: Path) -> None:
    """Files looked up in columns are found where each is found by itself, and nowhere else."""
    columns = {"file_id": range(10, 40, 2), "size_bytes": range(15), "mtime_ns": [5] * 15,
               "ctime_ns": [6] * 15, "flags": [0] * 15, "text_kind": [n % 3 for n in range(15)],
               "sample_xxh3": [b"1" * 16] * 15, "xxh3_128": [None] * 15, "sha256": [None] * 15,
               "mime_no": [0] * 15, "read_in": [1] * 15}  # fmt: skip
    kinds = {name: kind for name, (_, kind) in known.KEYS.items()} | {"flags": pa.uint8()}
    kinds |= {name: pa.binary() for name in ("sample_xxh3", "xxh3_128", "sha256")}
    arrays = {
        name: pa.array(column, kinds.get(name, pa.int32())) for name, column in columns.items()
    }
    assert known._write(iter(pa.table(arrays).to_batches()), tmp_path) == 15
    found = known.Known(tmp_path, 15, 7, [], 4, 1)
    files = [
        (number, size, mtime_ns, ctime_ns, device_id, name)
        for number in (0, 9, 10, 11, 16, 18, 28, 38, 39, 1 << 63)
        for size in (max(0, number - 10) // 2 % 15, 3)
        for mtime_ns, ctime_ns in ((5, 6), (5, 7), (None, 6))
        for device_id in (7, 8)
        for name in ("a.TXT", "a.doc", "ŵ.md", "txt", "a.htm")
    ]
    numbers, sizes, mtimes, ctimes, devices, names = zip(*files, strict=True)
    described = {
        "file_id": pa.array(numbers, pa.uint64()), "size_bytes": pa.array(sizes, pa.int64()),
        "mtime_ns": pa.array(mtimes, pa.int64()), "ctime_ns": pa.array(ctimes, pa.int64()),
        "device_id": pa.array(devices, pa.uint64()),
    }  # fmt: skip
    places = found.find_all(described, pa.array(names))
    alone = [
        found.find_stat(Stat(size, mtime, ctime, 0, 0, 0, None, number, device, 1), name.encode())
        for number, size, mtime, ctime, device, name in files
    ]
    assert places.to_pylist() == alone and len({*alone}) == 6
    assert found.are_proofs(places).to_pylist() == [
        place is not None and found.is_proof(place) for place in alone
    ]


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["write", "unseen", "delete", "rename", "folder", "link", "swap", "mode"]),
        st.integers(0, 7), st.integers(0, 7),
    ),
    max_size=12,
)  # fmt: skip


def apply(share: Path, edits: list[tuple[str, int, int]], number: int) -> None:
    """Edits by number, on whatever files there are; the number of the round keeps names apart."""
    for step, (what, one, two) in enumerate(edits, 100 * number):
        files = sorted(path for path in share.rglob("*") if path.is_file())
        first, second = (files[n % len(files)] if files else share / "0" for n in (one, two))
        if what == "write":
            (share / f"f{one % 3}" / f"{two}.txt").write_text(f"{step} {one}" * (1 + two * 9000))
        elif not files:
            continue
        elif what == "unseen":
            edit_unseen(first, "".join(reversed(first.read_text())))
        elif what == "delete":
            first.unlink()
        elif what == "rename":
            first.rename(first.with_name(f"{first.stem}{step}.{('txt', 'doc')[two % 2]}"))
        elif what == "folder":
            folder = share / f"f{one % 3}"
            folder.rename(share / "f x")
            (share / f"f{two % 3}").mkdir(exist_ok=True)
            folder.mkdir(exist_ok=True)
            (share / "f x").rename(folder / f"moved {step}")
        elif what == "link":
            os.link(first, first.with_name(f"link {step}"))
        elif what == "swap":
            first.rename(share / "swapped")
            if first != second:
                second.rename(first)
            (share / "swapped").rename(second)
        else:
            first.chmod(0o640 + one)


@settings(
    max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(rounds=st.lists(EDITS, min_size=1, max_size=2))
def test_any_edits(rounds: list[list[tuple[str, int, int]]]) -> None:
    """After any edits a rescan has the tables of a fresh scan, and its books balance."""
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder) / "share"
        for number in range(3):
            (share / f"f{number}").mkdir(parents=True)
        apply(share, [("write", n, n) for n in range(8)], 0)
        settle()
        root = new_estate(Path(folder) / "estate", share)
        crawl(root)
        before = len(rows(root, "entries"))
        for number, edits in enumerate(rounds, 1):
            apply(share, edits, number)
            settle()
            crawl(root)
            assert tables(root) == fresh(share, Path(folder) / f"fresh {number}")
            (told,) = rescans(Estate(root))
            after = len(rows(root, "entries"))
            found = {name: sum((c["files"], c["others"])) for name, c in told["changes"].items()}
            assert after - before == found["new"] - found["deleted"]
            before = after


def test_killed_in_the_middle_of_a_rescan(tmp_path: Path) -> None:
    """kill -9 at some durable step, and again: the rescan goes on and ends with the tables of a
    fresh scan, taking over what it can."""
    share = make_tree(tmp_path / "share")
    time.sleep(3.1)  # a command of its own has its own, coarser clock
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    (share / "empty.txt").write_text("not empty now")
    assert killed(4, "crawl", "-e", root, "--rescan")
    assert not Estate(root).runs("crawl")[-1].finished
    run = crawl(root)
    assert len(Estate(root).runs("crawl")) == 2
    assert count_of(run, "taken over") > 30
    assert tables(root) == fresh(share, tmp_path / "fresh")


def test_a_share_on_a_server(tmp_path: Path, samba: Any, samba_folder: Path) -> None:
    """Over SMB too: the server tells the time, an unchanged file is not opened. Samba has no time
    of change of its own: its files are read again, unless size and date are to do."""
    for number in range(12):
        (samba_folder / f"{number}.txt").write_text(f"{number:3}")
        os.utime(samba_folder / f"{number}.txt", (10**9, 10**9))  # or Samba knows no time of birth
    settle()
    root = new_estate(tmp_path / "estate", samba.url("data", samba_folder.name))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in samba.env.items():
            patch.setenv(name, value)
        crawl(root)
        first = tables(root)
        edit_unseen(samba_folder / "3.txt", "abc")
        run = crawl(root)
        assert count_of(run, "taken over") == 0
        assert "rescan_by" in run.summary["not_lasting"]
        assert tables(root)["digests"] != first["digests"]

        settings = (root / "estate.yaml").read_text()
        (root / "estate.yaml").write_text(settings.replace("}", ", rescan_by: write_time}", 1))
        first = tables(root)
        run = crawl(root)
        clocks = [record for record in Estate(root).log.records if record["kind"] == "clock"]
        assert abs(clocks[0]["share_ns"] - clocks[0]["our_ns"]) < 60e9
        proven = count_of(run, "proof same")
        assert count_of(run, "taken over") == 12 - proven > 6 and proven
        assert tables(root) == first
        (samba_folder / "4.txt").write_text("new")
        run = crawl(root)
        assert count_of(run, "taken over") + count_of(run, "proof same") == 11
        assert tables(root)["digests"] != first["digests"]
        (told,) = rescans(Estate(root))
        assert "size and date of writing alone" in about_reuse(told)[0]


def test_a_server_with_times_of_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file whose time of change is not that of its writing shows that a server has both."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(6):
        (share / f"{number}.txt").write_text(str(number))
    assert mounts.trust_of(str(share)).may_tell_mtime is False
    told = Trust(True, time.time_ns() + 10**9, may_tell_mtime=True)
    monkeypatch.setattr(local.LocalSource, "trust", lambda source: told)
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    run = crawl(root)
    assert count_of(run, "taken over") == 0 and "date of writing" in run.summary["not_lasting"]
    os.utime(share / "0.txt", (10**9, 10**9))
    crawl(root)
    run = crawl(root)
    assert count_of(run, "taken over") and "not_lasting" not in run.summary


def test_what_later_stages_found_lasts(tmp_path: Path, tree: Path) -> None:
    """Whole digests and formats are not taken a second time after a rescan."""
    from migrate.contents import contents
    from migrate.dedupe import SAMPLED_ALIKE, TO_READ, keep_read, name_files
    from migrate.digest import digest_wholly
    from migrate.identify import unidentified

    def read_whole(estate: Estate) -> int:
        config, _ = load(estate.config_path)
        with writing(estate, ["a test"]) as writer, Query(estate) as query:
            name_files(query)
            keep_read(query)
            query.keep("wanted", SAMPLED_ALIKE)
            return digest_wholly(writer, config, query, TO_READ, 1, "a test")

    settle()
    root = new_estate(tmp_path / "estate", tree)
    scan = crawl(root)
    estate = Estate(root)
    assert read_whole(estate) == 4
    with Query(estate) as query:
        left = query.count(unidentified(query))
        files = contents(query)
        files = files.filter(files.size_bytes > 0)
        found = list(query.rows(files.select("entry_id", "content_key")))
    assert left > 0
    with writing(estate, ["a test"]) as writer:
        run = writer.begin("identify", {})
        lines = [{**row, "scan_id": scan.run_id, "puid": "fmt/1"} for row in found]
        columns = pa.Table.from_pylist(lines, TABLES["formats"].schema)
        writer.commit(run, [write_part(root, "formats", columns)])
        writer.finish(run, {"contents": len(lines)})
    (tree / "empty.txt").write_text("now there is something to identify")
    crawl(root)
    estate = Estate(root)
    with Query(estate) as query:
        assert query.count(unidentified(query)) == 1
    assert read_whole(estate) == 0


def test_a_new_copy_of_what_was_read_whole_before(tmp_path: Path) -> None:
    """What a rescan knows whole is compared with what it has read the head and tail of."""
    from migrate.dedupe import dedupe

    share, content = tmp_path / "share", bytes(200_000)
    share.mkdir()
    for name in ("first", "second"):
        (share / name).write_bytes(content)
    settle()
    root = new_estate(tmp_path / "estate", share)
    for copies in (1, 2):
        run = crawl(root)
        assert count_of(run, "taken over") + count_of(run, "proof same") == (
            2 if copies == 2 else 0
        )
        estate = Estate(root)
        config, _ = load(estate.config_path)
        with writing(estate, ["a test"]) as writer:
            found, _ = dedupe(writer, config, 2)
        assert (found.groups, found.copies) == (1, copies)
        (share / "third").write_bytes(content)
