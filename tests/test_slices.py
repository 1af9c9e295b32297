"""Large folders: each worker takes some of the children, and all of them count together or not at
all. That any interruption comes to the same, test_same_groups.py says too, with folders as large."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import rows, run
from test_crash import killed
from test_dedupe import estate_over
from test_rescan import TICK_NS, crawl, fresh, new_estate, settle, tables
from test_same_groups import hostile_tree

from migrate import clock
from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.scans import count_of
from migrate.slices import Slices
from migrate.sources import Child, Page, local
from migrate.tasks import FolderTask, Slice, Sliced
from migrate.visitor import MOST_PAGES

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a way of Linux")
TABLES = ("entries", "listings", "digests")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of four children is a large one."""
    monkeypatch.setattr(local, "PAGE_NAMES", 2)
    monkeypatch.setattr("migrate.visitor.MOST_PAGES", 2)


def writers_of(estate: Path, folder: str) -> int:
    """How many parts the children of a folder are in."""
    paths = [pq.read_table(part, columns=["path"]) for part in Estate(estate).parts("entries")]
    inside = [[path for path in one["path"].to_pylist() if folder in path] for one in paths]
    return sum(map(bool, inside))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A share with a folder that is large enough in truth, and another beside it."""
    share = tmp_path_factory.mktemp("large") / "share"
    folder = share / "scans"
    folder.mkdir(parents=True)
    for number in range(MOST_PAGES * local.PAGE_NAMES + 100):
        (folder / f"page {number}.tif").write_bytes(b"%d" % (number % 9_000))
    (folder / os.fsdecode(b"caf\xe9.tif")).write_text("a name that is no text")
    (folder / "a link").symlink_to("page 1.tif")
    for name in ("one", "two", "three"):
        (folder / name).mkdir()
        (folder / name / "letter.txt").write_text(name)
    (share / "beside").mkdir()
    (share / "beside" / "letter.txt").write_text("beside")
    return share


@pytest.fixture(scope="module")
def by_one(large: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    estate = tmp_path_factory.mktemp("by one") / "estate"
    run("init", estate, "--share", f"s={large}")
    run("crawl", "-e", estate, "--no-mime", "--workers", "1")
    assert writers_of(estate, "scans/page") == 1
    return {table: rows(estate, table) for table in TABLES}


def test_several_workers_read_a_large_folder(large: Path, by_one, tmp_path: Path) -> None:
    """By its true size: the same rows, from all workers."""
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={large}")
    run("crawl", "-e", estate, "--no-mime", "--workers", "3")
    assert {table: rows(estate, table) for table in TABLES} == by_one
    assert writers_of(estate, "scans/page") == 3


def test_killed_while_several_read_it(large: Path, by_one, tmp_path: Path) -> None:
    """kill -9 at one durable step after the other: a child is never there twice, and none lacks."""
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={large}")
    deaths = 0
    while (
        killed(3 + deaths % 12, "crawl", "-e", estate, "--no-mime", "--workers", "2")
        and deaths < 14
    ):
        deaths += 1
        found = [row for row in rows(estate, "entries") if "scans/page" in repr(row)]
        assert len(found) in (0, MOST_PAGES * local.PAGE_NAMES + 100)
    assert deaths > 5
    run("crawl", "-e", estate, "--no-mime", "--workers", "2")
    assert {table: rows(estate, table) for table in TABLES} == by_one


def test_names_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_pages: None
) -> None:
    """Links, holes, names that are no text: as one worker alone finds them, and as a rescan does
    that takes over what is as it was."""
    share = hostile_tree(tmp_path / "share")
    for number in range(5):  # what one worker may list on its way
        (share / f"small {number}" / "er").mkdir(parents=True)
        (share / f"small {number}" / "letter").write_text("letter")
    monkeypatch.setattr(clock, "CLOCK_STEP_NS", TICK_NS)
    settle()
    root = new_estate(tmp_path / "estate", share)
    crawl(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("migrate.visitor.MOST_PAGES", 10_000)
        alone = fresh(share, tmp_path / "alone")
    assert tables(root) == alone
    again = crawl(root)
    assert count_of(again, "taken over") > 100
    assert tables(root) == alone


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOENT])
def test_one_of_them_cannot_list_it_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_pages: None, code: int
) -> None:
    """Then the folder counts as one that could not be listed, however many others could: what is
    missing from it must not be taken for deleted. What was found stays."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(40):
        (share / f"{number}").write_text(f"{number}")
    page, told = local._page, tmp_path / "told"
    pages_of: Counter[Any] = Counter()

    def broken_once(folder: bytes, children: Any, descriptor: int) -> Page:
        pages_of[children] += 1
        if pages_of[children] == 6:
            try:
                told.touch(exist_ok=False)
                return Page(folder, [], True, OSError(code, os.strerror(code)))
            except FileExistsError:
                pass
        return page(folder, children, descriptor)

    monkeypatch.setattr(local, "_page", broken_once)
    root = estate_over(tmp_path / "estate", share).root
    crawl(root)
    error = {errno.EIO: "read_error", errno.ENOENT: "vanished"}[code]
    with Query(Estate(root)) as query:
        (listing,) = query.table("listings").to_pyarrow().to_pylist()
        found = query.table("entries").count().to_pyarrow().as_py()
    assert (listing["child_count"], listing["error"]) == (None, error)
    assert 10 < found < 41
    (scan,) = Estate(root).runs("crawl")
    assert count_of(scan, f"error {error}") == 1


def test_each_child_is_in_one_slice() -> None:
    """In whatever page it comes, and whatever it is called."""
    names = [f"{number}" for number in range(100)] + [os.fsdecode(b"\xff"), "\n", "é"]
    others = [Child(os.fsencode(name), "symlink") for name in names]
    for of in (1, 2, 7):
        cut = [Slice(n, of).cut(Page(b"", others, True, None, names, names)) for n in range(of)]
        for found in ("names", "folders"):
            assert sorted(name for page in cut for name in getattr(page, found)) == sorted(names)
        assert sorted(one for page in cut for one in page.children) == sorted(others)
        assert all(page.is_last and page.names for page in cut)


def test_what_was_done_counts_once_all_is_done(tmp_path: Path) -> None:
    """Of two large folders at once, each by itself."""
    slices = Slices(tmp_path, "s", 1)
    slices.cut([FolderTask(b"a", 1), FolderTask(b"b", 1)], 2)
    first, second, third, fourth = (task for (task,) in slices.todo)
    assert slices.joined(Sliced(first, 5)) == slices.joined(Sliced(third, 7)) == []
    for last, children in ((second, 6), (fourth, 8)):
        (part,) = slices.joined(Sliced(last, children))
        assert (part.table, part.rows, part.counts) == ("listings", 1, {})
