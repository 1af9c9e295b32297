"""Room: a function spread over processes.

In: tasks, as the workers get free to take them. Out: results, as they come; the caller commits.
The task source may grow while results are read: that is how a crawl finds its own work.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, NamedTuple

from migrate.engine.crew import Crew, Failure, WorkerDied
from migrate.engine.underway import UnderWay
from migrate.errors import MigrateError
from migrate.events import Progress
from migrate.sources import AT_ONCE


class Count(NamedTuple):
    """How many workers begin, and how many there are at work while they have to wait."""

    at_first: int
    at_most: int


class Workers:
    """A crew at work; a context manager. The first Ctrl-C lets them finish what they have in hand,
    so that it can be committed; the second ends them at once. `at_most`: how many there may be, if
    there may be more."""

    def __init__(self, crew: Crew, at_most: int = 0) -> None:
        self._crew, self._pipes = crew, crew.pipes
        self._at_first = self.at_once = len(crew.pipes)
        self._at_most = max(at_most, self._at_first)
        self._stopping = False
        self._handlers: dict[int, Any] = {}

    def said_to_wait(self, is_waiting: bool) -> None:
        """Have more at work while a disk has them wait, otherwise as many as began: what they would
        wait for then is processors."""
        missing = self._at_most - len(self._pipes)
        if is_waiting and missing:
            try:
                self._crew.add(missing)
            except OSError:  # the system has no more: it goes on with those there are
                self._at_most = len(self._pipes)
        self.at_once = self._at_most if is_waiting else self._at_first

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked to stop."""
        return self._stopping

    def __enter__(self) -> Workers:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def _stop(self, number: int, frame: Any) -> None:
        if self._stopping:
            raise KeyboardInterrupt
        self._stopping = True
        print("stopping when what is under way is done; again: at once", file=sys.stderr)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for pipe in self._pipes:
            pipe.close()
        self._crew.end(at_once=kind is not None)

    def run(self, next_task: Callable[[], Any], progress: Progress) -> Iterator[Any]:
        """Hand out tasks until `next_task` gives None and no worker is busy, then drain. What is
        told of tasks before they are done goes to `progress`.

        Errors: WorkerDied; whatever a worker raised; KeyboardInterrupt after the last result if
        somebody asked to stop."""
        busy: list[Connection] = []
        while True:
            while self._may_begin(busy) and (task := next_task()) is not None:
                pipe = next(pipe for pipe in self._pipes if pipe not in busy)
                pipe.send(task)
                busy.append(pipe)
            if not busy:
                break
            for ready in wait(busy):
                assert isinstance(ready, Connection)
                answer = self._answer(ready)
                if isinstance(answer, UnderWay):
                    progress.told(ready, answer)
                    continue
                progress.handed_in(ready)
                yield answer
                busy.remove(ready)
        yield from self._drain()
        if self._stopping:
            raise KeyboardInterrupt

    def _may_begin(self, busy: list[Connection]) -> bool:
        return len(busy) < self.at_once and not self._stopping

    def _drain(self) -> Iterator[Any]:
        for pipe in self._pipes:
            pipe.send(None)
        for pipe in self._pipes:
            answer = self._answer(pipe)
            if answer is not None:
                yield answer

    def _answer(self, pipe: Connection) -> Any:
        try:
            answer = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise WorkerDied(*self._crew.fate(self._pipes.index(pipe))) from None
        if isinstance(answer, Failure):
            if isinstance(answer.error, MigrateError | OSError):
                raise answer.error
            raise RuntimeError(f"in a worker:\n{answer.trace}") from answer.error
        return answer


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Have this process do something itself while workers are at work; no thread is left of it at
    the end (or processes could not be forked any more).

    Errors: what `work` raises."""
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if errors:
        raise errors[0]


def loading(modules: Iterable[str]) -> AbstractContextManager[None]:
    """Load what will be needed next while workers are at work."""
    return meanwhile(lambda: [*map(import_module, modules)])


def readers(wanted: int | None, is_remote: bool) -> Count:
    """How many are to read files: as many as wanted, or else as there are processors, and more
    while a folder of this machine has them wait (which they can tell on Linux only)."""
    at_first = wanted or default_workers()
    is_fixed = wanted or is_remote or sys.platform != "linux"
    return Count(at_first, at_first if is_fixed else max(at_first, AT_ONCE))


def default_workers() -> int:
    """As many as this process may use processors."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
