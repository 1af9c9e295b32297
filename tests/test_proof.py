"""Before a copy is disposed of, SHA-256 is taken of it and of the copy that stays.

Nobody has made two files with one XXH3-128 for us: a weak digest, of the first bytes only, stands in
its place, so that every file here can be forged."""

from __future__ import annotations

import csv
import hashlib
import os
from datetime import date
from unittest import mock

import pyarrow as pa
import pytest
from helpers_review import MTIME, Made, fates, make, put, table

from migrate import config as configs
from migrate.crawl import CrawlOptions, crawl_share
from migrate.dedupe import dedupe
from migrate.estate import Estate, write_part, writing
from migrate.manifest import write_manifest
from migrate.model import TABLES
from migrate.plan import CHANGED
from migrate.proof import DIFFERS, NONE_STAYS
from migrate.visit import Reading

SEEN = 20  # bytes that the weak digest looks at


def content(name: str, rest: str = "", size: int = 600) -> bytes:
    """Bytes whose weak digest is that of the name."""
    return (name.ljust(SEEN, ".") + rest).encode().ljust(size, b" ")


FILES = {
    # copies that are copies: small, and of a size that is read by head and tail
    "paper/a.txt": content("paper"), "paper/b.txt": content("paper"),
    "large/a.bin": content("large", size=90_000), "large/b.bin": content("large", size=90_000),
    # one that a forger made
    "forged/a.txt": content("forged", "they agreed"), "forged/b.txt": content("forged", "never!"),
    # a copy that is changed before the manifest, a keeper that is, one with another copy that stays
    "changed/a.txt": content("changed"), "changed/b.txt": content("changed"),
    "keeper changed/a.txt": content("keeper"), "keeper changed/b.txt": content("keeper"),
    "spare/a.txt": content("spare"), "spare/b.txt": content("spare"), "spare/c.txt": content("spare"),
    "gone/a.txt": content("gone"), "gone/b.txt": content("gone"),
    # another one than the keeper was chosen to be kept; nothing is; nothing has copies
    "chosen/a.txt": content("chosen"), "chosen/b.txt": content("chosen"),
    "none/a.txt": content("none"), "none/b.txt": content("none"),
    "judged/a.txt": content("judged"), "judged/b.txt": content("judged"), "alone/a.txt": content("alone"),
}  # fmt: skip
DISPOSE = ["paper/b.txt", "large/b.bin", "forged/b.txt", "changed/b.txt", "keeper changed/b.txt",
           "spare/b.txt", "gone/b.txt", "none/a.txt", "none/b.txt"]  # fmt: skip


class Weak:
    """What XXH3-128 would be if it were easy to forge."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def update(self, block: bytes) -> None:
        self.data += block

    def digest(self) -> bytes:
        return hashlib.md5(self.data[:SEEN], usedforsecurity=False).digest()


def decide(made: Made, decisions: dict[str, tuple[str, str]]) -> None:
    """path -> (decision, scope), recorded as a review would have."""
    rows = []
    for row in table(made, "entries"):
        if row["kind"] == "file":
            decision, scope = decisions.get(row["path"], ("migrate", "file"))
            key = {name: row[name] for name in ("scan_id", "entry_id", "size_bytes", "mtime_ns")}
            rows.append({
                **key, "decision": decision, "scope": scope, "proposal": "dispose",
                "decided_by": "me", "decided_at": "2026-01-01", "decision_seq": len(rows),
            })  # fmt: skip
    estate = Estate(made.root)
    with writing(estate, ["test"]) as writer:
        run = writer.begin("review import", {})
        part = pa.Table.from_pylist(rows, TABLES["decisions"].schema)
        writer.commit(run, [write_part(made.root, "decisions", part)])
        writer.finish(run, {})


def manifested(made: Made) -> None:
    estate = Estate(made.root)
    config, _ = configs.load(estate.config_path)
    with writing(estate, ["test"]) as writer:
        write_manifest(writer, config, [], date(2026, 1, 1), 2, "standard")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The estate with its manifest, made while some files changed."""
    root = tmp_path_factory.mktemp("proof")
    share = root / "dept"
    put(share, FILES)
    made = make(root / "estate", {"dept": share})
    estate = Estate(made.root)
    config, _ = configs.load(estate.config_path)
    with (
        mock.patch("migrate.visit.xxhash.xxh3_128_digest", lambda data: Weak(data).digest()),
        mock.patch("migrate.visit.xxhash.xxh3_128", Weak),
    ):
        with writing(estate, ["test"]) as writer:
            crawl_share(estate, config, writer, "dept", CrawlOptions(2, Reading(mime=False)))
            dedupe(writer, config, 2)
        disposed = dict.fromkeys(DISPOSE, ("dispose", "folder"))
        decide(made, {
            **disposed, "chosen/a.txt": ("dispose", "copies"), "none/a.txt": ("dispose", "file"),
            "judged/a.txt": ("dispose", "file"), "judged/b.txt": ("dispose", "file"),
        })  # fmt: skip
        put(share, {"changed/b.txt": content("Changed")}, MTIME)  # with its old date put back
        put(share, {"keeper changed/a.txt": content("keeper")}, MTIME + 10**9)
        put(share, {"spare/a.txt": content("spare")}, MTIME + 10**9)
        os.unlink(share / "gone/b.txt")
        manifested(made)
        before = Estate(made.root).runs("digest")
        manifested(made)
        assert len(Estate(made.root).runs("digest")) == len(before)  # nothing was read again
    return made


def fate(made: Made, path: str) -> tuple[str, str]:
    return fates(made)[f"dept/{path}"]


def test_copies_that_are_copies_go(made: Made) -> None:
    for path in ("paper/b.txt", "large/b.bin", "spare/b.txt"):
        assert fate(made, path)[0] == "disposed", path
    for path in ("paper/a.txt", "large/a.bin", "spare/c.txt", "alone/a.txt"):
        assert fate(made, path)[0] == "to_move", path


def test_the_same_digest_and_another_sha256_is_no_copy(made: Made) -> None:
    assert fate(made, "forged/b.txt") == ("withheld", DIFFERS + "dept/forged/a.txt")
    assert fate(made, "forged/a.txt")[0] == "to_move"


def test_what_has_changed_since_it_was_compared_is_no_copy(made: Made) -> None:
    """Nor is one whose keeper has, unless another copy stays; nor one that cannot be read."""
    assert fate(made, "changed/b.txt") == ("unreadable", CHANGED)
    assert fate(made, "keeper changed/a.txt") == ("unreadable", CHANGED)
    assert fate(made, "keeper changed/b.txt") == ("withheld", NONE_STAYS)
    assert fate(made, "spare/a.txt") == ("unreadable", CHANGED)
    assert fate(made, "gone/b.txt")[0] == "unreadable"


def test_another_copy_that_is_kept_is_what_the_rest_is_compared_with(made: Made) -> None:
    assert fate(made, "chosen/a.txt")[0] == "disposed"
    assert fate(made, "chosen/b.txt")[0] == "to_move"
    assert {"chosen/a.txt", "chosen/b.txt"} <= set(proved(made))


def test_copies_stay_where_the_keeper_goes_too(made: Made) -> None:
    """They were to go because it stays; unless somebody decided on each of them by itself."""
    assert fate(made, "judged/a.txt")[0] == fate(made, "judged/b.txt")[0] == "disposed"
    assert fate(made, "none/a.txt")[0] == "disposed"
    assert fate(made, "none/b.txt") == ("withheld", NONE_STAYS)


def proved(made: Made) -> dict[str, str]:
    """path -> SHA-256 of everything it was taken of."""
    names = {row["entry_id"]: row["path"] for row in table(made, "entries")}
    taken = [row for row in table(made, "whole_digests") if row["sha256"]]
    assert len({row["entry_id"] for row in taken}) == len(taken)
    return {names[row["entry_id"]]: row["sha256"].hex() for row in taken}


def test_sha256_is_right_taken_once_and_only_where_it_is_needed(made: Made) -> None:
    taken = proved(made)
    for path, digest in taken.items():
        assert digest == hashlib.sha256((made.shares["dept"] / path).read_bytes()).hexdigest()
    assert not {"alone/a.txt", "none/a.txt", "none/b.txt"} & set(taken)
    assert {"paper/a.txt", "paper/b.txt", "large/a.bin", "large/b.bin"} <= set(taken)
    in_manifest = {row["source_path"]: row["sha256"] for row in table(made, "manifest")}
    assert in_manifest["paper/a.txt"].hex() == taken["paper/a.txt"]


def test_where_else_a_content_was(made: Made) -> None:
    """Each copy of a line is in also_at.csv, with its owner, its date and what becomes of it."""
    with made.manifests("also_at.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["also_at"]: row for row in csv.DictReader(file)}
    lines = {row["source_path"]: row for row in table(made, "manifest")}
    assert lines["paper/a.txt"]["also_at"] == 1
    assert lines["alone/a.txt"]["also_at"] is None
    row = rows["dept/paper/b.txt"]
    assert row["source_path"] == "dept/paper/a.txt"
    assert row["record_id"] == f"{lines['paper/a.txt']['entry_id']:016x}"
    owner = next(r["owner"] for r in table(made, "entries") if r["path"] == "paper/b.txt")
    assert (row["what"], row["owner"], row["modified_utc"]) == ("copy", owner, "2025-06-01T00:00:00Z")  # fmt: skip
    assert (row["permissions"], row["outcome"]) == ("same", "disposed")
    assert rows["dept/chosen/a.txt"]["source_path"] == "dept/chosen/b.txt"  # the one that moves
    assert {rows[f"dept/spare/{name}.txt"]["source_path"] for name in "ab"} == {"dept/spare/c.txt"}
