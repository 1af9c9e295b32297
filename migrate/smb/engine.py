"""Room: many jobs over a few connections to one share; one thread, one selector.

A job is a generator: it yields compounds of requests, gets their answers and returns its result.
In: jobs. Out: their results. A job whose connection breaks is begun again on another one.
Never: wait for ever; lose a job; begin one again that is `pinned` to a file held open.
"""

from __future__ import annotations

import errno
import selectors
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from migrate.config import Server
from migrate.errors import ShareUnreachable
from migrate.smb.address import Address
from migrate.smb.channel import Channel, ConnectionLost, Wire
from migrate.smb.handshake import Link, Unavailable, connect
from migrate.smb.messages import CREDIT_BYTES, Answers, Malformed, Request
from migrate.smb.pace import Pace
from migrate.smb.plain import PlainChannel
from migrate.smb.status import BUSY
from migrate.sources import SourceError

Result = TypeVar("Result")
Steps = Generator[list[Request], Answers, Result]

MOST_TRIES = 8  # of one job, over connections that broke under it
MOST_BUSY = 60  # times that a server may say it is too busy for a job; a second or more each
FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS = 0.25, 15.0
JOBS_PER_CONNECTION = 16  # more than this in flight, and another connection is opened
SLOWEST_ANSWER = 10  # times the time-out, for one answer while others keep coming
IDLE_SECONDS = 0.5
GO_ON = "What was done is safe; run the same command again to go on."


def retry_seconds(failures: int) -> float:
    """How long to wait before connecting again: not at all after the first break."""
    if failures < 2:
        return 0.0
    return float(min(FIRST_RETRY_SECONDS * 2 ** (failures - 2), MOST_RETRY_SECONDS))


class Job(Generic[Result]):
    """One thing to do. `pinned` to the connection that holds its file open: not begun again."""

    def __init__(
        self, make: Callable[[], Steps[Result]], kind: str, wire: Wire | None,
        when_done: Callable[[Job[Result]], None] | None,
    ) -> None:  # fmt: skip
        self.make, self.kind, self.when_done = make, kind, when_done
        self.pinned = wire is not None
        self.wire = wire
        self.steps = make()
        self.done = False
        self.tries = self.refused = 0
        self.sent_at = 0.0
        self.error: Exception | None = None
        self._result: Result | None = None

    def result(self) -> Result:
        """What the job returned.

        Errors: OSError of the entry; ConnectionLost if it was pinned."""
        assert self.done
        if self.error:
            raise self.error
        return self._result  # type: ignore[return-value]

    def finish(self, result: Result | None, error: Exception | None = None) -> None:
        self.done, self._result, self.error = True, result, error
        if self.when_done:
            self.when_done(self)


class Engine:
    """Jobs on one share. `among`: how many workers share what the server allows."""

    def __init__(self, address: Address, server: Server, among: int = 1) -> None:
        self.address, self.server = address, server
        self.connections = max(1, server.connections // among)
        megabytes = server.megabytes_per_second
        self.pace = Pace(
            server.requests // among,
            server.requests_per_second and server.requests_per_second / among,
            megabytes and megabytes * 1e6 / among,
        )
        self.wires: list[Wire] = []
        self._failures = 0  # connections that broke or did not come about since the last answer
        self._ready: deque[tuple[Job[Any], list[Request]]] = deque()
        self._flying: dict[Job[Any], Wire] = {}
        self._selector = selectors.DefaultSelector()

    def close(self) -> None:
        """Let go of the server; the next job connects again."""
        for wire in self.wires:
            self._forget(wire)
            wire.close()
        self.wires.clear()
        self._flying.clear()
        self._ready.clear()

    def link(self, patiently: bool = True) -> Link:
        """A connection's link, connecting if there is none; not `patiently`: at the first attempt.

        Errors: ShareUnreachable."""
        if not self.wires:
            self._connect(patiently)
        return self.wires[0].link

    # Jobs

    def start(
        self, make: Callable[[], Steps[Result]], kind: str, wire: Wire | None = None,
        when_done: Callable[[Job[Result]], None] | None = None,
    ) -> Job[Result]:  # fmt: skip
        """Begin a job; `pump` moves it on."""
        job = Job(make, kind, wire, when_done)
        if wire is not None and wire not in self.wires:
            job.finish(None, ConnectionLost("the connection that held the file open broke"))
        else:
            self._advance(job, None)
        return job

    def run(self, make: Callable[[], Steps[Result]], kind: str, wire: Wire | None = None) -> Result:
        """Begin a job and wait for its result. Errors: as `Job.result`, ShareUnreachable."""
        return self.wait(self.start(make, kind, wire))

    def wait(self, job: Job[Result]) -> Result:
        while not job.done:
            self.pump()
        return job.result()

    def has_room(self) -> bool:
        """Whether one more job would be under way at once, or only queue."""
        return len(self._flying) + len(self._ready) < int(self.pace.width)

    def is_hungry(self) -> bool:
        """Whether there is room for several more: sent together they cost both sides less."""
        return (len(self._flying) + len(self._ready)) * 4 <= int(self.pace.width) * 3

    def send_ready(self) -> None:
        """Send what may be sent, and wait for nothing."""
        self._dispatch()

    def pump(self) -> None:
        """Send what may be sent, wait for answers, move the jobs on that they belong to.

        Errors: ShareUnreachable when the server stays away."""
        self._dispatch()
        if not self._flying:
            if self._ready:  # the pace says wait
                time.sleep(min(self.pace.wait_seconds(time.monotonic()), IDLE_SECONDS))
            return
        for wire in self._with_news():
            self._guarded(wire, wire.receive)
        self._look_for_silence()

    def _with_news(self) -> list[Wire]:
        for wire in self.wires:
            if wire.fileno() >= 0:
                events = selectors.EVENT_READ
                if wire.wants_to_write():
                    events |= selectors.EVENT_WRITE
                key = self._selector.get_map().get(wire.fileno())
                if key is None:
                    self._selector.register(wire.fileno(), events, wire)
                elif key.events != events:
                    self._selector.modify(wire.fileno(), events, wire)
        timeout = IDLE_SECONDS
        if self._ready:
            timeout = min(timeout, max(0.001, self.pace.wait_seconds(time.monotonic())))
        return [key.data for key, _ in self._selector.select(timeout)]

    # Sending

    def _dispatch(self) -> None:
        """Send what is ready, as far as pace and credits allow."""
        held: list[tuple[Job[Any], list[Request]]] = []
        while self._ready:
            now = time.monotonic()
            if self.pace.wait_seconds(now) > 0:
                break
            job, requests = self._ready.popleft()
            if job.done:  # given up meanwhile
                continue
            wire = job.wire or self._wire()
            if wire not in self.wires:  # broken, with the file that the job is about
                job.finish(None, ConnectionLost("the connection broke"))
                continue
            credits = sum(request.credits for request in requests)
            if wire.credits < credits and wire.in_flight:
                held.append((job, requests))
                if len(held) > len(self.wires):
                    break
                continue
            self._send(job, wire, requests, credits, now)
        self._ready.extendleft(reversed(held))
        for wire in list(self.wires):
            self._guarded(wire, wire.flush)

    def _send(
        self, job: Job[Any], wire: Wire, requests: list[Request], credits: int, now: float
    ) -> None:
        job.wire, job.sent_at = wire, now
        self._flying[job] = wire
        self.pace.sent(len(requests), (credits - len(requests)) * CREDIT_BYTES, now)
        self._guarded(wire, lambda: wire.send(requests, lambda found: self._answered(job, found)))

    def _guarded(self, wire: Wire, action: Callable[[], None]) -> None:
        """Something done on a connection, which may break at it."""
        try:
            action()
        except ConnectionLost as lost:
            self._lost(wire, lost)

    def _wire(self) -> Wire:
        """The connection with the least to do; a new one where all have enough."""
        if not self.wires:
            self._connect()
        wire = min(self.wires, key=lambda wire: wire.in_flight)
        if wire.in_flight >= JOBS_PER_CONNECTION and len(self.wires) < self.connections:
            try:
                self.wires.append(self._new_wire())
            except (Unavailable, ShareUnreachable):
                self.connections = len(self.wires)  # the server wants no more of us
            else:
                return self.wires[-1]
        return wire

    # Answers

    def _answered(self, job: Job[Any], answers: Answers) -> None:
        self._failures = 0
        if job.done:  # given up
            return
        now = time.monotonic()
        del self._flying[job]
        self.pace.answered(job.kind, now - job.sent_at, now)
        if any(answer.status in BUSY for answer in answers):
            self.pace.busy(now)
            if not job.pinned and job.refused < MOST_BUSY:
                job.refused += 1
                self._again(job)
                return
        self._advance(job, answers)

    def _advance(self, job: Job[Any], answers: Answers | None) -> None:
        """Let a job go on with its answers, to its next compound or its end."""
        try:
            requests = next(job.steps) if answers is None else job.steps.send(answers)
        except StopIteration as stopped:
            job.finish(stopped.value)
        except Malformed as error:
            message = f"the server's answer makes no sense: {error}"
            job.finish(None, SourceError(errno.EIO, message, "", "bad_answer"))
        except OSError as error:
            job.finish(None, error)
        else:
            if answers is None:
                self._ready.append((job, requests))
            else:
                self._ready.appendleft((job, requests))

    def _again(self, job: Job[Any]) -> None:
        """Begin a job anew."""
        if not job.pinned:
            job.wire = None
        job.steps = job.make()
        self._advance(job, None)

    # Failure

    def _lost(self, wire: Wire, lost: ConnectionLost) -> None:
        """A connection broke: its jobs go to another one."""
        if wire in self.wires:
            self.wires.remove(wire)
            self._forget(wire)
            wire.close()
            self._failures += 1
        jobs = [job for job, at in self._flying.items() if at is wire]
        waiting = [job for job, _ in self._ready if job.wire is wire]
        self._ready = deque((job, what) for job, what in self._ready if job.wire is not wire)
        for job in jobs:
            del self._flying[job]
        for job in jobs + waiting:
            if job.pinned:
                job.finish(None, lost)
            elif job.tries >= MOST_TRIES:
                message = f"the connection broke {job.tries} times at it: {lost}"
                job.finish(None, SourceError(errno.ECONNRESET, message, "", "connection_lost"))
            else:
                job.tries += 1
                self._again(job)

    def _forget(self, wire: Wire) -> None:
        if wire.fileno() >= 0 and wire.fileno() in self._selector.get_map():
            self._selector.unregister(wire.fileno())

    def _look_for_silence(self) -> None:
        """No answer at all on a connection: it hangs. None to one request: that is given up."""
        now, limit = time.monotonic(), self.server.timeout_seconds
        for wire in list(self.wires):
            if wire.silent_seconds(now) > limit:
                self._lost(wire, ConnectionLost(f"no answer for {limit:.0f} seconds"))
        if not self._flying:
            return
        oldest = next(iter(self._flying))
        if now - oldest.sent_at > SLOWEST_ANSWER * limit:
            del self._flying[oldest]
            oldest.finish(None, OSError(errno.ETIMEDOUT, "the server does not answer this request"))

    def _connect(self, patiently: bool = True) -> None:
        """The first connection, or one after all broke: tried again and again, but not for ever.

        Errors: ShareUnreachable."""
        tries = self.server.retries + 1 if patiently else 1
        while True:
            time.sleep(retry_seconds(self._failures))
            try:
                self.wires.append(self._new_wire())
                return
            except Unavailable as error:
                self._failures += 1
                if self._failures < tries:
                    continue
                tries, self._failures = self._failures, 0
                if not patiently:
                    raise ShareUnreachable(error.what, error.todo) from None
                said = f"{error.what}; tried {tries} times"
                raise ShareUnreachable(said, f"{error.todo} {GO_ON}") from None

    def _new_wire(self) -> Wire:
        link = connect(self.address, self.server)
        if link.plain:
            return PlainChannel(link, self.server.timeout_seconds)
        return Channel(link)
