"""Names in the new store: what the store can hold, no two alike, nothing renamed without a reason."""

from __future__ import annotations

import csv
import os
import random
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers_review import BODY, Made, all_decided, make, put, stages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.config import Config
from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.naming import Namer, target_paths
from migrate.paths import NAME_RULES, collision_key, shorten, target_name, utf16_length
from migrate.strict import validate
from migrate.yamlfile import Document

RULES = sorted(NAME_RULES)
DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}


def faults(name: str, profile: str) -> list[str]:
    """What the store would refuse about a name; written down again from Microsoft's pages, not
    taken from the code."""
    found = []
    if any(char in '"*:<>?/\\|' or unicodedata.category(char) == "Cc" for char in name):
        found.append("forbidden character")
    if name != name.rstrip(". ") or not name:
        found.append("dot or space at the end")
    if name.casefold().split(".")[0].rstrip() in DEVICES:
        found.append("device name")
    if utf16_length(name) > 255:
        found.append("too long")
    if unicodedata.normalize("NFC", name) != name:
        found.append("not composed")
    if any(0xD800 <= ord(char) < 0xE000 for char in name):
        found.append("surrogate")
    if profile == "sharepoint":
        low = name.casefold()
        if name.startswith(" "):
            found.append("space at the start")
        if low in (".lock", "desktop.ini") or low.startswith("~$") or "_vti_" in low:
            found.append("reserved by SharePoint")
    return found


PIECES = st.sampled_from(
    ["con", "CON", "nul", "com1", "lpt¹", ".", " ", "..", "~$", "_vti_", ".lock", "desktop.ini", "é",
     "e\u0301", "ﬁ", "ß", "İ", "😀", "\ud800", "\x01", "\n", "?", "*", ":", "a", "A", "b" * 130, ".txt",
     ".docx", "\u202e", "\u212a", "\u3000", "\uffff"]
)  # fmt: skip
NAMES = st.one_of(
    st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=300),
    st.lists(PIECES, min_size=1, max_size=8).map("".join),
)


@settings(max_examples=400, deadline=None)
@given(name=NAMES, profile=st.sampled_from(RULES))
def test_a_name_is_one_the_store_holds(name: str, profile: str) -> None:
    """Whatever a file is called, its new name is acceptable, and changed only for a stated reason."""
    new, changes = target_name(name, NAME_RULES[profile])
    left = faults(new, profile)
    if "device name" in left and "shortened" in changes:
        left.remove("device name")  # a known fault: test_a_cut_makes_no_reserved_name
    assert left == []
    assert (new != name) == bool(changes)
    if not faults(name, profile):
        assert new == name or "reserved name" in changes  # more names are reserved than listed here


@settings(max_examples=200, deadline=None)
@given(name=NAMES, profile=st.sampled_from(RULES))
def test_a_new_name_needs_no_other(name: str, profile: str) -> None:
    """What came out once is left as it is."""
    new, changes = target_name(name, NAME_RULES[profile])
    if "shortened" not in changes:
        assert target_name(new, NAME_RULES[profile]) == (new, [])


@pytest.mark.parametrize("name", ["_VTI_cnf", "a_Vti_b.txt"])
def test_vti_in_any_case(name: str) -> None:
    """SharePoint refuses _vti_ in any case: no new name has it."""
    assert faults(target_name(name, NAME_RULES["sharepoint"])[0], "sharepoint") == []


@pytest.mark.parametrize("profile", RULES)
def test_a_cut_makes_no_reserved_name(profile: str) -> None:
    """A name that is cut for its length does not become a device name."""
    name = "con" + " " * 300 + "x.txt"
    assert faults(target_name(name, NAME_RULES[profile])[0], profile) == []


@settings(max_examples=200, deadline=None)
@given(name=NAMES, limit=st.integers(45, 255), number=st.integers(2, 99_999))
def test_shortened_names_keep_to_the_limit(name: str, limit: int, number: int) -> None:
    """A cut name fits, keeps its number, and keeps its extension where that is one."""
    short = shorten(name, limit, f" ({number})")
    assert utf16_length(short) <= limit
    assert f" ({number})" in short
    stem, dot, ext = name.rpartition(".")
    if stem and utf16_length(ext) <= 20:
        assert short.endswith(dot + ext)


# --- whole sets of paths -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """An estate with nothing in it: naming asks for nothing but rows to name."""
    root = tmp_path_factory.mktemp("naming")
    return Estate(make(root / "estate", {"s": root}).root)


def config(profile: str = "sharepoint", **plan: str) -> Config:
    lines = [{"folder": folder, "container": container} for folder, container in plan.items()]
    value = {
        "format": "1", "shares": [{"name": "s", "path": "/s"}], "file_plan": lines,
        "target": {"name_rules": profile},
    }  # fmt: skip
    return validate(Document("estate.yaml", value), Config)


Named = dict[str, dict[str, Any]]


def target_rows(estate: Estate, ids: list[int], paths: list[str], settings: Config) -> list[Any]:
    """What `target_paths` says of these entries."""
    rows = pa.table(
        {
            "entry_id": pa.array(ids, pa.int64()),
            "full_path": pa.array(paths, pa.string()),
            "name": pa.array([path.rpartition("/")[2] for path in paths], pa.string()),
        }
    )
    with Query(estate) as query:
        return list(query.rows(target_paths(query, query.given(rows), settings)))


def named(estate: Estate, paths: list[str], settings: Config, shuffle: int = 0) -> Named:
    """Each path's target, by path. The rows are handed in in the order of `shuffle`."""
    ids = {path: number for number, path in enumerate(paths, 1)}
    order = list(paths)
    random.Random(shuffle).shuffle(order)
    rows = target_rows(estate, [ids[path] for path in order], order, settings)
    by_id = {row["entry_id"]: row for row in rows}
    assert len(rows) == len(paths)
    assert set(by_id) == set(ids.values())
    return {path: by_id[number] for path, number in ids.items()}


def assert_good(result: Named, profile: str = "sharepoint", most: int | None = None) -> None:
    """What must hold of any set of targets."""
    targets = [row["target_path"] for row in result.values()]
    keys = [collision_key(target) for target in targets]
    assert len(set(keys)) == len(keys), "two files with one place"
    folders = {key[:n] for key in keys for n, char in enumerate(key) if char == "/"}
    assert not folders & set(keys), "a file where a folder has to be"
    for path, row in result.items():
        for name in row["target_path"].split("/"):
            assert faults(name, profile) == []
        assert utf16_length(row["target_path"]) <= (most or NAME_RULES[profile].max_path)
        moved = row["target_path"] != path
        assert bool(row["rename_reason"]) == bool(row["renamed_from"])
        assert moved <= bool(row["rename_reason"]), f"{path} was renamed without a reason"
        if row["rename_reason"]:
            assert row["renamed_from"] == path.rpartition("/")[2]


PARTS = st.sampled_from(
    ["a", "A", "b", "é", "e\u0301", "É", "a.txt", "A.TXT", "a?.txt", "a*.txt", "a_.txt", "a (2).txt",
     "a.txt ", "a.txt.", " a.txt", "con", "CON.txt", "_con", "ß", "ss", "x" * 120 + ".doc", "ſ", "s"]
)  # fmt: skip
TREES = st.lists(
    st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "s/" + "/".join(parts)),
    min_size=1, max_size=25, unique=True,
)  # fmt: skip


def possible(paths: list[str]) -> list[str]:
    """Without files that are folders of other files: no disk has that."""
    folders = {path[:n] for path in paths for n, char in enumerate(path) if char == "/"}
    return [path for path in paths if path not in folders]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(paths=TREES.map(possible), seed=st.integers(1, 99))
def test_targets_are_distinct_and_settled(paths: list[str], seed: int, empty: Estate) -> None:
    """Any tree gets distinct, acceptable targets, the same whatever order the rows come in."""
    result = named(empty, paths, config())
    assert_good(result, most=403)  # a number can lengthen a full path: see the known fault below
    assert named(empty, paths, config(), seed) == result
    keys = [collision_key(path) for path in paths]
    alone = {path for path, key in zip(paths, keys, strict=True) if keys.count(key) == 1}
    clean = all(not faults(name, "sharepoint") for path in paths for name in path.split("/"))
    for path in alone if clean else ():
        inside = any(key.startswith(collision_key(path) + "/") for key in keys)
        if not inside:
            assert result[path]["target_path"] == path
            assert result[path]["rename_reason"] is None


@pytest.mark.parametrize("profile", RULES)
def test_case_and_unicode_form(profile: str, empty: Estate) -> None:
    """Names that differ only in case, accents' form or a forbidden character all get a place."""
    paths = [
        "s/Report.txt", "s/REPORT.TXT", "s/report.txt", "s/caf\u00e9.txt", "s/cafe\u0301.txt",
        "s/CAFE\u0301.TXT", "s/a?b.txt", "s/a*b.txt", "s/a:b.txt", "s/stra\u00dfe.txt", "s/STRASSE.txt",
        "s/end.txt", "s/end.txt.", "s/end.txt ",
    ]  # fmt: skip
    result = named(empty, paths, config(profile))
    assert_good(result, profile)
    renamed = [
        row
        for row in result.values()
        if "another file has this name" in (row["rename_reason"] or "")
    ]
    assert len(renamed) == len(paths) - 5
    assert result["s/REPORT.TXT"]["target_path"] == "s/REPORT.TXT"
    assert {result[f"s/{name}.txt"]["target_path"] for name in ("Report", "report")} == {
        "s/Report (2).txt", "s/report (3).txt",
    }  # fmt: skip


def test_a_good_name_does_not_give_way(empty: Estate) -> None:
    """Where a name had to be changed and then meets a good one, the good one stays."""
    result = named(empty, ["s/a?b.txt", "s/a_b.txt"], config())
    assert result["s/a_b.txt"]["target_path"] == "s/a_b.txt"


def test_files_give_way_to_folders(empty: Estate) -> None:
    """A file whose new name is that of a folder with files in it gets another."""
    paths = [
        "s/x",
        "s/X/1.txt",
        "s/y ",
        "s/y/2.txt",
        "s/deep/z",
        "s/deep/Z/q/r/3.txt",
        "s/con",
        "s/_con/4.txt",
    ]
    result = named(empty, paths, config())
    assert_good(result)
    for path in ("s/X/1.txt", "s/y/2.txt", "s/deep/Z/q/r/3.txt", "s/_con/4.txt"):
        assert result[path]["target_path"] == path
    for path in ("s/x", "s/y ", "s/deep/z", "s/con"):
        assert "another file has this name" in result[path]["rename_reason"]


def test_numbers_that_are_taken(empty: Estate) -> None:
    """A number is not given where a file has it by nature."""
    paths = ["s/a.txt", "s/A.txt", "s/a (2).txt", "s/A (3).TXT", "s/a (4).txt/x"]
    result = named(empty, paths, config())
    assert_good(result)
    assert [result[path]["target_path"] for path in paths[2:]] == paths[2:]
    assert result["s/a.txt"]["target_path"] == "s/a (5).txt"


def test_one_container_for_two_folders(empty: Estate) -> None:
    """Two folders that go into one container keep all their files apart."""
    paths = [
        f"s/{folder}/{name}"
        for folder in ("one", "two", "Two/sub")
        for name in ("a.txt", "b.txt", "sub")
    ]
    result = named(empty, possible(paths), config(**{"s/one": "Unit/Files", "s/two": "Unit/Files"}))
    assert {collision_key(row["target_path"]) for row in result.values()} >= {
        "unit/files/a.txt",
        "unit/files/a (2).txt",
    }
    keys = [collision_key(row["target_path"]) for row in result.values()]
    assert len(set(keys)) == len(paths)
    assert all(row["target_path"].startswith("Unit/Files/") for row in result.values())
    assert not {collision_key("Unit/Files/sub")} & set(keys), "a folder has this name"


def test_a_container_is_no_rename(empty: Estate) -> None:
    """Where the file plan moves a folder, the files in it are not said to be renamed."""
    result = named(empty, ["s/one/a.txt", "s/one/deep/b.txt"], config(**{"s/ONE": "Unit/Files"}))
    assert [row["target_path"] for row in result.values()] == [
        "Unit/Files/a.txt",
        "Unit/Files/deep/b.txt",
    ]
    assert [row["rename_reason"] for row in result.values()] == [None, None]


@pytest.mark.parametrize("profile", RULES)
def test_long_and_deep_paths(profile: str, empty: Estate) -> None:
    """Paths over 400 characters and 60 folders deep fit the store, and none is lost."""
    deep = "/".join(f"folder {number:02}" for number in range(60))
    long = "/".join("long folder name " * 3 + str(number) for number in range(8))
    paths = [
        *(f"s/{deep}/{name}" for name in ("a.txt", "b.txt", "A.txt")),
        *(f"s/{deep[:-1]}x/{name}" for name in ("a.txt", "b.txt")),
        *(f"s/{long}/{number}{'n' * 200}.docx" for number in range(3)),
        f"s/{'f' * 250}/{'g' * 250}.txt", f"s/{'f' * 250}/h{'g' * 249}.txt", "s/short.txt",
    ]  # fmt: skip
    result = named(empty, paths, config(profile))
    assert_good(result, profile)
    assert named(empty, paths, config(profile), 7) == result
    assert result["s/short.txt"]["target_path"] == "s/short.txt"
    assert all(row["target_path"].endswith((".txt", ".docx")) for row in result.values())
    if profile == "windows":
        assert result[f"s/{deep}/b.txt"]["target_path"] == f"s/{deep}/b.txt"
    else:
        assert "too long" in result[f"s/{deep}/b.txt"]["rename_reason"]


def test_numbers_keep_to_the_longest_path(empty: Estate) -> None:
    """Colliding names in a long folder get numbers without going over the store's limit."""
    folder = "s/" + "/".join(["d" * 48] * 6)
    paths = [f"{folder}/{'n' * 200}{number}.txt" for number in range(3)]
    assert_good(named(empty, paths, config()))


def test_a_cut_for_the_path_makes_no_reserved_name(empty: Estate) -> None:
    """A name that is cut because of its path does not become a device name."""
    folder = "s/" + "/".join(["d" * 48] * 6)
    assert_good(named(empty, [f"{folder}/con{' ' * 150}x.txt"], config()))


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(NAMES, min_size=1, max_size=70), profile=st.sampled_from(RULES))
def test_any_path_fits(parts: list[str], profile: str) -> None:
    """Any single path gets a target within the store's limits, the same one each time."""
    path = "s/" + "/".join(parts)
    target, changes = Namer(config(profile)).target(path)
    assert utf16_length(target) <= NAME_RULES[profile].max_path
    assert all(utf16_length(name) <= 255 and name for name in target.split("/"))
    assert (target, changes) == Namer(config(profile)).target(path)
    assert bool(changes) == (target != path)


def test_names_spelt_like_undecodable_ones(empty: Estate) -> None:
    """Two paths with one text (bytes that are no UTF-8, and the same spelt out) stay two."""
    found = target_rows(empty, [1, 2], ["s/caf\\xe9.txt"] * 2, config())
    assert len({collision_key(row["target_path"]) for row in found}) == 2


def test_an_empty_share_is_not_put_into_an_underscore() -> None:
    """The root of a share with nothing in it goes where the share goes, or is said to be renamed."""
    target, changes = Namer(config()).target("s")
    assert target == "s" or changes


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that only Linux holds")
def test_on_a_real_disk(tmp_path: Path) -> None:
    """From the disk to the manifest: each file is there once, under a name of its own."""
    files = {
        "one/Same.txt": "1", "two/same.txt": "2", "two/SAME.TXT": "3", "two/caf\u00e9": "4",
        "two/cafe\u0301": "5", "/".join(["f"] * 60): "6", "two/con": "7", "two/ends. ": "8", "two/q?.txt": "9",
        b"two/caf\xe9.txt": "10", "two/caf\\xe9.txt": "11", "two/sub/in": "12", "one/SUB": "13",
    }  # fmt: skip
    put(tmp_path / "share", {name: BODY + body for name, body in files.items()})
    plan = "file_plan:\n" + "".join(
        f"  - {{folder: s/{f}, container: Unit/Files}}\n" for f in ("one", "two")
    )
    made: Made = make(tmp_path / "estate", {"s": tmp_path / "share"}, plan)
    stages(made)
    all_decided(made, tmp_path)
    stages(made, "manifest")
    with made.manifests("manifest.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(files)
    targets = [line["dest_path"] for line in lines]
    keys = {collision_key(target) for target in targets}
    assert len(keys) == len(files)
    assert "unit/files/sub" not in keys
    assert all(faults(name, "sharepoint") == [] for target in targets for name in target.split("/"))
    assert all(utf16_length(target) <= 400 for target in targets)
    for line in lines:
        if os.path.basename(line["dest_path"]) != os.path.basename(line["source_path"]):
            assert line["rename_reason"]
    with made.manifests("renamed.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(1 for line in lines if line["rename_reason"])
