"""Content asked for ahead: where a disk has its reader wait, and without any trace in what is found."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_dedupe import crawled_groups, estate_over
from test_same_groups import hostile_tree

from migrate import config as configs
from migrate.crawl import CrawlOptions, crawl_share
from migrate.dedupe import dedupe
from migrate.duplicates import find
from migrate.engine.nursery import nursery
from migrate.estate import writing
from migrate.sources import ahead
from migrate.sources.ahead import Ahead
from migrate.visit import Reading


def test_it_is_asked_while_reading_is_waiting(monkeypatch) -> None:
    """And on while asking makes for less of it; waiting for a task is not waiting for a disk."""
    waited = iter([0, 50, 55, 100, 130, 200, 208, 300, 303, 400, 410])
    monkeypatch.setattr(ahead, "times_waited", lambda: next(waited))
    asking = Ahead()
    found = []
    for _ in range(5):
        asking.begin()
        asking.judge(files=100)
        found.append(asking.is_worth_it)
    assert found == [False, True, True, False, False]


def test_waiting_is_counted() -> None:
    before = ahead.times_waited()
    for _ in range(50):
        time.sleep(0.001)
    assert ahead.times_waited() - before >= 50


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(os.urandom(100_000))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_files_are_opened_once_and_what_is_wrong_is_told(folder: int, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, *_: asked.append(os.fstat(file).st_size))
    monkeypatch.setattr(ahead, "AHEAD_FILES", 2)
    names = ["gone", "link", "a", "never", "b", "c"]
    asking = Ahead()
    for asking.is_worth_it in (False, True):
        open_file = asking.opener(folder, names)
        open_files = len(os.listdir("/proc/self/fd"))
        found = []
        for name in names:
            try:
                file = open_file(name)
                assert len(os.listdir("/proc/self/fd")) <= open_files + 2
                found.append(os.fstat(file).st_size)
                os.close(file)
            except OSError as error:
                found.append(error.errno)
        gone = errno.ENOENT
        assert found == [gone, errno.ELOOP, 100_000, gone, 100_000, gone]
        assert len(os.listdir("/proc/self/fd")) == open_files
    assert asked == [100_000, 100_000]


def test_a_pipe_cannot_be_asked_for(folder: int) -> None:
    asking = Ahead()
    asking.is_worth_it = True
    file = asking.opener(folder, ["pipe", "a"])("pipe")
    assert stat.S_ISFIFO(os.fstat(file).st_mode)
    os.close(file)


def in_memory(path: Path) -> bool:
    """Whether the beginning of a file can be read without waiting for a disk."""
    with path.open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(4096)], 0, os.RWF_NOWAIT) > 0
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return False
            raise


def test_content_comes_into_memory(folder: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if not in_memory(path):
        pytest.skip("this file system does not tell what is in memory")
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(path):
        pytest.skip("this file system forgets nothing")
    asking = Ahead()
    asking.is_worth_it = True
    os.close(asking.opener(folder, ["a"])("a"))
    deadline = time.monotonic() + 30
    while not in_memory(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert in_memory(path)


def test_the_same_is_found(tmp_path: Path, monkeypatch) -> None:
    share = hostile_tree(tmp_path / "share")
    plain = crawled_groups(estate_over(tmp_path / "plain", share), Reading(mime=False))
    looked = find([str(share)], 1)
    opener = Ahead.opener

    def always(self: Ahead, folder: int, names: list[str]) -> Callable[[str], int]:
        self.is_worth_it = True
        return opener(self, folder, names)

    monkeypatch.setattr(Ahead, "opener", always)
    again = crawled_groups(estate_over(tmp_path / "ahead", share), Reading(mime=False))
    groups = [
        {(row["path"], row["role"], row["group_id"]) for row in rows} for rows in (plain, again)
    ]
    assert groups[0] == groups[1] and groups[0]
    assert find([str(share)], 1) == looked


def test_more_workers_read_where_they_have_to_wait(tmp_path: Path, monkeypatch) -> None:
    """As many as there are processors begin; the same is found."""
    share = tmp_path / "share"
    for number in range(200):
        path = share / f"{number % 40}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(number // 2))
    looked = find([str(share)], 1)
    monkeypatch.setattr("migrate.engine.workers.default_workers", lambda: 2)
    monkeypatch.setattr("migrate.visitor.FILES_AT_FIRST", 2)
    waited = {"never": lambda: 0, "always": lambda: time.monotonic_ns()}
    groups, writers = {}, {}
    for how, times_waited in waited.items():
        monkeypatch.setattr(ahead, "times_waited", times_waited)
        estate = estate_over(tmp_path / how, share)
        config, _ = configs.load(estate.config_path)
        with nursery("migrate.visitor") as home, writing(estate, ["test"]) as writer:
            options = CrawlOptions(None, Reading(mime=False), nursery=home)
            crawl_share(estate, config, writer, "s", options)
            groups[how] = dedupe(writer, config, 2)
        writers[how] = len(estate.parts("entries")) - 1  # that of the root is not a worker's
        assert find([str(share)], None) == looked
    assert groups["never"] == groups["always"] and groups["never"][0].groups == 99
    assert writers["never"] <= 2 < writers["always"] <= 8
