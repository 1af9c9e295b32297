"""Room: a function spread over processes.

In: tasks, as the workers get free to take them. Out: results, as they come; the caller commits.
The task source may grow while results are read: that is how a crawl finds its own work.
Never: a worker that outlives its parent; a result lost because a worker died unnoticed.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from migrate.errors import MigrateError


class Worker(Protocol):
    """What runs in each process. `work` answers one task; `drain` gives what is still held back
    when there are no more tasks (or None)."""

    def work(self, task: Any) -> Any: ...

    def drain(self) -> Any: ...


class _Failure(NamedTuple):
    """An error inside a worker that no task result could hold."""

    error: BaseException
    trace: str


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


# How a fault in a library's native code ends a process.
CRASHES = [
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE")
    if hasattr(signal, name)
]
MOST_NOTED = 64
_noted: Any = None  # shared with the parent: how many entries this worker is reading, then which


def note(entry_ids: list[int]) -> None:
    """Say which entries a library is about to be let loose on, so that a crash has a name."""
    if _noted is not None:
        _noted[0] = min(len(entry_ids), MOST_NOTED)
        _noted[1 : _noted[0] + 1] = entry_ids[:MOST_NOTED]


class Workers:
    """A few processes, each with its own Worker; a context manager.

    Open it before anything starts threads (a query, say): on Linux the processes are forks. The
    first Ctrl-C lets them finish what they have in hand, so that it can be committed; the second
    ends them at once."""

    def __init__(self, make: Callable[[], Worker], count: int) -> None:
        # Fork where it is safe and fast: a fresh interpreter costs a third of a second a worker.
        method = "fork" if sys.platform == "linux" else "spawn"
        context: Any = multiprocessing.get_context(method)
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._notes: list[Any] = []
        self._stopping = False
        self._handlers: dict[int, Any] = {}
        for _ in range(count):
            ours, theirs = context.Pipe()
            noted = context.RawArray("q", MOST_NOTED + 1)
            self._notes.append(noted)
            self._pipes.append(ours)
            inherited = self._pipes if method == "fork" else []
            process = context.Process(
                target=_serve, args=(make, theirs, list(inherited), noted), daemon=True
            )
            process.start()
            theirs.close()
            self._processes.append(process)

    def __len__(self) -> int:
        return len(self._pipes)

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
        for process in self._processes:
            if kind is not None:
                process.kill()
            process.join()

    def run(self, next_task: Callable[[], Any]) -> Iterator[Any]:
        """Hand out tasks until `next_task` gives None and no worker is busy, then drain.

        Errors: WorkerDied; whatever a worker raised; KeyboardInterrupt after the last result if
        somebody asked to stop."""
        idle = list(self._pipes)
        busy: list[Connection] = []
        while True:
            while idle and not self._stopping and (task := next_task()) is not None:
                pipe = idle.pop()
                pipe.send(task)
                busy.append(pipe)
            if not busy:
                break
            for ready in wait(busy):
                assert isinstance(ready, Connection)
                yield self._answer(ready)
                busy.remove(ready)
                idle.append(ready)
        yield from self._drain()
        if self._stopping:
            raise KeyboardInterrupt

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
            number = self._pipes.index(pipe)
            process, noted = self._processes[number], self._notes[number]
            process.join(1)
            raise WorkerDied(process.exitcode, list(noted[1 : noted[0] + 1])) from None
        if isinstance(answer, _Failure):
            if isinstance(answer.error, MigrateError | OSError):
                raise answer.error
            raise RuntimeError(f"in a worker:\n{answer.trace}") from answer.error
        return answer


def _serve(
    make: Callable[[], Worker], pipe: Connection, inherited: list[Connection], noted: Any
) -> None:
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
    worker = make()
    while True:
        try:
            task = pipe.recv()
            answer = _attempt(worker, task)
            pipe.send(answer)
        except (EOFError, OSError):  # the parent is gone, or has given up: nobody listens
            os._exit(1)


def _attempt(worker: Worker, task: Any) -> Any:
    try:
        return worker.drain() if task is None else worker.work(task)
    except Exception as error:
        return _Failure(error, traceback.format_exc())


@contextmanager
def loading(modules: Iterable[str]) -> Iterator[None]:
    """Load what will be needed next while workers are at work; no thread is left of it at the end
    (or processes could not be forked any more)."""
    thread = threading.Thread(target=lambda: [*map(import_module, modules)], daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def default_workers() -> int:
    """As many as this process may use processors."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
