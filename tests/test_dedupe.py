"""Duplicates: always what a plain grouping of whole contents gives, whatever the files are."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import defaultdict
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xxhash
import yaml
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrate import config as configs
from migrate.bulk import Bulk
from migrate.crawl import CrawlOptions, crawl_share
from migrate.dedupe import dedupe
from migrate.engine.nursery import nursery
from migrate.engine.query import Query
from migrate.estate import Estate, create, writing
from migrate.keepers import copies
from migrate.visit import Reading
from migrate.yamlfile import parse_yaml

BARE = parse_yaml("format: 1\nshares: [{name: s, path: share}]\n", "estate.yaml")

# Sizes around the limits: nothing, tiny, read whole, sampled by head and tail.
sizes = st.sampled_from([0, 1, 5, 4096, 65_535, 65_536, 65_537, 90_000])
files = st.lists(
    st.tuples(sizes, st.integers(0, 2), st.sampled_from([None, 10, -10, 0.5])), max_size=14
)


def content(size: int, letter: int, changed_at: float | None) -> bytes:
    """Bytes of a size; two that differ may do so at the head, at the tail or only in the middle."""
    data = bytearray(bytes([65 + letter]) * size)
    if changed_at is not None and size:
        place = int(size * changed_at) if changed_at == 0.5 else int(changed_at) % size
        data[place] ^= 1
    return bytes(data)


def estate_over(root: Path, share: Path, extra: str = "") -> Estate:
    return create(root, f"format: 1\nshares:\n  - {{name: s, path: {share}}}\n{extra}")


def crawled_groups(estate: Estate, *readings: Reading) -> list[dict]:
    """Groups after each share was crawled in one of some ways."""
    config, _ = configs.load(estate.config_path)
    with writing(estate, ["test"]) as writer:
        for share, reading in zip(config.shares, cycle(readings)):
            crawl_share(estate, config, writer, share.name, CrawlOptions(2, reading))
        dedupe(writer, config, 2)
    with Query(estate) as query:
        entries = query.table("entries").select("entry_id", "share", "path", "path_raw", "file_id")
        groups = query.table("groups")
        return list(query.rows(groups.inner_join(entries, "entry_id").order_by("path")))


# Ways to crawl: reading what has to be read, nothing, everything.
readings = st.sampled_from(
    [
        Reading(mime=False), Reading(content=False, mime=False), Reading(mime=False, sha256=True)
    ]
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=files, one=readings, other=readings)
@example([(90_000, 1, None)] * 2, Reading(mime=False), Reading(mime=False, sha256=True))
def test_groups_equal_a_plain_grouping(made, one: Reading, other: Reading) -> None:
    """Groups are the sets of equal non-empty contents, also when a crawl read nothing, or one share
    was crawled in another way than the other."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        expected = defaultdict(set)
        for number, (size, letter, changed_at) in enumerate(made):
            place = root / f"share{number % 2}" / f"f{number % 3}"
            place.mkdir(parents=True, exist_ok=True)
            data = content(size, letter, changed_at)
            (place / f"{number}").write_bytes(data)
            if size:
                expected[hashlib.sha256(data).digest()].add(f"f{number % 3}/{number}")
        for share in ("share0", "share1"):
            (root / share).mkdir(exist_ok=True)
        estate = estate_over(
            root / "estate", root / "share0", f"  - {{name: t, path: {root / 'share1'}}}\n"
        )
        found = defaultdict(set)
        for row in crawled_groups(estate, one, other):
            found[row["group_id"]].add(row["path"])
        assert sorted(map(sorted, found.values())) == sorted(
            sorted(paths) for paths in expected.values() if len(paths) > 1
        )


@pytest.mark.parametrize("reading", [Reading(mime=False), Reading(content=False, mime=False)])
def test_workers_of_a_nursery_find_the_same(tmp_path: Path, reading: Reading) -> None:
    """Whoever reads, and whatever is asked meanwhile; asked again, the same is told."""
    for number in range(40):
        place = tmp_path / "share" / f"folder {number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}").write_bytes(content([70_000, 9][number % 2], number % 3, None))
    told = []
    for use in (True, False):
        estate = estate_over(tmp_path / f"estate {use}", tmp_path / "share")
        config, _ = configs.load(estate.config_path)
        with nursery("migrate.reader") as home, writing(estate, ["test"]) as writer:
            crawl_share(estate, config, writer, "s", CrawlOptions(2, reading))
            told += [dedupe(writer, config, 2, home if use else None), dedupe(writer, config, 2)]
    assert told[0] == told[1] == told[2] == told[3]
    assert told[0][0].groups == 6 and len(told[0][1].groups) == 6


@pytest.mark.parametrize(
    "verbs", [["crawl -e e", "dedupe -e e"], ["run e --until dedupe --no-puid --no-mime"]]
)
def test_who_waits_for_duplicates_does_not_wait_for_libraries(tmp_path, verbs: list[str]) -> None:
    """What finds duplicates does without the libraries that take longest to load, though there are
    folders that exist twice."""
    for folder in ("Live", "Backup"):
        (tmp_path / "share" / folder).mkdir(parents=True)
        for name in "abc":
            (tmp_path / "share" / folder / name).write_text(f"the same {name}")
    create(tmp_path / "e", f"format: 1\nshares: [{{name: s, path: {tmp_path / 'share'}}}]\n")
    for verb in verbs:
        command = [sys.executable, "-X", "importtime", "-m", "migrate", *verb.split(), "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
        assert "migrate.crawl" in loaded or "migrate.dedupe" in loaded
        assert not loaded & {"ibis", "pyarrow.dataset", "rich.table", "xlsxwriter", "sqlglot"}
    assert json.loads(done.stdout).get("dedupe", json.loads(done.stdout))["replicated_folders"] == 1


@pytest.mark.parametrize("mime", [False, True])
def test_a_file_that_cannot_be_closed_does_not_lend_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mime: bool
) -> None:
    """An error on closing (some network disks tell one as late as that) leaves the file to be read
    again, and every digest with its own file."""
    (tmp_path / "share").mkdir()
    for number in range(9):
        (tmp_path / "share" / f"{number}.txt").write_text(f"text {number}")
    close, read_files = os.close, Bulk._read

    def read(bulk: Bulk, opener: Any, names: list[str], places: list[int], prefix: str) -> None:
        def closed(descriptor: int) -> None:
            close(descriptor)
            if name[0] in "037":
                raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "close", closed)
            for name, place in zip(names, places, strict=True):
                read_files(bulk, opener, [name], [place], prefix)

    monkeypatch.setattr(Bulk, "_read", read)
    estate = estate_over(tmp_path / "estate", tmp_path / "share")
    assert crawled_groups(estate, Reading(mime=mime)) == []
    with Query(estate) as query:
        both = query.table("entries").inner_join(query.table("digests"), "entry_id")
        found = {row["name"]: row["xxh3_128"] for row in query.rows(both)}
    assert found == {
        path.name: xxhash.xxh3_128_digest(path.read_bytes())
        for path in (tmp_path / "share").iterdir()
    }


def test_names_of_one_file_are_no_copies(tmp_path: Path) -> None:
    """Hard links alone are no group; beside a real copy they count once and are no copies."""
    share = tmp_path / "share"
    share.mkdir()
    (share / "alone").write_bytes(b"one file, two names")
    os.link(share / "alone", share / "alone too")
    (share / "a").write_bytes(b"twins")
    os.link(share / "a", share / "a again")
    (share / "b").write_bytes(b"twins")
    rows = crawled_groups(estate_over(tmp_path / "estate", share), Reading(mime=False))
    assert {row["path"]: row["role"] for row in rows} == {
        "a": "keeper", "a again": "hard_link", "b": "copy",
    }  # fmt: skip


def test_one_folder_seen_through_two_shares(tmp_path: Path) -> None:
    """Overlapping shares show each file twice; it is no copy of itself."""
    share = tmp_path / "share"
    (share / "inner").mkdir(parents=True)
    (share / "inner" / "file").write_bytes(b"only once on the disk")
    extra = f"  - {{name: t, path: {share / 'inner'}}}\n"
    assert crawled_groups(estate_over(tmp_path / "estate", share, extra), Reading(mime=False)) == []


@pytest.mark.parametrize(
    ("prefer", "keeper"),
    [
        ("[in_file_plan, oldest]", "Plan/deep/down/new copy.txt"),
        ("[preferred_folder, oldest]", "Preferred/new.txt"),
        ("[not_a_copy_folder, oldest]", "Other/middle.txt"),
        ("[oldest]", "Backup 2001/old.txt"),
        ("[shortest_path]", "z.txt"),
    ],
)
def test_the_keeper_follows_the_policy(tmp_path: Path, prefer: str, keeper: str) -> None:
    """Each test of the policy chooses, in the order that estate.yaml gives."""
    share = tmp_path / "share"
    dates = {
        "Backup 2001/old.txt": 1, "Other/middle.txt": 2, "Plan/deep/down/new copy.txt": 9,
        "Preferred/new.txt": 8, "z.txt": 7,
    }  # fmt: skip
    for path, year in dates.items():
        (share / path).parent.mkdir(parents=True, exist_ok=True)
        (share / path).write_bytes(b"all the same")
        os.utime(share / path, (year * 10**8, year * 10**8))
    extra = (
        f"keeper: {{prefer: {prefer}, preferred_folders: [s/Preferred], copy_folders: [backup*]}}\n"
        "file_plan: [{folder: s/Plan, container: Plan}]\n"
    )
    rows = crawled_groups(estate_over(tmp_path / "estate", share, extra), Reading(mime=False))
    assert [row["path"] for row in rows if row["role"] == "keeper"] == [keeper]


PUT_ASIDE = [
    "2019 Backup", "Backups", "Plans_backup", "backup_plans", "Back-up", "Plans back up", "bak", "Plans.bak",
    "Plans copy", "Plans copy 2", "Plans - Copy", "Plans - Copy (2)", "Copy of Plans", "Copy (2) of Plans",
    "archive copy", "Copy", "old", "old plans", "Old_plans", "Plans old", "Plans-old", "Plans (old)", "zzPlans",
]  # fmt: skip
ORDINARY = [
    "Copyright", "Photocopying", "Master copy", "Old Bailey", "Old Bailey 2014", "Old age pensions",
    "15-17 year old", "Oldham", "Household", "Threshold", "Gold Command", "Golden", "Feedback update", "Bakery",
]  # fmt: skip


def test_what_was_put_aside_goes_and_not_the_live_folder(tmp_path: Path) -> None:
    """By default the older of two copies stays, but not in a folder whose name says that it was put
    aside; names that only look so are as good as any."""
    share = tmp_path / "share"
    for number, name in enumerate(PUT_ASIDE + ORDINARY):
        for folder, when in ((name, 10**9), ("Plans", 2 * 10**9)):
            path = share / str(number) / folder / "plan.txt"
            path.parent.mkdir(parents=True)
            path.write_text(f"plan {number}")
            os.utime(path, (when, when))
    rows = crawled_groups(estate_over(tmp_path / "estate", share), Reading(mime=False))
    kept = [Path(row["path"]).parts for row in rows if row["role"] == "keeper"]
    names = {int(number): folder for number, folder, _ in kept}
    assert [names[number] for number in sorted(names)] == ["Plans"] * len(PUT_ASIDE) + ORDINARY


def test_rules_and_the_keeper_policy_know_the_same_names() -> None:
    """What the rules on backup and old folders take for one is a copy folder, and what they spare
    is none."""
    hit, spared = (re.compile(pattern) for pattern in copies(configs.checked(BARE)).values())
    rules = {
        rule["id"]: rule
        for file in ("redundant", "obsolete")
        for rule in yaml.safe_load((ROOT / f"rules/{file}.yaml").read_text("utf-8"))["rules"]
    }
    old = rules["OBS-015"]["match"]["all"]
    aside = old[0]["path|has_folder"] + rules["RED-010"]["match"]["path|has_folder"]
    for glob in aside:
        name = glob.replace("*", "plans")
        assert hit.search(name) and not spared.search(name), name
    assert all(
        spared.search(glob.replace("*", "plans")) for glob in old[1]["not"]["path|has_folder"]
    )


def test_two_streams_at_once(tmp_path: Path) -> None:
    """A stream of rows goes on to its end though other queries run meanwhile."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(500):
        (share / f"{number}").write_bytes(b"%d" % (number % 50))
    estate = estate_over(tmp_path / "estate", share)
    crawled_groups(estate, Reading(mime=False))
    with Query(estate) as query:
        entries = query.stored(query.table("entries"))
        first = query.batches(entries.select("entry_id"), 10)
        seen = next(first).num_rows
        assert query.count(entries) == 501
        assert len(list(query.rows(entries.filter(entries.size_bytes > 0)))) == 500
        assert seen + sum(batch.num_rows for batch in first) == 501


def test_the_same_day_means_the_same_findings(tmp_path: Path) -> None:
    """Ages count from --as-of, never from the clock."""
    from migrate.flag.values import days_before

    assert days_before(date(2024, 2, 29), "1y") == date(2023, 2, 28)
    assert days_before(date(2024, 3, 31), "1mo") == date(2024, 2, 29)
    assert days_before(date(2024, 3, 1), "2w") == date(2024, 2, 16)


def test_a_rotating_disk_is_read_in_its_order(tmp_path: Path) -> None:
    """With `disk: rotating` one worker reads the files by their numbers on the disk, when a folder
    is listed (a page at a time) and when files are read whole; the groups stay the same."""
    share = tmp_path / "share"
    share.mkdir()
    places = [share / f"{number}" for number in range(400)]
    random.Random(1).shuffle(places)
    for place in places:
        place.write_bytes(bytes(70_000))
    seen: dict[str, list[list[int]]] = {}
    for disk in ("solid", "rotating"):
        estate = create(
            tmp_path / disk, f"format: 1\nshares: [{{name: s, path: {share}, disk: {disk}}}]\n"
        )
        groups = crawled_groups(estate, Reading(mime=False))
        assert len(groups) == 400 and len({row["group_id"] for row in groups}) == 1
        numbers = {row["entry_id"]: row["file_id"] for row in groups}
        seen[disk] = [
            [numbers[row] for row in part if row in numbers]
            for table in ("digests", "whole_digests")
            for path in estate.parts(table)
            for part in [pq.read_table(path)["entry_id"].to_pylist()]
        ]
    assert [sorted(part) for part in seen["rotating"]] == seen["rotating"]
    assert any(sorted(part) != part for part in seen["solid"])


@pytest.mark.parametrize(
    "prefer",
    [
        "in_file_plan, preferred_folder, not_a_copy_folder, oldest, shortest_path",
        "shortest_path, oldest, not_a_copy_folder, preferred_folder, in_file_plan",
        "oldest", "not_a_copy_folder, shortest_path", "preferred_folder, in_file_plan",
    ],
)  # fmt: skip
def test_the_keeper_is_the_one_that_plain_words_choose(tmp_path: Path, prefer: str) -> None:
    """The policy as the README has it, written down here once more without SQL: whatever its order,
    it names the same keepers, whether files or whole folders are compared."""
    chance = random.Random(prefer)
    share = tmp_path / "share"
    folders = ["Plan", "PLAN b", "Pref/é", "Backup 2011/x", "copy of Plan", "Master", "old", "",
               "a/b/c"]  # fmt: skip
    for number in range(40):
        for folder in chance.sample(folders, 3):
            path = share / folder / f"{chance.choice(['A', 'b', 'É'])} {number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"content {number}")
            when = chance.randrange(3) * 10**18 // 2
            os.utime(path, ns=(when, when))
    trees = [f"{folder}/tree {number}".strip("/") for number, folder in enumerate(folders)]
    for tree in trees[:5] + trees[6:]:  # not in the master folder: what is there is no copy
        (share / tree).mkdir(parents=True)
        for name in "xyz":
            (share / tree / name).write_text(f"content of {name} in every tree")
            os.utime(share / tree / name, ns=(len(tree) % 3 * 10**18, len(tree) % 3 * 10**18))
    estate = estate_over(
        tmp_path / "estate", share,
        "file_plan: [{folder: s/Plan, container: P}]\nkeeper:\n"
        f"  prefer: [{prefer}]\n  preferred_folders: [s/pref]\n  master_folders: [s/Master]\n"
        "  copy_folders: [backup*, 'copy of *', old]\n",
    )  # fmt: skip
    groups = defaultdict(list)
    for row in crawled_groups(estate, Reading(mime=False)):
        groups[row["group_id"]].append(row)
    for rows in groups.values():
        assert len({row["keeper_id"] for row in rows}) == 1
        best = min(rows, key=lambda row: _plain_order(share, row["path"], prefer))
        assert [row["path"] for row in rows if row["role"] == "keeper"] == [best["path"]]
    with Query(estate) as query:
        query.named("folder_copies")
        found = list(
            query.rows("FROM folder_copies WHERE entry_id = top_id AND kind = 'identical'")
        )
    best_tree = min(
        trees[:5] + trees[6:], key=lambda tree: _plain_order(share, f"{tree}/x", prefer)
    )
    assert {row["of_path"] for row in found} == {f"s/{best_tree}"}


def _plain_order(share: Path, path: str, prefer: str) -> tuple[object, ...]:
    lower = unicodedata.normalize("NFC", f"s/{path}").lower()
    folders = lower.split("/")[:-1]
    copies = any(name.startswith(("backup", "copy of ")) or name == "old" for name in folders)
    tests = {
        "in_file_plan": "/".join(folders[:2]) != "s/plan",
        "preferred_folder": "/".join(folders[:2]) != "s/pref",
        "not_a_copy_folder": copies,
        "oldest": (share / path).stat().st_mtime_ns,
        "shortest_path": len(path),
    }
    order = [tests[test] for test in prefer.split(", ")]
    return ("/".join(folders[:2]) != "s/master", *order, f"s/{path}".rpartition("/")[0])
