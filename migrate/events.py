"""Room: what a stage says while it works, and the only place that shows it.

Stages call `advance`; a terminal gets one line that changes, everything else gets plain lines from
time to time. All of it goes to stderr: stdout belongs to results.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from migrate.paths import printable
from migrate.wording import duration_text, size_text

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 10.0


class Progress:
    """The progress of one stage; a context manager.

    `total` in the stage's own unit where it is known. Redrawn from `advance`, not by a thread:
    a stage may fork workers while this is open."""

    def __init__(self, label: str, unit: str = "files", total: int | None = None) -> None:
        self.label, self.unit, self.total = label, unit, total
        self.done = self.size_bytes = self.failed = 0
        self._began = time.monotonic()
        self._shown = self._began
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

    def advance(
        self, done: int = 1, size_bytes: int = 0, failed: int = 0, now_at: str = ""
    ) -> None:
        """More is done. `now_at` names what is being worked on."""
        self.done += done
        self.size_bytes += size_bytes
        self.failed += failed
        now = time.monotonic()
        if now - self._shown < (TERMINAL_SECONDS if self._live else PLAIN_SECONDS):
            return
        self._shown = now
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
        seconds = max(now - self._began, 0.001)
        of_total = f" of {self.total:,}" if self.total else ""
        words = [f"{self.label}: {self.done:,}{of_total} {self.unit}"]
        if self.size_bytes:
            words.append(f"{size_text(self.size_bytes)} read")
        words.append(f"{self.done / seconds:,.0f} {self.unit}/s")
        words.append(self._time_left(seconds))
        if self.failed:
            words.append(f"{self.failed:,} failed")
        return ", ".join(words)

    def _time_left(self, seconds: float) -> str:
        if not self.total or not self.done:
            return "time left not known yet"
        left = max(self.total - self.done, 0) * seconds / self.done
        return f"about {duration_text(left)} left"
