"""Folders that exist twice: found as one, with one decision, and never at the cost of a content."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import refuse_to_open
from helpers_review import BODY, LINUX, MTIME, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate import config as configs
from migrate import replicas
from migrate.crawl import CrawlOptions, crawl_share
from migrate.dedupe import dedupe, find_groups, keep_read, name_files
from migrate.engine.query import Query
from migrate.estate import Estate, create, write_part, writing
from migrate.model import TABLES, entry_id
from migrate.visit import Reading

YEAR = 31_557_600 * 10**9
DISK_ERROR = "unreadable"
WHOLE = ("identical", "contained")


def tree(top: str, files: list[str], of: str = "", **other: str) -> dict[str | bytes, str | bytes]:
    """Files below a folder; each content is the file's path in the tree (and in the scenario)."""
    made: dict[str | bytes, str | bytes] = {
        f"{top}/{name}": f"{BODY}{of or top.split('/')[0]} {name}" for name in files
    }
    return made | {f"{top}/{name}": content for name, content in other.items()}


SIX = [f"{folder}/{name}.txt" for folder in ("in", "out/deep") for name in "abc"]
MANY = [f"m{number:02}.txt" for number in range(20)]


def scenarios() -> dict[str | bytes, str | bytes]:
    """Every one in a folder of its own, with contents of its own."""
    nested = ["outer/inner/a", "outer/inner/b", "outer/c", "outer/d"]
    hostile = ["=1+1/a\nb", "=1+1/x'y\"z", "sp ace /t\tab", "e\u0301/\u202egpj.exe", "%s/{0}"]
    return {
        # the same under another name; junk, an empty file and an empty folder beside
        **tree("renamed/Live", SIX), **tree("renamed/Old live", SIX),
        "renamed/Live/empty.txt": "", "renamed/Old live/empty.txt": "",
        "renamed/Live/nothing/": "", "renamed/Old live/nothing/": "",
        "renamed/Old live/in/Thumbs.db": "junk 1", "renamed/Live/out/desktop.ini": "junk 2",
        # the same but for the name of one file
        **tree("names/A", SIX), **tree("names/Backup", SIX[1:]),
        "names/Backup/in/other name.txt": f"{BODY}names {SIX[0]}",
        # a copy in a copy
        **tree("nested/Live", nested), **tree("nested/Backup", nested),
        **{f"nested/Backup/again/{name}": f"{BODY}nested {name}" for name in nested[:2]},
        # one folder of a copy of the folder above
        **tree("parent", SIX), **{f"parent/Backup/in/{n}.txt": f"{BODY}parent in/{n}.txt" for n in "abc"},
        # in a folder around: directly there, at the same place below it, and only scattered there
        **tree("around/Project", MANY[:4]), **tree("around/Project/Old", MANY[:4]),
        **tree("around/Mirror", SIX), **tree("around/Mirror/Backup", SIX),
        **tree("scattered/hr", ["x/a", "y/b"]), **tree("scattered/dept", ["z/c", "z/d"]),
        **tree("scattered/Old/in", ["x/a", "y/b", "z/c", "z/d"]),
        # 19 of 20
        **tree("near/Live", MANY), **tree("near/Copy of live", MANY[1:]),
        "near/Copy of live/only here.txt": f"{BODY}only here",
        # each has one of its own
        **tree("two ways/Left", MANY[1:]), **tree("two ways/Right", MANY[:-1]),
        "two ways/Left/left only.txt": f"{BODY}left", "two ways/Right/right only.txt": f"{BODY}right",
        # too little in common, one file only, nothing in them
        **tree("half/A", MANY), **tree("half/Backup", MANY[:10]),
        **{f"half/Backup/x{n}": f"{BODY}half x {n}" for n in range(10)},
        **tree("single/A", ["a.txt"]), **tree("single/Backup", ["a.txt"]),
        "hollow/A/empty 1": "", "hollow/A/empty 2": "", "hollow/Backup/empty 1": "", "hollow/Backup/empty 2": "",
        # of these the copy cannot be read wholly
        **tree("unread/Live", MANY), **tree("unread/Backup", MANY),
        f"unread/Backup/{DISK_ERROR}.txt": f"{BODY}who knows",
        **tree("hostile/Live", hostile), **tree("hostile/Backup", hostile),
        # a small folder that people nominated, and a larger one with the same
        **tree("master/Nominated", MANY[:4]), **tree("master/Bigger", MANY[:6]),
        # dates that differ from file to file
        **tree("dates/A", SIX), **tree("dates/Bb", SIX),
    }  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, dict[str, dict[str, Any]]]:
    """The estate over all of them, and what was found: top -> its row."""
    root = tmp_path_factory.mktemp("replicas")
    share = root / "s"
    put(share, scenarios())
    if LINUX:
        raw = {b"hostile/%s/caf\xe9 \xff" % top: BODY + "latin" for top in (b"Live", b"Backup")}
        put(share, raw)
    for number, name in enumerate(SIX):  # the one older here, the next there
        for top, order in (("dates/A", 1), ("dates/Bb", -1)):
            when = MTIME - YEAR * (20 - number + order * (-1) ** number * (number % 3 + 1))
            os.utime(share / top / name, ns=(when, when))
    put(share, tree("linked/Live", MANY[:3]))
    (share / "linked/Backup").mkdir()
    for name in MANY[:3]:
        os.link(share / "linked/Live" / name, share / "linked/Backup" / name)
    estate = create(root / "estate", (
        f"format: 1\nshares:\n  - {{name: s, path: {share}}}\n  - {{name: t, path: {share / 'renamed'}}}\n"
        "keeper: {master_folders: [s/master/Nominated]}\n"
    ))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        refuse_to_open(patch, DISK_ERROR, OSError(5, "Input/output error"))
        deduped(estate)
    return estate, tops(estate)


def deduped(estate: Estate) -> None:
    config, _ = configs.load(estate.config_path)
    with writing(estate, ["test"]) as writer:
        for share in config.shares:
            crawl_share(estate, config, writer, share.name, CrawlOptions(2, Reading(mime=False)))
        dedupe(writer, config, 2)


def tops(estate: Estate) -> dict[str, dict[str, Any]]:
    with Query(estate) as query:
        trees = query.table("folder_copies")
        rows = query.rows(trees.filter(trees.entry_id == trees.top_id))
        return {row["top_path"]: row for row in rows}


def in_scenario(found: Any, name: str) -> dict[str, tuple[str, str]]:
    return {
        top: (row["kind"], row["of_path"])
        for top, row in found[1].items()
        if top.startswith(f"s/{name}/")
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("renamed", {"s/renamed/Old live": ("identical", "t/Live")}),
        ("names", {"s/names/Backup": ("contained", "s/names/A")}),
        ("nested", {"s/nested/Backup": ("contained", "s/nested/Live/outer")}),
        ("parent", {"s/parent/Backup/in": ("identical", "s/parent/in")}),
        (
            "around",
            {
                "s/around/Project/Old": ("contained", "s/around/Project"),
                "s/around/Mirror/Backup": ("contained", "s/around/Mirror"),
            },
        ),
        ("scattered", {"s/scattered/Old/in/z": ("identical", "s/scattered/dept/z")}),
        ("near", {"s/near/Copy of live": ("overlap", "s/near/Live")}),
        ("two ways", {"s/two ways/Right": ("overlap", "s/two ways/Left")}),
        ("half", {}),
        ("single", {}),
        ("hollow", {}),
        ("unread", {}),
        ("linked", {}),
        ("hostile", {"s/hostile/Backup": ("identical", "s/hostile/Live")}),
        ("master", {}),
        ("dates", {"s/dates/Bb": ("identical", "s/dates/A")}),
    ],
)
def test_what_is_found(found: Any, name: str, expected: dict[str, tuple[str, str]]) -> None:
    """The topmost folders that are elsewhere too, and where; no others."""
    assert in_scenario(found, name) == expected


def test_counts_of_an_overlap(found: Any) -> None:
    """How much is there, and how much nowhere else."""
    row = found[1]["s/near/Copy of live"]
    assert (row["files"], row["shared_files"], row["only_here_files"]) == (20, 19, 1)
    assert row["only_here_size_bytes"] == len(f"{BODY}only here")


def test_every_folder_of_a_copy_knows_its_top(found: Any) -> None:
    """The rows of a tree are its folders, all of them, with the same words."""
    with Query(found[0]) as query:
        folders = query.table("entries").select("entry_id", "share", "path")
        trees = query.table("folder_copies").inner_join(folders, "entry_id")
        below = {r["path"]: r for r in query.rows(trees) if r["top_path"] == "s/renamed/Old live"}
    assert set(below) == {
        f"renamed/Old live{rest}" for rest in ("", "/in", "/out", "/out/deep", "/nothing")
    }
    assert {(row["kind"], row["files"]) for row in below.values()} == {("identical", len(SIX))}


def test_a_large_estate_finds_the_same(found: Any) -> None:
    """What is kept between the steps may lie in memory or in files."""
    config, _ = configs.load(found[0].config_path)
    answers = []
    for small in (True, False):
        with Query(found[0]) as query:
            query.allowed.is_small = small
            name_files(query)
            find_groups(query, config, lambda: keep_read(query))
            assert replicas.keep_near_groups(query, config)
            replicas.agree(query, config)
            replicas.keep_copies(query, config)
            names = ["agreed", "found_folders"]
            answers.append([list(query.rows(f"FROM {name} ORDER BY ALL")) for name in names])
    assert answers[0] == answers[1]
    assert {row["top_path"] for row in answers[0][1]} == set(found[1])


def test_one_folder_through_two_shares(found: Any) -> None:
    """Both names of the copy go; neither name of what stays is a copy of the other."""
    names = {top: row["of_path"] for top, row in found[1].items() if top.startswith("t/")}
    assert names == {"t/Old live": "t/Live"}


# --- any tree ------------------------------------------------------------------------------------

NAMES = ["a", "b", "c"]
CONTENTS = st.sampled_from([None, 0, 1, 2, 3, 4, 5])  # None: cannot be read; 0: nothing in it
Tree = dict[str, int | None]


def paths(depth: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(["x", "Backup", "y"]), max_size=depth).map("/".join)


@st.composite
def trees(draw: Any) -> Tree:
    """Files here and there, and then some folders copied elsewhere, with a file more or less."""
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    files: Tree = {}
    for _ in range(draw(st.integers(2, 14))):
        folder = draw(paths(3))
        files[f"{folder}/{chance.choice(NAMES)}".strip("/")] = draw(CONTENTS)
    for _ in range(draw(st.integers(0, 3))):
        source, to = draw(paths(2)), draw(paths(2)) + f"/copy {chance.randrange(3)}"
        copied = {
            f"{to}/{path.removeprefix(source).strip('/')}".strip("/"): content
            for path, content in files.items()
            if path.startswith(f"{source}/") and chance.random() < 0.95
        }
        files |= copied
    folders = {path.rpartition("/")[0] for path in files}
    above = {
        folder[:n] for folder in folders for n in range(len(folder)) if folder[n : n + 1] == "/"
    }
    return {path: content for path, content in files.items() if path not in folders | above}


def estate_of(root: Path, files: Tree, chance: random.Random) -> Estate:
    """An estate with these files, as a crawl would have listed and read them."""
    estate = create(root, "format: 1\nshares: [{name: s, path: share}]\n")
    folders = {""} | {
        path[:place] for path in files for place, char in enumerate(path) if char == "/"
    }
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, path in enumerate([*sorted(folders), *files]):
        content, is_file = files.get(path, 0), path in files
        key = {"scan_id": 1, "entry_id": entry_id("s", path.encode())}
        parent = entry_id("s", path.rpartition("/")[0].encode())
        rows["entries"].append({
            **key, "parent_id": parent, "share": "s", "path": path, "name": path.rpartition("/")[2],
            "kind": "file" if is_file else "folder", "depth": path.count("/") + 1 if path else 0,
            "size_bytes": 0 if content == 0 else 7, "mtime_ns": chance.choice([MTIME, MTIME - YEAR]),
            "device_id": 1, "file_id": number,
        })  # fmt: skip
        if is_file:
            digest = None if content is None else bytes([content]) * 16
            error = "denied" if content is None else None
            rows["digests"].append(
                {**key, "sample_xxh3": digest, "xxh3_128": digest, "error": error}
            )
        else:
            rows["listings"].append({**key, "child_count": 1})
    with writing(estate, ["test"]) as writer:
        run = writer.begin("crawl", {"share": "s", "sha256": False})
        for name, found in rows.items():
            part = write_part(root, name, pa.Table.from_pylist(found, TABLES[name].schema))
            writer.commit(run, [part])
        writer.finish(run, {})
    return estate


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=trees(), seed=st.integers(0, 999))
def test_whatever_the_tree_no_content_goes(files: Tree, seed: int, tmp_path_factory: Any) -> None:
    """If every folder that is a copy goes as a whole, each content is still there, where its keeper
    is; nothing unread lies in one; every folder with all of its files kept in one other is in one."""
    estate = estate_of(tmp_path_factory.mktemp("any") / "e", files, random.Random(seed))
    config, _ = configs.load(estate.config_path)
    with Query(estate) as query:
        name_files(query)
        find_groups(query, config, lambda: keep_read(query))
        replicas.keep_near_groups(query, config)
        replicas.agree(query, config)
        replicas.keep_copies(query, config)
        names = {row["entry_id"]: row["path"] for row in query.rows("FROM entries")}
        groups = {names[row["entry_id"]]: row for row in query.rows("FROM agreed")}
        rows = list(query.rows("FROM found_folders"))
    whole = {row["top_path"][2:] for row in rows if row["kind"] in WHOLE}

    def goes(path: str) -> bool:
        return any(path.startswith(f"{top}/") for top in whole)

    for content in {*files.values()} - {None, 0}:
        mine = [path for path, one in files.items() if one == content]
        assert not all(map(goes, mine)), (content, whole)
        roles = [groups[path]["role"] for path in mine if path in groups]
        assert sorted(roles) == (["copy"] * (len(mine) - 1) + ["keeper"] if len(mine) > 1 else [])
        assert not any(
            goes(path) for path in mine if path in groups and groups[path]["role"] == "keeper"
        )
    assert not any(goes(path) for path, content in files.items() if content is None)
    for row in rows:
        below = {p: c for p, c in files.items() if p.startswith(row["top_path"][2:] + "/")}
        assert row["files"] == sum(1 for content in below.values() if content)
        if row["kind"] == "identical":
            there = {p: c for p, c in files.items() if p.startswith(row["of_path"][2:] + "/")}
            assert _relative(below, row["top_path"]) == _relative(there, row["of_path"])
    reported = {row["top_path"][2:]: row["of_path"][2:] for row in rows if row["kind"] in WHOLE}
    for folder in {above for path in files for above in _above(path)} - {""}:
        below = [path for path in files if _in(path, folder) and files[path] != 0]
        kept = {p: names[groups[p]["keeper_id"]] if p in groups else p for p in below}
        others = _where_all_is(folder, kept)
        assert folder not in reported or reported[folder] in others, (folder, kept)
        if len(below) >= replicas.FEWEST_FILES and others and None not in map(files.get, below):
            assert any(_related(folder, top) for top in reported), (folder, reported)


def _above(path: str) -> set[str]:
    """The folders above a path; the share's own is ''."""
    return {""} | {path[:n] for n, char in enumerate(path) if char == "/"}


def _in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _where_all_is(folder: str, kept: dict[str, str]) -> set[str]:
    """The folders in which a person finds all that a folder holds; `kept`: its files with the paths
    that are kept for them. In one around it those lie directly, or at the same place below."""
    if not kept or any(_in(keeper, folder) for keeper in kept.values()):
        return set()
    parents = [(p.rpartition("/")[0], k.rpartition("/")[0]) for p, k in kept.items()]
    return {
        of
        for of in set.intersection(*map(_above, kept.values()))
        if not _in(folder, of)
        or all(k in (of, f"{of}{p.removeprefix(folder)}".strip("/")) for p, k in parents)
    }


def _relative(files: Tree, top: str) -> dict[str, int | None]:
    return {path.removeprefix(top[2:] + "/"): content for path, content in files.items()}


def _related(one: str, other: str) -> bool:
    """Whether one is in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
