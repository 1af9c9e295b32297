"""Whom `explain` tells of: the entry that is meant, whatever its name looks like, and be it gone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import mounted, refuse_to_list, run, run_json
from helpers_review import BODY, all_decided, make, migrate, put, stages

from migrate.cli import cli
from migrate.estate import Estate

pytestmark = pytest.mark.skipif(
    os.name == "nt" or sys.platform == "darwin", reason="these names cannot exist there"
)


def crawled(tmp_path: Path, *names: bytes) -> Path:
    """An estate over a share `s` with files that hold their names."""
    share = tmp_path / "share"
    share.mkdir()
    for name in names:
        (share / os.fsdecode(name)).write_bytes(name)
    run("init", tmp_path / "estate", "--share", f"s={share}")
    run("crawl", "-e", tmp_path / "estate")
    return tmp_path / "estate"


def test_two_names_that_are_shown_alike(tmp_path: Path) -> None:
    """Of a byte that is no text and the four letters it is shown as, each is found by its own
    bytes, also by where it is on this machine; one alone also by what is shown."""
    names = [b"a\xff.txt", rb"a\xff.txt", b"b\xff.txt"]
    estate = crawled(tmp_path, *names)
    for above, name in (("s", names[0]), (tmp_path / "share", names[0]), ("s", names[1])):
        entry = run_json("explain", "-e", estate, f"{above}/{os.fsdecode(name)}")["entry"]
        assert entry["size_bytes"] == len(name)
    assert run_json("explain", "-e", estate, r"S/B\xff.TXT")["entry"]["size_bytes"] == 6


def test_an_error_moves_no_cursor(tmp_path: Path) -> None:
    """The names that might be meant are shown with what is not printable in them escaped; lines
    that are ours stay lines."""
    estate = crawled(tmp_path, b"red \x1b[31m.txt", b"two\nlines.txt")
    told = run("explain", "-e", estate, "s/.txt", expect=2).stderr
    assert told.splitlines()[1:] == [r"  Did you mean: s/red \x1b[31m.txt; s/two\x0alines.txt"]
    with (estate / "estate.yaml").open("a") as file:
        file.write("one: 1\ntwo: 2\n")
    told = run("status", "-e", estate, expect=5).stderr
    assert len(told.splitlines()) == 4, told  # what, each fault, what to do


def test_what_is_gone_is_told_of_with_its_decisions(tmp_path: Path) -> None:
    """A file that the newest scans did not find: what was known of it, why it was to go, who has
    decided, and which scans missed it. Back again, it is as any other."""
    share = tmp_path / "share"
    put(share, {"shut/Thumbs.db": b"x", "it.txt": BODY, "copy.txt": BODY})
    made = make(tmp_path / "estate", {"s": share})
    stages(made)
    all_decided(made, tmp_path)
    was = migrate("explain", "-e", made.root, "s/copy.txt")
    (share / "copy.txt").unlink()
    (share / "shut").rename(share / "open")
    stages(made, "crawl --rescan")

    for path in ("s/copy.txt", share / "copy.txt", r"S\COPY.TXT"):
        story = migrate("explain", "-e", made.root, path)
        assert [scan["not_listed"] for scan in story["gone"].pop("missed_by")] == [None]
        assert story["gone"] == {"scan": 1, "at": Estate(made.root).runs("crawl")[0].started_at}
        assert {**story, "gone": None} == {**was, "outcome": None}
    told = CliRunner().invoke(cli, ["explain", "-e", str(made.root), "s/copy.txt"]).stdout
    assert "not found by scan" in told and "last seen in scan 1" in told
    assert "by me, " in told and "T-COPY Identical copy: decides" in told

    (share / "open").rename(share / "shut")
    stages(made, "crawl --rescan")
    assert migrate("explain", "-e", made.root, "s/shut/Thumbs.db")["gone"] is None
    assert len(migrate("explain", "-e", made.root, "s/copy.txt")["gone"]["missed_by"]) == 2


def test_what_could_not_be_listed_may_still_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file in a folder that the newest scan was not let into."""
    put(tmp_path / "share", {"shut/deep/file.txt": BODY})
    made = make(tmp_path / "estate", {"s": tmp_path / "share"})
    stages(made, "crawl")
    refuse_to_list(monkeypatch, b"shut")
    stages(made, "crawl --rescan")
    story = migrate("explain", "-e", made.root, "s/shut/deep/file.txt")
    (missed,) = story["gone"]["missed_by"]
    assert missed["not_listed"] == "s/shut" and missed["error"]
    assert story["entry"]["size_bytes"] == len(BODY)
    told = CliRunner().invoke(cli, ["explain", "-e", str(made.root), "s/shut/deep"]).stdout
    assert f"s/shut could not be listed ({missed['error']})" in told


def test_what_was_on_a_disk_that_is_not_mounted_may_still_be_there(tmp_path: Path) -> None:
    """As `changes` has it: not seen, and not deleted."""
    share = tmp_path / "share"
    (share / "disk").mkdir(parents=True)
    made = make(tmp_path / "estate", {"s": share})
    put(share, {"beside.txt": BODY, "goes.txt": BODY})
    with mounted(share / "disk"):
        put(share, {"disk/deep/file.txt": BODY})
        stages(made, "crawl")
    (share / "goes.txt").unlink()
    run("crawl", "-e", made.root, "--rescan", expect=3)
    told = {
        path: migrate("explain", "-e", made.root, path)["gone"]["missed_by"][0]
        for path in ("s/disk/deep/file.txt", "s/goes.txt")
    }
    shut = [(scan["not_listed"], scan["error"]) for scan in told.values()]
    assert shut == [("s/disk", "not_mounted"), (None, None)]
