"""Whom `explain` tells of: the entry that is meant, whatever its name looks like."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import run, run_json

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
