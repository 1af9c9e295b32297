"""A server is asked no faster, by no more connections, and at no other hours than is allowed; what
lies on tape is not called back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from conftest import rows, run
from helpers_smb import begin, by_path, finish, make_estate, plain_tree, wait_until
from samba import Proxy, Samba


@pytest.fixture(autouse=True)
def credentials(samba: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in samba.env.items():
        monkeypatch.setenv(name, value)


def test_requests_a_second(samba: Samba, samba_folder: Path, tmp_path: Path) -> None:
    """Every file takes three requests: open, read, close. All workers together keep the limit."""
    plain_tree(samba_folder, folders=20)
    with Proxy(samba) as proxy:
        estate = make_estate(
            tmp_path / "estate", proxy.url("data", samba_folder.name), requests_per_second=300
        )
        crawl = begin("crawl", "-e", estate, "--workers", "2")
        wait_until(lambda: proxy.counts["made"] > 1, crawl)  # of a worker
        began = time.monotonic()
        finish(crawl)
        took = time.monotonic() - began
    assert len(rows(estate, "digests")) == 400
    assert 3 * 400 / took < 1.5 * 300


def test_megabytes_a_second(samba: Samba, samba_folder: Path, tmp_path: Path) -> None:
    """Also where few large files are read, by several workers."""
    for name in ("one", "two", "three"):
        (samba_folder / name).write_bytes(bytes(3_000_000))
    with Proxy(samba) as proxy:
        estate = make_estate(
            tmp_path / "estate", proxy.url("data", samba_folder.name), megabytes_per_second=2
        )
        run("crawl", "-e", estate)
        before = proxy.counts
        dedupe = begin("dedupe", "-e", estate, "--workers", "2")
        wait_until(lambda: proxy.counts["made"] > before["made"], dedupe)
        began = time.monotonic()
        finish(dedupe)
        took = time.monotonic() - began
        assert proxy.counts["bytes"] - before["bytes"] > 9_000_000
        assert 9 / took < 1.5 * 2
    assert len(rows(estate, "groups")) == 3


@pytest.mark.parametrize("allowed", [1, 3])
def test_connections(samba: Samba, samba_folder: Path, tmp_path: Path, allowed: int) -> None:
    """No stage opens more, however many workers are wanted; one before them looks if it may."""
    plain_tree(samba_folder, folders=20)
    for name in ("one", "two"):
        (samba_folder / name).write_bytes(bytes(200_000))
    with Proxy(samba, delay_ms=2) as proxy:
        estate = make_estate(
            tmp_path / "estate", proxy.url("data", samba_folder.name), connections=allowed
        )
        made = 0
        for stage, before in (("crawl", 1), ("identify", 0), ("dedupe", 0)):
            run(stage, "-e", estate, "--workers", "4")
            now = proxy.counts["made"]
            assert 0 < now - made <= before + allowed, stage
            made = now
    assert len(rows(estate, "formats")) > 100


# Hours. A clock that a test has set runs from there.

CLOCK = """
import datetime, time, migrate.engine.hours as hours
began = time.monotonic()
class Clock(datetime.datetime):
    @classmethod
    def now(cls):
        return cls(2026, 3, 2, 18, 59, {second}) + datetime.timedelta(seconds=time.monotonic() - began)
hours.datetime = Clock
"""


def test_outside_its_hours_a_server_is_left_alone(
    samba: Samba, samba_folder: Path, tmp_path: Path
) -> None:
    """The crawl says until when it is paused, asks nothing till then, and goes on by itself."""
    plain_tree(samba_folder, folders=3)
    with Proxy(samba) as proxy:
        url = proxy.url("data", samba_folder.name)
        estate = make_estate(tmp_path / "estate", url, hours="['Mon 19:00-07:00']")
        crawl = begin("crawl", "-e", estate, code=CLOCK.format(second=56))
        assert "paused until Monday 19:00" in crawl.stderr.readline()
        assert proxy.counts["made"] == 0
        finish(crawl)
    assert len(rows(estate, "digests")) == 60


def test_a_pause_can_be_ended(samba: Samba, samba_folder: Path, tmp_path: Path) -> None:
    """Ctrl-C while paused ends with exit code 130; the crawl goes on another time."""
    plain_tree(samba_folder, folders=3)
    url = samba.url("data", samba_folder.name)
    estate = make_estate(tmp_path / "estate", url, hours="['Mon 19:00-07:00']")
    crawl = begin("crawl", "-e", estate, code=CLOCK.format(second=1))
    assert "paused until Monday 19:00" in crawl.stderr.readline()
    crawl.send_signal(signal.SIGINT)
    _, errors = finish(crawl, 130)
    assert "run the same command again" in errors.lower()
    finish(begin("crawl", "-e", estate, code=CLOCK.format(second=1).replace("18, 59", "23, 59")))
    assert len(rows(estate, "digests")) == 60


# Offline


def test_what_is_on_tape_stays_there(make_samba, samba_folder: Path, tmp_path: Path) -> None:
    """Offline files are listed and counted; no stage reads a byte of them, also not after a crawl
    that only listed."""
    for number in range(8):
        (samba_folder / f"{number}.bin").write_bytes(bytes(1_000_000))
    tape = make_samba({"data": samba_folder}, share_lines=("vfs objects = offline",))
    with Proxy(tape) as proxy:
        for name, words in (("read", ()), ("listed", ("--listing-only",))):
            estate = make_estate(tmp_path / name, proxy.url("data"))
            crawl = run("crawl", "-e", estate, *words)  # exit code 0: nothing has failed
            if not words:
                assert "Kept offline (tape, cloud) and not read: 8 files" in crawl.stdout
            run("dedupe", "-e", estate)
            run("identify", "-e", estate)
            assert rows(estate, "groups") == []
            entries, digests = by_path(estate, "entries"), by_path(estate, "digests")
            assert {row["size_bytes"] for path, row in entries.items() if path} == {1_000_000}
            assert {row["error"] for row in digests.values()} == {"offline"}
            assert len(digests) == 8
        assert proxy.counts["bytes"] < 500_000
