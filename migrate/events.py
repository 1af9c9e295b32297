"""Room: what a stage says while it works, and the only place that shows it.

Stages call `advance`, or name the step when they ask the tables something long. A terminal gets one
line that changes, everything else gets plain lines from time to time. What was shown ends with one
line that stays: how much, how long, how fast, what failed and what held it up. All of it goes to
stderr: stdout belongs to results.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from migrate.paths import printable
from migrate.wording import duration_text, size_text

if TYPE_CHECKING:
    from rich.live import Live

    from migrate.engine.underway import UnderWay

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 10.0
STEP_SECONDS = 1.0  # a step that takes no longer is not worth a line
RECENT_SECONDS = 60.0  # the time left is reckoned from how it went lately
FILE_BYTES = 256 << 10  # what is read in the time that it takes to open a file, about
SLOW_SECONDS = 5.0  # a pause without anything done that is worth telling


class _Line:
    """The line of a terminal that changes; where there is no terminal, lines below each other."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self.in_progress = 0  # who counts what is done has the line; steps say nothing then

    def due(self, seconds: float) -> bool:
        """Whether a line that was shown so long ago may be followed by another."""
        return seconds >= (TERMINAL_SECONDS if sys.stderr.isatty() else PLAIN_SECONDS)

    def show(self, line: str, now_at: str = "") -> None:
        if not sys.stderr.isatty():
            print(line, file=sys.stderr, flush=True)
            return
        from rich.console import Console  # takes long to load, and most commands say nothing
        from rich.live import Live
        from rich.text import Text

        text = Text(line)
        if now_at:
            text.append(f"\n  {printable(now_at)}", style="dim")
        if self._live is None:
            console = Console(stderr=True)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(text, refresh=True)

    def close(self, last: str = "") -> None:
        """Take the line away, and leave another that stays."""
        if self._live:
            self._live.stop()
            self._live = None
        if last:
            print(last, file=sys.stderr, flush=True)


_line = _Line()


class Progress:
    """The progress of one stage; a context manager.

    `total` in the stage's own unit where it is known, and `total_bytes` where all of them are read:
    the time left goes by both then, or one large file would make it grow. Redrawn from `advance`,
    not by a thread: a stage may fork workers while this is open."""

    def __init__(
        self, label: str, unit: str = "files", total: int | None = None, total_bytes: int = 0
    ) -> None:
        self.label, self.unit = label, unit
        self.total, self.total_bytes = total or 0, total_bytes
        self.done = self.size_bytes = self.failed = 0
        self._began = time.monotonic()
        self._shown = self._last = self._began
        self._lately: deque[tuple[float, int, int]] = deque([(self._began, 0, 0)])
        self._slowest: tuple[float, str] = (0.0, "")  # the longest pause, and what ended it
        self._in_hand: dict[object, UnderWay] = {}  # by whose hand

    def __enter__(self) -> Progress:
        _line.close()
        _line.in_progress += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _line.in_progress -= 1
        was_shown = self._shown > self._began
        _line.close(self._summary(time.monotonic(), kind is not None) if was_shown else "")

    def advance(
        self, done: int = 1, size_bytes: int = 0, failed: int = 0, now_at: str = ""
    ) -> None:
        """More is done. `now_at` names what is being worked on."""
        self.done += done
        self.size_bytes += size_bytes
        self.failed += failed
        self._show(now_at)

    def told(self, by: object, so_far: UnderWay) -> None:
        """How far a worker is with what it has in hand; this counts until it is handed in."""
        self._in_hand[by] = so_far
        self._show(so_far.at)

    def handed_in(self, by: object) -> None:
        """It is done with that: what is done is told by `advance`."""
        self._in_hand.pop(by, None)

    def _so_far(self) -> tuple[int, int]:
        """What is done, and its bytes, with what is in hand."""
        in_hand = self._in_hand.values()
        done = self.done + sum(one.done for one in in_hand)
        return done, self.size_bytes + sum(one.size_bytes for one in in_hand)

    def _show(self, now_at: str) -> None:
        now = time.monotonic()
        self._slowest = max(self._slowest, (now - self._last, now_at))
        self._last = now
        if not _line.due(now - self._shown):
            return
        self._shown = now
        self._lately.append((now, *self._so_far()))
        while len(self._lately) > 2 and now - self._lately[0][0] > RECENT_SECONDS:
            self._lately.popleft()
        _line.show(self._words(now), now_at)

    def note(self, line: str) -> None:
        """Something a person waiting should know, at once."""
        print(f"{self.label}: {printable(line)}", file=sys.stderr, flush=True)

    def _words(self, now: float) -> str:
        done, size_bytes = self._so_far()
        of_total = f" of {self.total:,}" if self.total else ""
        words = [f"{self.label}: {done:,}{of_total} {self.unit}"]
        if size_bytes:
            words.append(f"{size_text(size_bytes)} read")
        since, before, bytes_before = self._lately[0]
        seconds = max(now - since, 0.001)
        words.append(f"{(done - before) / seconds:,.0f} {self.unit}/s")
        rate = self._work(done - before, size_bytes - bytes_before) / seconds
        left = self._work(self.total - done, self.total_bytes - size_bytes)
        words.append(self._time_left(left, rate))
        return ", ".join([*words, *self._trouble()])

    def _work(self, done: int, size_bytes: int) -> int:
        """What takes time of that: the bytes too, where it is known how many there are in all."""
        return FILE_BYTES * done + size_bytes if self.total_bytes else done

    def _time_left(self, left: int, rate: float) -> str:
        if not self.total or rate <= 0:
            return "time left not known yet"
        return f"about {duration_text(max(left, 0) / rate)} left"

    def _trouble(self) -> list[str]:
        """What failed, and the longest pause."""
        words = [f"{self.failed:,} failed"] if self.failed else []
        seconds, at = self._slowest
        if seconds >= SLOW_SECONDS:
            where = f" at {printable(at)}" if at else ""
            words.append(f"slowest: {duration_text(seconds)}{where}")
        return words

    def _summary(self, now: float, cut_off: bool) -> str:
        """What stays of a stage, in one line."""
        seconds = max(now - self._began, 0.001)
        ended = "stopped after" if cut_off else "in"
        words = [f"{self.label}: {self.done:,} {self.unit} {ended} {duration_text(seconds)}"]
        if self.size_bytes:
            words.append(f"{size_text(self.size_bytes)} read")
        words.append(f"{self.done / seconds:,.0f} {self.unit}/s")
        return ", ".join([*words, *self._trouble()])


class Step:
    """What a stage asks the tables, in words, and how long it takes them to answer.

    While they do, nothing of ours runs that could say so; a thread does, from the first question
    on. It has to `rest` when a stage forks workers."""

    def __init__(self, words: str, parts: int = 0) -> None:
        self.words, self.parts = words, parts
        self.done = 0  # of the parts
        self._began = self._shown = self._last = time.monotonic()
        self._is_asking = False
        self._rests = threading.Event()
        self._watching: threading.Thread | None = None

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While the tables answer one question of the step."""
        if self._watching is None and self.words:
            self._rests.clear()
            self._watching = threading.Thread(target=self._watch, daemon=True)
            self._watching.start()
        self._is_asking = True
        try:
            yield
        finally:
            self._is_asking = False
            if not _line.in_progress:
                self._last = time.monotonic()

    def _watch(self) -> None:
        while not self._rests.wait(STEP_SECONDS / 4):
            if self._is_asking:
                self.tell()

    def rest(self) -> None:
        """No thread until the next question."""
        if self._watching:
            self._rests.set()
            self._watching.join()
            self._watching = None

    def tell(self) -> None:
        """Show the step, unless it was shown only just now."""
        now = time.monotonic()
        since = now - self._shown
        if _line.in_progress or not self.words:
            return
        self._last = now
        if since >= STEP_SECONDS and _line.due(since):
            self._shown = now
            took = duration_text(now - self._began)
            _line.show(", ".join([f"{self.words}: {took} so far", *self._left(now)]))

    def _left(self, now: float) -> list[str]:
        if not 0 < self.done < self.parts:
            return []
        left = (now - self._began) / self.done * (self.parts - self.done)
        return [f"{100 * self.done // self.parts}%", f"about {duration_text(left)} left"]

    def end(self, cut_off: bool = False) -> None:
        """A step that was shown and took long leaves a line."""
        self.rest()
        if self._shown > self._began:
            seconds = self._last - self._began
            took = f"{'stopped after ' if cut_off else ''}{duration_text(seconds)}"
            _line.close(f"{self.words}: {took}" if seconds >= SLOW_SECONDS else "")
