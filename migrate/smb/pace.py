"""Room: how fast a server may be asked, so that the people who work on it notice nothing.

In: what estate.yaml allows, and how long answers take. Out: how many jobs may be under way at once
(`width`), and how long to wait before the next request.

The width grows while answers come about as fast as they did at best, and is halved when they take
four times as long: the server is busy, with us or with others. What counts as "at best" is
forgotten at one per cent a minute: a server that stays slower is got used to in an hour, not in a
second.
"""

from __future__ import annotations

import time

from msgspec import Struct

FIRST_WIDTH = 8.0
GROWS_BELOW, SHRINKS_ABOVE = 2.0, 4.0  # times the best
SHRINK_SECONDS = 1.0  # between two halvings: the first has to show in the answers
FORGETS_PER_MINUTE = 0.01
SMOOTHING = 1 / 32
BUSY_SECONDS = 1.0


class _Latency(Struct):
    """How long one kind of job takes: of late, and at best. `count` of answers so far."""

    recent: float = 0.0
    best: float = float("inf")
    count: int = 0

    def add(self, seconds: float) -> None:
        self.count += 1
        weight = max(SMOOTHING, 1 / self.count)
        self.recent += (seconds - self.recent) * weight
        if self.count >= 1 / SMOOTHING:
            self.best = min(self.best, self.recent)


class Bucket:
    """So many units a second, saved up for one second at most; None: any number."""

    def __init__(self, per_second: float | None) -> None:
        self.per_second = per_second
        self.left = per_second or 0.0
        self.filled_at = time.monotonic()

    def take(self, units: float, now: float) -> None:
        """May leave a debt: a request larger than a second's worth is paid off afterwards."""
        if self.per_second:
            self._fill(now)
            self.left -= units

    def wait_seconds(self, now: float) -> float:
        if not self.per_second:
            return 0.0
        self._fill(now)
        return max(0.0, -self.left / self.per_second)

    def _fill(self, now: float) -> None:
        assert self.per_second
        gained = (now - self.filled_at) * self.per_second
        self.left = min(self.left + gained, self.per_second)
        self.filled_at = now


class Pace:
    """The limits of one worker: its part of what the server may be asked by all of them."""

    def __init__(
        self, most: int, requests_per_second: float | None, bytes_per_second: float | None
    ) -> None:
        self.most = max(1, most)
        self.width = min(FIRST_WIDTH, self.most)
        self.backed_off = 0
        self._requests, self._bytes = Bucket(requests_per_second), Bucket(bytes_per_second)
        self._latency: dict[str, _Latency] = {}
        self._shrunk_at = self._forgot_at = time.monotonic()
        self._resume_at = 0.0

    def wait_seconds(self, now: float) -> float:
        """How long to wait before anything more is asked."""
        waits = self._requests.wait_seconds(now), self._bytes.wait_seconds(now)
        return max(*waits, self._resume_at - now, 0.0)

    def sent(self, requests: int, size_bytes: int, now: float) -> None:
        self._requests.take(requests, now)
        self._bytes.take(size_bytes, now)

    def busy(self, now: float) -> None:
        """The server said that it cannot keep up."""
        self.width = 1.0
        self.backed_off += 1
        self._resume_at = now + BUSY_SECONDS

    def answered(self, kind: str, seconds: float, now: float) -> None:
        """One compound of a kind of job was answered after so many seconds."""
        latency = self._latency.setdefault(kind, _Latency())
        latency.add(seconds)
        self._forget(now)
        if latency.recent <= GROWS_BELOW * latency.best:
            self.width = min(self.width + 1 / self.width, self.most)
        elif latency.recent > SHRINKS_ABOVE * latency.best and self._may_shrink(now):
            self.width = max(1.0, self.width / 2)
            self.backed_off += 1
            self._shrunk_at = now

    def _may_shrink(self, now: float) -> bool:
        return now - self._shrunk_at >= SHRINK_SECONDS

    def _forget(self, now: float) -> None:
        if now - self._forgot_at >= 60:
            self._forgot_at = now
            for latency in self._latency.values():
                latency.best *= 1 + FORGETS_PER_MINUTE
