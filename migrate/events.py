"""Room: what a stage says while it works, and the only place that shows it.

Stages call `advance`; a terminal gets one line that changes, everything else gets plain lines from
time to time. A stage that was shown ends with one line that stays: how much, how long, how fast,
what failed and what held it up. All of it goes to stderr: stdout belongs to results.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from migrate.paths import printable
from migrate.wording import duration_text, size_text

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 10.0
RECENT_SECONDS = 60.0  # the time left is reckoned from how it went lately
SLOW_SECONDS = 5.0  # a pause without anything done that is worth telling


class Progress:
    """The progress of one stage; a context manager.

    `total` in the stage's own unit where it is known. Redrawn from `advance`, not by a thread:
    a stage may fork workers while this is open."""

    def __init__(self, label: str, unit: str = "files", total: int | None = None) -> None:
        self.label, self.unit, self.total = label, unit, total
        self.done = self.size_bytes = self.failed = 0
        self._began = time.monotonic()
        self._shown = self._last = self._began
        self._lately: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._slowest: tuple[float, str] = (0.0, "")  # the longest pause, and what ended it
        self._console = Console(stderr=True)
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=True)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()
        if self._shown > self._began:
            print(self._summary(time.monotonic(), cut_off=kind is not None), file=sys.stderr)

    def advance(
        self, done: int = 1, size_bytes: int = 0, failed: int = 0, now_at: str = ""
    ) -> None:
        """More is done. `now_at` names what is being worked on."""
        self.done += done
        self.size_bytes += size_bytes
        self.failed += failed
        now = time.monotonic()
        self._slowest = max(self._slowest, (now - self._last, now_at))
        self._last = now
        if now - self._shown < (TERMINAL_SECONDS if self._live else PLAIN_SECONDS):
            return
        self._shown = now
        self._lately.append((now, self.done))
        while len(self._lately) > 2 and now - self._lately[0][0] > RECENT_SECONDS:
            self._lately.popleft()
        line = self._line(now)
        if self._live:
            text = Text(line)
            if now_at:
                text.append(f"\n  {printable(now_at)}", style="dim")
            self._live.update(text, refresh=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def note(self, line: str) -> None:
        """Something a person waiting should know, at once."""
        print(f"{self.label}: {printable(line)}", file=sys.stderr, flush=True)

    def _line(self, now: float) -> str:
        of_total = f" of {self.total:,}" if self.total else ""
        words = [f"{self.label}: {self.done:,}{of_total} {self.unit}"]
        if self.size_bytes:
            words.append(f"{size_text(self.size_bytes)} read")
        since, before = self._lately[0]
        rate = (self.done - before) / max(now - since, 0.001)
        words.append(f"{rate:,.0f} {self.unit}/s")
        words.append(self._time_left(rate))
        return ", ".join([*words, *self._trouble()])

    def _time_left(self, rate: float) -> str:
        if not self.total or not rate:
            return "time left not known yet"
        return f"about {duration_text(max(self.total - self.done, 0) / rate)} left"

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
