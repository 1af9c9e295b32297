"""Groups and keepers depend on the files alone: not on the tool that finds them (jdupes and rdfind
find the same), not on how many workers there were, in what order they came to answer, nor on how
often the command was cut off. What is equal to a plain SHA-256 grouping, test_dedupe.py says."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import needs
from conftest import rows as rows_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_dedupe import content, crawled_groups, estate_over

import migrate.crawl
import migrate.engine.map
import migrate.visitor
from migrate import config as configs
from migrate.crawl import CrawlOptions, crawl_share
from migrate.dedupe import dedupe
from migrate.engine.query import Query
from migrate.estate import Estate, writing
from migrate.events import Progress
from migrate.visit import Reading

Inodes = set[frozenset[int]]  # groups, each as the files (not names) that are equal

HOSTILE = [b"line\nbreak", b"-rf", b"caf\xe9 latin1", "Ünïcödé 文".encode(), b"tab\there", b"~",
           b'quote"s\'', b"$(touch x)", b" space at both ends ", b"\x1b[31mred", b".hidden",
           b"CON", b"a" * 255, b"back\\slash", b"%41", "e\u0301".encode(), "é".encode()]  # fmt: skip


def hostile_tree(root: Path) -> Path:
    """Everything that tools are known to differ about: links, holes, nothing, names, near misses."""
    chance = random.Random(5)
    for folder in ("a", "b/deep/er", "c d", ".dotted"):
        (root / folder).mkdir(parents=True)
    folders = [path for path in sorted(root.rglob("*")) if path.is_dir()]
    made: list[Path] = []
    for number, size in enumerate(
        [0, 1, 2, 4095, 4096, 4097, 65_535, 65_536, 65_537, 150_000] * 12
    ):
        data = bytearray(bytes([size % 7]) * size)
        if size and number % 3:  # the first, the last or a middle byte is another
            data[[0, -1, size // 2][chance.randrange(3)]] ^= chance.randrange(3)
        path = chance.choice(folders) / f"file {number}"
        path.write_bytes(data)
        made.append(path)
        if number % 11 == 0:
            os.link(path, chance.choice(folders) / f"other name of {number}")
        if number % 13 == 0:
            (chance.choice(folders) / f"link to {number}").symlink_to(path)
    for number, name in enumerate(HOSTILE):
        for folder in folders[:2]:
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:
                file.write(b"hostile %d" % (number // 2))
    for number in range(4):
        with (root / f"sparse {number}").open("wb") as file:
            file.truncate(3_000_000)
            file.seek(1_500_000)
            file.write(b"%d" % (number // 3))
    (root / "loop").symlink_to(root)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_tree(tmp_path_factory.mktemp("hostile") / "share")


@pytest.fixture(scope="module")
def ours(share: Path) -> Inodes:
    found = defaultdict(set)
    for row in crawled_groups(estate_over(share.parent / "estate", share), Reading(mime=False)):
        found[row["group_id"]].add(row["file_id"])
    return {frozenset(inodes) for inodes in found.values()}


def test_the_groups_of_jdupes(share: Path, ours: Inodes) -> None:
    """jdupes compares whole files byte by byte."""
    program = needs(shutil.which("jdupes"), "jdupes")
    done = subprocess.run([program, "-r", "-q", "-0", share], capture_output=True, check=True)
    groups = [group.split(b"\0") for group in done.stdout.split(b"\0\0")]
    found = {frozenset(os.lstat(path).st_ino for path in group if path) for group in groups}
    assert found - {frozenset()} == ours


def test_the_groups_of_rdfind(share: Path, ours: Inodes, tmp_path: Path) -> None:
    """rdfind compares SHA-256; its list names the inode of each file."""
    program = needs(shutil.which("rdfind"), "rdfind")
    options = ["-checksum", "sha256", "-outputname", str(tmp_path / "results"), str(share)]
    subprocess.run([program, *options], capture_output=True, check=True)
    found = defaultdict(set)
    # type, number of the group (of all but its first negative), depth, size, device, inode
    for group, inode in re.findall(
        rb"^DUPTYPE_\w+ -?(\d+) \d+ \d+ \d+ (\d+) ", (tmp_path / "results").read_bytes(), re.M
    ):
        found[group].add(int(inode))
    assert {frozenset(inodes) for inodes in found.values()} == ours


class CutOff(BaseException):
    """The command ends here, whatever was under way."""


class ByChance:
    """Workers in this process that take tasks and answer in any order, now more at once and now
    fewer, and may be cut off."""

    def __init__(self, chance: random.Random, answers: int | None) -> None:
        self.chance, self.answers = chance, answers

    def __call__(self, workers: list[object], at_most: int = 0) -> ByChance:
        self.workers, self.at_once = workers, len(workers)
        return self

    stopping = False

    def said_to_wait(self, is_waiting: bool) -> None:
        self.at_once = self.chance.randint(1, len(self.workers))

    def __enter__(self) -> ByChance:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, next_task: Callable[[], object], progress: Progress) -> Iterator[object]:
        idle, busy = [*self.workers], []
        while True:
            self.chance.shuffle(idle)
            while len(busy) < self.at_once and (task := next_task()) is not None:
                busy.append((idle.pop(), task))
            if not busy:
                break
            worker, task = busy.pop(self.chance.randrange(len(busy)))
            self._count()
            yield worker.work(task)
            idle.append(worker)
        self.chance.shuffle(idle)
        for worker in idle:
            self._count()
            if (answer := worker.drain()) is not None:
                yield answer

    def _count(self) -> None:
        if self.answers is not None:
            self.answers -= 1
            if self.answers < 0:
                raise CutOff


Rows = list[tuple[object, ...]]


def found(estate: Estate, workers: int) -> list[Rows]:
    """Crawl and dedupe, or what is left of it: every member of a group with its keeper, and all
    that the crawl has written."""
    config, _ = configs.load(estate.config_path)
    with writing(estate, ["test"]) as writer:
        scans = estate.scans()
        if not scans or not scans[0].finished:
            options = CrawlOptions(workers, Reading(mime=False))
            crawl_share(estate, config, writer, "s", options)
        dedupe(writer, config, workers)
    with Query(estate) as query:
        entries = query.table("entries").select("entry_id", "path")
        rows = query.rows(query.table("groups").inner_join(entries, "entry_id"))
        columns = ("path", "role", "group_id", "keeper_id", "member_count", "size_bytes")
        groups = sorted(tuple(row[column] for column in columns) for row in rows)
    return [groups, *(rows_of(estate.root, table) for table in ("entries", "listings", "digests"))]


# Size, letter, where a byte is another, folder; of which some get a second name.
trees = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 4096, 65_536, 65_537, 90_000]), st.integers(0, 1),
        st.sampled_from([None, -10, 0.5]), st.sampled_from(["", "a/", "a/b/", "old/", "c/d/e/"]),
        st.booleans(),
    ), min_size=2, max_size=24,
)  # fmt: skip


def plant(root: Path, tree: list[tuple[int, int, float | None, str, bool]]) -> None:
    root.mkdir()
    for number, (size, letter, changed_at, folder, twice) in enumerate(tree):
        (root / folder).mkdir(parents=True, exist_ok=True)
        path = root / folder / f"file {number}"
        path.write_bytes(content(size, letter, changed_at))
        os.utime(path, (number * 7 % 5 * 10**8,) * 2)
        if twice:
            os.link(path, root / f"again {number}")


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(tree=trees, workers=st.integers(1, 4), cuts=st.lists(st.integers(0, 6), max_size=3),
       seed=st.integers(0, 1 << 30))  # fmt: skip
def test_any_workers_and_any_interruption(tree, workers: int, cuts: list[int], seed: int) -> None:
    """However many workers, in whatever order they answer, cut off wherever and as often as you
    like: the same groups, the same keepers."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        share = Path(folder) / "share"
        plant(share, tree)

        def turn(name: str, workers: int, answers: int | None) -> list[Rows]:
            pool = ByChance(chance, answers)
            for module in (migrate.crawl, migrate.engine.map):
                patch.setattr(
                    module, "Processes", lambda make, count: [make() for _ in range(count)]
                )
                patch.setattr(module, "Workers", pool)
            root = Path(folder) / name
            estate = Estate(root) if root.exists() else estate_over(root, share)
            return found(estate, workers)

        expected = turn("undisturbed", 1, None)
        for name in ("FILES_PER_TASK", "FILES_ALONE", "FILES_AT_FIRST", "ROWS_PER_FLUSH"):
            patch.setattr(migrate.visitor, name, 2)
        for name in ("migrate.sources.local.PAGE_NAMES", "migrate.visitor.MOST_PAGES"):
            patch.setattr(name, 2)  # most folders are large
        patch.setattr(migrate.engine.map, "FILES_PER_PARTITION", 1)
        for answers in cuts:
            try:
                turn("disturbed", workers, answers)
            except CutOff:
                pass
        assert turn("disturbed", workers, None) == expected
