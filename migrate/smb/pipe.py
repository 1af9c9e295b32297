"""Room: a service of the server, spoken to over a named pipe. Source: [MS-SMB2] 3.2.4.20.4."""

from __future__ import annotations

from types import TracebackType

from migrate.smb import messages as smb
from migrate.smb.channel import Wire
from migrate.smb.engine import Engine, Steps
from migrate.smb.messages import Answer, Request
from migrate.smb.status import BUFFER_OVERFLOW, OK, error_of

MOST_BYTES = 65_536
_SHORT = {OK, BUFFER_OVERFLOW}  # the second: more is to be read


class Pipe:
    """A pipe on the share IPC$, open; a context manager. Errors: OSError, ConnectionLost."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        access = smb.READ_DATA | smb.WRITE_DATA
        job = engine.start(lambda: _ask(smb.create(name.encode("utf-16-le"), access, 0)), "pipe")
        self.file_id = smb.file_id(engine.wait(job))
        assert job.wire
        self.wire: Wire = job.wire

    def transceive(self, message: bytes) -> bytes:
        """Write a message, and what comes back."""
        request = smb.ioctl(smb.PIPE_TRANSCEIVE, message, MOST_BYTES, self.file_id)
        return bytes(smb.ioctl_data(self._run(request)))

    def read(self) -> bytes:
        """What is still to come."""
        return bytes(smb.read_data(self._run(smb.read(0, MOST_BYTES, self.file_id))))

    def _run(self, request: Request) -> Answer:
        return self.engine.run(lambda: _ask(request), "pipe", self.wire)

    def __enter__(self) -> Pipe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if kind is None:
            self._run(smb.close(self.file_id))


def _ask(request: Request) -> Steps[Answer]:
    answers = yield [request]
    if answers[0].status not in _SHORT:
        raise error_of(answers[0].status)
    return answers[0]
