"""How fast a server is asked: the width grows while it keeps up, and gives way when it does not.
The clock is the test's own: nothing here waits."""

from __future__ import annotations

import random
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.smb import pace as module
from migrate.smb.pace import BUSY_SECONDS, FIRST_WIDTH, Bucket, Pace

START = 1_000.0
FAST = 0.001


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """time.monotonic() as the test says; nothing may sleep."""
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: START))


class Server:
    """Answers, one after another, on a clock of its own."""

    def __init__(self, pace: Pace) -> None:
        self.pace, self.now = pace, START

    def answers(self, count: int, seconds: float, kind: str = "look", apart: float = 0.01) -> None:
        for _ in range(count):
            self.now += apart
            self.pace.answered(kind, seconds, self.now)


def started(most: int = 64, count: int = 200) -> Server:
    """A pace that has seen a quick server."""
    server = Server(Pace(most, None, None))
    server.answers(count, FAST)
    return server


# The width


def test_it_begins_gently_and_grows():
    """Eight at first, and never more than allowed; by one for each round of answers."""
    server = Server(Pace(64, None, None))
    assert server.pace.width == FIRST_WIDTH == 8
    server.answers(8, FAST)
    assert 8.9 < server.pace.width < 9.1
    server.answers(5_000, FAST)
    assert server.pace.width == 64
    assert server.pace.backed_off == 0


@pytest.mark.parametrize(("most", "first"), [(0, 1), (1, 1), (5, 5), (8, 8), (4096, 8)])
def test_never_wider_than_allowed(most, first):
    """Also where fewer than the usual first ones are; one at least, or nothing would ever end."""
    server = Server(Pace(most, None, None))
    assert server.pace.width == first
    server.answers(2_000, FAST)
    assert server.pace.width <= max(1, most)


def test_a_server_that_slows_down_is_given_room():
    """Four times as slow as at best: half the width, and half of that after a second more."""
    server = started()
    width = server.pace.width
    server.answers(60, FAST * 20, apart=0.001)
    assert server.pace.width == pytest.approx(width / 2, rel=0.01)
    assert server.pace.backed_off == 1
    server.answers(1, FAST * 20, apart=1.0)
    assert server.pace.width == pytest.approx(width / 4, rel=0.01)
    server.answers(40, FAST * 20, apart=1.0)
    assert server.pace.width == 1
    assert server.pace.backed_off == 42


def test_halving_waits_until_it_can_have_helped():
    """A burst of slow answers that were all under way halves the width once."""
    server = started()
    width = server.pace.width
    server.answers(900, FAST * 50, apart=0.001)
    assert server.pace.width == width / 2


def test_somewhat_slower_is_no_reason():
    """Between twice and four times as slow the width stays; up to twice it still grows."""
    server = started()
    server.answers(300, FAST * 3)  # till only such answers count
    width = server.pace.width
    server.answers(300, FAST * 3)
    assert server.pace.width == width
    assert server.pace.backed_off == 0
    server = started()
    width = server.pace.width
    server.answers(100, FAST * 1.9)
    assert server.pace.width > width


def test_one_slow_answer_is_no_reason():
    """A disk that has to spin up once, or one huge folder, is not a server that is busy."""
    server = started()
    width = server.pace.width
    server.answers(1, FAST * 50)
    assert server.pace.width >= width
    assert server.pace.backed_off == 0


def test_it_recovers():
    """When answers come fast again, the width grows again to what it was."""
    server = started(count=5_000)
    server.answers(50, FAST * 50, apart=1.0)
    assert server.pace.width == 1
    server.answers(5_000, FAST)
    assert server.pace.width == 64


def test_each_kind_of_job_has_its_own_best():
    """Large reads are slow beside small ones by nature; that alone backs nothing off."""
    server = started()
    for _ in range(300):
        server.answers(1, FAST)
        server.answers(1, FAST * 100, "chunk")
    assert server.pace.backed_off == 0
    assert server.pace.width > 8


def test_a_server_that_stays_slower_is_got_used_to():
    """The best of old is forgotten by one per cent a minute: in hours, not in minutes."""
    server = started()
    server.answers(100, FAST * 6, apart=1.0)
    assert server.pace.width == 1
    server.answers(60, FAST * 6, apart=20.0)  # twenty minutes on
    assert server.pace.width == 1
    server.answers(1_500, FAST * 6, apart=60.0)  # a day
    assert server.pace.width > 8


def test_an_odd_beginning_is_not_taken_for_the_best():
    """The first answers are not the measure: a cache may have given them."""
    server = Server(Pace(64, None, None))
    server.answers(3, FAST / 100)
    server.answers(200, FAST)
    assert server.pace.backed_off == 0
    assert server.pace.width > 8


@given(st.integers(0, 1 << 30), st.integers(1, 200))
def test_the_width_stays_within_its_bounds(seed, most):
    """Whatever answers come, after however long: from one to what is allowed."""
    chance, server = random.Random(seed), Server(Pace(most, None, None))
    for _ in range(300):
        server.answers(1, chance.expovariate(10), chance.choice("ab"), chance.expovariate(1))
        if chance.random() < 0.02:
            server.pace.busy(server.now)
        assert 1 <= server.pace.width <= most


# A server that says it is busy


def test_busy():
    """The server said so: one at a time, and nothing for a second."""
    server = started()
    server.pace.busy(server.now)
    assert server.pace.width == 1
    assert server.pace.backed_off == 1
    assert server.pace.wait_seconds(server.now) == pytest.approx(BUSY_SECONDS)
    assert server.pace.wait_seconds(server.now + 0.4) == pytest.approx(BUSY_SECONDS - 0.4)
    assert server.pace.wait_seconds(server.now + 5) == 0
    server.answers(50, FAST)
    assert server.pace.width > 1


# So many a second


def asked(pace: Pace, seconds: float, requests: int = 1, size_bytes: int = 0) -> int:
    """How many are sent within some seconds by one who waits as long as he is told to."""
    now, count = START, 0
    while True:
        now += pace.wait_seconds(now)
        if now >= START + seconds:
            return count
        pace.sent(requests, size_bytes, now)
        count += 1
        now += 1e-6


@pytest.mark.parametrize("per_second", [0.5, 1, 10, 1000])
def test_requests_per_second(per_second):
    """In a minute no more than allowed, beside one second's worth at the beginning; and no less."""
    count = asked(Pace(64, per_second, None), 60)
    assert per_second * 60 - 1 <= count <= per_second * 61 + 2


def test_compounds_count_by_their_requests():
    """A compound of four is four requests."""
    assert 145 <= asked(Pace(64, 10, None), 60, requests=4) <= 155


@pytest.mark.parametrize("size_bytes", [1_000, 65_536, 1 << 20, 8 << 20])
def test_bytes_per_second(size_bytes):
    """Reads add up to what is allowed, also where one alone is more than a second's worth."""
    per_second = 2e6
    total = asked(Pace(64, None, per_second), 60, size_bytes=size_bytes) * size_bytes
    assert per_second * 60 - size_bytes <= total <= per_second * 61 + size_bytes


def test_both_limits_hold():
    """The tighter one decides."""
    assert asked(Pace(64, 5, 1e6), 60, size_bytes=10) <= 307
    assert asked(Pace(64, 1_000, 1e5), 60, size_bytes=100_000) <= 62


def test_without_limits_nobody_waits():
    pace = Pace(64, None, None)
    for _ in range(1_000):
        pace.sent(10, 1 << 30, START)
        assert pace.wait_seconds(START) == 0


def test_what_was_not_used_is_saved_for_one_second_at_most():
    """After an hour of quiet not an hour's requests are sent at once."""
    bucket = Bucket(10)
    hour = START + 3600
    for _ in range(10):
        assert bucket.wait_seconds(hour) == 0
        bucket.take(1, hour)
    bucket.take(1, hour)
    assert bucket.wait_seconds(hour) == pytest.approx(0.1)


def test_a_debt_is_paid_off():
    """Five seconds' worth at once is followed by a wait of four."""
    bucket = Bucket(10)
    bucket.take(50, START)
    assert bucket.wait_seconds(START) == pytest.approx(4)
    assert bucket.wait_seconds(START + 3) == pytest.approx(1)
    assert bucket.wait_seconds(START + 4.001) == 0
