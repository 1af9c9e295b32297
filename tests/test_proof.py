"""Before a copy is disposed of, SHA-256 is taken of it and of the copy that stays.

Nobody has made two files with one XXH3-128 for us: where the tests need them, a weak digest stands
in its place."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from unittest import mock

import pytest
from helpers_review import (
    BODY,
    COPIES,
    Made,
    all_decided,
    fates,
    fill,
    make,
    only,
    put,
    stages,
    table,
)  # fmt: skip

from migrate.plan import CHANGED
from migrate.proof import DIFFERS, NONE_STAYS

LARGE = BODY.encode() * 4_000  # read by head and tail when crawled
COPIED = ["b/large copied.bin", "b/paper copied.txt", "c/large once more.bin"]
KEPT = ["a/large.bin", "a/paper.txt"]


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An estate with copies, its workbook exported."""
    root = tmp_path_factory.mktemp("proof")
    put(root / "dept", {
        "a/paper.txt": BODY + "paper", "b/paper copied.txt": BODY + "paper",
        "a/large.bin": LARGE, "b/large copied.bin": LARGE, "c/large once more.bin": LARGE,
        "a/alone.txt": BODY + "alone",
    })  # fmt: skip
    made = make(root / "estate", {"dept": root / "dept"})
    stages(made)
    return made


@pytest.fixture(scope="module")
def decided(undecided: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every copy is approved for disposal, everything else is to migrate."""
    root = tmp_path_factory.mktemp("decided")
    made = undecided.copy(root / "estate")
    all_decided(made, root, **{f"dept/{name}": "dispose" for name in COPIED})
    return made


def outcomes(made: Made) -> dict[str, str]:
    return {path.removeprefix("dept/"): outcome for path, (outcome, _) in fates(made).items()}


def proved(made: Made) -> dict[str, str]:
    """path -> SHA-256 of everything it was taken of, once each."""
    names = {row["entry_id"]: row["path"] for row in table(made, "entries")}
    taken = [row for row in table(made, "whole_digests") if row["sha256"]]
    assert len({row["entry_id"] for row in taken}) == len(taken)
    return {names[row["entry_id"]]: row["sha256"].hex() for row in taken}


def test_sha256_is_taken_of_copies_that_go_and_of_what_stays(decided: Made, tmp_path: Path) -> None:
    """Of nothing else, once, right, and in the manifest; a second manifest reads nothing."""
    made = decided.copy(tmp_path / "estate")
    share = decided.shares["dept"]
    stages(made, "manifest")
    expected = {
        name: hashlib.sha256((share / name).read_bytes()).hexdigest() for name in COPIED + KEPT
    }
    assert proved(made) == expected
    assert outcomes(made) == {
        **dict.fromkeys(COPIED, "disposed"), **dict.fromkeys([*KEPT, "a/alone.txt"], "to_move"),
    }  # fmt: skip
    of_lines = {row["source_path"]: row["sha256"] for row in table(made, "manifest")}
    assert of_lines["a/paper.txt"].hex() == expected["a/paper.txt"]
    assert of_lines["a/alone.txt"] is None
    stages(made, "manifest")
    assert proved(made) == expected


class Weak:
    """What XXH3-128 would be if it were easy to forge: a digest of the first twenty bytes."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def update(self, block: bytes) -> None:
        self.data += block

    def digest(self) -> bytes:
        return hashlib.md5(self.data[:20], usedforsecurity=False).digest()


def test_the_same_digest_and_another_sha256_is_no_copy(tmp_path: Path) -> None:
    """Of two files that a forger gave one digest, none goes as a copy of the other."""
    share = tmp_path / "dept"
    put(share, {"a/minutes.txt": BODY + "they agreed", "b/minutes.txt": BODY + "they do not"})
    put(share, {"a/true.txt": b"true copy" * 9, "b/true.txt": b"true copy" * 9})
    made = make(tmp_path / "estate", {"dept": share})
    with (
        mock.patch("migrate.visit.xxhash.xxh3_128_digest", lambda data: Weak(data).digest()),
        mock.patch("migrate.visit.xxhash.xxh3_128", Weak),
    ):
        stages(made)
        all_decided(made, tmp_path, **{"dept/b/minutes.txt": "dispose", "dept/b/true.txt": "dispose"})  # fmt: skip
        stages(made, "manifest")
    assert fates(made)["dept/b/minutes.txt"] == ("undecided", DIFFERS + "dept/a/minutes.txt")
    assert outcomes(made) == {
        "a/minutes.txt": "to_move", "b/minutes.txt": "undecided", "a/true.txt": "to_move",
        "b/true.txt": "disposed",
    }  # fmt: skip


def test_what_has_changed_since_it_was_compared_is_no_copy(decided: Made, tmp_path: Path) -> None:
    """Neither a copy that was changed (with its old date put back) nor the copies of a file that
    was, unless another of them stays."""
    made = decided.copy_all(tmp_path)
    share = made.shares["dept"]
    for name, content in (("b/paper copied.txt", BODY + "pap3r"), ("a/large.bin", LARGE[::-1])):
        before = (share / name).stat()
        put(share, {name: content}, before.st_mtime_ns)
        assert (share / name).stat().st_size == before.st_size
    stages(made, "manifest")
    assert fates(made)["dept/b/paper copied.txt"] == ("unreadable", CHANGED)
    assert fates(made)["dept/a/large.bin"] == ("unreadable", CHANGED)
    for name in ("b/large copied.bin", "c/large once more.bin"):
        assert fates(made)[f"dept/{name}"] == ("undecided", NONE_STAYS)
    assert outcomes(made)["a/paper.txt"] == "to_move"


def test_a_copy_that_cannot_be_read_stays(decided: Made, tmp_path: Path) -> None:
    """The others are compared all the same."""
    made = decided.copy_all(tmp_path)
    os.unlink(made.shares["dept"] / "b/large copied.bin")
    stages(made, "manifest")
    found = outcomes(made)
    assert found["b/large copied.bin"] == "unreadable"
    assert found["c/large once more.bin"] == found["b/paper copied.txt"] == "disposed"


def test_another_copy_that_is_kept_is_what_the_rest_is_compared_with(
    undecided: Made, tmp_path: Path
) -> None:
    """“keep” on a copy: the first keeper goes only as a proven copy of it."""
    made = undecided.copy_all(tmp_path)
    kept = "dept/c/large once more.bin"
    book = fill(
        made.workbook("Unassigned.xlsx"), tmp_path / "back.xlsx",
        only(kept, COPIES, decision="keep"),
    )  # fmt: skip
    made.imports(book, options=["--reviewer", "me"])
    put(made.shares["dept"], {"b/large copied.bin": LARGE[::-1]})
    stages(made, "manifest")
    found = outcomes(made)
    assert found["c/large once more.bin"] == "to_move"
    assert found["a/large.bin"] == "disposed"
    assert found["b/large copied.bin"] == "unreadable"
    assert set(proved(made)) == {"a/large.bin", "c/large once more.bin"}


def test_copies_stay_where_the_keeper_goes_too(undecided: Made, tmp_path: Path) -> None:
    """Somebody disposes of the copy that was to stay, somebody of its copies: the copies, which
    were to go only because it stays, are undecided."""
    made = undecided.copy(tmp_path / "estate")
    all_decided(made, tmp_path, "dispose", **{"dept/a": "dispose"})
    stages(made, "manifest")
    assert outcomes(made)["a/large.bin"] == "disposed"
    for name in COPIED:
        assert fates(made)[f"dept/{name}"] == ("undecided", NONE_STAYS)
    assert proved(made) == {}
