"""Room: the processes of some workers, and what one does in its life.

In: what makes a Worker. Out: a pipe to each, through which it is given tasks and answers.
Never: a worker that outlives its parent; a result lost because a worker died unnoticed.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, Protocol

from migrate.engine import underway
from migrate.errors import MigrateError

MOST_NOTED = 64
_noted: Any = None  # shared with the parent: how many entries this worker is reading, then which


# How a fault in a library's native code ends a process.
CRASHES = [
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
    if hasattr(signal, name)
]


class Worker(Protocol):
    """What runs in each process. `work` answers one task; `drain` gives what is still held back
    when there are no more tasks (or None)."""

    def work(self, task: Any) -> Any: ...

    def drain(self) -> Any: ...


Make = Callable[[], Worker]


class Failure(NamedTuple):
    """An error inside a worker that no task result could hold."""

    error: BaseException
    trace: str


class Fate(NamedTuple):
    """How a worker ended, if that is known, and the entries that it was reading."""

    exit_code: int | None
    reading: list[int]


class WorkerDied(MigrateError):
    """A worker process ended without answering. `at_work_on` names the entries it was reading, if
    it crashed (and was not killed by somebody)."""

    def __init__(self, exit_code: int | None, at_work_on: list[int]) -> None:
        super().__init__(
            f"a worker process died (exit code {exit_code})",
            "What was committed is safe. Run the same command again; if it happens at the same "
            "place, use fewer --workers (memory) and report it.",
        )
        crashed = exit_code is not None and -exit_code in CRASHES
        self.at_work_on = at_work_on if crashed else []


def note(entry_ids: list[int]) -> None:
    """Say which entries a library is about to be let loose on, so that a crash has a name."""
    if _noted is not None:
        _noted[0] = min(len(entry_ids), MOST_NOTED)
        _noted[1 : _noted[0] + 1] = entry_ids[:MOST_NOTED]


class Crew(Protocol):
    """Workers; `pipes`: one to each, which its user closes."""

    pipes: list[Connection]

    def add(self, count: int) -> None:
        """Have more of them.

        Errors: OSError if there can be no more processes."""

    def fate(self, number: int) -> Fate:
        """Of a worker that answers no more."""

    def end(self, at_once: bool) -> None:
        """Have all end, as they do once their pipes are closed; before this process ends."""


class Processes:
    """Workers as children of this process. On Linux they are forks of it: have them before anything
    starts threads (a query, say). `others`: open here, and nothing for them."""

    def __init__(self, make: Make, count: int, others: Sequence[Connection] = ()) -> None:
        # Fork where it is safe and fast: a fresh interpreter costs a third of a second a worker.
        self._method = "fork" if sys.platform == "linux" else "spawn"
        self._make, self._others = make, others
        self.pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._notes: list[Any] = []
        self.add(count)

    def add(self, count: int) -> None:
        context: Any = multiprocessing.get_context(self._method)
        for _ in range(count):
            ours, theirs = context.Pipe()
            noted = context.RawArray("q", MOST_NOTED + 1)
            inherited = [*self.pipes, ours, *self._others] if self._method == "fork" else []
            process = context.Process(
                target=_serve, args=(self._make, theirs, inherited, noted), daemon=True
            )
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self._processes.append(process)
            self._notes.append(noted)

    def fate(self, number: int) -> Fate:
        process, noted = self._processes[number], self._notes[number]
        process.join(1)
        return Fate(process.exitcode, list(noted[1 : noted[0] + 1]))

    def end(self, at_once: bool) -> None:
        for process in self._processes:
            if at_once:
                process.kill()
            process.join()


def _serve(make: Make, pipe: Connection, inherited: list[Connection], noted: Any) -> None:
    """The worker's life: answer tasks until told to drain or the parent is gone."""
    global _noted
    _noted = noted
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in inherited:  # or a dead parent would go unnoticed: a sibling held its pipe open
        other.close()
    # Workers make rows by the hundred thousand and hardly a cycle; looking for cycles in all of
    # them again and again takes time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    _answer_all(make(), pipe)
    os._exit(1)


def _answer_all(worker: Worker, pipe: Connection) -> None:
    """Until the parent is gone, or has given up: nobody listens."""
    with suppress(EOFError, OSError):
        while True:
            task = pipe.recv()
            underway.begin(None if task is None else pipe)
            pipe.send(_attempt(worker, task))


def _attempt(worker: Worker, task: Any) -> Any:
    try:
        return worker.drain() if task is None else worker.work(task)
    except Exception as error:
        return Failure(error, traceback.format_exc())
