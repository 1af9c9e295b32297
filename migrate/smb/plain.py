"""Room: the slow path, for servers that the fast one is not for: smbprotocol sends one request at a
time, uncompounded, with its own numbers, signatures and encryption.

Never: more than one request on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from migrate.smb.channel import ConnectionLost
from migrate.smb.handshake import Link
from migrate.smb.messages import CREATE, CREDIT_BYTES, SAME_FILE, Answer, Answers, Request
from migrate.smb.messages import file_id as file_id_of
from migrate.smb.status import GONE, OK


class _Body:
    """A request's body, as much of a message as smbprotocol needs to send it and count credits."""

    def __init__(self, request: Request) -> None:
        self.COMMAND = request.command
        self.body = request.body
        self.size = request.credits * CREDIT_BYTES

    def pack(self) -> bytes:
        return self.body

    def __len__(self) -> int:
        return len(self.body)

    def __getitem__(self, name: str) -> _Field:
        return _Field(0 if name.endswith("channel_info_length") else self.size)


class _Field:
    """A length, as smbprotocol asks for one."""

    def __init__(self, value: int) -> None:
        self.value = value

    def get_value(self) -> int:
        return self.value

    def __len__(self) -> int:
        return 0


class PlainChannel:
    """Answers within `send`; there is nothing to wait for."""

    def __init__(self, link: Link, timeout_seconds: float) -> None:
        assert link.plain
        self.link = link
        self.connection, self.tree = link.plain
        self.timeout_seconds = timeout_seconds
        self.credits = 1 << 20  # smbprotocol counts them
        self.in_flight = 0

    def fileno(self) -> int:
        return -1

    def receive(self) -> None: ...

    def flush(self) -> None: ...

    def wants_to_write(self) -> bool:
        return False

    def silent_seconds(self, now: float) -> float:
        return 0.0

    def close(self) -> None:
        self.connection.disconnect(close=False)

    def send(self, requests: list[Request], done: Callable[[Answers], None]) -> None:
        """Errors: ConnectionLost."""
        answers: Answers = []
        file_id = SAME_FILE
        for request in requests:
            request = _with_file(request, file_id)
            if _names_no_file(request):
                answers.append(Answer(answers[0].status, memoryview(b"")))
                continue
            answer = self._ask(request)
            if request.command == CREATE and answer.status == OK:
                file_id = file_id_of(answer)
            answers.append(answer)
        done(answers)

    def _ask(self, request: Request) -> Answer:
        from smbprotocol.exceptions import SMBException, SMBResponseException

        body = _Body(request)
        began = time.monotonic()
        try:
            sent = self.connection.send(
                body, sid=self.link.session_id, tid=self.link.tree_id, credit_request=64
            )
            header = self.connection.receive(
                sent, timeout=self.timeout_seconds, resolve_symlinks=False
            )
        except SMBResponseException as refused:
            header = refused.header
        except (SMBException, OSError, ValueError) as error:
            seconds = time.monotonic() - began
            raise ConnectionLost(f"{error or type(error).__name__} after {seconds:.0f} s") from None
        status = header["status"].get_value()
        if status in GONE:
            raise ConnectionLost(GONE[status])
        return Answer(status, memoryview(header["data"].get_value()))


def _names_no_file(request: Request) -> bool:
    """Whether it is about the file that this compound was to open, and could not."""
    at = request.same_file_at
    return at >= 0 and request.body[at : at + 16] == SAME_FILE


def _with_file(request: Request, file_id: bytes) -> Request:
    if not _names_no_file(request):
        return request
    at = request.same_file_at
    return request._replace(body=request.body[:at] + file_id + request.body[at + 16 :])
