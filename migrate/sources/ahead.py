"""Room: content asked for before it is read, where a disk has whoever reads it wait.

In: files of an open folder, about to be read. Out: the same, open, their content on its way.
A disk with nothing in memory answers one reader after the other: asked for many files at once, it
answers in less than three quarters of the time. Where all is in memory asking costs a tenth, so it
is left out as long as nobody waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from migrate.sources.local import open_in

# How often in a hundred files a process has to wait when it begins to ask, and when it stops. (Two
# numbers, or it would begin and stop by turns: who asks waits less.)
WAITS, WAITS_NO_MORE = 20, 5
AHEAD_FILES = 64  # open at once
AHEAD_BYTES = 64 << 10  # a small file whole, the head of a large one


def times_waited() -> int:
    """How often this process has given up its processor because there was something to wait for.
    (Time would not tell a slow disk from a busy processor.)"""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # not on Windows, which cannot be asked ahead either
        return 0
    return getrusage(RUSAGE_SELF).ru_nvcsw


class Ahead:
    """What one process asks for ahead."""

    def __init__(self) -> None:
        self.is_worth_it = False
        self.begin()

    def begin(self) -> None:
        """A task begins (until then there was nothing to do)."""
        self._waited = times_waited()

    def judge(self, files: int) -> bool:
        """It is done: whether reading so many files was waiting, too."""
        enough = WAITS_NO_MORE if self.is_worth_it else WAITS
        self.is_worth_it = 100 * (times_waited() - self._waited) > enough * files
        return self.is_worth_it

    def opener(self, folder: int, names: list[str]) -> Callable[[str], int]:
        """What opens each of the files of an open folder, in this order, as `open_in` does."""
        if self.is_worth_it and hasattr(os, "posix_fadvise"):
            return _Asked(folder, iter(names)).open
        return partial(open_in, folder)


class _Asked:
    """Files of a folder on their way, some at a time."""

    def __init__(self, folder: int, names: Iterator[str]) -> None:
        self.folder, self.names = folder, names
        self.files: dict[str, int | None] = {}  # None: could not be opened

    def open(self, name: str) -> int:
        if name not in self.files:
            self._ask()
        file = self.files.pop(name, None)
        return open_in(self.folder, name) if file is None else file  # which says what is wrong

    def _ask(self) -> None:
        for name in islice(self.names, AHEAD_FILES):
            self.files[name] = None
            with suppress(OSError):
                self.files[name] = file = open_in(self.folder, name)
                os.posix_fadvise(file, 0, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
