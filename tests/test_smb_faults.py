"""Crawls over SMB while servers die, hang and change: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import _smbd, rows, run
from helpers_smb import begin, by_path, crawled, finish, make_estate, plain_tree, wait_until
from samba import Proxy, Samba, served_folder
from test_crash import killed
from xxhash import xxh3_128_digest

from migrate.config import Server
from migrate.place import Place
from migrate.sources import open_source
from migrate.visit import whole_digests


@dataclass
class Quiet:
    """A server, and what a crawl of its share `data` finds that nothing happens to."""

    server: Samba
    other: Path  # the share `other`, where a test makes what it needs
    found: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quiet]:
    _smbd()
    with (
        served_folder() as data,
        served_folder() as other,
        Samba({"data": plain_tree(data), "other": other}) as server,
    ):
        estate = make_estate(tmp_path_factory.mktemp("quiet") / "estate", server.url("data"))
        run("crawl", "-e", estate, "--workers", "2", **server.env)
        yield Quiet(server, other, crawled(estate))


@pytest.fixture
def quiet(of_module: Quiet, monkeypatch: pytest.MonkeyPatch) -> Quiet:
    """The same for every test, running again whatever was done to it."""
    for name, value in of_module.server.env.items():
        monkeypatch.setenv(name, value)
    if of_module.server.answers():
        of_module.server.resume()
    else:
        of_module.server.restart()
    return of_module


SLOW = {"requests_per_second": 800, "connections": 2}  # some seconds for the tree
HASTY = {"timeout_seconds": 1, "retries": 20}


def restarted(server: Samba, proxy: Proxy) -> None:
    server.restart()


def hung(server: Samba, proxy: Proxy) -> None:
    server.pause()
    time.sleep(2.5)
    server.resume()


def stalled(server: Samba, proxy: Proxy) -> None:
    proxy.stall()
    time.sleep(2.5)
    proxy.unstall()


def cut(server: Samba, proxy: Proxy) -> None:
    proxy.cut_now()


def children_killed(server: Samba, proxy: Proxy) -> None:
    for pid in server.processes:
        if pid != server._process.pid:
            os.kill(pid, signal.SIGKILL)


def share_closed(server: Samba, proxy: Proxy) -> None:
    """The connection lives on; the session's share is gone."""
    done = subprocess.run(
        ["smbcontrol", "-s", str(server.log_file.parent / "smb.conf"), "smbd", "close-share",
         "data"], capture_output=True, text=True, check=False, **server._as_user,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("happens", [restarted, hung, stalled, cut, children_killed, share_closed])
def test_a_crawl_goes_on(quiet: Quiet, tmp_path: Path, happens: Callable[..., None]) -> None:
    """Whatever happens to the server in the middle, the crawl finds what it would have found."""
    with Proxy(quiet.server) as proxy:
        estate = make_estate(tmp_path / "estate", proxy.url("data"), **SLOW, **HASTY)
        crawl = begin("crawl", "-e", estate, "--workers", "2")
        wait_until(lambda: proxy.counts["bytes"] > 200_000, crawl)
        before = proxy.counts["made"]
        happens(quiet.server, proxy)
        finish(crawl)
        assert proxy.counts["made"] > before, "it never noticed"
    assert crawled(estate) == quiet.found


def test_a_server_that_stays_away(quiet: Quiet, tmp_path: Path) -> None:
    """The crawl gives up after so many tries, says what to do, and goes on when the server does."""
    estate = make_estate(
        tmp_path / "estate", quiet.server.url("data"), requests_per_second=250, timeout_seconds=1,
        retries=2,
    )  # fmt: skip
    soon = "import migrate.visitor as v; v.SECONDS_PER_FLUSH = v.SECONDS_PER_TASK = 0.2"
    crawl = begin("crawl", "-e", estate, "--workers", "2", code=soon)
    wait_until(lambda: has_parts(estate), crawl)
    quiet.server.kill()
    _, errors = finish(crawl, 12)
    assert r"\\127.0.0.1\data" in errors and "tried 3 times" in errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert rows(estate, "digests"), "nothing was kept"
    assert "127.0.0.1" in run("crawl", "-e", estate, expect=12).stderr
    quiet.server.start()
    settings = estate / "estate.yaml"
    settings.write_text(settings.read_text().replace("requests_per_second: 250, ", ""))
    run("crawl", "-e", estate)
    assert crawled(estate) == quiet.found


def has_parts(estate: Path) -> bool:
    """Whether something beside the share itself is committed."""
    return len(list((estate / "entries").glob("r*.parquet"))) > 1


@pytest.mark.parametrize("seed", range(3))
def test_a_line_that_breaks_at_random(quiet: Quiet, tmp_path: Path, seed: int) -> None:
    with Proxy(quiet.server, delay_ms=2) as proxy:
        estate = make_estate(tmp_path / "estate", proxy.url("data"), timeout_seconds=2)
        proxy.cut_at_random(seed, 40_000, times=20)
        run("crawl", "-e", estate, "--workers", "2")
        assert proxy.counts["cut"] >= 5
    assert crawled(estate) == quiet.found


def test_a_huge_folder_whose_listing_breaks(quiet: Quiet, tmp_path: Path) -> None:
    """12,000 entries come in several pages; a listing that is begun again doubles none."""
    folder = quiet.other / "huge"
    folder.mkdir()
    for number in range(12_000):
        (folder / f"{number:05} {'x' * 60}.txt").touch()
    with Proxy(quiet.server) as proxy:
        estate = make_estate(tmp_path / "estate", proxy.url("other", "huge"), timeout_seconds=2)
        proxy.cut_after_bytes(1_500_000, times=6)
        run("crawl", "-e", estate, "--listing-only", "--workers", "1")
        assert proxy.counts["cut"] >= 2
    found = by_path(estate, "entries")
    assert found.keys() == {"", *(path.name for path in folder.iterdir())}
    assert by_path(estate, "listings")[""]["child_count"] == 12_000


def test_large_files_whose_server_dies(quiet: Quiet, tmp_path: Path) -> None:
    """Killed while files are read whole, the server costs no digest, and no digest is wrong."""
    folder = quiet.other / "large"
    folder.mkdir()
    content = random.Random(1).randbytes(12 << 20)
    for name in ("one", "two", "three"):
        (folder / name).write_bytes(content)
    (folder / "not the same").write_bytes(content[:-100_000] + bytes(1) + content[-99_999:])
    local = make_estate(tmp_path / "local", str(folder))
    run("crawl", "-e", local)
    run("dedupe", "-e", local)
    with Proxy(quiet.server) as proxy:
        estate = make_estate(
            tmp_path / "estate", proxy.url("other", "large"), megabytes_per_second=20, **HASTY
        )
        run("crawl", "-e", estate)
        read = proxy.counts["bytes"]
        dedupe = begin("dedupe", "-e", estate, "--workers", "2")
        wait_until(lambda: proxy.counts["bytes"] > read + 8_000_000, dedupe)
        quiet.server.restart()
        finish(dedupe)
    assert rows(estate, "whole_digests") == rows(local, "whole_digests")
    assert rows(estate, "groups") == rows(local, "groups")
    assert len(rows(local, "groups")) == 3


@pytest.mark.parametrize("limit", [3, 6, 9, 12])
def test_killed_and_run_again(quiet: Quiet, tmp_path: Path, limit: int) -> None:
    """kill -9 of the crawl at one of its durable steps, of a worker or of all."""
    estate = make_estate(tmp_path / "estate", quiet.server.url("data"))
    assert killed(limit, "crawl", "-e", estate, "--workers", "2")
    run("crawl", "-e", estate)
    assert crawled(estate) == quiet.found


def test_folders_that_go_while_they_are_crawled(quiet: Quiet, tmp_path: Path) -> None:
    """What is deleted or renamed meanwhile is there under one of its names, with what happened to
    it as an error; all else is as if nothing had happened."""
    tree = quiet.other / "changing"
    tree.mkdir()
    plain_tree(tree)
    with Proxy(quiet.server) as proxy:
        url = proxy.url("other", "changing")
        estate = make_estate(tmp_path / "estate", url, **SLOW)
        crawl = begin("crawl", "-e", estate, "--workers", "2")
        wait_until(lambda: proxy.counts["bytes"] > 100_000, crawl)
        for number in range(0, 30, 3):
            shutil.rmtree(tree / f"{number:03} of 30")
        for number in range(1, 30, 3):
            (tree / f"{number:03} of 30").rename(tree / f"{number:03} renamed")
        out, _ = finish(crawl, 3)
    entries, listings = by_path(estate, "entries"), by_path(estate, "listings")
    digests = by_path(estate, "digests")
    for number in range(2, 30, 3):
        folder = f"{number:03} of 30"
        assert listings[folder]["child_count"] == 20
        for file in range(20):
            assert digests[f"{folder}/{file:03}.txt"]["xxh3_128"]
    errors = {row["error"] for table in (entries, listings, digests) for row in table.values()}
    assert errors == {None, "vanished"}
    assert "vanished" in out
    known = {path for path in entries if "/" not in path}
    assert known <= {
        "",
        *(f"{n:03} of 30" for n in range(30)),
        *(f"{n:03} renamed" for n in range(30)),
    }
    assert set(listings) == known


def test_a_file_read_over_breaks_is_the_file(quiet: Quiet) -> None:
    """Every chunk of a file comes from its own place, wherever the line breaks between them."""
    content = random.Random(2).randbytes(9_500_000)
    (quiet.other / "chunks").write_bytes(content)
    (quiet.other / "beside").write_bytes(b"beside")
    with Proxy(quiet.server) as proxy:
        source = open_source(Place(proxy.url("other"), Server(host="127.0.0.1")))
        file, beside = source.open(b"chunks"), source.open(b"beside")
        proxy.cut_after_bytes(2_700_000, times=6)
        assert whole_digests(file, len(content), False)[0] == xxh3_128_digest(content)
        assert proxy.counts["cut"] >= 2
        assert beside.read_at(0, 100) == b"beside"  # its connection broke long ago
        source.close()
