"""Progress: what a person waiting for a long stage is told."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from migrate import events
from migrate.engine.query import Query
from migrate.engine.underway import UnderWay
from migrate.estate import Estate, create
from migrate.events import Progress, Step


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(events.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_line_tells_done_rate_time_left_and_failures(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every ten seconds a plain line; nothing before; then one line that sums up."""
    with Progress("crawl s", total=4_000) as progress:
        for _ in range(20):
            clock.now += 1
            progress.advance(100, 1 << 20, failed=1, now_at="s/folder")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "crawl s: 1,000 of 4,000 files, 10.0 MB read, 100 files/s, about 30 s left, 10 failed",
        "crawl s: 2,000 of 4,000 files, 20.0 MB read, 100 files/s, about 20 s left, 20 failed",
        "crawl s: 2,000 files in 20 s, 20.0 MB read, 100 files/s, 20 failed",
    ]


def test_the_time_left_is_reckoned_from_how_it_goes_lately(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a fast beginning a slow share is not promised to be done soon."""
    with Progress("crawl s", total=10_000) as progress:
        clock.now += 20
        progress.advance(8_000)
        for _ in range(30):
            clock.now += 10
            progress.advance(10)
    last = capsys.readouterr().err.splitlines()[-2]
    assert "1 files/s, about 28 min left" in last


def test_what_is_in_hand_counts_until_it_is_handed_in(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of a hundred gigabytes is seen to get on, and not counted twice when it is done."""
    with Progress("move", total=4) as progress:
        for seconds in (10, 20):
            clock.now += 10
            progress.told("one", UnderWay(1, seconds << 30, "s/large.iso"))
            progress.told("other", UnderWay(0, 5 << 30, "s/other.iso"))
        progress.handed_in("one")
        clock.now += 10
        progress.advance(2, 25 << 30)
    told = capsys.readouterr().err.replace("slowest: 10 s at s/large.iso", "SLOWEST")
    assert told.splitlines() == [
        "move: 1 of 4 files, 10.0 GB read, 0 files/s, about 30 s left, SLOWEST",
        "move: 1 of 4 files, 25.0 GB read, 0 files/s, about 1 min left, SLOWEST",
        "move: 2 of 4 files, 30.0 GB read, 0 files/s, about 30 s left, SLOWEST",
        "move: 2 files in 30 s, 25.0 GB read, 0 files/s, SLOWEST",
    ]


def test_the_time_left_does_not_grow_while_a_large_file_is_read(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is known how many bytes there are, they count: ever less is left."""
    with Progress("move", total=100, total_bytes=100 << 30) as progress:
        clock.now += 10
        progress.advance(98, 98 << 10)
        for gigabytes in (30, 60, 90):
            clock.now += 10
            progress.told("one", UnderWay(0, gigabytes << 30, "s/large.iso"))
    left = re.findall(r"about (.*) left", capsys.readouterr().err)
    assert left[1:] == ["47 s", "20 s", "4 s"]


def test_what_is_slow_is_named(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """The longest pause is told with what ended it; a name cannot move the cursor."""
    with Progress("crawl s") as progress:
        progress.advance(now_at="s/fast")
        clock.now += 45
        progress.advance(now_at="s/slow\x1b[2J")
        clock.now += 10
        progress.advance(now_at="s/other")
    lines = capsys.readouterr().err.splitlines()
    assert all("slowest: 45 s at s/slow\\x1b[2J" in line for line in lines)
    assert len(lines) == 3


def test_a_short_stage_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """What is over before anything was shown is not summed up either."""
    with Progress("flag") as progress:
        clock.now += 3
        progress.advance(5)
    assert capsys.readouterr().err == ""


def test_a_stage_that_was_cut_off_says_so(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of an interrupted stage does not look like an end."""
    with pytest.raises(KeyboardInterrupt), Progress("move", "lines") as progress:
        clock.now += 11
        progress.advance(7)
        raise KeyboardInterrupt
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "move: 7 lines stopped after 11 s, 1 lines/s, slowest: 11 s"


def test_a_step_of_the_tables_is_named_with_what_is_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long step says its name and, where it has parts, how far it is; then one line that stays."""
    step = Step("flag: trying the rules")
    clock.now += 12
    step.tell()
    step.done, step.parts = 3, 12
    clock.now += 12
    step.tell()
    step.tell()
    step.end()
    assert capsys.readouterr().err.splitlines() == [
        "flag: trying the rules: 12 s so far",
        "flag: trying the rules: 24 s so far, 25%, about 1 min left",
        "flag: trying the rules: 24 s",
    ]


def test_a_short_step_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """What is answered at once leaves no line; one that was cut off does not look like an end."""
    step = Step("report: adding up")
    clock.now += 3
    step.tell()
    step.end()
    assert capsys.readouterr().err == ""
    clock.now += 10
    step.tell()
    step.end(cut_off=True)
    assert capsys.readouterr().err.endswith("report: adding up: stopped after 13 s\n")


def test_a_step_is_silent_while_something_is_counted(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables are read on while a stage counts what it has done: one line says so, not two; and the
    step did not take as long as that."""
    step = Step("export: laying out")
    clock.now += 12
    step.tell()
    with Progress("export", total=10) as progress:
        clock.now += 20
        step.tell()
        progress.advance(10)
    step.end()
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "export: laying out: 12 s so far"
    assert told[-1] == "export: laying out: 12 s"
    assert all(line.startswith("export: 10") for line in told[1:-1])


def test_while_the_tables_answer_the_step_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that takes long is not waited for in silence, and the thread that says so rests
    where it has to: what forks finds none."""
    monkeypatch.setattr(events, "STEP_SECONDS", 0.01)
    monkeypatch.setattr(events, "PLAIN_SECONDS", 0.0)
    create(tmp_path / "estate", "format: 1\nshares: [{name: s, path: s}]\n")

    def slow(number: int) -> int:
        said = ""
        deadline = time.monotonic() + 60
        while "counting sheep" not in said and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
        assert "counting sheep: " in said
        return number

    before = threading.active_count()
    with Query(Estate(tmp_path / "estate")) as query:
        query.doing("counting sheep")
        query.sql.create_function("slow", slow, ["BIGINT"], "BIGINT")
        for _ in range(2):
            assert list(query.rows("SELECT slow(7::BIGINT) AS n")) == [{"n": 7}]
            assert threading.active_count() == before + 1
            with query.without_threads():
                assert threading.active_count() == before
    assert threading.active_count() == before
