"""Versions and renditions: what belongs together by its name, and what only looks like it."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from test_dedupe import crawled_groups, estate_over

from migrate.engine.query import Query
from migrate.estate import create, write_part, writing
from migrate.model import TABLES
from migrate.siblings import siblings, version
from migrate.visit import Reading

BASE = "format: 1\nshares: [{name: s, path: share}]\n"


def found(tmp_path, files: dict[str, int | None]) -> dict[str, dict]:
    """version, version_latest_path and rendition_of of files in one or more folders."""
    estate = create(tmp_path / "e", BASE)
    folders = sorted({path.rpartition("/")[0] for path in files})
    rows = [
        {"scan_id": 1, "entry_id": n, "parent_id": 1000 + folders.index(path.rpartition("/")[0]), "share": "s",
         "path": path, "name": path.rpartition("/")[2], "kind": "file", "mtime_ns": time}
        for n, (path, time) in enumerate(files.items(), 1)
    ]  # fmt: skip
    with writing(estate, ["test"]) as writer:
        run = writer.begin("crawl", {"share": "s"})
        schema = TABLES["entries"].schema
        writer.commit(run, [write_part(estate.root, "entries", pa.Table.from_pylist(rows, schema))])
        writer.finish(run, {})
    with Query(estate) as query:
        table = query.beside(query.table("entries"), *siblings(query))
        return {row["path"]: row for row in query.rows(table.mutate(version=version(table)))}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("plan.doc", "plan v2.doc"), ("Plan_v1.doc", "plan_V2.DOC"), ("plan final.doc", "plan FINAL2.doc"),
        ("plan.doc", "plan - Copy.doc"), ("Copy of plan.doc", "plan.doc"), ("plan.doc", "plan (1).doc"),
        ("plan 2009-03-01.doc", "plan 2009-04-01.doc"), ("plan draft 3.doc", "plan final amended.doc"),
        ("plan v1.2.doc", "plan v1.10.doc"), ("plan 01.03.09.doc", "plan.doc"), ("no ext v1", "no ext v2"),
        ("Copy (2) of plan.doc", "plan latest.doc"),
    ],
)  # fmt: skip
def test_versions(tmp_path, older, newer):
    """Two names of one family: the one modified last is the latest."""
    answer = found(tmp_path, {f"a/{older}": 1, f"a/{newer}": 2})
    assert answer[f"a/{older}"]["version"] == "not_latest"
    assert answer[f"a/{newer}"]["version"] == "latest"
    assert answer[f"a/{older}"]["version_latest_path"] == f"s/a/{newer}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a/plan v1.doc", "b/plan v2.doc"), ("a/plan v1.doc", "a/plan v2.pdf"), ("a/plan.doc", "a/budget v2.doc"),
        ("a/final.doc", "a/draft.doc"), ("a/plan 2.doc", "a/plan 3.doc"), ("a/oxv1.doc", "a/oxv2.doc"),
        ("a/report.doc", "a/final report.doc"), ("a/v1.doc", "a/v2.doc"),
    ],
)  # fmt: skip
def test_no_versions(tmp_path, one, other):
    """Other folders, extensions or names, and names that are nothing but a version, are no family."""
    assert {row["version"] for row in found(tmp_path, {one: 1, other: 2}).values()} == {"none"}


def test_a_version_without_a_date_makes_the_order_unknown(tmp_path):
    """Where one of a family has no date, nobody can tell which is the latest."""
    answer = found(tmp_path, {"a/p v1.doc": 1, "a/p v2.doc": None, "a/q.doc": 1})
    assert [answer[path]["version"] for path in answer] == [None, None, "none"]


def test_identical_files_are_no_versions_of_each_other(tmp_path):
    """A later copy makes nothing an earlier version: of one content all names are one version, and
    an older one is told the name that stays. Further names of one file are no versions either."""
    share = tmp_path / "share"
    share.mkdir()
    names = [
        "big.bin",
        "big copy.bin",
        "plan v1.doc",
        "plan v2.doc",
        "plan v2 copy.doc",
        "link.txt",
    ]
    contents = ["big", "big", "one", "two", "two", "linked"]
    for day, (name, content) in enumerate(zip(names, contents, strict=True)):
        (share / name).write_text(content)
        os.utime(share / name, (day * 86_400, day * 86_400))
    os.link(share / "link.txt", share / "link copy.txt")
    estate = estate_over(tmp_path / "e", share)
    crawled_groups(estate, Reading(mime=False))
    with Query(estate) as query:
        table = query.beside(query.table("entries"), *siblings(query))
        rows = query.rows(table.mutate(version=version(table)))
        told = {r["name"]: (r["version"], r["version_latest_path"]) for r in rows if r["path"]}
    assert {name: told.pop(name)[0] for name in [*names[:2], "link.txt", "link copy.txt"]} == {
        "big.bin": "none", "big copy.bin": "none", "link.txt": "none", "link copy.txt": "none",
    }  # fmt: skip
    latest = "s/plan v2.doc"
    assert told == {
        "plan v1.doc": ("not_latest", latest),
        "plan v2.doc": ("latest", latest),
        "plan v2 copy.doc": ("latest", latest),
    }


def test_renditions(tmp_path):
    """A PDF beside a document of the same name, whatever its capitals; the document is none."""
    answer = found(
        tmp_path, {"a/Plan.PDF": 1, "a/plan.doc": 1, "b/plan.pdf": 1, "a/x.pdf": 1, "a/x.jpg": 1}
    )
    assert answer["a/Plan.PDF"]["rendition_of"] == "s/a/plan.doc"
    assert [path for path in answer if answer[path]["rendition_of"]] == ["a/Plan.PDF"]
