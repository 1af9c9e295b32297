"""Room: one connection with many requests in flight. Source: [MS-SMB2] 2.2.1, 3.2.4, 3.2.5.

In: compounds of related requests. Out: their answers, signature and encryption checked.
Never: block; send more than the server gave credits for; trust an answer that nobody asked for.
"""

from __future__ import annotations

import hmac
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from migrate.smb.handshake import Link
from migrate.smb.messages import Answer, Answers, Malformed, Request
from migrate.smb.sealing import TRANSFORM_MARK, Tampered
from migrate.smb.status import GONE, PENDING

_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
HEADER_BYTES = 64
_MARK = b"\xfeSMB"
_IS_ANSWER, _IS_ASYNC, _RELATED, _SIGNED, _DFS = 0x1, 0x2, 0x4, 0x8, 0x10000000
_ENOUGH_CREDITS = 400
_MOST_FRAME_BYTES = 17 << 20  # the largest read of any server, and a header
_RECEIVE_BYTES = 1 << 20
_MOST_UNSENT_BYTES = 1 << 20


class ConnectionLost(Exception):
    """The connection is of no more use; another one may be."""


class Compound(Struct):
    """Requests that were sent together, and what came back."""

    done: Callable[[Answers], None]
    expects: int
    sent_at: float
    answers: list[Answer | None] = []


class Wire(Protocol):
    """What an engine needs of a connection: `Channel`, or `plain.PlainChannel`."""

    link: Link
    credits: int
    in_flight: int

    def fileno(self) -> int: ...

    def send(self, requests: list[Request], done: Callable[[Answers], None]) -> None: ...

    def receive(self) -> None: ...

    def flush(self) -> None: ...

    def wants_to_write(self) -> bool: ...

    def silent_seconds(self, now: float) -> float: ...

    def close(self) -> None: ...


class Channel:
    """The fast path."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.credits, self._message_id = link.credits, link.message_id
        self.in_flight = 0
        self._waiting: dict[int, tuple[Compound, int]] = {}
        self._received = bytearray()
        # One for all: a new one for every receive costs the system more than the bytes do.
        self._arriving = memoryview(bytearray(_RECEIVE_BYTES))
        self._unsent = bytearray()
        self._heard_at = time.monotonic()
        link.socket.setblocking(False)

    def fileno(self) -> int:
        return self.link.socket.fileno()

    def silent_seconds(self, now: float) -> float:
        """How long the server has owed us an answer without saying anything at all."""
        return now - self._heard_at if self._waiting else 0.0

    def close(self) -> None:
        self.link.socket.close()

    # Sending

    def send(self, requests: list[Request], done: Callable[[Answers], None]) -> None:
        """Queue one compound; `done` gets its answers, some time after the next `flush`.

        Errors: ConnectionLost."""
        now = time.monotonic()
        if not self._waiting:
            self._heard_at = now
        compound = Compound(done, len(requests), now, [None] * len(requests))
        frame = b"".join(
            self._message(request, n, n + 1 == len(requests), compound)
            for n, request in enumerate(requests)
        )
        if self.link.cipher:
            frame = self.link.cipher.seal(frame)
        self.in_flight += 1
        self._unsent += len(frame).to_bytes(4, "big") + frame
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            self.flush()

    def _message(self, request: Request, index: int, is_last: bool, compound: Compound) -> bytes:
        link, body = self.link, request.body
        padding = 0 if is_last else -(HEADER_BYTES + len(body)) % 8
        flags = (_RELATED if index else 0) | (_DFS if link.is_dfs else 0)
        flags |= _SIGNED if link.sign else 0
        asked = request.credits + (8 if self.credits < _ENOUGH_CREDITS else 0)
        header = _HEADER.pack(
            _MARK, HEADER_BYTES, request.credits, 0, request.command, asked, flags,
            0 if is_last else HEADER_BYTES + len(body) + padding, self._message_id, 0xFEFF,
            link.tree_id, link.session_id, bytes(16),
        )  # fmt: skip
        message = header + body + bytes(padding)
        if link.sign:
            signature = link.sign(message, self._message_id, False)
            message = message[:48] + signature + message[HEADER_BYTES:]
        self._waiting[self._message_id] = compound, index
        self._message_id += request.credits
        self.credits -= request.credits
        return message

    def flush(self) -> None:
        """Hand the kernel what it takes. Errors: ConnectionLost."""
        try:
            while self._unsent:
                sent = self.link.socket.send(self._unsent[: 1 << 20])
                del self._unsent[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            raise ConnectionLost(error.strerror or "the connection broke") from None

    def wants_to_write(self) -> bool:
        return bool(self._unsent)

    # Receiving

    def receive(self) -> None:
        """Take what has arrived, and answer the compounds that it completes.

        Errors: ConnectionLost."""
        try:
            size = self.link.socket.recv_into(self._arriving)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise ConnectionLost(error.strerror or "the connection broke") from None
        if not size:
            raise ConnectionLost("the server closed the connection")
        self._heard_at = time.monotonic()
        self._received += self._arriving[:size]
        try:
            self._frames()
        except (Tampered, Malformed, struct.error) as error:
            raise ConnectionLost(f"an answer was not as it should be: {error}") from None

    def _frames(self) -> None:
        at, received = 0, self._received
        while len(received) - at >= 4:
            size = int.from_bytes(received[at : at + 4], "big")
            if size > _MOST_FRAME_BYTES:
                raise Malformed(f"a frame of {size:,} bytes")
            if len(received) - at - 4 < size:
                break
            frame = received[at + 4 : at + 4 + size]
            at += 4 + size
            self._frame(frame)
        if at:
            del received[:at]

    def _frame(self, frame: bytearray) -> None:
        content = memoryview(frame)
        if self.link.cipher:
            content = self.link.cipher.open(content)
        elif frame[:4] == TRANSFORM_MARK:
            raise Tampered("an answer is encrypted with no key agreed on")
        at, size = 0, len(content)
        while True:
            if at + HEADER_BYTES > size:
                raise Malformed("a message is cut off")
            fields = _HEADER.unpack_from(content, at)
            step = fields[7]
            end = at + step if step else size
            if step and (step < HEADER_BYTES or step % 8 or end > size):
                raise Malformed("a message lies outside its frame")
            self._message_in(content[at:end], fields)
            if not step:
                return
            at = end

    def _message_in(self, message: memoryview, fields: tuple[Any, ...]) -> None:
        mark, _, _, status, _, credits, flags, _, message_id, *_, signature = fields
        if mark != _MARK or not flags & _IS_ANSWER:
            raise Malformed("no answer of SMB2")
        self.credits += credits
        if status in GONE:  # such answers come unsigned: the session has no key any more
            raise ConnectionLost(GONE[status])
        if status == PENDING and flags & _IS_ASYNC:
            return
        if self.link.sign:
            self._verify(message, message_id, flags, signature)
        if message_id not in self._waiting:
            raise Malformed("an answer to nothing")
        compound, index = self._waiting.pop(message_id)
        compound.answers[index] = Answer(status, message[HEADER_BYTES:])
        compound.expects -= 1
        if not compound.expects:
            self.in_flight -= 1
            compound.done([answer for answer in compound.answers if answer])

    def _verify(self, message: memoryview, message_id: int, flags: int, signature: bytes) -> None:
        assert self.link.sign
        if not flags & _SIGNED:
            raise Tampered("it is not signed")
        unsigned = message if not message.readonly else memoryview(bytearray(message))
        unsigned[48:64] = bytes(16)
        if not hmac.compare_digest(self.link.sign(unsigned, message_id, True), signature):
            raise Tampered("its signature is wrong")
