"""Duplicates at once, without an estate: the groups are those of an estate, and nothing is left."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import run, run_json
from samba import Samba, give_to_server
from test_dedupe import content
from test_same_groups import hostile_tree

import migrate.alike
import migrate.duplicates
from migrate.alike import Folder, Reader
from migrate.cli import cli
from migrate.duplicates import find
from migrate.sources import ahead


def small_tasks(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Tasks of so many files, folders told by pages of so many."""
    for name in ("FILES_PER_TASK", "FILES_AT_FIRST"):
        monkeypatch.setattr(migrate.alike, name, most)
    for name in ("BYTES_PER_TASK", "WHOLE_FILES_PER_TASK"):
        monkeypatch.setattr(migrate.duplicates, name, most)
    monkeypatch.setattr(migrate.sources.local, "PAGE_NAMES", most)


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_tree(tmp_path_factory.mktemp("hostile") / "share")


def plain_groups(*shares: Path) -> set[frozenset[int]]:
    """Files with content, by SHA-256, as their numbers."""
    found = defaultdict(set)
    for share in shares:
        for folder, _, names in os.walk(os.fsencode(share)):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path):
                    with open(path, "rb") as file:
                        digest = hashlib.file_digest(file, "sha256").digest()
                    found[digest].add(os.stat(path).st_ino)
    return {frozenset(numbers) for numbers in found.values() if len(numbers) > 1}


@pytest.mark.parametrize("workers", [1, 3])
def test_the_groups_of_a_plain_sha256(share: Path, workers: int, monkeypatch) -> None:
    """Links, holes, near misses, names of all kinds: the same groups, in one task or in many."""
    if workers > 1:
        small_tasks(monkeypatch, 3)
    found = find([str(share)], workers)
    numbers = defaultdict(set)
    for folder, _, names in os.walk(os.fsencode(share)):
        for name in names:
            path = os.path.join(folder, name)
            numbers[os.fsdecode(path)].add(os.lstat(path).st_ino)
    groups = [[numbers[path] for path in group.paths] for group in found.groups]
    assert {frozenset().union(*group) for group in groups} == plain_groups(share)
    assert all(len(group) == len(frozenset().union(*group)) for group in groups)
    assert not found.failed


def test_the_same_answer_every_time(share: Path, monkeypatch) -> None:
    """Whoever reads what first: of several names of one file the same one is told."""
    once = find([str(share)], 1)
    small_tasks(monkeypatch, 2)
    for workers in (2, 3, 4):
        assert find([str(share)], workers).groups == once.groups
    assert once.groups and not once.are_printable


def test_where_files_come_slowly_a_task_ends_early(share: Path, monkeypatch) -> None:
    """So that on a share far away no worker keeps all folders to itself."""
    once = find([str(share)], 1)
    monkeypatch.setattr(migrate.alike, "SECONDS_PER_TASK", -1)
    seen = Reader([str(share)], 1).work([Folder(0, b"")])
    assert seen.folders == [b""] and seen.left
    assert find([str(share)], 2).groups == once.groups


def test_a_large_folder_is_read_by_all_who_are_free(tmp_path: Path, monkeypatch) -> None:
    """Whoever lists it reads its first page; what has gone meanwhile is told of."""
    monkeypatch.setattr(migrate.sources.local, "PAGE_NAMES", 3)
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(11):
        (folder / f"{number}").write_text("same" if number % 2 else f"{number}")
    lister, other = Reader([str(tmp_path)], 2), Reader([str(tmp_path)], 2)
    listed = lister.work([Folder(0, b"large")])
    assert len(listed.names) == 3 and [len(page.names) for page in listed.pages] == [3, 3, 2]
    read = [other.work(page) for page in listed.pages]
    names = [name for seen in [listed, *read] for name in seen.names]
    assert sorted(names) == sorted(path.name for path in folder.iterdir())
    assert {name for seen in read for name in seen.folders} == {b"large"}
    assert [len(group.paths) for group in find([str(tmp_path)], 2).groups] == [5]
    (folder / listed.pages[0].names[0]).unlink()
    (gone,) = other.work(listed.pages[0]).failed
    assert gone.path == b"large/" + os.fsencode(listed.pages[0].names[0])
    folder.rename(tmp_path / "elsewhere")
    (gone,) = other.work(listed.pages[0]).failed
    assert (gone.path, gone.error) == (b"large", "vanished")


def test_most_space_comes_first_and_folders_may_overlap(tmp_path: Path) -> None:
    """A folder that is named twice, or lies in another one named, makes no copies of its files, and
    they count once."""
    for name, text in (("a/x", "1"), ("b/x", "1"), ("a/y", "long " * 99), ("b/y", "long " * 99)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "a/alone").write_text("alone")
    told = run_json("duplicates", tmp_path, f"{tmp_path}/a", f"{tmp_path}/")
    assert [group["size_bytes"] for group in told["groups"]] == [495, 1]
    assert [sorted(Path(path).name for path in group["paths"]) for group in told["groups"]] == [
        ["y", "y"], ["x", "x"],
    ]  # fmt: skip
    assert (told["copies"], told["copies_size_bytes"], told["failed"]) == (2, 496, [])
    os.link(tmp_path / "a/alone", tmp_path / "b/alone")
    told = run_json("duplicates", tmp_path, f"{tmp_path}/a", f"{tmp_path}/")
    assert (told["files"], told["size_bytes"]) == (5, 2 * 496 + 5)


def test_files_that_differ_only_inside_are_no_copies(tmp_path: Path) -> None:
    chance = random.Random(3)
    for number in range(30):
        changed = chance.choice([None, -1, 0.5])
        (tmp_path / f"{number}").write_bytes(content(200_000, number % 2, changed))
    found = {frozenset(group.paths) for group in find([str(tmp_path)], 2).groups}
    expected = {
        frozenset(str(path) for path in tmp_path.iterdir() if path.stat().st_ino in group)
        for group in plain_groups(tmp_path)
    }
    assert found == expected and len(found) == 6


def test_what_is_printed(tmp_path: Path) -> None:
    """A group after the other, names that could move the cursor shown as escapes; figures apart."""
    share = tmp_path / "share"
    share.mkdir()
    for name in (b"plain", b"line\nbreak", b"\x1b[31mred", b"caf\xe9"):
        (share / os.fsdecode(name)).write_text("same")
    done = run("duplicates", share)
    names = sorted(line.rpartition("/")[2] for line in done.stdout.splitlines() if line)
    assert names == [r"\x1b[31mred", r"caf\xe9", r"line\x0abreak", "plain"]
    assert "1 group of identical files among 4 files: 3 copies, 12 B" in done.stderr
    assert [*tmp_path.iterdir()] == [share]


def test_exact_bytes_stand_beside_paths_that_are_no_text(tmp_path: Path) -> None:
    """Each file can be opened by what JSON says of it; where all is text nothing is added."""
    for name in (b"caf\xe9", rb"caf\xe9", b"tab\t"):
        (tmp_path / os.fsdecode(name)).write_text("same")
    (tmp_path / "1").write_text("1")
    (tmp_path / "2").write_text("1")
    odd, plain = run_json("duplicates", tmp_path)["groups"]
    pairs = zip(odd["paths"], odd["paths_b64"], strict=True)
    opened = [base64.b64decode(exact) if exact else text.encode() for text, exact in pairs]
    assert {os.path.basename(path) for path in opened} == {b"caf\xe9", rb"caf\xe9", b"tab\t"}
    assert all(os.path.exists(path) for path in opened) and odd["paths_b64"].count(None) == 2
    assert "paths_b64" not in plain


def test_plain_paths_are_printed_as_they_are(tmp_path: Path) -> None:
    for name in ("b", "é", "a"):
        (tmp_path / name).write_text("some")
    for name in ("c", "d"):
        (tmp_path / name).write_text("1")
    lines = [f"{tmp_path}/{name}" if name else "" for name in ("a", "b", "é", "", "c", "d", "")]
    assert run("duplicates", tmp_path).stdout == "\n".join(lines) + "\n"
    (tmp_path / "odd\t").mkdir()
    (tmp_path / "odd\t" / "e").write_text("1")
    assert f"{tmp_path}/odd\\x09/e\n" in run("duplicates", tmp_path).stdout


def test_on_nothing(tmp_path: Path) -> None:
    assert run("duplicates", tmp_path).stdout == ""
    assert run_json("duplicates", tmp_path)["groups"] == []
    refused = run("duplicates", tmp_path, tmp_path / "nowhere", expect=12)
    assert f"{tmp_path}/nowhere cannot be listed" in refused.stderr
    assert "estate" not in refused.stderr
    assert "FOLDER" in run("duplicates", expect=2).stderr


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch) -> None:
    """It is in no group; the exit code says that something is missing."""
    for name in ("a", "b", "c", "gone"):
        (tmp_path / name).write_text("same")
    for name in ("A", "B"):
        (tmp_path / name).write_bytes(bytes(100_000))
    open_in = ahead.open_in

    def refusing(folder: int, name: str) -> int:
        if name == "b":
            raise PermissionError(errno.EACCES, "no", name)
        if name == "gone":
            (tmp_path / name).unlink()
        return open_in(folder, name)

    monkeypatch.setattr(ahead, "open_in", refusing)
    source_open = migrate.sources.local.LocalSource.open

    def changing(source: object, path: bytes) -> object:
        if path == b"B":
            os.truncate(tmp_path / "B", 90_000)
        return source_open(source, path)

    monkeypatch.setattr(migrate.sources.local.LocalSource, "open", changing)
    found = find([str(tmp_path)], 1)
    assert [group.paths for group in found.groups] == [[f"{tmp_path}/a", f"{tmp_path}/c"]]
    assert found.failed == [
        (f"{tmp_path}/B", "read_error"), (f"{tmp_path}/b", "denied"),
        (f"{tmp_path}/gone", "vanished"),
    ]  # fmt: skip


def test_the_exit_code_when_something_is_not_read(tmp_path: Path, monkeypatch) -> None:
    def refusing(folder: int, name: str) -> int:
        raise PermissionError(errno.EACCES, "no", name)

    (tmp_path / "closed").write_text("x")
    monkeypatch.setattr(ahead, "open_in", refusing)
    done = CliRunner().invoke(cli, ["duplicates", str(tmp_path)], standalone_mode=False)
    assert done.return_value == 3
    assert f"not read (denied): {tmp_path}/closed" in done.output


def test_interrupted(tmp_path: Path) -> None:
    """Nothing of it is left: nobody is told that it goes on where it stopped."""
    for number in range(40):
        (tmp_path / f"{number}").mkdir()
    words = [sys.executable, "-c", ENDLESS, "duplicates", tmp_path]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "listing\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130 and "a look keeps nothing" in said


# Each page takes so long that the command is still at it when it is interrupted.
ENDLESS = """
import time
from migrate.alike import Reader
read = Reader._read_files
def slow(*args):
    print("listing", flush=True)
    time.sleep(0.2)
    return read(*args)
Reader._read_files = slow
from migrate.cli import main
main()
"""


def test_a_share_of_a_server(samba: Samba, samba_folder: Path, tmp_path: Path, monkeypatch) -> None:
    """A server's share beside a folder of this machine. Samba follows links and shows none: one to
    a folder above has no end, one to a file makes no copy."""
    for name, value in samba.env.items():
        monkeypatch.setenv(name, value)
    (samba_folder / "deep").mkdir()
    for name in ("one", "deep/two"):
        (samba_folder / name).write_text("same")
        (samba_folder / f"{name} large").write_bytes(bytes(300_000))
    (samba_folder / "deep/nearly").write_bytes(bytes(150_000) + b"-" + bytes(149_999))
    os.link(samba_folder / "one", samba_folder / "again one")
    (samba_folder / "deep/round").symlink_to("..")
    (samba_folder / "a link to one").symlink_to("one")
    give_to_server(samba_folder)
    (tmp_path / "here").write_text("same")
    url = samba.url("data", samba_folder.name)
    found = find([url, str(tmp_path)], 2)
    names = [sorted(path.rpartition("/")[2] for path in group.paths) for group in found.groups]
    assert names[0] == ["one large", "two large"]
    assert len(names[1]) == 3 and {"here", "two"} < {*names[1]} and len(names) == 2
    assert f"{url}/deep/two" in found.groups[1].paths
