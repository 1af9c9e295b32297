"""Room: how far a worker is with what it has in hand, told while it is at it.

A task may take an hour: one file of a hundred gigabytes, one folder of a million files. In: what is
done, as it is done. Out: now and then a word to the parent, before the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

TELL_SECONDS = 1.0


class UnderWay(NamedTuple):
    """What has been done of a task so far, and at what the worker is."""

    done: int = 0
    size_bytes: int = 0
    at: str = ""


class _Teller:
    """One in each worker; where there is none, `pipe` is None and nothing is told."""

    pipe: Connection | None = None
    done = size_bytes = 0
    at: Callable[[], str] = str
    told_at = 0.0


_teller = _Teller()


def begin(pipe: Connection | None) -> None:
    """A task begins, of which `pipe` is to be told (None: nobody)."""
    _teller.pipe, _teller.told_at = pipe, time.monotonic()
    _teller.done, _teller.size_bytes, _teller.at = 0, 0, str


def tell(done: int = 0, size_bytes: int = 0, at: Callable[[], str] | None = None) -> None:
    """More of the task is done, in the unit of its stage's progress; or it is `at` something else
    from now on, which is asked when it is told. To be called wherever a task may take long; it
    costs a quarter of a microsecond."""
    if _teller.pipe is None:
        return
    _teller.done += done
    _teller.size_bytes += size_bytes
    if at:
        _teller.at = at
    now = time.monotonic()
    if now - _teller.told_at >= TELL_SECONDS:
        _teller.told_at = now
        try:
            _teller.pipe.send(UnderWay(_teller.done, _teller.size_bytes, _teller.at()))
        except OSError:  # the parent is gone; that is for the answer to find out
            _teller.pipe = None
