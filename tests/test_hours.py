"""When servers may be asked: nights and weekends, and work that waits for them."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from conftest import run
from hypothesis import given
from hypothesis import strategies as st

from migrate.config import Server
from migrate.engine import hours as waiting
from migrate.errors import MigrateError
from migrate.events import Progress
from migrate.hours import Span, opens_at, parse_hours
from migrate.place import Place

MONDAY = datetime(2024, 7, 1)  # a Monday


@pytest.mark.parametrize(
    ("written", "days", "start", "end"),
    [
        ("19:00-07:00", "0123456", time(19), time(7)),
        ("Mon-Fri 19:00-07:00", "01234", time(19), time(7)),
        ("mon-fri19:00-07:00", "01234", time(19), time(7)),
        ("Sat,Sun", "56", time(0), time(0)),
        ("Fri-Mon", "4560", time(0), time(0)),
        ("Mon,Wed-Thu,Sun 00:30-23:59", "0236", time(0, 30), time(23, 59)),
        (" Wed 12:00-12:00 ", "2", time(12), time(12)),
    ],
)
def test_hours_are_read(written, days, start, end):
    """Days, times, or both; days may go over the end of the week, times over midnight."""
    assert parse_hours(written) == Span(frozenset(map(int, days)), start, end)


@pytest.mark.parametrize(
    "written",
    ["", " ", "nights", "7-19", "07:00", "07:00-", "24:00-07:00", "07:60-08:00", "Mo-Fr 19:00-07:00",
     "Mon- 19:00-07:00", "Monday", "Mon Tue", "19:00 - 07:00", "Mon-Fri-Sun", "19"],
)  # fmt: skip
def test_hours_that_are_none(written):
    """What is no such line is a ValueError that says how one is written."""
    with pytest.raises(ValueError, match="written"):
        parse_hours(written)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


NIGHTS = ["Mon-Fri 19:00-07:00", "Sat,Sun"]


@pytest.mark.parametrize(
    ("hours", "now", "opens"),
    [
        ([], at(0, 12), at(0, 12)),
        (["19:00-07:00"], at(0, 12), at(0, 19)),
        (["19:00-07:00"], at(0, 19), at(0, 19)),
        (["19:00-07:00"], at(0, 6, 59), at(0, 6, 59)),
        (["19:00-07:00"], at(0, 7), at(0, 19)),
        (["08:00-09:00"], at(0, 9), at(1, 8)),
        (NIGHTS, at(4, 12), at(4, 19)),
        (NIGHTS, at(5, 3), at(5, 3)),  # Friday's night
        (NIGHTS, at(5, 12), at(5, 12)),
        (NIGHTS, at(6, 23, 59), at(6, 23, 59)),
        (NIGHTS, at(7, 0), at(7, 19)),  # Sunday has no night of its own
        (["Mon 22:00-02:00"], at(1, 1), at(1, 1)),
        (["Mon 22:00-02:00"], at(1, 2), at(7, 22)),
        (["Mon 22:00-02:00"], at(0, 1), at(0, 22)),
        (["Sun 22:00-02:00"], at(0, 1), at(0, 1)),  # began last week
        (["Wed 12:00-12:00"], at(3, 11), at(3, 11)),
        (["Sun"], at(0, 0), at(6, 0)),
        (["Sun", "Tue 10:00-11:00"], at(1, 10, 30), at(1, 10, 30)),
    ],
)
def test_when_it_opens(hours, now, opens):
    """Now, if it is a time that is allowed; else the beginning of the next one."""
    assert opens_at([parse_hours(line) for line in hours], now) == opens


DAYS = st.frozensets(st.integers(0, 6), min_size=1)
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
SPANS = st.lists(st.builds(Span, DAYS, TIMES, TIMES), min_size=1, max_size=3)
MOMENTS = st.datetimes(datetime(2024, 6, 1), datetime(2024, 12, 31))


def is_open(spans: list[Span], now: datetime) -> bool:
    """The plain way: is it within one that began today or yesterday?"""
    for span in spans:
        for back in (0, 1):
            day = now - timedelta(days=back)
            begin = datetime.combine(day.date(), span.start)
            length = (
                datetime.combine(day.date(), span.end) - begin
            ) % timedelta(days=1) or timedelta(days=1)  # fmt: skip
            if day.weekday() in span.days and begin <= now < begin + length:
                return True
    return False


@given(SPANS, MOMENTS)
def test_it_opens_at_the_first_time_that_is_open(spans, now):
    """It is open then, and was not a second before, unless it is now."""
    opens = opens_at(spans, now)
    assert now <= opens <= now + timedelta(days=8)
    assert is_open(spans, opens)
    assert (opens == now) == is_open(spans, now)
    if opens > now:
        for share in (0.25, 0.5, 0.75):
            assert not is_open(spans, now + (opens - now) * share - timedelta(microseconds=1))
        assert not is_open(spans, opens - timedelta(microseconds=1))


# Work that waits


class Clock:
    """A clock that a sleep moves on."""

    def __init__(self, monkeypatch, now: datetime) -> None:
        self.time, self.slept = now, 0.0
        monkeypatch.setattr(waiting, "datetime", self)
        monkeypatch.setattr(waiting.time, "sleep", self.sleep)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(minutes=30)
        self.slept += seconds


class Crew:
    """As much of the workers as the waiting looks at."""

    stopping = False


class Told(Progress):
    def __init__(self) -> None:
        super().__init__("crawl")
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def place(*hours: str, connections: int = 4) -> Place:
    server = Server(host="fs1", hours=[*map(parse_hours, hours)], connections=connections)
    return Place("smb://fs1/x", server)


def test_work_waits_until_it_is_time(monkeypatch):
    """No task is handed out by day; at the hour they are; the pause is told once, with its end."""
    clock, told, tasks = Clock(monkeypatch, at(0, 12, 10)), Told(), iter([1, 2, None])
    take = waiting.in_hours(lambda: next(tasks), [place("19:00-07:00")], Crew(), told)
    assert [take(), take(), take()] == [1, 2, None]
    assert clock.time == at(0, 19, 10)
    assert told.notes == ["paused until Monday 19:00, when estate.yaml allows it again"]


def test_the_next_day_is_told_again(monkeypatch):
    """Each pause is told."""
    clock, told = Clock(monkeypatch, at(0, 18, 30)), Told()
    take = waiting.in_hours(lambda: clock.time, [place("19:00-20:00")], Crew(), told)
    assert take() == at(0, 19)
    clock.time = at(0, 20, 10)
    assert take() == at(1, 19, 10)
    assert len(told.notes) == 2


def test_ctrl_c_ends_the_waiting(monkeypatch):
    """A crawl that waits for the night can be stopped: it hands out nothing more."""
    crew, clock = Crew(), Clock(monkeypatch, at(0, 12))

    def sleep(seconds: float) -> None:
        crew.stopping = True

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    take = waiting.in_hours(lambda: 1, [place("19:00-07:00")], crew, Told())
    assert take() is None
    assert clock.time == at(0, 12)


def test_without_hours_nothing_is_in_between():
    """Where no server has hours the work is handed out as ever, the clock is not looked at."""

    def take() -> int:
        return 1

    assert waiting.in_hours(take, [Place("/x"), place()], Crew(), Told()) is take


def test_all_servers_that_are_needed(monkeypatch):
    """A stage that reads one server and writes to another waits for an hour that both have."""
    clock = Clock(monkeypatch, at(0, 12))
    places = [place("18:00-20:00"), Place("/x"), place("19:00-23:00")]
    take = waiting.in_hours(lambda: clock.time, places, Crew(), Told())
    assert take() == at(0, 19)


def test_servers_with_no_hour_in_common(monkeypatch):
    """Hours that never coincide are an error with advice, and not a wait for ever."""
    Clock(monkeypatch, at(0, 12))
    take = waiting.in_hours(lambda: 1, [place("08:00-09:00"), place("20:00-21:00")], Crew(), Told())
    with pytest.raises(MigrateError) as caught:
        take()
    assert "never coincide" in caught.value.what
    assert caught.value.todo


def test_no_more_workers_than_connections():
    """Each worker has a connection of its own at least: more of them than allowed would be idle."""
    places = [place(connections=3), Place("/x"), place(connections=5)]
    assert waiting.workers_for(places, 8) == 3
    assert waiting.workers_for(places, 2) == 2
    assert waiting.workers_for([Place("/x")], 8) == 8
    assert waiting.workers_for([], 1) == 1


def test_one_reader_where_the_disk_has_to_travel():
    """Two readers of a rotating disk would send its head to and fro."""
    assert waiting.workers_for([place(connections=3), Place("/x", rotating=True)], 8) == 1


def test_bad_hours_in_estate_yaml(tmp_path):
    """A line that is no time is an error with its place in the file, and nothing runs."""
    run("init", tmp_path / "e", "--share", "hr=smb://fs1/HR")
    with (tmp_path / "e" / "estate.yaml").open("a") as file:
        file.write("servers:\n  - {host: fs1, hours: [nights]}\n")
    done = run("crawl", "-e", tmp_path / "e", expect=5)
    assert "hours are written 19:00-07:00" in done.stderr
    assert "estate.yaml:" in done.stderr
