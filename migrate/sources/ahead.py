"""Room: content asked for before it is read, where a disk has whoever reads it wait.

In: files of an open folder, about to be read. Out: nothing; their content is on its way.
A disk with nothing in memory answers one reader after the other: asked for many files at once, it
answers in less than three quarters of the time. Where all is in memory asking costs a tenth, so it
is left out as long as nobody waits.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from migrate.sources.local import open_in

# How much longer than at work a process is under way when it begins to ask, and when it stops. (Two
# values, or it would begin and stop by turns: who asks waits less.)
WAITS, WAITS_NO_MORE = 1.5, 1.15
AHEAD_BYTES = 64 << 10  # a small file whole, the head of a large one


class Ahead:
    """What one process asks for ahead."""

    def __init__(self) -> None:
        self.is_worth_it = False
        self.begin()

    def begin(self) -> None:
        """A task begins (until then there was nothing to do)."""
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def judge(self) -> None:
        """It is done: whether it was waiting rather than work."""
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        self.is_worth_it = wall > cpu * (WAITS_NO_MORE if self.is_worth_it else WAITS)

    def ask(self, folder: int, names: list[str]) -> None:
        """Have the system fetch files of an open folder. What goes wrong is told by who reads."""
        if not self.is_worth_it or not hasattr(os, "posix_fadvise"):
            return
        for name in names:
            with suppress(OSError):
                file = open_in(folder, name)
                try:
                    os.posix_fadvise(file, 0, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
                finally:
                    os.close(file)
