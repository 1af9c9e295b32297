"""Queries: what is kept is what was asked, in one piece or in slices; a full disk says so."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migrate.config import load
from migrate.dedupe import find_groups, keep_read, name_files
from migrate.engine.query import Query
from migrate.estate import Estate, create
from migrate.facts import worked_out

sys.path.insert(0, str(Path(__file__).parent / "bench"))
import inventory

_OF_KIND = "SELECT entry_id FROM entries WHERE kind = $kind"


@pytest.fixture(scope="module")
def estate(tmp_path_factory) -> Estate:
    """An inventory of 3,000 files, a third of them copies."""
    root = tmp_path_factory.mktemp("query") / "estate"
    inventory.make(root, 3000)
    return Estate(root)


@pytest.mark.parametrize("different", [1, 2, 300])
def test_kept_bytes_are_found_again(tmp_path: Path, different: int) -> None:
    """Digests that are there are found, however few: as a value and in a join."""
    digests = [bytes([0x9D, number % 256, number >> 8]) * 5 for number in range(different)]
    rows = [{"digest": digest} for digest in digests * 5]
    schema = pa.schema([("digest", pa.binary())])
    with Query(create(tmp_path / "estate", "")) as query:
        kept = query.stored(query.given(rows, schema))
        again = query.given([{"digest": digest} for digest in digests], schema)
        assert query.count(kept.semi_join(again, "digest")) == len(rows)
        assert query.count(kept.filter(kept.digest == digests[0])) == 5


def test_slices_make_no_difference(estate: Estate) -> None:
    """Groups and facts of a large estate, worked out range by range and kept in files, are those of
    one piece in memory."""
    config, _ = load(estate.config_path)
    found = []
    for slices in (1, 17):
        with Query(estate) as query:
            query.allowed.slices, query.allowed.is_small = slices, slices == 1
            name_files(query)
            find_groups(query, config, lambda: keep_read(query))
            groups = query.rows("FROM found ORDER BY entry_id")
            table = query.stored_in_slices(worked_out(query, config))
            facts = query.rows(table.order_by("entry_id"))
            found.append((list(groups), list(facts)))
    assert found[0] == found[1]
    assert len(found[0][0]) == 999 and len(found[0][1]) == 3215


@pytest.mark.parametrize("is_small", [True, False])
def test_what_is_asked_meanwhile_is_there_afterwards(estate: Estate, is_small: bool) -> None:
    """Two chains of questions at a time keep what each asked for; no thread is left of it."""
    threads = threading.enumerate()
    with Query(estate) as query:
        query.allowed.is_small = is_small
        query.named("entries")
        with query.meanwhile(lambda other: other.keep("folders", _OF_KIND, kind="folder") and None):
            query.keep("files", _OF_KIND, kind="file")
        with query.without_threads():
            assert not {*threading.enumerate()} - {*threads}
        both = query.count("FROM folders") + query.count("FROM files")
        assert both == query.count("FROM entries") and query.count("FROM folders") > 1


@pytest.mark.parametrize("is_small", [True, False])
def test_a_fault_meanwhile_is_told(estate: Estate, is_small: bool) -> None:
    """What goes wrong in either of two chains ends both."""
    threads = threading.enumerate()
    with Query(estate) as query:
        query.allowed.is_small = is_small
        with (
            pytest.raises(duckdb.CatalogException, match="nowhere"),
            query.meanwhile(lambda other: other.keep("wrong", "FROM nowhere") and None),
        ):
            query.keep("fine", "SELECT 1 AS one")
        with pytest.raises(KeyError), query.meanwhile(lambda _: None):
            raise KeyError
        with query.without_threads():
            assert not {*threading.enumerate()} - {*threads}


def test_many_files_are_not_taken_for_few_rows(tmp_path: Path) -> None:
    """A table whose first file holds one row, as a crawl's does, is no small table: else every join
    would keep the larger side in memory."""
    files = []
    for number, rows in enumerate([1, 5000, 20]):
        files.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table({"entry_id": range(rows)}), files[-1])
    with Query(create(tmp_path / "estate", "")) as query:
        query.view("entries", files, "several")
        plan = query.sql.execute("EXPLAIN (FORMAT json) FROM several").fetchall()[0][1]
        assert int(json.loads(plan)[0]["extra_info"]["Estimated Cardinality"]) >= 5021
        assert query.count("FROM several") == 5021


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forks on Linux only")
def test_no_thread_is_there_when_workers_are_forked(estate: Estate) -> None:
    """Not even while a query is open that has used several."""

    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = threads()
    with Query(estate) as query:
        query.sql.execute("SET threads = 4")
        query.allowed.threads = 4
        query.named("entries")
        assert query.count("FROM entries") > 0 and threads() > before
        with query.without_threads():
            deadline = time.monotonic() + 10  # one that has ended may be listed a moment longer
            while threads() > before and time.monotonic() < deadline:
                time.sleep(0.001)
            assert threads() == before
        assert threads() > before
        assert query.count("FROM entries") > 0


def test_sums_are_kept_exactly(tmp_path: Path) -> None:
    """A sum of sizes is a whole number, also where a float could not hold it."""
    rows = [{"size": (1 << 53) + 1}, {"size": 2}]
    with Query(create(tmp_path / "estate", "")) as query:
        table = query.given(rows, pa.schema([("size", pa.int64())]))
        kept = query.stored(table.aggregate(total=table["size"].sum()))
        assert list(query.rows(kept)) == [{"total": (1 << 53) + 3}]


def test_a_full_disk_is_told_as_everywhere(tmp_path: Path, monkeypatch) -> None:
    """What DuckDB says of a full disk becomes the error that the command line knows."""

    class Full:
        def execute(self, *_: object) -> None:
            raise duckdb.IOException("Could not write file: No space left on device")

        def close(self) -> None: ...

    class Connection:
        cursor = staticmethod(Full)
        execute = staticmethod(lambda sql: None)

    with Query(create(tmp_path / "estate", "")) as query:
        table = query.given([{"n": 1}], pa.schema([("n", pa.int64())]))
        sql = query.compiled(table)
        with monkeypatch.context() as patch:
            patch.setattr(query, "sql", Connection)
            with pytest.raises(OSError, match="No space left") as error:
                query._copy(sql, tmp_path / "x.parquet")
        assert error.value.errno == errno.ENOSPC


def test_what_does_not_fit_gets_more_memory(estate: Estate, monkeypatch) -> None:
    """A query that needs more than the limit ends all the same, stored and streamed, and the limit
    is then what it was; without that it fails."""
    sql = "SELECT length(list(path || repeat('x', 10000))[7]) > 10000 AS long FROM entries"
    with Query(estate) as query:
        query.named("entries")
        query.allowed.limit_mb = 8
        query.allowed.limit(query.sql, 8)
        assert list(query.rows(query.stored(sql))) == [{"long": True}]
        assert list(query.rows(sql)) == [{"long": True}]
        limit = query.sql.execute("SELECT current_setting('memory_limit')").fetchone()
        assert limit == ("7.6 MiB",)
        monkeypatch.setattr("migrate.engine.allowance.MOST_MB", 0)
        with pytest.raises(duckdb.OutOfMemoryException):
            query.stored(sql)
