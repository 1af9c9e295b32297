"""Room: a library that is fed hostile files, in a process of its own, with limits.

In: questions: a few words and a file's bytes. Out: answers as JSON. The process ends by itself
where it takes too long, wants too much memory or crashes; then that question has an error and the
next one a new process. Never: a file that stops a run; an answer larger than a row can be; a
process that outlives its worker.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from migrate.errors import MigrateError

MOST_ANSWER_BYTES = 1 << 20
_SIZES = struct.Struct("<II")  # of the words and of the bytes that follow


class Exceeded(Exception):
    """The process went too far; `code` is one word for the table."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Limited:
    """A process that answers questions one by one, started when the first is asked.

    `command` is a program that calls `serve`."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, words: dict[str, Any], content: bytes) -> dict[str, Any]:
        """The answer.

        Errors: Exceeded; MigrateError if the process does not even start."""
        process = self._process or self._start()
        try:
            _send(process.stdin, words, content)
            answer = _receive(process.stdout, MOST_ANSWER_BYTES)
        except (BrokenPipeError, EOFError):
            raise Exceeded(self._end()) from None
        except _TooLong:
            process.kill()
            self._end()
            raise Exceeded("too_much_found") from None
        return answer[0]

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        # A group of its own: Ctrl-C is for the parent, which lets it finish.
        alone: dict[str, Any] = {} if os.name == "nt" else {"process_group": 0}
        process = subprocess.Popen(  # noqa: S603 - our own program
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, **alone,
        )  # fmt: skip
        self._process = process
        try:
            ready = _receive(process.stdout, MOST_ANSWER_BYTES)[0]
        except EOFError:
            ready = {"failed": f"it ended with exit code {process.wait()}"}
        if "failed" in ready:
            self._end()
            raise MigrateError(f"the process that reads files does not start: {ready['failed']}")
        return process

    def _end(self) -> str:
        process, self._process = self._process, None
        assert process and process.stdin and process.stdout
        with suppress(BrokenPipeError):  # it is gone, and had not taken all
            process.stdin.close()
        process.stdout.close()
        timed_out = hasattr(signal, "SIGALRM") and process.wait() == -signal.SIGALRM
        return "reader_timed_out" if timed_out else "reader_crashed"


class _TooLong(Exception):
    pass


def _send(pipe: IO[bytes] | None, words: dict[str, Any], content: bytes = b"") -> None:
    assert pipe
    head = json.dumps(words).encode()
    pipe.write(_SIZES.pack(len(head), len(content)) + head)
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes] | None, most: int) -> tuple[dict[str, Any], bytes]:
    assert pipe
    sizes = _exactly(pipe, _SIZES.size)
    of_words, of_content = _SIZES.unpack(sizes)
    if of_words + of_content > most:
        raise _TooLong
    return json.loads(_exactly(pipe, of_words)), _exactly(pipe, of_content)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content


def serve(
    make: Callable[[], Callable[[dict[str, Any], bytes], dict[str, Any]]],
    seconds: float,
    memory_bytes: int,
) -> None:
    """The life of the process: answer until the parent is gone. `make`, which has no limits yet,
    gives the function that answers; an error of it is an answer (`error`: reader_failed).

    Nothing that a library prints can get into the answers."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        answer = make()
    except Exception as error:
        _send(answers, {"failed": f"{type(error).__name__}: {error}"})
        return
    _limit(memory_bytes)
    _send(answers, {"ready": True})
    while True:
        try:
            words, content = _receive(questions, 1 << 32)
        except EOFError:
            return
        _alarm(seconds)
        try:
            found = answer(words, content)
        except Exception:  # what libraries say of a damaged file may quote from it
            found = {"error": "reader_failed"}
        _alarm(0)
        _send(answers, found)


def _alarm(seconds: float) -> None:
    """The system ends this process after so many seconds, whatever it is doing."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit(memory_bytes: int) -> None:
    """No more memory than this, no files written, no core dump."""
    if os.name == "nt":
        return
    import resource

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for name, most in (("RLIMIT_AS", memory_bytes), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
        with suppress(ValueError, OSError, AttributeError):  # macOS has no limit on addresses
            resource.setrlimit(getattr(resource, name), (most, most))
