"""Room: where workers come from that are wanted soon: a process that loads what they need while
this one loads what it needs itself, and then forks them. Linux only; elsewhere nothing is forked.

In: the modules they need; later what makes a Worker. Out: a crew, as if it were of this process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from migrate.engine.crew import Fate, Make, Processes, WorkerDied


def nursery(*modules: str) -> AbstractContextManager[Nursery | None]:
    """A nursery, where processes can be forked; open it before anything starts threads."""
    return closing(Nursery(modules)) if sys.platform == "linux" else nullcontext()


class Nursery:
    """Has one crew after the other. What makes its workers is sent there: it must be picklable."""

    def __init__(self, modules: Sequence[str]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_tend, args=(theirs, self.pipe, modules), name="nursery"
        )
        self.process.start()
        theirs.close()
        self._is_used = False

    def crew(self, make: Make, count: int) -> Lent:
        """Workers that are children of the nursery.

        Errors: OSError if there can be no more processes; WorkerDied if the nursery is gone."""
        self._is_used = True
        return Lent(self, self.pipes((make, count), count))

    def pipes(self, asked: tuple[Any, ...], count: int) -> list[Connection]:
        """As many as were asked for.

        Errors: see `crew`."""
        try:
            self.pipe.send(asked)
            refused = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(1)
            raise WorkerDied(self.process.exitcode, []) from None
        if refused:
            raise refused
        return [Connection(recv_handle(self.pipe)) for _ in range(count)]

    def dismiss(self) -> None:
        """It has had its last crew: it may end while this process goes on."""
        self.pipe.close()

    def close(self) -> None:
        self.dismiss()
        if not self._is_used:
            self.process.kill()  # it may still be loading: who made a slip need not wait for that
        self.process.join()


class Lent:
    """The crew of a nursery."""

    def __init__(self, nursery: Nursery, pipes: list[Connection]) -> None:
        self.nursery, self.pipes = nursery, pipes

    def add(self, count: int) -> None:
        self.pipes += self.nursery.pipes(("add", count), count)

    def fate(self, number: int) -> Fate:
        try:
            self.nursery.pipe.send(("fate", number))
            return Fate(*self.nursery.pipe.recv())
        except (EOFError, OSError):  # the nursery has died too
            return Fate(None, [])

    def end(self, at_once: bool) -> None:
        """Not waited for here: the nursery has no other crew before, and does not end before."""
        with suppress(EOFError, OSError):
            self.nursery.pipe.send(("end", at_once))


def _tend(pipe: Connection, parents: Connection, modules: Sequence[str]) -> None:
    """The nursery's life: a crew at a time, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parents.close()
    for module in modules:
        import_module(module)
    with suppress(EOFError, OSError):
        while True:
            _have(pipe, *pipe.recv())
    os._exit(0)


def _have(pipe: Connection, make: Make, count: int) -> None:
    """A crew, until the parent has it end."""
    crew = Processes(make, 0, [pipe])
    if not _lend(crew, count, pipe):
        return
    try:
        while (asked := pipe.recv())[0] != "end":
            if asked[0] == "add":
                _lend(crew, asked[1], pipe)
            else:
                pipe.send(crew.fate(asked[1]))
    except EOFError:  # the parent has gone, or gave up
        crew.end(at_once=True)
        raise
    crew.end(asked[1])


def _lend(crew: Processes, count: int, pipe: Connection) -> bool:
    """Have more workers and give their pipes away; whether there could be so many."""
    before, refused = len(crew.pipes), None
    try:
        crew.add(count)
    except OSError as error:  # no more processes, no memory
        refused = error
    pipe.send(refused)
    for ours in crew.pipes[before:]:
        if not refused:
            send_handle(pipe, ours.fileno(), 0)
        ours.close()  # theirs alone now: whether the parent is gone is seen by its end
    return not refused
